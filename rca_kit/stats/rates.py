"""Differences between two estimates, multiplicity, overdispersion."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtrc, ndtr

Z95 = 1.959963984540054
MAD_TO_SIGMA = 1.482602218505602  # makes the median absolute deviation a standard deviation for normal data


class Difference(NamedTuple):
    """after - before with a 95 % interval, the z value and a two-sided p value."""

    change: float
    low: float
    high: float
    z: float
    p_value: float


def difference(before: float, before_error: float, after: float, after_error: float, inflation: float = 1.0) -> Difference:
    """Difference of two independent estimates; `inflation` multiplies the standard error (overdispersion).

    Examples
    --------
    >>> d = difference(0.10, 0.01, 0.20, 0.01)
    >>> round(d.change, 3), round(d.z, 2)
    (0.1, 7.07)
    """
    change = after - before
    error = inflation * math.hypot(before_error, after_error)
    if not (math.isfinite(change) and math.isfinite(error)) or error <= 0:
        return Difference(change, change, change, 0.0, 1.0)
    z = change / error
    return Difference(change, change - Z95 * error, change + Z95 * error, z, float(2 * ndtr(-abs(z))))


def overdispersion(values: ArrayLike, errors: ArrayLike, groups: ArrayLike | None = None) -> float:
    """Factor >= 1 by which bucket-to-bucket noise exceeds the standard errors, autocorrelation included.

    Robust spread of the standardised residuals about their group's median (or the overall one), times
    sqrt((1 + r) / (1 - r)) for lag-one autocorrelation r, as for the mean of an AR(1) series (Wilks, Statistical Methods in
    the Atmospheric Sciences, 5.2.3).

    Parameters
    ----------
    values, errors : array_like, shape (n,)
        Bucket values and their standard errors; NaN where missing.
    groups : array_like, shape (n,), optional
        Hour of day or the like; residuals are taken about each group's median.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> round(overdispersion(rng.normal(size=500), np.ones(500)), 1)
    1.0
    """
    x, s = np.asarray(values, float), np.asarray(errors, float)
    ok = np.isfinite(x) & np.isfinite(s) & (s > 0)
    if ok.sum() < 8:
        return 1.0
    x, s = x[ok], s[ok]
    labels = np.zeros(x.size, int) if groups is None else np.asarray(groups)[ok]
    middle, sizes = _medians(x, labels)
    freedom = x.size - sizes.size
    z = (x - middle) / s
    scale = MAD_TO_SIGMA * float(np.median(np.abs(z))) * math.sqrt(x.size / max(freedom, 1))
    clipped = np.clip(z, -4 * scale, 4 * scale) if scale > 0 else z
    r = float(np.clip(np.corrcoef(clipped[:-1], clipped[1:])[0, 1], 0, 0.9)) if scale > 0 and np.std(clipped) > 0 else 0.0
    noise = 2 / math.sqrt(x.size)  # an autocorrelation within two standard errors of zero is none
    return max(scale * math.sqrt((1 + r) / (1 - r)) if r > noise else scale, 1.0)


def _medians(x: NDArray[np.float64], labels: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Median of each value's group, shape (n,), and the groups' sizes."""
    order = np.lexsort((x, labels))
    starts = np.flatnonzero(np.append(True, np.diff(labels[order]) != 0))
    sizes = np.diff(np.append(starts, x.size))
    inside = x[order]
    median = (inside[starts + (sizes - 1) // 2] + inside[starts + sizes // 2]) / 2
    out = np.empty(x.size)
    out[order] = np.repeat(median, sizes)
    return out, sizes


def benjamini_hochberg(p_values: ArrayLike) -> NDArray[np.float64]:
    """Adjusted p values (q values) of Benjamini and Hochberg 1995, in the order given.

    Examples
    --------
    >>> benjamini_hochberg([0.01, 0.04, 0.03]).round(3).tolist()
    [0.03, 0.04, 0.04]
    """
    p = np.asarray(p_values, float)
    if p.size == 0:
        return p
    order = np.argsort(p)
    scaled = p[order] * p.size / np.arange(1, p.size + 1)
    q = np.minimum.accumulate(scaled[::-1])[::-1]
    out = np.empty_like(p)
    out[order] = np.minimum(q, 1.0)
    return out


def rate_z(k_before: float, n_before: float, k_after: float, n_after: float) -> float:
    """Pooled z of two proportions, positive when the later one is larger; zero without observations.

    Examples
    --------
    >>> round(rate_z(10, 100, 30, 100), 2)
    3.54
    """
    if n_before <= 0 or n_after <= 0:
        return 0.0
    pooled = (k_before + k_after) / (n_before + n_after)
    variance = pooled * (1 - pooled) * (1 / n_before + 1 / n_after)
    return (k_after / n_after - k_before / n_before) / math.sqrt(variance) if variance > 0 else 0.0


def rank_z(before: ArrayLike, after: ArrayLike) -> float:
    """Normal z of the Mann-Whitney test, positive when `after` tends to be larger; ties share their ranks.

    Parameters
    ----------
    before, after : array_like, shape (m,) and (n,)
        Finite values.

    Examples
    --------
    >>> round(rank_z([1, 2, 3, 4], [3, 4, 5, 6]), 2)
    1.75
    """
    x, y = np.asarray(before, float), np.asarray(after, float)
    m, n = x.size, y.size
    if m == 0 or n == 0:
        return 0.0
    _, inverse, ties = np.unique(np.concatenate([x, y]), return_inverse=True, return_counts=True)
    ranks = (np.cumsum(ties) - (ties - 1) / 2)[inverse]
    total = m + n
    tied = float((ties.astype(float) ** 3 - ties).sum()) / (total * max(total - 1, 1))
    variance = m * n / 12 * (total + 1 - tied)
    return float((ranks[m:].sum() - n * (total + 1) / 2) / math.sqrt(variance)) if variance > 0 else 0.0


def homogeneity(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Give the p-value of Pearson's chi-square test that two rows of counts come from one distribution.

    As `scipy.stats.chi2_contingency` without a correction, of which a click over forty columns would need most of its time.

    Examples
    --------
    >>> homogeneity(np.array([50.0, 50.0]), np.array([5.0, 5.0]))
    1.0
    """
    counts = np.stack([first, second])
    counts = counts[:, counts.sum(axis=0) > 0]
    if counts.shape[1] < 2:
        return 1.0
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / counts.sum()
    return float(chdtrc(counts.shape[1] - 1, ((counts - expected) ** 2 / expected).sum()))


def mean_gap(a: NDArray[np.float64], b: NDArray[np.float64]) -> tuple[float, float]:
    """How far one mean lies above another, and the standard error of that (Welch 1947, doi:10.1093/biomet/34.1-2.28).

    Parameters
    ----------
    a, b : (n,), (m,) array of float
        Values without missing ones, at least one a side.

    Examples
    --------
    >>> mean_gap(np.array([2.0, 4.0]), np.array([1.0, 1.0]))
    (2.0, 0.7071067811865475)
    """
    return float(a.mean() - b.mean()), float(np.hypot(a.std() / np.sqrt(a.size), b.std() / np.sqrt(b.size)))
