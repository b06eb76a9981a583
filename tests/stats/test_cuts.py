from __future__ import annotations

import numpy as np
import pytest
from sklearn.tree import DecisionTreeClassifier

from rca_kit.stats.cuts import best_cut


@pytest.mark.parametrize("seed", range(6))
def test_the_cut_is_the_best_of_all(seed: int) -> None:
    rng = np.random.default_rng(seed)
    s = rng.random(200).round(2)
    d = ((s > 0.6) != (rng.random(200) < 0.1)).astype(float)
    if seed % 2:
        d = 1 - d
    found = best_cut(s, d)
    tries = [max(((s >= t) == d).mean(), ((s < t) == d).mean()) for t in np.append(np.unique(s), 2.0)]
    assert found.clean == pytest.approx(max(tries))
    assert (found.implied(s) == d).mean() == pytest.approx(found.clean)
    assert found.up is (seed % 2 == 0)


def test_where_a_cut_is_clean_it_is_that_of_a_stump() -> None:
    s = np.random.default_rng(3).random(500)
    d = (s >= 0.37).astype(float)
    stump = DecisionTreeClassifier(max_depth=1).fit(s[:, None], d)
    assert best_cut(s, d).at == pytest.approx(stump.tree_.threshold[0])


def test_of_a_constant_every_score_is_on_one_side() -> None:
    s = np.array([0.2, 0.4])
    for d in (np.zeros(2), np.ones(2)):
        assert (best_cut(s, d).implied(s) == d).all()
