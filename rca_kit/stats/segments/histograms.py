"""AUC and percentiles as measures that add up: placements and exceedances from histograms."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rca_kit.errors import BadInput
from rca_kit.stats.segments.counts import Counts
from rca_kit.stats.segments.means import Means

Floats = NDArray[np.float64]


def auc_means(positives_before: Floats, negatives_before: Floats, positives_after: Floats, negatives_after: Floats) -> Means:
    """Turn score histograms by label into a measure of ranking quality that adds up over leaves.

    Every positive is placed among all negatives of the before-window, every negative among all positives (DeLong's
    placements, doi 10.2307/2531595). The mean placement of a segment is its AUC against the whole population, so a segment
    whose scores stop separating shows as a fall.

    Parameters
    ----------
    positives_before, negatives_before, positives_after, negatives_after : (n, b) array
        Rows per leaf and score bin, ascending scores.

    Returns
    -------
    Means
        Moments of the placements, one value per labelled row.

    Examples
    --------
    >>> m = auc_means(np.array([[0., 4.]]), np.array([[4., 0.]]), np.array([[4., 0.]]), np.array([[0., 4.]]))
    >>> float(m.sum_before[0] / m.n_before[0]), float(m.sum_after[0] / m.n_after[0])
    (1.0, 0.5)
    """
    arrays = [np.asarray(a, dtype=np.float64) for a in (positives_before, negatives_before, positives_after, negatives_after)]
    if any(a.ndim != 2 or a.shape != arrays[0].shape for a in arrays):
        raise BadInput("histograms differ in shape", found=str([a.shape for a in arrays]), expected="four equal (leaves, bins)")
    negatives, positives = arrays[1].sum(0), arrays[0].sum(0)
    below = (np.cumsum(negatives) - negatives / 2) / max(negatives.sum(), 1e-9)
    above = 1.0 - (np.cumsum(positives) - positives / 2) / max(positives.sum(), 1e-9)
    moments = []
    for pos, neg in ((arrays[0], arrays[1]), (arrays[2], arrays[3])):
        moments += [pos @ below + neg @ above, pos @ below**2 + neg @ above**2, pos.sum(1) + neg.sum(1)]
    return Means(*moments)


def exceedances(before: Floats, after: Floats, quantile: float) -> Counts:
    """Turn histograms into counts of rows above the before-window's quantile: a percentile that adds up over leaves.

    Parameters
    ----------
    before, after : (n, b) array
        Rows per leaf and value bin, ascending values.
    quantile : float
        Between 0 and 1, for example 0.95. The bin that holds it is split in proportion.

    Returns
    -------
    Counts
        ``k``: rows above; ``n``: rows.

    Examples
    --------
    >>> c = exceedances(np.array([[9., 1.]]), np.array([[5., 5.]]), 0.9)
    >>> float(c.k_before[0]), float(c.k_after[0])
    (1.0, 5.0)
    """
    if not 0.0 < quantile < 1.0:
        raise BadInput("quantile is out of range", found=str(quantile), expected="between 0 and 1")
    b, a = np.asarray(before, dtype=np.float64), np.asarray(after, dtype=np.float64)
    total = b.sum(0)
    target = quantile * total.sum()
    cumulated = np.cumsum(total)
    edge = int(np.searchsorted(cumulated, target))
    edge = min(edge, len(total) - 1)
    part = (cumulated[edge] - target) / total[edge] if total[edge] > 0 else 0.0
    above = np.zeros(len(total))
    above[edge + 1:] = 1.0
    above[edge] = min(max(part, 0.0), 1.0)
    return Counts(b @ above, b.sum(1), a @ above, a.sum(1))
