"""Which series moved, from when on: one scan per series, one joint onset for those that moved together."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr

from rca_kit.aggregates.grid import DAY_S, TimeGrid
from rca_kit.loop.reading.series import Series
from rca_kit.stats.metrics import Estimate
from rca_kit.stats.stepscan import SEASON_DAYS, WEEK_DAYS, Fit, StepScan, step_scan

Floats = NDArray[np.float64]

ALPHA_ALERT = 1e-3  # the alerted metric has its own prior: somebody already looked and saw something
ALPHA_OTHER = 1e-3  # shared by all other series (Bonferroni): quiet logs stay quiet
FIRST_SHARE = 0.08  # the log must hold some "before": no onset in its first twelfth
PROFILE_DROP = 4.0  # z squared below its maximum that still counts as the same onset (about 95 %)
UNSEEN = 0.0005  # share below which a value was not there
STAYS_FOR, STAYS = (
    6,
    0.8,
)  # buckets after its first request, and the part of them that must hold it, for a value to have come to stay
AGE_WORDS = ("age", "lag", "fresh", "stale")  # in the names of metrics that grow until the next refresh
AGE_MARGIN = 0.05  # beyond the oldest ever seen
EARLY = 0.6  # part of the log before the scanned start that tells how old is usual
STILL_FALLING = 0.75  # labels of the last third against the first third after the fall: below this they are on their way
OVER_BY = 0.15  # part of the log by which a passing change may be over before the alert and still be what it is about


@dataclass(frozen=True)
class Move:
    """A series with its scan; `moved` after correction for all series looked at."""

    series: Series
    scan: StepScan
    observed: Estimate
    moved: bool

    @property
    def fit(self) -> Fit:
        """Best fit; only ask when moved."""
        assert self.scan.best is not None
        return self.scan.best

    @property
    def direction(self) -> str:
        """Up or down, as the findings write it."""
        return "up" if self.fit.height > 0 else "down"

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


def worse(series: Series, change: float, before: float = 0.0) -> bool | None:
    """Whether a change is for the worse; None where the metric has no good direction."""
    if series.good == "zero":
        return abs(before + change) > abs(before)
    if series.good is None or change == 0 or not math.isfinite(change):
        return None
    return (change < 0) == (series.good == "higher")


def season_of(grid: TimeGrid) -> tuple[NDArray[np.int64] | None, NDArray[np.int64] | None]:
    """Hour-of-day and day-of-week labels of the coarse buckets, where the log is long enough to tell them."""
    days = grid.n_coarse * grid.coarse_s / DAY_S
    starts = int(grid.origin.timestamp()) + np.arange(grid.n_coarse) * grid.coarse_s
    width = max(grid.coarse_s, 3600)  # effects per hour, or per bucket when buckets are longer
    phase = ((starts % DAY_S) // width).astype(np.int64) if days >= SEASON_DAYS and grid.coarse_s < DAY_S else None
    day = ((starts // DAY_S) % 7).astype(np.int64) if days >= WEEK_DAYS else None
    return phase, day


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
    elif series.name == "volume":
        return value, np.where(ok, error, np.nan), seen
    else:
        unit = float(np.median(error[ok] ** 2 * n[ok]))
        if unit <= 0:
            unit = float(np.mean(error[ok] ** 2 * n[ok]))
    with np.errstate(divide="ignore", invalid="ignore"):
        pooled = np.sqrt(unit / n)
    return value, np.where(ok, pooled, np.nan), seen


def _roughness(value: Floats) -> float:
    steps = np.diff(value[np.isfinite(value)])
    if not steps.size:
        return 1e-9
    return max(1.4826 * float(np.median(np.abs(steps))), 0.5 * float(np.std(steps)), 1e-9)


def scan_all(
    series: Iterable[Series], grid: TimeGrid, detected_at: datetime, alerts: tuple[str, ...], fixed: int | None = None
) -> dict[str, Move]:
    """Scan every series for a change that begins before the alert.

    `fixed` is the coarse bucket of an onset given by the user; then only that start is looked at.
    """
    phase, day = season_of(grid)
    chosen = list(series)
    last = min(grid.index(detected_at) // grid.coarse, grid.n_coarse - 1)
    first = max(int(FIRST_SHARE * grid.n_coarse), 2)
    if last <= first:
        last = grid.n_coarse - 1
    if fixed is not None:
        first = last = fixed
    looks = max(sum(s.family != "helper" for s in chosen), 1)
    out = {}
    for s in chosen:
        value, error, seen = observe(s)
        found = step_scan(value, error, phase=phase, day=day, first=first, last=last)
        alpha = ALPHA_ALERT / len(alerts) if alerts and s.name in alerts else ALPHA_OTHER / looks
        moved = found.best is not None and found.log_p < math.log(alpha)
        if moved and s.counts:
            moved = binomial_log_p(s, found, last - first + 1) < math.log(alpha)
        if s.name == "label_share" and moved:
            moved = not still_arriving(seen.value, found)
        if found.kind == "box" and found.best is not None and found.best.end < last - OVER_BY * grid.n_coarse:
            moved = False
        out[s.name] = Move(s, found, seen, moved)
    return out


def binomial_log_p(series: Series, scan: StepScan, looks: int) -> float:
    """Corrected p value of a change of a rate by its binomial deviance: few events are skewed, and z overstates them."""
    fit = scan.best
    if fit is None or scan.kind == "ramp":
        return scan.log_p
    factor = 1 if series.coarse else series.grid.coarse
    k, n = (np.add.reduceat(s, np.arange(0, s.size, factor)) for s in series.sums[:2])
    inside = np.zeros(k.size, bool)
    inside[fit.start : fit.end] = True
    parts = [(float(k[m].sum()), float(n[m].sum())) for m in (inside, ~inside)]
    deviance = 2 * (sum(_entropy(a, b) for a, b in parts) - _entropy(sum(a for a, _ in parts), sum(b for _, b in parts)))
    z = math.sqrt(max(deviance, 0.0)) / scan.phi
    return max(scan.log_p, min(math.log(2) + float(log_ndtr(-z)) + math.log(max(looks, 1)), 0.0))


def _entropy(k: float, n: float) -> float:
    """Maximal binomial log-likelihood of k out of n."""
    if n <= 0 or k <= 0 or k >= n:
        return 0.0
    return k * math.log(k / n) + (n - k) * math.log(1 - k / n)


def still_arriving(share: Floats, scan: StepScan) -> bool:
    """Whether a fall of the share of labels is that of labels on their way: it deepens towards the end of the log."""
    fit = scan.best
    if fit is None or fit.height > 0 or fit.end < share.size - 1:
        return False
    tail = share[fit.start :]
    tail = tail[np.isfinite(tail)]
    if tail.size < 3:
        return True
    third = max(tail.size // 3, 1)
    return bool(scan.kind == "ramp" or tail[-third:].mean() < STILL_FALLING * tail[:third].mean())


def together(anchor: Move, moves: Iterable[Move], slack: int = 1) -> list[Move]:
    """Moves whose onset may coincide with the anchor's, the anchor first."""
    low, high = anchor.reach()
    out = [anchor]
    for m in moves:
        if m is anchor or not m.moved:
            continue
        a, b = m.reach()
        if a <= high + slack and b >= low - slack:
            out.append(m)
    return out


@dataclass(frozen=True)
class JointOnset:
    """Onset in fine buckets with a 90 % interval (both ends included as bucket starts), and who decided it."""

    index: int
    low: int
    high: int
    lead: str


def joint_onset(group: Sequence[Move], grid: TimeGrid) -> JointOnset:
    """Sharpen the onset on fine buckets from all series of a group that are kept finely.

    The log-likelihoods of a step at each fine bucket are added over series, divided by the root of their number, since
    series that move together share noise. Series with a ramp only take part when nothing has a step.
    """
    anchor = group[0]
    born = appearance(anchor)
    if born is not None:
        at = born * grid.coarse
        return JointOnset(at, at, min(at + grid.coarse - 1, grid.n - 1), anchor.series.name)
    overdue = overdue_since(anchor)
    if overdue is not None:
        return JointOnset(overdue, max(overdue - grid.coarse, 0), min(overdue + grid.coarse, grid.n - 1), anchor.series.name)
    sharp = [m for m in group if m.scan.kind in ("step", "box") and not m.series.coarse]
    low, high = _range(group if sharp else [anchor])
    if anchor.series.coarse and anchor.scan.kind == "step":
        near = anchor.reach()
        low, high = min(low, near[0]), max(high, near[1])
    a, b = max((low - 1) * grid.coarse, 1), min((high + 2) * grid.coarse, grid.n - 1)
    profiles = {m.series.name: p for m in sharp if (p := _profile(m, a, b)) is not None}
    if not profiles:
        return _from_coarse(anchor, grid)
    total = np.sum(list(profiles.values()), axis=0) / math.sqrt(len(profiles))
    if anchor.series.coarse and anchor.scan.kind == "step":  # kept by coarse bucket only, and still what this is about
        total = total + 0.5 * anchor.scan.profile[np.minimum(np.arange(a, b) // grid.coarse, grid.n_coarse - 1)]
    weight = np.exp(total - total.max())
    weight /= weight.sum()
    cumulative = np.cumsum(weight)
    best = int(np.argmax(total))
    lo, hi = int(np.searchsorted(cumulative, 0.05)), int(np.searchsorted(cumulative, 0.95))
    lead = max(profiles, key=lambda k: float(np.ptp(profiles[k])))
    return JointOnset(a + best, a + min(lo, best), a + max(hi, best), lead)


def overdue_since(move: Move) -> int | None:
    """Fine bucket since when an age has stayed above all it reached before: a refresh that was due did not come."""
    s = move.series
    if s.family != "component" or move.fit.height < 0 or not any(w in s.name.rsplit(":", 1)[-1].lower() for w in AGE_WORDS):
        return None
    value = s.buckets().value
    seen = np.flatnonzero(np.isfinite(value))
    early = seen[seen < move.reach()[0] * s.grid.coarse]
    early = early[: int(EARLY * early.size)]  # the scan's step lies in the middle of the growth
    if early.size < 10:
        return None
    usual = float(value[early].max()) * (1 + AGE_MARGIN)
    within = seen[value[seen] <= usual]
    late = seen[seen > within[-1]]
    return int(late[0]) if late.size >= 2 else None


def appearance(move: Move) -> int | None:
    """Coarse bucket in which a value that was not there before first stays; None for values that were."""
    s = move.series
    if s.family not in ("mix", "version") or move.fit.height < 0:
        return None
    k, n = s.sums
    for i in np.flatnonzero(k > 0):
        if (k[i : i + STAYS_FOR] > 0).mean() >= STAYS:
            quiet = k[:i].sum() <= UNSEEN * n[:i].sum()
            return int(i) if quiet and i > 0 and abs(int(i) - move.fit.start) <= k.size // 4 else None
    return None


def _range(group: Sequence[Move]) -> tuple[int, int]:
    """Buckets where the onset may lie: the reach of the sharpest member."""
    reaches = [m.reach() for m in group]
    return min(reaches, key=lambda r: (r[1] - r[0], r[0]))


def _from_coarse(anchor: Move, grid: TimeGrid) -> JointOnset:
    low, high = anchor.reach()
    start = anchor.fit.start
    return JointOnset(start * grid.coarse, low * grid.coarse, min((high + 1) * grid.coarse, grid.n - 1), anchor.series.name)


def _profile(move: Move, a: int, b: int) -> Floats | None:
    """Log-likelihood of a step at each fine bucket in [a, b), the levels taken from either side of the range."""
    s = move.series
    factor = s.grid.coarse
    fit = move.fit
    season = np.repeat(move.scan.season, factor)[: s.n_buckets]
    width = b - a
    left = slice(max(0, a - 8 * max(width, factor)), a)
    end = min(fit.end * factor, s.n_buckets)
    right = slice(b, max(min(end, b + 8 * max(width, factor)), b + 1))
    value, error, n = s.buckets()
    value, n = np.where(np.isfinite(value), value, 0.0), np.where(np.isfinite(value), n, 0.0)
    if s.log:
        value = np.where(n > 0, np.log(np.maximum(value, 1e-12)), 0.0)
    before, after = _level(value - season, n, left), _level(value - season, n, right)
    if before is None or after is None or before == after:
        return None
    x, w = (value - season)[a:b], n[a:b]
    if s.counts:
        k = value[a:b] * w
        p, q = (np.clip(np.array(v) + season[a:b], 1e-4, 1 - 1e-4) for v in (before, after))
        gain = k * np.log(q / p) + (w - k) * np.log((1 - q) / (1 - p))
    else:
        many = n > 1
        own = (error[many] / (value[many] if s.log else 1.0)) ** 2 * n[many]
        own = own[np.isfinite(own) & (own > 0)]
        unit = float(np.median(own)) if own.size else float(np.var(value[left])) or 1.0
        gain = w / (2 * unit) * ((x - before) ** 2 - (x - after) ** 2)
    gain = gain / max(move.scan.phi, 1.0) ** 2
    # a step at t puts bucket t and later on the new level
    return np.asarray(np.cumsum(gain[::-1])[::-1])


def _level(value: Floats, n: Floats, where: slice) -> float | None:
    total = n[where].sum()
    return float((value[where] * n[where]).sum() / total) if total > 0 else None
