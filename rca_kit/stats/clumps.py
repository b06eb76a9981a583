"""Rows that come in clumps: several of one search, session or batch carry one value, and count for less than as many rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

NEAR_S = 1.0  # rows of one request are written together; two requests of one person are further apart


def design_effect(codes: NDArray[np.intp], seconds: NDArray[np.float64]) -> float:
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
    >>> design_effect(rng.permutation(800), np.arange(800.0))
    1.0
    >>> searches = np.repeat(np.arange(100), 8)
    >>> round(design_effect(searches, searches * 60.0), 1)
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
