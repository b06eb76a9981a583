"""Which series moved, and when: rare events, a sharp neighbour, new values, weekends, gaps."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from rca_kit.aggregates.grid import TimeGrid
from rca_kit.loop.reading.believed import binomial_log_p, clumping, event_log_p
from rca_kit.loop.reading.detect import Move, beyond_a_weekend, lone_weekend, scan_all, together
from rca_kit.loop.reading.onset import joint_onset
from rca_kit.loop.reading.picture import Picture, without
from rca_kit.loop.reading.series import Series
from rca_kit.stats import metrics
from rca_kit.stats.stepscan import Fit, StepScan, step_scan

from . import made
from .made_series import MONDAY, counted, grid, moves_of, series


def test_three_restarts_near_each_other_are_no_change_and_twenty_are() -> None:
    value = np.zeros(500)
    value[300:303] = 1.0
    scan = step_scan(value, np.full(500, 0.25), first=40, last=480)
    assert scan.log_p < -15  # what normal noise makes of it
    assert event_log_p(value, scan, 440) > np.log(1e-6)
    value[300:320] = 1.0
    assert event_log_p(value, step_scan(value, np.full(500, 0.25), first=40, last=480), 440) < -20
    busy = np.random.default_rng(0).normal(size=500)
    assert event_log_p(busy, scan, 440) == scan.log_p


def test_a_blurred_change_is_dated_by_a_sharp_one_near_it() -> None:
    over, hit = grid(3), 0
    for seed in range(10):
        blurred = counted("positive_rate", "output", lambda h: 0.30 + 0.06 * (h >= 50), over, seed, per=12)
        sharp = counted("null_rate:x", "nulls", lambda h: 0.02 + 0.5 * (h >= 50), over, seed + 100, per=12)
        moves = moves_of(blurred, sharp, over=over)
        anchor = moves["positive_rate"]
        if not anchor.moved:
            continue
        group = together(anchor, moves.values())
        assert [m.series.name for m in group] == ["positive_rate", "null_rate:x"]
        found = joint_onset(group, over, moves.values())
        hit += abs((over.time(found.index) - MONDAY).total_seconds() / 3600 - 50) <= 0.5
    assert hit >= 6


def test_values_that_were_not_there_before_date_the_shares_that_they_displace() -> None:
    over = grid(3)
    hours = (np.arange(over.n_coarse) + 0.5) * over.coarse_s / 3600
    n = np.full(over.n_coarse, 200.0)
    new = np.where(hours >= 50, np.minimum((hours - 50) / 10, 1.0), 0.0) * 80
    old = series("share:c=old", "mix", 100 - new, n, over, "c", coarse=True)
    fresh = series("share:c= new", "mix", new, n, over, "c", coarse=True)
    moves = moves_of(old, fresh, over=over)
    found = joint_onset([moves["share:c=old"]], over, moves.values())
    first = int(np.flatnonzero(new > 0)[0])
    assert found.index == first * over.coarse


def test_an_outcome_need_not_make_up_for_a_hundred_series_around_it() -> None:
    over = grid(4)
    quiet = [counted(f"null_rate:f{i}", "nulls", lambda h: 0.1 + 0 * h, over, 1000 + i) for i in range(100)]
    for seed in range(60):
        outcome = counted("accuracy", "quality", lambda h: 0.8 - 0.02 * (h >= 60), over, seed, per=12)
        alone = scan_all([outcome], over, over.time(over.n), ())["accuracy"]
        if np.log(1e-3 / 101) < alone.scan.log_p < np.log(1e-3) - 0.5:  # clear by itself, not after a hundred more looks
            break
    among = scan_all([*quiet, outcome], over, over.time(over.n), ())
    assert alone.moved and among["accuracy"].moved
    assert not any(m.moved for n, m in among.items() if n != "accuracy")


def test_a_series_that_is_doubted_dates_nothing_any_more() -> None:
    seen = made.picture("scores")
    assert seen.anchor is not None and seen.anchor.series.name == "auc"
    again = without(seen, ("auc",))
    assert not again.moves["auc"].moved and again.doubted == ("auc",)
    assert again.anchor is None or again.anchor.series.name != "auc"
    assert without(again, ("log_loss",)).doubted == ("auc", "log_loss")


def test_errors_of_one_search_come_together_and_are_no_change() -> None:
    over = grid(14)
    rng = np.random.default_rng(5)

    def errors(per_day: Any) -> Series:
        hours = np.arange(over.n) * over.width_s / 3600
        k = 8.0 * rng.poisson(per_day(hours) * over.width_s / 86400)
        return series("null_rate:score", "output_nulls", np.minimum(k, 40), np.full(over.n, 40), over)

    def moved(per_day: Any) -> bool:
        return scan_all([errors(per_day)], over, MONDAY + timedelta(days=14), ())["null_rate:score"].moved

    assert sum(moved(lambda h: 1.0 + 0 * h) for _ in range(40)) <= 1
    assert all(moved(lambda h: 1.0 + 40.0 * (h > 200)) for _ in range(5))
    alone = np.random.default_rng(0).binomial(1, 0.05, 400).astype(float)
    eights = 8.0 * np.random.default_rng(0).binomial(1, 0.05, 400)
    quiet, n = np.ones(400, bool), np.full(400, 100.0)
    assert clumping(alone, n, quiet) == pytest.approx(1.0, abs=0.1)
    assert clumping(eights, n, quiet) == pytest.approx(np.sqrt(8.0), rel=0.1)
    assert clumping(np.full(400, 50.0), n, quiet) == 1.0  # events that are not rare have a median


def test_a_bucket_that_the_log_covers_in_part_has_lost_no_requests() -> None:
    over = grid(10)
    n = np.random.default_rng(1).poisson(50, over.n).astype(float)
    last = over.n - over.coarse // 2
    n[last:] = 0  # the log ends half-way through its last coarse bucket
    volume = Series("volume", "volume", None, over, False, (n,), lambda x: (x, np.sqrt(x), x), log=True)
    assert not scan_all([volume], over, over.time(last), ())["volume"].moved
    ending = np.zeros(over.n)
    ending[-over.coarse :] = 1.0
    assert volume.over(ending).value == pytest.approx(50, abs=10)
    assert volume.covered().sum() == last


def weekend_log(rate: Any, seed: int, name: str = "kpi:toxic", family: str = "kpi") -> Move:
    """Wednesday to Saturday: the log's only weekend begins at its 72nd hour."""
    first = MONDAY + timedelta(days=2)
    over = TimeGrid.over(first, first + timedelta(days=3.6))
    hours = np.arange(over.n) * over.width_s / 3600
    n = np.full(over.n, 60)
    s = series(name, family, np.random.default_rng(seed).binomial(n, rate(hours)), n, over)
    return scan_all([s], over, first + timedelta(days=3.6), (name,))[name]


def test_no_weekend_makes_so_large_a_change_and_an_ordinary_one_is_excused() -> None:
    for seed in range(4):
        found = weekend_log(lambda h: 0.01 + 0.05 * (h >= 71), seed)
        assert found.moved and abs(found.fit.start * found.series.grid.coarse_s / 3600 - 71) <= 1
    assert sum(weekend_log(lambda h: 0.20 + 0.06 * (h >= 72), seed).moved for seed in range(20)) <= 1  # odds times 1.4
    assert sum(weekend_log(lambda h: 0.05 + 0 * h, seed).moved for seed in range(20)) <= 1
    assert lone_weekend(TimeGrid.over(MONDAY, MONDAY + timedelta(days=6)))
    assert not lone_weekend(TimeGrid.over(MONDAY, MONDAY + timedelta(days=4)))
    assert not lone_weekend(TimeGrid.over(MONDAY, MONDAY + timedelta(days=13)))


def test_two_failed_searches_in_a_small_segment_are_no_change() -> None:
    over = grid(14)
    k, n = np.zeros(over.n), np.full(over.n, 2.0)
    at = int(0.9 * over.n)
    n[at : at + 4], k[at : at + 2] = 10.0, 8.0  # all that ever failed here: two searches of eight rows
    few = series("segment:error_rate|locale=es", "segment", k, n, over)
    assert scan_all([few], over, over.time(over.n), ())[few.name].moved
    assert not scan_all([few], over, over.time(over.n), (), clumps={few.name: np.sqrt(8.0)})[few.name].moved
    k[at:] = 0.5 * n[at:]
    many = series("segment:error_rate|locale=es", "segment", k, n, over)
    assert scan_all([many], over, over.time(over.n), (), clumps={many.name: np.sqrt(8.0)})[many.name].moved


@pytest.mark.parametrize(("failed", "believed"), [
    ([0, 0, 0, 0, 1, 0], False),  # the only request of half an hour at night
    ([0, 2, 3, 3, 3, 4], True)])
def test_a_rise_of_few_events_rests_on_how_many_they_are(failed: list[int], believed: bool) -> None:
    over = grid(4)
    n, k = np.full(over.n_coarse, 30.0), np.zeros(over.n_coarse)
    k[::40] = 1
    n[-6:], k[-6:] = [6, 6, 5, 5, 4, 4] if believed else [3, 3, 3, 2, 1, 1], failed
    s = series("segment:error_rate|kind=toy", "segment", k, n, over, coarse=True)
    rise = Fit(over.n_coarse - 6, over.n_coarse, 0.6, 0.05, 12.0)
    scan = StepScan(None, None, rise, "ramp", -58.0, np.zeros(over.n_coarse), 0.0, 1.0, np.zeros(over.n_coarse))
    assert bool(binomial_log_p(s, scan, over.n_coarse) < np.log(1e-5)) is believed


def test_few_failures_of_quiet_nights_are_no_rise_in_hundreds_of_logs() -> None:
    """False alarms of rates of one in 300 among segments of a few requests in the last hours."""
    over, told = grid(4), 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        n = np.where(np.arange(over.n_coarse) < over.n_coarse - 8, 30.0, rng.integers(1, 4, over.n_coarse))
        s = series("segment:error_rate|kind=toy", "segment", rng.binomial(n.astype(int), 1 / 300), n, over, coarse=True)
        told += next(iter(scan_all([s], over, over.time(over.n), ()).values())).moved
    assert told == 0


def test_a_change_in_a_gap_is_dated_by_the_first_bucket_that_shows_it() -> None:
    over = grid(4)
    rng = np.random.default_rng(3)
    n = np.full(over.n, 40)
    at = int(0.7 * over.n)
    n[at - 60 : at] = 0  # a night without requests
    rate = np.where(np.arange(over.n) < at - 30, 0.05, 0.4)
    s = series("null_rate:x", "nulls", rng.binomial(n, rate), n, over)
    (move,) = scan_all([s], over, over.time(over.n), ()).values()
    found = joint_onset([move], over)
    assert move.moved and found.index == at
    assert found.low <= at - 30 <= found.high


def test_a_bias_about_zero_is_not_beyond_a_weekend_because_it_is_many_times_itself() -> None:
    over = TimeGrid.over(MONDAY + timedelta(days=2), MONDAY + timedelta(days=5.6))
    rng = np.random.default_rng(6)
    late = np.arange(over.n_coarse) >= 0.8 * over.n_coarse
    value = np.where(late, -0.2, -0.03) + rng.normal(0, 0.02, over.n_coarse)
    error, n = np.full(over.n_coarse, 0.1), np.full(over.n_coarse, 100.0)  # of one request: 1
    bias = Series("bias", "quality", "zero", over, True, (value,), lambda x: (x, error, n))
    scan = step_scan(value, error)
    assert scan.best is not None and not beyond_a_weekend(bias, scan, value, error, n)
    assert beyond_a_weekend(bias, step_scan(4 * value, error), 4 * value, error, n)


def sparse_losses(seed: int, over: TimeGrid, later: float = 1 / 16) -> Series:
    """Log losses of about one request an hour, one in sixteen large; from the middle on so large a part as `later`."""
    rng = np.random.default_rng(seed)
    n = rng.poisson(1.3, over.n_coarse)
    part = np.where(np.arange(n.size) < n.size // 2, 1 / 16, later)
    losses = [np.where(rng.random(k) < p, rng.uniform(2, 4, k), 0.07) for k, p in zip(n, part, strict=True)]
    total, squares = (np.array([float((x**p).sum()) for x in losses]) for p in (1, 2))
    return Series("segment:log_loss|geo=GB", "segment", "lower", over, True, (total, squares, n.astype(float)), metrics.mean)


def test_losses_that_most_hours_show_nothing_of_are_as_wide_as_all_of_them() -> None:
    over = grid(10)
    quiet = [scan_all([sparse_losses(s, over)], over, MONDAY + timedelta(days=10), ()) for s in range(60)]
    assert sum(m.moved for moves in quiet for m in moves.values()) <= 1
    hard = [scan_all([sparse_losses(s, over, 8 / 16)], over, MONDAY + timedelta(days=10), ()) for s in range(20)]
    assert sum(m.moved for moves in hard for m in moves.values()) >= 16


@pytest.mark.parametrize(("name", "change", "matters"), [("bias", 1.0, False), ("bias", 3.0, True), ("mae", 1.0, True)])
def test_a_bias_matters_by_what_an_estimate_is_wrong_by_anyway(name: str, change: float, matters: bool) -> None:
    picture: Any = SimpleNamespace(
        series={n: SimpleNamespace(family="quality", log=False) for n in ("bias", "mae")}, before=None,
        level=lambda *_: SimpleNamespace(value=10.0))
    assert Picture.matters(picture, name, 0.0 if name == "bias" else 10.0, change) is matters
