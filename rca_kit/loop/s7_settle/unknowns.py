"""What is not known: said as plainly as what is."""

from __future__ import annotations

from rca_kit.findings.settlement import CheckItem
from rca_kit.loop.s7_settle.facts import DEPLOYS, Facts, clock

LIKELY = 0.5
CLOSE = 2.0  # a second suspect at more than half of the first's probability is a rival
WIDE_ONSET_MINUTES = 60.0
LABELS_MISSING = 0.1
MOST = 6


def unknowns(facts: Facts) -> tuple[str, ...]:
    """List what the findings leave open, most decisive first, at most six."""
    if facts.verdict == "no_change":
        return tuple(_labels(facts))
    out: list[str] = []
    first = facts.first
    if facts.verdict == "incident":
        if first is None:
            out.append("The cause: no suspect has evidence.")
        elif first.probability < LIKELY:
            tail = f" Next test: {first.next_test}" if first.next_test else ""
            out.append(f"The cause: the first suspect has probability {first.probability:.0%}.{tail}")
        if len(facts.suspects.items) > 1 and first is not None:
            second = facts.suspects.items[1]
            if second.probability * CLOSE > first.probability:
                names = [s.title or s.subject for s in (first, second)]
                if names[0] == names[1]:
                    names = [f"{s.category} ({s.subject})" for s in (first, second)]
                out.append(f"Whether it is {names[0]} or {names[1]}: {first.probability:.0%} against {second.probability:.0%}.")
        if first is not None and not facts.simulation.confirmed:
            out.append(_not_confirmed(facts))
        if facts.suspects.unexplained >= LIKELY / 2:
            out.append(f"Something not logged or measured, with probability {facts.suspects.unexplained:.0%}.")
    untested = [c.category for c in facts.suspects.categories if c.status == "not_tested"]
    if untested and facts.verdict == "incident":
        out.append(f"Not tested for lack of data: {', '.join(untested)}.")
    out += _labels(facts)
    out += _timing(facts)
    if not facts.case.changes:
        out.append("What was changed: the case has no change log.")
    return tuple(out[:MOST])


def really_found(facts: Facts, items: list[CheckItem]) -> str:
    """Answer "did you really find the root cause?" in two sentences, from the checklist's lines."""
    if facts.verdict != "incident":
        reason = "nothing changed" if facts.verdict == "no_change" else "no outcome got worse"
        return f"There is no root cause to find: {reason}."
    removes, everywhere, guarded = (i.state == "done" for i in items)
    if removes and everywhere:
        tail = "" if guarded else " A guardrail is still to go live."
        return f"Yes, by the evidence: one targeted change removes it, in every affected segment.{tail}"
    missing = [i.text[0].lower() + i.text[1:] for i in items if i.state != "done"]
    first = facts.first
    how = f"likely ({first.probability:.0%})" if first else "no suspect"
    if any(i.state == "failed" for i in items):
        tried = items[0].evidence.rstrip(".")
        return f"No: the targeted change did not remove it ({tried}). The first suspect is {how}, not confirmed."
    return f"Not yet: {how}, not confirmed. Still to show: {'; '.join(missing)}."


def _not_confirmed(facts: Facts) -> str:
    best = facts.simulation.best()
    if best is None or best.restored is None:
        found = "it was not tried."
    elif best.verdict == "restores":
        found = f"one trial takes back {best.restored:.0%} of the change, which alone does not confirm the cause."
    else:
        found = "no trial took it away."
    return f"Whether taking the cause away removes the symptom: {found}"


def _labels(facts: Facts) -> list[str]:
    before, after = facts.signal.label_share_before, facts.signal.label_share_after
    if before is None or after is None or before - after < LABELS_MISSING:
        return []
    return [f"Quality on all requests: {after:.0%} of those after the onset have a label, {before:.0%} before."]


def _timing(facts: Facts) -> list[str]:
    interval = facts.symptom.onset_interval
    if interval is None:
        return []
    minutes = (interval[1] - interval[0]).total_seconds() / 60
    inside = [c.id for c in facts.case.changes if c.id in facts.symptom.changes_inside and c.kind in DEPLOYS]
    if len(inside) > 1:
        return [f"Which of {len(inside)} changes inside the onset interval it is, by time alone: {', '.join(inside[:4])}."]
    if minutes > WIDE_ONSET_MINUTES:
        return [f"The exact start: between {clock(interval[0])} and {clock(interval[1])}."]
    return []
