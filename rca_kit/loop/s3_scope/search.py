"""Step 3, Scope: which segments carry it. The badness of a row, summed by leaf before and after, searched for segments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl
from numpy.typing import NDArray

from rca_kit.aggregates.plan import OTHER, FeaturePlan
from rca_kit.aggregates.rows import as_number, as_text, outcome_columns, value_key
from rca_kit.findings.scope import Scope, Segment
from rca_kit.loop.reading.names import public
from rca_kit.loop.reading.picture import Picture
from rca_kit.stats.segments.counts import Counts
from rca_kit.stats.segments.found import Conditions, Found, SearchResult
from rca_kit.stats.segments.means import Means
from rca_kit.stats.segments.search import search

MAX_DEPTH = 3
ALPHA = 0.01
BACKGROUND = 0.01  # share of rows that may be bad at any time
SLOW_QUANTILE = 0.9  # a request slower than nine in ten before is slow: enough of them before to compare, clear when p95 moves
MOST_SEGMENTS = 4  # more than four are better told as "many"
MOST_SINGLES = 40
WHOLE = 0.97  # a segment that is nearly all traffic is global


@dataclass(frozen=True)
class Badness:
    """What is summed by leaf: an expression per row, whether it is 0/1, and its name."""

    row: nw.Expr
    binary: bool
    name: str
    direction: str = "increase"


def badness_of(picture: Picture, metric: str, schema: Mapping[str, Any]) -> Badness | None:
    """Row badness of a metric; None when it has none (volume, component metrics)."""
    plan = picture.aggregates.plan
    c = plan.columns
    s = picture.series.get(metric)
    if s is None:
        return None
    measures = outcome_columns(plan, dict(schema))
    if s.family == "quality":
        return _quality(measures, metric)
    if metric == "error_rate":
        return Badness(measures["error"], True, metric)
    if s.family in ("service", "stage") and s.log:
        column = c.latency if s.family == "service" else s.column
        before = picture.level(metric if s.family == "stage" else "latency_p95", picture.before)
        p90 = picture.level("latency_p50", picture.before).value if s.family == "service" else before.value
        limit = before.value if np.isfinite(before.value) else p90
        assert column is not None
        return Badness((as_number(column, schema[column]) > limit).cast(nw.Int64), True, metric)
    if s.family == "kpi" and s.column:
        row = measures[f"kpi:{s.column}"]
        binary = s.column in plan.binary_kpis or s.column in c.positive
        return Badness(row, binary, metric, "decrease" if s.good == "higher" else "increase")
    if s.family in ("nulls", "output_nulls") and s.column:
        missing = (as_number(s.column, schema[s.column]) if schema[s.column].is_numeric() else nw.col(s.column)).is_null()
        return Badness(missing.cast(nw.Int64), True, metric)
    if metric == "label_share" and c.label:
        return Badness(nw.col(c.label).is_null().cast(nw.Int64), True, metric)
    if metric in ("score_mean", "positive_rate", "label_rate"):
        key = {"score_mean": "score", "positive_rate": "decision", "label_rate": "label"}[metric]
        return Badness(measures[key], metric != "score_mean", metric, "either")
    if s.family == "input" and s.column:
        return Badness(as_number(s.column, schema[s.column]), False, metric, "either")
    return None


def _quality(measures: Mapping[str, nw.Expr], metric: str) -> Badness | None:
    if metric in ("accuracy", "precision", "recall", "f1") and "correct" in measures:
        return Badness(1 - measures["correct"], True, metric)
    if metric == "bias" and "gap" in measures:
        return Badness(measures["gap"], False, metric, "either")
    for key in ("log_loss", "abs_error"):
        if key in measures:
            return Badness(measures[key], False, metric)
    if "gap" in measures:
        return Badness(measures["gap"] * measures["gap"], False, metric)
    return Badness(1 - measures["correct"], True, metric) if "correct" in measures else None


def badness_where(where: Mapping[str, Any], schema: Mapping[str, Any]) -> Badness | None:
    """Row badness from a clue: 1 where the row shows it."""
    column, op = str(where["column"]), where["op"]
    if op == "null":
        x = as_number(column, schema[column]) if schema[column].is_numeric() else nw.col(column)
        row = x.is_null()
    elif op == "outside":
        x = as_number(column, schema[column])
        row = (x < where["low"]) | (x > where["high"])
    elif op == "equal":
        row = as_number(column, schema[column]) == where["value"]
    elif op == "in":
        row = as_text(column).is_in([str(v) for v in where["values"]])
    elif op == "threshold":  # decisions that the cut of before would have made otherwise
        score = as_number(where["score"], schema[where["score"]])
        implied = (score >= where["cut"]) if where["up"] else (score < where["cut"])
        row = implied.cast(nw.Int64) != (nw.col(column) == where["positive"]).cast(nw.Int64)
    else:
        return None
    flag = nw.when(row.is_null()).then(nw.lit(0, nw.Int64)).otherwise(row.cast(nw.Int64))
    return Badness(flag, True, f"{column} {op}")


@dataclass(frozen=True)
class Leaves:
    """Leaf table in codes, with moments of the badness before and after."""

    plans: tuple[FeaturePlan, ...]
    codes: NDArray[np.int64]
    values: tuple[tuple[Any, ...], ...]
    n: tuple[NDArray[np.float64], NDArray[np.float64]]
    total: tuple[NDArray[np.float64], NDArray[np.float64]]
    squares: tuple[NDArray[np.float64], NDArray[np.float64]]


def leaves(frame: nw.LazyFrame[Any], picture: Picture, plans: Sequence[FeaturePlan], bad: Badness | None) -> Leaves | None:
    """Sum the badness (or only count, when None) by leaf and window in one scan."""
    schema = dict(frame.collect_schema())
    time = nw.col(picture.aggregates.plan.columns.time)
    before, after = picture.windows
    row = bad.row.cast(nw.Float64) if bad else nw.lit(1.0)
    keys = [f"rk_d{i}" for i in range(len(plans))]
    grouped = (
        frame.filter(((time >= before.start) & (time < before.end)) | ((time >= after.start) & (time < after.end)))
        .select(
            *[value_key(p, schema[p.column]).alias(k) for p, k in zip(plans, keys, strict=True)],
            (time >= after.start).cast(nw.Int64).alias("rk_side"),
            row.alias("rk_x"),
        )
        .filter(~nw.col("rk_x").is_null())
        .with_columns((nw.col("rk_x") * nw.col("rk_x")).alias("rk_xx"))
        .group_by(*keys, "rk_side")
        .agg(nw.len().alias("rk_n"), nw.col("rk_x").sum(), nw.col("rk_xx").sum())
    )
    native = grouped.to_native()
    table = (
        native.collect(engine="streaming") if isinstance(native, pl.LazyFrame) else grouped.collect(backend="polars").to_native()
    )
    if table.height == 0 or not plans:
        return None
    sides = [table.filter(pl.col("rk_side") == side).drop("rk_side") for side in (0, 1)]
    joined = (
        sides[0].join(sides[1], on=keys, how="full", coalesce=True, nulls_equal=True, suffix="_a").sort(keys, nulls_last=True)
    )
    codes, values = [], []
    for key in keys:
        distinct = joined[key].unique().sort(nulls_last=True).to_list()
        index = {v: i for i, v in enumerate(distinct)}
        codes.append(np.array([index[v] for v in joined[key].to_list()]))
        values.append(tuple(distinct))

    def both(name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        b, a = (joined[c].fill_null(0).cast(pl.Float64).to_numpy() for c in (name, f"{name}_a"))
        return b, a

    return Leaves(tuple(plans), np.column_stack(codes).astype(np.int64), tuple(values), both("rk_n"), both("rk_x"), both("rk_xx"))


def look_for(found: Leaves, bad: Badness, *, max_depth: int = MAX_DEPTH) -> SearchResult:
    """Search the leaves for segments whose badness changed more than the rest's."""
    sizes = tuple(len(v) for v in found.values)
    measure: Counts | Means
    if bad.binary:
        # a mark that hardly ever showed before would make every ratio infinite; a little background keeps them comparable
        level = BACKGROUND if found.total[0].sum() < BACKGROUND * found.n[0].sum() else 0.0
        k = [t + level * n for t, n in zip(found.total, found.n, strict=True)]
        measure = Counts(k[0], found.n[0] * (1 + level), k[1], found.n[1] * (1 + level))
    else:
        measure = Means(found.total[0], found.squares[0], found.n[0], found.total[1], found.squares[1], found.n[1])
    return search(
        found.codes, sizes, measure, max_depth=max_depth, direction=bad.direction, alpha=ALPHA, max_segments=MOST_SEGMENTS
    )


def scope(picture: Picture, frame: nw.LazyFrame[Any], bad: Badness | None, metric: str, plans: Sequence[FeaturePlan]) -> Scope:
    """Name the segments that carry the change of one badness; global when none stands out."""
    if bad is None:
        return Scope(
            is_global=True, segments=(), metric=public(metric), because=f"{public(metric)} has no rows to slice; taken as global."
        )
    table = leaves(frame, picture, plans, bad)
    if table is None:
        return Scope(is_global=True, segments=(), metric=public(metric), because="There is no segment column to slice by.")
    result = look_for(table, bad)
    segments = segments_of(result, table)
    singles = tuple(_segment(f, table) for f in result.singles[:MOST_SINGLES])
    because = "" if segments else "No segment stands out: all traffic is affected alike."
    return Scope(is_global=not segments, segments=segments, metric=public(metric), because=because, singles=singles)


def segments_of(result: SearchResult, table: Leaves) -> tuple[Segment, ...]:
    """Segments of a search in the columns' own values, those of one column joined; what is nearly all traffic is left out."""
    joined = merge_values(tuple(_segment(f, table) for f in result.found))
    return tuple(s for s in joined if (s.share_of_traffic or 0.0) < WHOLE and not _everything(s, table))


def _everything(segment: Segment, table: Leaves) -> bool:
    """Whether a segment lists all values of its one column."""
    if len(segment.where) != 1:
        return False
    ((column, condition),) = segment.where.items()
    i = next(i for i, p in enumerate(table.plans) if p.column == column)
    return isinstance(condition, list) and len(condition) >= len([v for v in table.values[i] if v is not None])


def _segment(f: Found, table: Leaves) -> Segment:
    return Segment(
        where=where_of(f.conditions, table),
        share_of_traffic=f.share_of_traffic,
        before=f.before,
        after=f.after,
        share_of_impact=f.share_of_impact,
        q_value=f.q_value,
        change_interval=f.interval,
        n_before=int(f.n_before),
        n_after=int(f.n_after),
        score=f.score,
        stability=f.stability,
        aliases=tuple(where_of(a, table) for a in f.aliases[:3]),
    )


def where_of(conditions: Conditions, table: Leaves) -> dict[str, Any]:
    """Conditions in the columns' own values; bins of a numeric column become a range."""
    out: dict[str, Any] = {}
    for dimension, codes in conditions:
        plan = table.plans[dimension]
        values = [table.values[dimension][c] for c in codes]
        if plan.numeric:
            bins = sorted(v for v in values if v is not None)
            low = plan.edges[bins[0] - 1] if bins and bins[0] > 0 else None
            high = plan.edges[bins[-1]] if bins and bins[-1] < len(plan.edges) else None
            out[plan.column] = {k: v for k, v in (("ge", low), ("lt", high)) if v is not None} if bins else None
        else:
            typed = [v if v is None or v == OTHER else plan.values.get(v, v) for v in values]
            out[plan.column] = typed[0] if len(typed) == 1 else typed
    return out


def merge_values(segments: tuple[Segment, ...]) -> tuple[Segment, ...]:
    """Join segments that differ in the value of one column into one with a list of values."""
    out: list[Segment] = []
    for s in segments:
        for i, other in enumerate(out):
            differing = [k for k in s.where if k in other.where and s.where[k] != other.where[k]]
            if set(s.where) == set(other.where) and len(differing) == 1 and not isinstance(s.where[differing[0]], dict):
                out[i] = _joined(other, s, differing[0])
                break
        else:
            out.append(s)
    return tuple(out)


def _joined(a: Segment, b: Segment, column: str) -> Segment:
    from dataclasses import replace

    values = [*(a.where[column] if isinstance(a.where[column], list) else [a.where[column]]), b.where[column]]
    na, nb = a.n_after or 0, b.n_after or 0

    def mean(x: float | None, y: float | None) -> float | None:
        return (x * na + y * nb) / (na + nb) if x is not None and y is not None and na + nb > 0 else x

    return replace(
        a,
        where={**a.where, column: values},
        share_of_traffic=(a.share_of_traffic or 0) + (b.share_of_traffic or 0),
        share_of_impact=(a.share_of_impact or 0) + (b.share_of_impact or 0),
        before=mean(a.before, b.before),
        after=mean(a.after, b.after),
        n_before=(a.n_before or 0) + (b.n_before or 0),
        n_after=na + nb,
        q_value=max(a.q_value or 0, b.q_value or 0),
        change_interval=None,
        aliases=(),
    )


__all__ = ["Badness", "badness_of", "badness_where", "leaves", "look_for", "merge_values", "scope"]
