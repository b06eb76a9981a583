"""What a verification says: one row per metric and segment, and a verdict with an exit code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rca_kit.findings.base import Finding, Interval, Window

EXIT = {"recovered": 0, "not_recovered": 1, "not_enough_data": 3}


@dataclass(frozen=True)
class Recovery:
    """One metric in one segment: before the incident, since the fix, and what the two one-sided tests say.

    `verdict` is equivalent, better, worse or inconclusive; `slo` is inside, outside, uncertain or empty without a target.
    `needed` is the number of observations since the fix that would settle it, where that can be told.
    """

    metric: str
    segment: str
    before: float | None
    since: float | None
    difference: float | None
    interval: Interval | None
    margin: float
    verdict: str
    slo: str
    n: int
    needed: int | None
    note: str = ""


@dataclass(frozen=True, repr=False)
class Verification(Finding):
    """Whether the service has recovered: recovered, not_recovered or not_enough_data."""

    next_call = "`.frame()` for each metric and segment"

    verdict: str
    because: str
    before: Window
    since: Window
    recoveries: tuple[Recovery, ...]

    @property
    def exit_code(self) -> int:
        """0 recovered, 1 not recovered, 3 not enough data yet."""
        return EXIT[self.verdict]

    def says(self) -> str:
        """Give the verdict with its reason."""
        return f"{self.verdict.replace('_', ' ')}: {self.because}"

    def rows(self) -> list[dict[str, Any]]:
        """One row per metric and segment."""
        return [
            {
                "metric": r.metric,
                "segment": r.segment,
                "before": r.before,
                "since": r.since,
                "difference": r.difference,
                "low": r.interval[0] if r.interval else None,
                "high": r.interval[1] if r.interval else None,
                "margin": r.margin,
                "verdict": r.verdict,
                "slo": r.slo,
                "n": r.n,
                "needed": r.needed,
                "note": r.note,
            }
            for r in self.recoveries
        ]
