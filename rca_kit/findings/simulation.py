"""Step 6, Simulate: replay, shadow, repair and threshold what-ifs, as far as the case allows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rca_kit.findings.base import Finding, Interval

# only putting things back tests a cause; a fault injected into healthy rows, or a surrogate's shares, do not take it away
REMOVING = ("repair", "threshold", "calibration", "reweighting", "replay", "shadow")


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

    def best(self) -> Trial | None:
        """Give the trial that takes back most of the change; None when no trial put anything back."""
        tried = [t for t in self.trials if t.restored is not None and t.kind in REMOVING and t.verdict != "shapley"]
        return max(tried, key=lambda t: t.restored or 0.0, default=None)

    def answer(self) -> str:
        """Answer whether one change removes the symptom, by what was found.

        Examples
        --------
        >>> old = Trial("replay", "model:previous", "restores", "", "auc", 0.86, (0.71, 1.0))
        >>> Simulation((old,), ()).answer()
        'One trial takes back most of the change, 86% (95% interval 71% to 100%); that alone does not confirm the cause.'
        """
        if self.confirmed:
            return "One targeted change removes the symptom."
        best = self.best()
        if best is None or best.restored is None:
            return "Nothing that would take the symptom away has been tried."
        between = f" (95% interval {best.interval[0]:.0%} to {best.interval[1]:.0%})" if best.interval else ""
        if best.verdict == "restores":
            back = f"One trial takes back most of the change, {best.restored:.0%}{between}"
            return f"{back}; that alone does not confirm the cause."
        if best.verdict == "undecided":
            return f"Whether a trial takes the symptom away cannot be told: the best takes back {best.restored:.0%}{between}."
        if best.verdict == "part":
            return f"No trial takes the whole symptom away; the best takes back {best.restored:.0%}{between}."
        return "No trial takes back any of the symptom beyond chance."

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
