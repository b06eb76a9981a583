"""Describe a series that wanders: the best partition into straight lines, by dynamic programming.

Each segment is a least-squares line; each new segment costs a penalty in units of the variance around one line through the
whole series. Measured against that spread, and not against the noise of the segments, a change counts when it is visible at
the scale of the whole picture, which is what people mark in growth curves, rates and prices.
Optimal partitioning: Jackson et al., doi:10.1109/LSP.2001.838216.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rca_kit.stats.changepoint.series import Array

PENALTY_LOG = 3.0  # times log(n): BIC for level, slope and place
MIN_SHARE = 0.03  # a described segment holds at least this share of the series
MIN_LENGTH = 3  # two points are a line without residual
NODES = 320  # candidate ends; longer series are partitioned on this grid, then each cut is placed exactly


@dataclass(frozen=True)
class LineSums:
    """Cumulative sums that give the residual sum of squares of any segment's line in O(1)."""

    weight: Array
    t: Array
    tt: Array
    y: Array
    yy: Array
    ty: Array

    @classmethod
    def of(cls, y: Array, t: Array, weight: Array) -> LineSums:
        """Sum up; t and y are centred for accuracy."""
        t = (t - t.mean()) / max(float(np.ptp(t)), 1e-12)
        y = y - np.average(y, weights=weight)
        return cls(*(np.concatenate([[0.0], np.cumsum(weight * x)]) for x in (np.ones_like(y), t, t * t, y, y * y, t * y)))

    def rss(self, a: Array | int, b: Array | int) -> Array:
        """Residual sum of squares of the line through [a, b)."""
        n = self.weight[b] - self.weight[a]
        t, y = self.t[b] - self.t[a], self.y[b] - self.y[a]
        n = np.maximum(n, 1e-12)
        vt = np.maximum(self.tt[b] - self.tt[a] - t * t / n, 0.0)
        vy = self.yy[b] - self.yy[a] - y * y / n
        c = self.ty[b] - self.ty[a] - t * y / n
        fall = np.divide(c * c, vt, out=np.zeros_like(np.asarray(c, dtype=np.float64)), where=vt > 1e-14)
        return np.asarray(np.maximum(vy - fall, 0.0))


def partition_lines(y: Array, t: Array, weight: Array, penalty: float, min_length: int) -> tuple[int, ...]:
    """Cuts of the partition into lines with the least cost.

    Parameters
    ----------
    y, t, weight : (n,) values, times, weights
    penalty : cost of each further segment, in units of the weighted residual sum of squares
    min_length : observations that each segment holds at least
    """
    n = len(y)
    sums = LineSums.of(y, t, weight)
    step = max(1, n // NODES)
    nodes = np.unique(np.append(np.arange(0, n, step), n))
    if nodes[-1] - nodes[-2] < step and len(nodes) > 2:
        nodes = np.delete(nodes, -2)
    m = len(nodes)
    cost = sums.rss(nodes[:, None], nodes[None, :])
    best = np.full(m, np.inf)
    best[0] = -penalty
    came = np.zeros(m, dtype=np.int64)
    for j in range(1, m):
        last = int(np.searchsorted(nodes, nodes[j] - min_length, side="right"))
        if last <= 0:
            continue
        total = best[:last] + cost[:last, j] + penalty
        i = int(np.argmin(total))
        best[j], came[j] = total[i], i
    if not np.isfinite(best[-1]):
        return ()
    cuts: list[int] = []
    j = m - 1
    while came[j] > 0:
        j = int(came[j])
        cuts.append(int(nodes[j]))
    return _place(sums, tuple(reversed(cuts)), n, min_length) if step > 1 else tuple(reversed(cuts))


def _place(sums: LineSums, cuts: tuple[int, ...], n: int, min_length: int) -> tuple[int, ...]:
    """Put each cut at its exact best place between its neighbours."""
    now = list(cuts)
    for _ in range(3):
        before = list(now)
        for i in range(len(now)):
            a = now[i - 1] if i else 0
            b = now[i + 1] if i + 1 < len(now) else n
            places = np.arange(a + min_length, b - min_length + 1)
            if len(places):
                total = sums.rss(np.full_like(places, a), places) + sums.rss(places, np.full_like(places, b))
                now[i] = int(places[np.argmin(total)])
        if now == before:
            break
    return tuple(now)


def describe_lines(y: Array, t: Array, weight: Array) -> tuple[int, ...]:
    """Cuts that are visible at the scale of the whole series."""
    n = len(y)
    variance = float(LineSums.of(y, t, weight).rss(0, n)) / n
    if variance <= 0:
        return ()
    return partition_lines(y, t, weight, PENALTY_LOG * float(np.log(n)) * variance, max(MIN_LENGTH, int(np.ceil(MIN_SHARE * n))))
