"""Rows that come in clumps: several of one search, session or batch carry one value, and count for less than as many rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri

LEAST_ROWS = 1_000  # fewer show no correlation of the size that matters
MOST_LAGS = 64  # longest clump looked for; what is left at twice that lag is trend, season or load, no clump
LEAST_CORRELATION, SURE_Z, END_Z = 0.05, 5.0, 2.0  # of neighbours, to be a clump at all; standard errors at which it is, and ends
HOUR_S, DAY_S = 3600.0, 86400.0
WANDER_HOURS = (1, 3, 6)  # blocks in which a level is looked at
WANDER_FREEDOM, WANDER_P = 8, 1e-4  # blocks beyond what the hours of the day took; chance at which they spread wider than rows do
NEAR_S = 1.0  # rows of one request are written together; two requests of one person are further apart


def rows_per_value(codes: NDArray[np.intp], seconds: NDArray[np.float64]) -> float:
    """Tell how many rows count for one, because neighbours in time carry the same value (Kish 1965, "Survey Sampling").

    The mean length of runs of equal values, as a row sees it, against what runs would be if rows were independent.

    Parameters
    ----------
    codes : int array, shape (rows,)
        Values as codes, equal for equal values, in order of time.
    seconds : array, shape (rows,)
        Times, ascending.

    Returns
    -------
    float
        At least 1.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> rows_per_value(rng.permutation(800), np.arange(800.0))
    1.0
    >>> searches = np.repeat(np.arange(100), 8)
    >>> round(rows_per_value(searches, searches * 60.0), 1)
    7.9
    """
    n = codes.size
    if n < 2:
        return 1.0
    near = np.diff(seconds) <= NEAR_S
    ends = np.flatnonzero(np.append(~(near & (codes[1:] == codes[:-1])), True))
    runs = np.diff(ends, prepend=-1).astype(float)
    share = np.bincount(codes) / n
    chance = float(near.mean()) * float((share**2).sum())
    usual = (1 + chance) / max(1 - chance, 1 / n)
    return max(float((runs**2).sum()) / n / usual, 1.0)


def design_effect(values: NDArray[np.float64]) -> float:
    """Estimate how many rows tell as much as one independent row, from rows in the order of their time.

    Parameters
    ----------
    values : (n,) array

    Returns
    -------
    float
        1 for independent rows, m for clumps of m equal values: ``1 + 2 * sum of autocorrelations`` (Kish 1965; as the time of
        a series: Geyer 1992, doi 10.1214/ss/1177011137), over the lags until they reach what correlation lasts beyond any clump.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=4000)
    >>> design_effect(x), round(design_effect(np.repeat(x, 8)))
    (1.0, 8)
    """
    n = len(values)
    if n < LEAST_ROWS:
        return 1.0
    x = values - values.mean()
    variance = float(x @ x) / n
    if not variance > 0:
        return 1.0
    turned = np.fft.rfft(x, 1 << (2 * n - 1).bit_length())
    shared = np.fft.irfft(turned * turned.conj())[1 : 2 * MOST_LAGS + 1] / n / variance
    near, error = shared[:MOST_LAGS] - shared[MOST_LAGS:].mean(), 1.0 / np.sqrt(n)
    if near[0] < max(LEAST_CORRELATION, SURE_Z * error):
        return 1.0
    ended = np.flatnonzero(near < END_Z * error)
    return 1.0 + 2.0 * float(near[: ended[0] if ended.size else MOST_LAGS].sum())


def rows_per_spell(values: NDArray[np.float64], seconds: NDArray[np.float64]) -> float:
    """Tell how many rows count for one, because a level wanders from hour to hour: the weather, a price, a queue.

    The variance of the means of blocks of hours, beyond what the hour of the day brings, against what it would be if rows were
    independent: the design effect of cluster samples (Kish 1965), with hours as clusters.

    Parameters
    ----------
    values : array, shape (rows,)
        Numbers, or ranks of them; NaN is left out.
    seconds : array, shape (rows,)
        Times in seconds since an epoch at midnight.

    Returns
    -------
    float
        At least 1; 1 where blocks spread no wider than chance, or where there are too few of them to tell.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> hours = np.sort(rng.uniform(0, 96, 4000))
    >>> rows_per_spell(rng.normal(size=4000), hours * 3600)
    1.0
    >>> spells = rng.normal(size=16)[(hours // 6).astype(int)]
    >>> rows_per_spell(spells + rng.normal(size=4000), hours * 3600) > 20
    True
    """
    known = np.isfinite(values)
    x, at = values[known], seconds[known]
    if x.size < LEAST_ROWS or not x.var() > 0:
        return 1.0
    phase = ((at % DAY_S) // HOUR_S).astype(np.intp)
    days = (at.max() - at.min()) / DAY_S
    level, spent = _by_hour(x, phase, at, days)
    left = x - level
    within = float(left.var())
    most = 1.0
    for hours in WANDER_HOURS:
        block = np.unique(at // (hours * HOUR_S), return_inverse=True)[1]
        n = np.bincount(block)
        freedom = n.size - max(round(spent / hours), 1)
        if freedom < WANDER_FREEDOM or within <= 0:
            break
        spread = float((np.bincount(block, left) ** 2 / n).sum()) / within
        if spread > float(chdtri(freedom, WANDER_P)):
            most = max(most, spread / freedom)
    return most


def _by_hour(
    x: NDArray[np.float64], phase: NDArray[np.intp], at: NDArray[np.float64], days: float
) -> tuple[NDArray[np.float64], int]:
    """What each row would be by the hour of its day alone, and how many numbers that took: a mean an hour, or one wave a day."""
    if days >= 2:
        n = np.bincount(phase, minlength=24)
        mean = np.bincount(phase, x, minlength=24) / np.maximum(n, 1)
        return mean[phase], int((n > 0).sum())
    turns = 2 * np.pi * (at % DAY_S) / DAY_S
    design = np.column_stack([np.ones(x.size), np.sin(turns), np.cos(turns), np.sin(2 * turns), np.cos(2 * turns)])
    return design @ np.linalg.lstsq(design, x, rcond=None)[0], design.shape[1]
