"""Means with variance before and after: latency, score, absolute error, revenue per request."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rca_kit.stats.segments.evidence import Z95, Contrast, Evidence, Floats, Mask, log_p_of

SHIFTS = np.exp(np.linspace(np.log(0.02), np.log(20.0), 24))  # effects in units of the pooled standard deviation of a row
# Leaves of one affected segment share their shift up to this relative spread; they also drift apart a little on quiet days
# (in row standard deviations).
SPREAD, DRIFT = 0.3, 0.02
FITTING_ROUNDS, PRIOR_REQUESTS = 3, 5.0
# Beyond this many leaves the thin ones, a few rows each, are summed before they are scored.
MANY_LEAVES, THIN_NOISE = 100_000, 0.2
WORST_MISFIT, BEST_FIT = 10.0, 200.0


@dataclass(frozen=True, eq=False)
class Means:
    """Sum, sum of squares and count per leaf, before and after.

    Parameters
    ----------
    sum_before, sumsq_before, n_before, sum_after, sumsq_after, n_after : (n,) array
        Moments; zero where a leaf was not seen.

    Examples
    --------
    >>> one = np.ones(2)
    >>> m = Means(50 * one, 60 * one, 100 * one, np.array([50., 150.]), np.array([60., 260.]), 100 * one)
    >>> m.evidence("either").impact.round(1)
    array([  0., 100.])
    """

    sum_before: Floats
    sumsq_before: Floats
    n_before: Floats
    sum_after: Floats
    sumsq_after: Floats
    n_after: Floats
    prior: Floats | None = None  # mean a leaf would have by its values one by one; filled in by `fitted`
    least_gain: float = 4.0
    relative_gate: float = 0.3

    def __post_init__(self) -> None:
        for name in ("sum_before", "sumsq_before", "n_before", "sum_after", "sumsq_after", "n_after"):
            object.__setattr__(self, name, np.nan_to_num(np.asarray(getattr(self, name), dtype=np.float64), nan=0.0))

    def row_sd(self) -> float:
        """Pool the standard deviation of a row inside its leaf."""
        within, rows = 0.0, 0.0
        for total, squares, n in ((self.sum_before, self.sumsq_before, self.n_before),
                                  (self.sum_after, self.sumsq_after, self.n_after)):
            seen = n > 1
            within += float(np.maximum(squares[seen] - total[seen] ** 2 / n[seen], 0.0).sum())
            rows += float((n[seen] - 1).sum())
        return float(np.sqrt(max(within / rows, 1e-24))) if rows > 0 else 1.0

    def fitted(self, codes: NDArray[np.integer], cardinalities: tuple[int, ...]) -> Means:
        """Fit a mean before to every value of every dimension (backfitting), for leaves not seen before."""
        overall = self.sum_before.sum() / max(self.n_before.sum(), 1e-9)
        prior = np.full(len(codes), overall)
        for _ in range(FITTING_ROUNDS):
            for dim, size in enumerate(cardinalities):
                left = np.bincount(codes[:, dim], self.sum_before - self.n_before * prior, minlength=size)
                rows = np.bincount(codes[:, dim], self.n_before, minlength=size)
                prior += (left / (rows + PRIOR_REQUESTS))[codes[:, dim]]
        return replace(self, prior=prior)

    def mean_before(self) -> Floats:
        """Give the mean of each leaf before; of a leaf not seen, what its values suggest."""
        overall = self.prior if self.prior is not None else self.sum_before.sum() / max(self.n_before.sum(), 1e-9)
        return np.where(self.n_before > 0, self.sum_before / np.where(self.n_before > 0, self.n_before, 1.0), overall)

    def impact(self) -> Floats:
        """Give what each leaf adds to the change of the total: its shift times its requests after."""
        return np.asarray(np.where(self.n_after > 0, self.sum_after - self.mean_before() * self.n_after, 0.0))

    def evidence(self, direction: str) -> Evidence:
        """Give gains per leaf over a grid of common shifts of the mean."""
        sd = self.row_sd()
        shifts = {"increase": SHIFTS, "decrease": -SHIFTS}.get(direction, np.concatenate([SHIFTS, -SHIFTS]))
        seen = self.n_after > 0
        after = np.where(seen, self.sum_after / np.where(seen, self.n_after, 1.0), 0.0)
        x = np.where(seen, (after - self.mean_before()) / sd, 0.0)
        noise = 1.0 / np.maximum(self.n_after, 1.0) + 1.0 / np.maximum(self.n_before, 1.0) + DRIFT**2
        impact = x * sd * self.n_after
        if len(x) <= MANY_LEAVES:
            gains = _gains(x, noise, shifts)
            gains[~seen] = 0.0
            return Evidence(gains, shifts, impact)
        # the spread between leaves is nothing against the noise of a thin leaf, and without it the gains are linear
        heavy = np.flatnonzero(seen & (noise < THIN_NOISE))
        linear = (x / noise, 1.0 / noise)
        for column in linear:
            column[~seen] = 0.0
            column[heavy] = 0.0
        slopes = np.stack([shifts, -(shifts**2) / 2])
        return Evidence(_gains(x[heavy], noise[heavy], shifts), shifts, impact, heavy, linear, slopes)

    def weight(self) -> Floats:
        """Give the requests after."""
        return self.n_after

    def parts(self) -> list[Floats]:
        """Give the moments of both windows and the squared count."""
        return [self.sum_before, self.sumsq_before, self.n_before, self.sum_after, self.sumsq_after, self.n_after,
                self.n_after**2]

    def unrest(self, rest: Mask) -> float:
        """Give the variance by which the means of leaves drift on quiet days."""
        return (DRIFT * self.row_sd()) ** 2

    def contrast(self, inside: Floats, rest: Floats, unrest: float) -> Contrast:
        """Test the change of the segment's mean, alone and against the rest."""
        m0, v0, n0 = _moments(*inside[0:3])
        m1, v1, n1 = _moments(*inside[3:6])
        r0, w0, c0 = _moments(*rest[0:3])
        r1, w1, c1 = _moments(*rest[3:6])
        if n1 <= 0:
            return Contrast(m0 if n0 > 0 else None, None, None, 0.0, n0, n1)
        both = n0 > 0
        base, base_variance = (m0, v0 / n0) if both else (r1, (w1 / c1 if c1 > 0 else 0.0))
        drift, drift_variance = (r1 - r0, w0 / c0 + w1 / c1) if both and c0 > 0 and c1 > 0 else (0.0, 0.0)
        change, variance = m1 - base, v1 / n1 + base_variance
        z = change / np.sqrt(max(variance + unrest * float(inside[6]) / n1**2, 1e-300))
        apart = (change - drift) / np.sqrt(max(variance + drift_variance, 1e-300))
        half = Z95 * float(np.sqrt(variance))
        return Contrast(m0 if both else None, m1, (change - half, change + half) if both else None, log_p_of(z), n0, n1,
                        log_p_of(apart), drift / change if change else 1.0)


def _gains(x: Floats, noise: Floats, shifts: Floats) -> Floats:
    x, noise = x[:, None], noise[:, None]
    wide = noise + (SPREAD * shifts) ** 2
    gains: Floats = x**2 / (2 * noise) - (x - shifts) ** 2 / (2 * wide) - 0.5 * np.log(wide / noise)
    # a large shift allows for so much spread that it fits a large move the other way, too: that is no evidence for it
    gains = np.where(x * shifts < 0, np.minimum(gains, 0.0), gains)
    return np.clip(gains, -WORST_MISFIT, BEST_FIT)


def _moments(total: float, squares: float, n: float) -> tuple[float, float, float]:
    if n <= 0:
        return 0.0, 0.0, 0.0
    mean = float(total) / float(n)
    return mean, max(float(squares) / float(n) - mean**2, 0.0), float(n)
