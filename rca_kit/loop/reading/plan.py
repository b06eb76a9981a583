"""What to sum of a case: roles in plain form, and bin edges and kept values from a sample of its rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import narwhals as nw
import polars as pl

from rca_kit.aggregates.grid import TimeGrid
from rca_kit.aggregates.plan import Columns, Plan, make_plan
from rca_kit.errors import BadInput
from rca_kit.findings.base import Window
from rca_kit.loop.reading.sampling import sample_rows
from rca_kit.sources import OpenCase
from rca_kit.sources.columns import EAGER_ROWS
from rca_kit.stats.cuts import best_cut

PLAN_ROWS = 50_000  # rows that bin edges and kept values are taken from
FOLLOWS_CUT = 0.97  # part of the decisions that must follow one cut of the score for it to be the rule
DECIDED_LEAST = 200  # decisions in a sample that tell it


def plan_of(opened: OpenCase, columns: Columns, grid: TimeGrid, frame: nw.LazyFrame[Any] | None = None) -> Plan:
    """Fix edges and kept values; every engine takes the same rows, so that they are the same.

    A log too large for memory is not read once more for it: the rows that its columns were told from serve.
    """
    needed = list(dict.fromkeys([*columns.needed(), *([opened.roles.request_id] if opened.roles.request_id else [])]))
    if opened.sample is not None and opened.row_count > EAGER_ROWS:
        sample = opened.sample.select(needed).gather_every(max(opened.sample.height // PLAN_ROWS, 1))
    else:
        window = Window(opened.time_range[0], grid.time(grid.n))
        source = opened.predictions if frame is None else frame
        sample = sample_rows(source, columns.time, window, needed, PLAN_ROWS, opened.row_count)
    if sample.height == 0:
        raise BadInput("the prediction log holds no usable row", file=str(opened.case.folder / "incident.yaml"))
    plan = make_plan(columns, grid, sample)
    return replace(plan, cut=cut_of(columns, sample)) if plan.decision_kind == "binary" else plan


def cut_of(columns: Columns, sample: pl.DataFrame) -> tuple[float, bool] | None:
    """Give the cut of the score that decisions of the first half of the sample follow, and whether they are positive above it."""
    if columns.score is None or columns.decision is None or not sample.schema[columns.score].is_numeric():
        return None
    decided = (
        sample.sort(columns.time)
        .head(sample.height // 2)
        .select(
            pl.col(columns.score).cast(pl.Float64).alias("score"),
            (pl.col(columns.decision) == columns.positive[columns.decision]).cast(pl.Float64).alias("decision"),
        )
        .filter(pl.col("score").is_finite() & pl.col("decision").is_not_null())
    )
    yes = float(decided["decision"].sum())
    if decided.height < DECIDED_LEAST or not 0 < yes < decided.height:
        return None
    cut = best_cut(decided["score"].to_numpy(), decided["decision"].to_numpy())
    # of a constant any cut is right: those that it gets wrong must be few among the rarer kind too
    rare = min(yes, decided.height - yes) / decided.height
    return (cut.at, cut.up) if cut.clean >= FOLLOWS_CUT and 1 - cut.clean <= rare / 2 else None


def columns_of(opened: OpenCase) -> Columns:
    """Roles in plain form."""
    r = opened.roles
    segments = tuple(dict.fromkeys([*r.segments, *([r.model_version] if r.model_version else [])]))
    return Columns(
        time=r.time,
        task=opened.task,
        score=r.score,
        decision=r.decision,
        label=r.label,
        error=r.error,
        latency=r.latency_ms,
        model_version=r.model_version,
        stages=tuple(r.stages),
        kpis=dict(r.kpi),
        segments=segments,
        features=tuple(r.features),
        positive=dict(opened.positive),
    )
