"""Distances against scipy and against known values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.distance import jensenshannon

from rca_kit.stats.drift import distances

counts = st.lists(st.integers(0, 500), min_size=3, max_size=12).filter(lambda x: sum(x) > 0)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_distances_are_zero_on_equal_and_symmetric_where_they_should_be(data):
    b = data.draw(counts)
    a = data.draw(st.lists(st.integers(0, 500), min_size=len(b), max_size=len(b)).filter(lambda x: sum(x) > 0))
    for f in (distances.js, distances.ks, distances.psi):
        assert f(b, b) == pytest.approx(0, abs=1e-7)
        assert f(b, a) == pytest.approx(f(a, b), abs=1e-9)
        assert f(b, a) >= 0
    assert distances.js(b, a) <= 1 + 1e-12
    assert distances.js(b, a) == pytest.approx(jensenshannon(b, a, base=2), abs=1e-6)


def test_chi_square_and_g_against_scipy():
    b, a = np.array([30, 50, 20, 5]), np.array([45, 40, 10, 25])
    found, dof = distances.chi_square(b, a)
    expected = stats.chi2_contingency([b, a], correction=False)
    assert (found, dof) == (pytest.approx(expected.statistic), expected.dof)
    g, _ = distances.g_test(b, a)
    assert g == pytest.approx(stats.chi2_contingency([b, a], correction=False, lambda_="log-likelihood").statistic)


def test_ks_and_wasserstein_are_exact_when_each_value_has_its_cell():
    rng = np.random.default_rng(0)
    b, a = rng.integers(0, 30, 500), rng.integers(3, 35, 700)
    cb, ca = np.bincount(b, minlength=40), np.bincount(a, minlength=40)
    assert distances.ks(cb, ca) == pytest.approx(stats.ks_2samp(b, a).statistic)
    assert distances.wasserstein(cb, ca, np.arange(40)) == pytest.approx(stats.wasserstein_distance(b, a))


@pytest.mark.parametrize(("cells", "rows"), [(10, 2000), (500, 2000), (200, 1000)])
def test_corrected_psi_has_no_bias_where_the_plain_one_cries_wolf(cells, rows):
    rng = np.random.default_rng(1)
    weights = np.full(cells, 1 / cells)
    raw, corrected = [], []
    for _ in range(60):
        b, a = rng.multinomial(rows, weights), rng.multinomial(rows, weights)
        raw.append(distances.psi(b, a, corrected=False))
        corrected.append(distances.psi(b, a))
    assert np.mean(raw) == pytest.approx((cells - 1) * 2 / rows, rel=0.2)
    assert np.mean(corrected) < 0.15 * np.mean(raw) + 0.005


def test_empty_sides_give_zero():
    for f in (distances.psi, distances.kl, distances.js):
        assert f([0, 0], [1, 2]) == 0.0
    assert distances.chi_square([0, 0], [1, 2]) == (0.0, 0)
