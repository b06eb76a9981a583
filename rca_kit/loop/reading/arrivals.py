"""Labels on their way: which falls of their share are a loss, and from when on quality cannot be read yet."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rca_kit.case.metrics import QUALITY_METRICS
from rca_kit.loop.reading.series import Series
from rca_kit.stats.rates import rate_z
from rca_kit.stats.stepscan import StepScan

Floats = NDArray[np.float64]

STILL_FALLING = 0.25  # part of the whole fall of labels that comes after its first third: above this they are on their way
NEARLY_NONE = 0.1  # part of the usual share that is left at the end, where labels that fell all along are on their way too
DUE, FIRST_Z = 0.9, 5.0  # part of their usual share at which labels have come; errors by which those that came first differ
GROWS_Z = 4.0  # standard errors by which the rate of positive labels must fall from the first half of the open ones to the second
# rows with a delay that tell how labels come; how many of the first make a mean; standard deviations by which it may differ
DELAYS_LEAST, DELAYS_FIRST, ALIKE = 1000, 30, 0.05
DUE_LEAST, LOST_Z = 200, 4.0  # rows with a delay that tell how soon labels come; standard errors of those lost beyond that
SMOOTH_BUCKETS, SMOOTH_PARTS = 5, 40  # buckets, or parts of the log, over which the share of labels is averaged
JUMP_PARTS, JUMP_LEAST, JUMP_MOST = 20, 4, 12  # part of the log, and buckets, that a line on either side of a jump is fitted to
JUMP_Z, JUMP_SHARE = 6.0, 0.05  # standard errors of a jump, one in a billion looks: arrivals come in clumps; share lost
LOST_AT_ONCE, LITTLE = 0.1, 0.6  # share lost; part of a fall that is one step
LEVEL_BUCKETS, LEVEL_ROWS = 3, 30  # buckets that show a level, and the requests that these must hold


@dataclass(frozen=True)
class Ripeness:
    """How late labels come, told by their delays.

    Attributes
    ----------
    unripe : int, optional
        Coarse bucket from which labels of one kind are still missing more often than others; None where it is not told.
    due : (coarse buckets,) array of float, optional
        Share of the labels that come within the age that each bucket has; None where too few have a delay.
    """

    unripe: int | None = None
    due: Floats | None = None


def still_arriving(share: Floats, scan: StepScan) -> bool:
    """Whether a fall of the share of labels is that of labels on their way: it deepens towards the end of the log."""
    fit = scan.best
    if fit is None or fit.end < share.size - 1:
        return False
    head, tail = (x[np.isfinite(x)] for x in (share[: fit.start], share[fit.start :]))
    if head.size and tail.size and tail.mean() > head.mean():
        return False
    if tail.size < 3:
        return True
    third = max(tail.size // 3, 1)
    early, late = tail[:third].mean(), tail[-third:].mean()
    usual = head.mean() if head.size else early
    if scan.kind == "ramp" or early - late > STILL_FALLING * (usual - late):
        return True
    first, *_, before = (x.mean() for x in np.array_split(head, 3)) if head.size >= 3 else (usual, usual)
    return bool(late <= NEARLY_NONE * usual and first - before > STILL_FALLING * (first - late))


def settled(share: Floats, scan: StepScan) -> NDArray[np.bool_]:
    """Buckets of which most labels have come: those before their share begins to fall, and the first half of those since."""
    start = scan.best.start if scan.best is not None else share.size
    return np.arange(share.size) < start + (share.size - start) // 2


def lost_at_once(share: Floats, n: Floats, scan: StepScan) -> bool:
    """Whether labels fell at once to a level that held, before those on their way fall off little by little.

    Labels on their way fall off faster and faster, without a step; those that a daily job brings fall in steps, one a day. Of the
    `n` requests of a bucket there must be enough to tell one from the other.
    """
    fit, seen = scan.best, np.flatnonzero(np.isfinite(share))
    if fit is None or scan.kind != "step" or float(np.median(n[seen])) * LEVEL_BUCKETS < LEVEL_ROWS:
        return False
    head, tail = share[seen[seen < fit.start]], share[seen[seen >= fit.start]]
    held, rest = np.split(tail, [tail.size // 2])
    if min(head.size, rest.size) < 2 * LEVEL_BUCKETS:
        return False
    first, second = (float(x.mean()) for x in np.array_split(held, 2))
    drop, fall = float(head.mean()) - float(held.mean()), max(float(held.mean()) - float(rest[-LEVEL_BUCKETS:].mean()), 0.0)
    levels = np.convolve(rest, np.full(LEVEL_BUCKETS, 1 / LEVEL_BUCKETS), mode="valid")
    steps = levels[:-LEVEL_BUCKETS] - levels[LEVEL_BUCKETS:]
    at_once = float(head[-LEVEL_BUCKETS:].mean() - tail[:LEVEL_BUCKETS].mean()) >= LITTLE * drop
    held_on = first - second <= STILL_FALLING * drop
    return drop >= LOST_AT_ONCE and at_once and held_on and float(steps.max()) <= LITTLE * max(fall, drop)


def lost_since(share: Floats, n: Floats, first: int, last: int) -> tuple[int, float] | None:
    """The moment at which part of the labels was lost, among labels that come late: a jump in an else smooth course.

    A straight line is fitted to the share on either side of each bucket, and the two are compared where they meet
    (a regression discontinuity). The course of labels on their way is steep, but smooth: what it shows of a jump shrinks with the
    window. Labels that a daily job brings jump every day.

    Parameters
    ----------
    share, n : (buckets,) array of float
        Share of requests with a label, and requests.
    first, last : int
        The buckets looked at.

    Returns
    -------
    (int, float) or None
        Bucket from which they are lost, and standard errors of the jump.

    Examples
    --------
    >>> age = np.arange(200, 0, -1)
    >>> share = (1 - np.exp(-age / 20)) * np.where(age > 60, 1, 0.7)
    >>> lost_since(share, np.full(200, 200.0), 10, 190)[0]
    140
    >>> lost_since(1 - np.exp(-age / 20), np.full(200, 200.0), 10, 190) is None
    True
    """
    x, w = np.nan_to_num(share), np.where(np.isfinite(share), n, 0.0)
    wide = min(max(share.size // JUMP_PARTS, JUMP_LEAST), JUMP_MOST)
    (jump, error, level), (narrow, narrow_error, _) = (_jumps(x, w, width) for width in (wide, wide // 2))
    z = np.where(error > 0, jump / np.where(error > 0, error, 1.0), 0.0)
    able = np.zeros(x.size, bool)
    able[max(first, wide) : min(last, x.size - wide) + 1] = True
    # what jumps to nothing may have come with the last job
    fine = able & (jump >= JUMP_SHARE) & (narrow >= LITTLE * jump) & (z >= JUMP_Z) & (level >= LOST_AT_ONCE)
    if not fine.any():
        return None
    at = int(np.argmax(np.where(fine, z, 0.0)))
    apart = np.abs(np.arange(x.size) - at) > wide // 2
    rival = float(np.max(np.where(apart & (narrow >= JUMP_Z / 2 * narrow_error), narrow, 0.0)))
    return (at, float(z[at])) if rival <= LITTLE * jump[at] else None


def _jumps(x: Floats, w: Floats, width: int) -> tuple[Floats, Floats, Floats]:
    """By how much a line through the buckets before each lies above one through those from it on, its error, and the latter."""
    size = x.size
    jump, error, level = np.zeros(size), np.zeros(size), np.zeros(size)
    for at in range(width, size - width + 1):
        ends, variances = [], []
        for part, here in ((slice(at - width, at), np.arange(-width, 0) + 0.5), (slice(at, at + width), np.arange(width) + 0.5)):
            v, y = w[part], x[part]
            total = float(v.sum())
            middle = float((v * here).sum() / total) if total > 0 else 0.0
            spread = float((v * (here - middle) ** 2).sum())
            if spread <= 0:
                break
            mean = float((v * y).sum() / total)
            slope = float((v * (here - middle) * y).sum() / spread)
            p = min(max(mean, 1 / total), 1 - 1 / total)
            left = float((v * (y - mean - slope * (here - middle)) ** 2).sum()) / max(width - 2, 1)
            ends.append(mean - slope * middle)
            variances.append(max(p * (1 - p), left) * (1 / total + middle**2 / spread))
        else:
            if at < size:
                jump[at], error[at], level[at] = ends[0] - ends[1], math.sqrt(sum(variances)), ends[1]
    return jump, error, level


def still_to_come(rate: Floats, share: Floats, scan: StepScan) -> bool:
    """Whether a fall of the rate of positive labels is no more than those could be that have not come yet.

    Looked at where most labels have come; the rest, on their way to the end of the log, may all be positive.
    """
    fit, there = scan.best, np.isfinite(share) & np.isfinite(rate)
    seen = share[there]
    if fit is None or fit.height >= 0 or not seen.size or seen[-max(seen.size // 10, 1) :].mean() >= DUE * np.median(seen):
        return False
    since = np.arange(share.size) >= fit.start
    head = there & ~since
    if not head.any():
        return True
    due = there & since & (np.nan_to_num(share) >= DUE * np.median(share[head]))
    return not due.any() or float((rate * share + 1 - share)[due].mean()) >= float(rate[head].mean())


def known_until(series: Mapping[str, Series]) -> int | None:
    """Coarse bucket from which quality cannot be read yet: labels are on their way there, negative ones first. None without one.

    Fraud is known when somebody complains, health at once: the newest requests then look better than they are. Where labels come
    alike, the rate of positive ones is that of before, or fell at once; where those of one kind come first, it falls as labels
    get fewer.
    """
    if "label_share" not in series or "label_rate" not in series:
        return None
    share, rate = (series[n].detection() for n in ("label_share", "label_rate"))
    size = share.value.size
    head = slice(0, max(size // 3, 1))
    early = share.value[head][np.isfinite(share.value[head])]
    usual = float(np.median(early)) if early.size else 0.0
    if usual <= 0 or size < 2 * SMOOTH_BUCKETS:
        return None
    width = max(SMOOTH_BUCKETS, size // SMOOTH_PARTS)
    smooth = np.convolve(np.nan_to_num(share.value, nan=usual), np.full(width, 1 / width), mode="valid")
    if smooth[-1] >= DUE * usual:
        return None
    k, n = (np.nan_to_num(x) for x in (rate.value * rate.n, rate.n))
    before = float(k[head].sum() / max(n[head].sum(), 1.0))
    come = np.flatnonzero(smooth >= DUE * usual)
    open_ = np.arange(size) > (come[-1] if come.size else 0)
    k, n = k[open_], np.maximum(n[open_], 0)
    half = int(np.searchsorted(np.cumsum(n), n.sum() / 2)) + 1
    (k1, n1), (k2, n2) = ((float(k[w].sum()), float(n[w].sum())) for w in (slice(0, half), slice(half, None)))
    if min(n1, n2) < 1 or before - (k1 + k2) / (n1 + n2) < FIRST_Z * math.sqrt(max(before * (1 - before), 1e-9) / (n1 + n2)):
        return None
    if -rate_z(k1, n1, k2, n2) < GROWS_Z:  # it fell at once, and not as labels get fewer
        return None
    known = np.flatnonzero(smooth >= usual * (1 - (1 - DUE) * before))  # from where a tenth of that kind may be missing
    return int(known[-1]) + 1 if known.size else 1


def known_by_delay(delay_s: Floats, y: Floats, age_s: Floats) -> float | None:
    """Age in seconds below which the labels that have come differ from all that will come; None where they come alike.

    Told by rows old enough to have their labels: of these, the mean of the labels that had come by some age is compared with
    the mean of all. `known_until` asks the newest rows the same, and a short log has few of them.

    Parameters
    ----------
    delay_s, y : (rows,) array of float
        Seconds from the request to its label, and the label as a number, of the rows that have one.
    age_s : (rows,) array of float
        Seconds from the request until now.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = (rng.random(5000) < 0.2).astype(float)
    >>> delay = rng.exponential(np.where(y > 0, 6, 1) * 3600)
    >>> 10 < known_by_delay(delay, y, np.full(5000, 7 * 86400.0)) / 3600 < 16
    True
    """
    old = _all_come(np.where(np.isfinite(y), delay_s, np.nan), age_s, DELAYS_LEAST)
    spread = float(y[old].std()) if old is not None else 0.0
    if old is None or spread <= 0:
        return None
    order = np.argsort(delay_s[old], kind="stable")
    delay, value = delay_s[old][order], y[old][order]
    come = np.arange(1, value.size + 1)
    gap = np.abs(np.cumsum(value) / come - value.mean()) / spread
    error = np.sqrt(1 / come - 1 / value.size)
    odd = np.flatnonzero((gap > ALIKE) & (gap > FIRST_Z * error) & (come >= DELAYS_FIRST))
    return float(delay[odd[-1]]) if odd.size else None


def _all_come(delay_s: Floats, age_s: Floats, least: int) -> NDArray[np.bool_] | None:
    """Rows with a label so old that it came long ago, whatever it is; None where they are fewer than `least`."""
    ok = np.isfinite(delay_s) & (delay_s >= 0)
    old = ok & (age_s >= np.median(age_s))
    if old.sum() < least:
        return None
    longest = float(np.quantile(delay_s[old], 0.99))
    old = ok & (age_s >= max(2 * longest, float(np.median(age_s))))  # else who is late would be missing, and no longest delay
    return old if old.sum() >= least else None


def come_by(delay_s: Floats, age_s: Floats, ages: Floats) -> Floats | None:
    """Share of labels that come within each of `ages`, told by the delays of rows old enough to have theirs; None if too few.

    Parameters
    ----------
    delay_s, age_s : (rows,) array of float
        Seconds from the request to its label (NaN without one), and from the request until now.
    ages : (buckets,) array of float
        Seconds.

    Examples
    --------
    >>> come_by(np.tile([1.0, 2.0, 3.0, 4.0], 100), np.full(400, 50.0), np.array([0.5, 2.5, 9.0])).tolist()
    [0.0, 0.5, 1.0]
    """
    old = _all_come(delay_s, age_s, DUE_LEAST)
    return None if old is None else np.searchsorted(np.sort(delay_s[old]), ages, side="right") / float(old.sum())


def as_due(share: Floats, n: Floats, due: Floats, start: int) -> bool:
    """Whether as many labels came since a bucket as do, of requests as old as these: they are late, not lost.

    Parameters
    ----------
    share, n, due : (buckets,) array of float
        Share of requests with a label, requests, and the share of labels that come within the age of each bucket.
    start : int
        Bucket from which the share is lower.

    Examples
    --------
    >>> due = np.repeat([1.0, 0.5], [50, 10])
    >>> as_due(np.repeat([0.9, 0.4], [50, 10]), np.full(60, 5.0), due, 50)
    True
    >>> as_due(np.repeat([0.9, 0.1], [50, 10]), np.full(60, 5.0), due, 50)
    False
    """
    there = np.isfinite(share) & (n > 0)
    head, since = there & (np.arange(share.size) < start), there & (np.arange(share.size) >= start)
    expected = float((n * due)[head].sum())
    if expected <= 0:
        return False
    p = np.clip((share * n)[head].sum() / expected * due, 0.0, 1.0)
    missing = float((n * (p - share))[since].sum())
    return missing <= LOST_Z * math.sqrt(max(float((n * p * (1 - p))[since].sum()), 1.0))


def as_known(series: Mapping[str, Series], known: int | None) -> dict[str, Series]:
    """The series, of which those that rest on labels end where these are known; the names of `segment:` series tell theirs."""
    if known is None:
        return dict(series)
    out = {}
    for name, s in series.items():
        metric = name.removeprefix("segment:").partition("|")[0]
        rests = metric == "label_rate" or s.family == "quality" or (s.family == "segment" and metric in QUALITY_METRICS)
        at = known if s.coarse else known * s.grid.coarse
        out[name] = replace(s, sums=tuple(np.concatenate([x[:at], np.zeros_like(x[at:])]) for x in s.sums)) if rests else s
    return out
