"""Which range of a number's values has become more frequent while all others kept their proportions: more of some came."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri, ndtri, xlogy

Floats = NDArray[np.float64]

BINS = 64  # of about as many values each: fine enough for a border
ROWS_LEAST = 400  # values a side that show a border at all
CLEAR = 50.0  # deviance of the range against all others, from which it is no chance among two thousand ranges
MORE = 1.2  # times its share of before that the range must hold
SHARE = (0.02, 0.8)  # part of the values before that a range may hold
LEFT, LEFT_P = 0.1, 1e-3  # part of its deviance that may be left unexplained, and chance of more by chance alone
BORDER, BORDER_PART = 8.0, 0.05  # deviance, and part of it, that a second border must add: one of some sixty may lie anywhere
SMOOTHER = 20.0  # deviance by which the range must tell it better than any smooth change of the density
STEPS = 25  # of Newton's method at most


@dataclass(frozen=True)
class Crowd:
    """A range that holds more than before: from `low`, up to below `high` (None where open), and its share before and after."""

    low: float | None
    high: float | None
    before: float
    after: float


def crowded(before: Floats, after: Floats, clump: float = 1.0) -> Crowd | None:
    """The one range of values that became more frequent, inside and outside of which nothing changed; None where there is none.

    The deviance between the two sides, by bins, is split into that between the range and the rest, and that within the two
    (additive for nested tables, Agresti 2013). The range must hold nearly all of it, and tell it better than a density that
    changed smoothly: a logistic regression of the side on a cubic in normal scores, as which shifts and wider spreads show.

    Parameters
    ----------
    before, after : (rows,) array of float
        Values on either side; those that are not finite are left out.
    clump : float
        Rows that count for one.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> age = lambda n: rng.normal(50, 15, n).round()
    >>> guests = age(9000); guests = guests[guests >= 65]
    >>> found = crowded(age(5000), np.concatenate([age(4000), guests]))
    >>> found.low, found.high
    (65.0, None)
    >>> crowded(age(5000), age(5000) + 5) is None
    True
    """
    b, a = (np.sort(x[np.isfinite(x)]) for x in (before, after))
    if min(b.size, a.size) < ROWS_LEAST:
        return None
    edges = np.unique(np.quantile(np.concatenate([b, a]), np.linspace(0, 1, BINS + 1)[1:-1], method="higher"))
    k, n = (np.diff(np.searchsorted(x, edges, side="left"), prepend=0, append=x.size) / clump for x in (b, a))
    keep = k + n > 0
    if keep.sum() < 4:
        return None
    lows = np.concatenate([[-np.inf], edges])[keep]
    k, n = k[keep], n[keep]
    i, j, gain = _best_range(k, n)
    p, q = k[i:j].sum() / k.sum(), n[i:j].sum() / n.sum()
    whole = float(_deviance(k, n).sum() - _deviance(k.sum(), n.sum()))
    left = whole - gain
    if gain < CLEAR or q < MORE * p or not SHARE[0] <= p <= SHARE[1]:
        return None
    if left > LEFT * gain + chdtri(k.size - 2, LEFT_P) or left > _smooth_left(k, n) - SMOOTHER:
        return None
    return Crowd(float(lows[i]) if i else None, float(lows[j]) if j < lows.size else None, float(p), float(q))


def _best_range(k: Floats, n: Floats) -> tuple[int, int, float]:
    """First bin, one after the last, and deviance of the range that differs most from the rest, towards more."""
    ck, cn = (np.concatenate([[0.0], np.cumsum(x)]) for x in (k, n))
    inside_k, inside_n = (c[None, :] - c[:, None] for c in (ck, cn))
    grown = inside_n * ck[-1] > inside_k * cn[-1]
    able = grown & (np.arange(ck.size)[None, :] > np.arange(ck.size)[:, None])
    able[0, -1] = False
    gain = _deviance(inside_k, inside_n) + _deviance(ck[-1] - inside_k, cn[-1] - inside_n) - _deviance(ck[-1], cn[-1])
    gain = np.where(able, gain, -np.inf)
    i, j = np.unravel_index(int(np.argmax(gain)), gain.shape)
    for first, end in ((i, ck.size - 1), (0, j)):  # a border less, where it tells nothing
        if gain[first, end] >= gain[i, j] - max(BORDER, BORDER_PART * gain[i, j]):
            return int(first), int(end), float(gain[first, end])
    return int(i), int(j), float(gain[i, j])


def _deviance(k: Floats, n: Floats) -> Floats:
    """Twice the log-likelihood of cells in which k of before and n of after lie, given that they are cells of their own."""
    k, n = np.maximum(k, 0.0), np.maximum(n, 0.0)
    return np.asarray(2 * (xlogy(k, k) + xlogy(n, n) - xlogy(k + n, k + n)))


def _smooth_left(k: Floats, n: Floats) -> float:
    """Deviance that a logistic regression of the side on a cubic in the bins' normal scores leaves."""
    m = k + n
    score = ndtri((np.cumsum(m) - m / 2) / m.sum())
    x = np.column_stack([score**d for d in range(4)])
    beta = np.zeros(4)
    for _ in range(STEPS):
        p = 1 / (1 + np.exp(-np.clip(x @ beta, -30, 30)))
        w = np.maximum(m * p * (1 - p), 1e-9)
        step = np.linalg.lstsq((x * w[:, None]).T @ x, x.T @ (n - m * p), rcond=None)[0]
        beta = beta + step
        if np.abs(step).max() < 1e-8:
            break
    p = np.clip(1 / (1 + np.exp(-np.clip(x @ beta, -30, 30))), 1e-12, 1 - 1e-12)
    return float(_deviance(k, n).sum() - 2 * (xlogy(n, p) + xlogy(k, 1 - p)).sum())
