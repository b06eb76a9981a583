"""Variance inflation: right on average under AR(1), honest p values, and no cost for independent rows."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import lfilter

from rca_kit.stats.drift.dependence import (
    BANDS,
    GATE_ALONE,
    Blocks,
    additive_fit,
    band_energy,
    chi_to_p,
    contrast,
    flat_bands,
    gate,
    inflated,
    moderate,
    residuals,
    z_to_p,
)

ROWS, K = 4000, 100


def ar1(rng, n, phi):
    return lfilter([np.sqrt(1 - phi**2)], [1, -phi], rng.normal(size=n + 300))[300:]


def block_sums(x):
    return x.reshape(K, -1).sum(1)


def one(rng, phi):
    x = ar1(rng, 2 * ROWS, phi)
    side = Blocks(np.full(K, ROWS / K), np.ones(K))
    return contrast(side, side, block_sums(x[:ROWS]), block_sums(x[ROWS:]), float(x @ x))


@pytest.mark.parametrize("phi", [0.0, 0.5, 0.8])
def test_energy_is_the_variance_inflation(phi):
    rng = np.random.default_rng(3)
    found = np.array([one(rng, phi).energy for _ in range(150)])
    expected = (1 + phi) / (1 - phi)
    assert found[:, BANDS.index(8)].mean() == pytest.approx(expected, rel=0.12)


def test_p_values_are_honest_under_autocorrelation_and_dishonest_without_the_allowance():
    rng = np.random.default_rng(4)
    plain, allowed = [], []
    for _ in range(300):
        c = one(rng, 0.8)
        z = c.difference / np.sqrt(c.variance)
        plain.append(abs(z) > 1.96)
        allowed.append(z_to_p(z, inflated(c.energy, c.gain), c.freedom) < 0.05)
    assert np.mean(plain) > 0.35
    assert np.mean(allowed) <= 0.06


def test_independent_rows_pass_the_gate():
    rng = np.random.default_rng(5)
    caught = [gate(c.energy, c.freedom) < 0.01 for c in (one(rng, 0.0) for _ in range(400))]
    assert np.mean(caught) < 0.03
    assert gate(one(rng, 0.5).energy, one(rng, 0.5).freedom) < GATE_ALONE


def test_one_block_says_nothing():
    energy, freedom, gain = band_energy(np.zeros(1), np.zeros(1), Blocks(np.array([10.0]), np.ones(1)),
                                        Blocks(np.array([10.0]), np.ones(1)))
    flat = flat_bands()
    assert (energy == flat[0]).all()
    assert not freedom.any()
    assert gate(energy, freedom) == 1.0
    assert z_to_p(3.0, energy[freedom > 0], freedom[freedom > 0]) == 1.0 or gain.all()


def test_denser_side_counts_slow_movements_more():
    x = np.ones(50)
    dense, thin = Blocks(np.full(50, 100.0), x, None, 10.0), Blocks(np.full(50, 100.0), x, None, 1000.0)
    left = right = np.sin(np.arange(50) / 8)
    even = band_energy(left, right, dense, dense)
    uneven = band_energy(left, right, thin, dense)
    assert even[2] == pytest.approx(1.0)
    assert uneven[2].max() > 10.0
    assert (inflated(np.full(len(BANDS), 0.5), uneven[2]) == 1.0).all()


def test_moderation_pulls_towards_the_common_value():
    rng = np.random.default_rng(6)
    energy = rng.chisquare(4, size=(30, len(BANDS))) / 4 * 3.0
    freedom = np.full_like(energy, 4.0)
    out, dof = moderate(energy, freedom)
    assert out.std() < 0.5 * energy.std()
    assert out.mean() == pytest.approx(3.0, rel=0.15)
    assert (dof >= freedom).all()
    few = moderate(energy[:2], freedom[:2])
    assert np.array_equal(few[0], energy[:2])


def test_additive_fit_takes_out_side_and_phase():
    rng = np.random.default_rng(7)
    side, phase = np.repeat([0, 1], 48), np.tile(np.arange(24), 4)
    effect = rng.normal(size=24)
    rows = rng.integers(50, 100, 96).astype(float)
    fitted, loss = additive_fit(rows * (effect[phase] + 0.7 * side), rows, side, phase)
    assert fitted == pytest.approx(effect[phase] + 0.7 * side, abs=1e-8)
    assert 0 < loss < 1


def test_chi_square_p_grows_with_inflation():
    freedom = np.full(len(BANDS), 50.0)
    p = [chi_to_p(40.0, 10, np.full(len(BANDS), v), freedom) for v in (1.0, 2.0, 4.0)]
    assert p == sorted(p)


def test_a_side_without_rows_keeps_its_sums():
    empty, full = Blocks(np.zeros(4), np.ones(4)), Blocks(np.full(4, 10.0), np.ones(4))
    left, right, loss = residuals(full, empty, np.array([1.0, 2.0, 3.0, 4.0]), np.zeros(4))
    assert left.tolist() == [-1.5, -0.5, 0.5, 1.5]
    assert right.tolist() == [0.0] * 4 and loss == 0.0
