"""Additive measures against a forecast: volumes, revenue, any total with an expected value per leaf."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.special import log_ndtr

from rca_kit.errors import BadInput
from rca_kit.stats.segments.evidence import Z95, Contrast, Evidence, Floats, Mask

# Leaves of one affected segment deviate by a common relative amount, give or take this (standard deviation, of the larger of
# actual and expected).
SPREAD = 0.10
# A share of any segment's leaves may behave like the rest; this bounds what a leaf can say against its segment (7 nats).
MISFITS = 1e-3
# A leaf may deviate by itself, in any way, with this probability; this bounds what one leaf can say for a segment. Low enough
# for a single leaf to stand out among a million segments.
OUTLIERS = 1e-11
SHIFTS = np.array([0.05, 0.08, 0.12, 0.17, 0.23, 0.3, 0.38, 0.47, 0.57, 0.68, 0.8, 0.93])
LEAST_NOISE = 1e-6  # relative; a forecast that is exact everywhere must not divide by zero


@dataclass(frozen=True, eq=False)
class Totals:
    """Actual and expected total per leaf.

    A leaf's deviation is ``(actual - expected) / max(actual, expected)``, between -1 and 1. Its noise is learnt from the
    table: a relative part and a part that shrinks with the leaf's size, as counts have it.

    Parameters
    ----------
    actual, expected : (n,) array
        Totals; the same unit.

    Examples
    --------
    >>> t = Totals(np.array([10., 5.]), np.array([10., 10.]))
    >>> t.deviation
    array([ 0. , -0.5])
    """

    actual: Floats
    expected: Floats
    relative_gate: float = 0.0  # the noise is learnt from the table: significance alone decides
    deviation: Floats = field(init=False, repr=False)
    noise: Floats = field(init=False, repr=False)
    centre: float = field(init=False)

    def __post_init__(self) -> None:
        a, e = (np.nan_to_num(np.asarray(x, dtype=np.float64), nan=0.0) for x in (self.actual, self.expected))
        if a.shape != e.shape:
            raise BadInput("actual and expected differ in length", found=f"{a.shape} and {e.shape}", expected="equal shapes")
        size = np.maximum(np.abs(a), np.abs(e))
        deviation = np.where(size > 0, (a - e) / np.where(size > 0, size, 1.0), 0.0)
        object.__setattr__(self, "actual", a)
        object.__setattr__(self, "expected", e)
        object.__setattr__(self, "deviation", deviation)
        live = size > 0
        centre = _centre(deviation[live]) if live.any() else 0.0
        noise = np.full(len(a), np.inf)
        if live.any():
            noise[live] = _noise(deviation[live] - centre, size[live])
        object.__setattr__(self, "centre", centre)
        object.__setattr__(self, "noise", noise)

    def evidence(self, direction: str) -> Evidence:
        """Give gains per leaf over a grid of common relative deviations."""
        shifts = {"increase": SHIFTS, "decrease": -SHIFTS}.get(direction, np.concatenate([SHIFTS, -SHIFTS]))
        live = np.isfinite(self.noise)
        sigma = np.where(live, self.noise, 1.0)[:, None]
        x = (self.deviation - self.centre)[:, None]
        # an effect that is small against the spread between leaves must not be blurred by it
        wide = np.sqrt(np.minimum(SPREAD, np.abs(shifts) / 3.0) ** 2 + sigma**2)
        still = np.logaddexp(_log_normal(x, sigma), np.log(OUTLIERS / 2.0))
        moved = np.logaddexp(_log_normal(x - shifts, wide) + np.log1p(-MISFITS), still + np.log(MISFITS))
        gains = moved - still
        gains[~live] = 0.0
        return Evidence(gains, shifts, self.actual - self.expected)

    def weight(self) -> Floats:
        """Give the expected totals."""
        return np.abs(self.expected)

    def contrast(self, inside: Mask, rest: Mask) -> Contrast:
        """Compare the precision-weighted mean deviation of the segment with the centre of all leaves."""
        before, after = float(self.expected[inside].sum()), float(self.actual[inside].sum())
        live = inside & np.isfinite(self.noise)
        if not live.any():
            return Contrast(before, after, None, 0.0, before, after)
        mean, variance = self._mean(live)
        if rest.any():
            still, still_variance = self._mean(rest & np.isfinite(self.noise))
            mean, variance = mean - still, variance + still_variance
        z = mean / np.sqrt(variance) / self.tail(rest)
        size = np.maximum(np.abs(self.actual), np.abs(self.expected))[live]
        half = Z95 * float(np.sqrt(((self.noise[live] * size) ** 2).sum()))
        change = after - before
        log_p = min(float(np.log(2.0) + log_ndtr(-abs(z))), 0.0)
        return Contrast(before, after, (change - half, change + half), log_p, before, after)

    def _mean(self, leaves: Mask) -> tuple[float, float]:
        """Precision-weighted mean deviation and its variance; of the bulk, in a large group: anomalies may be among them."""
        if not leaves.any():
            return self.centre, 0.0
        x, weight = self.deviation[leaves], 1.0 / self.noise[leaves] ** 2
        return float((weight * x).sum() / weight.sum()), float(1.0 / weight.sum())

    def tail(self, rest: Mask) -> float:
        """How much heavier the tails of the leaves at rest are than normal ones; at least 1.

        Both tails are looked at and the lighter one is taken: anomalies not found yet lie in one of them.
        """
        z = (self.deviation - self.centre)[rest & np.isfinite(self.noise)] / self.noise[rest & np.isfinite(self.noise)]
        n = len(z)
        if n < 100:
            return 1.0
        from scipy.special import ndtri

        k = max(3, n // 1000)
        normal = -float(ndtri((k - 0.5) / n))
        upper, lower = float(np.partition(z, n - k)[n - k]), -float(np.partition(z, k - 1)[k - 1])
        return max(1.0, min(upper, lower) / normal)


def _log_normal(x: Floats, sigma: Floats) -> Floats:
    return -0.5 * (x / sigma) ** 2 - np.log(sigma) - 0.9189385332046727


def _centre(x: Floats) -> float:
    """Where the leaves at rest lie: 0 when the forecast is unbiased, else the common shift of the bulk."""
    centre = _mode(x)
    for _ in range(5):
        spread = max(_side_spread(x - centre), LEAST_NOISE)
        centre = float(np.median(x[np.abs(x - centre) <= 2.0 * spread]))
    return centre


def _mode(values: Floats) -> float:
    """Half-sample mode (Bickel and Fruehwirth 2006, doi 10.1016/j.csda.2005.07.011): holds with 40 % of the leaves shifted."""
    x = np.sort(values)
    while len(x) > max(60, len(values) // 8):
        half = (len(x) + 1) // 2
        widths = x[half - 1:] - x[: len(x) - half + 1]
        start = int(np.argmin(widths))
        x = x[start: start + half]
    return float(np.median(x))


def _noise(x: Floats, size: Floats) -> Floats:
    """Fit every leaf's standard deviation, ``sqrt(a + b / size)``, to robust spreads by size class."""
    order = np.argsort(size)
    bins = max(1, min(20, len(x) // 50))
    spreads, sizes = [], []
    for part in np.array_split(order, bins):
        spreads.append(_side_spread(x[part]) ** 2)
        sizes.append(1.0 / np.median(size[part]))
    floor = LEAST_NOISE**2
    if bins < 4:
        return np.full(len(x), np.sqrt(max(_side_spread(x) ** 2, floor)))
    y, u = np.array(spreads), np.array(sizes)
    a, b = _line(u, y)
    return np.sqrt(np.maximum(a + b / size, floor))


def _side_spread(x: Floats) -> float:
    """Robust standard deviation from the side of the centre with the smaller spread: anomalies lie on one side."""
    sides = [float(np.median(np.abs(side))) for side in (x[x > 0], x[x < 0]) if len(side) >= 10]
    if not sides:
        return 1.4826 * float(np.median(np.abs(x))) if len(x) else 0.0
    return 1.4826 * min(sides)


def _line(u: Floats, y: Floats) -> tuple[float, float]:
    """Nonnegative robust fit of ``y = a + b u`` with errors in proportion to y (spreads scale so)."""
    from scipy.optimize import nnls

    weight = 1.0 / np.maximum(y, np.median(y) * 0.01 + 1e-300)
    scale = 1.0 / max(float(np.median(u)), 1e-300)
    solution, _ = nnls(np.column_stack([weight, u * scale * weight]), y * weight)
    return float(solution[0]), float(solution[1] * scale)
