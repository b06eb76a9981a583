"""What one scan shall sum: the columns by role, the time grid, and fixed bin edges from a sample."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from rca_kit.aggregates.grid import TimeGrid

SCORE_BINS = 64  # binning error of AUC below 1/SCORE_BINS^2 for smooth scores (Hanley and McNeil's tie correction)
FEATURE_BINS = 20  # the usual resolution for PSI; quantile bins, so heavy tails do not collapse into one
LATENCY_RATIO = 1.05  # log-spaced latency bins: a percentile is right within 2.5 %
LATENCY_RANGE_MS = (0.05, 600_000.0)
LATENCY_BINS = int(np.log(LATENCY_RANGE_MS[1] / LATENCY_RANGE_MS[0]) / np.log(LATENCY_RATIO)) + 1
MAX_CATEGORIES = 200  # beyond this a value is kept by name only when it is among the most frequent
TOP_K = 50
OTHER = "\u2026other"


@dataclass(frozen=True)
class Columns:
    """Which column plays which role; the plain form of the case's roles."""

    time: str
    task: str
    score: str | None = None
    decision: str | None = None
    label: str | None = None
    error: str | None = None
    latency: str | None = None
    model_version: str | None = None
    stages: tuple[str, ...] = ()
    kpis: dict[str, str] = field(default_factory=dict)
    segments: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    positive: dict[str, Any] = field(default_factory=dict)

    def needed(self) -> list[str]:
        """Every column the scan reads, once."""
        roles = (self.time, self.score, self.decision, self.label, self.error, self.latency, self.model_version)
        return list(dict.fromkeys(c for c in (*roles, *self.stages, *self.kpis, *self.segments, *self.features) if c))


@dataclass(frozen=True)
class FeaturePlan:
    """How one column is summed: numeric with inner bin `edges`, or categorical with the values kept by name.

    `keep` is None when every value is kept. `values` maps the text of a value to the value in the column's own type.
    """

    column: str
    numeric: bool
    edges: tuple[float, ...] = ()
    keep: tuple[str, ...] | None = None
    values: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """All that fixes the shape of the aggregates. Two logs summed under one plan can be merged."""

    columns: Columns
    grid: TimeGrid
    score_edges: tuple[float, ...]
    features: tuple[FeaturePlan, ...]
    segments: tuple[FeaturePlan, ...]
    score_is_probability: bool
    binary_kpis: tuple[str, ...]
    label_kind: str  # none | binary | class | number
    decision_kind: str  # none | binary | class
    cut: tuple[float, bool] | None = None  # score from which decisions were positive, or (False) up to which


def quantile_edges(values: NDArray[np.float64], bins: int) -> tuple[float, ...]:
    """Inner edges at quantiles, distinct and ascending; every value itself when there are few.

    Examples
    --------
    >>> quantile_edges(np.array([0.0, 1.0, 1.0, 2.0]), 10)
    (0.5, 1.5)
    """
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return ()
    ordered = np.sort(finite)
    distinct = ordered[np.append(True, ordered[1:] != ordered[:-1])]
    if distinct.size <= bins:
        return tuple(float(a + (b - a) / 2) for a, b in itertools.pairwise(distinct))
    # the inverse of the distribution function; NumPy would look for each quantile anew
    at = np.ceil(ordered.size * np.linspace(0, 1, bins + 1)[1:-1] - 1).astype(int)
    return tuple(float(e) for e in np.unique(ordered[at]))


def latency_values() -> NDArray[np.float64]:
    """Middle of each latency bin in ms, shape (LATENCY_BINS,)."""
    return np.asarray(LATENCY_RANGE_MS[0] * LATENCY_RATIO ** (np.arange(LATENCY_BINS) + 0.5))


def make_plan(columns: Columns, grid: TimeGrid, sample: pl.DataFrame) -> Plan:
    """Fix edges and kept values from a sample of the log (any few thousand rows, best spread over time)."""
    score = _numbers(sample, columns.score)
    probability = score.size > 0 and float(score.min()) >= 0 and float(score.max()) <= 1
    label_kind = _outcome_kind(sample, columns.label, columns)
    decision_kind = _outcome_kind(sample, columns.decision, columns)
    if columns.task == "regression":  # an estimate may be cut to a decision of two values; one of numbers is the estimate again
        decision_kind = "binary" if columns.decision in columns.positive else "none"
    return Plan(
        columns=columns,
        grid=grid,
        score_edges=quantile_edges(score, SCORE_BINS),
        features=tuple(_feature(sample, c) for c in columns.features),
        segments=tuple(_segment(sample, c) for c in columns.segments),
        score_is_probability=bool(probability),
        binary_kpis=tuple(k for k in columns.kpis if _is_binary(sample, k)),
        label_kind=label_kind,
        decision_kind=decision_kind,
    )


def _numbers(sample: pl.DataFrame, column: str | None) -> NDArray[np.float64]:
    if column is None or not (sample.schema[column].is_numeric() or sample.schema[column] == pl.Boolean):
        return np.zeros(0)
    values = sample[column].cast(pl.Float64).drop_nulls().to_numpy()
    return np.asarray(values[np.isfinite(values)], dtype=float)


def _is_binary(sample: pl.DataFrame, column: str) -> bool:
    values = _numbers(sample, column)
    return values.size == 0 or bool(np.isin(values, (0.0, 1.0)).all())


def _outcome_kind(sample: pl.DataFrame, column: str | None, columns: Columns) -> str:
    if column is None:
        return "none"
    if column in columns.positive and columns.task not in ("regression", "multiclass"):
        return "binary"
    if sample.schema[column].is_numeric() and columns.task != "multiclass":
        return "number"
    return "class"


def _feature(sample: pl.DataFrame, column: str) -> FeaturePlan:
    dtype = sample.schema[column]
    if dtype.is_numeric():
        return FeaturePlan(column, numeric=True, edges=quantile_edges(_numbers(sample, column), FEATURE_BINS))
    return _segment(sample, column)


def _segment(sample: pl.DataFrame, column: str) -> FeaturePlan:
    if sample.schema[column].is_numeric() and sample[column].n_unique() > TOP_K:
        return FeaturePlan(column, numeric=True, edges=quantile_edges(_numbers(sample, column), FEATURE_BINS))
    counts = sample[column].drop_nulls().value_counts(name="rk_count")
    texts = counts[column].cast(pl.String).to_list()
    originals = dict(zip(texts, counts[column].to_list(), strict=True))
    if counts.height <= MAX_CATEGORIES:
        return FeaturePlan(column, numeric=False, values=originals)
    ranked = sorted(zip(counts["rk_count"].to_list(), texts, strict=True), key=lambda x: (-x[0], x[1]))
    return FeaturePlan(column, numeric=False, keep=tuple(sorted(t for _, t in ranked[:TOP_K])), values=originals)
