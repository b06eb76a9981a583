"""Seasons: found when there, not found when not, estimated as phase means."""

from __future__ import annotations

import numpy as np
import pytest

from rca_kit.stats.changepoint.season import find_season, fit_season, moving_level


def ones(n):
    return np.ones(n)


@pytest.mark.parametrize("period", [7, 12, 24, 31])
def test_period_is_found(period):
    n = 14 * period
    rng = np.random.default_rng(period)
    pattern = 3 * rng.normal(size=period)
    y = np.tile(pattern, 14) + rng.normal(size=n)
    season = find_season(y, ones(n), np.arange(n), n)
    assert season is not None
    assert season.period == period
    assert season.effects == pytest.approx(pattern - pattern.mean(), abs=1.2)


def test_period_is_found_with_missing_buckets_and_a_step():
    rng = np.random.default_rng(1)
    n = 336
    y = 3 * np.sin(np.arange(n) * np.pi / 12) + rng.normal(size=n) + 2 * (np.arange(n) > 200)
    index = np.flatnonzero(rng.random(n) > 0.2)
    season = find_season(y[index], ones(len(index)), index, n)
    assert season is not None
    assert season.period == 24


def test_noise_steps_trends_and_walks_have_no_season():
    rng = np.random.default_rng(4)
    n = 300
    shapes = [np.zeros(n), 3.0 * (np.arange(n) > 150), 0.05 * np.arange(n), 0.001 * np.arange(n) ** 2]
    found = [find_season(s + rng.normal(size=n), ones(n), np.arange(n), n) for s in shapes for _ in range(5)]
    assert found == [None] * len(found)


def test_phase_effects_are_weighted_phase_means_without_outliers():
    rng = np.random.default_rng(5)
    period, n = 6, 120
    pattern = np.array([4.0, -3, 2, -5, 1, 1])
    z = np.tile(pattern, 20) + 0.01 * rng.normal(size=n)
    weight = rng.uniform(0.5, 2, n)
    season = fit_season(z, np.sqrt(weight), np.arange(n), period)
    means = np.array([np.average(z[p::period], weights=weight[p::period]) for p in range(period)])
    assert season.effects - season.effects.mean() == pytest.approx(means - means.mean(), abs=0.01)
    spoilt = z.copy()
    spoilt[30] += 500
    again = fit_season(spoilt, ones(n), np.arange(n), period)
    assert again.effects[0] - season.effects[0] < 500 / 20 * 0.5


@pytest.mark.parametrize("period", [4, 7])
def test_moving_level_is_the_centred_mean_over_one_period(period):
    y = np.random.default_rng(6).normal(size=40)
    level = moving_level(y, period)
    i, half = 20, period // 2
    inner = y[i - half : i + half + 1].copy()
    if period % 2 == 0:
        inner[[0, -1]] *= 0.5
    assert level[i] == pytest.approx(inner.sum() / period)
    assert moving_level(np.tile(np.arange(float(period)), 8), period) == pytest.approx((period - 1) / 2)


@pytest.mark.parametrize("period", [12, 24])
def test_moving_level_of_a_slope_is_the_slope_to_its_ends(period):
    t = np.arange(10.0 * period)
    assert moving_level(3 + 0.5 * t, period) == pytest.approx(3 + 0.5 * t)
