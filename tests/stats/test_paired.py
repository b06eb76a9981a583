from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as sps
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.contingency_tables import mcnemar as sm_mcnemar
from statsmodels.stats.multitest import multipletests

from rca_kit.stats.paired import (
    cluster_bootstrap,
    detectable,
    holm,
    mcnemar,
    mean_interval,
    needed_pairs,
    paired_mean,
)

finite = st.floats(-1e3, 1e3, allow_nan=False)


@given(st.lists(finite, min_size=3, max_size=40))
@settings(max_examples=60, deadline=None)
def test_is_the_one_sample_t_test(values):
    x = np.asarray(values)
    if np.ptp(x) < 1e-6:
        return
    got, want = paired_mean(x), sps.ttest_1samp(x, 0.0)
    assert got.p_value == pytest.approx(want.pvalue, rel=1e-6, abs=1e-12)
    low, high = want.confidence_interval(0.95)
    assert got.interval == (pytest.approx(low, rel=1e-6, abs=1e-9), pytest.approx(high, rel=1e-6, abs=1e-9))


def test_clusters_as_statsmodels_does():
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(40), 5)
    x = rng.normal(size=200) + rng.normal(size=40)[groups]
    fit = OLS(x, np.ones(200)).fit(cov_type="cluster", cov_kwds={"groups": groups, "use_correction": True, "df_correction": True})
    got = paired_mean(x, groups)
    # statsmodels also multiplies by (n - 1) / (n - k), which is one here but for k = 1
    assert got.se == pytest.approx(float(fit.bse[0]), rel=0.01)
    assert got.se > paired_mean(x).se * 1.3


def test_nan_rows_are_left_out_and_constants_are_certain():
    assert paired_mean([1.0, np.nan, 1.0]).n == 2
    got = paired_mean([0.1] * 50)
    assert (got.se, got.p_value) == (0.0, 0.0)
    assert paired_mean([0.0] * 50).p_value == 1.0
    assert paired_mean([]).interval == (-np.inf, np.inf)


def test_cluster_bootstrap_covers_with_few_clusters():
    missed = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        groups = np.repeat(np.arange(15), 8)
        x = rng.normal(size=120) * 0.3 + rng.normal(size=15)[groups]
        low, high = cluster_bootstrap(x, groups, draws=299, seed=seed)
        missed += not low <= 0 <= high
    assert missed <= 22  # 5 % of 200 and three standard errors


def test_mean_interval_uses_the_bootstrap_for_few_clusters_only():
    rng = np.random.default_rng(0)
    x, few, many = rng.normal(size=600), np.repeat(np.arange(6), 100), np.arange(600)
    assert mean_interval(x, few).interval != paired_mean(x, few).interval
    assert mean_interval(x, many).interval == paired_mean(x, many).interval


@given(st.integers(0, 60), st.integers(0, 60))
@settings(max_examples=80, deadline=None)
def test_mcnemar_mid_p_lies_below_exact(lost, gained):
    mid, exact = mcnemar(lost, gained), sm_mcnemar([[0, lost], [gained, 0]], exact=True).pvalue
    assert mid <= exact + 1e-12
    assert mid == mcnemar(gained, lost)
    if lost != gained:
        n, k = lost + gained, min(lost, gained)
        assert mid == pytest.approx(2 * (sps.binom.cdf(k, n, 0.5) - sps.binom.pmf(k, n, 0.5) / 2))


def test_mcnemar_keeps_its_level():
    rng = np.random.default_rng(0)
    rejected = sum(mcnemar(int(k), 25 - int(k)) <= 0.05 for k in rng.binomial(25, 0.5, 2000))
    assert rejected / 2000 <= 0.06


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
@settings(max_examples=15, deadline=None)
def test_holm_as_statsmodels_does(p):
    assert np.allclose(holm(p), multipletests(p, method="holm")[1])


def test_needed_pairs_really_decide():
    sd, margin = 0.2, 0.01
    needed = needed_pairs(sd / np.sqrt(500), 500, margin)
    assert needed is not None
    inside = 0
    for seed in range(300):
        got = paired_mean(np.random.default_rng(seed).normal(0, sd, needed))
        inside += -margin <= got.interval[0] and got.interval[1] <= margin
    assert 0.73 <= inside / 300 <= 0.9
    assert needed_pairs(float("nan"), 10, 0.1) is None
    assert needed_pairs(0.01, 100, 0.01, estimate=0.05) < needed_pairs(0.01, 100, 0.01)


def test_detectable_is_found_with_80_percent_power():
    effect = detectable(0.01)
    found = sum(paired_mean(np.random.default_rng(s).normal(effect, 0.1, 100)).p_value < 0.05 for s in range(400))
    assert 0.73 <= found / 400 <= 0.87
