"""Labels missing in one segment more than elsewhere: since when, told from late labels and from a segment's own habits."""

from __future__ import annotations

import polars as pl
import pytest

from rca_kit.loop.reading.picture import look
from rca_kit.loop.s3_scope.unrecorded import missing_since

from . import made

HOURS_LEFT = (pl.lit(made.END) - pl.col("ts")).dt.total_minutes() / 60
DUE = pl.col("u") > (-HOURS_LEFT / 2.0).exp()  # labels take two hours on average
ANDROID = pl.col("device") == "android"
LOST = made.AFTER & ANDROID & (pl.int_range(pl.len()) % 2 == 0)


def since(kept: pl.Expr, seed: int = 0) -> int | None:
    frame = made.log(seed=seed).with_columns(label=pl.when(kept).then(pl.col("label")))
    picture = look(*made.sums(frame), ("auc",), made.ALERT, None)
    found = missing_since(picture, "label_share")
    return None if found is None else int((picture.grid.time(found, coarse=True) - made.ONSET).total_seconds() // 60)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_labels_lost_in_a_segment_are_dated_though_all_labels_are_late(seed: int) -> None:
    found = since(DUE & ~LOST, seed)
    assert found is not None and abs(found) <= 60


def test_late_labels_and_a_segment_s_habits_are_no_loss() -> None:
    slower = pl.col("u") > (-HOURS_LEFT / pl.when(ANDROID).then(3.0).otherwise(2.0)).exp()
    habit = ~(ANDROID & (pl.int_range(pl.len()) % 5 == 0))
    for seed in range(10):
        assert since(DUE, seed) is None
        assert since(DUE & habit, seed) is None
        assert since(slower, seed) is None
