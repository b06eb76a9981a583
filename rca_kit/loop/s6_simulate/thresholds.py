"""What-ifs that need no model: other decision thresholds, recalibrated scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from rca_kit.findings.base import Finding
from rca_kit.findings.scope import Segment, describe_where
from rca_kit.findings.simulation import Trial
from rca_kit.loop.s6_simulate.whatif import DECISION_METRICS, MIN_ROWS, Rows, best_threshold, measure, restored
from rca_kit.loop.tables import encode
from rca_kit.stats.distances import logit

Floats = NDArray[np.float64]

SWEPT = 41  # thresholds tried, at equal steps of the scores' quantiles
SAME_THRESHOLD = 0.02  # share of decisions that would change between two thresholds that count as one
CALIBRATIONS = ("isotonic", "platt")


@dataclass(frozen=True)
class SweepPoint:
    """Decision metrics at one threshold, in one window and segment."""

    window: str
    segment: str
    threshold: float
    n: int
    precision: float | None
    recall: float | None
    f1: float | None
    accuracy: float | None
    positive_rate: float | None
    in_use: bool


@dataclass(frozen=True, repr=False)
class ThresholdSweep(Finding):
    """Decision metrics over thresholds before and after, overall and per segment; `in_use` marks what the log shows."""

    next_call = "`.frame()`"

    points: tuple[SweepPoint, ...]
    before: float | None
    after: float | None

    def says(self) -> str:
        """Name the thresholds in use."""
        if self.before is None or self.after is None:
            return "The decisions do not follow one threshold of the score."
        return f"Decisions were cut at {self.before:.4g} before and at {self.after:.4g} after."

    def rows(self) -> list[dict[str, Any]]:
        """One row per window, segment and threshold."""
        return [dict(vars(p)) for p in self.points]


def sweep_thresholds(before: Rows, after: Rows, dimensions: Sequence[str] = (), steps: int = SWEPT) -> ThresholdSweep:
    """Sweep the decision threshold over both windows, overall and for each value of the dimensions.

    Examples
    --------
    >>> from rca_kit.loop.s6_simulate.whatif import rows_of
    >>> rng = np.random.default_rng(0)
    >>> p = rng.random(2000)
    >>> f = pl.DataFrame({"s": p, "y": (rng.random(2000) < p) * 1})
    >>> a, b = (rows_of(f.with_columns(d=(pl.col("s") > t) * 1), "s", "d", "y") for t in (0.5, 0.7))
    >>> sweep_thresholds(a, b).says()
    'Decisions were cut at 0.5 before and at 0.6998 after.'
    """
    cuts = {"before": best_threshold(before), "after": best_threshold(after)}
    scores = np.concatenate([r.score[~np.isnan(r.score)] for r in (before, after)])
    if not len(scores):
        return ThresholdSweep((), None, None)
    grid = np.unique(np.concatenate([np.quantile(scores, np.linspace(0, 1, steps)), [c for c in cuts.values() if c is not None]]))
    points = []
    for window, rows in (("before", before), ("after", after)):
        parts = [("all", np.ones(len(rows), dtype=bool))]
        for d in encode(rows.frame, [x for x in dimensions if x in rows.frame.columns]):
            parts += [(describe_where({d.name: c}), d.codes == i) for i, c in enumerate(d.conditions)]
        for name, inside in parts:
            part = rows.select(inside)
            if len(part) < MIN_ROWS:
                continue
            for threshold in grid if name == "all" else [c for c in cuts.values() if c is not None]:
                cut = part.having(decision=_cut(part.score, threshold))
                values = {m: _value(m, cut) for m in ("precision", "recall", "f1", "accuracy", "positive_rate")}
                points.append(SweepPoint(window, name, float(threshold), len(part), **values, in_use=threshold == cuts[window]))
    return ThresholdSweep(tuple(points), cuts["before"], cuts["after"])


def threshold_trials(metric: str, before: Rows, after: Rows, affected: Sequence[Segment] = ()) -> list[Trial]:
    """Put the threshold of before on the scores of after, overall or in the affected segments, and see what returns."""
    if metric not in DECISION_METRICS:
        return []
    out = []
    wheres: list[dict[str, Any]] = [{}, *[s.where for s in affected if len(s.where) == 1]]
    for where in wheres:
        rows_in = [inside_segment(r, where) for r in (before, after)]
        old, new = (best_threshold(r.select(i)) for r, i in zip((before, after), rows_in, strict=True))
        if old is None or new is None:
            continue
        swapped = np.where(rows_in[1] & ~np.isnan(after.score), _cut(after.score, old), after.decision)
        moved = float(np.mean(swapped[rows_in[1]] != after.decision[rows_in[1]]))
        place = f" where {describe_where(where)}" if where else ""
        if moved < SAME_THRESHOLD:
            if not where:
                out.append(Trial("threshold", "threshold", "unchanged", f"Decisions are cut at {new:.4g} as before.", metric))
            continue
        got = restored(metric, before, after, after.having(decision=swapped))
        if got is None:
            continue
        says = (
            f"The threshold went from {old:.4g} to {new:.4g}{place}; put back, {metric} goes from {got.after:.4g} to "
            f"{got.changed:.4g} (before {got.before:.4g}): {got.share:.0%} returns."
        )
        out.append(Trial("threshold", "threshold", verdict_of(got.share, got.interval), says, metric, got.share, got.interval))
    return out


def calibration_trials(metric: str, before: Rows, after: Rows, seed: int = 0) -> list[Trial]:
    """Recalibrate the scores of after, each half by a map fitted on the other, and see what returns."""
    if metric not in ("log_loss", "calibration_error", *DECISION_METRICS):
        return []
    known = ~np.isnan(after.score) & ~np.isnan(after.label)
    if known.sum() < 4 * MIN_ROWS or not np.isin(after.label[known], (0.0, 1.0)).all():
        return []
    if after.score[known].min() < 0 or after.score[known].max() > 1:
        return []
    cut = best_threshold(after) if metric in DECISION_METRICS else None
    if metric in DECISION_METRICS and cut is None:
        return []
    out = []
    for kind in CALIBRATIONS:
        scores = recalibrated(after.score, after.label, kind, seed)
        changed = after.having(score=scores)
        if cut is not None:
            changed = changed.having(decision=_cut(scores, cut))
        got = restored(metric, before, after, changed)
        if got is None:
            return []
        says = f"Recalibrated ({kind}), {metric} goes from {got.after:.4g} to {got.changed:.4g}: {got.share:.0%} returns."
        out.append(Trial("calibration", kind, verdict_of(got.share, got.interval), says, metric, got.share, got.interval))
    return out


def recalibrated(score: Floats, label: Floats, kind: str, seed: int = 0) -> Floats:
    """Scores recalibrated without seeing their own label: two halves, each mapped by a fit on the other.

    `kind` is isotonic (Zadrozny and Elkan 2002) or platt (Platt 1999: a logistic fit on the log-odds).
    """
    known = ~np.isnan(score) & ~np.isnan(label)
    half = np.random.default_rng((seed, len(score))).random(len(score)) < 0.5
    out = score.copy()
    for side in (half, ~half):
        fit = known & ~side
        if len(np.unique(label[fit])) < 2:
            return score
        apply = side & ~np.isnan(score)
        if kind == "isotonic":
            made = _isotonic(score[fit], label[fit], score[apply])
            # a certain 0 or 1 from a handful of rows would cost without limit
            out[apply] = np.clip(made, 1 / (fit.sum() + 2), 1 - 1 / (fit.sum() + 2))
        else:
            slope, intercept = _platt(logit(score[fit]), label[fit])
            out[apply] = 1 / (1 + np.exp(-(slope * logit(score[apply]) + intercept)))
    return out


def _isotonic(x: Floats, y: Floats, at: Floats) -> Floats:
    """Fit y as a rising function of x, equal x taken together, and read it between the fitted points."""
    from scipy.optimize import isotonic_regression

    values, inverse, counts = np.unique(x, return_inverse=True, return_counts=True)
    fitted = isotonic_regression(np.bincount(inverse, y) / counts, weights=counts).x
    return np.asarray(np.interp(at, values, fitted))


def _platt(x: Floats, y: Floats) -> tuple[float, float]:
    """Logistic regression on one input, by Newton's method with Platt's softened targets."""
    pos, neg = y.sum(), len(y) - y.sum()
    target = np.where(y > 0, (pos + 1) / (pos + 2), 1 / (neg + 2))
    beta = np.asarray([1.0, 0.0])
    design = np.column_stack([x, np.ones(len(x))])
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(design @ beta, -30, 30)))
        hessian = design.T @ (design * (p * (1 - p))[:, None]) + 1e-9 * np.eye(2)
        step = np.linalg.solve(hessian, design.T @ (target - p))
        beta = beta + np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-8:
            break
    return float(beta[0]), float(beta[1])


def verdict_of(share: float, interval: tuple[float, float]) -> str:
    """Name how much of a change a trial takes back: restores (most, surely), part, or nothing."""
    if interval[0] > 0.5:
        return "restores"
    if interval[0] > 0:
        return "part"
    return "nothing" if interval[1] < 0.5 else "undecided"


def _cut(score: Floats, threshold: float) -> Floats:
    return np.where(np.isnan(score), np.nan, (score >= threshold).astype(np.float64))


def _value(metric: str, rows: Rows) -> float | None:
    found = measure(metric, rows)
    return None if found is None else found.value


def inside_segment(rows: Rows, where: dict[str, Any]) -> NDArray[np.bool_]:
    """Whether each row is in a segment."""
    out = np.ones(len(rows), dtype=bool)
    for name, condition in where.items():
        if name not in rows.frame.columns:
            return np.zeros(len(rows), dtype=bool)
        column = rows.frame[name]
        if condition is None:
            test = column.is_null()
        elif isinstance(condition, dict):
            test = column.is_not_null()
            if condition.get("ge") is not None:
                test = test & (column >= condition["ge"])
            if condition.get("lt") is not None:
                test = test & (column < condition["lt"])
        else:
            values = list(condition) if isinstance(condition, (list, tuple)) else [condition]
            text = column.cast(pl.String)
            test = text.is_in([str(v).lower() if isinstance(v, bool) else str(v) for v in values if v is not None])
            if None in values:
                test = test.fill_null(True)
        out &= test.fill_null(False).to_numpy()
    return out
