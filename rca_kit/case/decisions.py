"""What people decided, read off the journal: the last word on each matter counts.

Every kind of entry below is one line of the journal; a program or a person may write them too. What cannot be read is left out:
a journal is written by hand at night, and must never stop an investigation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from rca_kit.case.journal import JournalEntry
from rca_kit.case.times import parse_time
from rca_kit.errors import BadInput

MARKS = ("confirmed", "excluded", "to_test")
SEVERITIES = ("SEV1", "SEV2", "SEV3", "SEV4")
CHECK_STATES = ("done", "open", "failed", "not_applicable")
STATE_KINDS = ("windows", "selection", "tag", "whys", "action", "check", "message", "unmarked")
"""Kinds that keep the state of the notebook; they are no moments of the incident and stay out of its timeline."""

Span = tuple[datetime, datetime]


def suspect_key(subject: str, change_id: str | None) -> str:
    """Name a suspect as the ledger groups hypotheses: by the logged change they accuse, else by the subject.

    Examples
    --------
    >>> suspect_key("feature:amount", None), suspect_key("feature:amount", "c7")
    ('subject:feature:amount', 'change:c7')
    """
    return f"change:{change_id}" if change_id else f"subject:{subject}"


@dataclass(frozen=True)
class Mark:
    """A person's word on one suspect: confirmed, excluded or to_test, with the reason."""

    key: str
    mark: str
    reason: str
    author: str
    time: datetime


@dataclass(frozen=True)
class OwnSuspect:
    """A suspect that a person added."""

    key: str
    category: str
    subject: str
    change_id: str | None
    title: str
    author: str


@dataclass(frozen=True)
class OwnEvidence:
    """A piece of evidence that a person added; `weight` is in log-odds, negative when it speaks against."""

    key: str
    says: str
    weight: float
    author: str


@dataclass(frozen=True)
class Moment:
    """An entry of the timeline that a person wrote."""

    ident: str
    at: datetime
    text: str
    author: str


@dataclass(frozen=True)
class OwnAction:
    """A follow-up that a person wrote, or changed from a draft (`ident` is then the draft's text)."""

    ident: str
    text: str
    kind: str
    owner: str
    due: str
    success_metric: str
    removed: bool = False


@dataclass(frozen=True)
class Ruling:
    """A person's last word on one matter: the value, why, and who."""

    value: str
    reason: str
    author: str


@dataclass(frozen=True)
class Decisions:
    """Everything decided in one case; empty fields mean that nobody said anything.

    Attributes
    ----------
    windows : pair of (start, end), optional
        Before and after, UTC, half-open.
    selection : dict
        Conditions of the segment that was looked at last.
    scope : tuple of dict, optional
        Segments that a person declared to be the affected ones; an empty tuple means all traffic.
    tags : dict
        By row of the samples.
    whys : tuple of (question, answer, evidence), optional
    checks : dict
        By (list, text) of a checklist line; the value is its state.
    messages : dict
        Drafts of updates by audience.
    """

    windows: tuple[Span, Span] | None = None
    selection: dict[str, Any] = field(default_factory=dict)
    scope: tuple[dict[str, Any], ...] | None = None
    scope_author: str = ""
    marks: dict[str, Mark] = field(default_factory=dict)
    suspects: dict[str, OwnSuspect] = field(default_factory=dict)
    evidence: tuple[OwnEvidence, ...] = ()
    tags: dict[str, Ruling] = field(default_factory=dict)
    whys: tuple[tuple[str, str, str], ...] | None = None
    moments: dict[str, Moment] = field(default_factory=dict)
    actions: dict[str, OwnAction] = field(default_factory=dict)
    checks: dict[tuple[str, str], Ruling] = field(default_factory=dict)
    severity: Ruling | None = None
    messages: dict[str, Ruling] = field(default_factory=dict)

    def of(self, key: str) -> Mark | None:
        """Give the mark of a suspect."""
        return self.marks.get(key)


NOTHING = Decisions()


def read_decisions(entries: Iterable[JournalEntry]) -> Decisions:
    """Read the decisions off a journal, in the order of its lines.

    Examples
    --------
    >>> import tempfile
    >>> from rca_kit.case.journal import Journal
    >>> journal = Journal(tempfile.mkdtemp())
    >>> _ = journal.add("excluded", "rolled back, nothing changed", author="ana", data={"change_id": "c1"})
    >>> read_decisions(journal.entries()).of("change:c1").mark
    'excluded'
    """
    out = NOTHING
    for entry in entries:
        reader = _READERS.get(entry.kind)
        if reader is None:
            continue
        try:
            out = reader(out, entry)
        except (LookupError, TypeError, ValueError, AttributeError, BadInput):
            continue
    return out


def _key(data: dict[str, Any]) -> str:
    subject, change = str(data.get("subject") or ""), data.get("change_id")
    if not subject and not change:
        raise KeyError("subject")
    return suspect_key(subject, str(change) if change else None)


def _where(given: Any) -> dict[str, Any]:
    """Check conditions: a value, a list of values, or a range of numbers, by column."""
    out = dict(given)
    for name, condition in out.items():
        if isinstance(condition, dict):
            sound = bool(condition) and all(
                k in ("ge", "lt") and isinstance(v, (int, float)) and not isinstance(v, bool) for k, v in condition.items()
            )
        else:
            values = condition if isinstance(condition, list) else [condition]
            sound = bool(values) and all(v is None or isinstance(v, (str, int, float, bool)) for v in values)
        if not (isinstance(name, str) and sound):
            raise ValueError("no condition")
    return out


def _windows(d: Decisions, e: JournalEntry) -> Decisions:
    if e.data.get("before") is None:
        return replace(d, windows=None)
    before, after = ((parse_time(x[0])[0], parse_time(x[1])[0]) for x in (e.data["before"], e.data["after"]))
    if not before[0] < before[1] <= after[0] < after[1]:
        raise ValueError("windows out of order")
    return replace(d, windows=(before, after))


def _selection(d: Decisions, e: JournalEntry) -> Decisions:
    return replace(d, selection=_where(e.data["where"]))


def _scope(d: Decisions, e: JournalEntry) -> Decisions:
    given = e.data["segments"]
    return replace(d, scope=None if given is None else tuple(_where(w) for w in given), scope_author=e.author)


def _mark(d: Decisions, e: JournalEntry) -> Decisions:
    kind = "to_test" if e.kind == "test" else e.kind
    mark = Mark(_key(e.data), kind, e.text, e.author, e.time)
    return replace(d, marks={**d.marks, mark.key: mark})


def _unmarked(d: Decisions, e: JournalEntry) -> Decisions:
    gone = _key(e.data)
    return replace(d, marks={k: m for k, m in d.marks.items() if k != gone})


def _suspect(d: Decisions, e: JournalEntry) -> Decisions:
    key = _key(e.data)
    if e.data.get("removed"):
        return replace(d, suspects={k: s for k, s in d.suspects.items() if k != key})
    change = e.data.get("change_id")
    subject = str(e.data.get("subject") or change)
    own = OwnSuspect(key, str(e.data["category"]), subject, str(change) if change else None, e.text or subject, e.author)
    return replace(d, suspects={**d.suspects, key: own})


def _evidence(d: Decisions, e: JournalEntry) -> Decisions:
    weight = float(e.data["weight"])
    if not abs(weight) < 100:
        raise ValueError("no weight")
    return replace(d, evidence=(*d.evidence, OwnEvidence(_key(e.data), e.text, weight, e.author)))


def _tag(d: Decisions, e: JournalEntry) -> Decisions:
    return replace(d, tags={**d.tags, str(e.data["row"]): Ruling(str(e.data["tag"]), e.text, e.author)})


def _whys(d: Decisions, e: JournalEntry) -> Decisions:
    given = e.data["whys"]
    if given is None:
        return replace(d, whys=None)
    rows = tuple((str(w.get("question", "")), str(w.get("answer", "")), str(w.get("evidence", ""))) for w in given)
    return replace(d, whys=tuple(w for w in rows if w[0].strip() or w[1].strip()))


def _moment(d: Decisions, e: JournalEntry) -> Decisions:
    ident = str(e.data["id"])
    if e.data.get("removed"):
        return replace(d, moments={k: m for k, m in d.moments.items() if k != ident})
    moment = Moment(ident, parse_time(e.data["at"])[0], e.text, e.author)
    return replace(d, moments={**d.moments, ident: moment})


def _action(d: Decisions, e: JournalEntry) -> Decisions:
    text = {k: str(e.data.get(k) or "") for k in ("kind", "owner", "due", "success_metric")}
    made = OwnAction(str(e.data["id"]), e.text, removed=bool(e.data.get("removed")), **text)
    return replace(d, actions={**d.actions, made.ident: made})


def _check(d: Decisions, e: JournalEntry) -> Decisions:
    if e.data["state"] not in CHECK_STATES:
        raise ValueError("no such state")
    return replace(d, checks={**d.checks, (str(e.data["list"]), str(e.data["line"])): Ruling(e.data["state"], e.text, e.author)})


def _severity(d: Decisions, e: JournalEntry) -> Decisions:
    level = e.data.get("level")
    if level is None:
        return replace(d, severity=None)
    if level not in SEVERITIES:
        raise ValueError("no such level")
    return replace(d, severity=Ruling(level, e.text, e.author))


def _message(d: Decisions, e: JournalEntry) -> Decisions:
    audience = str(e.data["audience"])
    if not e.text.strip():
        return replace(d, messages={k: m for k, m in d.messages.items() if k != audience})
    return replace(d, messages={**d.messages, audience: Ruling(e.text, "", e.author)})


_READERS: dict[str, Callable[[Decisions, JournalEntry], Decisions]] = {
    "windows": _windows,
    "selection": _selection,
    "scope": _scope,
    **dict.fromkeys((*MARKS, "test"), _mark),
    "unmarked": _unmarked,
    "suspect": _suspect,
    "evidence": _evidence,
    "tag": _tag,
    "whys": _whys,
    "timeline": _moment,
    "action": _action,
    "check": _check,
    "severity": _severity,
    "message": _message,
}
