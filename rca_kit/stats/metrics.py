"""Metrics from sufficient statistics, each with its standard error.

Arrays have one row per cell (a time bucket, a segment, a window): shape (..., ) unless said otherwise.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


class Estimate(NamedTuple):
    """A value, its standard error and the number of observations behind it; NaN where there are none."""

    value: Floats
    error: Floats
    n: Floats


def rate(k: ArrayLike, n: ArrayLike) -> Estimate:
    """Proportion k/n with the standard error of Agresti and Coull (doi:10.1080/00031305.1998.10480550).

    The error comes from (k + 2) / (n + 4), so that it is not zero at k = 0 or k = n.

    Examples
    --------
    >>> e = rate([5.0], [100.0])
    >>> round(float(e.value[0]), 3), round(float(e.error[0]), 4)
    (0.05, 0.0251)
    """
    k, n = np.asarray(k, float), np.asarray(n, float)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = k / n
        smooth = (k + 2) / (n + 4)
        error = np.sqrt(smooth * (1 - smooth) / n)
    return Estimate(np.where(n > 0, p, np.nan), np.where(n > 0, error, np.nan), n)


def mean(total: ArrayLike, squares: ArrayLike, n: ArrayLike) -> Estimate:
    """Mean from sum, sum of squares and count; error is s / sqrt(n), NaN below two observations.

    Examples
    --------
    >>> e = mean([6.0], [14.0], [3.0])
    >>> float(e.value[0]), round(float(e.error[0]), 4)
    (2.0, 0.5774)
    """
    s, ss, n = np.asarray(total, float), np.asarray(squares, float), np.asarray(n, float)
    with np.errstate(divide="ignore", invalid="ignore"):
        m = s / n
        variance = np.maximum(ss / n - m * m, 0) * n / (n - 1)
        error = np.sqrt(variance / n)
    return Estimate(np.where(n > 0, m, np.nan), np.where(n > 1, error, np.nan), n)


def auc(negatives: ArrayLike, positives: ArrayLike) -> Estimate:
    """Area under the ROC curve from score histograms by class, ties within a bin counted half.

    Parameters
    ----------
    negatives, positives : array_like, shape (..., bins)
        Counts per score bin, lowest scores first.

    Returns
    -------
    Estimate
        Error from the variance of placement values (DeLong et al. 1988, doi:10.2307/2531595) on the binned scores. `n` is
        the smaller class. Binning moves the area by at most half the share of pairs that fall into one bin.

    Examples
    --------
    >>> e = auc([[3.0, 1.0]], [[1.0, 3.0]])
    >>> float(e.value[0])
    0.75
    """
    neg, pos = np.asarray(negatives, float), np.asarray(positives, float)
    n0, n1 = neg.sum(-1), pos.sum(-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        below = (np.cumsum(neg, -1) - neg / 2) / n0[..., None]  # placement of a positive in bin b among the negatives
        above = 1 - (np.cumsum(pos, -1) - pos / 2) / n1[..., None]
        area = (pos * below).sum(-1) / n1
        v1 = (pos * (below - area[..., None]) ** 2).sum(-1) / (n1 - 1)
        v0 = (neg * (above - area[..., None]) ** 2).sum(-1) / (n0 - 1)
        error = np.sqrt(v1 / n1 + v0 / n0)
    usable = (n0 > 1) & (n1 > 1)
    # a perfectly separated handful has placement variance zero, which is not certainty
    floor = 0.5 / np.maximum(np.minimum(n0, n1), 1) / np.sqrt(3)
    return Estimate(np.where(usable, area, np.nan), np.where(usable, np.maximum(error, floor), np.nan), np.minimum(n0, n1))


def average_precision(negatives: ArrayLike, positives: ArrayLike) -> Estimate:
    """Average precision from score histograms; error by the logit normal interval of Boyd et al. 2013.

    Examples
    --------
    >>> e = average_precision([[3.0, 1.0]], [[1.0, 3.0]])
    >>> round(float(e.value[0]), 4)
    0.6875
    """
    neg, pos = np.asarray(negatives, float), np.asarray(positives, float)
    tp, fp = np.cumsum(pos[..., ::-1], -1), np.cumsum(neg[..., ::-1], -1)
    n1 = pos.sum(-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = np.where(tp + fp > 0, tp / (tp + fp), 0)
        value = (precision * pos[..., ::-1]).sum(-1) / n1
        error = np.sqrt(np.maximum(value * (1 - value), 1 / (n1 + 4) / 4) / n1)
    return Estimate(np.where(n1 > 0, value, np.nan), np.where(n1 > 0, error, np.nan), n1)


def quantile(counts: ArrayLike, values: ArrayLike, q: float) -> Estimate:
    """Quantile from a histogram, with a standard error from the order statistics around it.

    Parameters
    ----------
    counts : array_like, shape (..., bins)
        Counts per bin.
    values : array_like, shape (bins,)
        The value each bin stands for, ascending.
    q : float
        Between 0 and 1.

    Returns
    -------
    Estimate
        The error is a quarter of the distribution-free 95 % interval's width (David and Nagaraja, Order Statistics, 7.1),
        at least a quarter of the bin's width.

    Examples
    --------
    >>> e = quantile([[10.0, 80.0, 10.0]], [1.0, 2.0, 3.0], 0.5)
    >>> float(e.value[0])
    2.0
    """
    c, v = np.asarray(counts, float), np.asarray(values, float)
    n = c.sum(-1)
    cumulative = np.cumsum(c, -1)

    def at(share: Floats) -> Floats:
        rank = np.clip(share, 0, 1) * n
        index = (cumulative < np.maximum(rank, 1e-9)[..., None]).sum(-1)
        return np.asarray(v[np.minimum(index, v.size - 1)])

    with np.errstate(divide="ignore", invalid="ignore"):
        spread = 2 * np.sqrt(q * (1 - q) / n)
    centre = np.full(n.shape, q)
    half = np.where(np.isfinite(spread), spread, 1.0)
    width = np.gradient(v) if v.size > 1 else np.ones(1)
    nearest = np.minimum((cumulative < np.maximum(centre * n, 1e-9)[..., None]).sum(-1), v.size - 1)
    error = np.maximum((at(centre + half) - at(centre - half)) / 4, width[nearest] / 4)
    return Estimate(np.where(n > 0, at(centre), np.nan), np.where(n > 0, error, np.nan), n)
