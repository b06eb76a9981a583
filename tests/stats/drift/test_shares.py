"""Shares: exact tails, intervals, effect size."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from rca_kit.stats.drift.shares import cell_p, cell_z, cohen_h, share_change, wilson


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 12), st.integers(0, 12))
def test_small_cells_are_never_surer_than_fisher(k, h):
    n, m = 2000, 3000
    found = float(cell_p(k, n, h, m))
    exact = stats.fisher_exact([[k, n - k], [h, m - h]]).pvalue
    assert found >= 0.6 * exact
    assert 0 < found <= 1


def test_a_new_value_is_not_infinitely_sure():
    assert float(cell_p(0, 2000, 3, 2000)) == pytest.approx(0.25)
    assert 0 < float(cell_p(0, 2000, 30, 2000)) < 1e-8


def test_large_cells_are_the_usual_z():
    z = float(cell_z(1000, 2000, 1100, 2000))
    pooled = 2100 / 4000
    assert z == pytest.approx(0.05 / np.sqrt(pooled * (1 - pooled) * 2 / 2000), rel=1e-3)
    assert float(cell_p(1000, 2000, 1100, 2000)) == pytest.approx(2 * stats.norm.sf(z))


def test_intervals_against_statsmodels():
    assert wilson(0.05, 2000) == pytest.approx(proportion_confint(100, 2000, method="wilson"))
    found = share_change(10, 2000, 100, 2000)
    expected = confint_proportions_2indep(100, 2000, 10, 2000, method="newcomb")
    assert (found.low, found.high) == pytest.approx(expected, abs=1e-6)
    wide = share_change(10, 2000, 100, 2000, inflation=4.0)
    assert wide.high - wide.low > 1.8 * (found.high - found.low)
    assert share_change(0, 0, 1, 10).p_value == 1.0


def test_cohen_h_is_signed_and_clipped():
    assert float(cohen_h(0.5, 0.4)) < 0 < float(cohen_h(0.4, 0.5))
    assert np.isfinite(cohen_h([0.0, 1.0], [1.0, 0.0])).all()
