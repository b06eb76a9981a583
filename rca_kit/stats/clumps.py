"""Rows that come in clumps: several of one search, session or batch carry one value, and count for less than as many rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LEAST_ROWS = 1_000  # fewer show no correlation of the size that matters
MOST_LAGS = 64  # longest clump looked for; what is left at twice that lag is trend, season or load, no clump
LEAST_CORRELATION, SURE_Z, END_Z = 0.05, 5.0, 2.0  # of neighbours, to be a clump at all; standard errors at which it is, and ends
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
