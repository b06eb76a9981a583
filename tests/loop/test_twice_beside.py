"""Rows written twice beside something louder and harmless: guests in another segment, a drift hours before."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import polars as pl

import rca_kit

from . import made
from .test_guests import older
from .test_told_twice import case, with_ids


def test_rows_written_twice_tell_whose_they_are_though_another_segment_grew_more(tmp_path: Path) -> None:
    frame = with_ids(30_000)
    twice = made.AFTER & (pl.col("device") == "ios") & (pl.col("u") < 0.2)
    guests = with_ids(30_000, seed=1).filter(made.AFTER & (pl.col("device") == "web") & (pl.col("u") < 0.8))
    guests = guests.with_columns(pl.col("id") + "g")
    found = rca_kit.investigate(case(tmp_path, pl.concat([frame, frame.filter(twice), guests]), "volume"))
    assert found.verdict == "incident"
    assert found.suspects.items[0].subject == "traffic"
    assert [s.where for s in found.scope.segments] == [{"device": "ios"}]


def test_a_harmless_drift_hours_before_does_not_date_rows_written_twice(tmp_path: Path) -> None:
    """Older persons come first, whom scores and labels know; nine hours later rows are written twice."""
    late = made.ONSET + timedelta(hours=9)
    frame = older(0.6, 0.0).drop("clicked")
    again = frame.filter((pl.col("ts") >= late) & (pl.col("u") < 0.25))
    found = rca_kit.investigate(case(tmp_path, pl.concat([frame, again]), "volume", alert=timedelta(hours=12)))
    assert found.verdict == "incident"
    assert found.suspects.items[0].subject == "traffic"
    assert found.symptom.onset is not None and abs(found.symptom.onset - late) <= timedelta(minutes=40)
