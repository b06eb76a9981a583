"""Short changes in skewed or heavy-tailed noise: how much further out the threshold must lie than for normal noise.

The mean of L values has skewness / sqrt(L) and excess kurtosis / L; the Cornish-Fisher expansion turns a normal quantile into
one of that distribution (Abramowitz and Stegun, 26.2.49). What normal noise shows by chance is not counted.
"""

from __future__ import annotations

import numpy as np

from rca_kit.stats.changepoint.series import Array

SKEW_SE, KURT_SE = 1.0, 1.5  # this many standard errors of skewness and kurtosis count as chance


def moments(residual: Array) -> tuple[float, float]:
    """Skewness and excess kurtosis, each less what chance allows in normal noise."""
    n = len(residual)
    z = residual - residual.mean()
    sd = float(np.sqrt(np.mean(z * z)))
    if sd <= 0 or n < 3:
        return 0.0, 0.0
    z = z / sd
    square = z * z
    skew, kurt = float(np.mean(square * z)), float(np.mean(square * square)) - 3.0
    skew = np.sign(skew) * max(abs(skew) - SKEW_SE * np.sqrt(6.0 / n), 0.0)
    return float(skew), max(kurt - KURT_SE * np.sqrt(24.0 / n), 0.0)


def outer_quantile(z: float, length: float, skew: float, kurt: float) -> float:
    """Quantile of the standardised mean of `length` values where the normal one is `z` (> 0, on the side of the change).

    `skew` is positive when the long tail lies on the side of the change.
    """
    out = z + (z * z - 1) * skew / (6 * np.sqrt(length)) + (z**3 - 3 * z) * kurt / (24 * length)
    return float(max(out, z))
