"""Additive measures against a forecast: volumes, revenue, any total with an expected value per leaf."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rca_kit.errors import BadInput
from rca_kit.stats.segments.evidence import Z95, Contrast, Evidence, Floats, Mask, log_p_of

# Leaves of one affected segment deviate by a common relative amount, give or take this (standard deviation, of the larger of
# actual and expected).
SPREAD = 0.10
# A share of any segment's leaves may behave like the rest; this bounds what a leaf can say against its segment (14 nats).
MISFITS = 1e-6
# A leaf may deviate by itself, in any way, with this probability; this bounds what one leaf can say for a segment. Low enough
# for a single leaf to stand out among a million segments.
OUTLIERS = 1e-11
SHIFTS = np.array([0.05, 0.09, 0.15, 0.23, 0.33, 0.45, 0.6, 0.77, 0.94])
MEDIAN_EFFICIENCY, MANY = 0.37, 500  # a median-based spread is worth 37 % of the leaves; beyond 500 the normal law will do
UNBIASED = 0.5  # a crowd this near to 0, in standard deviations, is at 0: its place is uncertain, and forecasts are made to fit
CROWD = 0.15  # this share of the leaves must be at rest
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
    least_gain: float = 8.0  # no single leaf of a table of some thousands is significant below
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
            counted = unit(a[live]) * (1.0 + (unit(e[live]) > 0))
            noise[live] = _noise(deviation[live] - centre, size[live], counted)
        object.__setattr__(self, "centre", centre)
        object.__setattr__(self, "noise", noise)

    def fitted(self, codes: NDArray[np.integer], cardinalities: tuple[int, ...]) -> Totals:
        """Return itself: every leaf has its own forecast."""
        return self

    def evidence(self, direction: str) -> Evidence:
        """Give gains per leaf over a grid of common relative deviations."""
        shifts = {"increase": SHIFTS, "decrease": -SHIFTS}.get(direction, np.concatenate([SHIFTS, -SHIFTS]))
        live = np.isfinite(self.noise)
        sigma = np.where(live, self.noise, 1.0)[:, None]
        x = (self.deviation - self.centre)[:, None]
        # an effect that is small against the spread between leaves must not be blurred by it
        wide = np.sqrt(np.minimum(SPREAD, np.abs(shifts) / 3.0) ** 2 + sigma**2)
        # the larger part of each two-part mixture stands for their sum
        still = np.maximum(_log_normal(x, sigma), np.log(OUTLIERS / 2.0))
        moved = np.maximum(_log_normal(x - shifts, wide), still + np.log(MISFITS))
        gains = moved - still
        gains[~live] = 0.0
        return Evidence(gains, shifts, self.actual - self.expected)

    def weight(self) -> Floats:
        """Give the expected totals."""
        return np.abs(self.expected)

    def parts(self) -> list[Floats]:
        """Give totals, precision-weighted deviations, and what bounds the noise of a total."""
        live = np.isfinite(self.noise)
        precision = np.where(live, 1.0 / np.where(live, self.noise, 1.0) ** 2, 0.0)
        size = np.where(live, np.maximum(np.abs(self.actual), np.abs(self.expected)), 0.0)
        return [self.expected, self.actual, precision, precision * self.deviation, size,
                np.where(live, self.noise, 0.0) ** 2 * size**2]

    def contrast(self, inside: Floats, rest: Floats, unrest: float) -> Contrast:
        """Test the segment's deviation against the rest: of its leaves, weighted by precision, and of its total."""
        before, after, precision, weighted, size, noise = (float(v) for v in inside)
        change = after - before
        if precision <= 0:
            return Contrast(before, after, None, 0.0, before, after)
        mean, variance, bias = weighted / precision, 1.0 / precision, 0.0
        if rest[2] > 0:
            bias = float(rest[3] / rest[2])
            mean, variance = mean - bias, variance + 1.0 / float(rest[2])
        # leaves that are few and skewed can fake a mean, a few large leaves can fake a total: both must hold
        z = min(abs(mean) / variance**0.5, abs(change - bias * size) / noise**0.5) / unrest
        half = Z95 * noise**0.5
        return Contrast(before, after, (change - half, change + half), self._log_p(z), before, after)

    def _log_p(self, z: float) -> float:
        """Two-sided log p-value; the noise is itself estimated, from few leaves loosely."""
        freedom = MEDIAN_EFFICIENCY * float(np.isfinite(self.noise).sum())
        if freedom > MANY:
            return log_p_of(z)
        from scipy.special import stdtr

        return float(np.log(max(2.0 * stdtr(max(freedom, 1.0), -z), 1e-300)))

    def unrest(self, rest: Mask) -> float:
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
    """Where the leaves at rest lie: the crowd next to 0, or where the whole table was shifted to.

    A forecast is right for the leaves nothing happened to, so the climb to the crowd starts at 0, with a window that holds
    a few of the leaves; it stays there as long as that many are at rest, even when most are not.
    """
    window = float(np.quantile(np.abs(x), CROWD))
    centre = 0.0
    for _ in range(100):
        ahead = float(np.median(x[np.abs(x - centre) <= window])) if window > 0 else 0.0
        if abs(ahead - centre) <= 1e-3 * window:
            break
        centre = ahead
    if abs(centre) <= UNBIASED * _side_spread(x):
        return 0.0
    for _ in range(5):
        spread = max(_side_spread(x - centre), LEAST_NOISE)
        near = x[np.abs(x - centre) <= 2.0 * spread]
        centre = float(np.median(near)) if len(near) else centre
    return centre


def unit(values: Floats) -> float:
    """Give the step that all values are whole multiples of, 0 when there is none: counts have one, whatever their scale.

    Examples
    --------
    >>> unit(np.array([4.0, 0.0, 6.0, 10.0])), unit(np.array([0.5, 0.7132, 3.1]))
    (2.0, 0.0)
    """
    positive = np.unique(values[values > 0])
    if not len(positive):
        return 0.0
    steps = np.diff(positive, prepend=0.0)
    step = float(steps[steps > 1e-9 * positive[-1]].min(initial=np.inf))
    if not np.isfinite(step):
        return 0.0
    multiples = positive / step
    return step if bool((np.abs(multiples - np.round(multiples)) < 1e-6).all()) else 0.0


def _noise(x: Floats, size: Floats, counted: float) -> Floats:
    """Fit every leaf's standard deviation, ``sqrt(a + b / size)``, to robust spreads by size class.

    Counts are at least as noisy as Poisson: ``b`` is at least `counted`, the step of one event.
    """
    side = _quiet_side(x)
    order = np.argsort(size, kind="stable")
    bins = max(1, min(20, len(x) // 50))
    spreads, sizes = [], []
    for part in np.array_split(order, bins):
        chosen = x[part][np.sign(x[part]) == side] if side else x[part]
        if len(chosen) >= 5:
            spreads.append((1.4826 * float(np.median(np.abs(chosen)))) ** 2)
            sizes.append(1.0 / float(np.median(size[part])))
    floor = np.maximum(counted / size, LEAST_NOISE**2)
    if len(spreads) < 4:
        return np.sqrt(np.maximum(_side_spread(x) ** 2, floor))
    a, b = _line(np.array(sizes), np.array(spreads))
    return np.sqrt(np.maximum(a + b / size, floor))


def _quiet_side(x: Floats) -> int:
    """Tell which side of the centre has the smaller spread, 0 when there are too few leaves: anomalies lie on the other."""
    sides = {sign: x[np.sign(x) == sign] for sign in (1, -1)}
    if any(len(v) < 10 for v in sides.values()):
        return 0
    return min(sides, key=lambda sign: float(np.median(np.abs(sides[sign]))))


def _side_spread(x: Floats) -> float:
    """Give the robust standard deviation of the quiet side."""
    side = _quiet_side(x)
    chosen = x[np.sign(x) == side] if side else x
    return 1.4826 * float(np.median(np.abs(chosen))) if len(chosen) else 0.0


def _line(u: Floats, y: Floats) -> tuple[float, float]:
    """Nonnegative robust fit of ``y = a + b u`` with errors in proportion to y (spreads scale so)."""
    from scipy.optimize import nnls

    weight = 1.0 / np.maximum(y, np.median(y) * 0.01 + 1e-300)
    scale = 1.0 / max(float(np.median(u)), 1e-300)
    solution, _ = nnls(np.column_stack([weight, u * scale * weight]), y * weight)
    return float(solution[0]), float(solution[1] * scale)
