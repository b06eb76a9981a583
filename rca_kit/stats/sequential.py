"""Confidence sequences: intervals that hold at every moment at once, so that looking often costs nothing.

A 95 % interval looked at every minute is wrong at some minute almost surely. A confidence sequence is wrong at any time, ever, in
at most 5 % of streams.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SAME_FOR = 1000  # answers all alike, before "alike" is a statement: a difference of 0.3 % would have shown (rule of three)
TUNED_AT = 1000  # observations at which the sequence is tightest; it holds at every other number too
MIN_INFORMATIVE = 20  # of them; with fewer, one rare flip decides mean and variance alike (27 % false alarms at 1 % flips)
BURN_IN = 50  # observations before the first statement: the method rests on an estimated variance


@dataclass(frozen=True)
class Stream:
    """Sums of a stream of paired differences, updated batch by batch; it never needs the rows again.

    Examples
    --------
    >>> s = Stream().update([0.1, 0.2]).update([0.3])
    >>> s.n, round(s.mean, 3)
    (3, 0.2)
    """

    n: int = 0
    total: float = 0.0
    squares: float = 0.0
    fourths: float = 0.0

    def update(self, values: Any) -> Stream:
        """Give the stream with more values; NaN are left out."""
        x = np.asarray(values, dtype=np.float64).ravel()
        x = x[~np.isnan(x)]
        return self.merge(Stream(len(x), float(x.sum()), float(np.sum(x**2)), float(np.sum(x**4))))

    def merge(self, other: Stream) -> Stream:
        """Give the stream of both."""
        return Stream(self.n + other.n, self.total + other.total, self.squares + other.squares, self.fourths + other.fourths)

    @property
    def mean(self) -> float:
        """Mean so far, NaN before the first value."""
        return self.total / self.n if self.n else float("nan")

    @property
    def variance(self) -> float:
        """Variance of one value."""
        return max(self.squares - self.n * self.mean**2, 0.0) / (self.n - 1) if self.n > 1 else float("nan")

    @property
    def informative(self) -> float:
        """How many values the squares really rest on: of a thousand decisions with two flips, two."""
        return _informative(self.n, self.squares, self.fourths)

    def interval(self, alpha: float = 0.05, tuned_at: int = TUNED_AT) -> tuple[float, float]:
        """Give the interval at this moment of a sequence with error `alpha` over all moments together."""
        if self.n < BURN_IN or self.informative < MIN_INFORMATIVE:
            return (-np.inf, np.inf)
        half = float(half_widths(np.asarray([self.n]), np.asarray([self.variance]), alpha, tuned_at)[0])
        return (self.mean - half, self.mean + half)

    def verdict(self, margin: float, alpha: float = 0.05, tuned_at: int = TUNED_AT) -> str:
        """Say different, equivalent (within plus or minus `margin`) or inconclusive; valid whenever one looks."""
        low, high = self.interval(alpha, tuned_at)
        if low > 0 or high < 0:
            return "equivalent" if -margin <= low and high <= margin else "different"
        return "equivalent" if -margin <= low and high <= margin else "inconclusive"


def _informative(n: int, squares: float, fourths: float) -> float:
    if fourths > 0:
        return squares**2 / fourths
    return float(n) if n >= SAME_FOR else 0.0


def half_widths(n: Any, variance: Any, alpha: float = 0.05, tuned_at: int = TUNED_AT) -> Floats:
    """Half-widths of the asymptotic confidence sequence of a mean.

    Parameters
    ----------
    n : array_like of int
        Observations so far, at each moment.
    variance : array_like
        Estimated variance of one observation, at each moment.
    alpha : float
        Chance that the true mean is ever outside.
    tuned_at : int
        Number of observations at which it is tightest.

    Returns
    -------
    ndarray
        Same shape as `n`; units of the values.

    References
    ----------
    Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (2024), doi:10.1214/24-AOS2408, theorem 2.2 and equation 10: Robbins'
    normal mixture with the variance estimated.

    Examples
    --------
    >>> float(half_widths([1000], [1.0]).round(4)[0])
    0.096
    """
    t, v = np.asarray(n, dtype=np.float64), np.asarray(variance, dtype=np.float64)
    rho2 = (-2 * np.log(alpha) + np.log(-2 * np.log(alpha)) + 1) / tuned_at
    out: Floats = np.sqrt(v) * np.sqrt(2 * (t * rho2 + 1) / (t**2 * rho2) * np.log(np.sqrt(t * rho2 + 1) / alpha))
    return out


def confidence_sequence(values: Any, every: int = 1, alpha: float = 0.05, tuned_at: int = TUNED_AT) -> NDArray[np.float64]:
    """Mean and interval of a stream at each look.

    Parameters
    ----------
    values : array_like, shape (n,)
        Paired differences in order of time.
    every : int
        A look after every so many values.
    alpha, tuned_at
        As for `half_widths`.

    Returns
    -------
    ndarray, shape (looks, 4)
        Observations, mean, lower and upper end; infinite ends until `BURN_IN` values and
        `MIN_INFORMATIVE` informative ones are there.

    Examples
    --------
    >>> looks = confidence_sequence(np.full(200, 0.1) + np.tile([-0.01, 0.01], 100), every=100)
    >>> bool((looks[:, 2] > 0).all())
    True
    """
    x = np.asarray(values, dtype=np.float64)
    n = np.arange(1, len(x) + 1)
    at = np.arange(every - 1, len(x), every)
    centre = float(x.mean()) if len(x) else 0.0
    s1, s2 = np.cumsum(x - centre)[at], np.cumsum((x - centre) ** 2)[at]
    t = n[at].astype(np.float64)
    mean = np.where(np.cumsum(x != 0)[at] > 0, s1 / t, -centre)  # exactly zero while all values are
    variance = np.maximum(s2 - t * mean**2, 0) / np.maximum(t - 1, 1)
    raw2, raw4 = np.cumsum(x**2)[at], np.cumsum(x**4)[at]
    informative = np.where(raw4 > 0, raw2**2 / np.where(raw4 > 0, raw4, 1.0), np.where(t >= SAME_FOR, t, 0))
    half = np.where((t >= BURN_IN) & (informative >= MIN_INFORMATIVE), half_widths(t, variance, alpha, tuned_at), np.inf)
    return np.column_stack([t, mean + centre, mean + centre - half, mean + centre + half])


def first_alarm(looks: Floats, margin: float = 0.0) -> int | None:
    """Observations at the first look whose interval lies beyond plus or minus `margin`, None when none does.

    Examples
    --------
    >>> first_alarm(np.array([[100, 0.1, -0.1, 0.3], [200, 0.1, 0.02, 0.18]]))
    200
    """
    out = np.flatnonzero((looks[:, 2] > margin) | (looks[:, 3] < -margin))
    return int(looks[out[0], 0]) if len(out) else None
