"""Onsets: the start of a ramp from all series together, and what the rows in scope tell better than the whole."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

import rca_kit
from rca_kit.aggregates.grid import TimeGrid
from rca_kit.loop.reading.believed import exceedance_log_p
from rca_kit.loop.reading.derived import _level
from rca_kit.loop.reading.detect import Move, scan_all
from rca_kit.loop.reading.onset import JointOnset, joint_onset, missed_refresh, refresh_onset, staged_onset
from rca_kit.loop.reading.picture import look
from rca_kit.loop.reading.series import Series
from rca_kit.loop.refine import _clearer_in_the_whole
from rca_kit.loop.s4_suspects.verdict import _overdue
from rca_kit.stats import metrics

from . import made

GRID = made.seen_grid()
N = GRID.n_coarse
START = 120  # coarse bucket


def moves(shape: np.ndarray, heights: tuple[float, ...], seed: int = 0) -> dict[str, Move]:
    """Series of unit noise per coarse bucket that share a shape."""
    rng = np.random.default_rng(seed)
    out = []
    for i, h in enumerate(heights):
        value = rng.normal(size=N) + h * shape
        n = np.full(N, 50.0)
        sums = (value * n, n * value**2 + n * 50.0, n)
        out.append(Series(f"mean:x{i}", "input", None, GRID, True, sums, metrics.mean))
    return scan_all(out, GRID, GRID.time(N - 1, coarse=True), ())


@pytest.mark.parametrize("length", [12, 40])
def test_a_ramp_is_dated_by_its_start(length: int) -> None:
    off = []
    for seed in range(6):
        found = moves(np.clip((np.arange(N) - START) / length, 0, 1), (8.0, 4.0, 4.0), seed)
        anchor = found["mean:x0"]
        onset = joint_onset([anchor], GRID, found.values())
        assert onset.gradual
        off.append(onset.index / GRID.coarse - START)
    assert abs(float(np.median(off))) <= 0.15 * length
    assert max(np.abs(off)) <= 0.35 * length


def test_a_ramp_that_the_outcome_leaves_open_is_told_by_what_moved_with_it() -> None:
    for seed in range(6):
        found = moves(np.clip((np.arange(N) - START) / 12, 0, 1), (2.5, 12.0, 9.0), seed)
        onset = joint_onset([found["mean:x0"]], GRID, found.values())
        assert abs(onset.index / GRID.coarse - START) <= 4


def test_a_rise_that_an_input_tells_clearly_is_believed_of_outcomes_that_leave_it_open() -> None:
    told = []
    for seed in range(8):
        found = moves(np.clip((np.arange(N) - START) / 8, 0, 1), (2.0,) * 9 + (12.0,), seed)
        anchor = found["mean:x0"]
        onset = joint_onset([anchor, *(m for m in found.values() if m.moved and m is not anchor)], GRID)
        told.append(onset.gradual and abs(onset.index / GRID.coarse - START) <= 2)
    assert sum(told) >= 7


@pytest.mark.parametrize(("late", "clear", "dated_by"), [(5, 0.8, "anchor"), (5, 3.0, "other")])
def test_what_follows_later_and_less_clearly_does_not_date_it(late: int, clear: float, dated_by: str) -> None:
    off = []
    for seed in range(6):
        rng, n, fine = np.random.default_rng(seed), np.full(GRID.n, 50.0), np.arange(GRID.n) // GRID.coarse
        series = []
        for name, height, start in (("mean:x", 0.9, START), ("mean:y", 0.9 * clear, START + late)):
            value = rng.normal(size=GRID.n) + height * (fine >= start)
            series.append(Series(name, "input", None, GRID, False, (value * n, n * value**2 + n * 50.0, n), metrics.mean))
        found = scan_all(series, GRID, GRID.time(N - 1, coarse=True), ())
        onset = joint_onset([found["mean:x"], found["mean:y"]], GRID)
        off.append(onset.index / GRID.coarse - START)
    expected = 0 if dated_by == "anchor" else late
    assert max(abs(x - expected) for x in off) <= 1.5, off


def test_a_step_is_no_ramp_wherever_in_its_bucket_it_begins() -> None:
    for part in (0.0, 0.3, 0.5, 0.8):
        shape = np.where(np.arange(N) > START, 1.0, 0.0)
        shape[START] = part
        found = moves(shape, (8.0, 60.0, 4.0))
        onset = joint_onset([found["mean:x0"], found["mean:x1"]], GRID, found.values())
        assert not onset.gradual
        assert abs(onset.index / GRID.coarse - START) <= 1


def stages(heights: tuple[float, float], family: str, seed: int, rho: float = 0.0) -> Move:
    """Unit noise per coarse bucket, AR(1) perhaps; a first stage from `START` on, the second one 12 buckets later."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=N)
    for i in range(1, N):
        noise[i] = rho * noise[i - 1] + np.sqrt(1 - rho**2) * noise[i]
    at = np.arange(N)
    value = noise + heights[0] * (at >= START) + heights[1] * (at >= START + 12)
    n = np.full(N, 50.0)
    s = Series("null_rate:x", family, "lower", GRID, True, (value * n, n * value**2 + n * 50.0, n), metrics.mean)
    return scan_all([s], GRID, GRID.time(N - 1, coarse=True), ())["null_rate:x"]


@pytest.mark.parametrize(("heights", "rho", "told"), [
    ((4.0, 6.0), 0.0, True), ((5.0, 6.0), 0.0, True), ((0.0, 8.0), 0.0, False), ((0.0, 8.0), 0.6, False),
    ((0.0, 3.0), 0.0, False)])
def test_a_change_that_came_in_two_stages_is_dated_by_the_first(heights: tuple[float, float], rho: float, told: bool) -> None:
    found = [staged_onset(stages(heights, "nulls", seed, rho), GRID) for seed in range(12)]
    right = sum(f is not None and abs(f.index / GRID.coarse - START) <= 1 for f in found)
    assert right >= 10 if told else sum(f is not None for f in found) == 0


def test_an_even_rise_is_no_stair_and_shares_are_dated_by_their_own_rules() -> None:
    for seed in range(6):
        found = moves(np.clip((np.arange(N) - START) / 40, 0, 1), (8.0,), seed)["mean:x0"]
        assert staged_onset(replace(found, series=replace(found.series, family="nulls")), GRID) is None
    assert staged_onset(stages((3.0, 7.0), "mix", 1), GRID) is None


@pytest.mark.parametrize(("slow", "real"), [(0.010, False), (0.05, True)])
def test_a_few_slow_requests_do_not_move_a_high_quantile(slow: float, real: bool) -> None:
    """Where about one request in a hundred times out, p99 jumps between two modes by chance."""
    rng = np.random.default_rng(3)
    n, counts = 200, np.zeros((N, 200))
    for i in range(N):
        late = rng.binomial(n, slow if i >= START else 0.008)
        late = max(late, 4) if START <= i < START + 3 else late
        counts[i, 50], counts[i, 180] = n - late, late
    values = 1.05 ** np.arange(200.0)
    s = Series("latency_p99", "service", "lower", GRID, True, (counts,), lambda h: metrics.quantile(h, values, 0.99), log=True,
               quantile=0.99)
    move = scan_all([s], GRID, GRID.time(N - 1, coarse=True), ("latency_p99",))["latency_p99"]
    assert move.moved is real
    assert exceedance_log_p(s, move.scan, N) >= move.scan.log_p


def test_a_broken_input_dates_the_incident(tmp_path: Path) -> None:
    """Nulls of one segment from a known minute on; the outcome alone would tell it within hours."""
    folder = tmp_path / "case"
    folder.mkdir()
    made.log("nulls", rows=20_000).drop("u").write_parquet(folder / "p.parquet")
    (folder / "incident.yaml").write_text(
        f"id: A\ntitle: t\ndetected_at: {made.ALERT.isoformat()}\nsignal: {{source: alert, metric: 'null_rate:amount'}}\n"
        "tables: {predictions: p.parquet}\nroles: {time: ts, score: score, label: label, decision: decision, error: error, "
        "latency_ms: latency_ms, model_version: version, kpi: {clicked: higher}, segments: [device, country], "
        "features: [amount, age, city]}\n", encoding="utf-8")
    found = rca_kit.investigate(folder)
    assert found.verdict == "incident"
    assert [s.where for s in found.scope.segments] == [{"device": "android"}]
    assert found.symptom.onset is not None
    assert abs(found.symptom.onset - made.ONSET) <= timedelta(minutes=6)
    shutil.rmtree(folder)


def test_the_newest_version_is_looked_at_where_nothing_stands_out(tmp_path: Path) -> None:
    """A new version serves all from noon on and is bad for a few requests only; the last hours alone would not tell."""
    folder = tmp_path / "case"
    folder.mkdir()
    frame = made.log("none", rows=40_000, seed=4)
    few = made.AFTER & (pl.col("device") == "android") & (pl.col("city") == "Rome")
    frame = frame.with_columns(
        pl.when(made.AFTER).then(pl.lit("v2")).otherwise(pl.lit("v1")).alias("version"),
        pl.when(few).then(0).otherwise(pl.col("clicked")).alias("clicked"),
    )
    frame.drop("u").write_parquet(folder / "p.parquet")
    (folder / "incident.yaml").write_text(
        f"id: A\ntitle: t\ndetected_at: {made.END.isoformat()}\nsignal: {{source: alert, metric: 'kpi:clicked'}}\n"
        "tables: {predictions: p.parquet}\nroles: {time: ts, score: score, label: label, decision: decision, error: error, "
        "latency_ms: latency_ms, model_version: version, kpi: {clicked: higher}, segments: [device, country, city], "
        "features: [amount, age]}\n", encoding="utf-8")
    found = rca_kit.investigate(folder)
    assert found.verdict == "incident"
    assert found.symptom.onset is not None
    assert abs(found.symptom.onset - made.ONSET) <= timedelta(hours=1)


def ages(period: int, stuck: int | None, over: TimeGrid) -> Series:
    """Age in seconds of what is refreshed every `period` buckets, and after bucket `stuck` no more."""
    i = np.arange(over.n)
    last = np.where(stuck is not None and i >= (stuck or 0), (stuck or 0) // period * period, i // period * period)
    age = (i - last) * float(over.width_s) + 60.0
    sums = (age, age**2, np.ones(over.n))
    return Series("service:job:feature_age_s", "component", "lower", over, False, sums, _level, column="job")


@pytest.mark.parametrize("period", [6, 18])
def test_a_refresh_that_did_not_come_is_dated_between_the_last_one_and_when_it_was_due(period: int) -> None:
    over = TimeGrid.over(made.T0, made.T0 + timedelta(days=6))
    stuck = int(0.7 * over.n)
    move = scan_all([ages(period, stuck, over)], over, made.T0 + timedelta(days=6), ())["service:job:feature_age_s"]
    last = stuck // period * period
    missed = missed_refresh(move)
    assert missed is not None and missed[0] == last and last + period <= missed[1] <= last + period + 2
    alone = refresh_onset(move, [])
    assert alone is not None and (alone.low, alone.high) == missed and alone.low < alone.index < alone.high
    outcome = SimpleNamespace(
        moved=True, series=SimpleNamespace(family="quality"), scan=SimpleNamespace(kind="step"),
        fit=SimpleNamespace(start=last // over.coarse), reach=lambda: (last // over.coarse, last // over.coarse),
    )
    told = refresh_onset(move, [outcome])  # type: ignore[list-item]
    assert told is not None and told.index == last
    for reach in ((over.n_coarse - 1, over.n_coarse - 1), (0, over.n_coarse - 1)):  # long after, or hardly dated at all
        other = SimpleNamespace(**{**vars(outcome), "reach": lambda r=reach: r})
        assert refresh_onset(move, [other]) == alone  # type: ignore[list-item]


@pytest.mark.parametrize(("asked", "late", "expected", "worse"), [
    (True, 0.3, True, True), (True, 0.995, False, False), (False, 0.3, True, True), (False, 0.97, False, True)])
def test_data_that_were_not_refreshed_are_an_incident_though_nothing_shows_it(
    asked: bool, late: float, expected: bool, worse: bool
) -> None:
    """Refreshed every 18 buckets until a part of six days; somebody asks about their age, or about something else.

    `worse` is what is expected where an outcome is somewhat worse since then.
    """
    over = TimeGrid.over(made.T0, made.T0 + timedelta(days=6))
    move = scan_all([ages(18, int(late * over.n), over)], over, made.T0 + timedelta(days=6), ())["service:job:feature_age_s"]
    moves = {move.series.name: replace(move, moved=True)}
    picture = SimpleNamespace(moves=moves, onset=object(), alert=move.series.name if asked else "auc")
    room = SimpleNamespace(picture=picture, readings={})
    said = _overdue(room)  # type: ignore[arg-type]
    assert bool(said) is expected
    room.readings["auc"] = SimpleNamespace(worse=True, p_value=1e-4, before=0.8, after=0.7, change=-0.1)
    picture.series, picture.matters = {"auc": SimpleNamespace(family="quality")}, lambda *_: True
    assert bool(_overdue(room)) is worse  # type: ignore[arg-type]
    assert not expected or "data of job were not refreshed" in said
    assert not _overdue(SimpleNamespace(picture=SimpleNamespace(moves=moves, onset=None, alert="auc")))  # type: ignore[arg-type]


def test_an_age_that_comes_and_goes_as_ever_missed_nothing() -> None:
    over = TimeGrid.over(made.T0, made.T0 + timedelta(days=6))
    move = scan_all([ages(18, None, over)], over, made.T0 + timedelta(days=6), ())["service:job:feature_age_s"]
    assert not move.moved


def test_an_input_that_moved_does_not_hide_an_outcome_that_fell_in_one_segment() -> None:
    older = (pl.col("age") + 25 * (pl.col("ts") >= made.ONSET - timedelta(hours=9)).cast(pl.Int64)).alias("age")
    few = pl.when(pl.int_range(pl.len()) % 12 == 0).then(pl.lit("tv")).otherwise(pl.col("device")).alias("device")
    frame = made.log(rows=24_000).with_columns(older, few)
    hit = made.AFTER & (pl.col("device") == "tv") & (pl.col("u") < 0.7)
    broken = frame.with_columns(pl.when(hit).then(0).otherwise(pl.col("clicked")).alias("clicked"))
    for log, anchored in ((frame, "mean:age"), (broken, "segment:kpi:clicked|device=tv")):
        aggregates, series = made.sums(log)
        asked = {n: s for n, s in series.items() if s.family in ("input", "kpi")}
        seen = look(aggregates, asked, ("kpi:clicked",), made.ALERT)
        assert not seen.moves["kpi:clicked"].moved, "the whole hides it"
        assert seen.anchor is not None and seen.anchor.series.name == anchored


@pytest.mark.parametrize(("family", "inside", "whole"), [
    ("quality", 7.0, True), ("component", 7.0, True), ("quality", 14.0, False), ("input", 7.0, False)])
def test_rows_that_tell_less_than_the_whole_do_not_date_it_later(family: str, inside: float, whole: bool) -> None:
    def move(z: float, of: str) -> Any:
        return SimpleNamespace(moved=True, fit=SimpleNamespace(z=z), series=SimpleNamespace(family=of))

    seen: Any = SimpleNamespace(moves={"lead": move(-11.0, family)})
    was = JointOnset(100, 99, 101, "lead")
    assert _clearer_in_the_whole(seen, was, move(inside, "quality")) is whole
    assert not _clearer_in_the_whole(seen, JointOnset(100, 99, 101, "mark:0"), move(inside, "quality"))
