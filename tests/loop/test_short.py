"""Logs of a few days, of which no hour comes twice or few do: waves of a day, jumps, and busy hours."""

from __future__ import annotations

import warnings
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from rca_kit.loop.reading.detect import (
    scan_all,
    season_for,
    season_of,
)
from rca_kit.loop.reading.series import Series, _count
from rca_kit.loop.reading.short import beside_yesterday, comes_daily
from rca_kit.stats.stepscan import nuisance

from .made_series import MONDAY, counted, grid, moves_of, quantile


def test_a_day_is_taken_for_a_wave_where_no_hour_comes_twice() -> None:
    phase, _ = season_of(grid(1.5))
    assert phase is not None and phase.ndim == 2 and phase.shape[1] == 4
    phase, _ = season_of(grid(0.6))
    assert phase is not None and phase.shape[1] == 2
    assert season_of(grid(0.3))[0] is None
    phase, _ = season_of(grid(3))
    assert phase is not None and phase.ndim == 1
    over = grid(1.5)
    assert season_for(counted("null_rate:x", "nulls", lambda h: 0.1 + 0 * h, over, 0), over)[0] is None
    design = nuisance(over.n_coarse, season_of(over)[0], None, np.ones(over.n_coarse, bool))
    assert design.shape == (over.n_coarse, 5)


@pytest.mark.parametrize("days", [0.8, 1.0, 1.4, 1.9])
def test_the_hump_of_a_day_is_no_change_and_a_step_still_is(days: float) -> None:
    over = grid(days)

    def hump(h: Any) -> Any:
        return 0.3 + 0.1 * np.sin(2 * np.pi * (h - 9) / 24)

    def moved(rate: Any, seed: int) -> bool:
        s = counted("positive_rate", "output", rate, over, seed)
        return scan_all([s], over, MONDAY + timedelta(days=days), ())["positive_rate"].moved

    assert sum(moved(hump, seed) for seed in range(40)) <= 1
    at = days * 24 * 0.7
    assert all(moved(lambda h: hump(h) + 0.12 * (h >= at), seed) for seed in range(5))


@pytest.mark.parametrize(("until", "moved"), [(24, True), (15, True), (10, False)])
def test_in_a_log_of_one_day_an_alert_may_come_hours_after_what_it_is_about(until: int, moved: bool) -> None:
    over = grid(1)
    errors = counted("error_rate", "service", lambda h: np.where((h >= 8) & (h < until), 0.2, 0.02), over, 4)
    assert scan_all([errors], over, over.time(int(20 * 3600 / over.width_s)), ())["error_rate"].moved is moved


@pytest.mark.parametrize(("days", "rate", "at"), [
    (1.0, lambda h: 60 * (1 + 0.7 * np.sin(2 * np.pi * (h - 8) / 24)), None),  # the course of a day
    (1.0, lambda h: 60 * (1 + 0.7 * np.sin(2 * np.pi * (h - 8) / 24)) * np.where(h >= 15, 1.8, 1.0), 15),
    (4.0, lambda h: 60 * np.where(h >= 60, 0.75, 1.0), 60),  # by a quarter, and at once
    (4.0, lambda h: 60 * np.interp(h, [50, 62, 74], [1.0, 0.8, 1.0]), None),  # another day is another day
    (4.0, lambda h: 60 * np.interp(h, [50, 62], [1.0, 0.5]), 50),
])
def test_traffic_of_a_few_days_must_jump_or_move_by_much(days: float, rate: Any, at: float | None) -> None:
    over = grid(days)
    hours = np.arange(over.n) * over.width_s / 3600
    found = []
    for seed in range(10):
        n = np.random.default_rng(seed).poisson(rate(hours) * over.width_s / 300)
        made_of = Series("volume", "volume", None, over, False, (n.astype(float),), _count, log=True)
        move = moves_of(made_of, over=over)["volume"]
        found.append(move.fit.start * over.coarse_s / 3600 if move.moved else None)
    if at is None:
        assert found.count(None) >= 9
    else:
        assert sum(f is not None and abs(f - at) <= 8 for f in found) >= 9


@pytest.mark.parametrize(("days", "value", "moved"), [
    (1.0, lambda h: 100 * (1 + 0.12 * np.clip(np.sin(2 * np.pi * (h - 9) / 14), 0, None) * (h >= 9)), False),  # a busy day
    (1.0, lambda h: np.where(h >= 15, 125.0, 100.0), True),  # at once
    (1.0, lambda h: np.interp(h, [12, 20], [100.0, 180.0]), True),  # by much
    (4.0, lambda h: np.interp(h, [50, 60], [100.0, 120.0]), True),  # hours that were seen before tell what is usual
])
def test_a_busy_hour_of_a_short_log_is_no_slowness(days: float, value: Any, moved: bool) -> None:
    over = grid(days)
    hours = np.arange(over.n_coarse) * over.coarse_s / 3600
    told = [moves_of(quantile("latency_p50", value(hours), over, seed), over=over)["latency_p50"].moved for seed in range(10)]
    assert np.mean(told) >= 0.9 if moved else np.mean(told) <= 0.1


def steep(h: Any) -> Any:
    """Requests in five minutes: the morning's rise is as steep as a jump."""
    return 60 * (0.25 + 1 / (1 + np.exp(-(h % 24 - 8) * 3)) - 1 / (1 + np.exp(-(h % 24 - 21))))


def test_a_jump_as_traffic_falls_in_the_evening_shows_beside_the_evening_before() -> None:
    over = grid(2.2)
    hours = np.arange(over.n) * over.width_s / 3600
    found: dict[bool, list[float]] = {True: [], False: []}
    for jumps, starts in found.items():
        for seed in range(60):
            rng = np.random.default_rng(seed)
            slow = np.exp(0.1 * np.convolve(rng.normal(size=over.n + 59), np.ones(60) / np.sqrt(60), "valid"))  # hours wander
            more = np.where(jumps & (hours >= 45), 2.0, 1.0)
            n = rng.poisson(steep(hours) * slow * more * over.width_s / 300)
            s = Series("volume", "volume", None, over, False, (n.astype(float),), _count, log=True)
            move = moves_of(s, over=over)["volume"]
            starts += [move.fit.start * over.coarse_s / 3600] if move.moved else []
    assert sum(abs(at - 45) <= 0.5 for at in found[True]) >= 53  # 39 where a jump is looked for in the day's own course only
    assert len(found[False]) <= 5  # 10 where a steep morning may be a jump


def test_what_is_of_another_kind_of_day_is_held_against_nothing() -> None:
    value = np.log(np.r_[np.full(144, 100.0), np.full(60, 100.0), np.full(40, 220.0)])
    working = np.zeros(value.size, bool)
    assert beside_yesterday(value, working, 12, value.size - 1, 600) == 204
    weekend = working.copy()
    weekend[144:] = True
    assert beside_yesterday(value, weekend, 12, value.size - 1, 600) is None
    early = working.copy()
    early[:10] = True  # what began on a weekend is left out
    assert beside_yesterday(value, early, 12, value.size - 1, 600) == 204
    assert beside_yesterday(value[:140], working[:140], 12, 139, 600) is None
    silent = np.where(np.arange(value.size) < 144, np.nan, value)  # the log begins a day after its first request
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert beside_yesterday(silent, working, 12, value.size - 1, 600) is None


@pytest.mark.parametrize(("again", "daily"), [(0.0, False), (0.8, True), (-0.8, False)])
def test_a_jump_that_comes_at_the_same_hour_of_another_day_is_the_hours(again: float, daily: bool) -> None:
    value = np.zeros(2 * 144)
    value[60:144] += again
    value[204:] += 0.8
    working = np.zeros(value.size, bool)
    assert comes_daily(value, working, 204, 600) is daily
    assert comes_daily(value, np.arange(value.size) < 144, 204, 600) is False  # of another kind of day
    stopped = np.where(np.arange(value.size) >= 204, np.nan, value)
    assert comes_daily(stopped, working, 204, 600) is False  # no request came any more
