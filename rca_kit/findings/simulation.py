"""Step 6, Simulate: replay, shadow, repair and threshold what-ifs, as far as the case allows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rca_kit.findings.base import Finding, Interval


@dataclass(frozen=True)
class Trial:
    """One simulation: `kind` is replay, shadow, repair, inject, threshold, calibration or reweighting.

    `restored` is the share of the metric's change that the trial takes back (1 = all), with its interval.
    """

    kind: str
    subject: str
    verdict: str
    says: str
    metric: str = ""
    restored: float | None = None
    interval: Interval | None = None


@dataclass(frozen=True, repr=False)
class Simulation(Finding):
    """Trials that were run, and what would be needed for those that were not."""

    next_call = "`.frame()`, then `inv.settlement`"

    trials: tuple[Trial, ...]
    needs: tuple[str, ...]
    confirmed: bool = False
    replay: Any = None
    shadow: Any = None

    def says(self) -> str:
        """Say what was simulated."""
        if not self.trials:
            return "Nothing could be simulated: " + "; ".join(self.needs)
        return " ".join(t.says for t in self.trials[:3])

    def rows(self) -> list[dict[str, Any]]:
        """One row per trial."""
        return [
            {"kind": t.kind, "subject": t.subject, "verdict": t.verdict, "metric": t.metric, "restored": t.restored,
             "says": t.says}
            for t in self.trials
        ]
