"""Step 3, Scope: which segments carry it. The badness of a row, summed by leaf before and after, searched for segments."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl

from rca_kit.aggregates.coding import QUANTILE_BINS
from rca_kit.aggregates.cube import VALUE
from rca_kit.aggregates.leaves import Leaves
from rca_kit.aggregates.leaves import leaves as sum_leaves
from rca_kit.aggregates.plan import OTHER, Plan
from rca_kit.aggregates.rows import as_number, as_text, outcome_columns
from rca_kit.findings.scope import Scope, Segment
from rca_kit.loop.reading.names import public
from rca_kit.loop.reading.picture import Picture
from rca_kit.loop.s3_scope.arms import with_lots_drawn
from rca_kit.loop.s3_scope.clumped import clumps_of
from rca_kit.loop.s3_scope.localize import as_segment
from rca_kit.loop.s3_scope.rest import rest_of
from rca_kit.stats.segments import Counts, Means, Measure, Totals
from rca_kit.stats.segments.found import SearchResult
from rca_kit.stats.segments.search import search

MAX_DEPTH = 3
ALPHA = 0.01
BACKGROUND = 0.01  # share of rows that may be bad at any time
SLOW_QUANTILE = 0.9  # a request slower than nine in ten before is slow: enough of them before to compare, clear when p95 moves
MOST_SEGMENTS = 4  # more than four are better told as "many"
MOST_SINGLES = 40
MARK, WINDOWS = "bad", ("before", "after")  # names of the sums
FLOW_LEAST = 0.7  # part of a change of traffic that a single value must hold to be named alone
WHOLE = 0.97  # a segment that is nearly all traffic is global


@dataclass(frozen=True)
class Badness:
    """What is summed by leaf: an expression per row, whether it is 0/1, its name, and the measure of the cubes that it is.

    `measure` is empty where the cubes hold no such sums; one that begins with `-` is 1 less that of the cubes.
    """

    row: nw.Expr
    binary: bool
    name: str
    direction: str = "increase"
    measure: str = ""


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
    if s.family == "cut":
        return Badness(measures["off_cut"], True, metric, "either", "off_cut")
    if metric == "error_rate":
        return Badness(measures["error"], True, metric, measure="error")
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
        return Badness(row, binary, metric, "decrease" if s.good == "higher" else "increase", f"kpi:{s.column}")
    if (s.family in ("nulls", "output_nulls") or metric.startswith("null_rate:")) and s.column:
        missing = (as_number(s.column, schema[s.column]) if schema[s.column].is_numeric() else nw.col(s.column)).is_null()
        return Badness(missing.cast(nw.Int64), True, metric)
    if metric == "label_share" and c.label:
        return Badness(nw.col(c.label).is_null().cast(nw.Int64), True, metric)
    if metric in ("score_mean", "positive_rate", "label_rate"):
        key = {"score_mean": "score", "positive_rate": "decision", "label_rate": "label"}[metric]
        return Badness(measures[key], metric != "score_mean", metric, "either", key)
    if s.family == "input" and s.column:
        return Badness(as_number(s.column, schema[s.column]), False, metric, "either")
    return None


def _quality(measures: Mapping[str, nw.Expr], metric: str) -> Badness | None:
    if metric in ("precision", "recall") and "tp" in measures:  # only the rows that the metric is about can be wrong
        about = measures["decision" if metric == "precision" else "label"]
        return Badness(nw.when(about == 1).then(1 - measures["tp"]), True, metric)
    if metric in ("accuracy", "precision", "recall", "f1") and "correct" in measures:
        return Badness(1 - measures["correct"], True, metric, measure="-correct")
    if metric == "bias" and "gap" in measures:
        return Badness(measures["gap"], False, metric, "either", "gap")
    for key in ("log_loss", "abs_error"):
        if key in measures:
            return Badness(measures[key], False, metric, measure=key)
    if "gap" in measures:
        return Badness(measures["gap"] * measures["gap"], False, metric)
    return Badness(1 - measures["correct"], True, metric, measure="-correct") if "correct" in measures else None


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
    elif op == "matches":  # texts that use one of some phrases
        row = nw.col(column).cast(nw.String).str.contains(where["pattern"])
    elif op == "clock":  # an hour of the day that is not the request's own
        minute = nw.col(where["time"]).dt.hour().cast(nw.Int64) * 60 + nw.col(where["time"]).dt.minute() + where.get("minutes", 0)
        hour = (minute // 60) % 24
        row = ((as_number(column, schema[column]) - hour - where["offset"]).floor() % 24) != 0
    elif op == "threshold":  # decisions that the cut of before would have made otherwise
        score = as_number(where["score"], schema[where["score"]])
        implied = (score >= where["cut"]) if where["up"] else (score < where["cut"])
        row = implied.cast(nw.Int64) != (nw.col(column) == where["positive"]).cast(nw.Int64)
    else:
        return None
    for segment, value in where.get("segment", {}).items():
        row = row & (as_text(segment) == value)
    flag = nw.when(row.is_null()).then(nw.lit(0, nw.Int64)).otherwise(row.cast(nw.Int64))
    return Badness(flag, True, f"{column} {op}")


def dimensions(plan: Plan) -> list[str]:
    """Columns that rows are sliced by: the segments but the model's version, which is a suspect and no place."""
    return [p.column for p in plan.segments if p.column != plan.columns.model_version]


def leaves(
    frame: nw.LazyFrame[Any], picture: Picture, columns: Sequence[str], bad: Badness | None, bins: int = QUANTILE_BINS
) -> Leaves | None:
    """Sum the badness (or only count, when None) by leaf and window in one scan; None when there is nothing to sum."""
    if not columns:
        return None
    windows = tuple((w.start, w.end) for w in picture.windows)
    row = bad.row if bad else nw.lit(1.0)
    time = picture.aggregates.plan.columns.time
    found = sum_leaves(
        frame, columns, measures={MARK: row}, time=time, windows=(windows[0], windows[1]), squares=True, bins=bins
    )
    return with_lots_drawn(found, *(f"{MARK}_n_{w}" for w in WINDOWS)) if len(found.codes) else None


def measure_of(table: Leaves, bad: Badness, clumps: float = 1.0) -> Counts | Means:
    """Give the leaves' badness as what the search compares: events of requests when it is 0/1, means otherwise.

    Rows that come in `clumps` of so many that tell the same count as one: all sums are divided by it.
    """
    s = {name: total / clumps for name, total in table.sums.items()} if clumps > 1 else table.sums
    (k0, n0), (k1, n1) = ((s[f"{MARK}_{w}"], s[f"{MARK}_n_{w}"]) for w in WINDOWS)
    if not bad.binary:
        return Means(k0, s[f"{MARK}_sq_before"], n0, k1, s[f"{MARK}_sq_after"], n1)
    # a mark that hardly ever showed before would make every ratio infinite; a little background keeps them comparable
    level = BACKGROUND if k0.sum() < BACKGROUND * n0.sum() else 0.0
    return Counts(k0 + level * n0, n0 * (1 + level), k1 + level * n1, n1 * (1 + level))


def look_for(table: Leaves, measure: Measure, direction: str, *, max_depth: int = MAX_DEPTH) -> SearchResult:
    """Search the leaves for segments whose badness changed more than the rest's."""
    return search(
        table.codes,
        table.cardinalities,
        measure,
        max_depth=max_depth,
        direction=direction,
        alpha=ALPHA,
        max_segments=MOST_SEGMENTS,
        ordered=table.ordered,
    )


def scope(
    picture: Picture,
    frame: nw.LazyFrame[Any],
    bad: Badness | None,
    metric: str,
    columns: Sequence[str],
    partial: bool = False,
    whole: float = 0.0,
) -> Scope:
    """Name the segments that carry the change of one badness; global when none stands out.

    Where the frame holds a `partial` draw of the log's rows and shows nothing, the sums of all rows by single values decide.
    With `whole`, it is global too where more than that part of the change lies outside the segments that stand out.
    """
    if bad is None:
        return Scope(
            is_global=True, segments=(), metric=public(metric), because=f"{public(metric)} has no rows to slice; taken as global."
        )
    table = leaves(frame, picture, columns, bad)
    if table is None:
        return Scope(is_global=True, segments=(), metric=public(metric), because="There is no segment column to slice by.")
    result = look_for(table, measure_of(table, bad), bad.direction)
    segments = segments_of(result, table)
    clumps = clumps_of(frame, picture, bad.row) if segments else 1.0
    if clumps > 1:
        result = look_for(table, measure_of(table, bad, clumps), bad.direction)
        segments = tuple(_in_rows(s, clumps) for s in segments_of(result, table))
    if whole and segments:
        rest = rest_of(table, measure_of(table, bad, clumps), segments)
        if rest.share > whole and rest.log_p < math.log(ALPHA):
            segments = ()
    if partial and not segments:
        segments = tuple(_counted(s, table) for s in in_cubes(picture, bad, columns))
    singles = tuple(as_segment(f, table) for f in result.singles[:MOST_SINGLES])
    because = "" if segments else "No segment stands out: all traffic is affected alike."
    return Scope(is_global=not segments, segments=segments, metric=public(metric), because=because, singles=singles)


def in_cubes(picture: Picture, bad: Badness, columns: Sequence[str]) -> tuple[Segment, ...]:
    """Values of the one column in whose sums over all rows the badness stands out most; none where it is not summed."""
    best: tuple[float, tuple[Segment, ...]] = (0.0, ())
    for column in columns:
        table = _cube_leaves(picture, bad, column)
        if table is None:
            continue
        result = look_for(table, measure_of(table, bad), bad.direction, max_depth=1)
        gain = sum(f.score for f in result.found)
        segments = tuple(s for s in segments_of(result, table) if OTHER not in str(s.where[column]))
        if segments and gain > best[0]:
            best = gain, segments
    return best[1]


def _in_rows(segment: Segment, clumps: float) -> Segment:
    """Count a segment's rows, where the search counted clumps of them."""
    return replace(
        segment,
        n_before=round((segment.n_before or 0) * clumps),
        n_after=round((segment.n_after or 0) * clumps),
    )


def _counted(segment: Segment, table: Leaves) -> Segment:
    """Count a segment's rows among those at hand, as for segments that were found there."""
    ((column, condition),) = segment.where.items()
    at = table.names.index(column)
    wanted = condition if isinstance(condition, list) else [condition]
    inside = np.isin(table.codes[:, at], [i for i, v in enumerate(table.values[at]) if v in wanted])
    n = [round(float(table.sums[f"{MARK}_n_{w}"][inside].sum())) for w in WINDOWS]
    return replace(segment, n_before=n[0], n_after=n[1])


def _cube_leaves(picture: Picture, bad: Badness, column: str) -> Leaves | None:
    """Sums of the badness by value of a text column, from the buckets that lie inside the windows."""
    cube, key = picture.aggregates.cubes.get(f"segment:{column}"), bad.measure.removeprefix("-")
    if cube is None or not key or f"{key}_s" not in cube.frame.columns or cube.frame.schema[VALUE] != pl.String:
        return None
    grid = picture.grid
    whole = [np.minimum.reduceat(grid.inside(w), np.arange(0, grid.n, grid.coarse)) > 0 for w in picture.windows]
    squares = f"{key}_ss" if f"{key}_ss" in cube.frame.columns else f"{key}_s"
    sums: dict[str, Any] = {}
    by = {name: cube.by_value(f"{key}_{name}", grid.n_coarse) for name in ("n", "s")}
    by["sq"] = cube.by_value(squares, grid.n_coarse)
    values = [v for v in by["n"] if v is not None]
    if len(values) < 2:
        return None
    for window, inside in zip(WINDOWS, whole, strict=True):
        n, s, sq = (np.asarray([by[name][v][inside].sum() for v in values]) for name in ("n", "s", "sq"))
        if bad.measure.startswith("-"):
            s, sq = n - s, n - 2 * s + sq
        sums |= {f"{MARK}_{window}": s, f"{MARK}_n_{window}": n, f"{MARK}_sq_{window}": sq}
    codes = np.arange(len(values), dtype=np.int32)[:, None]
    return Leaves((column,), (tuple(values),), (False,), codes, sums, int(sums[f"{MARK}_n_before"].sum()))


def usual_requests(picture: Picture) -> float:
    """Requests that the after window would hold as usual, per request in the before window: the same hours decide."""
    n = picture.aggregates.cubes["time"].dense("n", picture.grid.n)
    before, after = (float((n * picture.grid.inside(w)).sum()) for w in picture.windows)
    volume = picture.reading("volume")
    grown = volume.after / volume.before if volume.after and volume.before else 1.0
    return after / grown / max(before, 1.0)


def flow_scope(picture: Picture, frame: nw.LazyFrame[Any], columns: Sequence[str], direction: str) -> Scope:
    """Name the segments whose requests became fewer or more than usual; global when all did alike."""
    table = leaves(frame, picture, columns, None)
    if table is None:
        return Scope(is_global=True, segments=(), metric="volume", because="There is no segment column to slice by.")
    measure = Totals(table.sums[f"{MARK}_after"], table.sums[f"{MARK}_before"] * usual_requests(picture))
    result = look_for(table, measure, direction)
    segments = segments_of(result, table) or _flowing(result, table, direction)
    return Scope(is_global=not segments, segments=segments, metric="volume", because="" if segments else "All segments alike.")


def _flowing(result: SearchResult, table: Leaves, direction: str) -> tuple[Segment, ...]:
    """The one value that carries a change of traffic, where the leaves are too thin to tell: a request or two in most of them."""
    sign = 1.0 if direction == "increase" else -1.0
    known = [
        f
        for f in result.singles
        if f.q_value <= ALPHA and f.share_of_impact >= FLOW_LEAST and sign * ((f.after or 0.0) - (f.before or 0.0)) > 0
    ]
    best = max(known, key=lambda f: abs((f.after or 0.0) - (f.before or 0.0)) / math.sqrt((f.before or 0.0) + 1.0), default=None)
    return segments_of(replace(result, found=(best,)), table) if best else ()


def segments_of(result: SearchResult, table: Leaves) -> tuple[Segment, ...]:
    """Segments of a search in the columns' own values, those of one column joined; what is nearly all traffic is left out."""
    joined = merge_values(tuple(as_segment(f, table) for f in result.found))
    return tuple(s for s in joined if (s.share_of_traffic or 0.0) < WHOLE and not _everything(s, table))


def _everything(segment: Segment, table: Leaves) -> bool:
    """Whether a segment lists all values of its one column."""
    if len(segment.where) != 1:
        return False
    ((column, condition),) = segment.where.items()
    known = [v for v in table.values[table.names.index(column)] if v is not None]
    return isinstance(condition, list) and len(condition) >= len(known)


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
