"""A tabletop drill from a real case: timed injects, questions, and the answers for the facilitator at the end."""

from __future__ import annotations

import string
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from rca_kit.findings.investigation import Investigation
from rca_kit.views import words
from rca_kit.views.documents.page import Grid, Page, Part, Points, Words
from rca_kit.views.report.answer import answer
from rca_kit.views.report.draft import as_draft

LENGTHS = (30, 45, 60)
ROLES = (
    ("incident commander", "decides, keeps the time, gives one task at a time"),
    ("operations", "reads dashboards and the change log, proposes safe steps"),
    ("ML owner", "knows the model, its inputs and its metrics"),
    ("communications", "writes the updates every 30 minutes"),
    ("facilitator", "reads the injects aloud, answers only what is asked, keeps the score"),
)
SCORE = (
    ("Signal", "asked whether the alert is real before acting"),
    ("Symptom", "named the onset as an interval"),
    ("Scope", "named the affected segment and who is not affected"),
    ("Suspects", "named two causes and what would tell them apart"),
    ("Samples", "asked for single bad requests beside good ones"),
    ("Simulate", "proposed one targeted change as a test"),
    ("Settle", "chose a reversible step, said how to verify it, and named a guardrail"),
)


@dataclass(frozen=True)
class Inject:
    """What the facilitator reads at a minute, whom to ask what then, and what to listen for."""

    minute: int
    news: str
    ask: str
    role: str = ""
    listen_for: str = ""
    id: str = ""


@cache
def _told() -> tuple[dict[str, Any], ...]:
    return tuple(yaml.safe_load(files("rca_kit.views.documents").joinpath("injects.yaml").read_text(encoding="utf-8")))


def injects(inv: Investigation, minutes: int = 60) -> tuple[Inject, ...]:
    """Lay the case's facts over the length of a drill.

    Parameters
    ----------
    inv : Investigation
        The case behind the drill.
    minutes : {30, 45, 60}
        Length; shorter drills leave out the least telling injects. `injects.yaml` has the minutes.

    Raises
    ------
    ValueError
        For another length.

    Examples
    --------
    >>> from rca_kit.views.example import example
    >>> [i.minute for i in injects(example(), 30)][0]
    0
    """
    if minutes not in LENGTHS:
        raise ValueError(f"a drill takes {', '.join(map(str, LENGTHS))} minutes, not {minutes}")
    facts, out = _facts(inv), []
    for told in _told():
        needs = [name for _, name, _, _ in string.Formatter().parse(told["news"]) if name]
        if minutes in told["at"] and all(facts.get(n) for n in needs):
            news = told["news"].format(**facts)
            out.append(Inject(told["at"][minutes], news, told["ask"], told["role"], told["listen_for"], told["id"]))
    return tuple(out)


def _facts(inv: Investigation) -> dict[str, str]:
    """What the injects may name; empty when the case does not have it."""
    case = inv.case
    steady = [words.metric_title(r.metric) for r in inv.signal.others if not r.moved][:3]
    moved = [o for o in inv.symptom.onsets if o.metric != inv.symptom.metric][:3]
    near = sorted(case.changes, key=lambda c: abs(c.time - (inv.symptom.onset or case.detected_at)))[:4]
    return {
        "alert_at": words.stamp(case.detected_at),
        "alert": (case.summary or case.title).rstrip("."),
        "steady": ", ".join(steady),
        "moved": ", ".join(f"{words.metric_title(o.metric)} ({o.direction}, since {o.time:%H:%M})" for o in moved),
        "log": "; ".join(
            f"{c.time:%m-%d %H:%M} {c.kind.replace('_', ' ')}, {c.component}: {c.description}"
            for c in sorted(near, key=lambda c: c.time)
        ),
        "scope": inv.scope.says() if inv.scope.segments else "",
        "samples": inv.samples.rules[0].text if inv.samples.rules else "",
    }


def tabletop(inv: Investigation, *, minutes: int = 60) -> Page:
    """Write the drill's script.

    Parameters
    ----------
    inv : Investigation
        The case behind it.
    minutes : {30, 45, 60}
        Its length.

    Examples
    --------
    >>> from rca_kit.views.example import example
    >>> [p.title for p in tabletop(example(), minutes=30).parts][-1]
    'For the facilitator only: what it was'
    """
    truth = what_it_was(inv)
    return Page(
        f"Tabletop drill, {minutes} minutes: {inv.case.service or 'an ML service'}",
        "Read the injects aloud at their minute. Nobody touches a real system. The last ten minutes are for the debrief.",
        (
            Part("Roles", (Grid(("role", "does"), ROLES, "Roles"),)),
            Part(
                "Injects",
                (
                    Grid(
                        ("minute", "news", "to", "ask", "listen for"),
                        tuple((str(i.minute), i.news, i.role, i.ask, i.listen_for) for i in injects(inv, minutes)),
                        "Injects",
                    ),
                ),
            ),
            Part("Score, one point each", (Grid(("step", "the team ...", "point"), tuple((*s, "") for s in SCORE), "Score"),)),
            Part(
                f"Debrief, minute {minutes - 10}",
                (
                    Points(
                        (
                            "What helped you narrow it down most?",
                            "Which information did you miss?",
                            "Which one thing do we change this month, who does it, by when?",
                        )
                    ),
                ),
            ),
            Part("For the facilitator only: what it was", (Words("Do not show this before the debrief."), Points(tuple(truth)))),
        ),
    )


def what_it_was(inv: Investigation) -> list[str]:
    """Say the truth in a few lines, for the facilitator and for the debrief."""
    a = answer(as_draft(inv))
    cause = (
        f"{a.cause.title} ({a.cause.category}), probability {a.cause.probability}"
        if a.cause
        else "nothing: the alert does not hold up"
    )
    first = inv.settlement.mitigations[0] if inv.settlement.mitigations else None
    truth = [
        f"{a.headline}; {words.verdict_title(a.verdict).lower()}",
        f"since {a.since}",
        f"for {'; or '.join(a.whom)}",
        f"cause: {cause}",
    ]
    if first:
        truth.append(f"first step: {words.ACTIONS.get(first.action, first.action)}{f': {first.target}' if first.target else ''}")
    return truth
