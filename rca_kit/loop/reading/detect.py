"""Which series moved, from when on: one scan per series, one joint onset for those that moved together."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from rca_kit.aggregates.grid import DAY_S, TimeGrid
from rca_kit.loop.reading.arrivals import JUMP_MOST, lost_at_once, lost_since, settled, still_arriving, still_to_come
from rca_kit.loop.reading.believed import (
    beyond_its_wandering,
    binomial_log_p,
    event_log_p,
    exceedance_log_p,
    inside_of,
    loss_log_p,
)
from rca_kit.loop.reading.load import MOST_BUSY, MOST_BUSY_TAIL, as_ever
from rca_kit.loop.reading.series import Series
from rca_kit.loop.reading.short import WEEK, judged_in_short
from rca_kit.stats import metrics
from rca_kit.stats.bursts import from_first_to_last
from rca_kit.stats.metrics import Estimate
from rca_kit.stats.rarestep import rare_step
from rca_kit.stats.stepscan import SEASON_DAYS, WEEK_DAYS, Fit, Season, StepScan, step_scan

Floats = NDArray[np.float64]

ALPHA_ALERT = 1e-3  # the alerted metric has its own prior: somebody already looked and saw something
ALPHA_OTHER = 1e-3  # shared by all outcomes, and once more by all other series (Bonferroni): quiet logs stay quiet
WANDERERS = ("input", "nulls", "output")  # families whose level all requests of an hour may share
OUTCOMES = ("quality", "service", "kpi", "output_nulls")  # what an alert is about: few, beside a hundred series around them
FIRST_SHARE = 0.08  # the log must hold some "before": no onset in its first twelfth
PROFILE_DROP = 4.0  # z squared below its maximum that still counts as the same onset (about 95 %)
FURTHER = 2.0  # standard errors by which a metric that should be zero must have moved away from it
SHARP_Z, SHARED_DROP = 10.0, 12.0  # z of a step that dates others; z squared that the anchor may lose by beginning with it
WAVE_DAYS = 0.5  # half a day's wave looks like a ramp: below this a season cannot be told from a change at all
WEEKEND_LEAST = 1 / 12  # days of weekend and of working days that must be seen to tell them apart
FEW_ROWS = 30  # rows a bucket below which a skewed loss shows no spread in most buckets: then all rows' spread is pooled
STEADY = ("nulls", "output_nulls", "labels", "version", "error_rate")  # families and metrics that know no weekend
WEEKLY = (*OUTCOMES, "input", "output")  # families whose weekends differ, but not by any amount
COMERS = ("volume", "mix", "input")  # families of who comes and how many
BOLD_QUALITY = 1.75  # odds ratio of mistakes that no weekend makes: who comes differs, what they are worth to a model hardly
BOLD_ODDS, BOLD = 3.0, 0.5  # odds ratio, and part of a standard deviation (of a time: of itself), that no weekend makes of these
SEASON_KNOWN = 3.0  # days below which the hours of the day are told by the load as well as by themselves
COVERED_LEAST = 0.6  # part of a bucket that the log must cover for its inputs to be compared with those of whole ones
SHAKY = ("latency_p99",)  # rests on one request in a hundred; p95 and p50 say the same with less noise
# part of the log, or seconds, by which a passing change may be over before the alert and still be what it is about
OVER_BY, OVER_LEAST = 0.15, 6 * 3600


@dataclass(frozen=True)
class Move:
    """A series with its scan; `moved` after correction for all series looked at."""

    series: Series
    scan: StepScan
    observed: Estimate
    moved: bool
    excused: bool = False  # what it did follows the load, as it ever did

    @property
    def fit(self) -> Fit:
        """Best fit; only ask when moved."""
        assert self.scan.best is not None
        return self.scan.best

    @property
    def direction(self) -> str:
        """Up or down, as the findings write it."""
        return "up" if self.fit.height > 0 else "down"

    @property
    def worsened(self) -> bool | None:
        """Whether the change is for the worse; what should be zero is, where it lies further from it than before."""
        if self.series.good != "zero":
            return worse(self.series, self.fit.height)
        value, n = (np.asarray(a, float)[: self.fit.start] for a in (self.observed.value, self.observed.n))
        ok = np.isfinite(value) & (n > 0)
        before = float(np.average(value[ok], weights=n[ok])) if ok.any() else 0.0
        return worse(self.series, self.fit.height, before)

    def z_at(self, start: int) -> float:
        """Size of z for a step at one bucket."""
        return math.sqrt(float(self.scan.profile[min(start, self.scan.profile.size - 1)]))

    def reach(self) -> tuple[int, int]:
        """First and last coarse bucket that the onset may lie in (both included)."""
        fit = self.fit
        if self.scan.kind != "step":
            return max(fit.start - 1, 0), fit.start + 1
        near = np.flatnonzero(self.scan.profile >= self.scan.profile.max() - PROFILE_DROP)
        return int(near.min()), int(near.max())


def worse(series: Series, change: float, before: float = 0.0, error: float = 0.0) -> bool | None:
    """Whether a change is for the worse; None where the metric has no good direction.

    What should be zero and lies as far on the other side now is no worse: it must be further away beyond chance (`error`).
    """
    if series.good == "zero":
        return abs(before + change) > abs(before) + (FURTHER * error if math.isfinite(error) else 0.0)
    if series.good is None or change == 0 or not math.isfinite(change):
        return None
    return (change < 0) == (series.good == "higher")


def season_of(grid: TimeGrid) -> tuple[Season | None, NDArray[np.int64] | None]:
    """Hour-of-day and day-of-week labels of the coarse buckets, where the log is long enough to tell them.

    Below two days no hour comes twice; what rises and falls with the day is then taken for a wave of 24 hours, and from a day on
    of 12 hours too.

    Below two weeks the days cannot be told apart, but a weekend still differs from the days around it: then the second labels
    are 1 on Saturdays and Sundays, 0 else.
    """
    days = grid.n_coarse * grid.coarse_s / DAY_S
    starts = grid.seconds(coarse=True)
    width = max(grid.coarse_s, 3600)  # effects per hour, or per bucket when buckets are longer
    phase: Season | None = None
    if days >= SEASON_DAYS and grid.coarse_s < DAY_S:
        phase = ((starts % DAY_S) // width).astype(np.int64)
    elif days >= WAVE_DAYS:
        turns = 2 * np.pi * (starts % DAY_S) / DAY_S
        phase = np.column_stack([f(k * turns) for k in ((1, 2) if days >= 1 else (1,)) for f in (np.sin, np.cos)])
    if days >= WEEK_DAYS:
        return phase, grid.day(coarse=True).astype(np.int64)
    off = grid.weekend(coarse=True)
    seen = min(off.sum(), (~off).sum()) * grid.coarse_s / DAY_S
    return phase, off.astype(np.int64) if days >= SEASON_DAYS and seen >= WEEKEND_LEAST and grid.coarse_s < DAY_S else None


def lone_weekend(grid: TimeGrid) -> bool:
    """Whether the log holds one weekend only: what began with it cannot be told from what every weekend brings."""
    off = grid.weekend(coarse=True)
    return int((np.diff(off.astype(int), prepend=0) == 1).sum()) == 1


def beyond_a_weekend(series: Series, scan: StepScan, value: Floats, error: Floats, n: Floats) -> bool:
    """Whether a step is larger than weekends make: odds trebled, times by half, other numbers by half a standard deviation."""
    if scan.best is None or scan.kind == "ramp":
        return False
    ok, inside = np.isfinite(value) & np.isfinite(error) & (n > 0), inside_of(scan, value.size)
    if not (ok & inside).any() or not (ok & ~inside).any():
        return False
    b, a = (float(np.average(value[ok & m], weights=n[ok & m])) for m in (~inside, inside))
    if series.counts:
        p, q = (min(max(x, 0.5 / float(n[ok].sum())), 1 - 0.5 / float(n[ok].sum())) for x in (b, a))
        least = BOLD_QUALITY if series.family == "quality" else BOLD_ODDS
        return abs(math.log(q / (1 - q) * (1 - p) / p)) >= math.log(least)
    if series.log:
        return abs(a - b) >= math.log1p(BOLD)
    return abs(a - b) >= BOLD * float(np.median(error[ok] * np.sqrt(n[ok])))


def season_for(series: Series, grid: TimeGrid) -> tuple[Season | None, NDArray[np.int64] | None]:
    """Season of one series: what day and weekend do not touch is not excused by one that has no other to compare with.

    Who comes, and how many, has other hours on a weekend, where the log is long enough to tell them.
    """
    phase, day = season_of(grid)
    steady = series.family in STEADY or series.name in STEADY
    if series.family in COMERS and phase is not None and phase.ndim == 1 and grid.n_coarse * grid.coarse_s >= WEEK_DAYS * DAY_S:
        phase = phase + int(phase.max() + 1) * grid.weekend(coarse=True)
    return None if steady and phase is not None and phase.ndim == 2 else phase, None if steady else day


def observe(series: Series) -> tuple[Floats, Floats, Estimate]:
    """Values and errors per coarse bucket for the scan: logs for multiplicative series, errors smoothed over buckets.

    Under no change all observations share one variance, so a bucket's error is that of the pooled observation over the
    bucket's n. A bucket's own error would be small just where its value is extreme.
    """
    seen = series.detection()
    value, error, n = (np.asarray(a, float) for a in seen)
    if series.family == "component":
        return value, np.where(np.isfinite(value), 0.25 * _roughness(value), np.nan), seen
    if series.log:
        with np.errstate(divide="ignore", invalid="ignore"):
            error, value = error / value, np.log(value)
        bad = ~np.isfinite(value)
        value, error = np.where(bad, np.nan, value), np.where(bad, np.nan, error)
    ok = np.isfinite(value) & np.isfinite(error) & (n > 0)
    if not ok.any():
        return value, error, seen
    if series.counts:
        p = float((value[ok] * n[ok]).sum() / n[ok].sum())
        unit = max(p * (1 - p), 0.5 / n[ok].sum())
    elif series.name == "volume":  # a bucket that the log covers in part holds part of its requests
        with np.errstate(divide="ignore"):
            value = value - np.log(series.coarse_weights(series.covered()))
        return value, np.where(ok, error, np.nan), seen
    else:
        unit = float(np.median(error[ok] ** 2 * n[ok]))
        if unit <= 0:
            unit = float(np.mean(error[ok] ** 2 * n[ok]))
        if float(np.median(n[ok])) < FEW_ROWS:
            free = np.maximum(n[ok] - 1, 0)
            unit = max(unit, float((error[ok] ** 2 * n[ok] * free).sum() / max(free.sum(), 1.0)))
    with np.errstate(divide="ignore", invalid="ignore"):
        pooled = np.sqrt(unit / n)
    return value, np.where(ok, pooled, np.nan), seen


def _roughness(value: Floats) -> float:
    steps = np.diff(value[np.isfinite(value)])
    if not steps.size:
        return 1e-9
    return max(1.4826 * float(np.median(np.abs(steps))), 0.5 * float(np.std(steps)), 1e-9)


def scan_all(
    series: Iterable[Series], grid: TimeGrid, detected_at: datetime, alerts: tuple[str, ...], fixed: int | None = None,
    clumps: Mapping[str, float] | None = None, seasonal: bool = True,
) -> dict[str, Move]:
    """Scan every series for a change that begins before the alert.

    `fixed` is the coarse bucket of an onset given by the user; then only that start is looked at. `clumps` tells by name how
    overdispersed the events of a series are at least, where it holds too few of them to tell by itself. With `seasonal` false
    the caller answers for the hours.
    """
    chosen = list(series)
    last = min(grid.index(detected_at) // grid.coarse, grid.n_coarse - 1)
    first = max(int(FIRST_SHARE * grid.n_coarse), 2)
    if last <= first:
        last = grid.n_coarse - 1
    if fixed is not None:
        first = last = fixed
    outcomes = max(sum(s.family in OUTCOMES for s in chosen), 1)
    others = max(sum(s.family not in (*OUTCOMES, "helper") for s in chosen), 1)
    volume = next((s for s in chosen if s.name == "volume"), None)
    partial = volume.coarse_weights(volume.covered()) < COVERED_LEAST if volume is not None else np.zeros(grid.n_coarse, bool)
    lone = lone_weekend(grid)
    arrived = next((s.detection() for s in chosen if s.name == "label_share"), None)
    days = grid.n_coarse * grid.coarse_s / DAY_S
    out = {}
    for s in chosen:
        value, error, seen = observe(s)
        if s.family in ("input", "mix"):  # part of an hour is not like the whole hour on other days
            error = np.where(partial, np.nan, error)
        phase, day = season_for(s, grid) if seasonal else (None, None)
        if s.family == "cut":  # no season, and hardly an event before it
            found = rare_step(s.coarse_sum(0), s.coarse_sum(1), first=first, last=last)
            out[s.name] = Move(s, found, seen, found.best is not None and found.log_p < math.log(ALPHA_OTHER / others))
            continue
        found = step_scan(value, error, phase=phase, day=day, first=first, last=last)
        if day is not None and s.family in WEEKLY and lone:
            plain = step_scan(value, error, phase=phase, first=first, last=last)
            if beyond_a_weekend(s, plain, value, error, seen.n):
                found = plain
        alpha = ALPHA_OTHER / (outcomes if s.family in OUTCOMES else others)
        if alerts and s.name in alerts:
            alpha = ALPHA_ALERT / len(alerts)
        moved = found.best is not None and found.log_p < math.log(alpha)
        if moved:
            found = from_first_to_last(value, error, np.nan_to_num(seen.n), found, grid.n_coarse, DAY_S // grid.coarse_s)
        if moved and s.counts:
            moved = binomial_log_p(s, found, last - first + 1, (clumps or {}).get(s.name, 1.0)) < math.log(alpha)
        if moved and s.formula is metrics.mean and float(np.nanmedian(seen.n)) < FEW_ROWS:
            moved = loss_log_p(s, found, last - first + 1) < math.log(alpha)
        if moved and s.quantile is not None:
            moved = exceedance_log_p(s, found, last - first + 1) < math.log(alpha)
        if moved and (s.family in WANDERERS or (s.family == "labels" and s.name != "label_rate")):
            moved = beyond_its_wandering(value, error, found, grid.coarse_s)
        if moved and s.family == "component":
            moved = event_log_p(value, found, last - first + 1) < math.log(alpha)
        if moved and days < WEEK:
            moved, at = judged_in_short(s, found, value, days, (first, last), grid.coarse_s)
            found = step_scan(value, error, phase=phase, day=day, first=at, last=at) if at is not None else found
        if moved and s.name == "label_rate" and arrived is not None:
            moved = not still_to_come(seen.value, arrived.value, found)
        if moved and s.family == "labels" and s.name != "label_rate":
            share = seen.value if s.name == "label_share" else 1 - seen.value
            if still_arriving(share, found):
                early = np.where(settled(share, found), value, np.nan)
                plain = step_scan(early, error, phase=phase, day=day, first=first, last=last)
                moved = plain.log_p < math.log(alpha) and lost_at_once(share, np.nan_to_num(seen.n), plain)
                found = plain if moved else found
                lost = lost_since(share, seen.n, first, last) if not moved else None
                if lost is not None:
                    early = np.where(np.arange(share.size) < lost[0] + JUMP_MOST, value, np.nan)
                    found = step_scan(early, error, phase=phase, day=day, first=lost[0], last=lost[0])
                    # a few buckets before the log ends they fall off after the jump, as in a ramp
                    found = replace(found, kind="step" if found.step is not None else found.kind)
                    moved = found.step is not None and found.log_p < math.log(alpha)
        if found.kind == "box" and found.best is not None and found.best.end < last - max(
            OVER_BY * grid.n_coarse, OVER_LEAST / grid.coarse_s
        ):
            moved = False
        out[s.name] = Move(s, found, seen, moved and found.best is not None)
    return _busy_as_ever(out, grid)


def _hardly_longer(m: Move) -> bool:
    return m.series.log and m.scan.best is not None and abs(m.scan.best.height) <= MOST_BUSY_TAIL


def _busy_as_ever(moves: dict[str, Move], grid: TimeGrid) -> dict[str, Move]:
    """The moves without times that only followed the load, a little longer in busy hours as they ever were.

    By more than `MOST_BUSY` no load slows what can bear it. Components whose own metrics follow it are excused where the load is.
    """
    volume = moves.get("volume")
    if volume is None:
        return moves
    load = volume.series.coarse_sum(0)

    def busy(m: Move) -> bool:
        if m.scan.best is None or m.scan.log_p > math.log(ALPHA_ALERT):
            return False
        in_logs = (m.series.family in ("service", "stage") and m.series.log) or m.series.name.startswith("log:")
        times = in_logs and abs(m.scan.best.height) <= MOST_BUSY
        if not times and (m.series.family != "component" or volume.moved):
            return False
        value, error, _ = observe(m.series)
        phase, day = season_for(m.series, grid)
        if as_ever(value, error, m.scan, load, phase, day):
            return True
        if phase is None or grid.n_coarse * grid.coarse_s >= SEASON_KNOWN * DAY_S:
            return False
        # of hours seen but twice a season of their own and a step tell much: the load, without either, must not tell as much
        able = np.flatnonzero(m.scan.profile)
        plain = step_scan(value, error, first=int(able[0]), last=int(able[-1])) if able.size else m.scan
        return as_ever(value, error, plain, load, None, None)

    excused = {n for n, m in moves.items() if busy(m)}
    times = {(moves[n].series.family, moves[n].series.column) for n in excused}
    # of the same requests the slowest wait a little longer still; and the last percentile of few is about their longest one
    excused |= {
        n for n, m in moves.items()
        if (m.series.family, m.series.column) in times and (n in SHAKY or _hardly_longer(m))
    }
    return {n: replace(m, moved=False, excused=True) if n in excused else m for n, m in moves.items()}


def together(anchor: Move, moves: Iterable[Move], slack: int = 1) -> list[Move]:
    """Moves whose onset may coincide with the anchor's, the anchor first.

    A step that stands out sharply takes part too where the anchor, itself less sharp, could have begun with it: two changes a
    few hours apart that have nothing to do with each other are rarer than one of which one metric is a blurred picture.
    """
    low, high = anchor.reach()
    profile = anchor.scan.profile
    near = profile >= profile.max() - SHARED_DROP if anchor.scan.kind == "step" else np.zeros(profile.size, bool)
    out = [anchor]
    for m in moves:
        if m is anchor or not m.moved:
            continue
        a, b = m.reach()
        sharp = m.scan.kind == "step" and abs(m.fit.z) >= SHARP_Z and near[m.fit.start]
        if sharp or (a <= high + slack and b >= low - slack):
            out.append(m)
    return out
