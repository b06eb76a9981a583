"""Arms of an experiment as scope, lost and doubled rows that date themselves, a blurred onset sharpened by its cause."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

from rca_kit.aggregates.grid import TimeGrid
from rca_kit.findings.scope import Segment
from rca_kit.loop import refine
from rca_kit.loop.reading.onset import JointOnset
from rca_kit.loop.s4_suspects.checks.traffic import _doubled_since
from rca_kit.loop.s4_suspects.clue import Clue
from rca_kit.loop.s4_suspects.hypotheses import Hypothesis, Scene, hypotheses
from rca_kit.loop.s4_suspects.ledger import charges, evidence
from rca_kit.loop.s4_suspects.signatures import is_arm

from . import made

FELL = Clue("downstream", "population", "downstream_here", "kpi:paid fell, while the answers stayed", 0.8)


@pytest.mark.parametrize(("where", "category", "subject"), [
    ({"exp.arm": "B"}, "config", "routing"), ({"channel": "sms"}, "code", "population"), (None, "code", "population")])
def test_whom_the_lot_drew_is_hit_by_what_they_were_given(where: dict[str, str] | None, category: str, subject: str) -> None:
    found = hypotheses([FELL], [], Scene("kpi", 10, (Segment(where=where),) if where else ()))
    best = charges(found)[0].best
    assert (best.category, best.subject) == (category, subject)
    told = "only an arm of an experiment is hit" in {e.says for e in evidence(best)}
    assert told is bool(where and is_arm(next(iter(where))))


def doubled(part: float, seed: int = 0) -> Any:
    frame = made.log(rows=8000, seed=seed).drop("u")
    twice = frame.filter(made.AFTER & (pl.int_range(pl.len()) % 100 < 100 * part))
    both = pl.concat([frame, twice]).sort("ts")
    cut = made.ONSET + timedelta(hours=9)  # the windows lie elsewhere: nothing else told of an onset
    columns = SimpleNamespace(time="ts", features=("amount", "age", "city", "device", "country"))
    return SimpleNamespace(before=both.filter(pl.col("ts") < cut), after=both.filter(pl.col("ts") >= cut), columns=columns,
                           picture=SimpleNamespace(grid=TimeGrid.over(made.T0, made.END)))  # fmt: skip


@pytest.mark.parametrize("part", [0.05, 0.5])
def test_doubled_rows_are_dated_by_themselves(part: float) -> None:
    here = doubled(part)
    at = _doubled_since(here)
    assert at is not None
    assert abs(here.picture.grid.time(at) - made.ONSET) <= timedelta(hours=1)


def test_no_doubled_row_dates_nothing() -> None:
    assert _doubled_since(doubled(0.0)) is None


def sharp(signature: str, onset: int | None, was: JointOnset) -> JointOnset | None:
    grid = SimpleNamespace(coarse=6, n=1200)
    leading = Hypothesis("model", "model:v2", None, (Clue("version", "model:v2", signature, "came", 0.8, onset),))
    return refine.sharpened(SimpleNamespace(grid=grid), leading, was)  # type: ignore[arg-type]


@pytest.mark.parametrize(("signature", "onset", "expected"), [
    ("version", 700, 700), ("version", 810, 810), ("version", 900, None), ("drift", 700, None), ("version", None, None)])
def test_a_cause_next_to_a_blurred_onset_dates_it(signature: str, onset: int | None, expected: int | None) -> None:
    blurred, clear = JointOnset(650, 600, 800, "bias"), JointOnset(650, 645, 655, "bias")
    found = sharp(signature, onset, blurred)
    assert (found.index if found else None) == expected
    assert sharp(signature, onset, clear) is None


def test_two_onsets_agree_where_the_sharp_one_covers_the_other() -> None:
    grid = SimpleNamespace(coarse=6)
    named = JointOnset(600, 594, 606, "label")
    assert refine.told_by_both(JointOnset(603, 601, 607, "x"), named, grid)  # type: ignore[arg-type]
    assert not refine.told_by_both(JointOnset(603, 500, 700, "x"), named, grid)  # type: ignore[arg-type]
    assert not refine.told_by_both(JointOnset(700, 690, 710, "x"), named, grid)  # type: ignore[arg-type]


@pytest.mark.parametrize(("shown", "hours"), [(made.ONSET, 0), (made.ALERT + timedelta(hours=5), 3)])
def test_what_is_lost_slowly_had_begun_by_the_alert(shown: Any, hours: int) -> None:
    grid = made.seen_grid()
    lost = Clue("label_share", "label", "labels_lost", "labels missing in DE", 0.9, grid.index(shown))
    picture: Any = SimpleNamespace(grid=grid, detected_at=made.ALERT)
    found = refine.by_suspect(picture, Hypothesis("data", "label", None, (lost,), {}))
    assert found is not None and grid.time(found.index) == made.ONSET + timedelta(hours=hours)
    assert grid.time(found.high) >= shown
    faint = Clue("label_share", "label", "labels_lost", "labels missing in DE", 0.2, grid.index(shown))
    assert refine.by_suspect(picture, Hypothesis("data", "label", None, (faint,), {})) is None
