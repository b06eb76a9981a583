"""Step 7, Settle: severity, mitigation, guardrails, 5 Whys, checklists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rca_kit.findings.base import Finding


@dataclass(frozen=True)
class Severity:
    """SEV1 to SEV4 with reasons; level None when nothing happened."""

    level: str | None
    because: tuple[str, ...]


@dataclass(frozen=True)
class Mitigation:
    """One action from the decision table, with how to verify it."""

    action: str
    target: str
    reversible: bool
    why: str
    verify: str = ""


@dataclass(frozen=True)
class Guardrail:
    """A control that would have caught it: kind is alert, schema, parity_test, canary or freshness."""

    kind: str
    metric: str
    rule: str
    why: str = ""
    lead_minutes: float | None = None
    false_alarms_per_week: float | None = None


@dataclass(frozen=True)
class Why:
    """One link of the 5 Whys."""

    question: str
    answer: str
    evidence: str = ""


@dataclass(frozen=True)
class CheckItem:
    """One line of a checklist: state is done, open, failed or not_applicable."""

    list_name: str
    text: str
    state: str
    evidence: str = ""


@dataclass(frozen=True)
class Action:
    """A follow-up with owner, due date and success metric; drafts leave owner and due empty."""

    text: str
    kind: str
    owner: str = ""
    due: str = ""
    success_metric: str = ""


@dataclass(frozen=True)
class FmeaRow:
    """Failure mode with severity, occurrence and detection (1-10 each)."""

    failure_mode: str
    effect: str
    cause: str
    severity: int
    occurrence: int
    detection: int

    @property
    def rpn(self) -> int:
        """Risk priority number."""
        return self.severity * self.occurrence * self.detection


@dataclass(frozen=True)
class Message:
    """An update as a person left it, for one audience."""

    audience: str
    text: str
    author: str = ""


@dataclass(frozen=True, repr=False)
class Settlement(Finding):
    """What to do now, how to verify it, and what prevents the next one."""

    next_call = "`.frame()`, or `rca-kit investigate CASE` for the report"

    severity: Severity
    mitigations: tuple[Mitigation, ...]
    guardrails: tuple[Guardrail, ...]
    whys: tuple[Why, ...]
    checklist: tuple[CheckItem, ...]
    actions: tuple[Action, ...] = ()
    fmea: tuple[FmeaRow, ...] = ()
    unknowns: tuple[str, ...] = ()
    really_found: str = ""
    messages: tuple[Message, ...] = ()

    def says(self) -> str:
        """Name severity and first action."""
        level = self.severity.level or "no severity"
        first = f"; first: {self.mitigations[0].action} {self.mitigations[0].target}".rstrip() if self.mitigations else ""
        return f"{level}{first}."

    def rows(self) -> list[dict[str, Any]]:
        """One row per mitigation."""
        return [{"action": m.action, "target": m.target, "reversible": m.reversible, "why": m.why, "verify": m.verify}
                for m in self.mitigations]
