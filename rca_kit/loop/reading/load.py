"""What follows the load: a service as slow in busy hours as ever, and a pool or quota too small since some moment."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from rca_kit.stats.stepscan import Season, StepScan
from rca_kit.stats.stepshapes import gradual_profile, shaped_profile

Floats = NDArray[np.float64]

LIMITS = np.linspace(0.1, 0.95, 12)  # parts of the buckets whose load may be the limit
CLEAR = 4.0  # nats beyond a step or a rise from which the load tells a change better
SHOWS = 0.02  # part of a course's most from which it shows
PASSED, PASSED_LEAST = 0.5, 2  # part of a course's most that must have passed without harm, in so many buckets
# nats by which a step, or a passing change that may end where it likes, may tell more than the load did since the log began
AS_EVER, AS_EVER_PASSING = 4.0, 8.0
# times by which a service may be slower in busy hours and still be as ever, and the slowest of the same requests
MOST_BUSY, MOST_BUSY_TAIL = math.log(1.2), math.log(1.3)


def courses(load: Floats) -> Floats:
    """Courses that what follows the load may take, shape (m, n): the load, what is beyond a limit, and whether it is beyond one.

    Examples
    --------
    >>> courses(np.array([1.0, 2.0, 4.0])).shape
    (25, 3)
    """
    even = smooth(load)
    if not even.max() > 0:
        return np.zeros((0, even.size))
    limits = np.quantile(even, LIMITS)
    beyond = [np.maximum(even - x, 0) / max(float(even.max() - x), 1e-9) for x in limits]
    return np.array([even / even.max(), *beyond, *(even > x for x in limits)], dtype=float)


def smooth(load: Floats) -> Floats:
    """Mean of each bucket and its neighbours."""
    padded = np.pad(np.asarray(load, float), 1, mode="edge")
    return np.asarray((padded[:-2] + padded[1:-1] + padded[2:]) / 3)


def as_ever(
    value: Floats, error: Floats, scan: StepScan, load: Floats, phase: Season | None, day: NDArray[np.int64] | None
) -> bool:
    """Whether the load has told all along what a step seems to tell: the hours were busy, and such hours are slower."""
    shapes = courses(load)
    if scan.best is None or not shapes.size:
        return False
    told = shaped_profile(value, error, scan, shapes, phase=phase, day=day)[:, 0]
    spared = AS_EVER if scan.kind == "step" else AS_EVER_PASSING
    return float(told.max()) / 2 >= scan.best.z**2 / 2 - spared


def busy_since(
    value: Floats, error: Floats, scan: StepScan, load: Floats, phase: Season | None, day: NDArray[np.int64] | None
) -> tuple[int, int, int] | None:
    """Bucket since when a series follows the load, with a 90 % interval; None where a step or a rise tells it as well.

    In quiet hours such a change does not show: of the moments that are as likely, the first busy one.
    """
    shapes = courses(load)
    if not shapes.size or scan.raw:  # of what comes in bursts by itself one may well meet a busy quarter of an hour
        return None
    busy = shaped_profile(value, error, scan, shapes, phase=phase, day=day) / 2
    slow = gradual_profile(value, error, scan, phase=phase, day=day) / 2
    many, n = busy.shape
    most = shapes.max(1, keepdims=True)
    shown = shapes > SHOWS * most
    # a limit that was passed before the start, and nothing came of it: with more load than ever the load alone may be the fault
    enough = np.cumsum(shapes > PASSED * most, axis=1) - shown >= PASSED_LEAST
    busy = np.where(enough, busy, 0.0)
    risen = slow[slow > 0]
    rival = log_sum(risen) - math.log(risen.size) if risen.size else 0.0
    if log_sum(busy) - math.log(many * n) < max(rival, 0.0) + CLEAR:
        return None
    # of each course and start the bucket that first shows it, and how likely the two are
    later = np.where(shown, np.arange(n), n - 1)
    first = np.minimum.accumulate(later[:, ::-1], axis=1)[:, ::-1]
    weight = np.bincount(first.ravel(), np.where(busy > 0, np.exp(busy - busy.max()), 0.0).ravel(), n).astype(np.float64)
    return middle_of(weight)


def middle_of(weight: Floats) -> tuple[int, int, int]:
    """Buckets at a twentieth, half and nineteen twentieths of the weight: the middle and its 90 % interval.

    Examples
    --------
    >>> middle_of(np.array([0.0, 1.0, 18.0, 1.0, 0.0]))
    (1, 2, 2)
    """
    reached = np.cumsum(weight / weight.sum())
    low, middle, high = (min(int(np.searchsorted(reached, q)), weight.size - 1) for q in (0.05, 0.5, 0.95))
    return low, middle, high


def log_sum(x: Floats) -> float:
    """Logarithm of a sum of exponentials."""
    top = float(x.max())
    return top + math.log(float(np.exp(x - top).sum()))
