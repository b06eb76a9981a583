"""Outliers: a running median, and values pulled back to within a few robust standard deviations of it."""

from __future__ import annotations

import numpy as np

from rca_kit.stats.changepoint.series import Array

MAD_TO_SD = 1.482602218505602  # 1 / Phi^-1(3/4): MAD to sd for normal noise
WINSOR_SD = 3.0  # Huber-like: keeps 99.7% of normal noise as it is
HALF_WINDOW = 12  # a bump of up to 10 buckets stays visible against the median of 25


def robust_sd(x: Array) -> float:
    """Estimate the standard deviation from the median absolute deviation, or from the mean one when more than half tie."""
    if len(x) == 0:
        return 0.0
    dev = np.abs(x - np.median(x))
    mad = float(np.median(dev)) * MAD_TO_SD
    return mad if mad > 0 else float(dev.mean()) * 1.2533141373155001  # sqrt(pi / 2)


def running_median(y: Array, half: int) -> Array:
    """Median over [i - half, i + half], the window shrinking symmetrically towards the ends so that trends stay unbiased."""
    n = len(y)
    half = max(1, min(half, (n - 1) // 4))
    if n < 3:
        return y.copy()
    out = np.empty(n)
    windows = np.lib.stride_tricks.sliding_window_view(y, 2 * half + 1)
    out[half : n - half] = np.partition(windows, half, axis=1)[:, half]
    for i in range(half):
        out[i] = np.median(y[: 2 * i + 1])
        out[n - 1 - i] = np.median(y[n - 1 - 2 * i :])
    out[0], out[-1] = np.median(y[:3]), np.median(y[-3:])
    return out


def winsorise(y: Array, precision: Array, limit: float = WINSOR_SD) -> Array:
    """Pull values further than `limit` robust sds from the running median back to that limit.

    Parameters
    ----------
    precision : (n,) the noise has sd proportional to 1 / precision
    """
    centre = running_median(y, HALF_WINDOW)
    z = (y - centre) * precision
    sd = robust_sd(z)
    if sd <= 0:
        return y.copy()
    return np.asarray(centre + np.clip(z, -limit * sd, limit * sd) / precision)
