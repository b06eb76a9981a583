from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from rca_kit.errors import BadInput
from rca_kit.stats.segments import auc_means, exceedances, search
from rca_kit.stats.segments.histograms import auc_means as direct


def histograms(score, label, leaf, leaves, bins=200):
    place = np.clip((score * bins).astype(int), 0, bins - 1)
    out = []
    for value in (1, 0):
        grid = np.zeros((leaves, bins))
        np.add.at(grid, (leaf[label == value], place[label == value]), 1.0)
        out.append(grid)
    return out


def scored(rng, n, leaf_count, broken=()):
    leaf = rng.integers(0, leaf_count, n)
    label = (rng.random(n) < 0.3).astype(int)
    signal = np.where(np.isin(leaf, broken), 0.0, 1.5)
    return 1 / (1 + np.exp(-(signal * label + rng.normal(0, 1, n)))), label, leaf


def test_mean_placement_is_the_auc():
    rng = np.random.default_rng(1)
    score, label, leaf = scored(rng, 20_000, 1)
    pos, neg = histograms(score, label, leaf, 1)
    m = direct(pos, neg, pos, neg)
    # positives' mean placement and negatives' mean placement are both the AUC
    assert m.sum_before[0] / m.n_before[0] == pytest.approx(roc_auc_score(label, score), abs=0.002)


def test_segment_whose_scores_stop_ranking_is_found():
    rng = np.random.default_rng(2)
    codes = np.indices((4, 3)).reshape(2, -1).T
    broken = np.flatnonzero(codes[:, 0] == 2)
    before = histograms(*scored(rng, 40_000, 12), 12)
    after = histograms(*scored(rng, 30_000, 12, broken), 12)
    result = search(codes, (4, 3), auc_means(*before, *after), direction="decrease")
    assert [f.conditions for f in result.found] == [((0, (2,)),)]
    assert result.found[0].after < result.found[0].before - 0.1


def test_exceedances_follow_numpy_percentiles():
    rng = np.random.default_rng(3)
    values = rng.exponential(100, (3, 5000))
    edges = np.linspace(0, 2000, 2001)
    before = np.stack([np.histogram(v, edges)[0] for v in values]).astype(float)
    c = exceedances(before, before, 0.95)
    cut = np.quantile(values, 0.95)
    assert c.k_before.sum() == pytest.approx((values > cut).sum(), abs=1)
    assert c.k_before[1] == pytest.approx((values[1] > cut).sum(), abs=5)
    with pytest.raises(BadInput, match="quantile"):
        exceedances(before, before, 1.0)


def test_slow_tail_of_one_segment_is_found():
    rng = np.random.default_rng(4)
    codes = np.indices((4, 3)).reshape(2, -1).T
    edges = np.linspace(0, 3000, 301)
    before = np.stack([np.histogram(rng.exponential(100, 3000), edges)[0] for _ in range(12)]).astype(float)
    slow = (codes[:, 0] == 1) & (codes[:, 1] == 2)
    after = np.stack([np.histogram(rng.exponential(100, 3000) * (2.5 if s else 1), edges)[0] for s in slow]).astype(float)
    result = search(codes, (4, 3), exceedances(before, after, 0.95), direction="increase")
    assert [f.conditions for f in result.found] == [((0, (1,)), (1, (2,)))]


def test_shapes_are_checked():
    with pytest.raises(BadInput, match="shape"):
        auc_means(np.ones((2, 3)), np.ones((2, 3)), np.ones((2, 3)), np.ones((2, 4)))
