"""Spikes of one to three buckets: they are judged on values as they are, against the tails of the noise itself."""

from __future__ import annotations

from dataclasses import dataclass
from math import erfc, sqrt
from statistics import NormalDist

import numpy as np

from rca_kit.stats.changepoint.gls import bump_gains, segment_sums, step_gains, white_rows, whiten
from rca_kit.stats.changepoint.series import Array
from rca_kit.stats.changepoint.tails import moments, outer_quantile

LONGEST = 3
CHANCE = 0.0045  # that a series of normal noise shows one
MAX_SPIKES = 3  # more are the tail of the noise
MIN_VALUES = 30  # fewer do not show what tails the noise has
HEAVY = 0.6  # excess kurtosis of the rest from which no spike can be told from the tails
STANDS_OUT = 1.3  # times the next highest


@dataclass(frozen=True)
class Spike:
    """A departure over [start, end), and the chance of one so high anywhere in normal noise."""

    start: int
    end: int
    p_value: float


def short_spikes(residual: Array, precision: Array, gap: Array, phi: float) -> list[Spike]:
    """Find short departures of a series without any other change.

    Where the rest of the noise has heavy tails a spike cannot be told from them, and none is reported.

    Parameters
    ----------
    residual : (n,) values less levels and season, not winsorised
    precision, gap : (n,) as in `Series`
    phi : AR(1) coefficient of the noise

    Returns
    -------
    list of Spike
        In order of time.
    """
    n = len(residual)
    if n < MIN_VALUES:
        return []
    limit = spike_limit(n)
    left = residual.copy()
    found: list[Spike] = []
    while len(found) <= MAX_SPIKES:
        w = whiten(left, precision, gap, phi)
        sums = segment_sums(w, 0, n)
        last = step_gains(w, 0, n)[0][: n - LONGEST - 2 : -1]  # a spike may be the newest buckets: then it has no way back
        gains = [np.append(bump_gains(w, 0, n, length, sums), last[length - 1]) for length in range(1, LONGEST + 1)]
        which = int(np.argmax([g.max() for g in gains]))
        start, length = 1 + int(np.argmax(gains[which])), which + 1
        spike = np.s_[start : start + length]
        rest, keep = np.delete(left, spike), np.delete(precision, spike)
        base = float(np.average(rest, weights=keep**2))
        quiet = left.copy()
        quiet[spike] = base
        noise = white_rows((quiet - base) * precision, gap, phi)
        sd = float(np.sqrt(noise @ noise / (n - length - 2)))
        skew, kurt = moments(noise)
        skew *= float(np.sign(left[spike].mean() - base))
        height = np.sqrt(float(gains[which].max()))
        others = gains[which].copy()
        others[max(0, start - 1 - length - 1) : start + length + 1] = 0.0
        if sd <= 0 or kurt > HEAVY or height < outer_quantile(limit, length, skew, kurt) * sd \
                or height < STANDS_OUT * np.sqrt(float(others.max())):
            break
        found.append(Spike(start, start + length, min(1.0, 2 * n * LONGEST * normal_tail(height / sd))))
        left[spike] = base
    return [] if len(found) > MAX_SPIKES else sorted(found, key=lambda s: s.start)


def spike_limit(n: int) -> float:
    """How many standard deviations a spike must be high in n values."""
    return normal_upper(CHANCE / (2 * n))


def rate_deviation(k: float, n: float, rate: float) -> float:
    """Signed-root deviance of k of n at this rate: about standard normal, also where the normal for k is poor."""
    rate = min(max(rate, 0.5 / max(n, 1.0)), 1 - 0.5 / max(n, 1.0))
    part = k * np.log(k / (n * rate)) if k > 0 else 0.0
    other = (n - k) * np.log((n - k) / (n * (1 - rate))) if n > k else 0.0
    return float(np.sign(k / n - rate) * np.sqrt(max(2 * (part + other), 0.0)))


def count_deviation(k: float, expected: float) -> float:
    """Signed-root deviance of a count against its expectation: about standard normal for Poisson counts."""
    expected = max(expected, 0.5)
    part = k * np.log(k / expected) if k > 0 else 0.0
    return float(np.sign(k - expected) * np.sqrt(max(2 * (part - (k - expected)), 0.0)))


def normal_upper(p: float) -> float:
    """Upper quantile of the standard normal distribution."""
    return -NormalDist().inv_cdf(p)


def normal_tail(z: float) -> float:
    """Chance that a standard normal exceeds `z`."""
    return 0.5 * erfc(z / sqrt(2))
