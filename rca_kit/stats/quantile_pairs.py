"""Medians and tails of paired latencies, with intervals that need no shape."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]

MAX_ROWS = 50_000  # rows resampled for a tail: more would not change its interval's first digits


def median_interval(values: Any, level: float = 0.95) -> tuple[float, float, float]:
    """Median and its interval from order statistics (David and Nagaraja 2003, section 7.1).

    Parameters
    ----------
    values : array_like, shape (n,)
        No NaN.
    level : float
        Coverage, by the normal approximation of the binomial; the whole range below about eight values.

    Returns
    -------
    tuple of float
        Median, lower end, upper end; NaN and infinite for no values.

    Examples
    --------
    >>> median_interval(range(101))
    (50.0, 40.0, 60.0)
    """
    x = np.sort(np.asarray(list(values) if isinstance(values, range) else values, dtype=np.float64))
    n = len(x)
    if not n:
        return (float("nan"), -np.inf, np.inf)
    half = float(special.ndtri(0.5 + level / 2)) * np.sqrt(n) / 2
    low = max(int(np.floor(n / 2 - half)), 0)
    high = min(int(np.ceil(n / 2 + half)) - 1, n - 1)
    return (float(np.median(x)), float(x[low]), float(x[max(high, low)]))


def tail_difference(
    first: Any, second: Any, q: float = 0.99, draws: int = 200, seed: int = 0, level: float = 0.95
) -> tuple[float, float, float]:
    """Quantile of second less quantile of first on the same rows, with a bootstrap interval at `level`.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> a = rng.gamma(2, 10, 2000)
    >>> got = tail_difference(a, a + 20)
    >>> bool(got[1] <= 20.0 + 1e-9 and got[2] >= 20 - 1e-9)
    True
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    estimate = float(np.quantile(b, q) - np.quantile(a, q))
    rng = np.random.default_rng(seed)
    n = min(len(a), MAX_ROWS)
    got = np.empty(draws)
    for i in range(draws):
        rows = rng.integers(0, len(a), n)
        got[i] = np.quantile(b[rows], q) - np.quantile(a[rows], q)
    # a normal interval: percentiles of a bootstrapped tail sit on few order statistics
    half = float(special.ndtri(0.5 + level / 2)) * float(np.std(got, ddof=1)) * np.sqrt(n / len(a))
    return (estimate, estimate - half, estimate + half)
