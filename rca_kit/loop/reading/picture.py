"""Everything the steps look at, gathered once: the series, which of them moved, the joint onset, the two windows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rca_kit.aggregates.grid import DAY_S, TimeGrid
from rca_kit.aggregates.scan import Aggregates
from rca_kit.findings.base import Window
from rca_kit.findings.signal import MetricReading
from rca_kit.loop.reading.anchor import CIRCUMSTANCES, MIN_EFFECT, choose_anchor, told_earlier
from rca_kit.loop.reading.arrivals import Ripeness, as_due, as_known, known_until
from rca_kit.loop.reading.believed import clumping
from rca_kit.loop.reading.bursts import first_burst
from rca_kit.loop.reading.derived import segment_series
from rca_kit.loop.reading.detect import Move, observe, scan_all, season_of, together, worse
from rca_kit.loop.reading.onset import JointOnset, joint_onset
from rca_kit.loop.reading.series import Reading, Series
from rca_kit.loop.reading.week import weekend_ahead
from rca_kit.stats.rates import Z95, Difference, difference, overdispersion

Floats = NDArray[np.float64]

QUIET_SHARE = 0.1  # with no onset, "after" is the last tenth of the log before the alert ...
OTHER_DAYS = 0.3  # difference in the share of weekend from which before and after are not comparable in their mix
QUIET_LEAST = timedelta(hours=2)  # ... but at least two hours, about what an alert rule looks at
Z_MOVED = 4.0  # |z| at the joint onset that counts as moved: p = 6e-5, Bonferroni for about 150 series at 1 %
NOTHING_LATE = Ripeness()
BIAS_LEAST = 0.2  # of the mean absolute error: less hardly adds to it, and wanders with the world


@dataclass(frozen=True)
class Picture:
    """Series, moves, onset and windows of one case.

    `before` and `after` are weights per fine bucket, shape (grid.n,): `after` is 1 inside the window; `before` matches its
    hours of the day where the log reaches back far enough (`matched`).
    """

    aggregates: Aggregates
    series: dict[str, Series]
    moves: dict[str, Move]
    alert: str
    anchor: Move | None
    group: tuple[Move, ...]
    onset: JointOnset | None
    windows: tuple[Window, Window]
    before: Floats
    after: Floats
    matched: bool
    detected_at: datetime
    doubted: tuple[str, ...] = ()  # series taken not to have moved
    known: int | None = None  # coarse bucket from which quality cannot be read yet, as labels of one kind come first

    @property
    def grid(self) -> TimeGrid:
        """The time grid."""
        return self.aggregates.plan.grid

    @property
    def start(self) -> int:
        """First coarse bucket of the after window."""
        return self.grid.index(self.windows[1].start) // self.grid.coarse

    def level(self, name: str, weights: Floats) -> Reading:
        """Value of a series over weighted buckets."""
        return self.series[name].over(weights)

    @cached_property
    def noise(self) -> dict[str, float]:
        """Overdispersion of each series before the onset, its season taken out."""
        phase, _ = season_of(self.grid)
        end = max(self.start, 1)
        out = {}
        for name, s in self.series.items():
            value, error, _ = observe(s)
            labels = phase[:end].astype(np.int64) if phase is not None and phase.ndim == 1 else None
            out[name] = max(overdispersion(value[:end], error[:end], labels), self._clumps(name))
        return out

    def _clumps(self, name: str) -> float:
        """Overdispersion of rare events before the onset, of which most buckets hold none."""
        s = self.series[name]
        if not s.counts:
            return 1.0
        k, n = (s.coarse_sum(i) for i in (0, 1))
        return clumping(k, n, np.arange(k.size) < max(self.start, 1))

    def compare(self, name: str) -> tuple[Reading, Reading, Difference]:
        """Give before, after and their difference with the interval widened for overdispersion."""
        b, a = self.level(name, self.before), self.level(name, self.after)
        return b, a, difference(b.value, b.error, a.value, a.error, self.noise.get(name, 1.0))

    def reading(self, name: str) -> MetricReading:
        """One metric before and after; `moved` needs evidence at the joint onset and an effect that matters."""
        s = self.series[name]
        b, a, d = self.compare(name)
        move = self.moves.get(name)
        z = move.z_at(self.start) * min(move.scan.phi / self._clumps(name), 1.0) if move else 0.0
        dates = move is not None and self.anchor is not None and move.series is self.anchor.series and abs(d.z) >= Z_MOVED
        here = move is not None and move.moved and (dates or self._overlaps(move))  # what dates it all may be dated more finely
        strong = here or (z >= Z_MOVED and abs(d.z) >= Z_MOVED / 2)
        strong = strong and not (move is not None and move.excused)
        matters = self.matters(name, b.value, d.change)
        return MetricReading(
            metric=name,
            before=_finite(b.value),
            after=_finite(a.value),
            change=_finite(d.change),
            interval=(d.low, d.high) if np.isfinite(d.low) else None,
            n_before=_count(b.n),
            n_after=_count(a.n),
            p_value=_finite(d.p_value),
            moved=bool(strong and matters),
            worse=worse(s, d.change, b.value, (d.high - d.low) / (2 * Z95)),
            note="" if strong == matters or not strong else "beyond chance, too small to matter",
        )

    def matters(self, name: str, before: float, change: float) -> bool:
        """Whether a change is large enough for a person to care."""
        s = self.series[name]
        if not np.isfinite(change):
            return False
        absolute, relative = MIN_EFFECT[s.family]
        if s.family in ("service", "stage") and s.log:
            absolute = 9e9
        scale = abs(before)
        if name == "bias" and "mae" in self.series:  # an estimate's: of what it is wrong by anyway
            absolute, relative, scale = np.inf, BIAS_LEAST, self.level("mae", self.before).value
        if s.family == "input":
            b = self.level(name, self.before)
            scale = b.error * np.sqrt(max(b.n, 1.0)) / relative * 0.1  # a tenth of a standard deviation
        return bool(abs(change) >= absolute or (scale > 0 and abs(change) >= relative * scale))

    def _overlaps(self, move: Move) -> bool:
        low, high = move.reach()
        return low - 2 <= self.start <= high + 2 or (move.scan.kind != "step" and low <= self.start <= move.fit.end)


def _count(n: float) -> int:
    return int(n) if np.isfinite(n) else 0


def _finite(x: float) -> float | None:
    return float(x) if np.isfinite(x) else None


def look(
    aggregates: Aggregates,
    series: dict[str, Series],
    alerts: tuple[str, ...],
    detected_at: datetime,
    given: tuple[Window, Window] | None = None,
    ripeness: Ripeness = NOTHING_LATE,
) -> Picture:
    """Scan all series, choose the anchor, sharpen the onset, lay the windows."""
    grid = aggregates.plan.grid
    if "volume" in series:  # the weekend may begin at another hour than in UTC
        grid = replace(grid, ahead_s=weekend_ahead(series["volume"].coarse_sum(0), grid))
        aggregates = replace(aggregates, plan=replace(aggregates.plan, grid=grid))
    fixed = min(grid.index(given[1].start) // grid.coarse, grid.n_coarse - 1) if given else None
    known = min((k for k in (known_until(series), ripeness.unripe) if k is not None), default=None)
    series = as_known(series, known)
    moves = scan_all(series.values(), grid, detected_at, alerts, fixed)
    if ripeness.due is not None:
        moves = {n: replace(m, moved=m.moved and not _late(m, ripeness.due)) for n, m in moves.items()}
    return _laid_out(aggregates, series, moves, alerts, detected_at, given, known=known)


def _late(move: Move, due: Floats) -> bool:
    """Whether labels got fewer towards the end of the log by no more than those that are late."""
    if not move.moved or move.series.name != "label_share" or move.fit.end < due.size - 1:
        return False
    return as_due(move.observed.value, np.nan_to_num(move.observed.n), due, move.fit.start)


def _whole_clump(series: dict[str, Series], name: str) -> float:
    """How clumped the events of a segment's metric are in all traffic: a segment holds too few to tell."""
    whole = series.get(name.removeprefix("segment:").partition("|")[0])
    if whole is None or not whole.counts:
        return 1.0
    k, n = (whole.coarse_sum(i) for i in (0, 1))
    return clumping(k, n, np.ones(k.size, bool))


def without(picture: Picture, doubted: tuple[str, ...]) -> Picture:
    """The picture as it is when some series are taken not to have moved."""
    p, doubted = picture, (*picture.doubted, *doubted)
    moves = {n: replace(m, moved=False) if n in doubted else m for n, m in p.moves.items()}
    return _laid_out(p.aggregates, p.series, moves, (p.alert,), p.detected_at, None, doubted, p.known)


def _laid_out(
    aggregates: Aggregates,
    series: dict[str, Series],
    moves: dict[str, Move],
    alerts: tuple[str, ...],
    detected_at: datetime,
    given: tuple[Window, Window] | None,
    doubted: tuple[str, ...] = (),
    known: int | None = None,
) -> Picture:
    grid = aggregates.plan.grid
    fixed = min(grid.index(given[1].start) // grid.coarse, grid.n_coarse - 1) if given else None
    anchor = choose_anchor(moves, alerts, grid, detected_at)
    if anchor is None or (anchor.series.family in CIRCUMSTANCES and anchor.series.name not in alerts):
        odd = {n.partition("|")[0] for n in doubted}  # a metric odd in one segment is so in the next
        inner = {s.name: s for s in segment_series(aggregates, series) if s.name.partition("|")[0] not in odd}
        inner = as_known(inner, known)
        inside = scan_all(inner.values(), grid, detected_at, (), fixed, {n: _whole_clump(series, n) for n in inner})
        hurt = choose_anchor(inside, (), grid, detected_at)
        if hurt is not None:
            moves, series, anchor = {**moves, hurt.series.name: hurt}, {**series, hurt.series.name: hurt.series}, hurt
    anchor = first_burst(told_earlier(anchor, moves)) if anchor else None
    group = tuple(together(anchor, moves.values())) if anchor else ()
    onset = joint_onset(group, grid, moves.values()) if group and not given else None
    windows = given or lay_windows(grid, onset, anchor, detected_at)
    before, after, matched = weigh(grid, windows)
    return Picture(
        aggregates, series, moves, alerts[0], anchor, group, onset, windows, before, after, matched, detected_at, doubted, known
    )


def lay_windows(grid: TimeGrid, onset: JointOnset | None, anchor: Move | None, detected_at: datetime) -> tuple[Window, Window]:
    """Before ends where the onset may first lie; after begins where it lies at the latest."""
    end = grid.time(grid.n)
    if onset is None or anchor is None:
        stop = min(detected_at, end)
        span = (stop - grid.origin) * QUIET_SHARE
        split = max(stop - max(span, QUIET_LEAST), grid.origin + (stop - grid.origin) / 2)
        return Window(grid.origin, split), Window(split, end)
    if anchor.scan.kind == "box" and anchor.fit.end * grid.coarse < grid.n:
        end = grid.time(anchor.fit.end, coarse=True)
    return Window(grid.origin, grid.time(max(onset.low, 1))), Window(grid.time(onset.index), end)


def weigh(grid: TimeGrid, windows: tuple[Window, Window]) -> tuple[Floats, Floats, bool]:
    """Weights of the fine buckets for before and after: before is matched to the hours of after, and to its weekends.

    Where the log reaches back to no earlier weekend (or working day) hours alone are matched; where not even to these, nothing.
    """
    times = int(grid.origin.timestamp()) + np.arange(grid.n) * grid.width_s
    before, after = (grid.inside(w) for w in windows)
    if windows[0].seconds < DAY_S or grid.width_s >= DAY_S:
        return before, after, False
    slot = max(grid.width_s, 3600)  # hours, or buckets where these are longer
    hour = (times % DAY_S) // slot
    off = grid.weekend().astype(np.int64)
    for kind, kinds in ((off, 2), (np.zeros_like(off), 1)):
        need = np.zeros((kinds, DAY_S // slot))
        have = np.zeros((kinds, DAY_S // slot))
        np.add.at(need, (kind, hour), after)
        np.add.at(have, (kind, hour), before)
        near = need + np.roll(need, 1, 1) + np.roll(need, -1, 1)  # after may begin or end within an hour
        if (have[near > 0] == 0).any() or (have.sum(1) < np.minimum(need.sum(1), DAY_S / grid.width_s))[need.sum(1) > 0].any():
            continue
        weights = np.where(have > 0, near / np.maximum(have, 1), 0.0)
        matched = before * weights[kind, hour]
        if matched.max() > 0:
            return matched / matched.max(), after, True
    return before, after, False


def same_days(picture: Picture) -> bool:
    """Whether the weighted before has about as much weekend as after; where not, the two differ by the week alone."""
    off = picture.grid.weekend()
    shares = [float(w[off].sum() / max(w.sum(), 1e-12)) for w in (picture.before, picture.after)]
    return abs(shares[0] - shares[1]) <= OTHER_DAYS
