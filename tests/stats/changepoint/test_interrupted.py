"""Interrupted time series against statsmodels and by coverage."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm

from rca_kit.errors import BadInput
from rca_kit.stats.changepoint import interrupted_time_series


def ar(rng, n, phi):
    e = rng.normal(size=n + 100)
    for t in range(1, n + 100):
        e[t] += phi * e[t - 1]
    return e[100:]


def design(n, at):
    t = np.arange(n) - at
    return np.column_stack([np.ones(n), t, t >= 0, (t >= 0) * t]).astype(float)


def test_equals_statsmodels_at_its_coefficient():
    rng = np.random.default_rng(0)
    y = ar(rng, 80, 0.5) + 3 * (np.arange(80) >= 45)
    fit = interrupted_time_series(y, 45)
    V = fit.autocorrelation ** np.abs(np.subtract.outer(np.arange(80), np.arange(80)))
    oracle = sm.GLS(y, design(80, 45), sigma=V).fit()
    assert fit.level_change == pytest.approx(oracle.params[2])
    assert fit.slope_change == pytest.approx(oracle.params[3])
    assert fit.level_interval == pytest.approx(oracle.conf_int()[2])
    assert fit.p_value == pytest.approx(float(oracle.f_test(np.eye(4)[2:]).pvalue))
    near = sm.GLSAR(y, design(80, 45), rho=1)
    near.iterative_fit(10)
    assert fit.autocorrelation == pytest.approx(float(near.rho[0]), abs=0.12)


def test_weights_are_inverse_squared_standard_errors():
    rng = np.random.default_rng(1)
    se = rng.uniform(0.2, 3, 60)
    y = rng.normal(size=60) * se + 2.0 * (np.arange(60) >= 30)
    fit = interrupted_time_series(y, 30, standard_errors=se)
    if fit.autocorrelation == 0:
        oracle = sm.WLS(y, design(60, 30), weights=se**-2.0).fit()
        assert fit.level_change == pytest.approx(oracle.params[2])
        assert fit.level_interval == pytest.approx(oracle.conf_int()[2])
    assert fit.level_interval[0] < 2 < fit.level_interval[1]


@pytest.mark.parametrize("phi", [0.0, 0.5])
def test_intervals_cover(phi):
    rng = np.random.default_rng(int(10 * phi))
    inside = 0
    for _ in range(120):
        y = ar(rng, 100, phi) + 0.02 * np.arange(100) + 2.0 * (np.arange(100) >= 60)
        low, high = interrupted_time_series(y, 60).level_interval
        inside += low < 2 < high
    assert 105 <= inside <= 120  # 95% nominal; 0.5 of persistence costs a little


def test_slope_and_season():
    rng = np.random.default_rng(3)
    t = np.arange(240)
    y = 4 * np.sin(t * np.pi / 12) + 0.1 * np.maximum(t - 150, 0) + rng.normal(size=240)
    fit = interrupted_time_series(y, 150, period=24)
    assert fit.slope_interval[0] < 0.1 < fit.slope_interval[1]
    assert fit.slope_interval[1] - fit.slope_interval[0] < 0.1
    assert fit.p_value < 1e-6
    assert "slope" in fit.says()


def test_missing_values_and_exact_fits():
    y = np.r_[np.zeros(20), np.full(20, 5.0)]
    y[[3, 25]] = np.nan
    fit = interrupted_time_series(y, 20)
    assert fit.level_change == pytest.approx(5)
    assert fit.p_value == 0
    assert (fit.n_before, fit.n_after) == (19, 19)


def test_too_little_is_refused():
    with pytest.raises(BadInput, match="too few"):
        interrupted_time_series(np.arange(10.0), 9)
    with pytest.raises(BadInput, match="regression"):
        interrupted_time_series(np.arange(6.0), 3, period=3)
