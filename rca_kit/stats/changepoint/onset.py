"""When a step began, as an interval: the posterior of its position under AR(1) noise.

With a flat prior on the position and on both levels, the posterior of the position is the exponential of half the fall in
residual sum of squares (in noise variances), over the square root of the step's information. The interval holds 90% of it.
Worsley, doi:10.1093/biomet/73.1.91 (likelihood regions for a change point).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rca_kit.stats.changepoint.gls import Whitened, rss_steps, step_gains
from rca_kit.stats.changepoint.robust import winsorise
from rca_kit.stats.changepoint.segments import LineSums
from rca_kit.stats.changepoint.series import Array, read_series
from rca_kit.stats.changepoint.steps import Grid

LEVEL = 0.90


def position_interval(w: Whitened, a: int, b: int, variance: float, level: float = LEVEL) -> tuple[int, int]:
    """Half-open interval of positions that holds `level` of the posterior of one step inside [a, b).

    Parameters
    ----------
    w : the whitened series
    a, b : the segment that holds exactly this step
    variance : variance of the noise in the units of `w`
    """
    if b - a < 2:
        return a, b
    gain, information = step_gains(w, a, b)
    log_p = gain / (2 * max(variance, 1e-12)) - 0.5 * np.log(information)
    return highest_region(log_p - log_p.max(), level, a + 1)


def highest_region(log_p: Array, level: float, offset: int) -> tuple[int, int]:
    """Hull of the most probable positions that together hold about `level`; half-open.

    Positions are whole buckets: always rounding up would hold 98% and more where the change is sharp.
    """
    p = np.exp(log_p)
    p /= p.sum()
    order = np.argsort(-p, kind="stable")
    held = np.cumsum(p[order])
    count = max(1, int(np.searchsorted(held - 0.5 * p[order], level)))  # the last one only if that comes nearer to the level
    chosen = order[:count]
    return int(chosen.min()) + offset, int(chosen.max()) + 1 + offset


def line_interval(y: Array, t: Array, weight: Array, level: float = LEVEL) -> tuple[int, int]:
    """Half-open interval for the one cut between two lines in `y`, positions relative to its start."""
    n = len(y)
    if n < 5:
        return 0, n
    sums = LineSums.of(y, t, weight)
    at = np.arange(2, n - 1)
    rss = sums.rss(np.zeros_like(at), at) + sums.rss(at, np.full_like(at, n))
    floor = 1e-9 * float(rss.max()) + 1e-300
    return highest_region(-0.5 * n * np.log((rss + floor) / (rss.min() + floor)), level, 2)


def onset_interval(values: Any, trials: Any = None, *, standard_errors: Any = None, level: float = LEVEL) -> tuple[int, int]:
    """Half-open interval of indices for the onset of the one step that `values` is known to hold.

    Parameters
    ----------
    values : (n,) array-like of float
        NaN = missing; seasons already taken out.
    trials, standard_errors : (n,) array-like, optional
        As in `find_changes`.
    level : float
        Probability the interval holds.

    Examples
    --------
    >>> onset_interval([0.1, -0.2, 0.0, 0.2, -0.1, 5.1, 4.9, 5.0, 5.2, 4.8])
    (5, 6)
    """
    s = read_series(values, trials, standard_errors=standard_errors)
    if len(s.y) < 3:
        return 0, s.n
    scale = float(np.std(s.y)) or 1.0
    y = winsorise((s.y - np.median(s.y)) / scale, s.precision)
    grid = Grid(y, s.precision / float(np.median(s.precision)), s.gap)
    cut = max(((grid.profile((c,)).deviance, c) for c in candidates(grid)), key=lambda x: -x[0])[1]
    w = grid.at(grid.profile((cut,)).phi)
    low, high = position_interval(w, 0, grid.n, rss_steps(w, (cut,)) / grid.n, level)
    return int(s.index[low - 1]) + 1, int(s.index[high - 1]) + 1


def candidates(grid: Grid) -> set[int]:
    """Best place of one step at several AR coefficients."""
    return {1 + int(np.argmax(step_gains(grid.at(phi), 0, grid.n)[0])) for phi in (0.0, 0.3, 0.6)}
