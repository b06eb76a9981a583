"""A fault that comes and goes begins with its first burst; and what the change log tells of onsets."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from rca_kit.loop.reading.bursts import first_burst
from rca_kit.loop.s2_symptom import shape
from rca_kit.loop.s3_scope.logged import since_logged
from rca_kit.stats.bursts import highest

from . import made_series as ms

HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Dated:
    """What of a symptom is asked here."""

    onset: Any
    onset_interval: Any
    shape: str = "step"


def bursts(*spans: tuple[float, float], high: float = 0.06, first: float = 0.06, seed: int = 0) -> Any:
    """Failures of 0.5 % of requests, more within spans of hours; a move that begins with the last span."""
    def rate(hours: Any) -> Any:
        out = np.full(hours.size, 0.005)
        for i, (a, b) in enumerate(spans):
            out[(hours >= a) & (hours < b)] = first if i == 0 else high
        return out

    over = ms.grid(4)
    series = ms.counted("error_rate", "service", rate, over, seed, per=30)
    move = ms.moves_of(series, over=over)["error_rate"]
    start, end = (int(h * 3600 // over.coarse_s) for h in spans[-1])
    fit = type(move.fit)(start, end, high, 0.01, 9.0)
    return type(move)(series, type(move.scan)(fit, fit, None, "box", *_rest(move.scan)), move.observed, True)


def _rest(scan: Any) -> tuple[Any, ...]:
    return scan.log_p, scan.profile, scan.rho, scan.phi, scan.season


@pytest.mark.parametrize(("spans", "began"), [
    (((60, 66), (72, 78), (84, 92)), 60.0),
    (((60, 66), (84, 92)), 60.0),
    (((84, 92),), 84.0),
    (((30, 36), (84, 92)), 84.0),  # two days before: another story
    (((60, 60.5), (84, 92)), 84.0)])  # one odd bucket is no burst
def test_what_comes_and_goes_begins_with_the_first_of_its_bursts(spans: Any, began: float) -> None:
    move = bursts(*spans)
    told = first_burst(move)
    assert abs(told.fit.start * move.series.grid.coarse_s / 3600 - began) <= 1.0
    assert told.fit.end == move.fit.end
    assert told is move or told.scan.kind == "box"


def test_a_little_unrest_before_is_no_burst_of_the_same_fault() -> None:
    told = [first_burst(bursts((60, 66), (84, 92), high=0.2, first=0.02, seed=s)).fit.start for s in range(10)]
    last = bursts((84, 92)).fit.start
    assert all(start == last for start in told)


def test_quiet_hours_before_a_burst_stay_quiet() -> None:
    """False alarms: none of a hundred logs with one burst is dated earlier."""
    moves = [bursts((84, 92), seed=s) for s in range(100)]
    assert sum(first_burst(m).fit.start < m.fit.start for m in moves) == 0


def test_the_highest_stretch_agrees_with_trying_all() -> None:
    rng = np.random.default_rng(3)
    for _ in range(50):
        gains = rng.normal(-0.2, 1, 30)
        total, a, b = highest(gains)
        best = max(float(gains[i:j].sum()) for i in range(30) for j in range(i + 1, 31))
        assert total == pytest.approx(max(best, 0.0)) and gains[a:b].sum() == pytest.approx(total)


def partly(level: float, seed: int, lead: float = 8.0, probability: float = 0.9, change: str = "c1") -> tuple[Any, Any]:
    """Nulls that rise a little at hour 60 by so much of what they reach at hour 68; the entry is of `lead` hours before that."""
    over = ms.grid(4)

    def rate(hours: Any) -> Any:
        return np.where(hours >= 68, 0.2, np.where(hours >= 60, 0.02 + level * 0.18, 0.02))

    series = ms.counted("null_rate:x", "nulls", rate, over, seed)
    moves = ms.moves_of(series, over=over)
    at = ms.MONDAY + 68 * HOUR
    picture: Any = SimpleNamespace(grid=over, moves=moves, anchor=moves["null_rate:x"])
    leading: Any = SimpleNamespace(items=(SimpleNamespace(change_id=change, probability=probability),))
    found = Dated(at, (at, at + HOUR / 2))
    changes: Any = (SimpleNamespace(id="c1", time=at - lead * HOUR),)
    return since_logged(found, picture, leading, changes), at  # type: ignore[arg-type]


@pytest.mark.parametrize(("level", "more", "dated"), [
    (0.25, {}, True),
    (0.0, {}, False),  # the entry's time is wrong: nothing had moved
    (0.25, {"probability": 0.4}, False), (0.25, {"change": "c9"}, False),
    (0.25, {"lead": -1.0}, False), (0.25, {"lead": 30.0}, False)])
def test_what_a_likely_change_had_begun_to_spoil_began_with_it(level: float, more: dict[str, Any], dated: bool) -> None:
    told, at = partly(level, 1, **more)
    assert (told.onset == at - 8 * HOUR) is dated
    assert dated or told.onset == at
    assert not dated or told.onset_interval == (at - 8 * HOUR, at + HOUR / 2)


def test_an_entry_before_which_nothing_moved_dates_nothing_in_hundreds_of_logs() -> None:
    told = [partly(0.0, seed) for seed in range(200)]
    assert sum(found.onset != at for found, at in told) == 0


def test_failures_that_come_and_go_are_no_change_that_has_passed() -> None:
    """On for two hours in eight since hour 60: the burst that stands out most was over long before the alert."""
    def rate(hours: Any) -> Any:
        return np.where((hours >= 60) & (hours < 84) & ((hours - 60) % 8 < 2), 0.15, 0.004)

    over = ms.grid(3.5)
    for seed in range(5):
        move = ms.moves_of(ms.counted("error_rate", "service", rate, over, seed, per=30), over=over)["error_rate"]
        assert move.moved
        assert abs(move.fit.start * over.coarse_s / 3600 - 60) <= 1.0
        assert move.fit.end * over.coarse_s / 3600 >= 77
        assert shape(move) == "sawtooth"


def test_one_burst_that_has_passed_is_no_change_still() -> None:
    over = ms.grid(3.5)
    for seed in range(5):
        made = ms.counted("error_rate", "service", lambda h: np.where((h >= 40) & (h < 42), 0.15, 0.004), over, seed, per=30)
        assert not ms.moves_of(made, over=over)["error_rate"].moved
