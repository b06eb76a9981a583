from __future__ import annotations

import numpy as np
import pytest

from rca_kit.stats.segments.means import Means
from rca_kit.stats.segments.search import search

CODES = np.array([(i, j) for i in range(3) for j in range(2)])


@pytest.mark.parametrize("direction", ["either", "follow"])
@pytest.mark.parametrize("shift", [-30.0, -8.0, -1.0, 1.0, 8.0, 30.0])
def test_a_mean_that_moves_far_is_found_whichever_way(shift, direction):
    rng = np.random.default_rng(4)
    rows = [(rng.normal(0, 3, 10_000), rng.normal(shift if i == 0 else 0.0, 3, 2_000)) for i, _ in CODES]
    sides = [np.array([f(side[k]) for side in rows], float) for k in (0, 1) for f in (np.sum, lambda x: np.sum(x * x), len)]
    way = direction if direction == "either" else "increase" if shift > 0 else "decrease"
    found = search(CODES, (3, 2), Means(*sides), max_depth=3, direction=way, alpha=0.01, max_segments=4).found
    assert [f.conditions for f in found] == [((0, (0,)),)]
