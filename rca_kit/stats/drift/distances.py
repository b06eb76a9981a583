"""Distances between two distributions given as counts over the same cells. All are pure functions of counts."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from rca_kit.stats.drift.types import Floats

HALF = 0.5  # Jeffreys' pseudo-count: keeps the logarithms finite where one side is empty


def shares(counts: ArrayLike, pseudo: float = 0.0) -> Floats:
    """Turn counts into shares that sum to 1; all zero when there are no rows.

    Examples
    --------
    >>> shares([3, 1]).tolist()
    [0.75, 0.25]
    """
    c = np.asarray(counts, float) + pseudo
    total = c.sum()
    return c / total if total > 0 else c


def psi(before: ArrayLike, after: ArrayLike, *, corrected: bool = True) -> float:
    """Give the population stability index, sum of (q - p) ln(q / p), less the part that chance alone gives.

    Under no change the index has mean (cells - 1)(1/n + 1/m) (Yurdakul and Naranjo 2020, doi:10.21314/JRMV.2020.227): with 500
    categories and 2000 rows that is 0.5, above every customary threshold. `corrected` subtracts it, not below 0.

    Parameters
    ----------
    before, after : array_like, shape (cells,)
        Row counts.

    Examples
    --------
    >>> round(psi([500, 500], [300, 700]), 3)
    0.167
    >>> psi([500, 500], [510, 490])
    0.0
    """
    b, a = np.asarray(before, float), np.asarray(after, float)
    used = (b + a) > 0
    if b.sum() <= 0 or a.sum() <= 0:
        return 0.0
    p, q = shares(b[used], HALF), shares(a[used], HALF)
    raw = float(np.sum((q - p) * np.log(q / p)))
    return max(0.0, raw - (int(used.sum()) - 1) * float(1 / b.sum() + 1 / a.sum())) if corrected else raw


def kl(before: ArrayLike, after: ArrayLike) -> float:
    """Kullback-Leibler divergence of after from before, in nats, with half a pseudo-row per cell.

    Examples
    --------
    >>> round(kl([500, 500], [300, 700]), 3)
    0.082
    """
    b, a = np.asarray(before, float), np.asarray(after, float)
    used = (b + a) > 0
    if b.sum() <= 0 or a.sum() <= 0:
        return 0.0
    p, q = shares(b[used], HALF), shares(a[used], HALF)
    return float(max(0.0, np.sum(q * np.log(q / p))))


def js(before: ArrayLike, after: ArrayLike) -> float:
    """Jensen-Shannon distance (square root of the divergence, base 2): 0 for equal shares, 1 for disjoint ones.

    Examples
    --------
    >>> js([10, 0], [0, 10])
    1.0
    """
    p, q = shares(before), shares(after)
    if p.sum() <= 0 or q.sum() <= 0:
        return 0.0
    middle = (p + q) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        left = np.where(p > 0, p * np.log2(p / middle), 0.0)
        right = np.where(q > 0, q * np.log2(q / middle), 0.0)
    return float(np.sqrt(min(1.0, max(0.0, (left.sum() + right.sum()) / 2))))


def ks(before: ArrayLike, after: ArrayLike) -> float:
    """Kolmogorov-Smirnov distance over ordered cells: the largest gap between the distribution functions at the edges.

    It is the exact distance of the binned values, and at most the exact distance of the values themselves.

    Examples
    --------
    >>> ks([10, 10], [5, 15])
    0.25
    """
    return float(np.max(np.abs(np.cumsum(shares(before)) - np.cumsum(shares(after))), initial=0.0))


def wasserstein(before: ArrayLike, after: ArrayLike, middles: ArrayLike) -> float:
    """Earth mover's distance over ordered cells, in the units of `middles`; off by at most one cell's width.

    Parameters
    ----------
    before, after : array_like, shape (cells,)
        Row counts.
    middles : array_like, shape (cells,)
        Where the mass of each cell sits.

    Examples
    --------
    >>> wasserstein([10, 0], [0, 10], [1.0, 4.0])
    3.0
    """
    gap = np.cumsum(shares(before)) - np.cumsum(shares(after))
    return float(np.sum(np.abs(gap[:-1]) * np.diff(np.asarray(middles, float))))


def chi_square(before: ArrayLike, after: ArrayLike) -> tuple[float, int]:
    """Pearson's chi-square of homogeneity and its degrees of freedom.

    Examples
    --------
    >>> chi_square([50, 50], [30, 70])
    (8.333333333333334, 1)
    """
    b, a = _used(before, after)
    n, m = b.sum(), a.sum()
    if n <= 0 or m <= 0 or len(b) < 2:
        return 0.0, 0
    total = b + a
    return float(np.sum((b * np.sqrt(m / n) - a * np.sqrt(n / m)) ** 2 / total)), len(b) - 1


def g_test(before: ArrayLike, after: ArrayLike) -> tuple[float, int]:
    """Likelihood-ratio statistic of homogeneity and its degrees of freedom.

    Examples
    --------
    >>> g, dof = g_test([50, 50], [30, 70])
    >>> round(g, 3), dof
    (8.402, 1)
    """
    b, a = _used(before, after)
    n, m = b.sum(), a.sum()
    if n <= 0 or m <= 0 or len(b) < 2:
        return 0.0, 0
    total = b + a
    with np.errstate(divide="ignore", invalid="ignore"):
        left = np.where(b > 0, b * np.log(b * (n + m) / (total * n)), 0.0)
        right = np.where(a > 0, a * np.log(a * (n + m) / (total * m)), 0.0)
    return float(2 * (left.sum() + right.sum())), len(b) - 1


def _used(before: ArrayLike, after: ArrayLike) -> tuple[Floats, Floats]:
    b, a = np.asarray(before, float), np.asarray(after, float)
    used = (b + a) > 0
    return b[used], a[used]
