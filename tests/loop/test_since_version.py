"""Scores that are other from a version's first requests on date what shows of them hours later."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

import rca_kit
from rca_kit.loop.reading.gather import make_room
from rca_kit.loop.reading.onset import JointOnset
from rca_kit.loop.reading.prepare import picture_of, prepare
from rca_kit.loop.relaid import laid, overlooked, same_turn, since_version
from rca_kit.loop.s3_scope.firsts import accuses_version
from rca_kit.loop.s3_scope.of_version import served_all_along
from rca_kit.loop.s4_suspects import run_checks
from rca_kit.loop.s4_suspects.clue import Clue
from rca_kit.sources import open_case

from . import made
from .test_told_twice import case, with_ids

SWITCH = made.ONSET
SHOWN = SWITCH + timedelta(hours=7)


def looked_at(folder: Path, since: Any) -> tuple[Any, Any, Any]:
    """A log whose version changes at `SWITCH`, and its scores at `since`, with the picture laid at `SHOWN`."""
    rng = np.random.default_rng(2)
    frame = with_ids(rows=20_000)
    new, other = pl.col("ts") >= SWITCH, pl.col("ts") >= since
    mean, n = pl.col("score").clip(0.001, 0.999), frame.height
    logit = (mean / (1 - mean)).log()
    turned = 1 / (1 + (-(logit - 0.05 * (pl.col("age") - 50) + pl.Series(rng.normal(size=n) * 0.1))).exp())
    frame = frame.with_columns(
        version=pl.when(new).then(pl.lit("v2")).otherwise(pl.lit("v1")), score=pl.when(other).then(turned).otherwise(mean))
    prepared = prepare(open_case(case(folder, frame, "log_loss", alert=timedelta(hours=6))))
    picture = picture_of(prepared)
    grid = picture.grid
    at = grid.index(SHOWN)
    picture = laid(picture, JointOnset(at, at - grid.coarse, at + grid.coarse, "log_loss"))
    return prepared, picture, run_checks(make_room(prepared, picture, ()))


@pytest.mark.parametrize(("since", "expected"), [(SWITCH, True), (SHOWN, False)])
def test_a_version_dates_what_its_own_scores_bring(tmp_path: Path, since: Any, expected: bool) -> None:
    found = since_version(*looked_at(tmp_path, since))
    assert (found is not None) is expected
    if found is not None:
        assert abs(found.grid.time(found.onset.index) - SWITCH) <= timedelta(minutes=30)


def test_without_other_scores_or_an_onset_no_version_dates_anything(tmp_path: Path) -> None:
    prepared, picture, outcomes = looked_at(tmp_path, SWITCH)
    assert since_version(prepared, picture, tuple(o for o in outcomes if o.code != "score_function")) is None
    assert since_version(prepared, replace(picture, onset=None), outcomes) is None


@pytest.mark.parametrize(("subject", "probability", "expected"), [
    ("model:v2", 0.9, True), ("model:v2", 0.5, False), ("routing", 0.9, False)])
def test_only_a_version_that_is_surely_accused_dates(subject: str, probability: float, expected: bool) -> None:
    first: Any = SimpleNamespace(subject=subject, probability=probability)
    assert accuses_version(SimpleNamespace(items=(first,))) is expected  # type: ignore[arg-type]
    assert not accuses_version(SimpleNamespace(items=()))  # type: ignore[arg-type]


@pytest.mark.parametrize(("z", "family", "name", "expected"), [
    (40.0, "service", "latency_p95", True),
    (6.0, "service", "latency_p95", False),
    (40.0, "input", "mean:age", False),
    (-40.0, "service", "latency_p95", False),  # it got better
    (40.0, "service", "error_rate", False)])  # the anchor itself
def test_an_outcome_that_speaks_loudly_is_not_hidden_by_a_moment_at_which_nothing_happened(
    z: float, family: str, name: str, expected: bool
) -> None:
    series = SimpleNamespace(family=family, good="lower", name=name)
    loud = SimpleNamespace(moved=True, worsened=z > 0, series=series, fit=SimpleNamespace(z=z, height=z / 100))
    anchor: Any = SimpleNamespace(series=SimpleNamespace(name="error_rate"))
    picture: Any = SimpleNamespace(anchor=anchor, moves={name: loud}, doubted=())
    assert overlooked(picture) is expected
    assert not overlooked(SimpleNamespace(anchor=None, moves={name: loud}, doubted=()))  # type: ignore[arg-type]
    assert not overlooked(SimpleNamespace(anchor=anchor, moves={name: loud}, doubted=(name,)))  # type: ignore[arg-type]


@pytest.mark.parametrize(("hours", "expected"), [(0, True), (9, True), (-9, True), (11, False), (39, False)])
def test_what_moves_at_the_turn_of_the_week_is_the_weeks(hours: int, expected: bool) -> None:
    grid = made.seen_grid()
    picture: Any = SimpleNamespace(grid=grid, onset=SimpleNamespace(index=grid.index(made.ONSET)))
    assert same_turn(picture, made.ONSET + timedelta(hours=hours)) is expected
    assert same_turn(picture, None)


def half_a_day(folder: Path, worse: bool, seed: int, long: bool = False) -> Path:
    """Twelve hours in which positive labels become more; from half past nine on a part of all requests goes to an old version.

    With `long` this one takes all, and errs on those of which `b` is large.
    """
    rng, rows, start = np.random.default_rng(seed), 24_000, made.T0 + timedelta(hours=6)
    hour, x = np.sort(rng.uniform(0, 12, rows)), rng.normal(size=(rows, 3))
    usual = (0.02 if long else 0.11) * hour - 0.9
    true = x @ np.array([1.3, 0.9, -0.7]) + usual
    old = rng.random(rows) < np.where(hour >= 9.5, 0.3, 0.02)
    known = np.where(old & worse, 0.7 * x[:, 0] + 0.9 * x[:, 1] + 0.7 * rng.normal(size=rows) + usual, true)
    if long:
        old = hour >= 9.5
        unsure = usual + 0.3 * (true - usual) + 0.8 * rng.normal(size=rows)
        known = np.where(old & worse & (x[:, 1] > 1.2), unsure, true)
    pl.DataFrame({
        "ts": [start + timedelta(hours=float(h)) for h in hour], "score": 1 / (1 + np.exp(-known)),
        "label": (rng.random(rows) < 1 / (1 + np.exp(-true))).astype(int), "version": np.where(old, "v3" if long else "v1", "v2"),
        "a": x[:, 0], "b": x[:, 1], "c": x[:, 2]}).write_parquet(folder / "p.parquet")
    (folder / "incident.yaml").write_text(
        f"id: H\ntitle: t\ndetected_at: {(start + timedelta(hours=11.9)).isoformat()}\nsignal: {{source: alert, metric: auc}}\n"
        "tables: {predictions: p.parquet}\nroles: {time: ts, score: score, label: label, model_version: version, "
        "features: [a, b, c]}\n", encoding="utf-8")
    return folder


@pytest.mark.parametrize(("worse", "seed"), [(True, 0), (True, 1), (True, 2), (True, 3), (False, 1), (False, 2), (False, 4)])
def test_labels_that_follow_the_hours_hide_nothing(tmp_path: Path, worse: bool, seed: int) -> None:
    found = rca_kit.investigate(half_a_day(tmp_path, worse, seed))
    assert found.verdict == ("incident" if worse else "no_change")
    if worse:
        began = made.T0 + timedelta(hours=15.5)
        assert found.symptom.onset is not None and abs(found.symptom.onset - began) <= timedelta(minutes=20)


def test_what_dates_it_all_has_moved_where_it_is_dated_more_finely() -> None:
    """An onset may lie where the coarse fit of its own series does not."""
    seen = made.picture("scores")
    assert seen.anchor is not None and seen.onset is not None
    name, far = seen.anchor.series.name, seen.onset.index - 14 * seen.grid.coarse
    profile = np.where(np.arange(seen.grid.n_coarse) < seen.anchor.fit.start - 4, 0.0, seen.anchor.scan.profile)
    flat = replace(seen.anchor.scan, profile=profile)  # of the moment before its scan says nothing
    aside = replace(laid(seen, JointOnset(far, far - 2, far + 2, name)), moves={
        **seen.moves, name: replace(seen.anchor, scan=flat)})
    assert not seen.anchor.reach()[0] - 2 <= aside.start <= seen.anchor.reach()[1] + 2
    assert aside.reading(name).moved
    assert not replace(aside, anchor=None).reading(name).moved


@pytest.mark.parametrize(("worse", "seed"), [(True, 2), (False, 0), (False, 1), (False, 2)])
def test_a_version_that_errs_in_a_range_of_what_it_is_fed_is_seen(tmp_path: Path, worse: bool, seed: int) -> None:
    found = rca_kit.investigate(half_a_day(tmp_path, worse, seed, long=True))
    assert (found.verdict == "incident") is worse
    if worse:
        (segment,) = found.scope.segments
        assert list(segment.where) == ["b"] and abs(segment.where["b"]["ge"] - 1.2) < 0.2  # type: ignore[call-overload]
        assert found.suspects.items[0].subject == "model:v3"


def test_scores_that_follow_the_hours_of_half_a_day_are_no_shift(tmp_path: Path) -> None:
    for seed in (0, 5):
        folder = tmp_path / str(seed)
        folder.mkdir()
        about = half_a_day(folder, False, seed) / "incident.yaml"
        about.write_text(about.read_text(encoding="utf-8").replace("metric: auc", "metric: score_mean"), encoding="utf-8")
        frame = pl.read_parquet(folder / "p.parquet").with_columns(version=pl.lit("v2"))
        frame.write_parquet(folder / "p.parquet")
        assert rca_kit.investigate(folder).verdict == "no_change"


def test_a_version_of_which_nothing_came_by_then_has_not_served_all_along() -> None:
    seen = made.picture()
    clue = Clue("versions", "model:v1", "version", "v1", 0.6, onset=4, where={"column": "version", "op": "in", "values": ["v1"]})
    coarse = seen.grid.coarse
    assert "share:version=v1" in seen.moves
    assert not served_all_along(seen, clue, 0)
    assert served_all_along(seen, clue, 40 * coarse)
    gone = replace(clue, where={"column": "version", "op": "in", "values": ["never"]})
    assert not served_all_along(seen, gone, 40 * coarse)
