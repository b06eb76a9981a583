"""What a log of a few days can tell of traffic and load, which rise and fall with the day: jumps, and large changes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rca_kit.loop.reading.series import Series
from rca_kit.stats.stepscan import SEASON_DAYS, StepScan

Floats = NDArray[np.float64]

WEEK, MILD = 7, 0.3  # days of log below which a change of traffic by less (in logs) is that of one day from another
FEW_DAYS = 3  # days of log below which a jump of traffic tells more than its season
# log of a jump of traffic, times the usual difference of neighbouring half-hours, and their seconds
SUDDEN_LEAST, SUDDEN_Z, SUDDEN_S = 0.2, 4.0, 1800
JUMP_BUCKETS = 3  # at least, on either side of a jump
LOADED = ("service", "stage", "component")  # families that rise and fall with the requests


def judged_in_short(
    series: Series, scan: StepScan, value: Floats, days: float, able: tuple[int, int], width_s: int
) -> tuple[bool, int | None]:
    """Whether a move of a log of less than a week stands, and the bucket of a jump by which it is dated instead.

    Of traffic a jump stands, or a change that no day makes to another; where no hour comes twice, only a jump. The load of the
    parts, and their slowness where it is mild, must jump where no hour comes twice: a busy hour is no fault.

    Parameters
    ----------
    value : coarse buckets as they are scanned: logs where `series.log`
    able : first and last bucket in which a change may begin
    width_s : seconds of a bucket
    """
    fit = scan.best
    if fit is None:
        return False, None
    if series.name == "volume":
        at = sudden(value, *able, width_s)
        if at is None:
            return days >= SEASON_DAYS and abs(fit.height) >= MILD, None
        return True, at if days < FEW_DAYS else None
    if days >= SEASON_DAYS or series.family not in LOADED:
        return True, None
    if series.family != "component" and not (series.log and abs(fit.height) < MILD):
        return True, None
    logs = value if series.log else _logs(value)
    return logs is None or sudden(logs, *able, width_s) is not None, None


def sudden(value: Floats, first: int, last: int, width_s: int) -> int | None:
    """Where a series jumps within a bucket or two, in its own noise: the course of a day takes hours. None where it nowhere does.

    `value` are logs of counts by buckets of `width_s` seconds; the jump is that of the means of half an hour, at least three
    buckets, on either side, its scale the median of all.
    """
    w = max(JUMP_BUCKETS, SUDDEN_S // width_s)
    if last < first or value.size < 4 * w:
        return None
    x = np.where(np.isfinite(value), value, np.nanmedian(value))
    means = np.convolve(x, np.full(w, 1 / w), mode="valid")
    jumps = np.concatenate([np.zeros(w), means[w:] - means[:-w], np.zeros(w)])[: x.size]  # at t: from t on against before t
    scale = 1.4826 * float(np.median(np.abs(jumps[w:-w] - np.median(jumps[w:-w]))))
    able = np.zeros(x.size, bool)
    able[max(first, w) : min(last, x.size - w) + 1] = True
    best = int(np.argmax(np.where(able, np.abs(jumps), -1.0)))
    return best if abs(jumps[best]) >= max(SUDDEN_LEAST, SUDDEN_Z * scale) else None


def _logs(value: Floats) -> Floats | None:
    """Logs of a positive series; None where it is not positive all through."""
    seen = value[np.isfinite(value)]
    return np.log(value) if seen.size and seen.min() > 0 else None
