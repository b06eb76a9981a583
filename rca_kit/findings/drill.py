"""The outcome of a training session: every question with the group's answer, the truth, and what the kit says."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Any

from rca_kit.findings.base import Finding


@dataclass(frozen=True, repr=False)
class Listing(Finding):
    """A short table that is shown whole: what a person has to read is not cut off.

    Examples
    --------
    >>> Listing("two tests", ({"name": "a", "minutes": 5}, {"name": "b", "minutes": 9}))
    Listing: two tests
      name: a | minutes: 5
      name: b | minutes: 9
    """

    title: str
    entries: tuple[dict[str, Any], ...]

    def says(self) -> str:
        """Give the title."""
        return self.title

    def rows(self) -> list[dict[str, Any]]:
        """Give the entries."""
        return [dict(e) for e in self.entries]

    def __repr__(self) -> str:
        lines = [" | ".join(f"{k}: {v}" for k, v in e.items() if v not in (None, "")) for e in self.entries]
        return "\n  ".join([f"Listing: {self.title}", *lines])

    def _repr_html_(self) -> str:
        left = " style='text-align:left;vertical-align:top'"
        heads = "".join(f"<th{left}>{html.escape(str(n))}</th>" for n in (self.entries[0] if self.entries else ()))
        body = "".join(
            "<tr>" + "".join(f"<td{left}>{html.escape('' if v is None else str(v))}</td>" for v in e.values()) + "</tr>"
            for e in self.entries
        )
        return f"<p><b>{html.escape(self.title)}</b></p><table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"


@dataclass(frozen=True)
class Judged:
    """One question, judged. `points` of `of`; `why` explains the truth, `look_at` says which evidence shows it."""

    step: str
    question: str
    given: str
    truth: str
    kit: str
    points: float
    of: float
    why: str
    look_at: str = ""

    @property
    def full(self) -> bool:
        """Whether all points were won."""
        return self.points >= self.of


@dataclass(frozen=True, repr=False)
class DrillScore(Finding):
    """The score of one session, of 100.

    `points` are those of the questions that apply to the case, scaled to 100, less what false accusations and hints cost.
    `onset_error_minutes` is answered minus true; `scope_f1` compares the rows in the answered segment with those truly hit.
    `false_accusations` are changes named as causes that were innocent, `wasted_tests` tests that could not decide.
    `mitigation_risk` is 1 (undoes one change) to 5; None when none was proposed or it does not fit.
    """

    next_call = "`.judged` for each question with the reason; `rca_kit.views.documents.debrief(score)` for the debrief"

    drill_id: str
    title: str
    points: float
    judged: tuple[Judged, ...]
    hints: int
    hint_cost: float
    false_accusations: tuple[str, ...]
    wasted_tests: tuple[str, ...]
    onset_error_minutes: float | None
    scope_f1: float | None
    mitigation_risk: int | None
    minutes_used: float | None
    minutes_planned: int
    story: str
    lessons: tuple[str, ...]
    kit_first: str

    def says(self) -> str:
        """Give the score and what cost most."""
        lost = sorted((j for j in self.judged if not j.full), key=lambda j: j.points - j.of)[:2]
        most = f" Most was lost on: {', '.join(j.question for j in lost)}." if lost else " Nothing was missed."
        used = f" {self.minutes_used:.0f} of {self.minutes_planned} minutes." if self.minutes_used is not None else ""
        cost = f" {self.hints} hint{'s' * (self.hints != 1)} cost {self.hint_cost:.0f}." if self.hints else ""
        return f"{self.points:.0f} of 100 points.{most}{used}{cost}"

    def rows(self) -> list[dict[str, Any]]:
        """One row per question."""
        return [
            {
                "step": j.step,
                "question": j.question,
                "you": j.given,
                "truth": j.truth,
                "the kit": j.kit,
                "points": f"{j.points:.1f} of {j.of:.0f}",
                "why": j.why,
                "look at": j.look_at,
            }
            for j in self.judged
        ]
