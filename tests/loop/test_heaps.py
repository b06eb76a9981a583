"""Values of a feature that heap up in a small segment, long before the alert: since when, and silence where nothing does."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from rca_kit.loop.reading.heaps import heap_since
from rca_kit.loop.reading.picture import look

from . import made
from .test_whose import found

ROME = made.AFTER & (pl.col("city") == "Rome") & (pl.col("device") == "android")  # one request in twelve


def since(frame: pl.DataFrame) -> float | None:
    picture = look(*made.sums(frame), ("auc",), made.END - timedelta(minutes=5), None)
    at = heap_since(picture)
    return None if at is None else (picture.grid.time(at, coarse=True) - made.ONSET).total_seconds() / 3600


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_constant_in_one_request_of_twelve_is_dated(seed: int) -> None:
    stuck = made.log(rows=30_000, seed=seed).with_columns(age=pl.when(ROME).then(41.5).otherwise(pl.col("age")))
    hours = since(stuck)
    assert hours is not None and abs(hours) <= 2


def test_nothing_heaps_up_in_quiet_logs_nor_with_the_day() -> None:
    hour = pl.col("ts").dt.hour() + pl.col("ts").dt.minute() / 60
    for seed in range(12):
        quiet = made.log(seed=seed)
        assert since(quiet) is None
        assert since(quiet.with_columns(age=pl.col("age") + 12 * (hour * 2 * np.pi / 24).sin())) is None


def test_a_frozen_feature_of_a_small_segment_is_an_incident_though_no_mean_moves(tmp_path: Path) -> None:
    stuck = made.log(rows=30_000).with_columns(age=pl.when(ROME).then(48.0).otherwise(pl.col("age")))
    seen = found(stuck, tmp_path, "auc")
    assert seen.verdict == "incident"
    assert seen.symptom.onset is not None and abs(seen.symptom.onset - made.ONSET) <= timedelta(hours=2)
    assert seen.suspects.items[0].subject == "feature:age"
