"""A version dates what it brought by its first requests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from rca_kit.loop.reading.series import Series
from rca_kit.loop.s3_scope.firsts import first_of_newcomers, first_of_version
from rca_kit.loop.s4_suspects.clue import Clue, Outcome
from rca_kit.sources import to_lazy
from rca_kit.stats import metrics

from . import made

HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Found:
    """What of a symptom is asked here."""

    onset: datetime | None
    onset_interval: tuple[datetime, datetime] | None
    shape: str | None


@pytest.mark.parametrize(("seems", "shape", "probability", "moved"), [
    (-3.0, "ramp", 0.9, True),  # it seems to rise three hours before
    (-3.0, "step", 0.9, False), (-3.0, "ramp", 0.5, False), (-9.0, "ramp", 0.9, False),
    (4.0, "step", 0.9, True),  # too few requests in the first stage to show
    (30.0, "step", 0.9, False)])
def test_a_version_that_is_surely_at_fault_dates_it_by_its_first_request(
    seems: float, shape: str, probability: float, moved: bool
) -> None:
    grid, at = made.seen_grid(), made.ONSET
    frame = made.log().with_columns(pl.when(pl.col("ts") >= at).then(pl.lit("v2")).otherwise(pl.lit("v1")).alias("version"))
    prepared: Any = SimpleNamespace(frame=to_lazy(frame), columns=SimpleNamespace(time="ts"))
    where = {"column": "version", "op": "in", "values": ["v2"]}
    new = Clue("version", "model:v2", "version", "v2", 0.9, grid.index(at), where=where,
               facts={"share": 0.6, "alone_since": float(grid.n)})
    leading: Any = SimpleNamespace(items=(SimpleNamespace(subject="model:v2", probability=probability),))
    onset = at + seems * HOUR
    found: Any = Found(onset, (onset - HOUR / 2, onset + HOUR / 2), shape)
    picture: Any = SimpleNamespace(grid=grid, moves={})
    told = first_of_version(prepared, picture, (Outcome("version", "t", "model", "free", (new,)),), found, leading)
    first = frame.filter(pl.col("version") == "v2")["ts"].min()
    assert isinstance(first, datetime)
    assert (abs(told.onset - first) <= timedelta(seconds=grid.width_s)) is moved  # type: ignore[operator]
    assert moved or told is found


@pytest.mark.parametrize(("subject", "served_since", "dated"), [
    ("model:v2", 30.0, True), ("model:v2", 0.0, False), ("routing", 0.0, False)])
def test_a_version_that_served_all_along_dates_nothing(subject: str, served_since: float, dated: bool) -> None:
    """It is worse than the others at any time: what is new is who is sent to it."""
    grid, at = made.seen_grid(), made.ONSET
    since = pl.col("ts") >= made.T0 + served_since * HOUR
    frame = made.log().with_columns(pl.when(since & (pl.int_range(pl.len()) % 5 == 0)).then(pl.lit("v2")).otherwise(pl.lit("v1")))
    prepared: Any = SimpleNamespace(
        frame=to_lazy(frame.with_columns(pl.col("literal").alias("version"))), columns=SimpleNamespace(time="ts"))
    where = {"column": "version", "op": "in", "values": ["v2"]}
    born = grid.index(made.T0 + served_since * HOUR)
    clues = (Clue("version", "model:v2", "version", "v2", 0.9, born, where=where, facts={"share": 0.2, "side_by_side_z": 9.0}),
             Clue("routing", "routing", "rerouted", "v2 stands in", 0.9, where=where))
    leading: Any = SimpleNamespace(items=(SimpleNamespace(subject=subject, probability=0.9),), verdict="incident")
    found: Any = Found(at, (at, at + HOUR / 2), "step")
    picture: Any = SimpleNamespace(grid=grid, moves={})
    told = first_of_version(prepared, picture, (Outcome("version", "t", "model", "free", clues),), found, leading)
    assert (told is not found) is dated


@pytest.mark.parametrize(("probability", "verdict", "dated"), [
    (0.9, "incident", True), (0.5, "incident", False), (0.9, "benign_shift", False)])
def test_a_version_dates_what_the_whole_does_not_show_when(probability: float, verdict: str, dated: bool) -> None:
    grid, at = made.seen_grid(), made.ONSET
    frame = made.log().with_columns(pl.when(pl.col("ts") >= at).then(pl.lit("v2")).otherwise(pl.lit("v1")).alias("version"))
    prepared: Any = SimpleNamespace(frame=to_lazy(frame), columns=SimpleNamespace(time="ts"))
    where = {"column": "version", "op": "in", "values": ["v2"]}
    new = Clue("version", "model:v2", "version", "v2", 0.9, grid.index(at), where=where, facts={"share": 0.1})
    leading: Any = SimpleNamespace(items=(SimpleNamespace(subject="model:v2", probability=probability),), verdict=verdict)
    found: Any = Found(None, None, None)
    picture: Any = SimpleNamespace(grid=grid, moves={})
    told = first_of_version(prepared, picture, (Outcome("version", "t", "model", "free", (new,)),), found, leading)
    assert (told is not found) is dated
    assert not dated or (told.onset is not None and abs(told.onset - at) <= timedelta(minutes=30))


@pytest.mark.parametrize(("late", "probability", "subject", "dated"), [
    (3.0, 0.9, "population", True), (-3.0, 0.9, "population", True), (-9.0, 0.9, "population", True),
    (-15.0, 0.9, "population", False),
    (30.0, 0.9, "population", False), (3.0, 0.5, "population", False),
    (3.0, 0.9, "model:v2", False)])
def test_who_was_not_there_before_dates_what_is_about_him(late: float, probability: float, subject: str, dated: bool) -> None:
    grid, at = made.seen_grid(), made.ONSET
    coarse = grid.index(at) // grid.coarse
    frame = made.log().with_columns(pl.when((pl.col("ts") >= at) & (pl.col("u") < 0.2)).then(pl.lit("XK"))
                                    .otherwise(pl.col("country")).alias("country"))
    k = np.where(np.arange(grid.n_coarse) >= coarse, 10.0, 0.0)
    share = Series("share:country=XK", "mix", None, grid, True, (k, np.full(grid.n_coarse, 50.0)), metrics.rate, column="country")
    move: Any = SimpleNamespace(series=share, moved=True, fit=SimpleNamespace(start=coarse, height=0.2))
    picture: Any = SimpleNamespace(grid=grid, moves={"share:country=XK": move})
    prepared: Any = SimpleNamespace(frame=to_lazy(frame), columns=SimpleNamespace(time="ts"))
    leading: Any = SimpleNamespace(items=(SimpleNamespace(subject=subject, probability=probability),))
    scope: Any = SimpleNamespace(segments=(SimpleNamespace(where={"country": "XK"}),))
    onset = at + late * HOUR
    found: Any = Found(onset, (onset - HOUR / 2, onset + HOUR / 2), "ramp")
    told = first_of_newcomers(prepared, picture, found, scope, leading)
    assert (told is not found) is dated
    assert not dated or (told.onset is not None and abs(told.onset - at) <= timedelta(minutes=30))


@pytest.mark.parametrize(("days", "known", "dated"), [(2.0, True, False), (0.5, True, True), (2.0, False, True)])
def test_a_stand_in_that_some_were_sent_to_for_days_dates_nothing(days: float, known: bool, dated: bool) -> None:
    grid, at = made.seen_grid(), made.ONSET
    first = at - 24 * days * HOUR
    some = (pl.int_range(pl.len()) % 20 == 0) & (pl.col("ts") >= first)
    frame = made.log().with_columns(pl.when(some | made.AFTER).then(pl.lit("v0")).otherwise(pl.lit("v1")).alias("version"))
    prepared: Any = SimpleNamespace(frame=to_lazy(frame), columns=SimpleNamespace(time="ts"))
    where, facts = {"column": "version", "op": "in", "values": ["v0"]}, {"share": 0.4, "side_by_side_z": 9.0}
    clues = (Clue("version", "model:v0", "version", "v0", 0.9, grid.index(first), where=where,
                  facts=facts | ({"known": 0.05} if known else {})),
             Clue("routing", "routing", "rerouted", "v0 stands in", 0.9, where=where))
    leading: Any = SimpleNamespace(items=(SimpleNamespace(subject="routing", probability=0.9),), verdict="incident")
    found: Any = Found(at, (at, at + HOUR / 2), "step")
    picture: Any = SimpleNamespace(grid=grid, moves={})
    told = first_of_version(prepared, picture, (Outcome("version", "t", "model", "free", clues),), found, leading)
    assert (told is not found) is dated
