"""FMEA rows for the suspects: severity x occurrence x detection, each 1 to 10, from the findings."""

from __future__ import annotations

from rca_kit.findings.settlement import FmeaRow, Severity
from rca_kit.findings.suspects import Suspect
from rca_kit.loop.s7_settle.facts import Facts, number
from rca_kit.loop.s7_settle.whys import controls_for

MIN_PROBABILITY = 0.1
MAX_ROWS = 3
# Scales after the AIAG & VDA FMEA handbook (2019), in the units an on-call person has.
SEVERITY = {"SEV1": 10, "SEV2": 8, "SEV3": 5, "SEV4": 2, None: 1}
DELAYS = ((5, 2), (15, 3), (60, 5), (240, 6), (1440, 8), (7 * 1440, 9))  # minutes from onset to alert -> detection
# changes of this kind in the log -> occurrence: each is a chance to recur
SAME_KIND = ((1, 3), (3, 4), (8, 5), (20, 6), (60, 7))


def fmea(facts: Facts, severity: Severity) -> tuple[FmeaRow, ...]:
    """Write one row per suspect that is likely enough; empty without an incident.

    Severity follows the SEV level, occurrence how many changes of the suspected kind the log holds (5 without a change log),
    detection how long the incident went unseen.
    """
    if facts.verdict != "incident":
        return ()
    likely = [s for s in facts.suspects.items if s.rank == 1 or s.probability >= MIN_PROBABILITY]
    rows = [_row(facts, s, severity) for s in likely]
    return tuple(sorted(rows[:MAX_ROWS], key=lambda r: (-r.rpn, r.failure_mode)))


def _row(facts: Facts, suspect: Suspect, severity: Severity) -> FmeaRow:
    change = facts.change_of(suspect)
    symptom = facts.symptom
    control = controls_for(facts, suspect)[0]
    same = sum(c.kind == change.kind for c in facts.case.changes) if change else None
    minutes = (facts.case.detected_at - symptom.onset).total_seconds() / 60 if symptom.onset else 60.0
    moved = f"{number(facts.metric, symptom.before)} -> {number(facts.metric, symptom.after)}"
    return FmeaRow(
        failure_mode=suspect.title or f"{suspect.subject} ({suspect.category})",
        effect=f"{facts.metric} {moved} for {facts.where}",
        cause=(f"{change.id} {change.description}: " if change else "") + control,
        severity=SEVERITY.get(severity.level, 5),
        occurrence=_scale(same, SAME_KIND, 8) if same is not None else 5,
        detection=_scale(minutes, DELAYS, 10),
    )


def _scale(value: float, steps: tuple[tuple[int, int], ...], most: int) -> int:
    return next((grade for limit, grade in steps if value <= limit), most)
