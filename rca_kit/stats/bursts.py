"""Bursts of one fault: stretches of a series that are about as far from calm as another one is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rca_kit.stats.stepscan import StepScan

Floats = NDArray[np.float64]

BURST_LEAST, BURST_CLEAR = 2, 14.0  # buckets that a burst lasts; nats by which it must be told from calm
PAUSE = 0.4  # of its height, that a pause between bursts may lie off what was calm
AS_HIGH = (0.5, 2.0)  # times the other burst's height: the same fault reaches about the same each time
BUCKET_MOST = 10.0  # nats that one bucket may add: a burst is more than one odd bucket


def burst_like(values: Floats, errors: Floats, rows: Floats, scan: StepScan, first: int, last: int) -> tuple[int, int] | None:
    """The clearest stretch between two buckets that is about as high as the scan's own, over what was calm before that.

    Told from calm by the log-likelihood ratio of the two levels, summed over the stretch (the maximal scoring segment, Bentley
    1984), errors widened by overdispersion.

    Parameters
    ----------
    values, errors, rows : (buckets,) array of float
        What was scanned, standard errors, and rows of each bucket; NaN where nothing was measured.
    scan : StepScan
        With the stretch compared with as its best fit.
    first, last : int
        Buckets searched, half-open.

    Returns
    -------
    (int, int) or None
        First bucket and the one after the last; None where nothing is as clear.

    Examples
    --------
    >>> from rca_kit.stats.stepscan import step_scan
    >>> y = np.random.default_rng(0).normal(0, 1, 200); y[120:130] += 8; y[160:170] += 7
    >>> one = np.ones(200)
    >>> scan = step_scan(y, one)
    >>> scan.kind, (scan.best.start, scan.best.end), burst_like(y, one, one, scan, 130, 200)
    ('box', (120, 130), (160, 170))
    """
    fit = scan.best
    if fit is None or last - first < BURST_LEAST:
        return None
    x, at = values - scan.season, np.arange(values.size)
    ok = np.isfinite(values) & np.isfinite(errors) & (errors > 0) & (rows > 0)
    before, during = ok & (at < fit.start), ok & (at >= fit.start) & (at < fit.end)
    if before.sum() < BURST_LEAST or not during.any():
        return None
    calm = float(np.median(x[before]))
    height = float(np.average(x[during], weights=rows[during])) - calm
    gain, a, b = highest(_gains(x, errors, ok, before, scan.phi, height)[first:last])
    a, b = a + first, b + first
    if gain < BURST_CLEAR or b - a < BURST_LEAST:
        return None
    here = ok & (at >= a) & (at < b)
    level = (float(np.average(x[here], weights=rows[here])) - calm) / height
    return (a, b) if AS_HIGH[0] <= level <= AS_HIGH[1] else None


def from_first_to_last(
    values: Floats, errors: Floats, rows: Floats, scan: StepScan, last: int, apart: int | None = None
) -> StepScan:
    """A passing change that came more than once by `last`, as one that lasts from its first burst to its last.

    Each lies at most `apart` buckets from the next. What came and went as often before is the series' way: calm must have held
    longer before the first of the bursts than it ever did between them, else the scan is returned as it is.

    Examples
    --------
    >>> from rca_kit.stats.stepscan import step_scan
    >>> y = np.random.default_rng(0).normal(0, 1, 200); y[120:130] += 8; y[160:170] += 7
    >>> one = np.ones(200)
    >>> found = from_first_to_last(y, one, one, step_scan(y, one), 200)
    >>> found.best.start, found.best.end
    (120, 170)
    """
    fit = scan.best
    if fit is None or scan.kind != "box" or scan.box is None:
        return scan
    plain, scan = scan, around_a_gap(values, errors, rows, scan)
    fit = scan.box or fit
    start, end, gap, far = fit.start, fit.end, 0, values.size if apart is None else apart
    while (later := burst_like(values, errors, rows, scan, end, last)) is not None and later[0] - end <= far:
        gap, end = max(gap, later[0] - end), later[1]
    while (earlier := burst_like(values, errors, rows, scan, 0, start)) is not None and start - earlier[1] <= far:
        gap, start = max(gap, start - earlier[1]), earlier[0]
    if (start, end) == (fit.start, fit.end):
        return scan
    return replace(scan, box=replace(fit, start=start, end=end), recurs=True) if start > gap else plain


def around_a_gap(values: Floats, errors: Floats, rows: Floats, scan: StepScan) -> StepScan:
    """A box that only leads back to what was calm, as the burst that ended with it; else the scan as it is.

    What comes and goes, and is there for more than half of the time, stands out most by its pauses.
    """
    fit, at = scan.box, np.arange(values.size)
    ok = np.isfinite(values) & np.isfinite(errors) & (errors > 0) & (rows > 0)
    if fit is None or not (ok & (at < fit.start)).any() or not (ok & (at >= fit.start) & (at < fit.end)).any():
        return scan
    x, calm = values, float(np.median(values[ok & (at < fit.start)]))  # as they are: many bursts bend what is fitted as a season
    here = ok & (at >= fit.start) & (at < fit.end)
    if abs(float(np.average(x[here], weights=rows[here])) - calm) > PAUSE * abs(fit.height):
        return scan
    height = -fit.height
    total = np.cumsum(_gains(x, errors, ok, ok & (at < fit.start), scan.phi, height)[: fit.start][::-1])
    start = fit.start - 1 - int(np.argmax(total))
    if total.max() < BURST_CLEAR or fit.start - start < BURST_LEAST:
        return scan
    return replace(scan, box=replace(fit, start=start, end=fit.start, height=height, z=-fit.z))


def _gains(
    x: Floats, errors: Floats, ok: NDArray[np.bool_], before: NDArray[np.bool_], phi: float, height: float
) -> Floats:
    """Log-likelihood ratio of each bucket at a height over what was calm before; 0 where nothing was measured.

    Errors are widened by the overdispersion that the scan found or, where that is less, that calm buckets show: to the scan all
    bursts but one are noise.
    """
    calm = float(np.median(x[before]))
    d = (np.where(ok, x, calm) - calm) / np.where(ok, errors, np.inf)
    wider = max(min(phi, 1.4826 * float(np.median(np.abs(d[before])))), 1.0)
    gains = (height * np.where(ok, x - calm, 0.0) - height**2 / 2) / np.where(ok, errors * wider, np.inf) ** 2
    return np.asarray(np.where(ok, np.clip(gains, -BUCKET_MOST, BUCKET_MOST), 0.0))


def highest(gains: Floats) -> tuple[float, int, int]:
    """Sum, first and end of the stretch with the highest sum.

    Examples
    --------
    >>> highest(np.array([-1.0, 2.0, 3.0, -4.0, 1.0]))
    (5.0, 1, 3)
    """
    total = np.concatenate([[0.0], np.cumsum(gains)])
    lowest = np.minimum.accumulate(total)
    end = int(np.argmax(total - lowest))
    first = int(np.argmin(total[: end + 1]))
    return float(total[end] - total[first]), first, end
