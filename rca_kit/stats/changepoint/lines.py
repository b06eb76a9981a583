"""Steps or lines: which of the two describes the series, under the same AR(1) noise."""

from __future__ import annotations

import numpy as np

from rca_kit.stats.changepoint.gls import TINY
from rca_kit.stats.changepoint.series import Array
from rca_kit.stats.changepoint.steps import RSS_FLOOR, Grid, Profile, StepModel, step_penalty


def line_profile(grid: Grid, t: Array, cuts: tuple[int, ...]) -> Profile:
    """Deviance of one straight line per segment, each segment whitened on its own, at the best AR coefficient."""
    values = [_deviance(grid, t, cuts, i) for i in range(grid.top + 1)]
    i = int(np.argmin(values))
    return Profile(values[i], i * 0.1)


def _deviance(grid: Grid, t: Array, cuts: tuple[int, ...], i: int) -> float:
    w = grid.at(i * 0.1)
    starts = np.asarray((0, *cuts), dtype=np.int64)
    u = (t - t.mean()) / max(float(np.ptp(t)), TINY)
    d = w.own * u
    d[1:] -= w.prev[1:] * u[:-1]
    c, e = w.c.copy(), w.e.copy()
    c[starts], e[starts], d[starts] = w.fresh_own[starts], w.fresh_e[starts], w.fresh_own[starts] * u[starts]
    cc, cd, dd, ce, de, ee = (np.add.reduceat(x, starts) for x in (c * c, c * d, d * d, c * e, d * e, e * e))
    cc = np.maximum(cc, TINY)
    vt = np.maximum(dd - cd * cd / cc, 0.0)
    vy = ee - ce * ce / cc
    cross = de - cd * ce / cc
    fall = np.divide(cross * cross, vt, out=np.zeros_like(vt), where=vt > 1e-12)
    rss = float(np.maximum(vy - fall, 0.0).sum())
    log_det = w.log_det - float(np.log1p(-np.minimum((i * 0.1) ** (2 * grid.gap[starts[1:]]), 0.99)).sum() if i else 0.0)
    return grid.n * float(np.log(rss / grid.n + RSS_FLOOR)) + log_det


def line_cost(grid: Grid, t: Array, cuts: tuple[int, ...]) -> float:
    """Penalised deviance of lines: each segment's slope costs log n beside the penalty of its place."""
    n = grid.n
    log_n = float(np.log(n))
    return line_profile(grid, t, cuts).deviance + len(cuts) * (step_penalty(n) + log_n) + log_n


def gate_lines(grid: Grid, t: Array, cuts: tuple[int, ...]) -> tuple[int, ...]:
    """Drop cuts that do not pay for themselves in likelihood."""
    now = line_cost(grid, t, cuts)
    while cuts:
        trials = [(line_cost(grid, t, cuts[:i] + cuts[i + 1 :]), i) for i in range(len(cuts))]
        cost, i = min(trials)
        if cost >= now:
            break
        now, cuts = cost, cuts[:i] + cuts[i + 1 :]
    return cuts


def step_cost(model: StepModel) -> float:
    """Penalised deviance of the steps."""
    return model.profile.deviance + model.penalty
