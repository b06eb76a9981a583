"""One scan of the request log into mergeable cubes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import narwhals as nw
import polars as pl

from rca_kit.aggregates.batches import Seen, batches_of, sum_batches
from rca_kit.aggregates.cube import BIN, BUCKET, LABEL, VALUE, Cube
from rca_kit.aggregates.fused import fused
from rca_kit.aggregates.plan import Plan
from rca_kit.aggregates.rows import FLAGS, as_number, as_text, bin_index, bucket, log_bin, outcome_columns, value_key
from rca_kit.sources.collect import collect_all


@dataclass(frozen=True)
class Aggregates:
    """All sums of one log under one plan, by name: `time`, `score`, `latency:<column>`, `segment:<column>`,
    `feature:<column>`, `errors`.
    """  # noqa: D205

    plan: Plan
    cubes: dict[str, Cube]

    def merge(self, other: Aggregates) -> Aggregates:
        """Add the sums of other rows of the same log; both must come from the same plan."""
        if self.plan != other.plan:
            raise ValueError("aggregates of different plans cannot be merged")
        return replace(self, cubes={name: cube.merge(other.cubes[name]) for name, cube in self.cubes.items()})


Query = tuple[str, tuple[str, ...], nw.LazyFrame[Any]]


@dataclass(frozen=True)
class Rows:
    """Rows with everything that is summed or grouped by: `fine` by fine bucket, `coarse` by coarse bucket."""

    fine: nw.LazyFrame[Any]
    coarse: nw.LazyFrame[Any]
    measures: tuple[str, ...]
    sums: list[nw.Expr]
    time_sums: list[nw.Expr]


def rows_of(frame: nw.LazyFrame[Any], plan: Plan, keyed: bool = True) -> Rows:
    """Write the helper columns of a row; those that rows are grouped by only where `keyed`."""
    schema = dict(frame.collect_schema())
    branching = frame.implementation.is_spark_like() or frame.implementation.is_duckdb() or frame.implementation.is_ibis()
    measures = outcome_columns(plan, schema)
    moments = {f"feature{i}": as_number(f.column, schema[f.column]) for i, f in enumerate(plan.features) if f.numeric}
    values = {f"feature{i}": nw.col(f.column) for i, f in enumerate(plan.features) if not f.numeric}
    base = frame.select(
        bucket(frame, plan),
        *[e.alias(f"rk_{m}") for m, e in measures.items()],
        *[e.alias(f"rk_{m}") for m, e in moments.items()],
        *[(~e.is_null()).cast(nw.Int64).alias(f"rk_{m}") for m, e in values.items()],
        *[value_key(f, schema[f.column], branching).alias(f"rk_key{i}") for i, f in enumerate(plan.features) if keyed],
        *[value_key(f, schema[f.column], branching).alias(f"rk_seg{i}") for i, f in enumerate(plan.segments) if keyed],
        *_bins(plan, schema, branching),
    )
    coarse = (
        base.with_columns((nw.col(BUCKET) // plan.grid.coarse).cast(nw.Int64).alias(BUCKET)) if plan.grid.coarse > 1 else base
    )
    sums = [nw.len().alias("n"), *(s for m in measures for s in _sums(m))]
    time_sums = [*sums, *(s for m in moments for s in _sums(m)), *(nw.col(f"rk_{m}").sum().alias(f"{m}_n") for m in values)]
    return Rows(base, coarse, tuple(measures), sums, time_sums)


def queries(frame: nw.LazyFrame[Any], plan: Plan, outcomes_only: bool = False) -> list[Query]:
    """Write the grouped sums to be taken, as lazy frames of whatever engine the frame comes from.

    With `outcomes_only`, those by value of a feature or segment and by error are left out: writing them takes longer than
    the other sums take on a sample of rows.
    """
    rows = rows_of(frame, plan, keyed=not outcomes_only)
    coarse = rows.coarse
    counted = [nw.len().alias("n")]
    out: list[Query] = [("time", (BUCKET,), rows.fine.group_by(BUCKET).agg(*rows.time_sums))]
    if not outcomes_only:
        out += [(name, (BUCKET, VALUE), _counted(coarse, key, rows.sums)) for name, (key, _) in _segment_keys(plan).items()]
    for name, (key, _) in _count_keys(plan).items():
        if not outcomes_only or not name.startswith("feature:"):
            out.append((name, (BUCKET, VALUE), _counted(coarse, key, counted)))
    if plan.columns.score and plan.label_kind == "binary":
        out.append(_score_by_label(coarse))
    if plan.columns.error and not outcomes_only:
        typed = coarse.select(nw.col(BUCKET), _failures().alias(VALUE))
        out.append(("errors", (BUCKET, VALUE), typed.group_by(BUCKET, VALUE).agg(*counted)))
    return out


Keys = dict[str, tuple[str, bool]]


def _segment_keys(plan: Plan) -> Keys:
    """Cubes with all outcome sums: the helper column that each is keyed by, and whether that is a number."""
    return {f"segment:{s.column}": (f"rk_seg{i}", s.numeric) for i, s in enumerate(plan.segments)}


def _count_keys(plan: Plan) -> Keys:
    """Cubes that only count."""
    out: Keys = {f"feature:{f.column}": (f"rk_key{i}", f.numeric) for i, f in enumerate(plan.features)}
    out |= {f"latency:{name}": (f"rk_bin:{name}", True) for name in (plan.columns.latency, *plan.columns.stages) if name}
    if plan.columns.score and plan.label_kind != "binary":
        out["score"] = ("rk_bin:score", True)
    return out


def _score_by_label(coarse: nw.LazyFrame[Any]) -> Query:
    grouped = coarse.select(BUCKET, nw.col("rk_bin:score").alias(BIN), nw.col("rk_label").alias(LABEL))
    return "score", (BUCKET, BIN, LABEL), grouped.group_by(BUCKET, BIN, LABEL).agg(nw.len().alias("n"))


def _score_and_label() -> nw.Expr:
    """Score bin and label as one number, so that they can be counted along with everything else; see `_taken_apart`."""
    score, label = nw.col("rk_bin:score"), nw.col("rk_label")
    return nw.when(score.is_null()).then(nw.lit(0)).otherwise(score + 1) * 3 + nw.when(label.is_null()).then(
        nw.lit(2)).otherwise(label)


def _taken_apart(cube: Cube) -> Cube:
    score, label = pl.col(VALUE) // 3 - 1, pl.col(VALUE) % 3
    table = cube.frame.select(
        BUCKET, pl.when(score >= 0).then(score).alias(BIN), pl.when(label < 2).then(label).alias(LABEL), "n")
    return Cube.of((BUCKET, BIN, LABEL), table)


def _failures() -> nw.Expr:
    return nw.when(nw.col("rk_error") == 1).then(nw.col("rk_error_text"))


def _bins(plan: Plan, schema: dict[str, Any], branching: bool) -> list[nw.Expr]:
    c = plan.columns
    out = [log_bin(as_number(name, schema[name])).alias(f"rk_bin:{name}") for name in (c.latency, *c.stages) if name]
    if c.score:
        out.append(bin_index(as_number(c.score, schema[c.score]), plan.score_edges, branching).alias("rk_bin:score"))
    if c.error:
        out.append(as_text(c.error).alias("rk_error_text"))
    return out


def _counted(frame: nw.LazyFrame[Any], key: str, sums: list[nw.Expr]) -> nw.LazyFrame[Any]:
    return frame.with_columns(nw.col(key).alias(VALUE)).group_by(BUCKET, VALUE).agg(*sums)


def _sums(measure: str) -> list[nw.Expr]:
    column = nw.col(f"rk_{measure}")
    out = [(~column.is_null()).cast(nw.Int64).sum().alias(f"{measure}_n"), column.sum().alias(f"{measure}_s")]
    if measure not in FLAGS:
        out.append((column * column).sum().alias(f"{measure}_ss"))
    return out


def collect(plan_queries: list[Query]) -> dict[str, Cube]:
    """Run the queries, in one shared scan where the engine is Polars."""
    frames = collect_all([lazy for _, _, lazy in plan_queries])
    return {name: Cube.of(keys, frame) for (name, keys, _), frame in zip(plan_queries, frames, strict=True)}


def sums_of(frame: nw.LazyFrame[Any], plan: Plan, outcomes_only: bool = False) -> dict[str, Cube]:
    """Take the sums, in the way that suits the engine: DuckDB and databases answer each query quickly, to Spark each is a job."""
    if frame.implementation.is_spark_like():
        return _long(frame, plan, outcomes_only)
    return collect(queries(frame, plan, outcomes_only))


def _long(frame: nw.LazyFrame[Any], plan: Plan, outcomes_only: bool) -> dict[str, Cube]:
    """Take the same sums in as few queries as engines need that scan anew for each."""
    rows = rows_of(frame, plan, keyed=not outcomes_only)
    first: list[Query] = [("time", (BUCKET,), rows.fine.group_by(BUCKET).agg(*rows.time_sums))]
    cubes = collect(first)
    keys, coarse = _count_keys(plan), rows.coarse
    if outcomes_only:
        keys = {name: key for name, key in keys.items() if not name.startswith("feature:")}
    else:
        cubes |= fused(coarse, _segment_keys(plan), rows.sums, [f"rk_{m}" for m in rows.measures])
    if plan.columns.score and plan.label_kind == "binary":
        coarse = coarse.with_columns(_score_and_label().alias("rk_both"))
        keys["score"] = ("rk_both", True)
    if plan.columns.error and not outcomes_only:
        coarse = coarse.with_columns(_failures().alias("rk_failure"))
        keys["errors"] = ("rk_failure", False)
    cubes |= fused(coarse, keys, [nw.len().alias("n")], [])
    if plan.columns.score and plan.label_kind == "binary":
        cubes["score"] = _taken_apart(cubes["score"])
    return cubes


def scan(frame: nw.LazyFrame[Any], plan: Plan, also: Sequence[str] = (), seen: Seen | None = None) -> Aggregates:
    """Sum the log under a plan, in one pass where the engine is Polars.

    Parameters
    ----------
    frame : narwhals LazyFrame
        One row per request; the time column is UTC. Only the columns of the plan are read.
    plan : Plan
        What to sum; see `make_plan`.
    also : sequence of str
        More columns to read for `seen`.
    seen : callable, optional
        Shown every batch of rows that passes, where the engine is Polars; other engines keep their rows.

    Returns
    -------
    Aggregates
        ``scan(a + b) == scan(a).merge(scan(b))`` up to the rounding of float sums.
    """
    needed = frame.select(*[nw.col(c) for c in dict.fromkeys((*plan.columns.needed(), *also))])
    native = needed.to_native()
    if isinstance(native, pl.LazyFrame) and (summed := sum_batches(batches_of(native, seen), plan)):
        return Aggregates(plan, summed)
    return Aggregates(plan, sums_of(needed, plan))
