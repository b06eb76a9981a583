"""Step 2, Symptom: when it started, how much, which shape."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rca_kit.findings.base import Finding, Interval, Window


@dataclass(frozen=True)
class MetricSeries:
    """A metric per time bucket, for charts. All tuples have one entry per bucket; None where nothing was measured.

    `lower` and `upper` bound the value (95 %); `expected` is what the same hours of earlier days give, where known. `shows` says
    what the values are where they are not the metric itself: a drift (``psi:``) is drawn as the mean or the share that moved.
    """

    metric: str
    bucket_seconds: int
    times: tuple[datetime, ...]
    values: tuple[float | None, ...]
    counts: tuple[int, ...]
    lower: tuple[float | None, ...] = ()
    upper: tuple[float | None, ...] = ()
    expected: tuple[float | None, ...] = ()
    shows: str = ""


@dataclass(frozen=True)
class Onset:
    """When one metric first departed from before. `shape`: step, ramp, spike, sawtooth, staircase or season.

    `alone` is the interval that the metric's own values tell, where what moved with it dates it more sharply; `shows` says what
    `before` and `after` are where they are not the metric itself, as in `MetricSeries`.
    """

    metric: str
    time: datetime
    interval: tuple[datetime, datetime]
    direction: str
    shape: str
    before: float | None
    after: float | None
    change: float | None
    change_interval: Interval | None
    p_value: float | None
    alone: tuple[datetime, datetime] | None = None
    shows: str = ""


@dataclass(frozen=True)
class DeployEffect:
    """Interrupted-time-series estimate at the time of one logged change: level and slope change with intervals.

    `p_value` is that of the level, as its interval is.
    """

    change_id: str
    time: datetime
    metric: str
    level_change: float
    level_interval: Interval
    slope_change_per_hour: float
    slope_interval: Interval
    p_value: float


@dataclass(frozen=True, repr=False)
class Symptom(Finding):
    """The main metric's change, and every other onset in order of time."""

    next_call = "`.plot()` for the chart, `.frame()` for all onsets, then `inv.scope`"

    metric: str
    direction: str | None
    shape: str | None
    onset: datetime | None
    onset_interval: tuple[datetime, datetime] | None
    before: float | None
    after: float | None
    change: float | None
    change_interval: Interval | None
    p_value: float | None
    also_changed: tuple[str, ...]
    onsets: tuple[Onset, ...]
    windows: tuple[Window, Window] | None
    baseline: str
    changes_inside: tuple[str, ...]
    deploy_effects: tuple[DeployEffect, ...]
    series: tuple[MetricSeries, ...]
    staged: str = ""  # the rollout that the metric follows, in words

    def says(self) -> str:
        """Say what changed, when, and by how much."""
        if self.onset is None or self.before is None or self.after is None:
            if self.shape in ("season", "sawtooth"):
                return f"{self.metric} shows its usual {self.shape} only: no change beyond it and chance."
            return f"{self.metric} shows no change beyond chance and season."
        low_high = ""
        if self.change_interval:
            low_high = f" (change {self.change:+.4g}, 95% {self.change_interval[0]:+.4g} to {self.change_interval[1]:+.4g})"
        return (f"{self.metric} went {self.direction} from {self.before:.4g} to {self.after:.4g}{low_high}, "
                f"a {self.shape or 'change'} since {self.onset:%Y-%m-%d %H:%M} UTC{', ' + self.staged if self.staged else ''}."
                f"{self.inside()}")

    def inside(self) -> str:
        """Say which logged changes lie inside the interval of the onset."""
        if not self.changes_inside:
            return ""
        some = f"{len(self.changes_inside)} logged changes lie" if len(self.changes_inside) > 1 else "One logged change lies"
        return f" {some} inside the interval of the onset: {', '.join(self.changes_inside)}."

    def rows(self) -> list[dict[str, Any]]:
        """One row per metric that moved, earliest onset first."""
        return [
            {"metric": o.metric, "onset": o.time, "earliest": o.interval[0], "latest": o.interval[1],
             "direction": o.direction, "shape": o.shape, "before": o.before, "after": o.after, "change": o.change}
            for o in self.onsets
        ]
