"""Metrics of labelled rows, each with its influence: how the metric leans on every row.

The variance of a metric is the variance of the mean of its influence; the difference of two versions on the same rows has the
difference of their influences. Pairing, clusters and repeats then need no formula of their own (Hampel 1974,
doi:10.1080/01621459.1974.10482962; for AUC this is DeLong's method).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rca_kit.stats.delong import Ranks, auc_parts, ranks

Floats = NDArray[np.float64]

PROBABILITY_FLOOR = 1e-7  # a certain and wrong answer costs 16, not infinity
EDGE_ROWS = 10_000  # rows from which the edges of ten bins are taken: each share is then right to half a percent
CALIBRATION_BINS = 10  # equal-count bins, the usual choice (Guo et al. 2017)
LOWER_IS_BETTER = frozenset({"log_loss", "brier", "mae", "rmse", "calibration_error", "error_rate"})


@dataclass(frozen=True)
class RowMetric:
    """A metric's value and its influence, shape (n,), mean zero."""

    value: float
    influence: Floats


def mean_metric(losses: Floats) -> RowMetric:
    """Metric that is a plain mean of per-row values (accuracy, log loss, mean absolute error).

    Examples
    --------
    >>> mean_metric(np.array([1.0, 0.0])).value
    0.5
    """
    value = float(losses.mean()) if len(losses) else float("nan")
    return RowMetric(value, losses - value)


def ratio_metric(numerator: Floats, denominator: Floats) -> RowMetric:
    """Metric sum(numerator) / sum(denominator): precision, recall, F1, by the delta method.

    Examples
    --------
    >>> ratio_metric(np.array([1.0, 0.0, 1.0]), np.array([1.0, 1.0, 1.0])).value  # doctest: +ELLIPSIS
    0.666...
    """
    below = float(denominator.mean()) if len(denominator) else 0.0
    if below == 0:
        return RowMetric(float("nan"), np.zeros(len(numerator)))
    value = float(numerator.mean()) / below
    influence = denominator * -value
    influence += numerator
    influence /= below
    return RowMetric(value, influence)


def auc(label: Any, score: Floats, ranked: Ranks | None = None) -> RowMetric:
    """Area under the ROC curve; `ranked` is `ranks(score)`, where it is known already."""
    parts = auc_parts(label, score, ranked)
    # class means are estimated: the same divisor as DeLong's, so that the variance agrees with his exactly
    up, down = (np.sqrt(rows / (rows - 1)) if rows > 1 else 1.0 for rows in (parts.positives, parts.negatives))
    return RowMetric(parts.auc, parts.influence * np.where(parts.label, up, down))


def average_precision_metric(label: Any, score: Floats, ranked: Ranks | None = None) -> RowMetric:
    """Average precision with its influence: the derivative by each row's weight, at given numbers of either class.

    With H and S the positives and all rows at or above a score, average precision is the mean of H / S over positives P. A row
    adds to H and S of every positive at or below it. `ranked` is `ranks(score)`, where it is known already.

    Examples
    --------
    >>> found = average_precision_metric([0, 0, 1, 1], np.array([0.1, 0.4, 0.35, 0.8]))
    >>> round(found.value, 4), abs(round(float(found.influence.mean()), 12))
    (0.8333, 0.0)
    """
    y = np.asarray(label, dtype=bool)
    n, positives = len(y), int(y.sum())
    if positives == 0:
        return RowMetric(float("nan"), np.zeros(n))
    ranked = ranks(score) if ranked is None else ranked
    order = ranked.order
    hit = y[order]
    hits = ranked.sums(hit)
    above, hits_above = np.cumsum(ranked.sizes[::-1])[::-1], np.cumsum(hits[::-1])[::-1]
    precision, share = hits_above / above, hits / above
    value = float((hits * precision).sum()) / positives
    of_rows = np.cumsum(share * precision)
    of_hits = precision - value + np.cumsum(share)
    lean = np.empty(n)
    lean[order] = (np.where(hit, ranked.spread(of_hits), 0.0) - ranked.spread(of_rows)) * (n / positives)
    if positives < n:
        up = float(lean[y].mean())
        lean -= np.where(y, up, -up * positives / (n - positives))
    return RowMetric(value, lean)


def weighted_auc(label: Any, score: Floats, weight: Floats) -> RowMetric:
    """Area under the ROC curve of weighted rows, ties counted half; NaN when a class has no weight.

    The influence takes the weights as fixed, and is that of `auc` (but for DeLong's divisor) when they are all 1.

    Examples
    --------
    >>> weighted_auc([0, 1, 0], np.array([0.2, 0.5, 0.7]), np.array([3.0, 1.0, 1.0])).value
    0.75
    """
    y = np.asarray(label, dtype=bool)
    positive, negative = float(weight[y].sum()), float(weight[~y].sum())
    if positive <= 0 or negative <= 0:
        return RowMetric(float("nan"), np.zeros(len(score)))
    order = np.argsort(score, kind="stable")
    s, w, up = score[order], weight[order], y[order]
    tie = np.cumsum(np.append(True, s[1:] != s[:-1])) - 1
    pos, neg = np.bincount(tie, w * up), np.bincount(tie, w * ~up)
    below = ((np.cumsum(neg) - neg / 2) / negative)[tie]  # share of the negatives' weight that a row beats
    above = 1 - ((np.cumsum(pos) - pos / 2) / positive)[tie]
    value = float(np.sum(w * up * below) / positive)
    influence = np.empty(len(score))
    influence[order] = len(score) * w * np.where(up, (below - value) / positive, (above - value) / negative)
    return RowMetric(value, influence)


def log_losses(label: Any, probability: Floats) -> Floats:
    """Log loss of each row, natural logarithm.

    Examples
    --------
    >>> log_losses([1, 0], np.array([0.5, 0.5])).round(3).tolist()
    [0.693, 0.693]
    """
    y = np.asarray(label, dtype=bool)
    p = np.clip(probability, PROBABILITY_FLOOR, 1 - PROBABILITY_FLOOR)
    out: Floats = -np.log(np.where(y, p, 1 - p))  # of what was said of the truth
    return out


def rmse(label: Floats, estimate: Floats) -> RowMetric:
    """Root mean squared error, by the delta method."""
    squared = mean_metric((estimate - label) ** 2)
    root = float(np.sqrt(squared.value))
    return RowMetric(root, squared.influence / (2 * root) if root > 0 else np.zeros(len(label)))


def average_precision(label: Any, score: Floats, weight: Floats | None = None) -> float:
    """Average precision (area under the precision-recall steps) of weighted rows, ties taken together as scikit-learn does.

    Examples
    --------
    >>> round(average_precision([0, 0, 1, 1], np.array([0.1, 0.4, 0.35, 0.8])), 4)
    0.8333
    """
    order = np.argsort(-score)  # equal scores are taken together below
    y, s = np.asarray(label, dtype=bool)[order], score[order]
    w = np.ones(len(s)) if weight is None else weight[order]
    last = np.append(s[1:] != s[:-1], True) if len(s) else np.zeros(0, dtype=bool)
    hits, seen = np.cumsum(w * y)[last], np.cumsum(w)[last]
    if not len(hits) or hits[-1] == 0:
        return float("nan")
    return float(np.sum(hits / np.where(seen > 0, seen, 1.0) * np.diff(hits, prepend=0.0)) / hits[-1])


Bins = tuple[NDArray[np.intp], int]  # the bin of each row, and how many bins there are


def equal_count_bins(probability: Floats, bins: int = CALIBRATION_BINS) -> Bins:
    """Code each row by its bin of about equal count; edges from an even draw of the rows, sorting all would tell no more.

    Examples
    --------
    >>> equal_count_bins(np.array([0.2, 0.8, 0.4, 0.9]), bins=2)
    (array([0, 1, 0, 1]), 2)
    """
    drawn = probability[:: max(1, len(probability) // EDGE_ROWS)]
    edges = np.unique(np.quantile(drawn, np.linspace(0, 1, bins + 1)[1:-1]))
    code = np.zeros(len(probability), dtype=np.intp)
    for edge in edges:  # nine edges are compared faster than searched for
        code += probability >= edge
    return code, len(edges) + 1


def calibration_bins(label: Any, probability: Floats, bins: int = CALIBRATION_BINS, binned: Bins | None = None
                     ) -> NDArray[np.float64]:
    """Reliability table: mean probability, share of positives and rows of each equal-count bin; shape (bins, 3).

    `binned` is `equal_count_bins(probability, bins)`, where it is known already.

    Examples
    --------
    >>> calibration_bins([0, 1], np.array([0.2, 0.8]), bins=2).tolist()
    [[0.2, 0.0, 1.0], [0.8, 1.0, 1.0]]
    """
    code, size = equal_count_bins(probability, bins) if binned is None else binned
    n = np.bincount(code, minlength=size).astype(np.float64)
    used = n > 0
    p = np.bincount(code, weights=probability, minlength=len(n))[used] / n[used]
    k = np.bincount(code, weights=np.asarray(label, dtype=np.float64), minlength=len(n))[used] / n[used]
    return np.column_stack([p, k, n[used]])


def calibration_error(label: Any, probability: Floats) -> float:
    """Mean distance of probability and share of positives over equal-count bins, in [0, 1].

    Examples
    --------
    >>> calibration_error([0, 1, 0, 1], np.array([0.5, 0.5, 0.5, 0.5]))
    0.0
    """
    table = calibration_bins(label, probability)
    return float(np.sum(np.abs(table[:, 0] - table[:, 1]) * table[:, 2]) / table[:, 2].sum())


def calibration_metric(label: Any, probability: Floats, bins: int = CALIBRATION_BINS, binned: Bins | None = None) -> RowMetric:
    """Calibration error with its influence, the bins taken as fixed; `binned` as for `calibration_bins`.

    Examples
    --------
    >>> calibration_metric([0, 1, 1, 1], np.array([0.5, 0.5, 0.5, 0.5])).value
    0.25
    """
    code, size = equal_count_bins(probability, bins) if binned is None else binned
    gap = probability - np.asarray(label, dtype=np.float64)
    side = np.sign(np.bincount(code, weights=gap, minlength=size))
    return mean_metric(side[code] * gap)


def decision_metrics(label: Any, decided: Any) -> dict[str, RowMetric]:
    """Accuracy, precision, recall, F1 and positive rate of 0/1 decisions.

    Examples
    --------
    >>> {k: round(v.value, 3) for k, v in decision_metrics([1, 0, 1], [1, 1, 0]).items()}
    {'accuracy': 0.333, 'precision': 0.5, 'recall': 0.5, 'f1': 0.5, 'positive_rate': 0.667}
    """
    y, d = np.asarray(label, dtype=np.float64), np.asarray(decided, dtype=np.float64)
    hit = y * d
    return {
        "accuracy": mean_metric((y == d).astype(np.float64)),
        "precision": ratio_metric(hit, d),
        "recall": ratio_metric(hit, y),
        "f1": ratio_metric(2 * hit, y + d),
        "positive_rate": mean_metric(d),
    }
