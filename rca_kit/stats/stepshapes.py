"""Evidence for changes of other shapes than one step, at every place where they may lie: rises, courses and stairs.

From the sums of one scan: each shape is a combination of its steps.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rca_kit.stats.step_system import StepSystem
from rca_kit.stats.stepscan import MIN_POINTS, Season, StepScan, lengths, nuisance, usual_days, winsorised

Floats = NDArray[np.float64]

PARTS = (0.2, 0.4, 0.6, 0.8)  # of its first bucket that a step inside it may lift


def system_of(
    values: Floats, errors: Floats, scan: StepScan, phase: Season | None, day: NDArray[np.int64] | None
) -> StepSystem | None:
    """The steps of a series that was scanned, with the scan's noise and season; None where it has no change to describe."""
    ok = np.isfinite(values) & np.isfinite(errors) & (errors > 0)
    if scan.best is None or ok.sum() < MIN_POINTS:
        return None
    design = nuisance(values.size, phase, day, ok)
    if design.shape[1] > ok.sum() // 2:
        design = design[:, :1]
    usual = usual_days(values, day, design, ok)
    return StepSystem.of(values if scan.raw else winsorised(values, errors, ok), design, errors, ok, scan.rho, usual)


def gradual_profile(
    values: Floats,
    errors: Floats,
    scan: StepScan,
    *,
    phase: Season | None = None,
    day: NDArray[np.int64] | None = None,
) -> Floats:
    """Evidence for a change that begins at bucket s and is complete at bucket e, rising evenly between: a step, or a ramp.

    Parameters
    ----------
    values, errors, phase, day
        As for `step_scan`.
    scan : StepScan
        The scan of the same series; its noise is used.

    Returns
    -------
    array, shape (n, n + 1)
        z squared at ``[s, e]`` for s < e, zero elsewhere and for changes opposite to the scan's best. ``e = s + 1`` is a step
        at any moment of bucket s, ``e = n`` a ramp that still rises when the series ends.

    Examples
    --------
    >>> from rca_kit.stats.stepscan import step_scan
    >>> y = np.random.default_rng(1).normal(size=100) + 6 * np.clip((np.arange(100) - 50) / 20, 0, 1)
    >>> profile = gradual_profile(y, np.ones(100), step_scan(y, np.ones(100)))
    >>> start, end = divmod(int(profile.argmax()), 101)
    >>> abs(start - 50) <= 4, abs(end - 70) <= 4
    (True, True)
    """
    n = values.size
    out = np.zeros((n, n + 1))
    system = system_of(values, errors, scan, phase, day)
    if system is None or scan.best is None:
        return out
    # a change complete at e is the mean of the steps at s..e-1: sums over blocks give all of them at once
    c = np.concatenate([[0.0], np.cumsum(system.power)])
    gram = np.zeros((n + 1, n + 1))
    np.cumsum(np.cumsum(system.gram, 0), 1, out=gram[1:, 1:])
    power = c[None, :] - c[:-1, None]
    spread = gram[:-1] * -2.0
    spread += np.diag(gram)
    spread += np.diag(gram)[:-1, None]
    floor = 1e-9 * max(float(spread.max()), 1e-300)
    length = lengths(n)
    fine = spread > floor * length**2
    fine &= length >= 1
    fine &= power * scan.best.height > 0
    np.divide((power / scan.phi) ** 2, spread, out=out, where=fine)
    # a step inside bucket s lifts it in part: with strong evidence that would pass for a short ramp
    at = np.arange(n - 1)
    one, two = spread[at, at + 1], spread[at + 1, at + 2]
    cross = (spread[at, at + 2] - one - two) / 2
    rise = np.diff(c)
    for part in PARTS:
        lift = part * rise[:-1] + (1 - part) * rise[1:]
        norm = part**2 * one + (1 - part) ** 2 * two + 2 * part * (1 - part) * cross
        good = (norm > floor) & fine[at, at + 1] & (np.sign(lift) == np.sign(scan.best.height))
        out[at[good], at[good] + 1] = np.maximum(out[at[good], at[good] + 1], (lift[good] / scan.phi) ** 2 / norm[good])
    return out


def shaped_profile(
    values: Floats,
    errors: Floats,
    scan: StepScan,
    shapes: Floats,
    *,
    phase: Season | None = None,
    day: NDArray[np.int64] | None = None,
) -> Floats:
    """Evidence for a change that begins at bucket s and from then on follows a known course, such as that of the load.

    Parameters
    ----------
    values, errors, phase, day
        As for `step_scan`.
    scan : StepScan
        The scan of the same series; its noise is used.
    shapes : array, shape (m, n)
        Courses that the change may follow; all ones are a step.

    Returns
    -------
    array, shape (m, n)
        z squared of each course from each bucket on, zero for changes opposite to the scan's best.

    Examples
    --------
    >>> from rca_kit.stats.stepscan import step_scan
    >>> load = 1 + np.sin(np.arange(120) / 4)
    >>> y = np.random.default_rng(1).normal(size=120) + np.where(np.arange(120) >= 60, 4 * load, 0)
    >>> int(shaped_profile(y, np.ones(120), step_scan(y, np.ones(120)), load[None])[0].argmax())
    60
    """
    out = np.zeros(shapes.shape)
    system = system_of(values, errors, scan, phase, day)
    if system is None or scan.best is None:
        return out
    # the course is a sum of single buckets, each the step that begins there less the next one
    single = -np.diff(np.append(system.power, 0.0))
    gram = np.zeros((values.size + 1, values.size + 1))
    gram[:-1, :-1] = system.gram
    pair = np.diff(np.diff(gram, axis=0), axis=1)
    for shape, z2 in zip(shapes, out, strict=True):
        power = np.cumsum((shape * single)[::-1])[::-1]
        both = pair * np.outer(shape, shape)
        spread = np.diag(np.cumsum(np.cumsum(both[::-1, ::-1], 0), 1))[::-1]
        fine = (spread > 1e-9 * max(float(spread.max()), 1e-300)) & (power * scan.best.height > 0)
        np.divide((power / scan.phi) ** 2, spread, out=z2, where=fine)
    return out


def staged_profile(
    values: Floats,
    errors: Floats,
    scan: StepScan,
    *,
    phase: Season | None = None,
    day: NDArray[np.int64] | None = None,
) -> Floats:
    """Evidence for a change that came in two stages, a step at bucket i and another one of the same sign at j > i.

    Parameters
    ----------
    values, errors, phase, day
        As for `step_scan`.
    scan : StepScan
        The scan of the same series; its noise is used.

    Returns
    -------
    array, shape (n, n)
        z squared of the two steps together, zero where one of them goes against the scan's best.

    Examples
    --------
    >>> from rca_kit.stats.stepscan import step_scan
    >>> at = np.arange(120)
    >>> y = np.random.default_rng(1).normal(size=120) + 3 * (at >= 50) + 4 * (at >= 80)
    >>> best = int(staged_profile(y, np.ones(120), step_scan(y, np.ones(120))).argmax())
    >>> divmod(best, 120)
    (50, 80)
    """
    n = values.size
    system = system_of(values, errors, scan, phase, day)
    if system is None or scan.best is None:
        return np.zeros((n, n))
    c, gram = system.power * np.sign(scan.best.height), system.gram
    own = np.diag(gram)
    left, right, cross = own[:, None], own[None, :], gram
    det = left * right - cross**2
    fine = np.triu(np.ones((n, n), bool), 1) & (det > 1e-6 * left * right)
    # heights of the first and of the second step, times the determinant
    first, second = c[:, None] * right - c[None, :] * cross, c[None, :] * left - c[:, None] * cross
    fine &= (first > 0) & (second > 0)
    out = np.zeros((n, n))
    np.divide(first * c[:, None] + second * c[None, :], det, out=out, where=fine)
    return out / scan.phi**2
