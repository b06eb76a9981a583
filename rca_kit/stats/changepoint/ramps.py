"""Ramps: a run of steps in one direction may be one slow movement between two levels.

A ramp from level to level has a start, an end and a height; it replaces the run when its penalised deviance is lower. The
onset of a ramp is its start: the first bucket that departs from the level before.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from rca_kit.stats.changepoint.gls import TINY, rss_steps, white_rows
from rca_kit.stats.changepoint.series import Array, Index
from rca_kit.stats.changepoint.steps import Grid, Profile, step_penalty

POSITIONS = 20  # starts and lengths tried, each; then refined around the best
MAX_ROWS = 300  # longer windows are averaged in blocks first
MIN_ROWS = 8
SHORTEST = 3  # buckets; a faster ramp is a step
LEVEL = 0.90
# Times log(n): the second place of a ramp. Of ramps of 3 sigma one in twenty is then told as two steps (one in seven at 1.0), of
# two steps of 1.5 sigma one in four as a ramp (one in six), of two of 2.5 sigma one in fifty.
PLACE_LOG = 0.5
SURE_LOG = 2.0  # the same where one step would do: its onset is the sharper statement, so the ramp must be plain


@dataclass(frozen=True)
class Ramp:
    """A ramp over [start, end) with its levels, the 90% interval of its start, and what it leaves."""

    start: int
    end: int
    before: float
    after: float
    interval: tuple[int, int]
    rss: float
    first: int = 0  # the steps it stands for: cuts[first] to cuts[last]
    last: int = 0


def _scan(part: Grid, phi: float, starts: Index, lengths: Index) -> tuple[Array, Array]:
    """Residual sum of squares and height of level + ramp for every (start, length); inf where the ramp leaves the window."""
    n = part.n
    t = np.arange(n, dtype=np.float64)

    def white(x: Array) -> Array:
        return white_rows(x * part.precision, part.gap, phi)

    e, c = white(part.y), white(np.ones(n))
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
        rss[: len(s), j] = np.maximum(ee - ce * ce / cc - top * top / information, TINY)
        height[: len(s), j] = top / information
    return rss, height


def _best(rss: Array) -> tuple[int, int]:
    i, j = np.unravel_index(int(np.argmin(rss)), rss.shape)
    return int(i), int(j)


def fit_ramp(part: Grid, phi: float) -> Ramp:
    """Fit level, ramp, level to a whole window: a coarse grid of starts and lengths, then a fine one around the best."""
    n = part.n
    starts: Index = np.unique(np.linspace(1, n - 2, POSITIONS).astype(np.int64))
    lengths: Index = np.unique(np.geomspace(1, n - 1, POSITIONS).astype(np.int64))
    i, j = _best(_scan(part, phi, starts, lengths)[0])
    pitch = max(1, (n - 2) // POSITIONS)
    starts = np.arange(max(1, starts[i] - pitch), min(n - 1, starts[i] + pitch + 1), dtype=np.int64)
    ends = lengths[max(j - 1, 0)], lengths[min(j + 1, len(lengths) - 1)]
    lengths_fine: Index = np.unique(np.linspace(ends[0], ends[1], POSITIONS).astype(np.int64))
    rss, height = _scan(part, phi, starts, lengths_fine)
    i, j = _best(rss)
    start, length = int(starts[i]), int(lengths_fine[j])
    shape = np.clip((np.arange(n) - start + 1) / length, 0.0, 1.0)
    base = float(np.average(part.y - height[i, j] * shape, weights=part.precision**2))
    return Ramp(start, min(start + length, n), base, base + float(height[i, j]), (start, start + 1), float(rss[i, j]))


def start_interval(part: Grid, phi: float, ramp: Ramp) -> tuple[int, int]:
    """Give the interval that holds 90% of the posterior of the start, over all lengths."""
    near = np.linspace(0.5, 1.5, POSITIONS) * (ramp.end - ramp.start)
    lengths: Index = np.unique(np.concatenate([np.geomspace(1, part.n - 1, POSITIONS), near]).astype(np.int64))
    lengths = lengths[(lengths >= 1) & (lengths < part.n)]
    starts: Index = np.arange(1, part.n - 1, max(1, part.n // 100), dtype=np.int64)
    rss, _ = _scan(part, phi, starts, lengths)
    log_p = -0.5 * part.n * np.log(rss / rss.min())
    if len(lengths) > 1:
        log_p = log_p + np.log(np.gradient(lengths.astype(np.float64)))
    p = np.exp(log_p - log_p.max()).sum(axis=1)
    order = np.argsort(-p, kind="stable")
    count = int(np.searchsorted(np.cumsum(p[order]) / p.sum(), LEVEL)) + 1
    chosen = starts[order[:count]]
    pitch = int(starts[1] - starts[0]) if len(starts) > 1 else 1
    return min(int(chosen.min()), ramp.start), max(min(int(chosen.max()) + pitch, part.n), ramp.start + 1)


def find_ramps(grid: Grid, cuts: tuple[int, ...], levels: Array, phi: float) -> list[Ramp]:
    """Find the ramps that describe runs of steps in one direction better than the steps do."""
    out: list[Ramp] = []
    edges = (0, *cuts, grid.n)
    direction = np.sign(np.diff(levels))
    i = 0
    while i < len(cuts):
        j = i
        while j + 1 < len(cuts) and direction[j + 1] == direction[i]:
            j += 1
        ramp = _replace_run(grid, grid.at(phi).phi, cuts[i : j + 1], edges[i], edges[j + 2])
        if ramp is not None:
            out.append(replace(ramp, first=i, last=j))
        i = j + 1
    return out


def _replace_run(grid: Grid, phi: float, run: tuple[int, ...], a: int, b: int) -> Ramp | None:
    """Fit the ramp for [a, b); None unless it beats the steps of the run there."""
    block = -(-(b - a) // MAX_ROWS)
    part = window(grid, a, b, block)
    if part.n < MIN_ROWS:
        return None
    cuts = tuple(sorted({min(max((c - a) // block, 1), part.n - 1) for c in run}))
    steps = rss_steps(part.at(phi), cuts)
    ramp = fit_ramp(part, part.at(phi).phi)
    if (ramp.end - ramp.start) * block < SHORTEST or not _pays(grid.n, part.n, steps, ramp.rss, len(run)):
        return None
    low, high = start_interval(part, part.at(phi).phi, ramp)
    return replace(ramp, start=a + ramp.start * block, end=a + ramp.end * block, interval=(a + low * block, a + high * block))


def window(grid: Grid, a: int, b: int, block: int) -> Grid:
    """Take the series over [a, b), averaged in blocks; what does not fill a block at the end is left out."""
    y, precision, gap = grid.y[a:b], grid.precision[a:b], grid.gap[a:b]
    if block == 1:
        return Grid(y, precision, gap)
    m = (b - a) // block
    weight = (precision[: m * block] ** 2).reshape(m, block)
    mean = (y[: m * block].reshape(m, block) * weight).sum(1) / weight.sum(1)
    return Grid(mean, np.sqrt(weight.sum(1)), gap[: m * block].reshape(m, block).sum(1))


def _pays(n: int, m: int, steps: float, ramp: float, count: int) -> bool:
    """Whether the ramp, with one more place than a step, has the lower penalised deviance."""
    return m * float(np.log(max(steps, TINY) / max(ramp, TINY))) + (count - 1) * step_penalty(n) > ramp_penalty(n, count)


def ramp_penalty(n: int, count: int) -> float:
    """Penalty of a ramp beyond that of a step, when it stands for `count` steps."""
    return (SURE_LOG if count == 1 else PLACE_LOG) * float(np.log(n))


def ramp_profile(grid: Grid, cuts: tuple[int, ...], ramps: tuple[Ramp, ...]) -> tuple[Profile, float]:
    """Deviance of ramps together with the steps that they leave, and the penalty of all."""
    position = np.arange(grid.n)
    y = grid.y.copy()
    for r in ramps:
        y -= (r.after - r.before) * np.clip((position - r.start + 1) / max(r.end - r.start, 1), 0.0, 1.0)
    gone = {i for r in ramps for i in range(r.first, r.last + 1)}
    left = tuple(c for i, c in enumerate(cuts) if i not in gone)
    count = len(left) + len(ramps)
    extra = sum(ramp_penalty(grid.n, r.last - r.first + 1) for r in ramps)
    return Grid(y, grid.precision, grid.gap).profile(left), count * step_penalty(grid.n) + extra
