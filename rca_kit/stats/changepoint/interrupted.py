"""Interrupted time series: what one known moment did to the level and the slope of a metric.

Wagner et al., doi:10.1046/j.1365-2710.2002.00430.x. The regression has a level and a slope before, a change of both at the
given moment, and the first harmonics of the season; its noise is AR(1), whose coefficient is estimated from the residuals in
turn with the regression (Cochrane-Orcutt with the first row kept: Prais and Winsten) and corrected for its bias.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import fdtrc, stdtr, stdtrit

from rca_kit.errors import BadInput
from rca_kit.stats.changepoint.gls import white_rows
from rca_kit.stats.changepoint.series import Array, read_series

HARMONICS = 2  # of the season: a smooth day; more would cost short windows too much
ROUNDS = 8
PHI_MOST = 0.9
MIN_SIDE = 3  # values on each side


@dataclass(frozen=True)
class InterruptedFit:
    """Change of level and slope at one moment, with 95% intervals.

    Attributes
    ----------
    level_change : jump at the moment, in units of the values
    slope_change : change of slope, in units per bucket
    level_interval, slope_interval : 95% intervals
    level_p, slope_p : two-sided p-values of each
    p_value : of both together being zero
    autocorrelation : AR(1) coefficient of the noise
    n_before, n_after : observed values on each side
    """

    level_change: float
    level_interval: tuple[float, float]
    slope_change: float
    slope_interval: tuple[float, float]
    level_p: float
    slope_p: float
    p_value: float
    autocorrelation: float
    n_before: int
    n_after: int

    def says(self) -> str:
        """Give the answer in words."""
        (a, b), (c, d) = self.level_interval, self.slope_interval
        return (f"level {self.level_change:+.4g} (95% {a:+.4g} to {b:+.4g}), "
                f"slope {self.slope_change:+.4g} per bucket (95% {c:+.4g} to {d:+.4g}), p = {self.p_value:.2g}")


def interrupted_time_series(values: Any, at_index: int, standard_errors: Any = None, period: int | None = None) -> InterruptedFit:
    """Estimate what happened to level and slope at a known bucket.

    Parameters
    ----------
    values : (n,) array-like of float
        One value per bucket, NaN = missing: the stretch around the moment, not the whole history.
    at_index : int
        First bucket after the moment.
    standard_errors : (n,) array-like, optional
        Known standard errors; weights are their inverse squares.
    period : int, optional
        Season in buckets; its first two harmonics are allowed for when the stretch holds two cycles.

    Raises
    ------
    BadInput
        Fewer than three observed values on either side, or fewer values than coefficients.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> fit = interrupted_time_series(np.r_[rng.normal(0, 1, 60), rng.normal(3, 1, 60)], 60)
    >>> fit.level_interval[0] < 3 < fit.level_interval[1]
    True
    """
    s = read_series(values, standard_errors=standard_errors)
    before = int((s.index < at_index).sum())
    after = len(s.y) - before
    if min(before, after) < MIN_SIDE:
        raise BadInput("too few values beside the moment", found=f"{before} before and {after} after index {at_index}",
                       expected=f"{MIN_SIDE} or more on each side")
    t = (s.index - at_index).astype(np.float64)
    on = (t >= 0).astype(np.float64)
    columns = [np.ones_like(t), t, on, on * t]
    if period and s.n >= 2 * period:
        for h in range(1, min(HARMONICS, (period - 1) // 2) + 1):
            columns += [np.sin(2 * np.pi * h * t / period), np.cos(2 * np.pi * h * t / period)]
    x = np.column_stack(columns)
    if len(s.y) <= x.shape[1]:
        raise BadInput("too few values for the regression", found=str(len(s.y)), expected=f"more than {x.shape[1]}")
    x, y = x * s.precision[:, None], s.y * s.precision
    phi = 0.0
    for _ in range(ROUNDS):
        fit = _least_squares(white_rows(y, s.gap, phi), white_rows(x.T, s.gap, phi).T)
        residual = y - x @ fit.coefficients
        new = _phi_of(residual, s.gap, x.shape[1])
        if abs(new - phi) < 1e-4:
            break
        phi = new
    exact = fit.squares <= 1e-20 * max(float(y @ y), 1e-300)
    (level, slope), beta = fit.intervals(2, 3), fit.coefficients
    p_level, p_slope = fit.p_values(2, 3)
    both = 0.0 if exact else fit.p_together(2, 3)
    return InterruptedFit(float(beta[2]), level, float(beta[3]), slope, p_level, p_slope, both, phi, before, after)


@dataclass(frozen=True)
class _Fit:
    """Ordinary least squares: coefficients, their covariance, the residual sum of squares and its degrees of freedom."""

    coefficients: Array
    covariance: Array
    squares: float
    freedom: int

    def _errors(self, *which: int) -> Array:
        return np.sqrt(np.diag(self.covariance)[list(which)])

    def intervals(self, *which: int) -> list[tuple[float, float]]:
        """Give 95% intervals by Student's t."""
        half = stdtrit(self.freedom, 0.975) * self._errors(*which)
        return [(float(self.coefficients[k] - h), float(self.coefficients[k] + h)) for k, h in zip(which, half, strict=True)]

    def p_values(self, *which: int) -> list[float]:
        """Give two-sided p-values by Student's t."""
        with np.errstate(divide="ignore", invalid="ignore"):
            t = np.abs(self.coefficients[list(which)]) / self._errors(*which)
        return [float(2 * stdtr(self.freedom, -v)) for v in t]

    def p_together(self, *which: int) -> float:
        """Give the p-value of these coefficients being zero together, by the F test."""
        beta, at = self.coefficients[list(which)], np.ix_(which, which)
        f = float(beta @ np.linalg.pinv(self.covariance[at]) @ beta) / len(which)
        return float(fdtrc(len(which), self.freedom, f))


def _least_squares(y: Array, x: Array) -> _Fit:
    """Fit by the pseudo-inverse, so that columns that coincide share their coefficient."""
    inverse = np.linalg.pinv(x)
    beta = inverse @ y
    squares = float(np.sum((y - x @ beta) ** 2))
    freedom = len(y) - int(np.linalg.matrix_rank(x))
    return _Fit(beta, inverse @ inverse.T * (squares / freedom), squares, freedom)


def _phi_of(residual: Array, gap: Array, parameters: int) -> float:
    """Lag-1 correlation of residuals one bucket apart, corrected for the bias of a regression (Kendall: -(1 + 3 phi) / n)."""
    near = gap[1:] < 1.5
    if near.sum() < 5:
        return 0.0
    a, b = residual[1:][near], residual[:-1][near]
    raw = float(a @ b) / max(0.5 * float(a @ a + b @ b), 1e-300)
    n = len(residual)
    return float(np.clip(raw + (parameters + (parameters + 1) * max(raw, 0.0)) / (2 * n), 0.0, PHI_MOST)) if raw > 0 else 0.0
