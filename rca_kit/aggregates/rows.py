"""Row-level helper columns that the sums are taken of. All names start with `rk_`; booleans become integers for SQL."""

from __future__ import annotations

import math
from typing import Any

import narwhals as nw

from rca_kit.aggregates.cube import BUCKET
from rca_kit.aggregates.plan import LATENCY_RANGE_MS, LATENCY_RATIO, OTHER, FeaturePlan, Plan
from rca_kit.sources.clock import epoch_us, micros

LOG_LOSS_FLOOR = 1e-6  # scikit-learn clips at machine epsilon, where one row can outweigh a day; this bounds a row at 13.8
NO_ERROR = ("", "none", "None", "ok", "OK", "null", "0", "false", "False", "200")  # how logs write "no error"


def as_number(name: str, dtype: Any) -> nw.Expr:
    """Read a column as float, with NaN and infinities as null."""
    column = nw.col(name)
    if dtype == nw.Boolean:
        return column.cast(nw.Int64).cast(nw.Float64)
    if dtype.is_float():
        return nw.when(column.is_finite()).then(column.cast(nw.Float64))
    return column.cast(nw.Float64)


def as_text(name: str, keep: tuple[str, ...] | None = None) -> nw.Expr:
    """Read a column as text; values that are not kept become `OTHER`, null stays null."""
    text = nw.col(name).cast(nw.String)
    if keep is None:
        return text
    return nw.when(text.is_null() | text.is_in(list(keep))).then(text).otherwise(nw.lit(OTHER))


def bin_index(value: nw.Expr, edges: tuple[float, ...], branching: bool = False) -> nw.Expr:
    """Number of inner edges at or below the value: 0..len(edges); null stays null.

    Counted edge by edge, or found by halving (`branching`), which engines that go row by row do in a fraction of the time;
    Polars, which goes column by column, would take every branch for every row.
    """
    if not edges:
        return nw.when(~value.is_null()).then(nw.lit(0, nw.Int64))
    if branching:
        return nw.when(~value.is_null()).then(_halved(value, edges, 0, len(edges)))
    counted = nw.sum_horizontal(*[(value >= e).cast(nw.Int32) for e in edges]).cast(nw.Int64)
    return nw.when(~value.is_null()).then(counted)


def _halved(value: nw.Expr, edges: tuple[float, ...], low: int, high: int) -> nw.Expr:
    if low == high:
        return nw.lit(low, nw.Int64)
    middle = (low + high) // 2
    return nw.when(value < edges[middle]).then(_halved(value, edges, low, middle)).otherwise(
        _halved(value, edges, middle + 1, high))


def log_bin(value: nw.Expr) -> nw.Expr:
    """Number of the log-spaced latency bin, 0..LATENCY_BINS-1; null stays null."""
    steps = (value.clip(LATENCY_RANGE_MS[0], LATENCY_RANGE_MS[1]) / LATENCY_RANGE_MS[0]).log() / math.log(LATENCY_RATIO)
    return nw.when(~value.is_null()).then(steps.floor().cast(nw.Int64))


def value_key(feature: FeaturePlan, dtype: Any, branching: bool = False) -> nw.Expr:
    """Key of a feature's value: bin number or text."""
    if feature.numeric:
        return bin_index(as_number(feature.column, dtype), feature.edges, branching)
    return as_text(feature.column, feature.keep)


def flag(name: str, positive: Any) -> nw.Expr:
    """1 where the column equals its positive value, 0 elsewhere, null where null."""
    equal: nw.Expr = nw.col(name) == positive
    return equal.cast(nw.Int64)


def outcome_columns(plan: Plan, schema: dict[str, Any]) -> dict[str, nw.Expr]:
    """Give the outcome measures of a row; each is summed with its count of non-null rows.

    The names are `<measure>`; sums are `<measure>_n`, `<measure>_s` and, for numbers, `<measure>_ss`.
    """
    c = plan.columns
    out: dict[str, nw.Expr] = {}
    score = as_number(c.score, schema[c.score]) if c.score else None
    if score is not None:
        out["score"] = score
    label = decision = None
    if plan.label_kind == "binary" and c.label:
        label = flag(c.label, c.positive[c.label])
        out["label"] = label
    if plan.decision_kind == "binary" and c.decision:
        decision = flag(c.decision, c.positive[c.decision])
        out["decision"] = decision
    if plan.cut is not None and decision is not None and score is not None:
        at, up = plan.cut
        implied = (score >= at) if up else (score < at)
        out["off_cut"] = (implied != (decision == 1)).cast(nw.Int64)
    if label is not None and decision is not None:
        out["tp"] = label * decision
        out["called"] = nw.when(~label.is_null()).then(decision)
    if label is not None and score is not None and plan.score_is_probability:
        p = score.clip(LOG_LOSS_FLOOR, 1 - LOG_LOSS_FLOOR)
        out["log_loss"] = -(label * p.log() + (1 - label) * (1 - p).log())
        out["gap"] = score - label
    if plan.label_kind == "number" and c.label and score is not None:
        error = score - as_number(c.label, schema[c.label])
        out["gap"] = error
        out["abs_error"] = error.abs()
        out["square_error"] = error * error
    if plan.label_kind == "class" and c.label and c.decision:
        correct = (nw.col(c.decision).cast(nw.String) == nw.col(c.label).cast(nw.String)).cast(nw.Int64)
        out["correct"] = correct
        if score is not None and plan.score_is_probability:
            out["gap"] = score - correct
    if label is not None and decision is not None:
        out["correct"] = (label == decision).cast(nw.Int64)
    if c.error:
        out["error"] = error_flag(c.error, schema[c.error])
    for name in (c.latency, *c.stages):
        if name:
            value = as_number(name, schema[name])
            out[f"log:{name}"] = nw.when(value > 0).then(value).log()
    for name in c.kpis:
        out[f"kpi:{name}"] = flag(name, c.positive[name]) if name in c.positive else as_number(name, schema[name])
    return out


def error_flag(name: str, dtype: Any) -> nw.Expr:
    """1 where the request failed: a non-null error that does not spell success; true or non-zero for flags and counts."""
    column = nw.col(name)
    if dtype == nw.Boolean or dtype.is_numeric():
        failed = column.cast(nw.Float64) != 0.0
    else:
        failed = ~column.cast(nw.String).is_in(list(NO_ERROR))
    return nw.when(column.is_null()).then(nw.lit(0, nw.Int64)).otherwise(failed.cast(nw.Int64))


FLAGS = ("label", "decision", "off_cut", "tp", "called", "correct", "error")
"""Measures that are 0 or 1: their sum of squares is their sum and is not kept."""


def bucket(frame: nw.LazyFrame[Any], plan: Plan) -> nw.Expr:
    """Fine bucket number of a row."""
    since = micros(frame, plan.columns.time) - epoch_us(plan.grid.origin)
    return (since // (plan.grid.width_s * 1_000_000)).cast(nw.Int64).alias(BUCKET)
