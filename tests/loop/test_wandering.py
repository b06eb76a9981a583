"""What wanders by itself: levels that all requests of an hour share, and clocks that go forward in spring."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from rca_kit.aggregates.plan import Columns
from rca_kit.loop.reading.believed import beyond_its_wandering
from rca_kit.loop.s4_suspects.checks.clock import clock
from rca_kit.stats.stepscan import step_scan

HOURS = 240
ERROR = 0.1


def level(rng: np.random.Generator, kept: float) -> np.ndarray:
    """Hourly means that keep so much of the hour before, in units of ten standard errors."""
    out = np.zeros(HOURS)
    for i in range(1, HOURS):
        out[i] = kept * out[i - 1] + np.sqrt(1 - kept**2) * rng.normal()
    return out


@pytest.mark.parametrize("kept", [0.8, 0.9, 0.95])
def test_a_level_that_wanders_seldom_stands_out(kept: float) -> None:
    told, scanned = 0, 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        y = level(rng, kept) + ERROR * rng.normal(size=HOURS)
        found = step_scan(y, np.full(HOURS, ERROR))
        moved = found.best is not None and found.log_p < np.log(1e-3)
        scanned += moved
        told += moved and beyond_its_wandering(y, np.full(HOURS, ERROR), found, 3600)
    assert told <= 10
    assert told <= scanned


@pytest.mark.parametrize(("shift", "kept", "least"), [(1.0, 0.0, 100), (4.0, 0.8, 95)])
def test_a_shift_beyond_it_stands_out(shift: float, kept: float, least: int) -> None:
    told = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        y = (level(rng, kept) if kept else 0.0) + ERROR * rng.normal(size=HOURS) + np.where(np.arange(HOURS) >= 150, shift, 0.0)
        found = step_scan(y, np.full(HOURS, ERROR))
        told += found.best is not None and beyond_its_wandering(y, np.full(HOURS, ERROR), found, 3600)
    assert told >= least


@pytest.mark.parametrize(("day", "hours", "told"), [
    (datetime(2026, 3, 29, 1, tzinfo=UTC), 1, False),  # summer time in Europe
    (datetime(2026, 10, 25, 1, tzinfo=UTC), -1, False),
    (datetime(2026, 3, 29, 1, tzinfo=UTC), -1, True),  # the wrong way
    (datetime(2026, 3, 29, 1, tzinfo=UTC), 2, True),
    (datetime(2026, 5, 13, 1, tzinfo=UTC), 1, True)])
def test_clocks_that_go_forward_in_spring_are_right(day: datetime, hours: int, told: bool) -> None:
    def side(start: datetime, off: int) -> pl.DataFrame:
        at = [start + timedelta(minutes=i) for i in range(3 * 1440)]
        return pl.DataFrame({"ts": at, "local_hour": [(t.hour + off) % 24 for t in at], "x": np.arange(len(at)) % 7})
    room: Any = SimpleNamespace(
        before=side(day - timedelta(days=3), 1), after=side(day, 1 + hours), dates=(),
        columns=Columns("ts", "binary", features=("local_hour", "x")))
    assert bool(clock(room).clues) is told


@pytest.mark.parametrize(("minutes", "wrong", "told"), [
    (8, 0.0, False),  # half of the requests wait some minutes before they are logged
    (8, 0.1, True), (0, 0.1, True), (40, 0.0, True)])
def test_requests_that_wait_over_the_turn_of_the_hour_have_no_wrong_clock(minutes: int, wrong: float, told: bool) -> None:
    """A clock that is wrong is so in the middle of the hour too."""
    rng = np.random.default_rng(4)

    def side(start: datetime, wait: int, off: float) -> pl.DataFrame:
        asked = [start + timedelta(minutes=i) for i in range(3 * 1440)]
        ts = [t + timedelta(minutes=float(rng.uniform(0, wait)) if i % 2 else 0.0) for i, t in enumerate(asked)]
        hour = [(t.hour + 1 + (rng.random() < off)) % 24 for t in asked]
        return pl.DataFrame({"ts": ts, "local_hour": hour, "x": np.arange(len(ts)) % 7})

    day = datetime(2026, 5, 13, 1, tzinfo=UTC)
    room: Any = SimpleNamespace(
        before=side(day - timedelta(days=3), 0, 0.0), after=side(day, minutes, wrong), dates=(),
        columns=Columns("ts", "binary", features=("local_hour", "x")))
    assert bool(clock(room).clues) is told
