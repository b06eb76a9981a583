"""Describe a series that wanders: the best partition into levels and straight lines, by dynamic programming.

Each segment is a mean or a least-squares line; each costs a penalty in units of the variance around one line through the
whole series. Measured against that spread, and not against the noise of the segments, a change counts when it is visible at
the scale of the whole picture, which is what people mark in growth curves, rates and prices.
Optimal partitioning: Jackson et al., doi:10.1109/LSP.2001.838216.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from rca_kit.stats.changepoint.series import Array, Index

LEVEL_LOG = 2.0  # times log(n): BIC for level and place
LINE_LOG = 3.5  # times log(n): level, slope and place; the slope counts half as much again, or every level would lean
LEVEL_MOST, LINE_MOST = 0.2, 0.35  # of the variance: what explains more is visible however short the series
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

    def rss_level(self, a: Index | int, b: Index | int) -> Array:
        """Residual sum of squares around the mean of [a, b)."""
        n = np.maximum(self.weight[b] - self.weight[a], 1e-12)
        y = self.y[b] - self.y[a]
        return np.asarray(np.maximum(self.yy[b] - self.yy[a] - y * y / n, 0.0))

    def rss(self, a: Index | int, b: Index | int) -> Array:
        """Residual sum of squares of the line through [a, b)."""
        n = self.weight[b] - self.weight[a]
        t, y = self.t[b] - self.t[a], self.y[b] - self.y[a]
        n = np.maximum(n, 1e-12)
        vt = np.maximum(self.tt[b] - self.tt[a] - t * t / n, 0.0)
        vy = self.yy[b] - self.yy[a] - y * y / n
        c = self.ty[b] - self.ty[a] - t * y / n
        fall = np.divide(c * c, vt, out=np.zeros_like(np.asarray(c, dtype=np.float64)), where=vt > 1e-14)
        return np.asarray(np.maximum(vy - fall, 0.0))


@dataclass(frozen=True)
class Cost:
    """Cost of a segment: the cheaper of a level and a line."""

    sums: LineSums
    level: float
    line: float

    def __call__(self, a: Index | int, b: Index | int) -> Array:
        """Cost of [a, b)."""
        return np.minimum(self.sums.rss_level(a, b) + self.level, self.sums.rss(a, b) + self.line)


def partition(cost: Cost, n: int, min_length: int) -> tuple[int, ...]:
    """Cuts of the partition of [0, n) with the least total cost, every segment at least `min_length` long.

    Up to `NODES` observations the search is exact; longer series are cut on a grid and each cut is then placed exactly.
    """
    step = -(-n // NODES)
    nodes = np.append(np.arange(0, n - step + 1, step), n) if step > 1 else np.arange(n + 1)
    m = len(nodes)
    table = cost(nodes[:, None], nodes[None, :])
    last = np.searchsorted(nodes, nodes - min_length, side="right")
    best = np.full(m, np.inf)
    best[0] = 0.0
    came = np.zeros(m, dtype=np.int64)
    for j in range(1, m):
        if last[j] > 0:
            total = best[: last[j]] + table[: last[j], j]
            i = int(np.argmin(total))
            best[j], came[j] = total[i], i
    cuts: list[int] = []
    j = m - 1
    while np.isfinite(best[-1]) and came[j] > 0:
        j = int(came[j])
        cuts.append(int(nodes[j]))
    found = tuple(reversed(cuts))
    return found if step == 1 else _place(cost, found, n, min_length)


def _place(cost: Cost, cuts: tuple[int, ...], n: int, min_length: int) -> tuple[int, ...]:
    """Put each cut at its exact best place between its neighbours."""
    now = list(cuts)
    for _ in range(3):
        before = list(now)
        for i in range(len(now)):
            a = now[i - 1] if i else 0
            b = now[i + 1] if i + 1 < len(now) else n
            places = np.arange(a + min_length, b - min_length + 1)
            if len(places):
                now[i] = int(places[np.argmin(cost(np.full_like(places, a), places) + cost(places, np.full_like(places, b)))])
        if now == before:
            break
    return tuple(now)


def visible_steps(y: Array, t: Array, weight: Array, cuts: tuple[int, ...], seen: Array) -> tuple[int, ...]:
    """Those of many steps that are visible at the scale of the whole series: each, or each bump, pays what a level costs."""
    n = len(y)
    sums = LineSums.of(y, t, weight)
    price = LEVEL_LOG * float(np.log(n)) * float(LineSums.of(seen, t, weight).rss(0, n)) / n
    kept = list(cuts)
    while kept:
        edges = [0, *kept, n]
        now = [float(sums.rss_level(a, b)) for a, b in pairwise(edges)]
        trials = [(float(sums.rss_level(edges[i], edges[i + count + 1])) - sum(now[i : i + count + 1]) - count * price, i, count)
                  for count in (1, 2) for i in range(len(kept) + 1 - count)]
        worth, i, count = min(trials)
        if worth >= 0:
            break
        del kept[i : i + count]
    return tuple(kept)


def describe_lines(y: Array, t: Array, weight: Array, seen: Array | None = None) -> tuple[int, ...]:
    """Cuts that are visible at the scale of the whole series.

    Parameters
    ----------
    y, t, weight : (n,) values, times, weights
    seen : (n,) the values as they are seen, seasons included, when `y` is without them: these give the scale
    """
    n = len(y)
    sums = LineSums.of(y, t, weight)
    spread = float((sums if seen is None else LineSums.of(seen, t, weight)).rss(0, n))
    if spread <= 0:
        return ()
    unit = float(np.log(n)) * spread / n
    cost = Cost(sums, min(LEVEL_LOG * unit, LEVEL_MOST * spread), min(LINE_LOG * unit, LINE_MOST * spread))
    return partition(cost, n, max(MIN_LENGTH, int(np.ceil(MIN_SHARE * n))))
