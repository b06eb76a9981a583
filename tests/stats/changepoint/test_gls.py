"""The cumulative-sum formulas against dense generalised least squares."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from rca_kit.stats.changepoint.gls import bump_gains, fit_steps, rss_steps, segment_sums, step_gains, white_rows, whiten
from rca_kit.stats.changepoint.steps import Grid


def draw(seed: int, n: int = 24, weighted: bool = True):
    rng = np.random.default_rng(seed)
    y = rng.normal(size=n).cumsum()
    precision = rng.uniform(0.3, 3, n) if weighted else np.ones(n)
    gap = rng.integers(1, 4, n).astype(float) if weighted else np.ones(n)
    return y, precision, gap


def covariance(precision, gap, phi):
    at = np.concatenate([[0.0], np.cumsum(gap[1:])])
    return phi ** np.abs(at[:, None] - at[None, :]) / np.outer(precision, precision)


def dense_rss(y, X, V):
    return float(sm.GLS(y, X, sigma=V).fit().wresid @ sm.GLS(y, X, sigma=V).fit().wresid)


@pytest.mark.parametrize("phi", [0.0, 0.3, 0.7])
def test_step_gains_equal_dense_gls_at_every_place(phi):
    y, precision, gap = draw(1)
    n = len(y)
    V = covariance(precision, gap, phi) if phi else np.diag(1 / precision**2)
    w = whiten(y, precision, gap, phi)
    gains, information = step_gains(w, 0, n)
    null = dense_rss(y, np.ones((n, 1)), V)
    for tau in range(1, n):
        X = np.column_stack([np.ones(n), np.arange(n) >= tau]).astype(float)
        fit = sm.GLS(y, X, sigma=V).fit()
        assert gains[tau - 1] == pytest.approx(null - float(fit.wresid @ fit.wresid), rel=1e-8, abs=1e-9)
        assert information[tau - 1] == pytest.approx(1 / fit.normalized_cov_params[1, 1], rel=1e-8)


@pytest.mark.parametrize("phi", [0.0, 0.5])
def test_step_gains_of_a_part_equal_dense_gls_of_that_part(phi):
    y, precision, gap = draw(2)
    w = whiten(y, precision, gap, phi)
    part = whiten(y[5:17], precision[5:17], gap[5:17], phi)
    assert step_gains(w, 5, 17)[0] == pytest.approx(step_gains(part, 0, 12)[0])
    assert segment_sums(w, 5, 17).rss == pytest.approx(rss_steps(part, ()))


@pytest.mark.parametrize(("phi", "length", "stride"), [(0.0, 1, 1), (0.4, 3, 1), (0.7, 8, 2)])
def test_bump_gains_equal_dense_gls(phi, length, stride):
    y, precision, gap = draw(3)
    n = len(y)
    V = covariance(precision, gap, phi) if phi else np.diag(1 / precision**2)
    gains = bump_gains(whiten(y, precision, gap, phi), 0, n, length, stride=stride)
    null = dense_rss(y, np.ones((n, 1)), V)
    starts = range(1, n - length, stride)
    assert len(gains) == len(starts)
    t = np.arange(n)
    for gain, s in zip(gains, starts, strict=True):
        X = np.column_stack([np.ones(n), (t >= s) & (t < s + length)]).astype(float)
        assert gain == pytest.approx(null - dense_rss(y, X, V), rel=1e-8, abs=1e-9)


@given(seed=st.integers(0, 10_000), phi=st.sampled_from([0.0, 0.2, 0.8]), cuts=st.sets(st.integers(1, 23), max_size=5))
@settings(max_examples=25, deadline=None)
def test_joint_fit_equals_dense_gls(seed, phi, cuts):
    y, precision, gap = draw(seed)
    places = tuple(sorted(cuts))
    V = covariance(precision, gap, phi) if phi else np.diag(1 / precision**2)
    segment = np.searchsorted(places, np.arange(len(y)), side="right")
    X = np.eye(len(places) + 1)[segment]
    dense = sm.GLS(y, X, sigma=V).fit()
    fit = fit_steps(whiten(y, precision, gap, phi), places)
    assert fit.levels == pytest.approx(dense.params, rel=1e-6, abs=1e-8)
    assert fit.rss == pytest.approx(float(dense.wresid @ dense.wresid), rel=1e-6, abs=1e-8)
    assert np.diag(fit.covariance) == pytest.approx(np.diag(dense.normalized_cov_params), rel=1e-6)


def test_log_determinant_is_that_of_the_correlation_matrix():
    y, _, gap = draw(4)
    ones = np.ones(len(y))
    sign, dense = np.linalg.slogdet(covariance(ones, gap, 0.6))
    assert sign == 1
    assert whiten(y, ones, gap, 0.6).log_det == pytest.approx(dense)


def test_white_rows_whiten_along_the_last_axis():
    y, _, gap = draw(5)
    V = covariance(np.ones(len(y)), gap, 0.6)
    rows = white_rows(np.eye(len(y)), gap, 0.6)  # row i: the whitening applied to unit vector i
    assert rows.T @ V @ rows == pytest.approx(np.eye(len(y)), abs=1e-9)


def test_profile_finds_the_coefficient_that_dense_likelihood_prefers():
    rng = np.random.default_rng(0)
    x = np.zeros(300)
    for t in range(1, 300):
        x[t] = 0.5 * x[t - 1] + rng.normal()
    found = Grid(x / x.std(), np.ones(300), np.ones(300)).profile(())
    oracle = sm.tsa.ARIMA(x, order=(1, 0, 0)).fit().params[1]
    assert found.phi == pytest.approx(oracle, abs=0.02)
