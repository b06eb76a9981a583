"""Two conditions: a segment that grew only where it meets another value, and a value that is hit in a range of a number."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from rca_kit.findings.base import Window
from rca_kit.findings.scope import Segment
from rca_kit.loop.s3_scope.pairs import beyond_the_range, grown_together, hit_in_a_range
from rca_kit.loop.s3_scope.search import badness_of
from rca_kit.loop.s4_suspects.room import Room
from rca_kit.sources import to_lazy

from . import made

WINDOWS = Window(made.T0, made.ONSET), Window(made.ONSET, made.END)
ANDROID, OTHERS = pl.col("device") == "android", ["device", "country"]


def found(more: pl.Expr, times: int, everyone: int = 1) -> dict[str, object]:
    """What is told of a grown `device = android` where requests that are `more` came so many times as often, and all did."""
    frame = made.log(rows=20_000)
    after, first = frame.filter(made.AFTER), frame["country"][0]
    again = [after.filter(more)] * (times - 1) + [after] * (everyone - 1)
    grown = pl.concat([frame, *again]).sort("ts")
    picture = made.look(*made.sums(grown), ("volume",), made.ALERT, WINDOWS)
    told = grown_together(picture, to_lazy(grown), OTHERS, Segment({"device": "android"}))
    return {k: ("first" if v == first else v) for k, v in told.where.items()}


def pair() -> pl.Expr:
    return ANDROID & (pl.col("country") == made.log(rows=20_000)["country"][0])


@pytest.mark.parametrize("everyone", [1, 2])
def test_a_value_that_grew_with_another_is_told_with_it(everyone: int) -> None:
    assert found(pair(), 5, everyone) == {"device": "android", "country": "first"}


@pytest.mark.parametrize(("more", "times"), [(ANDROID, 4), (pl.lit(False), 2), (pl.col("device") == "ios", 3)])
def test_a_value_that_grew_by_itself_stays_alone(more: pl.Expr, times: int) -> None:
    assert found(more, times) == {"device": "android"}


def test_what_is_no_single_value_is_left_as_it_is() -> None:
    frame = made.log()
    picture = made.look(*made.sums(frame), ("volume",), made.ALERT, WINDOWS)
    pairs, ranges = {"device": "android", "country": "x"}, {"amount": {"ge": 5.0}}
    for where in ({"device": ["android", "ios"]}, pairs, ranges, {"elsewhere": "x"}):
        segment = Segment(where)  # type: ignore[arg-type]
        assert grown_together(picture, to_lazy(frame), OTHERS, segment) is segment


def hurt(where: pl.Expr, seed: int) -> tuple[object, object]:
    """The picture and rows of a log in which the scores of those requests after the onset that are `where` are noise."""
    rng = np.random.default_rng(seed)
    rows = made.log(rows=20_000, seed=seed)
    noise = pl.Series(rng.random(rows.height))
    frame = rows.with_columns(score=pl.when(made.AFTER & where).then(noise).otherwise(pl.col("score")))
    return made.look(*made.sums(frame), ("log_loss",), made.ALERT, WINDOWS), frame


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_value_that_is_hit_in_a_range_only_is_told_with_it(seed: int) -> None:
    old = pl.col("age") >= 60
    for where, ranged in ((ANDROID & old, True), (ANDROID, False)):
        picture, frame = hurt(where, seed)
        bad = badness_of(picture, "log_loss", dict(to_lazy(frame).collect_schema()))  # type: ignore[arg-type]
        segment = Segment({"device": "android"}, share_of_traffic=0.4)
        told = hit_in_a_range(picture, to_lazy(frame), OTHERS, segment, [None, bad], "log_loss")  # type: ignore[arg-type]
        if ranged:
            assert set(told.where) == {"device", "age"} and abs(told.where["age"]["ge"] - 60) <= 4  # type: ignore[index, call-overload]
        else:
            assert told is segment


RANGED = Segment({"device": "android", "age": {"ge": 60.0}})


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("lost", "came", "spoilt", "expected"), [
    (ANDROID, 0.0, ["city"], True),  # lost in all of the value, though the loss rose in a range only
    (ANDROID & (pl.col("age") >= 60), 0.0, ["city"], False), (pl.lit(False), 0.0, ["city"], False), (ANDROID, 0.0, [], False),
    (pl.lit(False), 0.4, [], True)])  # others came, and lie in the range
def test_what_is_spoilt_in_all_of_a_value_knows_no_range(
    lost: pl.Expr, came: float, spoilt: list[str], expected: bool, seed: int
) -> None:
    frame = made.log(rows=20_000, seed=seed)
    frame = frame.with_columns(
        city=pl.when(made.AFTER & lost & (pl.col("u") < 0.4)).then(None).otherwise("city"),
        age=pl.when(made.AFTER & ANDROID & (pl.col("u") < came)).then(70.0).otherwise("age"))
    picture = made.look(*made.sums(frame), ("log_loss",), made.ALERT, WINDOWS)
    room = Room(picture, frame.filter(~made.AFTER), frame.filter(made.AFTER), {}, ())
    assert beyond_the_range(room, spoilt, Segment({"device": "android"}), RANGED) is expected


def test_a_number_that_went_missing_outside_the_range_too_knows_none() -> None:
    frame = made.log(rows=20_000).with_columns(pl.when(made.LOST).then(None).otherwise("amount").alias("amount"))
    picture = made.look(*made.sums(frame), ("log_loss",), made.ALERT, WINDOWS)
    room = Room(picture, frame.filter(~made.AFTER), frame.filter(made.AFTER), {}, ())
    assert beyond_the_range(room, ["amount"], Segment({"device": "android"}), RANGED)
