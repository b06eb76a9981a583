"""Whose requests a fault is about: a version that came in stages, those who send a new code, a wide range of a feature."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

import rca_kit

from . import made
from .test_ranges import named
from .test_told_twice import case, with_ids


@pytest.mark.parametrize(("first", "scope"), [(0.3, [{"version": "v2"}]), (1.0, [])])
def test_a_version_that_came_in_stages_is_the_scope_though_it_took_all_requests_in_the_end(
    tmp_path: Path, first: float, scope: list[dict[str, str]]
) -> None:
    """It scores at random; a part of the requests at first, all of them ten hours later; or all of them at once."""
    late = pl.col("ts") >= made.ONSET + timedelta(hours=10)
    new = made.AFTER & (late | (pl.col("u") * 7919 % 1 < first))
    frame = with_ids(24_000).with_columns(
        pl.when(new).then(pl.lit("v2")).otherwise(pl.lit("v1")).alias("version"),
        pl.when(new).then(pl.col("u")).otherwise("score").alias("score"))
    frame = frame.with_columns((pl.col("score") >= 0.4).cast(pl.Int64).alias("decision"))
    found = rca_kit.investigate(case(tmp_path, frame, "auc"))
    assert found.verdict == "incident"
    assert found.suspects.items[0].subject == "model:v2"
    assert [s.where for s in found.scope.segments] == scope


@pytest.mark.parametrize("first", [0.3, 1.0])
def test_decisions_off_the_threshold_in_the_requests_of_a_version_have_it_as_their_scope(tmp_path: Path, first: float) -> None:
    late = pl.col("ts") >= made.ONSET + timedelta(hours=14)
    new = made.AFTER & (late | (pl.col("u") * 7919 % 1 < first))
    frame = with_ids(24_000).with_columns(
        pl.when(new).then(pl.lit("v2")).otherwise(pl.lit("v1")).alias("version"),
        pl.when(new).then(pl.col("score") >= 0.6).otherwise(pl.col("score") >= 0.4).cast(pl.Int64).alias("decision"))
    found = rca_kit.investigate(case(tmp_path, frame, "positive_rate"))
    assert found.verdict == "incident"
    assert found.suspects.items[0].subject == "threshold"
    assert [s.where for s in found.scope.segments] == ([{"version": "v2"}] if first < 1 else [])


def test_a_new_code_of_a_feature_belongs_to_those_who_send_it(tmp_path: Path) -> None:
    hit = made.AFTER & (pl.col("device") == "android") & (pl.col("u") < 0.7)
    frame = with_ids(24_000).with_columns(
        pl.when(hit).then(pl.lit("C10")).otherwise("city").alias("city"),
        pl.when(hit).then(pl.col("u") * 7919 % 1).otherwise("score").alias("score"))
    frame = frame.with_columns((pl.col("score") >= 0.4).cast(pl.Int64).alias("decision"))
    found = rca_kit.investigate(case(tmp_path, frame, "log_loss"))
    assert found.verdict == "incident"
    assert [s.where for s in found.scope.segments] == [{"device": "android"}]


@pytest.mark.parametrize(("spared", "wide"), [(0.0, True), (0.5, False)])
def test_a_wide_range_is_named_where_the_rest_stood_still(spared: float, wide: bool) -> None:
    """Seven requests in ten have an age of 36 or more; of the others none, or half as many, lose the value too."""
    old, drawn = pl.col("age") >= 36, pl.col("u") * 7919 % 1
    lost = made.AFTER & (old & (drawn < 0.5) | ~old & (drawn < 0.5 * spared))
    where = named(pl.when(lost).then(None).otherwise(pl.col("amount")).alias("amount"), "null_rate:amount")
    assert (where is not None) is wide
    assert where is None or where["age"].get("ge") == pytest.approx(36, abs=3)
