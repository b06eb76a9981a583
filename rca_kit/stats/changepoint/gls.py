"""Generalised least squares for piecewise constant means under AR(1) noise, by cumulative sums.

The noise, divided by its standard deviation, is a stationary AR(1) process with coefficient `phi`; over a gap of g buckets it
correlates phi ** g. Whitening turns each observation into one independent row, so that the gain in log-likelihood of a step
(or of a bump: away and back) at every position costs O(n) altogether. Likelihood of AR(1) regression: Brockwell and Davis,
Introduction to Time Series and Forecasting, sec. 6.6; scan statistics over cumulative sums: Killick et al.,
doi:10.1080/01621459.2012.737745.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rca_kit.stats.changepoint.series import Array, Index

TINY = 1e-300


@dataclass(frozen=True)
class Whitened:
    """One series whitened for one phi.

    Row t of the regression reads ``e[t] = own[t] * mean(t) - prev[t] * mean(t - 1) + independent noise``.
    """

    phi: float
    e: Array
    own: Array
    prev: Array
    c: Array  # own - prev: the coefficient of a mean that did not change at t
    fresh_own: Array  # own, had the series begun at t
    fresh_e: Array
    cum_cc: Array  # cumulative sums with a leading zero
    cum_ce: Array
    cum_ee: Array
    log_det: float

    @property
    def n(self) -> int:
        """Number of observations."""
        return len(self.e)


def whiten(y: Array, precision: Array, gap: Array, phi: float) -> Whitened:
    """Whiten `y` for AR(1) noise of coefficient `phi` with sd 1 / precision."""
    r = phi**gap if phi > 0 else np.zeros(len(y))
    r[0] = 0.0
    scale = 1.0 / np.sqrt(1.0 - r * r)
    z = y * precision
    own = precision * scale
    prev = np.empty_like(own)
    prev[0] = 0.0
    prev[1:] = r[1:] * precision[:-1] * scale[1:]
    e = z * scale
    e[1:] -= r[1:] * z[:-1] * scale[1:]
    c = own - prev
    return Whitened(phi, e, own, prev, c, precision, z, _cum(c * c), _cum(c * e), _cum(e * e),
                    float(np.log1p(-r[1:] ** 2).sum()))


def white_rows(x: Array, gap: Array, phi: float) -> Array:
    """Whiten along the last axis what is already in units of the noise's standard deviation."""
    r = phi**gap if phi > 0 else np.zeros(len(gap))
    r[0] = 0.0
    scale = 1.0 / np.sqrt(1.0 - r * r)
    out = x * scale
    out[..., 1:] -= r[1:] * x[..., :-1] * scale[1:]
    return np.asarray(out)


def _cum(x: Array) -> Array:
    out = np.empty(len(x) + 1)
    out[0] = 0.0
    np.cumsum(x, out=out[1:])
    return out


@dataclass(frozen=True)
class SegmentSums:
    """Sums over one segment [a, b), its first row taken as the start of a series."""

    cc: float
    ce: float
    ee: float

    @property
    def rss(self) -> float:
        """Residual sum of squares around the segment's own mean."""
        return max(self.ee - self.ce * self.ce / max(self.cc, TINY), 0.0)


def segment_sums(w: Whitened, a: int, b: int) -> SegmentSums:
    """Sum over segment [a, b) as if it stood alone."""
    return SegmentSums(
        float(w.cum_cc[b] - w.cum_cc[a + 1] + w.fresh_own[a] ** 2),
        float(w.cum_ce[b] - w.cum_ce[a + 1] + w.fresh_own[a] * w.fresh_e[a]),
        float(w.cum_ee[b] - w.cum_ee[a + 1] + w.fresh_e[a] ** 2),
    )


def step_gains(w: Whitened, a: int, b: int) -> tuple[Array, Array]:
    """Fall of the residual sum of squares in segment [a, b) when a step is allowed at tau = a+1 .. b-1.

    Returns
    -------
    gain : (b - a - 1,) fall of the residual sum of squares
    information : (b - a - 1,) what is left of the step regressor once the mean is taken out
    """
    s = segment_sums(w, a, b)
    t = slice(a + 1, b)
    after_cc = w.cum_cc[b] - w.cum_cc[a + 2 : b + 1]
    after_ce = w.cum_ce[b] - w.cum_ce[a + 2 : b + 1]
    ss = w.own[t] ** 2 + after_cc
    sc = w.own[t] * w.c[t] + after_cc
    se = w.own[t] * w.e[t] + after_ce
    information = np.maximum(ss - sc * sc / max(s.cc, TINY), TINY)
    top = se - sc * (s.ce / max(s.cc, TINY))
    return top * top / information, information


def bump_gains(w: Whitened, a: int, b: int, length: int, sums: SegmentSums | None = None, stride: int = 1) -> Array:
    """Fall of the residual sum of squares in [a, b) when the mean may differ on [s, s + length).

    Returns
    -------
    (k,) gains for s = a + 1, a + 1 + stride, ... < b - length
    """
    s = sums or segment_sums(w, a, b)
    start = slice(a + 1, b - length, stride)
    end = slice(a + 1 + length, b, stride)
    inner = slice(a + 2, b - length + 1, stride)
    inner_cc = w.cum_cc[end] - w.cum_cc[inner]
    inner_ce = w.cum_ce[end] - w.cum_ce[inner]
    own, prev = w.own[start], w.prev[end]
    bb = own * own + inner_cc + prev * prev
    bc = own * w.c[start] + inner_cc - prev * w.c[end]
    be = own * w.e[start] + inner_ce - prev * w.e[end]
    top = be - bc * (s.ce / max(s.cc, TINY))
    return np.asarray(top * top / np.maximum(bb - bc * bc / max(s.cc, TINY), TINY))


@dataclass(frozen=True)
class StepFit:
    """Levels of a piecewise constant mean and what they leave."""

    rss: float
    levels: Array
    covariance: Array  # of the levels, for noise of unit scale


def _normal_equations(w: Whitened, cuts: tuple[int, ...]) -> tuple[Array, Array]:
    """Gram matrix (tridiagonal: a level meets only its neighbours) and right-hand side of the levels."""
    k = len(cuts) + 1
    at: Index = np.asarray(cuts, dtype=np.int64)
    first = np.concatenate([[0], at])
    last = np.concatenate([at, [w.n]])
    diagonal = w.cum_cc[last] - w.cum_cc[first + 1] + w.own[first] ** 2
    rhs = w.cum_ce[last] - w.cum_ce[first + 1] + w.own[first] * w.e[first]
    gram = np.zeros((k, k))
    if k > 1:
        diagonal[:-1] += w.prev[at] ** 2
        rhs[:-1] -= w.prev[at] * w.e[at]
        j = np.arange(k - 1)
        gram[j, j + 1] = gram[j + 1, j] = -w.own[at] * w.prev[at]
    gram[np.arange(k), np.arange(k)] = np.maximum(diagonal, TINY)
    return gram, rhs


def rss_steps(w: Whitened, cuts: tuple[int, ...]) -> float:
    """Residual sum of squares of one level per segment, fitted jointly; O(number of cuts)."""
    if not cuts:
        return segment_sums(w, 0, w.n).rss
    gram, rhs = _normal_equations(w, cuts)
    return max(float(w.cum_ee[-1] - rhs @ np.linalg.solve(gram, rhs)), 0.0)


def fit_steps(w: Whitened, cuts: tuple[int, ...]) -> StepFit:
    """Fit one level per segment jointly, the correlation across the cuts included; O(number of cuts).

    Parameters
    ----------
    cuts : increasing positions in 1 .. n-1 at which a new level starts
    """
    gram, rhs = _normal_equations(w, cuts)
    covariance: Array = np.asarray(np.linalg.inv(gram), dtype=np.float64)
    levels = covariance @ rhs
    return StepFit(max(float(w.cum_ee[-1] - rhs @ levels), 0.0), levels, covariance)
