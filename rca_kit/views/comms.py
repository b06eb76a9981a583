"""Updates for a status page and for stakeholders."""

from __future__ import annotations

from datetime import datetime, timedelta

from rca_kit.findings.investigation import Investigation
from rca_kit.loop.s7_settle.wording import Blame, find_blame
from rca_kit.views import words
from rca_kit.views.escape import markdown as md
from rca_kit.views.report.answer import answer
from rca_kit.views.report.draft import Draft, as_draft

__all__ = ["Blame", "find_blame", "stakeholder_update", "status_update"]

STATES = ("investigating", "identified", "monitoring", "resolved")
CHECK_IN_MINUTES = 30  # the first-90-minutes playbook: impact, actions, ETA and the next check-in every 30 minutes


def status_update(
    inv: Investigation | Draft,
    *,
    state: str = "investigating",
    now: datetime | None = None,
    eta: str = "",
    next_minutes: int = CHECK_IN_MINUTES,
) -> str:
    """Write an update for the public status page: impact, what is being done, when the next word comes.

    It names no change, no component and no model: that is for those who work on it.

    Parameters
    ----------
    inv : Investigation or Draft
        The findings so far.
    state : {"investigating", "identified", "monitoring", "resolved"}
        Where the incident stands.
    now : datetime, optional
        The time of the update; the alert's time when not given.
    eta : str
        When it is expected to be over, in words; empty when not known.
    next_minutes : int
        Minutes to the next update.

    Raises
    ------
    ValueError
        For another state.

    Examples
    --------
    >>> from rca_kit.views.example import example
    >>> print(status_update(example()).splitlines()[0])
    **Investigating: fraud-scoring** (2026-03-02 14:35 UTC)
    """
    draft, now = _checked(inv, state, now)
    a = answer(draft)
    service = (draft.case.service or draft.case.title) if draft.case else "the service"
    if draft.verdict == "no_change":
        return f"**No incident: {md(service)}** ({words.stamp(now)})\n\nAn alert was looked into. The service works as usual.\n"
    doing = {
        "investigating": "We are finding out why.",
        "identified": "We know the probable cause and are taking a first step to end it.",
        "monitoring": "A fix is in place and we are watching whether it holds.",
        "resolved": "It is over. We keep watching.",
    }[state]
    lines = [
        f"**{state.capitalize()}: {md(service)}** ({words.stamp(now)})",
        "",
        f"- **Impact:** {_impact(draft)}",
        f"- **Since:** {md(a.since)}",
        f"- **What we do:** {doing}",
    ]
    return "\n".join([*lines, *_tail(state, eta, now, next_minutes)]) + "\n"


def stakeholder_update(
    inv: Investigation | Draft,
    *,
    state: str = "investigating",
    now: datetime | None = None,
    eta: str = "",
    next_minutes: int = CHECK_IN_MINUTES,
) -> str:
    """Write an update for stakeholders inside: severity, impact, probable cause, actions, unknowns, next check-in.

    Parameters
    ----------
    inv, state, now, eta, next_minutes
        As in `status_update`.

    Examples
    --------
    >>> from rca_kit.views.example import example
    >>> "probability 81%" in stakeholder_update(example())
    True
    """
    draft, now = _checked(inv, state, now)
    a = answer(draft)
    case = draft.case
    lines = [
        f"**{md(case.case_id) if case else 'Incident'}, {md(a.level)}, {state}** ({words.stamp(now)})",
        "",
        f"{md(a.headline)}.",
        "",
    ]
    if draft.verdict == "no_change":
        return "\n".join([*lines, md(words.sentence(a.because)), "", "No action is needed."]) + "\n"
    whom = md("; or ".join(a.whom)) + (f" ({md(a.whom_note)})" if a.whom_note else "")
    lines += [f"- **Impact:** {whom}; since {md(a.since)}", f"- **Severity:** {md(a.level)}: {md('; '.join(a.level_because))}"]
    if a.cause:
        lines.append(f"- **Probable cause:** {md(a.cause.title)} ({md(a.cause.category)}), probability {a.cause.probability}")
    for m in a.mitigations[:2]:
        lines.append(f"- **Action:** {md(words.ACTIONS.get(m.action, m.action))}{f': {md(m.target)}' if m.target else ''}")
    if a.unknowns:
        lines.append(f"- **Not known yet:** {md('; '.join(a.unknowns[:3]))}")
    return "\n".join([*lines, *_tail(state, eta, now, next_minutes)]) + "\n"


def _checked(inv: Investigation | Draft, state: str, now: datetime | None) -> tuple[Draft, datetime]:
    if state not in STATES:
        raise ValueError(f"state is {state!r}, expected one of {', '.join(STATES)}")
    draft = as_draft(inv)
    if now is None:
        if draft.case is None:
            raise ValueError("`now` is needed when the case is not known")
        now = draft.case.detected_at
    return draft, now


def _impact(draft: Draft) -> str:
    scope = draft.scope
    shares = [s.share_of_traffic for s in scope.segments if s.share_of_traffic is not None] if scope else []
    if draft.verdict == "benign_shift":
        return "None that users notice; our monitoring saw a change in the traffic."
    if scope and scope.is_global:
        return "Results may be worse than usual for all users."
    if shares:
        return f"Results may be worse than usual for about {words.percent(min(sum(shares), 1.0))} of requests."
    return "Results may be worse than usual for some users."


def _tail(state: str, eta: str, now: datetime, minutes: int) -> list[str]:
    if state == "resolved":
        return ["- **Next:** a review, with what we change so that it does not happen again."]
    return [
        f"- **Expected end:** {md(eta) if eta else 'not known yet'}",
        f"- **Next update:** {words.stamp(now + timedelta(minutes=minutes))}",
    ]
