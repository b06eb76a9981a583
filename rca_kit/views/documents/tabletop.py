"""A tabletop drill from a real case: timed injects, questions, and the answers for the facilitator at the end."""

from __future__ import annotations

from dataclasses import dataclass

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
    """What the facilitator reads at a minute, and what to ask then."""

    minute: int
    news: str
    ask: str


def injects(inv: Investigation, minutes: int = 60) -> tuple[Inject, ...]:
    """Lay the case's facts over the length of a drill.

    Parameters
    ----------
    inv : Investigation
        The case behind the drill.
    minutes : {30, 45, 60}
        Length; shorter drills leave out the least telling injects.

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
    case = inv.case
    told: list[tuple[str, str, int]] = [  # (news, question, how telling: 0 is always in)
        (
            f"Alert at {words.stamp(case.detected_at)}: {case.summary or case.title}.",
            "Is it real? What do you look at first? Who does what?",
            0,
        )
    ]
    steady = [r for r in inv.signal.others if not r.moved][:3]
    if steady:
        told.append(
            (
                "Not moved: " + ", ".join(words.metric_title(r.metric) for r in steady) + ".",
                "Which causes does that speak against?",
                2,
            )
        )
    moved = [o for o in inv.symptom.onsets if o.metric != inv.symptom.metric][:3]
    if moved:
        told.append(
            (
                "Also moved: "
                + ", ".join(f"{words.metric_title(o.metric)} ({o.direction}, since {o.time:%H:%M})" for o in moved)
                + ".",
                "What came first? What does the order say?",
                1,
            )
        )
    if case.changes:
        near = sorted(case.changes, key=lambda c: abs(c.time - (inv.symptom.onset or case.detected_at)))[:4]
        log = "; ".join(
            f"{c.time:%m-%d %H:%M} {c.kind.replace('_', ' ')}, {c.component}: {c.description}"
            for c in sorted(near, key=lambda c: c.time)
        )
        told.append((f"Change log: {log}.", "Which of these can it be, and which cannot, by time and by scope?", 0))
    if inv.scope.segments:
        told.append((f"Somebody cuts by segment: {inv.scope.says()}", "What is special about them? Who is not affected?", 0))
    told.append(
        (
            "A manager asks for a roll-back of everything, now.",
            "What do you roll back, what do you not, and how do you verify it?",
            0,
        )
    )
    if inv.samples.rules:
        told.append(
            (f"Single requests show: {inv.samples.rules[0].text}.", "Which mechanism fits? What one change would prove it?", 1)
        )
    told.append(
        (
            "Thirty minutes have passed; the status page is silent.",
            "Write the update: impact, actions, expected end, next check-in.",
            1,
        )
    )
    told.append(("The metric is back in its range.", "How do you know it is over? Which guardrail would have caught it?", 0))
    level = {30: 0, 45: 1, 60: 2}[minutes]
    chosen = [t for t in told if t[2] <= level]
    talk = minutes - 10  # the last ten minutes belong to the debrief
    return tuple(Inject(round(i * talk / len(chosen)), news, ask) for i, (news, ask, _) in enumerate(chosen))


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
    return Page(
        f"Tabletop drill, {minutes} minutes: {inv.case.service or 'an ML service'}",
        "Read the injects aloud at their minute. Nobody touches a real system. The last ten minutes are for the debrief.",
        (
            Part("Roles", (Grid(("role", "does"), ROLES, "Roles"),)),
            Part(
                "Injects",
                (
                    Grid(
                        ("minute", "news", "ask"), tuple((str(i.minute), i.news, i.ask) for i in injects(inv, minutes)), "Injects"
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
