"""Step 4, Suspects: ranked hypotheses with evidence for and against, over seven categories."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rca_kit.findings.base import Finding, plain

CATEGORIES = ("data", "model", "code", "infra", "config", "upstream", "external")


@dataclass(frozen=True)
class Evidence:
    """One piece of evidence: which check says what, and the log-odds weight it adds (negative when against)."""

    check: str
    says: str
    weight: float
    supports: bool

    def to_dict(self) -> dict[str, Any]:
        """Plain form; `for` is true when it speaks for the hypothesis."""
        return {"check": self.check, "says": self.says, "weight": plain(self.weight), "for": bool(self.supports)}


@dataclass(frozen=True)
class Decision:
    """A person's word on a suspect: `mark` is confirmed, excluded or to_test."""

    mark: str
    reason: str
    by: str


@dataclass(frozen=True)
class Suspect:
    """A hypothesis (category, subject, change) with its probability and what would test or refute it."""

    rank: int
    category: str
    subject: str
    change_id: str | None
    probability: float
    evidence: tuple[Evidence, ...]
    next_test: str
    title: str = ""
    refuted_by: str = ""
    explains_share: float | None = None
    chain: tuple[str, ...] = ()  # causal chain from the metric back to this cause
    decision: Decision | None = None  # what a person said
    added_by: str | None = None  # who added it, when it is not the kit's own

    def to_dict(self) -> dict[str, Any]:
        """Plain form, as findings.json has it."""
        out: dict[str, Any] = {
            "rank": self.rank, "category": self.category, "subject": self.subject, "change_id": self.change_id,
            "probability": plain(self.probability), "title": self.title, "evidence": [e.to_dict() for e in self.evidence],
            "next_test": self.next_test, "refuted_by": self.refuted_by, "explains_share": plain(self.explains_share),
            "chain": list(self.chain),
        }
        if self.decision is not None:
            out["decision"] = plain(self.decision)
        if self.added_by is not None:
            out["added_by"] = self.added_by
        return out


@dataclass(frozen=True)
class CheckResult:
    """One check's outcome: `status` is found, clear or not_applicable (then `says` tells because of what)."""

    code: str
    title: str
    status: str
    says: str
    category: str
    cost: str = "free"


@dataclass(frozen=True)
class CategoryStatus:
    """Where one category stands: supported, excluded or not_tested, with the reason."""

    category: str
    status: str
    because: str


@dataclass(frozen=True, repr=False)
class Suspects(Finding):
    """The ranked suspects, the checks behind them, and where each category stands."""

    next_call = "`inv.suspects.items[0].evidence`, then `inv.samples`"

    items: tuple[Suspect, ...]
    checks: tuple[CheckResult, ...]
    categories: tuple[CategoryStatus, ...]
    verdict: str
    verdict_because: str
    unexplained: float
    excluded: tuple[Suspect, ...] = ()  # by people; their probability is 0

    def says(self) -> str:
        """Name the first suspect with its probability."""
        if not self.items:
            return "No suspect: " + self.verdict_because
        first = self.items[0]
        return f"{first.title or first.subject} ({first.category}), probability {chance(first.probability)}."

    def rows(self) -> list[dict[str, Any]]:
        """One row per suspect."""
        return [
            {"rank": s.rank, "category": s.category, "subject": s.subject, "change_id": s.change_id,
             "probability": s.probability, "for": "; ".join(e.says for e in s.evidence if e.supports),
             "against": "; ".join(e.says for e in s.evidence if not e.supports), "next_test": s.next_test}
            for s in (*self.items, *self.excluded)
        ]


def chance(probability: float) -> str:
    """Write a probability; what lies under one per cent or over 99 is no better known than that.

    Examples
    --------
    >>> chance(0.934), chance(0.00023), chance(0.0), chance(0.998)
    ('93%', 'under 1%', '0%', 'over 99%')
    """
    if 0 < probability < 0.01:
        return "under 1%"
    return "over 99%" if 0.99 < probability < 1 else f"{probability:.0%}"
