"""A range of a feature as scope, a moved cut inside it, and rows of before under the mix of after."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from rca_kit.findings.base import Window
from rca_kit.loop.reading.picture import look
from rca_kit.loop.s3_scope.ranges import among_features, between_cuts
from rca_kit.loop.s3_scope.search import badness_of, badness_where
from rca_kit.loop.s4_suspects.mixed import before_like_after
from rca_kit.loop.s4_suspects.units import converted
from rca_kit.sources import to_lazy

from . import made

OLD = pl.col("age") >= 60
SPOILT = pl.when(made.AFTER & OLD).then(pl.col("u")).otherwise(pl.col("score")).alias("score")
EVERYWHERE = pl.when(made.AFTER).then(pl.col("u")).otherwise(pl.col("score")).alias("score")
CUT = {"column": "decision", "op": "threshold", "cut": 0.4, "score": "score", "up": True, "positive": 1}


def cut_moved(whom: pl.Expr) -> pl.Expr:
    moved = pl.when(made.AFTER & whom).then(pl.col("score") >= 0.55).otherwise(pl.col("score") >= 0.4)
    return moved.cast(pl.Int64).alias("decision")


def named(change: pl.Expr, metric: str, mark: dict[str, Any] | None = None) -> dict[str, Any] | None:
    frame = made.log().with_columns(change)
    picture, lazy = look(*made.sums(frame), (metric,), made.ALERT, None), to_lazy(frame)
    schema = dict(lazy.collect_schema())
    bad = badness_where(mark, schema) if mark else badness_of(picture, metric, schema)
    if mark and bad is not None:
        bad = between_cuts(picture, lazy, bad, mark["score"], schema)
    found = among_features(picture, lazy, bad, metric, ["device", "country"])
    return found.segments[0].where if found else None


def test_the_range_of_a_feature_that_holds_all_of_the_loss_is_the_scope() -> None:
    where = named(SPOILT, "log_loss")
    assert where is not None and set(where) == {"age"}
    assert where["age"].get("ge") == pytest.approx(60, abs=3) and "lt" not in where["age"]


def test_a_number_that_nobody_gave_a_role_may_be_the_place() -> None:
    damp = (pl.col("u") * 7919 % 1 * 100).alias("damp")
    damaged = pl.when(made.AFTER & (damp >= 60) & (damp < 85)).then(None).otherwise(pl.col("amount")).alias("amount")
    frame = made.log().with_columns(damp, damaged, pl.int_range(pl.len()).alias("row"))
    picture, lazy = look(*made.sums(frame), ("null_rate:amount",), made.ALERT, None), to_lazy(frame)
    bad = badness_where({"column": "amount", "op": "null"}, dict(lazy.collect_schema()))
    found = among_features(picture, lazy, bad, "null_rate:amount", ["device", "country"])
    assert found is not None
    ((name, where),) = found.segments[0].where.items()
    assert name == "damp" and where["ge"] == pytest.approx(60, abs=5) and where["lt"] == pytest.approx(85, abs=5)


def test_a_running_number_is_no_place() -> None:
    """All of the damage lies in the rows that were numbered last: that is when, not where."""
    late = pl.col("ts") >= made.ONSET + timedelta(hours=12)
    damaged = pl.when(late).then(None).otherwise(pl.col("amount")).alias("amount")
    frame = made.log().with_columns(damaged, (pl.int_range(pl.len()) * 7 + 556_330_203.0).alias("row"))
    picture, lazy = look(*made.sums(frame), ("null_rate:amount",), made.ALERT, None), to_lazy(frame)
    at = Window(made.ONSET, made.END)
    picture = replace(picture, windows=(Window(made.T0, made.ONSET), at))
    bad = badness_where({"column": "amount", "op": "null"}, dict(lazy.collect_schema()))
    assert among_features(picture, lazy, bad, "null_rate:amount", ["device", "country"]) is None



def test_what_everybody_lost_has_no_range() -> None:
    assert named(EVERYWHERE, "log_loss") is None
    assert named(pl.lit(0).alias("unused"), "log_loss") is None


def test_a_cut_that_moved_for_a_range_is_told_from_one_that_moved_for_all() -> None:
    where = named(cut_moved(OLD), "positive_rate", CUT)
    assert where is not None and where["age"].get("ge") == pytest.approx(60, abs=3)
    assert named(cut_moved(pl.lit(True)), "positive_rate", CUT) is None  # though the score is made of amount and age


def room_with_mix(shares: tuple[float, float]) -> Any:
    """A room whose phones pay twice as much as its tablets, with the share of phones before and after."""
    rng = np.random.default_rng(5)
    sides = []
    for share in shares:
        phone = rng.random(4000) < share
        sides.append(pl.DataFrame({
            "device": np.where(phone, "phone", "tablet"), "price": rng.normal(14_000, 2000, 4000) * np.where(phone, 1.8, 1.0)}))
    series = {"share:device=phone": SimpleNamespace(column="device")}
    moved = ["share:device=phone"] if shares[0] != shares[1] else []
    return SimpleNamespace(before=sides[0], after=sides[1], picture=SimpleNamespace(series=series), moved=lambda *_: moved)


def test_before_is_drawn_again_with_the_mix_of_after() -> None:
    room = room_with_mix((0.1, 0.55))
    alike = before_like_after(room)
    assert alike.height == room.before.height
    assert (alike["device"] == "phone").mean() == pytest.approx((room.after["device"] == "phone").mean(), abs=0.001)
    assert alike["price"].mean() == pytest.approx(room.after["price"].mean(), rel=0.01)
    still = room_with_mix((0.3, 0.3))
    assert before_like_after(still) is still.before


def test_two_populations_are_no_two_units() -> None:
    room = room_with_mix((0.1, 0.55))
    before, after = (x["price"].to_numpy() for x in (before_like_after(room), room.after))
    assert converted("price", before, after) is None
    assert converted("price", room.before["price"].to_numpy(), after) is None  # a price in thousands has no zero of its own
