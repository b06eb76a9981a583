"""Step 1, Signal: is the alert real, and what else moved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rca_kit.findings.base import Finding, Interval


@dataclass(frozen=True)
class MetricReading:
    """One metric before and after.

    `moved` means: beyond chance after correction for the number of metrics looked at, and large enough to matter.
    `worse` is None where the metric has no good direction (score_mean, positive_rate, volume, psi).
    """

    metric: str
    before: float | None
    after: float | None
    change: float | None
    interval: Interval | None
    n_before: int
    n_after: int
    p_value: float | None
    moved: bool
    worse: bool | None
    note: str = ""


@dataclass(frozen=True, repr=False)
class Signal(Finding):
    """Whether the named metric really moved, recomputed from the log, beside all other metrics."""

    next_call = "`.frame()` for all metrics, then `inv.symptom`"

    metric: str
    holds: bool
    because: str
    reading: MetricReading | None
    others: tuple[MetricReading, ...]
    label_share_before: float | None
    label_share_after: float | None
    notes: tuple[str, ...] = ()

    def says(self) -> str:
        """Say whether the alert holds."""
        return ("The alert holds: " if self.holds else "The alert does not hold up: ") + self.because

    def rows(self) -> list[dict[str, Any]]:
        """One row per metric, the alerted one first."""
        readings = ((self.reading,) if self.reading else ()) + self.others
        return [
            {"metric": r.metric, "before": r.before, "after": r.after, "change": r.change,
             "low": r.interval[0] if r.interval else None, "high": r.interval[1] if r.interval else None,
             "p_value": r.p_value, "moved": r.moved, "worse": r.worse, "note": r.note}
            for r in readings
        ]
