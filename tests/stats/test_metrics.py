"""Metrics from histograms and sums against scikit-learn, NumPy and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import average_precision_score, roc_auc_score

from rca_kit.stats import metrics
from rca_kit.stats.delong import auc_parts

COUNTS = arrays(np.int64, 12, elements=st.integers(0, 40))


def by_class(label: np.ndarray, score: np.ndarray, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    bins = np.searchsorted(edges, score, side="right")
    size = edges.size + 1
    return np.bincount(bins[~label], minlength=size).astype(float), np.bincount(bins[label], minlength=size).astype(float)


def drawn(n: int, seed: int, gap: float = 1.0, rate: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    label = rng.random(n) < rate
    return label, rng.normal(size=n) + gap * label


@given(neg=COUNTS, pos=COUNTS)
@settings(max_examples=60, deadline=None)
def test_auc_and_average_precision_equal_scikit_learn_on_the_binned_scores(neg: np.ndarray, pos: np.ndarray) -> None:
    bins = np.arange(neg.size)
    score = np.concatenate([np.repeat(bins, neg), np.repeat(bins, pos)])
    label = np.concatenate([np.zeros(neg.sum(), bool), np.ones(pos.sum(), bool)])
    found = metrics.auc(neg[None], pos[None])
    if neg.sum() > 1 and pos.sum() > 1:
        assert found.value[0] == pytest.approx(roc_auc_score(label, score))
        assert found.n[0] == min(neg.sum(), pos.sum())
    else:
        assert np.isnan(found.value[0])
    precision = metrics.average_precision(neg[None], pos[None])
    if pos.sum() > 0 and label.size > 0:
        assert precision.value[0] == pytest.approx(average_precision_score(label, score))
    else:
        assert np.isnan(precision.value[0])


@pytest.mark.parametrize("gap", [0.0, 1.0, 2.5])
@pytest.mark.parametrize("rate", [0.05, 0.4])
def test_binning_moves_the_auc_by_little(gap: float, rate: float) -> None:
    label, score = drawn(20_000, 7, gap, rate)
    edges = np.quantile(score, np.linspace(0, 1, 65)[1:-1])
    neg, pos = by_class(label, score, edges)
    found = metrics.auc(neg[None], pos[None])
    exact = auc_parts(label, score)
    tied = (neg / neg.sum() * pos / pos.sum()).sum() / 2  # the bound the docstring gives
    assert abs(found.value[0] - exact.auc) <= tied
    assert abs(found.value[0] - exact.auc) < 0.002
    assert found.error[0] == pytest.approx(exact.se, rel=0.03)


def test_auc_error_is_the_spread_over_repeated_logs() -> None:
    edges = np.linspace(-2, 3, 63)
    pairs = [by_class(*drawn(600, s), edges) for s in range(300)]
    found = metrics.auc(np.stack([n for n, _ in pairs]), np.stack([p for _, p in pairs]))
    assert found.value.std() == pytest.approx(found.error.mean(), rel=0.12)


def test_perfect_separation_of_a_handful_is_not_certainty() -> None:
    assert metrics.auc([[5.0, 0.0]], [[0.0, 3.0]]).error[0] > 0.05


def test_average_precision_error_is_near_the_spread_over_repeated_logs() -> None:
    edges = np.linspace(-2, 3, 63)
    pairs = [by_class(*drawn(800, s), edges) for s in range(200)]
    found = metrics.average_precision(np.stack([n for n, _ in pairs]), np.stack([p for _, p in pairs]))
    assert 0.4 < found.value.std() / found.error.mean() < 1.6


@given(x=arrays(float, st.integers(2, 60), elements=st.floats(-1e3, 1e3)))
@settings(max_examples=60, deadline=None)
def test_mean_and_its_error_equal_numpy(x: np.ndarray) -> None:
    found = metrics.mean([x.sum()], [(x * x).sum()], [float(x.size)])
    assert found.value[0] == pytest.approx(x.mean(), abs=1e-9)
    assert found.error[0] == pytest.approx(x.std(ddof=1) / np.sqrt(x.size), abs=1e-3)


def test_nothing_measured_is_nan_not_zero() -> None:
    for found in (metrics.rate([0.0], [0.0]), metrics.mean([0.0], [0.0], [0.0]), metrics.quantile([[0.0, 0.0]], [1.0, 2.0], 0.5),
                  metrics.auc([[0.0]], [[0.0]]), metrics.average_precision([[0.0]], [[0.0]])):
        assert np.isnan(found.value[0])
        assert np.isnan(found.error[0])


@pytest.mark.parametrize("p", [0.003, 0.1, 0.5, 0.99])
@pytest.mark.parametrize("n", [50, 1000])
def test_rate_intervals_cover(p: float, n: int) -> None:
    k = np.random.default_rng(1).binomial(n, p, 4000)
    found = metrics.rate(k, np.full(k.size, n))
    covered = (np.abs(found.value - p) <= 1.96 * found.error).mean()
    assert covered > 0.92
    assert (found.error > 0).all()


@given(counts=arrays(np.int64, 9, elements=st.integers(0, 30)), q=st.floats(0.01, 0.99))
@settings(max_examples=80, deadline=None)
def test_quantile_equals_numpy_on_the_binned_values(counts: np.ndarray, q: float) -> None:
    values = np.arange(9.0) ** 2
    found = metrics.quantile(counts[None].astype(float), values, q)
    if counts.sum() == 0:
        assert np.isnan(found.value[0])
        return
    x = np.repeat(values, counts)
    near = {np.quantile(x, np.clip(q + e, 0, 1), method="inverted_cdf") for e in (-1e-9, 0, 1e-9)}  # rank ties by rounding
    assert found.value[0] in near


@pytest.mark.parametrize("q", [0.5, 0.95])
def test_quantile_error_is_the_spread_over_repeated_logs(q: float) -> None:
    values = 10 * 1.02 ** np.arange(400)
    x = np.random.default_rng(2).lognormal(5, 0.7, (400, 1500))
    index = np.clip(np.searchsorted(values, x) - 1, 0, 399)
    counts = np.stack([np.bincount(i, minlength=400) for i in index]).astype(float)
    found = metrics.quantile(counts, values, q)
    assert found.value.std() == pytest.approx(found.error.mean(), rel=0.25)


def test_all_metrics_take_any_leading_shape() -> None:
    rng = np.random.default_rng(0)
    neg, pos = rng.integers(1, 9, (2, 3, 8)).astype(float), rng.integers(1, 9, (2, 3, 8)).astype(float)
    for f in (metrics.auc, metrics.average_precision):
        whole = f(neg, pos)
        assert whole.value.shape == (2, 3)
        assert whole.value[1, 2] == pytest.approx(f(neg[1, 2][None], pos[1, 2][None]).value[0])
    assert metrics.quantile(pos, np.arange(8.0), 0.5).value.shape == (2, 3)
