from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import mannwhitneyu, norm

from rca_kit.stats.rates import rank_z


@pytest.mark.parametrize("seed", range(4))
def test_z_gives_the_p_value_of_scipy(seed):
    rng = np.random.default_rng(seed)
    x, y = rng.integers(0, 20, 80), rng.integers(3, 22, 50)
    p = mannwhitneyu(x, y, method="asymptotic", use_continuity=False).pvalue
    assert 2 * norm.sf(abs(rank_z(x, y))) == pytest.approx(p, rel=1e-9)
    assert rank_z(x, y) > 0


def test_nothing_to_rank_is_zero():
    assert rank_z([], [1.0]) == rank_z([2.0, 2.0], [2.0]) == 0.0
