"""From a model to the changes that are reported: places, intervals, levels, shapes, p-values."""

from __future__ import annotations

import numpy as np

from rca_kit.stats.changepoint.gls import fit_steps
from rca_kit.stats.changepoint.lines import line_profile
from rca_kit.stats.changepoint.model import Model
from rca_kit.stats.changepoint.onset import line_interval, position_interval
from rca_kit.stats.changepoint.result import MEAN, RAMP, SLOPE, SPIKE, STAIRCASE, STEP, VARIANCE, Change
from rca_kit.stats.changepoint.series import Array, Series
from rca_kit.stats.changepoint.spikes import count_deviation, rate_deviation, short_spikes, spike_limit

SPIKE_SHARE = 0.05  # of the series: a longer departure is two steps
SPIKE_BUCKETS = 10
SPIKE_RETURN = 0.5  # of the way back to the level before
P_SCALE = 20.0  # chance that no place reaches a fall g of deviance: 1 - 20 exp(-g / 2), from the simulations of steps.py
NEAR_SHARE = 0.05  # a variance change this close to another change is the same change


def p_value(gain: float) -> float:
    """Chance that a change this strong shows somewhere in a series without one."""
    return float(min(1.0, P_SCALE * np.exp(-0.5 * max(gain, 0.0))))


def step_changes(model: Model) -> list[Change]:
    """Report a piecewise constant model, in positions of observed values and scaled units."""
    grid, cuts, phi = model.grid, model.steps.cuts, model.steps.profile.phi
    if not cuts:
        return []
    w = grid.at(phi)
    fit = fit_steps(w, cuts)
    edges = (0, *cuts, grid.n)
    ramps = {r.first: r for r in model.ramps}
    out: list[Change] = []
    i = 0
    while i < len(cuts):
        rest = cuts[:i] + cuts[i + 1 :]
        p = p_value(grid.profile(rest, phi).deviance - model.steps.profile.deviance)
        if i in ramps:
            r = ramps[i]
            low, high = min(r.interval[0], r.start), max(r.interval[1], r.start + 1)
            out.append(Change(r.start, (low, high), r.before, r.after, p, RAMP, SLOPE))
            i = r.last + 1
            continue
        low, high = position_interval(w, edges[i], edges[i + 2], fit.rss / grid.n)
        out.append(Change(cuts[i], (min(low, cuts[i]), max(high, cuts[i] + 1)), float(fit.levels[i]), float(fit.levels[i + 1]),
                          p, STEP, MEAN))
        i += 1
    return _name(out, grid.n)


def _name(changes: list[Change], n: int) -> list[Change]:
    """Name spikes (away and back within a short time) and staircases (three steps or more in one direction)."""
    out = list(changes)
    longest = max(SPIKE_BUCKETS, int(SPIKE_SHARE * n))
    for i in range(len(out) - 1):
        a, b = out[i], out[i + 1]
        if a.shape == STEP == b.shape and b.index - a.index <= longest and a.change * b.change < 0 \
                and abs(b.after - a.before) < SPIKE_RETURN * abs(a.change):
            out[i], out[i + 1] = (Change(c.index, c.interval, c.before, c.after, c.p_value, SPIKE, c.kind) for c in (a, b))
    i = 0
    while i < len(out):
        j = i
        while j + 1 < len(out) and out[j + 1].shape == STEP == out[i].shape and out[j + 1].direction == out[i].direction:
            j += 1
        if j - i >= 2:
            for k in range(i, j + 1):
                c = out[k]
                out[k] = Change(c.index, c.interval, c.before, c.after, c.p_value, STAIRCASE, c.kind)
        i = j + 1
    return out


def line_changes(model: Model, cuts: tuple[int, ...], s: Series) -> list[Change]:
    """Report a partition into lines: levels are those just before and just after, for a change of slope those at the end."""
    t = np.cumsum(s.gap)
    edges = (0, *cuts, len(model.flat))
    whole = line_profile(model.grid, t, cuts).deviance
    gains = [line_profile(model.grid, t, cuts[:i] + cuts[i + 1 :]).deviance - whole for i in range(len(cuts))]
    out: list[Change] = []
    for i, cut in enumerate(cuts):
        a, b = edges[i], edges[i + 2]
        low, high = line_interval(model.flat[a:b], t[a:b], model.precision[a:b] ** 2)
        left, right = (np.polyfit(t[p:q] - t[cut], model.flat[p:q], 1) if q - p > 1 else np.array([0.0, model.flat[p]])
                       for p, q in ((a, cut), (cut, b)))
        before, after = float(left[1]), float(right[1])
        noise = float(np.std(np.concatenate([model.flat[a:cut] - np.polyval(left, t[a:cut] - t[cut]),
                                             model.flat[cut:b] - np.polyval(right, t[cut:b] - t[cut])])))
        jump = abs(after - before) > 2 * noise
        shape, kind = (STEP, MEAN) if jump else (RAMP, SLOPE)
        if not jump:
            after = float(np.polyval(right, t[b - 1] - t[cut]))
        out.append(Change(cut, (min(a + low, cut), max(a + high, cut + 1)), before, after, p_value(gains[i]), shape, kind))
    return out


def spike_changes(model: Model, s: Series, taken: list[Change]) -> list[Change]:
    """Short spikes that the winsorised search could not see."""
    fitted = model.fitted
    if model.spread is not None or any(c.shape == RAMP for c in taken):
        return []
    residual = model.flat - fitted
    expected = s.y - residual * float(np.std(s.y))
    out: list[Change] = []
    for spike in short_spikes(residual, model.precision, s.gap, model.steps.profile.phi):
        start, end = spike.start, spike.end
        if any(start - 2 <= c.index <= end + 2 for c in taken) or not discrete_spike(s, expected, start, end):
            continue
        base, top = float(fitted[start]), float(model.flat[start:end].mean())
        out.append(Change(start, (start, start + 1), base, top, spike.p_value, SPIKE, MEAN))
        if end < len(residual):
            out.append(Change(end, (end, end + 1), top, base, spike.p_value, SPIKE, MEAN))
    return out


def discrete_spike(s: Series, expected: Array, start: int, end: int) -> bool:
    """Whether a spike of rates or counts also stands out by its own likelihood; true for other values."""
    limit = spike_limit(len(s.y))
    if s.trials is not None:
        k, n = s.y * s.trials, s.trials
        rate = float((k.sum() - k[start:end].sum()) / max(n.sum() - n[start:end].sum(), 1.0))
        return abs(rate_deviation(float(k[start:end].sum()), float(n[start:end].sum()), rate)) > limit
    if s.y.min() >= 0 and np.array_equal(s.y, np.rint(s.y)):
        return abs(count_deviation(float(s.y[start:end].sum()), float(expected[start:end].sum()))) > limit
    return True


def spread_changes(model: Model, taken: list[Change]) -> list[Change]:
    """Report changes of the standard deviation; one close to a change of the level is part of that."""
    found = model.spread
    if found is None or any(c.shape == RAMP for c in taken):
        return []
    near = max(5, int(NEAR_SHARE * model.grid.n))
    return [Change(cut, (min(low, cut), max(high, cut + 1)), found.deviations[i], found.deviations[i + 1],
                   p_value(found.gains[i]), STEP, VARIANCE)
            for i, (cut, (low, high)) in enumerate(zip(found.cuts, found.intervals, strict=True))
            if not any(abs(c.index - cut) <= near for c in taken)]
