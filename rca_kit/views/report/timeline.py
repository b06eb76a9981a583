"""One line of time: changes, onsets, the alert, and what people did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from string import ascii_uppercase

from rca_kit.case.decisions import STATE_KINDS
from rca_kit.findings.investigation import ChangeRecord
from rca_kit.findings.symptom import Onset
from rca_kit.views import words
from rca_kit.views.report.draft import Draft, JournalEntry

MOST_CHANGES = 12  # marked in charts; more letters than that cannot be told apart
FAR = datetime.max.replace(tzinfo=UTC)
NEAR = timedelta(hours=48)  # changes further from the onset move to the full list in the appendix


@dataclass(frozen=True)
class Moment:
    """One entry of the timeline; `weight` is strong for what the answer rests on."""

    time: datetime | None
    kind: str
    title: str
    detail: str = ""
    letter: str = ""
    strong: bool = False
    link: str = ""


def as_time(raw: object) -> datetime | None:
    """Read a time from a journal entry; without an offset it is UTC.

    Examples
    --------
    >>> as_time("2026-03-02T14:05:00Z")
    datetime.datetime(2026, 3, 2, 14, 5, tzinfo=datetime.timezone.utc)
    """
    if isinstance(raw, datetime):
        return raw.astimezone(UTC) if raw.tzinfo else raw.replace(tzinfo=UTC)
    try:
        parsed = datetime.fromisoformat(str(raw))
    except ValueError:
        return None
    return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def lettered(draft: Draft) -> tuple[tuple[str, ChangeRecord], ...]:
    """Give letters to the changes that matter most: suspected ones, those inside the onset interval, then the nearest.

    Examples
    --------
    >>> from rca_kit.views.example import example
    >>> from rca_kit.views.report.draft import as_draft
    >>> [(letter, c.id) for letter, c in lettered(as_draft(example()))]
    [('A', 'chg-09'), ('B', 'chg-11'), ('C', 'chg-12')]
    """
    if draft.case is None:
        return ()
    centre = (draft.symptom.onset if draft.symptom else None) or draft.case.detected_at
    named = _named(draft)
    near = [c for c in draft.case.changes if c.id in named or abs(c.time - centre) <= NEAR]
    near.sort(key=lambda c: (c.id not in named, abs(c.time - centre), c.id))
    chosen = sorted(near[:MOST_CHANGES], key=lambda c: (c.time, c.id))
    return tuple(zip(ascii_uppercase, chosen, strict=False))


def _named(draft: Draft) -> set[str]:
    ids = {s.change_id for s in draft.suspects.items if s.change_id} if draft.suspects else set()
    return ids | set(draft.symptom.changes_inside if draft.symptom else ())


def timeline(draft: Draft, journal: Sequence[JournalEntry] = ()) -> tuple[Moment, ...]:
    """Collect the moments, earliest first.

    Parameters
    ----------
    draft : Draft
        Findings, complete or not.
    journal : sequence of mappings
        `time`, `text` and optionally `kind`, `who`; entries without a readable time come last.

    Examples
    --------
    >>> from rca_kit.views.example import example
    >>> from rca_kit.views.report.draft import as_draft
    >>> [m.kind for m in timeline(as_draft(example()))]
    ['change', 'change', 'change', 'onset', 'onset', 'onset', 'alert']
    """
    out: list[Moment] = []
    named = _named(draft)
    for letter, change in lettered(draft):
        versions = f" {change.version_from} → {change.version_to}" if change.version_from or change.version_to else ""
        scope = f" [{change.scope}]" if change.scope else ""
        out.append(
            Moment(
                change.time,
                "change",
                f"{change.kind.replace('_', ' ')}{f': {change.component}' if change.component else ''}{versions}",
                f"{change.description}{scope} ({change.id})",
                letter,
                change.id in named,
                change.link,
            )
        )
    if draft.symptom and draft.verdict != "no_change":
        main = draft.symptom.metric
        for onset in draft.symptom.onsets:
            verb = {"up": "rises", "down": "falls"}.get(onset.direction, "changes")
            out.append(
                Moment(
                    onset.time,
                    "onset",
                    f"{moved_title(onset)} {verb}",
                    f"{words.value(onset.metric, onset.before)} → {words.value(onset.metric, onset.after)}, {onset.shape}, "
                    f"{words.span(onset.interval)}{alone(onset)}",
                    "",
                    onset.metric == main,
                )
            )
    if draft.case:
        out.append(Moment(draft.case.detected_at, "alert", "the alert fired", draft.case.summary, "", True))
    order = {"change": 0, "onset": 1, "alert": 2, "action": 3}
    dated = sorted([*out, *_journal(journal)], key=lambda m: (m.time or FAR, order.get(m.kind, 3), m.title))
    return tuple(dated)


def moved_title(onset: Onset) -> str:
    """Name what an onset's values are: of a drift the mean or the share that moved."""
    return onset.shows or words.metric_title(onset.metric)


def alone(onset: Onset) -> str:
    """Say what a metric's own values tell of its onset, where others date it more sharply."""
    return f" (its own values alone: {words.span(onset.alone)})" if onset.alone else ""


def _journal(journal: Sequence[JournalEntry]) -> list[Moment]:
    """Tell what people did; what only keeps the state of the notebook is no moment of the incident."""
    out: list[Moment] = []
    written: dict[str, Moment | None] = {}  # entries of the timeline that people wrote: the last version of each counts
    for entry in journal:
        who = entry.get("who") or entry.get("author") or ""
        text = entry.get("text") or entry.get("note") or entry.get("says") or ""
        kind = str(entry.get("kind") or "note")
        data = entry.get("data") or {}
        by = f" by {who}" if who else ""
        if kind in STATE_KINDS:
            continue
        if kind == "timeline":
            gone = bool(data.get("removed"))
            written[str(data.get("id"))] = None if gone else Moment(as_time(data.get("at")), "action", str(text), f"noted{by}")
        else:
            about = data.get("subject") or data.get("change_id")
            title = f"{kind.replace('_', ' ')}{f': {about}' if about else ''}{by}"
            out.append(Moment(as_time(entry.get("time")), "action", title, str(text)))
    return [*out, *(m for m in written.values() if m is not None)]
