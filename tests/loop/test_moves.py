"""Which series moved, and when: rare events, a sharp neighbour, new values, weekends, gaps, and what may be the symptom."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from rca_kit.aggregates.grid import TimeGrid
from rca_kit.loop.reading import anchor
from rca_kit.loop.reading.anchor import choose_anchor, told_earlier
from rca_kit.loop.reading.believed import binomial_log_p, clumping, event_log_p
from rca_kit.loop.reading.detect import Move, beyond_a_weekend, lone_weekend, scan_all, together, worse
from rca_kit.loop.reading.onset import joint_onset
from rca_kit.loop.reading.picture import Picture, look, without
from rca_kit.loop.reading.series import Series
from rca_kit.stats import metrics
from rca_kit.stats.stepscan import Fit, StepScan, step_scan

from . import made
from .made_series import MONDAY, counted, grid, moves_of, quantile, series


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


def test_the_clearest_quantile_dates_a_slowdown_and_an_earlier_outcome_an_alerted_input() -> None:
    def told(name: str, family: str, start: int, z: float, **more: Any) -> Any:
        over = SimpleNamespace(n_coarse=100)
        s = SimpleNamespace(name=name, family=family, quantile=None, column=None, good="lower", log=False, grid=over)
        for key, value in more.items():
            setattr(s, key, value)
        fit = SimpleNamespace(start=start, end=100, height=z / 10, z=z)
        scan, at = SimpleNamespace(profile=np.array([z * z]), kind="step"), more.get("at", 0.0)  # z of a step elsewhere
        return SimpleNamespace(
            series=s, fit=fit, moved=True, worsened=worse(s, z), scan=scan, reach=lambda: (start, start + 1), z_at=lambda _: at)

    half, tail = told("latency_p50", "service", 60, 20, quantile=0.5), told("latency_p95", "service", 50, 30, quantile=0.95)
    assert told_earlier(half, {"a": half, "b": tail}) is tail
    assert told_earlier(tail, {"a": half, "b": tail}) is tail
    drift, errors = told("mean:gps", "input", 60, 23), told("error_rate", "service", 30, 9)
    assert told_earlier(drift, {"a": drift, "b": errors}) is errors
    edge = told("error_rate", "service", 9, 9)
    assert told_earlier(drift, {"a": drift, "b": edge}) is drift
    blurred = told("error_rate", "service", 30, 9, at=8.9)  # as well explained by a step with the drift
    assert told_earlier(drift, {"a": drift, "b": blurred}) is drift
    late = told("error_rate", "service", 61, 9)
    assert told_earlier(drift, {"a": drift, "b": late}) is drift
    doubtful = told("kpi:booked", "kpi", 30, 7)
    assert told_earlier(drift, {"a": drift, "b": doubtful}) is drift
    better = told("error_rate", "service", 30, -9)
    assert told_earlier(drift, {"a": drift, "b": better}) is drift


def test_a_part_that_got_slower_dates_the_service_and_a_share_the_traffic(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(anchor, "calm_between", lambda m, *_: m.series.name != "stage:slowly")
    def told(name: str, family: str, start: int, z: float, at: float = 0.0, quantile: float | None = None,
             coarse_s: int = 3600) -> Any:
        s = SimpleNamespace(name=name, family=family, quantile=quantile, column=None, good="lower", log=False,
                            grid=SimpleNamespace(n_coarse=100, coarse_s=coarse_s))
        fit = SimpleNamespace(start=start, end=100, height=z / 10, z=z)
        scan = SimpleNamespace(profile=np.array([z * z]), kind="step")
        return SimpleNamespace(series=s, fit=fit, moved=True, worsened=z > 0, scan=scan,
                               reach=lambda: (start, start + 1), z_at=lambda _: at)

    slow, part = told("latency_p95", "service", 50, 9, at=6.5, quantile=0.95), told("stage:ocr", "stage", 60, 60)
    assert told_earlier(slow, {"a": slow, "b": part}) is part
    busy = told("latency_p95", "service", 50, 9, at=3.0, quantile=0.95)  # what it did by then was something else
    assert told_earlier(busy, {"a": busy, "b": part}) is busy
    slowly = told("stage:slowly", "stage", 60, 60)
    assert told_earlier(slow, {"a": slow, "b": slowly}) is slow
    little, faster = told("stage:ocr", "stage", 60, 20), told("stage:ocr", "stage", 60, -60)
    assert told_earlier(slow, {"a": slow, "b": little}) is slow
    assert told_earlier(slow, {"a": slow, "b": faster}) is slow
    more, ios = told("volume", "volume", 30, 4), told("share:os=ios", "mix", 60, 20)
    assert told_earlier(more, {"a": more, "b": ios}) is ios
    some = told("share:os=ios", "mix", 60, 6)
    assert told_earlier(more, {"a": more, "b": some}) is more
    brief = told("volume", "volume", 30, 4, coarse_s=1200)  # two days tell little of what is usual at an hour
    assert told_earlier(brief, {"a": brief, "b": some}) is some
    assert told_earlier(brief, {"a": brief, "b": told("share:os=ios", "mix", 60, 2)}) is brief


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


def test_the_label_rate_of_another_hour_is_no_symptom_where_quality_fell() -> None:
    over = grid(3)
    wrong = counted("accuracy", "quality", lambda h: np.where(h < 48, 0.9, 0.8), over, 1)
    rate = counted("label_rate", "labels", lambda h: np.where((h > 30) & (h < 69), 0.3, 0.1), over, 2)
    wrong, rate = replace(wrong, good="higher"), replace(rate, column="y")
    moves = moves_of(wrong, rate, over=over)
    assert all(m.moved for m in moves.values())
    assert choose_anchor(moves, (), over, over.time(over.n)) is moves["accuracy"]
    alone = {"label_rate": moves["label_rate"]}
    assert choose_anchor(alone, (), over, over.time(over.n)) is moves["label_rate"]


@pytest.mark.parametrize(("jump", "since", "chosen"), [(3.0, 70.0, True), (1.16, 93.5, False)])
def test_a_shaky_percentile_is_the_symptom_only_where_it_is_sharp(jump: float, since: float, chosen: bool) -> None:
    over = grid(4)
    hours = np.arange(over.n_coarse) * over.coarse_s / 3600
    slow = np.where(hours >= since, 100 * jump, 100.0)
    for name, told in (("latency_p99", chosen), ("latency_p95", True)):
        moves = moves_of(quantile(name, slow, over, 3), over=over)
        assert moves[name].moved
        assert (choose_anchor(moves, (), over, over.time(over.n)) is moves[name]) is told


@pytest.mark.parametrize(("name", "change", "matters"), [("bias", 1.0, False), ("bias", 3.0, True), ("mae", 1.0, True)])
def test_a_bias_matters_by_what_an_estimate_is_wrong_by_anyway(name: str, change: float, matters: bool) -> None:
    picture: Any = SimpleNamespace(
        series={n: SimpleNamespace(family="quality", log=False) for n in ("bias", "mae")}, before=None,
        level=lambda *_: SimpleNamespace(value=10.0))
    assert Picture.matters(picture, name, 0.0 if name == "bias" else 10.0, change) is matters


@pytest.mark.parametrize(("before", "after", "error", "expected"), [
    (0.007, -0.011, 0.003, False),  # as far on the other side
    (0.02, -0.05, 0.004, True), (0.01, 0.05, 0.004, True), (0.05, 0.01, 0.004, False), (0.01, 0.016, 0.004, False)])
def test_a_bias_is_worse_that_lies_further_from_zero_beyond_chance(
    before: float, after: float, error: float, expected: bool
) -> None:
    bias = replace(series("bias", "quality", np.zeros(72), np.ones(72), grid(3)), good="zero")
    assert worse(bias, after - before, before, error) is expected


@pytest.mark.parametrize(("height", "dates"), [(0.035, True), (0.1, False)])
def test_quality_that_falls_slowly_dates_a_noisy_outcome_that_may_have_fallen_with_it(height: float, dates: bool) -> None:
    """Bias rises from the third day on; a KPI falls as slowly (told as a late step), or at once and clearly on the eighth."""
    over, right = grid(10.0), 0
    hours = np.arange(over.n) * over.width_s / 3600
    for seed in range(8):
        rng = np.random.default_rng(seed)
        rise = np.clip((hours - 72) / 168, 0, 1)
        fall = height * rise if dates else height * (hours >= 192)
        kpi = replace(counted("kpi:sold", "kpi", lambda h: 0.3 - fall, over, seed), good="higher")  # noqa: B023
        wrong = rng.binomial(40, 0.2 + 0.25 * rise)
        loss = replace(series("log_loss", "quality", wrong, np.full(over.n, 40), over), good="lower")
        moves = moves_of(kpi, loss, over=over)
        assert moves["log_loss"].scan.kind == "ramp"
        if not (moves["kpi:sold"].moved and moves["kpi:sold"].scan.kind == "step"):
            continue
        chosen = told_earlier(moves["kpi:sold"], moves)
        right += 1
        assert (chosen.series.name == "log_loss") is dates
    assert right >= 3


def test_a_calibration_error_is_dated_by_the_bias_that_makes_it() -> None:
    over = grid(4.0)
    gap = replace(counted("calibration_error", "quality", lambda h: 0.1 + 0.1 * (h > 60), over, 1), good="lower")
    bias = replace(counted("bias", "quality", lambda h: 0.1 + 0.2 * (h > 58), over, 2), good="zero")
    moves = moves_of(gap, bias, over=over)
    assert told_earlier(moves["calibration_error"], moves) is moves["bias"]
    faint = {**moves, "bias": replace(moves["bias"], moved=False)}
    assert told_earlier(moves["calibration_error"], faint) is moves["calibration_error"]


def test_requests_that_take_far_longer_date_those_that_fail_and_no_others() -> None:
    def told(name: str, start: int, z: float, reach: tuple[int, int], quantile: float | None = None, height: float = 1.0) -> Any:
        s = SimpleNamespace(name=name, family="service", quantile=quantile, column=None, good="lower", log=False,
                            grid=SimpleNamespace(n_coarse=300, coarse_s=600))
        fit = SimpleNamespace(start=start, end=300, height=height, z=z)
        scan = SimpleNamespace(profile=np.array([z * z]), kind="step")
        return SimpleNamespace(series=s, fit=fit, moved=True, worsened=z > 0, scan=scan,
                               reach=lambda: reach, z_at=lambda _: 0.0)

    failing = told("error_rate", 200, 7, (194, 200))
    slow = told("latency_p50", 190, 38, (189, 191), 0.5)
    assert told_earlier(failing, {"a": failing, "b": slow}) is slow
    for other in (
        told("latency_p50", 190, 20, (189, 191), 0.5),  # not so much clearer
        told("latency_p50", 230, 38, (229, 231), 0.5),  # later
        told("latency_p50", 90, 38, (89, 91), 0.5),  # hours before
        told("latency_p50", 190, 38, (189, 191), 0.5, height=-1.0),
    ):
        assert told_earlier(failing, {"a": failing, "b": other}) is failing


def test_a_mean_of_scores_is_dated_by_who_came_where_that_is_far_clearer() -> None:
    def told(name: str, family: str, start: int, z: float) -> Any:
        s = SimpleNamespace(name=name, family=family, quantile=None, column=None, good=None, log=False,
                            grid=SimpleNamespace(n_coarse=100))
        fit = SimpleNamespace(start=start, end=100, height=z / 10, z=z)
        scan = SimpleNamespace(profile=np.array([z * z]), kind="step")
        return SimpleNamespace(series=s, fit=fit, moved=True, worsened=z > 0, scan=scan,
                               reach=lambda: (start, start + 1), z_at=lambda _: 0.0)

    mean = told("positive_rate", "output", 60, 7)
    guests, few, others = (told("share:os=ios", "mix", start, z) for start, z in ((58, 30), (58, 8), (40, 30)))
    assert told_earlier(mean, {"a": mean, "b": guests}) is guests
    assert told_earlier(mean, {"a": mean, "b": few}) is mean
    assert told_earlier(mean, {"a": mean, "b": others}) is mean, "at another time: another story"


@pytest.mark.parametrize(("before", "after", "expected"), [
    (0.0, 0.4, True), (0.4, 0.0, False), (0.5, 0.2, False), (0.2, 0.6, True)])
def test_a_bias_that_comes_nearer_to_zero_is_no_worse(before: float, after: float, expected: bool) -> None:
    """A part of the positive labels is turned negative, before the onset or after: scores lie above the truth."""
    turned = pl.when(made.AFTER).then(after).otherwise(before)
    frame = made.log(rows=40_000).with_columns(label=pl.when(pl.col("u") * 6131 % 1 < turned).then(0).otherwise("label"))
    move = look(*made.sums(frame), ("auc",), made.ALERT, None).moves["bias"]
    assert move.moved and move.worsened is expected
