"""Values whose own error is known (rates with counts, metrics with standard errors): how much they vary beyond it.

The noise of bucket i has variance v[i] + tau2: v is the sampling error, tau2 what varies from bucket to bucket besides (the mix
of traffic, the hour). Without tau2 a bucket of a million requests would count as exact.
Paule and Mandel, doi:10.6028/jres.087.022,
with squared residuals cut off so that outliers do not decide.
"""

from __future__ import annotations

import numpy as np

from rca_kit.stats.changepoint.series import PRIOR_TRIALS, Array, Series

CUT_OFF = 9.0  # squared standard deviations
MEAN_CUT = 0.9950  # mean of a squared standard normal cut off there
ROUNDS = 40
PRIOR_EVENTS = 20.0  # events at the overall rate that a segment's own rate is shrunk by


def extra_variance(residual: Array, variance: Array) -> float:
    """Find tau2 >= 0 for which the cut-off squared residuals over their variances average to what is expected.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> v = rng.uniform(0.5, 1.5, 5000)
    >>> round(extra_variance(rng.normal(size=5000) * np.sqrt(v + 4), v), 1)
    4.0
    """
    square = residual * residual

    def excess(tau2: float) -> float:
        return float(np.mean(np.minimum(square / (variance + tau2), CUT_OFF))) - MEAN_CUT

    if len(residual) == 0 or excess(0.0) <= 0:
        return 0.0
    low, high = 0.0, float(square.max())
    for _ in range(ROUNDS):
        mid = 0.5 * (low + high)
        low, high = (mid, high) if excess(mid) > 0 else (low, mid)
    return 0.5 * (low + high)


def sampling_variance(s: Series, level: Array | None, cuts: tuple[int, ...] = ()) -> Array | None:
    """Give the variance of the sampling error of each value; None where it is not known.

    Parameters
    ----------
    level : (m,) expected values, from which the variance of rates follows; None for the overall rate
    cuts : where the level changes; the fewer events a segment can hold, the nearer to the overall rate its own is taken,
        or a stretch that is low by chance would count as exact
    """
    if not s.known:
        return None
    if s.trials is None or level is None:
        return np.asarray(1.0 / s.precision**2)
    overall = (float((s.y * s.trials).sum()) + PRIOR_TRIALS) / (float(s.trials.sum()) + 2 * PRIOR_TRIALS)
    starts = np.asarray((0, *cuts), dtype=np.int64)
    total = np.repeat(np.add.reduceat(s.trials, starts), np.diff((*starts, len(s.y))))
    prior = PRIOR_EVENTS / min(overall, 1 - overall)
    rate = (np.clip(level, 0.0, 1.0) * total + overall * prior) / (total + prior)
    return np.asarray(rate * (1 - rate) / s.trials)


def known_precision(s: Series, residual: Array, level: Array | None, cuts: tuple[int, ...] = ()) -> Array:
    """Give one over the relative standard deviation of each value: sampling error and the rest. Ones if nothing is known.

    Parameters
    ----------
    residual : (m,) values less what is expected of them, in the units of the values
    level : (m,) what is expected, or None
    cuts : where it changes
    """
    variance = sampling_variance(s, level, cuts)
    if variance is None:
        return np.ones(len(s.y))
    precision = 1.0 / np.sqrt(variance + extra_variance(residual, variance))
    return np.asarray(precision / np.median(precision))
