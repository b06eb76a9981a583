"""Ramps: a run of steps in one direction may be one slow movement between two levels.

A ramp from level to level has a start, an end and a height; it replaces the run when its penalised deviance is lower.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rca_kit.stats.changepoint.gls import TINY, rss_steps
from rca_kit.stats.changepoint.series import Array
from rca_kit.stats.changepoint.steps import Grid, step_penalty

POSITIONS = 20  # starts and ends tried, each; then refined around the best
MAX_ROWS = 300  # longer windows are averaged in blocks first
LEVEL = 0.90


@dataclass(frozen=True)
class Ramp:
    """A ramp in place of the steps [first, last] of the model: start, end, levels, and the interval of its start."""

    first: int
    last: int
    start: int
    end: int
    before: float
    after: float
    interval: tuple[int, int]


def _scan(y: Array, precision: Array, gap: Array, phi: float, starts: Array, lengths: Array) -> tuple[Array, Array]:
    """Residual sum of squares of level + ramp for every (start, length); inf where the ramp leaves the window."""
    n = len(y)
    r = phi**gap if phi > 0 else np.zeros(n)
    r[0] = 0.0
    scale = 1.0 / np.sqrt(1 - r * r)
    t = np.arange(n, dtype=np.float64)

    def white(x: Array) -> Array:
        z = x * precision
        out = z * scale
        out[..., 1:] -= r[1:] * z[..., :-1] * scale[1:]
        return np.asarray(out)

    e, c = white(y), white(np.ones(n))
    cc, ce, ee = float(c @ c), float(c @ e), float(e @ e)
    rss = np.full((len(starts), len(lengths)), np.inf)
    height = np.zeros_like(rss)
    for j, length in enumerate(lengths):
        s = starts[starts + length <= n]
        if not len(s):
            continue
        x = white(np.clip((t - s[:, None] + 1) / length, 0.0, 1.0))
        xx, xc, xe = np.einsum("ij,ij->i", x, x), x @ c, x @ e
        information = np.maximum(xx - xc * xc / cc, TINY)
        top = xe - xc * ce / cc
        rss[: len(s), j] = ee - ce * ce / cc - top * top / information
        height[: len(s), j] = top / information
    return np.maximum(rss, TINY), height


def fit_ramp(grid: Grid, a: int, b: int, phi: float) -> tuple[float, int, int, float, float, tuple[int, int]]:
    """Best ramp inside [a, b): residual sum of squares, start, end, level before and after, interval of the start."""
    y, precision, gap = grid.y[a:b], grid.precision[a:b], grid.gap[a:b]
    n = len(y)
    starts = np.unique(np.linspace(1, n - 2, POSITIONS).astype(np.int64))
    lengths = np.unique(np.geomspace(1, n - 1, POSITIONS).astype(np.int64))
    rss, height = _scan(y, precision, gap, phi, starts, lengths)
    i, j = np.unravel_index(int(np.argmin(rss)), rss.shape)
    pitch = max(1, (n - 2) // POSITIONS)
    starts = np.arange(max(1, starts[i] - pitch), min(n - 1, starts[i] + pitch + 1))
    lengths = np.unique(np.linspace(lengths[max(j - 1, 0)], lengths[min(j + 1, len(lengths) - 1)], POSITIONS).astype(np.int64))
    rss, height = _scan(y, precision, gap, phi, starts, lengths)
    i, j = np.unravel_index(int(np.argmin(rss)), rss.shape)
    start, length = int(starts[i]), int(lengths[j])
    shape = np.clip((np.arange(n) - start + 1) / length, 0.0, 1.0)
    base = float(np.average(y - height[i, j] * shape, weights=precision**2))
    all_starts = np.arange(1, n - 1)
    wide = np.unique(np.concatenate([np.geomspace(1, n - 1, POSITIONS).astype(np.int64), lengths]))
    interval = _start_interval(y, precision, gap, phi, all_starts[:: max(1, n // 100)], wide, a, b)
    return float(rss[i, j]), a + start, min(a + start + length, b), base, base + float(height[i, j]), interval


def _start_interval(y: Array, precision: Array, gap: Array, phi: float, starts: Array, lengths: Array, a: int,
                    b: int) -> tuple[int, int]:
    """90% of the posterior of the start, over all lengths."""
    rss, _ = _scan(y, precision, gap, phi, starts, lengths)
    log_p = -0.5 * len(y) * np.log(rss / rss.min())
    log_p += np.log(np.gradient(lengths.astype(np.float64)))[None, :] if len(lengths) > 1 else 0.0
    p = np.exp(log_p - log_p.max()).sum(axis=1)
    order = np.argsort(-p, kind="stable")
    count = int(np.searchsorted(np.cumsum(p[order]) / p.sum(), LEVEL)) + 1
    chosen = starts[order[:count]]
    pitch = int(starts[1] - starts[0]) if len(starts) > 1 else 1
    return a + int(chosen.min()), min(a + int(chosen.max()) + pitch, b)


def find_ramps(grid: Grid, cuts: tuple[int, ...], levels: Array, phi: float) -> list[Ramp]:
    """Ramps that describe runs of steps in one direction better than the steps do."""
    out: list[Ramp] = []
    edges = (0, *cuts, grid.n)
    direction = np.sign(np.diff(levels))
    w = grid.at(phi)
    i = 0
    while i < len(cuts):
        j = i
        while j + 1 < len(cuts) and direction[j + 1] == direction[i]:
            j += 1
        a, b = edges[i], edges[j + 2]
        if b - a >= 8:
            ramp = _replace(grid, w.phi, cuts[i : j + 1], a, b)
            if ramp is not None:
                out.append(Ramp(i, j, *ramp))
        i = j + 1
    return out


def _replace(grid: Grid, phi: float, run: tuple[int, ...], a: int, b: int) -> tuple[int, int, float, float, tuple[int, int]] | None:
    """The ramp for [a, b) if it beats the steps of the run there."""
    if b - a > MAX_ROWS:
        return None if len(run) == 1 else _by_blocks(grid, phi, run, a, b)
    part = Grid(grid.y[a:b], grid.precision[a:b], grid.gap[a:b])
    steps = rss_steps(part.at(phi), tuple(c - a for c in run))
    rss, start, end, before, after, interval = fit_ramp(grid, a, b, phi)
    return (start, end, before, after, interval) if _pays(grid.n, b - a, steps, rss, len(run)) and end - start > 2 else None


def _by_blocks(grid: Grid, phi: float, run: tuple[int, ...], a: int, b: int) -> tuple[int, int, float, float, tuple[int, int]] | None:
    block = -(-(b - a) // MAX_ROWS)
    m = (b - a) // block
    weight = (grid.precision[a : a + m * block] ** 2).reshape(m, block)
    y = (grid.y[a : a + m * block].reshape(m, block) * weight).sum(1) / weight.sum(1)
    coarse = Grid(y, np.sqrt(weight.sum(1)), grid.gap[a : a + m * block].reshape(m, block).sum(1))
    cuts = tuple(sorted({min(max((c - a) // block, 1), m - 1) for c in run}))
    found = _replace(coarse, phi, cuts, 0, m)
    if found is None:
        return None
    start, end, before, after, (low, high) = found
    return a + start * block, a + end * block, before, after, (a + low * block, a + high * block)


def _pays(n: int, m: int, steps: float, ramp: float, count: int) -> bool:
    """Whether the ramp, with one more place than a step, has the lower penalised deviance."""
    penalty = step_penalty(n)
    return m * float(np.log(max(steps, TINY) / max(ramp, TINY))) + (count - 1) * penalty > float(np.log(n))
