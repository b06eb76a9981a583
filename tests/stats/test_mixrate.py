from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rca_kit.errors import BadInput
from rca_kit.stats.mixrate import decompose, decompose_two_ways, simpson_words

groups = st.lists(st.tuples(st.integers(1, 500), st.floats(0, 1), st.integers(1, 500), st.floats(0, 1)), min_size=1, max_size=8)


def arrays(rows):
    n0, y0, n1, y1 = (np.array(c, dtype=float) for c in zip(*rows, strict=True))
    return y0 * n0, n0, y1 * n1, n1


@given(groups)
@settings(max_examples=50, deadline=None)
def test_parts_add_up_and_time_reverses_the_sign(rows):
    s0, n0, s1, n1 = arrays(rows)
    d, back = decompose(s0, n0, s1, n1), decompose(s1, n1, s0, n0)
    assert d.total == pytest.approx(s1.sum() / n1.sum() - s0.sum() / n0.sum(), abs=1e-12)
    assert d.mix + d.rate == pytest.approx(d.total, abs=1e-9)
    assert d.mix_parts.sum() == pytest.approx(d.mix, abs=1e-9) and d.rate_parts.sum() == pytest.approx(d.rate, abs=1e-9)
    assert (back.mix, back.rate) == (pytest.approx(-d.mix, abs=1e-9), pytest.approx(-d.rate, abs=1e-9))


@given(groups, st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_equals_the_textbook_formula(rows, seed):
    """Kitagawa: rate = sum of average share times change of rate; mix = sum of average rate times change of share."""
    s0, n0, s1, n1 = arrays(rows)
    p0, p1, y0, y1 = n0 / n0.sum(), n1 / n1.sum(), s0 / n0, s1 / n1
    d = decompose(s0, n0, s1, n1)
    assert d.rate == pytest.approx((((p0 + p1) / 2) * (y1 - y0)).sum(), abs=1e-9)
    assert d.mix == pytest.approx((((y0 + y1) / 2) * (p1 - p0)).sum(), abs=1e-9)


def test_same_shares_are_all_rate_and_same_rates_all_mix():
    n = np.array([100.0, 300.0])
    assert decompose(np.array([10.0, 30.0]), n, np.array([20.0, 60.0]), n).mix == pytest.approx(0)
    moved = decompose(np.array([10.0, 90.0]), n, np.array([30.0, 30.0]), np.array([300.0, 100.0]))
    assert moved.rate == pytest.approx(0) and moved.mix == pytest.approx(-0.1)


def test_a_group_that_comes_or_goes_is_mix():
    d = decompose(np.array([10.0, 0.0]), np.array([100.0, 0.0]), np.array([10.0, 50.0]), np.array([100.0, 100.0]))
    assert d.rate == pytest.approx(0) and d.mix == pytest.approx(d.total) and d.total == pytest.approx(0.2)


def test_simpson_needs_every_group_flat_or_contrary():
    n0, n1 = np.array([8000.0, 2000.0]), np.array([2000.0, 8000.0])
    paradox = decompose(np.array([0.9, 0.5]) * n0, n0, np.array([0.91, 0.51]) * n1, n1)
    assert paradox.total < 0 < paradox.rate and paradox.simpson
    assert "although no country fell" in simpson_words("country", paradox)
    plain = decompose(np.array([0.9, 0.5]) * n0, n0, np.array([0.85, 0.45]) * n1, n1)
    assert not plain.simpson
    assert "inside them" in simpson_words("country", plain)


def test_no_paradox_on_noise():
    rng = np.random.default_rng(1)
    flags = 0
    for _ in range(100):
        n = np.full(4, 500.0)
        flags += decompose(rng.binomial(500, 0.1, 4) * 1.0, n, rng.binomial(500, 0.1, 4) * 1.0, n).simpson
    assert flags <= 8  # 5 % interval on the total, and most of those are rate


def test_two_ways_add_up_and_nest():
    rng = np.random.default_rng(2)
    a, b = np.repeat(np.arange(3), 4), np.tile(np.arange(4), 3)
    n0, n1 = rng.integers(50, 500, 12) * 1.0, rng.integers(50, 500, 12) * 1.0
    s0, s1 = n0 * rng.uniform(0, 1, 12), n1 * rng.uniform(0, 1, 12)
    w = decompose_two_ways(a, b, s0, n0, s1, n1)
    assert w.mix_first + w.mix_second + w.rate == pytest.approx(w.total)
    assert w.mix_first == pytest.approx(decompose(*[np.bincount(a, x) for x in (s0, n0, s1, n1)]).mix)


def test_interval_of_rate_covers():
    rng = np.random.default_rng(3)
    covered = 0
    for _ in range(200):
        n0, n1 = np.array([400.0, 800.0]), np.array([800.0, 400.0])
        d = decompose(rng.binomial(n0.astype(int), [0.1, 0.3]) * 1.0, n0, rng.binomial(n1.astype(int), [0.15, 0.3]) * 1.0, n1)
        covered += d.rate_interval[0] <= 0.025 <= d.rate_interval[1]
    assert covered >= 180


def test_bad_input_is_named():
    with pytest.raises(BadInput, match="length"):
        decompose(np.ones(2), np.ones(3), np.ones(2), np.ones(2))
    with pytest.raises(BadInput, match="empty"):
        decompose(np.zeros(2), np.zeros(2), np.ones(2), np.ones(2))
