from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.proportion import confint_proportions_2indep
from statsmodels.stats.weightstats import ttost_ind

from rca_kit.errors import BadInput
from rca_kit.stats.equivalence import needed_n, tost, tost_rates


@pytest.mark.parametrize(("shift", "n"), [(0.0, 40), (0.3, 60), (-0.5, 30), (1.5, 50)])
def test_agrees_with_statsmodels(shift, n):
    rng = np.random.default_rng(0)
    a, b = rng.normal(0, 1, n), rng.normal(shift, 1, n)
    pooled = math.sqrt((a.var(ddof=1) + b.var(ddof=1)) / n)
    mine = tost(b.mean() - a.mean(), pooled, 0.6, freedom=2 * n - 2)
    p, _, _ = ttost_ind(b, a, -0.6, 0.6, usevar="pooled")
    assert mine.p_value == pytest.approx(p, rel=1e-6)
    assert mine.equivalent == (p < 0.05)


@given(st.floats(-1, 1), st.floats(1e-3, 1), st.floats(1e-3, 1))
@settings(max_examples=200, deadline=None)
def test_verdict_is_where_the_interval_lies(estimate, error, margin):
    t = tost(estimate, error, margin)
    low, high = t.interval
    assert low <= estimate <= high
    assert t.equivalent == (t.p_value < 0.05)
    if t.equivalent:
        assert -margin < low <= high < margin
    assert (t.verdict == "higher") == (low > margin)
    assert (t.verdict == "lower") == (high < -margin)


@given(st.floats(-1, 1), st.floats(1e-3, 1), st.floats(1e-3, 1))
@settings(max_examples=100, deadline=None)
def test_mirrored_data_give_mirrored_verdicts(estimate, error, margin):
    other = {"higher": "lower", "lower": "higher"}
    verdict = tost(estimate, error, margin).verdict
    assert tost(-estimate, error, margin).verdict == other.get(verdict, verdict)


def test_wrongly_equivalent_at_the_margin_at_most_alpha():
    rng = np.random.default_rng(1)
    hits = sum(tost(x, 0.1, 0.5).equivalent for x in rng.normal(0.5, 0.1, 4000))
    assert hits / 4000 <= 0.06


@pytest.mark.parametrize(("k1", "n1", "k2", "n2"), [(20, 1000, 22, 900), (1, 300, 0, 280), (150, 300, 160, 310)])
def test_rates_agree_with_newcombe(k1, n1, k2, n2):
    mine = tost_rates(k1, n1, k2, n2, 0.05)
    low, high = confint_proportions_2indep(k2, n2, k1, n1, method="newcomb", compare="diff", alpha=0.10, correction=False)
    assert mine.interval == pytest.approx((low, high), abs=1e-9)


def test_needed_n_reaches_its_power():
    sigma, margin, error_before = 1.0, 0.1, 0.01
    n = needed_n(error_before, sigma / math.sqrt(50), 50, margin)
    rng = np.random.default_rng(2)
    error = sigma / math.sqrt(n)
    both = math.hypot(error, error_before)
    found = sum(tost(x, both, margin).equivalent for x in rng.normal(0, both, 4000)) / 4000
    assert 0.77 <= found <= 0.85


def test_needed_n_is_none_where_no_number_is_enough():
    assert needed_n(0.5, 0.1, 100, margin=0.1) is None
    assert needed_n(0.0, 0.1, 100, margin=0.1, estimate=0.2) is None


def test_no_data_is_inconclusive():
    assert tost(math.nan, math.nan, 0.1).verdict == "inconclusive"
    assert tost_rates(0, 0, 1, 10, 0.1).verdict == "inconclusive"


@pytest.mark.parametrize("kwargs", [{"margin": 0.0}, {"margin": (0.2, 0.1)}, {"margin": 0.1, "alpha": 0.7}])
def test_nonsense_is_refused(kwargs):
    with pytest.raises(BadInput):
        tost(0.0, 0.1, **kwargs)
