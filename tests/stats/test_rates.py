from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportions_ztest

from rca_kit.stats.rates import benjamini_hochberg, difference, homogeneity, mean_gap, overdispersion, rate_z


@given(a=st.floats(-5, 5), b=st.floats(-5, 5), sa=st.floats(0.01, 3), sb=st.floats(0.01, 3), inflation=st.floats(1, 4))
@settings(max_examples=80, deadline=None)
def test_difference_is_the_normal_one(a: float, b: float, sa: float, sb: float, inflation: float) -> None:
    d = difference(a, sa, b, sb, inflation)
    error = inflation * math.hypot(sa, sb)
    assert d.change == pytest.approx(b - a)
    assert (d.low, d.high) == pytest.approx(stats.norm.interval(0.95, b - a, error))
    assert d.p_value == pytest.approx(2 * stats.norm.sf(abs(b - a) / error), rel=1e-6, abs=1e-300)


@pytest.mark.parametrize(("before", "error"), [(float("nan"), 1.0), (0.0, float("nan")), (0.0, float("inf"))])
def test_an_unknown_difference_is_no_evidence(before: float, error: float) -> None:
    assert difference(before, error, 1.0, 1.0).p_value == 1.0


def test_two_values_without_error_are_no_evidence() -> None:
    assert difference(0.0, 0.0, 1.0, 0.0).z == 0.0


@given(p=st.lists(st.floats(0, 1), min_size=1, max_size=40))
@settings(max_examples=80, deadline=None)
def test_q_values_equal_statsmodels(p: list[float]) -> None:
    assert benjamini_hochberg(p) == pytest.approx(multipletests(p, method="fdr_bh")[1])


def test_no_p_values_give_no_q_values() -> None:
    assert benjamini_hochberg([]).size == 0


@given(kb=st.integers(0, 50), ka=st.integers(0, 50))
@settings(max_examples=60, deadline=None)
def test_rate_z_equals_statsmodels(kb: int, ka: int) -> None:
    z = rate_z(kb, 50, ka, 70)
    if 0 < kb + ka < 120:
        assert z == pytest.approx(proportions_ztest([ka, kb], [70, 50])[0])
    else:
        assert z == 0.0


def test_rate_z_without_observations_is_zero() -> None:
    assert rate_z(0, 0, 5, 10) == 0.0


def ar1(n: int, rho: float, rng: np.random.Generator) -> np.ndarray:
    x = np.empty(n)
    x[0] = rng.normal()
    for i in range(1, n):
        x[i] = rho * x[i - 1] + math.sqrt(1 - rho**2) * rng.normal()
    return x


@pytest.mark.parametrize(("rho", "scale"), [(0.0, 1.0), (0.0, 3.0), (0.5, 1.0), (0.7, 2.0)])
def test_overdispersion_is_the_inflation_of_a_mean(rho: float, scale: float) -> None:
    rng = np.random.default_rng(0)
    found = np.median([overdispersion(scale * ar1(400, rho, rng), np.ones(400)) for _ in range(40)])
    assert found == pytest.approx(scale * math.sqrt((1 + rho) / (1 - rho)), rel=0.15)


def test_overdispersion_takes_the_hours_out_and_shrugs_off_outliers() -> None:
    rng = np.random.default_rng(1)
    hour = np.arange(480) % 24
    x = 5 * np.sin(hour / 24 * 2 * np.pi) + rng.normal(size=480)
    x[[50, 300]] += 60
    assert overdispersion(x, np.ones(480)) > 2
    assert overdispersion(x, np.ones(480), hour) == pytest.approx(1.0, abs=0.15)


@given(n=st.integers(0, 60), holes=st.integers(0, 60))
@settings(max_examples=40, deadline=None)
def test_overdispersion_never_narrows_an_interval(n: int, holes: int) -> None:
    x = np.random.default_rng(n).normal(size=n) * 0.01
    x[:holes] = np.nan
    assert overdispersion(x, np.ones(n)) == 1.0


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=1, max_size=12))
def test_homogeneity_is_that_of_scipy(pairs):
    first, second = (np.array(side, dtype=float) for side in zip(*pairs, strict=True))
    table = np.stack([first, second])[:, (first + second) > 0]
    if table.shape[1] < 2 or (table.sum(axis=1) == 0).any():
        return
    assert homogeneity(first, second) == pytest.approx(stats.chi2_contingency(table, correction=False).pvalue, rel=1e-9)


@pytest.mark.parametrize(("n", "m"), [(40, 300), (5000, 90)])
def test_the_gap_of_two_means_is_welchs(n: int, m: int) -> None:
    """His has n - 1 in the variances: less than a hundredth apart from here on."""
    rng = np.random.default_rng(n)
    a, b = rng.exponential(2.0, n), rng.normal(1.5, 3.0, m)
    gap, error = mean_gap(a, b)
    assert gap == pytest.approx(a.mean() - b.mean())
    assert gap / error == pytest.approx(stats.ttest_ind(a, b, equal_var=False).statistic, rel=0.015)
