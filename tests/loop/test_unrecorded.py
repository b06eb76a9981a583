"""Labels missing in one segment more than elsewhere: since when, told from late labels and from a segment's own habits."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from rca_kit.aggregates.grid import TimeGrid
from rca_kit.aggregates.plan import make_plan
from rca_kit.aggregates.scan import scan
from rca_kit.loop.reading.derived import share_series
from rca_kit.loop.reading.picture import look
from rca_kit.loop.reading.series import metric_series
from rca_kit.loop.s3_scope.unrecorded import missing_since
from rca_kit.sources import to_lazy

from . import made

HOURS_LEFT = (pl.lit(made.END) - pl.col("ts")).dt.total_minutes() / 60
DUE = pl.col("u") > (-HOURS_LEFT / 2.0).exp()  # labels take two hours on average
ANDROID = pl.col("device") == "android"
LOST = made.AFTER & ANDROID & (pl.int_range(pl.len()) % 2 == 0)


def since(kept: pl.Expr, seed: int = 0, task: str = "binary") -> int | None:
    frame = made.log(seed=seed).with_columns(label=pl.when(kept).then(pl.col("label")))
    if task == "regression":
        frame = frame.with_columns(label=pl.col("label") * 20.0 + 7 * pl.col("u"), score=pl.col("score") * 20.0)
    if task == "multiclass":
        names = [pl.col(c).replace_strict({0: "no", 1: "yes"}) for c in ("label", "decision")]
        frame = frame.with_columns(*names)
    columns = replace(made.COLUMNS, task=task)
    a = scan(to_lazy(frame), make_plan(columns, TimeGrid.over(made.T0, made.END), frame))
    picture = look(a, metric_series(a) | {s.name: s for s in share_series(a)}, ("label_share",), made.ALERT, None)
    found = missing_since(picture, "label_share")
    return None if found is None else int((picture.grid.time(found, coarse=True) - made.ONSET).total_seconds() // 60)


@pytest.mark.parametrize("task", ["binary", "regression", "multiclass"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_labels_lost_in_a_segment_are_dated_though_all_labels_are_late(seed: int, task: str) -> None:
    found = since(DUE & ~LOST, seed, task)
    assert found is not None and abs(found) <= 60


@pytest.mark.parametrize("task", ["binary", "regression", "multiclass"])
def test_late_labels_and_a_segment_s_habits_are_no_loss(task: str) -> None:
    slower = pl.col("u") > (-HOURS_LEFT / pl.when(ANDROID).then(3.0).otherwise(2.0)).exp()
    habit = ~(ANDROID & (pl.int_range(pl.len()) % 5 == 0))
    for seed in range(10):
        assert since(DUE, seed, task) is None
        assert since(DUE & habit, seed, task) is None
        assert since(slower, seed, task) is None
