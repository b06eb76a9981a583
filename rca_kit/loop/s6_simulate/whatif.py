"""What a metric would be under changed scores or decisions, and how much of its change that takes back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from rca_kit.findings.base import Interval
from rca_kit.loop.tables import numbers
from rca_kit.stats import rowmetrics as rm
from rca_kit.stats.cuts import best_cut

Floats = NDArray[np.float64]

DECISION_METRICS = ("accuracy", "precision", "recall", "f1", "positive_rate")
SCORE_METRICS = ("auc", "average_precision", "log_loss", "calibration_error", "score_mean")
VALUE_METRICS = ("mae", "rmse", "bias")
JACKKNIFE_BLOCKS = 50  # for metrics without an influence function
VISIBLE_SIGMAS = 3.0  # the sampled rows must show the metric's change this clearly, or a share of it means nothing
MIN_ROWS = 100
FOLLOWED = 0.98  # part of the decisions that must agree with one cut


@dataclass(frozen=True)
class Rows:
    """Sampled rows of one window: NaN where unknown. `frame` holds their features and segments."""

    frame: pl.DataFrame
    score: Floats
    decision: Floats
    label: Floats

    def __len__(self) -> int:
        return self.frame.height

    def having(self, **changed: Any) -> Rows:
        """Give the same rows with other scores or decisions."""
        return replace(self, **changed)

    def select(self, rows: Any) -> Rows:
        """Give some of the rows."""
        return Rows(self.frame.filter(pl.Series(rows)), self.score[rows], self.decision[rows], self.label[rows])


@dataclass(frozen=True)
class Restored:
    """Share of a metric's change that was taken back, with its 95 % interval, and the metric's three values."""

    share: float
    interval: Interval
    before: float
    after: float
    changed: float


def rows_of(
    frame: pl.DataFrame, score: str | None, decision: str | None, label: str | None, positive: dict[str, Any] | None = None
) -> Rows:
    """Read the columns of a log sample; two-valued texts become 0/1 by the value that counts as positive."""

    def read(name: str | None, role: str) -> Floats:
        if name is None or name not in frame.columns:
            return np.full(frame.height, np.nan)
        column, yes = frame[name], (positive or {}).get(role)
        if column.dtype == pl.String or column.dtype == pl.Categorical:
            if yes is None:
                return np.full(frame.height, np.nan)
            known = column.is_not_null().to_numpy()
            return np.where(known, (column.cast(pl.String) == str(yes)).fill_null(False).to_numpy(), np.nan)
        values = numbers(column)
        if yes is not None and isinstance(yes, (int, float)) and not isinstance(yes, bool) and yes != 1:
            return np.where(np.isnan(values), np.nan, values == yes)
        return values

    return Rows(frame, read(score, "score"), read(decision, "decision"), read(label, "label"))


def measure(metric: str, rows: Rows, weight: Floats | None = None) -> rm.RowMetric | None:
    """Value and influence (one per row, zero where the row does not count) of a metric; None when it cannot be computed.

    With `weight`, rows count by their weight.
    """
    needs = {
        "score": metric in SCORE_METRICS or metric in VALUE_METRICS,
        "decision": metric in DECISION_METRICS,
        "label": metric not in ("score_mean", "positive_rate"),
    }
    used = np.ones(len(rows), dtype=bool)
    for name, needed in needs.items():
        if needed:
            used &= ~np.isnan(getattr(rows, name))
    if used.sum() < MIN_ROWS:
        return None
    y, s, d = rows.label[used], rows.score[used], rows.decision[used]
    if needs["label"] and metric not in VALUE_METRICS and not np.isin(y, (0.0, 1.0)).all():
        return None
    w = None if weight is None else weight[used] * used.sum() / weight[used].sum()
    found = _metric(metric, y, s, d, w)
    if found is None or not np.isfinite(found.value):
        return None
    influence = np.zeros(len(rows))
    influence[used] = found.influence * len(rows) / used.sum()
    return rm.RowMetric(found.value, influence)


def _metric(metric: str, y: Floats, s: Floats, d: Floats, w: Floats | None) -> rm.RowMetric | None:
    if w is not None:
        return _weighted(metric, y, s, d, w)
    if metric == "auc":
        return rm.auc(y, s) if 0 < y.sum() < len(y) else None
    if metric in ("log_loss", "calibration_error") and (s.min() < 0 or s.max() > 1):
        return None
    if metric == "log_loss":
        return rm.mean_metric(rm.log_losses(y, s))
    if metric == "score_mean":
        return rm.mean_metric(s)
    if metric == "calibration_error":
        return rm.calibration_metric(y, s)
    if metric == "average_precision":
        return rm.average_precision_metric(y, s) if 0 < y.sum() < len(y) else None
    if metric == "mae":
        return rm.mean_metric(np.abs(s - y))
    if metric == "rmse":
        return rm.rmse(y, s)
    if metric == "bias":
        return rm.mean_metric(s - y)
    if metric in DECISION_METRICS:
        return rm.decision_metrics(np.where(np.isnan(y), 0.0, y), d)[metric]
    return None


def _weighted(metric: str, y: Floats, s: Floats, d: Floats, w: Floats) -> rm.RowMetric | None:
    """Metric of weighted rows, the weights (mean 1) taken as fixed."""
    if metric == "auc":
        return rm.weighted_auc(y, s, w)
    if metric == "average_precision":
        return _blocks(lambda weight: rm.average_precision(y, s, weight), w)
    values: dict[str, Callable[[], Floats]] = {
        "log_loss": lambda: rm.log_losses(y, s),
        "score_mean": lambda: s,
        "mae": lambda: np.abs(s - y),
        "bias": lambda: s - y,
        "accuracy": lambda: (y == d).astype(np.float64),
        "positive_rate": lambda: d,
        "rmse": lambda: (s - y) ** 2,
    }
    if metric in values:
        mean = rm.ratio_metric(w * values[metric](), w)
        if metric != "rmse":
            return mean
        root = float(np.sqrt(mean.value))
        return rm.RowMetric(root, mean.influence / (2 * root) if root > 0 else np.zeros(len(y)))
    ratio = {"precision": (y * d, d), "recall": (y * d, y), "f1": (2 * y * d, y + d)}.get(metric)
    return None if ratio is None else rm.ratio_metric(w * ratio[0], w * ratio[1])


def _blocks(value: Callable[[Floats], float], w: Floats) -> rm.RowMetric:
    """Block jackknife as an influence: its mean square over n is the jackknife variance (Efron and Stein 1981)."""
    n = len(w)
    blocks = min(JACKKNIFE_BLOCKS, n)
    block = np.arange(n) % blocks
    left_out = np.asarray([value(np.where(block == b, 0.0, w)) for b in range(blocks)])
    return rm.RowMetric(value(w), np.sqrt(n * (blocks - 1)) * (left_out - left_out.mean())[block] * -1.0)


def restored(
    metric: str, before: Rows, after: Rows, changed: Rows | None, weight: Floats | None = None, base: Rows | None = None
) -> Restored | None:
    """How much of the way from `before` to `after` the changed rows (or weights on `after`) take the metric back.

    Parameters
    ----------
    metric : str
        Name of the metric.
    before, after : Rows
        What was logged: their difference is the change to be taken back.
    changed : Rows or None
        The rows of `after` with other scores or decisions; None for the rows as they are.
    weight : ndarray, optional
        Weights of the changed rows.
    base : Rows, optional
        The rows of `after` that the changed ones are compared with; `after` itself when absent. (A model that is asked again
        may not give the logged scores: then its own are the base.)

    Returns
    -------
    Restored or None
        None when the metric cannot be computed, or its change does not show in these rows. 1 is all of it, 0 none; below zero
        it got further away.
    """
    b, base = measure(metric, before), after if base is None else base
    a = measure(metric, after)
    c = measure(metric, changed if changed is not None else after, weight)
    o = a if base is after else measure(metric, base)
    if b is None or a is None or c is None or o is None:
        return None
    gap = b.value - a.value
    se_gap = float(np.sqrt(np.var(b.influence) / len(before) + np.var(a.influence) / len(after)))
    if not abs(gap) > VISIBLE_SIGMAS * se_gap:
        return None
    share = (c.value - o.value) / gap
    # delta method for the ratio: rows of `after` enter both its ends, rows of `before` the gap only
    rows_after = (c.influence - o.influence + share * a.influence) / gap
    rows_before = share * b.influence / gap
    se = float(np.sqrt(np.var(rows_after) / len(after) + np.var(rows_before) / len(before)))
    return Restored(share, (share - 1.96 * se, share + 1.96 * se), b.value, o.value, c.value)


def shows_in(metric: str, before: Rows, after: Rows) -> bool:
    """Whether the metric's change shows in these rows."""
    return restored(metric, before, after, after) is not None


def best_threshold(rows: Rows) -> float | None:
    """Cut of the score that agrees best with the decisions, None when no cut agrees with 98 % of them.

    Examples
    --------
    >>> f = pl.DataFrame({"s": [0.1, 0.2, 0.6, 0.9] * 30, "d": [0, 0, 1, 1] * 30})
    >>> round(best_threshold(rows_of(f, "s", "d", None)), 2)
    0.4
    """
    known = ~np.isnan(rows.score) & ~np.isnan(rows.decision)
    s, d = rows.score[known], rows.decision[known]
    if len(s) < MIN_ROWS or not 0 < d.sum() < len(d):
        return None
    cut = best_cut(s, d)
    return cut.at if cut.up and cut.clean >= FOLLOWED else None
