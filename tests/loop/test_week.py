"""Weekends in the local time of whoever sends the requests."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from rca_kit.aggregates.grid import TimeGrid
from rca_kit.loop.reading.detect import scan_all
from rca_kit.loop.reading.series import Series, _count
from rca_kit.loop.reading.week import weekend_ahead

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)


def traffic(grid: TimeGrid, ahead: float, seed: int, rest: float = 0.25, noise: float = 0.05) -> np.ndarray:
    """Requests of an office in a zone so many hours ahead: busy by day, quiet at night, and on weekends flat and few."""
    rng = np.random.default_rng(seed)
    off = replace(grid, ahead_s=int(ahead * 3600)).weekend()
    hour = (grid.seconds() / 3600 + ahead) % 24
    day = np.where(off, rest * (1 + 0.3 * np.sin((hour - 9) / 24 * 2 * np.pi)), 1 + 0.9 * np.sin((hour - 9) / 24 * 2 * np.pi))
    return rng.poisson(grid.width_s / 3 * day * np.exp(rng.normal(0, noise, grid.n))).astype(float)


def coarse(grid: TimeGrid, fine: np.ndarray) -> np.ndarray:
    return np.add.reduceat(fine, np.arange(0, grid.n, grid.coarse))


def volume(grid: TimeGrid, n: np.ndarray) -> Series:
    return Series("volume", "volume", None, grid, False, (n,), _count, log=True)


@pytest.mark.parametrize("ahead", [0.0, 5.5, 9.0, -8.0, 27.0])  # the last: Friday and Saturday, three hours east
@pytest.mark.parametrize("days", [9, 14])
def test_the_weekend_is_where_the_traffic_shows_it(ahead: float, days: int) -> None:
    grid = TimeGrid.over(MONDAY, MONDAY + timedelta(days=days))
    found = weekend_ahead(coarse(grid, traffic(grid, ahead, 3)), grid) / 3600
    assert abs(found - ahead) <= 1.0


@pytest.mark.parametrize("days", [2, 5, 9, 14])
def test_without_a_weekend_in_the_traffic_the_days_are_those_of_utc(days: int) -> None:
    grid = TimeGrid.over(MONDAY + timedelta(days=3), MONDAY + timedelta(days=3 + days))
    for seed in range(20):
        same = np.random.default_rng(seed).poisson(200, grid.n).astype(float)
        assert weekend_ahead(coarse(grid, same), grid) == 0


def test_a_fall_at_one_moment_is_no_weekend() -> None:
    grid = TimeGrid.over(MONDAY + timedelta(days=2), MONDAY + timedelta(days=5, hours=12))
    for hour in range(40, 60, 3):  # from Thursday evening to Friday noon, for good
        kept = np.where(np.arange(grid.n) * grid.width_s < hour * 3600, 1.0, 0.4)
        fallen = np.random.default_rng(hour).poisson(200, grid.n) * kept
        assert weekend_ahead(coarse(grid, fallen), grid) == 0


@pytest.mark.parametrize("ahead", [0.0, 6.0, -7.0])
def test_mondays_of_an_office_are_no_surge_and_a_surge_still_is(ahead: float) -> None:
    over = TimeGrid.over(MONDAY + timedelta(hours=10), MONDAY + timedelta(days=14, hours=10))
    found = []
    for seed in range(12):
        n = traffic(over, ahead, seed)
        grid = replace(over, ahead_s=weekend_ahead(coarse(over, n), over))
        late = np.arange(grid.n) >= int(0.96 * grid.n)
        for busy in (n, n * np.where(late, 2.0, 1.0)):
            found.append(scan_all([volume(grid, busy)], grid, grid.time(grid.n), ())["volume"].moved)
    assert sum(found[::2]) == 0
    assert sum(found[1::2]) == 12
