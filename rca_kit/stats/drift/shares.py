"""Shares of rows: null rate and single cells, with exact tails where counts are small, and intervals."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betainc, ndtr

from rca_kit.stats.drift.types import Floats

Z95 = 1.959963984540054
SMALL = 2000.0  # below this many pooled rows in a cell the tail is taken exactly


class ShareChange(NamedTuple):
    """A share before and after, the difference with its 95 % interval, and the two-sided p value."""

    before: float
    after: float
    change: float
    low: float
    high: float
    z: float
    p_value: float


def share_change(
    hits_before: float, rows_before: float, hits_after: float, rows_after: float, inflation: float = 1.0
) -> ShareChange:
    """Compare two shares; the interval is Newcombe's hybrid score (1998, method 10), `inflation` divides the rows it counts on.

    Examples
    --------
    >>> s = share_change(10, 2000, 100, 2000)
    >>> round(s.change, 3), round(s.low, 3), round(s.high, 3), s.p_value < 1e-15
    (0.045, 0.035, 0.056, True)
    """
    if rows_before <= 0 or rows_after <= 0:
        return ShareChange(math.nan, math.nan, math.nan, math.nan, math.nan, 0.0, 1.0)
    p, q = hits_before / rows_before, hits_after / rows_after
    low_b, high_b = wilson(p, rows_before / max(inflation, 1.0))
    low_a, high_a = wilson(q, rows_after / max(inflation, 1.0))
    low = q - p - math.hypot(q - low_a, high_b - p)
    high = q - p + math.hypot(high_a - q, p - low_b)
    z = float(cell_z(hits_before, rows_before, hits_after, rows_after))
    return ShareChange(p, q, q - p, low, high, z, float(cell_p(hits_before, rows_before, hits_after, rows_after)))


def wilson(share: float, rows: float) -> tuple[float, float]:
    """Wilson's 95 % score interval of a share.

    Examples
    --------
    >>> low, high = wilson(0.0, 100)
    >>> round(low, 3), round(high, 3)
    (0.0, 0.037)
    """
    if rows <= 0:
        return 0.0, 1.0
    z2 = Z95**2
    middle = (share + z2 / (2 * rows)) / (1 + z2 / rows)
    half = Z95 / (1 + z2 / rows) * math.sqrt(share * (1 - share) / rows + z2 / (4 * rows**2))
    return max(0.0, middle - half), min(1.0, middle + half)


def cell_z(hits_before: ArrayLike, rows_before: float, hits_after: ArrayLike, rows_after: float) -> Floats:
    """Z value of each cell's share against chance, given both totals (hypergeometric variance); shape (cells,)."""
    k, m = np.asarray(hits_before, float), np.asarray(hits_after, float)
    total, n = k + m, rows_before + rows_after
    expected = total * rows_after / n
    variance = total * (n - total) * rows_before * rows_after / (n**2 * max(n - 1, 1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(variance > 0, (m - expected) / np.sqrt(variance), 0.0), float)


def cell_p(hits_before: ArrayLike, rows_before: float, hits_after: ArrayLike, rows_after: float) -> Floats:
    """Two-sided p of each cell's share; shape (cells,).

    Both sides are samples: a value seen only after, k times, has p = 2 (m / (n + m))^k or so, and not 0. Small cells use the
    conditional binomial tail (doubled), which is never too sure; large ones the normal.
    """
    k, m = np.asarray(hits_before, float), np.asarray(hits_after, float)
    total = k + m
    normal = 2 * ndtr(-np.abs(cell_z(k, rows_before, m, rows_after)))
    split = rows_after / (rows_before + rows_after)
    with np.errstate(invalid="ignore"):
        upper = np.where(m > 0, betainc(np.maximum(m, 1e-300), total - m + 1, split), 1.0)
        lower = np.where(k > 0, betainc(np.maximum(k, 1e-300), total - k + 1, 1 - split), 1.0)
    exact = np.minimum(2 * np.minimum(upper, lower), 1.0)
    # a frequent value has few chances to be elsewhere: the binomial would be needlessly vague, the normal is fine
    small = (total < SMALL) & (total < 0.05 * (rows_before + rows_after))
    return np.where(total <= 0, 1.0, np.where(small, np.maximum(exact, 0.0), normal))


def cohen_h(before: ArrayLike, after: ArrayLike) -> Floats:
    """Cohen's h: difference of shares on the arcsine scale, comparable with a shift in standard deviations; signed.

    Examples
    --------
    >>> round(float(cohen_h(0.5, 0.55)), 3)
    0.1
    """
    b, a = np.clip(np.asarray(before, float), 0, 1), np.clip(np.asarray(after, float), 0, 1)
    return np.asarray(2 * np.arcsin(np.sqrt(a)) - 2 * np.arcsin(np.sqrt(b)), float)
