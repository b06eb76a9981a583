"""What the rows in scope know of the onset beside the whole: sharper wins, a step inside a rise and a blur do not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

from rca_kit.loop import refine
from rca_kit.loop.reading.onset import JointOnset
from rca_kit.loop.reading.picture import look
from rca_kit.loop.s4_suspects.clue import Clue

from . import made


def again(monkeypatch: pytest.MonkeyPatch, was: JointOnset, found: JointOnset) -> JointOnset | None:
    """What `by_rows` gives where the rows in scope tell of `found` and the whole told of `was`."""
    frame = made.log("scores android")
    seen = look(*made.sums(frame), ("log_loss",), made.ALERT, None)
    picture = SimpleNamespace(
        grid=seen.grid, onset=was, anchor=seen.anchor, moves=seen.moves, series=seen.series, aggregates=seen.aggregates,
        detected_at=seen.detected_at, known=None, alert="log_loss")
    monkeypatch.setattr(refine, "joint_onset", lambda *_: found)
    prepared: Any = SimpleNamespace(frame=refine.nw.from_native(frame.lazy()))
    scope: Any = SimpleNamespace(is_global=False, segments=(SimpleNamespace(where={"device": "android"}, before=0.1),))
    room: Any = SimpleNamespace(main="log_loss", picture=picture, moved=lambda *_: [], readings={})
    return refine.by_rows(prepared, picture, room, (), scope, None)  # type: ignore[arg-type]


def at(low: int, index: int, high: int, gradual: bool = False) -> JointOnset:
    return JointOnset(index, low, high, "log_loss", gradual=gradual)


@pytest.mark.parametrize(("was", "found", "taken"), [
    (at(900, 930, 990), at(935, 936, 937), True),  # sharper, inside
    (at(930, 932, 935), at(935, 950, 975), False),  # blurred, and it agrees
    (at(930, 932, 935), at(950, 960, 1000), True),  # it does not agree: the whole moved for another reason
    (at(880, 900, 920, gradual=True), at(940, 941, 942), False),  # a step in the middle of a rise
    (at(880, 900, 920, gradual=True), at(940, 941, 942, gradual=True), True),
    (at(880, 900, 920, gradual=True), at(890, 891, 892), True)])
def test_rows_in_scope_date_it_where_they_know_it_better(
    monkeypatch: pytest.MonkeyPatch, was: JointOnset, found: JointOnset, taken: bool
) -> None:
    told = again(monkeypatch, was, found)
    assert (told == found) is taken
    assert taken or told is None


@pytest.mark.parametrize(("before", "whole"), [(None, True), (0.1, False)])
def test_marks_of_those_of_whom_nothing_was_there_before_are_dated_by_all(
    monkeypatch: pytest.MonkeyPatch, before: float | None, whole: bool
) -> None:
    """The first rows of a new client show what they always showed; among all rows that is new."""
    frame = made.log("scores android")
    seen = look(*made.sums(frame), ("log_loss",), made.ALERT, None)
    asked: list[int] = []
    monkeypatch.setattr(refine, "mark_series", lambda rows, *_: asked.append(rows.collect().shape[0]))
    clue = Clue("x", "feature:amount", "default", "one value", 0.9, where={"column": "amount"})
    monkeypatch.setattr(refine, "_marks", lambda *_: [clue])
    scope: Any = SimpleNamespace(is_global=False, segments=(SimpleNamespace(where={"device": "android"}, before=before),))
    room: Any = SimpleNamespace(main="log_loss", picture=seen, moved=lambda *_: [], readings={})
    prepared: Any = SimpleNamespace(frame=refine.nw.from_native(frame.lazy()))
    refine.by_rows(prepared, seen, room, (), scope, None)
    assert asked == [frame.height if whole else frame.filter(pl.col("device") == "android").height]
