"""Spikes of one to three buckets: they are judged on values as they are, against the tails of the noise itself."""

from __future__ import annotations

import numpy as np

from rca_kit.stats.changepoint.gls import bump_gains, segment_sums, whiten
from rca_kit.stats.changepoint.series import Array
from rca_kit.stats.changepoint.tails import moments, outer_quantile

LONGEST = 3
CHANCE = 0.003  # that a series of normal noise shows one
MAX_SPIKES = 3  # more are the tail of the noise


def short_spikes(residual: Array, precision: Array, gap: Array, phi: float) -> list[tuple[int, int]]:
    """Find short departures of a series without any other change.

    Parameters
    ----------
    residual : (n,) values less levels and season, not winsorised
    precision, gap : (n,) as in `Series`
    phi : AR(1) coefficient of the noise

    Returns
    -------
    list of (start, end), half-open
    """
    n = len(residual)
    if n < 2 * LONGEST + 4:
        return []
    limit = normal_upper(CHANCE / (2 * n))
    left = residual.copy()
    found: list[tuple[int, int]] = []
    while len(found) <= MAX_SPIKES:
        w = whiten(left, precision, gap, phi)
        sums = segment_sums(w, 0, n)
        best = (0.0, 0, 0)
        for length in range(1, LONGEST + 1):
            gains = bump_gains(w, 0, n, length, sums)
            i = int(np.argmax(gains))
            if gains[i] > best[0]:
                best = (float(gains[i]), 1 + i, length)
        gain, start, length = best
        rest = np.delete(left, np.s_[start : start + length])
        keep = np.delete(precision, np.s_[start : start + length])
        z = rest * keep
        sd = float(np.std(z)) * np.sqrt(n / max(n - 4, 1))
        white_sd = sd  # bump gains are in units of the marginal variance
        side = np.sign(left[start : start + length].mean() - np.average(rest, weights=keep**2))
        skew, kurt = moments(z)
        if sd <= 0 or np.sqrt(gain) / white_sd <= outer_quantile(limit, length, float(side) * skew, kurt):
            break
        found.append((start, start + length))
        left[start : start + length] = np.average(rest, weights=keep**2)
    return [] if len(found) > MAX_SPIKES else sorted(found)


def normal_upper(p: float) -> float:
    """Upper quantile of the standard normal distribution."""
    from statistics import NormalDist

    return NormalDist().inv_cdf(1 - p)
