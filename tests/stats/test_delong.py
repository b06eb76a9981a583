from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from rca_kit.stats.delong import auc_parts, delong
from rca_kit.stats.rowmetrics import auc


def brute(y, s):
    """DeLong by all pairs: psi is 1, 1/2 or 0, its row and column means are the components."""
    pos, neg = s[y == 1], s[y == 0]
    psi = (pos[:, None] > neg[None, :]) + 0.5 * (pos[:, None] == neg[None, :])
    return psi.mean(), psi.mean(axis=1), psi.mean(axis=0)


def make(seed, n=80, ties=False):
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < 0.4).astype(int)
    a = y + rng.normal(size=n)
    b = a + 0.7 * rng.normal(size=n)
    return y, (a.round(0), b.round(0)) if ties else (a, b)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_brute_force_oracle(seed, ties):
    y, (a, b) = make(seed, ties=ties)
    got = delong(y, a, b)
    (auc_a, va, wa), (auc_b, vb, wb) = brute(y, a), brute(y, b)
    variance = np.var(va - vb, ddof=1) / y.sum() + np.var(wa - wb, ddof=1) / (1 - y).sum()
    assert got.first == pytest.approx(auc_a)
    assert got.difference == pytest.approx(auc_a - auc_b)
    assert got.se == pytest.approx(np.sqrt(variance))
    alone = auc_parts(y, a)
    assert alone.se == pytest.approx(np.sqrt(np.var(va, ddof=1) / y.sum() + np.var(wa, ddof=1) / (1 - y).sum()))


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_auc_as_scikit_learn(seed):
    y, (a, _) = make(seed, n=30, ties=seed % 2 == 0)
    if 0 < y.sum() < len(y):
        assert auc_parts(y, a).auc == pytest.approx(roc_auc_score(y, a))


def test_agrees_with_the_bootstrap():
    y, (a, b) = make(3, n=400)
    rng = np.random.default_rng(0)
    pos, neg = np.flatnonzero(y == 1), np.flatnonzero(y == 0)
    draws = []
    for _ in range(400):
        rows = np.concatenate([rng.choice(pos, len(pos)), rng.choice(neg, len(neg))])
        draws.append(roc_auc_score(y[rows], a[rows]) - roc_auc_score(y[rows], b[rows]))
    assert delong(y, a, b).se == pytest.approx(np.std(draws), rel=0.15)


def test_influence_gives_the_same_error_as_delong():
    y, (a, b) = make(4, n=500)
    d = auc(y, a).influence - auc(y, b).influence
    assert np.std(d) / np.sqrt(len(y)) == pytest.approx(delong(y, a, b).se, rel=0.01)


def test_same_scores_do_not_differ():
    y, (a, _) = make(0)
    got = delong(y, a, a)
    assert (got.difference, got.se, got.p_value) == (0, 0, 1)


def test_one_class_is_said_and_not_raised():
    got = delong([1, 1, 1], [0.1, 0.2, 0.3], [0.1, 0.2, 0.3])
    assert np.isnan(got.first)
    assert got.p_value == 1.0


def test_level_under_no_difference():
    alarms = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        y = (rng.random(300) < 0.3).astype(int)
        base = y + rng.normal(size=300)
        alarms += delong(y, base + rng.normal(size=300), base + rng.normal(size=300)).p_value < 0.05
    assert alarms <= 27  # 5 % and three standard errors
