"""What a log of a few days can tell of traffic and load, which rise and fall with the day: jumps, and large changes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rca_kit.aggregates.grid import DAY_S
from rca_kit.loop.reading.series import Series
from rca_kit.stats.stepscan import SEASON_DAYS, StepScan

Floats = NDArray[np.float64]

WEEK, MILD = 7, 0.3  # days of log below which a change of traffic by less (in logs) is that of one day from another
FEW_DAYS = 3  # days of log below which a jump of traffic tells more than its season
# log of a jump of traffic, times the usual difference of neighbouring half-hours, and their seconds
SUDDEN_LEAST, SUDDEN_Z, SUDDEN_S = 0.2, 4.0, 1800
# log of traffic beside that of the day before by which it must change for good, as days differ by a fifth; seconds of its jump
BESIDE, BESIDE_S = 0.35, 3600
DAILY = 0.5  # part of a jump that the hour of another day must show for it to be the hour's
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
        off = np.asarray(series.grid.weekend(coarse=True))
        at = beside_yesterday(value, off, *able, width_s) if days < FEW_DAYS else None
        if at is None:
            at = sudden(value, *able, width_s)
            at = None if at is not None and days < FEW_DAYS and comes_daily(value, off, at, width_s) else at
        if at is None:
            return days >= SEASON_DAYS and abs(fit.height) >= MILD, None
        return True, at if days < FEW_DAYS else None
    if days >= SEASON_DAYS or series.family not in LOADED:
        return True, None
    if series.family != "component" and not (series.log and abs(fit.height) < MILD):
        return True, None
    logs = value if series.log else _logs(value)
    return logs is None or sudden(logs, *able, width_s) is not None, None


def sudden(value: Floats, first: int, last: int, width_s: int, over_s: int = SUDDEN_S) -> int | None:
    """Where a series jumps within a bucket or two, in its own noise: the course of a day takes hours. None where it nowhere does.

    `value` are logs of counts by buckets of `width_s` seconds; the jump is that of the means of `over_s` seconds, at
    least three buckets, on either side, its scale the median of all.
    """
    w = max(JUMP_BUCKETS, over_s // width_s)
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


def beside_yesterday(value: Floats, off: NDArray[np.bool_], first: int, last: int, width_s: int) -> int | None:
    """Where traffic jumps beside that of the same hours of the day before, and stays there; None where it does not.

    In a log of little more than a day the morning's rise hides a jump from `sudden`; beside the morning before it does not. Hours
    of a weekend are held against those of a weekend only.
    """
    day = DAY_S // width_s
    if last <= day or last >= value.size or off[last] != off[last - day]:
        return None
    unlike = np.flatnonzero(off[day : last + 1] != off[: last + 1 - day])
    since = day + (int(unlike[-1]) + 1 if unlike.size else 0)
    beside = value[since:] - value[since - day : value.size - day]
    at = sudden(beside, max(first - since, 0), last - since, width_s, BESIDE_S) if np.isfinite(beside).any() else None
    if at is None or not (np.isfinite(beside[:at]).any() and np.isfinite(beside[at:]).any()):
        return None
    stays = float(np.nanmedian(beside[at : last + 1 - since]) - np.nanmedian(beside[:at]))
    return at + since if abs(stays) >= BESIDE else None


def comes_daily(value: Floats, off: NDArray[np.bool_], at: int, width_s: int) -> bool:
    """Whether at least half of a jump comes at the same hour of the day before or after, of its kind: a steep morning."""
    day, w = DAY_S // width_s, max(JUMP_BUCKETS, SUDDEN_S // width_s)

    def jump(t: int) -> float:
        sides = value[max(t - w, 0) : max(t, 0)], value[max(t, 0) : t + w]
        known = all(np.isfinite(x).any() for x in sides) and 0 <= t < value.size and off[t] == off[at]
        return float(np.nanmean(sides[1]) - np.nanmean(sides[0])) if known else 0.0

    own = jump(at)  # 0 where no request came on one side: nothing to compare with
    return own != 0 and any(jump(t) / own >= DAILY for t in (at - day, at + day))


def _logs(value: Floats) -> Floats | None:
    """Logs of a positive series; None where it is not positive all through."""
    seen = value[np.isfinite(value)]
    return np.log(value) if seen.size and seen.min() > 0 else None
