"""One scan of the request log into mergeable cubes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import narwhals as nw
import polars as pl

from rca_kit.aggregates.cube import BUCKET, VALUE, Cube
from rca_kit.aggregates.plan import Plan
from rca_kit.aggregates.rows import FLAGS, as_number, as_text, bin_index, bucket, log_bin, outcome_columns, value_key

BIN = "rk_bin"
LABEL = "rk_label"


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
Progress = Callable[[str], None]


def queries(frame: nw.LazyFrame[Any], plan: Plan) -> list[Query]:
    """Write the grouped sums to be taken, as lazy frames of whatever engine the frame comes from."""
    schema = dict(frame.collect_schema())
    measures = outcome_columns(plan, schema)
    moments = {f"feature{i}": as_number(f.column, schema[f.column]) for i, f in enumerate(plan.features) if f.numeric}
    values = {f"feature{i}": nw.col(f.column) for i, f in enumerate(plan.features) if not f.numeric}
    base = frame.select(
        bucket(plan),
        *[e.alias(f"rk_{m}") for m, e in measures.items()],
        *[e.alias(f"rk_{m}") for m, e in moments.items()],
        *[(~e.is_null()).cast(nw.Int64).alias(f"rk_{m}") for m, e in values.items()],
        *[value_key(f, schema[f.column]).alias(f"rk_key{i}") for i, f in enumerate(plan.features)],
        *[value_key(f, schema[f.column]).alias(f"rk_seg{i}") for i, f in enumerate(plan.segments)],
        *_bins(plan, schema),
    )
    coarse = (
        base.with_columns((nw.col(BUCKET) // plan.grid.coarse).cast(nw.Int64).alias(BUCKET)) if plan.grid.coarse > 1 else base
    )
    sums = [nw.len().alias("n"), *(s for m in measures for s in _sums(m))]
    out: list[Query] = [
        (
            "time",
            (BUCKET,),
            base.group_by(BUCKET).agg(
                *sums, *(s for m in moments for s in _sums(m)), *(nw.col(f"rk_{m}").sum().alias(f"{m}_n") for m in values)
            ),
        )
    ]
    for i, segment in enumerate(plan.segments):
        out.append((f"segment:{segment.column}", (BUCKET, VALUE), _counted(coarse, f"rk_seg{i}", sums)))
    for i, feature in enumerate(plan.features):
        out.append((f"feature:{feature.column}", (BUCKET, VALUE), _counted(coarse, f"rk_key{i}", [nw.len().alias("n")])))
    counted = [nw.len().alias("n")]
    timed = [name for name in (plan.columns.latency, *plan.columns.stages) if name]
    out += [(f"latency:{name}", (BUCKET, VALUE), _counted(coarse, f"rk_bin:{name}", counted)) for name in timed]
    if plan.columns.score and plan.label_kind == "binary":
        grouped = coarse.select(BUCKET, nw.col("rk_bin:score").alias(BIN), nw.col("rk_label").alias(LABEL))
        out.append(("score", (BUCKET, BIN, LABEL), grouped.group_by(BUCKET, BIN, LABEL).agg(nw.len().alias("n"))))
    elif plan.columns.score:
        out.append(("score", (BUCKET, VALUE), _counted(coarse, "rk_bin:score", [nw.len().alias("n")])))
    if plan.columns.error:
        errors = nw.when(nw.col("rk_error") == 1).then(nw.col("rk_error_text"))
        typed = coarse.select(nw.col(BUCKET), errors.alias(VALUE))
        out.append(("errors", (BUCKET, VALUE), typed.group_by(BUCKET, VALUE).agg(nw.len().alias("n"))))
    return out


def _bins(plan: Plan, schema: dict[str, Any]) -> list[nw.Expr]:
    c = plan.columns
    out = [log_bin(as_number(name, schema[name])).alias(f"rk_bin:{name}") for name in (c.latency, *c.stages) if name]
    if c.score:
        out.append(bin_index(as_number(c.score, schema[c.score]), plan.score_edges).alias("rk_bin:score"))
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
    """Run the queries: in one shared scan where the engine is Polars, one after the other elsewhere."""
    natives = [lazy.to_native() for _, _, lazy in plan_queries]
    if all(isinstance(n, pl.LazyFrame) for n in natives):
        frames = pl.collect_all(natives, engine="streaming")
    else:
        frames = [lazy.collect(backend="polars").to_native() for _, _, lazy in plan_queries]
    return {name: Cube.of(keys, frame) for (name, keys, _), frame in zip(plan_queries, frames, strict=True)}


def scan(frame: nw.LazyFrame[Any], plan: Plan) -> Aggregates:
    """Sum the log under a plan.

    Parameters
    ----------
    frame : narwhals LazyFrame
        One row per request; the time column is UTC. Only the columns of the plan are read.
    plan : Plan
        What to sum; see `make_plan`.

    Returns
    -------
    Aggregates
        ``scan(a + b) == scan(a).merge(scan(b))`` up to the rounding of float sums.
    """
    needed = frame.select(*[nw.col(c) for c in plan.columns.needed()])
    return Aggregates(plan, collect(queries(needed, plan)))
