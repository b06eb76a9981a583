"""The first screen: what broke, since when, for whom, how bad, why, what to do now, what is not known.

Everything here is choosing and wording; the numbers are the findings' own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from rca_kit.findings.settlement import Mitigation
from rca_kit.findings.suspects import Evidence, Suspect
from rca_kit.findings.symptom import Symptom
from rca_kit.views import words
from rca_kit.views.report.draft import Draft

SURE = ((0.9, "Very likely"), (0.66, "Likely"), (0.5, "More likely than not"), (0.33, "Perhaps"))  # words for probabilities
TOLD = ("change_fit", "change_kind", "change_time", "onset_order")  # evidence of the change log and the clock, not of data
NEARLY_ALL = 0.995  # of a change; beyond it the rest moved the other way, which no reader needs at first
MOST_UNKNOWNS = 6  # more would push the first screen off the screen; the rest stands in the sections


@dataclass(frozen=True)
class Cause:
    """The most probable cause as the first screen shows it."""

    title: str
    category: str
    probability: str
    sentence: str
    strongest_for: Evidence | None
    when_changed: Evidence | None
    strongest_against: Evidence | None
    next_test: str
    change_id: str | None


@dataclass(frozen=True)
class Answer:
    """The words of the first screen."""

    verdict: str
    verdict_title: str
    headline: str
    because: str
    since: str
    since_note: str
    whom: tuple[str, ...]
    whom_note: str
    level: str
    level_because: tuple[str, ...]
    cause: Cause | None
    runners_up: tuple[str, ...]
    mitigations: tuple[Mitigation, ...]
    unknowns: tuple[str, ...]


def answer(draft: Draft) -> Answer:
    """Word the answer.

    Parameters
    ----------
    draft : Draft
        Findings, complete or not.

    Examples
    --------
    >>> from rca_kit.views.example import example
    >>> from rca_kit.views.report.draft import as_draft
    >>> answer(as_draft(example())).headline
    'AUC fell from 0.861 to 0.779'
    """
    verdict = draft.verdict
    severity = draft.settlement.severity if draft.settlement else None
    since, since_note = _since(draft, verdict)
    whom, whom_note = _whom(draft, verdict)
    items = draft.suspects.items if draft.suspects else ()
    return Answer(
        verdict=verdict,
        verdict_title=words.verdict_title(verdict) if verdict != "not_known" else "Not finished",
        headline=_headline(draft, verdict),
        because=words.for_people(draft.suspects.verdict_because) if draft.suspects else "",
        since=since,
        since_note=since_note,
        whom=whom,
        whom_note=whom_note,
        level=(severity.level or "No severity") if severity else "Not known",
        level_because=tuple(map(words.for_people, severity.because)) if severity else (),
        cause=cause_of(items[0]) if items else None,
        runners_up=tuple(f"{title_of(s)} ({s.category}), {words.chance(s.probability)}" for s in items[1:3]),
        mitigations=tuple(map(_plain, draft.settlement.mitigations)) if draft.settlement else (),
        unknowns=_unknowns(draft),
    )


def cause_of(suspect: Suspect) -> Cause:
    """Choose what the first screen says about a suspect.

    Examples
    --------
    >>> from rca_kit.views.example import example
    >>> cause_of(example().suspects.items[0]).strongest_for.check
    'null_rate'
    """
    pro = sorted((e for e in suspect.evidence if e.supports), key=lambda e: -abs(e.weight))
    # what was measured convinces more than what the change log says, which is told beside it
    measured = [e for e in pro if e.check not in TOLD] or pro
    timed = next((e for e in pro if e.check == "change_time" and e is not measured[0]), None)
    con = sorted((e for e in suspect.evidence if not e.supports), key=lambda e: -abs(e.weight))
    p = suspect.probability
    sure = next((said for least, said in SURE if p >= least), "Unsure, but first in line")
    return Cause(
        title_of(suspect),
        suspect.category,
        words.chance(p),
        sure,
        _worded(measured[0]) if measured else None,
        _brief(_worded(timed), suspect) if timed else None,
        _worded(con[0]) if con else None,
        words.for_people(suspect.next_test),
        suspect.change_id,
    )


def title_of(suspect: Suspect) -> str:
    """Name a suspect for people.

    Examples
    --------
    >>> from rca_kit.views.example import example
    >>> title_of(example().suspects.items[0])[:26]
    'Feature-store keys changed'
    """
    title = words.for_people(suspect.title or suspect.subject)
    return title[:1].upper() + title[1:] if ":" in (suspect.title or suspect.subject).partition(" ")[0] else title


def _worded(evidence: Evidence) -> Evidence:
    return replace(evidence, says=words.for_people(evidence.says))


def _brief(timed: Evidence, suspect: Suspect) -> Evidence:
    """Leave out what the change was where the title above says it."""
    told, _, when = timed.says.rpartition(") was logged ")
    named = f"{suspect.change_id} ("
    known = bool(when) and told.startswith(named) and told.removeprefix(named) in words.for_people(suspect.title)
    return replace(timed, says=f"{suspect.change_id} was logged {when}") if known else timed


def _plain(move: Mitigation) -> Mitigation:
    say = words.for_people
    return replace(move, target=say(move.target), why=say(move.why), verify=say(move.verify))


def moved(symptom: Symptom) -> str:
    """Say what a metric did, in a few words.

    Examples
    --------
    >>> from rca_kit.views.example import example
    >>> moved(example().symptom)
    'AUC fell from 0.861 to 0.779'
    """
    title = words.metric_title(symptom.metric)
    title = title[:1].upper() + title[1:]
    if symptom.before is None or symptom.after is None:
        return f"{title} {'changed' if symptom.onset else 'did not change'}"
    if symptom.onset is None:
        return f"{title} is at {words.value(symptom.metric, symptom.after)}, before {words.value(symptom.metric, symptom.before)}"
    verb = {"down": "fell", "up": "rose"}.get(symptom.direction or "", "went")
    return f"{title} {verb} from {words.value(symptom.metric, symptom.before)} to {words.value(symptom.metric, symptom.after)}"


def _headline(draft: Draft, verdict: str) -> str:
    if verdict == "no_change":
        metric = draft.signal.metric if draft.signal else draft.symptom.metric if draft.symptom else "the metric"
        return f"Nothing happened: {words.metric_title(metric)} is where it usually is"
    if verdict == "benign_shift" and draft.symptom:
        return f"{moved(draft.symptom)}; no outcome got worse"
    if draft.symptom:
        return moved(draft.symptom)
    return draft.signal.says() if draft.signal else "The run stopped before it could give an answer"


def _since(draft: Draft, verdict: str) -> tuple[str, str]:
    s = draft.symptom
    if s is None:
        return "Not known", "the symptom step was not done"
    if verdict == "no_change":
        return "No onset", "nothing departed from before"
    if s.onset is None:
        return "No onset found", ""
    notes = []
    if s.onset_interval and s.onset_interval[0] != s.onset_interval[1]:
        notes.append(words.span(s.onset_interval))
    if s.shape:
        notes.append(f"{'an' if s.shape[:1] in 'aeiou' else 'a'} {s.shape}")
    if draft.case:
        notes.append(_alert_gap(s.onset, draft.case.detected_at))
    return words.stamp(s.onset), ", ".join(notes)


def _alert_gap(onset: datetime, detected: datetime) -> str:
    gap = detected - onset
    if abs(gap.total_seconds()) < 60:
        return "the alert fired at once"
    return f"{words.lasted(gap)} {'before' if gap.total_seconds() > 0 else 'after'} the alert"


def _whom(draft: Draft, verdict: str) -> tuple[tuple[str, ...], str]:
    scope = draft.scope
    if scope is None:
        return ("Not known",), "the scope step was not done"
    if verdict == "no_change":
        return ("Nobody",), ""
    if not scope.segments:
        return ("All traffic" if scope.is_global else "No segment stands out",), scope.because
    first = scope.segments[0]
    notes = []
    if first.share_of_traffic is not None:
        notes.append(f"{words.percent(first.share_of_traffic)} of traffic")
    if first.share_of_impact is not None:
        whole = first.share_of_impact >= NEARLY_ALL
        notes.append("all of the change" if whole else f"{words.percent(first.share_of_impact)} of the change")
    if first.in_metric:
        notes.append(f"{words.metric_title(scope.metric)} {words.segment_move(scope.metric, first)} there")
    return tuple(words.segment_text(s.where) for s in scope.segments[:3]), ", ".join(notes)


def _unknowns(draft: Draft) -> tuple[str, ...]:
    out = list(draft.settlement.unknowns) if draft.settlement else []
    if draft.suspects and draft.verdict != "no_change":
        untested = [c.category for c in draft.suspects.categories if c.status == "not_tested"]
        if untested and not any(u.startswith("Not tested") for u in out):
            out.append(f"Not tested: {', '.join(untested)} (reasons under Suspects).")
        if draft.suspects.unexplained >= 0.01:
            left = words.chance(draft.suspects.unexplained)
            out.append(f"With probability {left} it is something that was not logged or measured.")
    out += [w for w in draft.warnings if w not in out]
    if len(out) > MOST_UNKNOWNS:
        out = [*out[: MOST_UNKNOWNS - 1], f"And {len(out) - MOST_UNKNOWNS + 1} more, under Warnings in the appendix."]
    return tuple(words.sentence(words.for_people(u)) for u in out)
