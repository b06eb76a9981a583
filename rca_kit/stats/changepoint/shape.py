"""The shape of what happened to a metric, in one word."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from rca_kit.stats.changepoint.result import SAWTOOTH, SEASON, SLOPE, Change, ChangePoints
from rca_kit.stats.changepoint.segments import describe_lines
from rca_kit.stats.changepoint.series import Array, read_series

MIN_TEETH = 2  # falls back needed to call it a sawtooth
TOOTH_SHARE = 0.5  # of the range: a tooth rises and falls back at least so much
CYCLE_RISE = 0.7  # share of a cycle's steps that go in one direction in a seasonal sawtooth


def is_sawtooth(y: Array) -> bool:
    """Whether `y` climbs slowly and falls back at once, again and again (or the other way round): leaks and restarts.

    Examples
    --------
    >>> is_sawtooth(np.tile(np.arange(20.0), 4))
    True
    >>> is_sawtooth(np.repeat([0.0, 1.0, 0.0], 20))
    False
    """
    n = len(y)
    if n < 12:
        return False
    t, ones = np.arange(n, dtype=np.float64), np.ones(n)
    cuts = describe_lines(y, t, ones)
    if len(cuts) < MIN_TEETH:
        return False
    edges = (0, *cuts, n)
    rise, first, last = [], [], []
    for a, b in pairwise(edges):
        slope, level = np.polyfit(t[a:b] - t[a], y[a:b], 1)
        rise.append(slope * (b - a - 1))
        first.append(level)
        last.append(level + slope * (b - a - 1))
    jumps = np.array(first[1:]) - np.array(last[:-1])
    size = TOOTH_SHARE * float(np.ptp(y))
    whole = np.array(rise[:-1])
    for sign in (1.0, -1.0):
        teeth = (sign * whole > size) & (sign * jumps < -size)
        if teeth.sum() >= MIN_TEETH:
            return True
    return False


def is_sawtooth_cycle(effects: Array) -> bool:
    """Whether one cycle of a season climbs in one direction and falls back in one stroke.

    Examples
    --------
    >>> is_sawtooth_cycle(np.arange(12.0)), is_sawtooth_cycle(np.sin(np.arange(12) * np.pi / 6))
    (True, False)
    """
    if len(effects) < 6:
        return False
    d = np.diff(np.append(effects, effects[0]))
    stroke = d[np.argmax(np.abs(d))]
    others = np.delete(d, int(np.argmax(np.abs(d))))
    back = np.mean(np.sign(others) == -np.sign(stroke))
    return bool(abs(stroke) > TOOTH_SHARE * np.ptp(effects) and back >= CYCLE_RISE)


def relabel_sawtooth(changes: tuple[Change, ...], y: Array, index: Any) -> tuple[Change, ...]:
    """Call the changes a sawtooth when the values from shortly before the first of them are one."""
    if len(changes) < MIN_TEETH or (not is_sawtooth(y[index >= changes[0].index]) and not is_sawtooth(y)):
        return changes
    return tuple(replace(c, shape=SAWTOOTH, kind=SLOPE) for c in changes)


def shape_of(values: Any, changes: ChangePoints | None = None, *, trials: Any = None, times: Any = None,
             period: int | None = None, standard_errors: Any = None) -> str | None:
    """Name the shape of a metric's movement.

    Parameters
    ----------
    values, trials, times, period, standard_errors
        As in `find_changes`.
    changes : ChangePoints, optional
        What `find_changes` found in the same series, to save doing it again.

    Returns
    -------
    str or None
        step, ramp, spike, sawtooth or staircase: that of the largest change; season when only a season is there; None when
        nothing moves beyond chance.

    Examples
    --------
    >>> shape_of([1.0, 1.2, 0.9, 1.1, 1.0, 0.8, 5.1, 4.9, 5.2, 5.0, 4.8, 5.1])
    'step'
    """
    from rca_kit.stats.changepoint.find import find_changes

    found = changes if changes is not None else find_changes(values, trials, times, period, standard_errors=standard_errors)
    if len(found):
        shapes = found.shapes
        if SAWTOOTH in shapes:
            return SAWTOOTH
        return max(found, key=lambda c: abs(c.change)).shape
    if found.period is None:
        return None
    s = read_series(values, trials, times, standard_errors)
    full = np.interp(np.arange(s.n), s.index, s.y)
    cycles = full[: s.n // found.period * found.period].reshape(-1, found.period)
    return SAWTOOTH if is_sawtooth_cycle(np.median(cycles, axis=0)) else SEASON
