"""Sampling error and what varies beyond it."""

from __future__ import annotations

import numpy as np
import pytest

from rca_kit.stats.changepoint import find_changes
from rca_kit.stats.changepoint.known import extra_variance, known_precision, sampling_variance
from rca_kit.stats.changepoint.series import read_series


@pytest.mark.parametrize("tau2", [0.0, 0.3, 5.0])
def test_extra_variance_is_recovered(tau2):
    rng = np.random.default_rng(0)
    v = rng.uniform(0.2, 3, 20_000)
    assert extra_variance(rng.normal(size=20_000) * np.sqrt(v + tau2), v) == pytest.approx(tau2, abs=0.05 + 0.04 * tau2)


def test_variance_of_rates_is_binomial_at_the_level_of_their_segment():
    trials = np.full(400, 200.0)
    level = np.where(np.arange(400) < 300, 0.05, 0.2)
    s = read_series(level, trials)
    got = sampling_variance(s, level, (300,))
    assert got == pytest.approx(level * (1 - level) / 200, rel=0.05)
    flat = sampling_variance(s, None)
    assert flat == pytest.approx(0.0875 * 0.9125 / 200, rel=0.01)


def test_few_events_do_not_make_a_stretch_exact():
    s = read_series(np.r_[np.zeros(10), np.full(190, 0.02)], np.full(200, 25))
    got = sampling_variance(s, s.y, (10,))
    assert got[0] == pytest.approx(got[-1], rel=0.6)


def test_nothing_known_means_equal_weights():
    s = read_series(np.random.default_rng(1).normal(size=30))
    assert known_precision(s, s.y, None) == pytest.approx(np.ones(30))


def test_overdispersed_rates_raise_no_alarm():
    alarms = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        trials = np.exp(rng.uniform(4, 10, 200)).astype(int)
        p = 1 / (1 + np.exp(3 - 0.3 * rng.normal(size=200)))
        alarms += len(find_changes(rng.binomial(trials, p) / trials, trials=trials)) > 0
    assert alarms <= 3
