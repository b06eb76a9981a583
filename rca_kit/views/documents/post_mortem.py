"""A blameless post-mortem, from the findings, from a hand-written timeline, or from both."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rca_kit.findings.investigation import Investigation
from rca_kit.views import words
from rca_kit.views.comms import find_blame
from rca_kit.views.documents.page import Block, Boxes, Grid, Page, Part, Points, Words
from rca_kit.views.report.answer import answer
from rca_kit.views.report.draft import JournalEntry, as_draft
from rca_kit.views.report.timeline import Moment, timeline

BEGAN = ("onset", "start")
DETECTED = ("alert", "detected", "page")
MITIGATED = ("mitigated",)
RESOLVED = ("resolved", "recovered")
QUESTIONS = (
    "What went well, and should be kept?",
    "Where were we lucky?",
    "What made it hard to see, and what would have shown it sooner?",
    "Which control was missing, or was there and did not hold?",
    "What surprised us about how the system works?",
)


def post_mortem(
    inv: Investigation | None = None,
    *,
    moments: Sequence[Moment] = (),
    journal: Sequence[JournalEntry] = (),
    title: str = "",
    owner: str = "",
) -> Page:
    """Draft a post-mortem.

    Parameters
    ----------
    inv : Investigation, optional
        The findings.
    moments : sequence of Moment, optional
        A hand-written timeline, from `read_timeline`; enough on its own.
    journal : sequence of mappings, optional
        The case's journal.
    title : str
        Title; the case's own when not given.
    owner : str
        Who leads the review.

    Raises
    ------
    ValueError
        When there is neither a finding nor a timeline.

    Examples
    --------
    >>> from rca_kit.views.example import example
    >>> [p.title for p in post_mortem(example()).parts][:3]
    ['What happened', 'Times', 'Timeline']
    """
    if inv is None and not moments:
        raise ValueError("a post-mortem needs an investigation, a timeline, or both")
    found = timeline(as_draft(inv), journal) if inv else ()
    line = tuple(sorted((*found, *moments), key=lambda m: (m.time.timestamp() if m.time else float("inf"), m.kind, m.title)))
    name = title or (f"{inv.case.case_id}: {inv.case.title}" if inv else "Incident")
    parts = [
        Part("What happened", _summary(inv, line)),
        Part("Times", (_times(inv, line),)),
        Part("Timeline", (_line(line),)),
        Part("Contributing factors", _factors(inv)),
        Part("5 Whys", _whys(inv)),
        Part("Actions", (_actions(inv),)),
        Part("To talk about", (Points(QUESTIONS),)),
        Part("Done when", (_done(inv),)),
        Part("Wording", _wording(inv, line)),
    ]
    lead = "Blameless: we ask what the system allowed and which control was missing, never who." + (
        f" Led by {owner}." if owner else ""
    )
    return Page(f"Post-mortem: {name}", lead, tuple(parts))


def _summary(inv: Investigation | None, line: tuple[Moment, ...]) -> tuple[Block, ...]:
    if inv is None:
        return (
            Words(
                f"To be written: one paragraph for somebody who was not there. The timeline has {len(line)} entries, "
                f"from {_when(line[0])} to {_when(line[-1])}."
            ),
        )
    a = answer(as_draft(inv))
    points = [
        f"Since: {a.since} ({a.since_note})" if a.since_note else f"Since: {a.since}",
        f"For whom: {'; or '.join(a.whom)}" + (f" ({a.whom_note})" if a.whom_note else ""),
        f"How bad: {a.level}" + (f": {'; '.join(a.level_because)}" if a.level_because else ""),
    ]
    if a.cause:
        points.append(f"Most probable cause: {a.cause.title} ({a.cause.category}), probability {a.cause.probability}")
    return (Words(f"{a.headline}. {words.sentence(a.because)}"), Points(tuple(points)))


def _when(moment: Moment) -> str:
    return words.stamp(moment.time) if moment.time else "an unknown time"


def _first(line: tuple[Moment, ...], kinds: tuple[str, ...]) -> datetime | None:
    return next(
        (m.time for m in line if m.time and (m.kind in kinds or (m.kind == "action" and m.title.split(" by ")[0] in kinds))), None
    )


def _times(inv: Investigation | None, line: tuple[Moment, ...]) -> Grid:
    began = (inv.symptom.onset if inv else None) or _first(line, BEGAN)
    detected = inv.case.detected_at if inv else _first(line, DETECTED)
    mitigated, resolved = _first(line, MITIGATED), _first(line, RESOLVED)

    def gap(a: datetime | None, b: datetime | None) -> str:
        return words.lasted(b - a) if a and b and b >= a else "not known"

    def at(t: datetime | None) -> str:
        return words.stamp(t) if t else "not known"

    rows = (
        ("Began", at(began), ""),
        ("Detected", at(detected), f"time to detect: {gap(began, detected)}"),
        ("Mitigated", at(mitigated), f"time to mitigate: {gap(detected, mitigated)}"),
        ("Resolved", at(resolved), f"time to recover: {gap(began, resolved)}"),
    )
    return Grid(("what", "when", "how long"), rows, "Times")


def _line(line: tuple[Moment, ...]) -> Grid:
    return Grid(
        ("time", "kind", "what"),
        tuple((_when(m), m.kind, f"{m.title}{f': {m.detail}' if m.detail else ''}") for m in line),
        "Timeline",
    )


def _factors(inv: Investigation | None) -> tuple[Block, ...]:
    if inv is None:
        return (
            Words("To be found. Name conditions, not people: what made it possible, what made it worse, what delayed the end."),
        )
    rows = tuple(
        (s.title or s.subject, s.category, words.percent(s.probability), "; ".join(e.says for e in s.evidence if e.supports))
        for s in inv.suspects.items[:5]
    )
    chain = inv.suspects.items[0].chain if inv.suspects.items else ()
    out: list[Block] = [Grid(("factor", "category", "probability", "evidence"), rows, "Contributing factors")]
    if chain:
        out.append(Words("Chain of evidence: " + " ← ".join(chain)))
    return tuple(out)


def _whys(inv: Investigation | None) -> tuple[Block, ...]:
    if inv is None or not inv.settlement.whys:
        return (
            Words("Ask until the answer is a process or a control that can be mended; five is a habit, not a rule."),
            Points(
                (
                    "Why did it happen?",
                    "Why was that possible?",
                    "Why was it not stopped before release?",
                    "Why was it not seen sooner?",
                    "Why was there no control?",
                ),
                numbered=True,
            ),
        )
    return (
        Points(
            tuple(f"{w.question} {w.answer}{f' ({w.evidence})' if w.evidence else ''}" for w in inv.settlement.whys),
            numbered=True,
        ),
    )


def _actions(inv: Investigation | None) -> Grid:
    rows = (
        tuple(
            (x.text, x.kind, x.owner or "to be named", x.due or "to be set", x.success_metric or "to be set")
            for x in inv.settlement.actions
        )
        if inv
        else ()
    )
    return Grid(
        ("action", "kind", "owner", "due", "done when"),
        rows or (("", "prevent", "to be named", "to be set", "to be set"),),
        "Actions",
    )


def _done(inv: Investigation | None) -> Boxes:
    actions = inv.settlement.actions if inv else ()
    return Boxes(
        (
            (
                "Each preventive action has an owner, a due date and a measurable success metric",
                bool(actions) and all(x.owner and x.due and x.success_metric for x in actions),
            ),
            ("One targeted change removes the symptom", bool(inv and inv.simulation.confirmed)),
            ("A guardrail that would have caught it is in place", False),
            ("The impact is given in users, KPI points or money", False),
            ("Those who were there have read it and agree", False),
        )
    )


def _wording(inv: Investigation | None, line: tuple[Moment, ...]) -> tuple[Block, ...]:
    texts = [f"{m.title} {m.detail}" for m in line]
    texts += [f"{w.question} {w.answer}" for w in inv.settlement.whys] if inv else []
    rows = tuple((b.words, b.reason, b.instead, text.strip()) for text in texts for b in find_blame(text))
    if not rows:
        return (Words("No wording points at a person."),)
    return (
        Words("These wordings point at people or judge with hindsight; please change them before this is shared."),
        Grid(("wording", "why it does harm", "instead", "where"), rows, "Wording"),
    )
