"""When a step began, as an interval: the posterior of its position under AR(1) noise.

With a flat prior on the position and on both levels, the posterior of the position is the exponential of half the fall in
residual sum of squares (in noise variances), over the square root of the step's information. The interval holds 90% of it.
Worsley, doi:10.1093/biomet/73.1.91 (likelihood regions for a change point).
"""

from __future__ import annotations

import numpy as np

from rca_kit.stats.changepoint.gls import Whitened, step_gains

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


def highest_region(log_p: np.ndarray, level: float, offset: int) -> tuple[int, int]:
    """Hull of the most probable positions that together hold `level`; half-open."""
    p = np.exp(log_p)
    p /= p.sum()
    order = np.argsort(-p, kind="stable")
    count = int(np.searchsorted(np.cumsum(p[order]), level)) + 1
    chosen = order[:count]
    return int(chosen.min()) + offset, int(chosen.max()) + 1 + offset
