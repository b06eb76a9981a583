"""summary.md: the answer for a chat or a ticket, in plain Markdown."""

from __future__ import annotations

from rca_kit.findings.investigation import Investigation
from rca_kit.findings.settlement import Action
from rca_kit.views import words
from rca_kit.views.escape import markdown as md
from rca_kit.views.report.answer import Answer, answer
from rca_kit.views.report.draft import Draft, RunFacts, as_draft, step_states

MOST_REASONS = 4  # for the severity; the report has all of them


def render_summary(inv: Investigation | Draft, *, run: RunFacts | None = None) -> str:
    """Write the summary.

    Parameters
    ----------
    inv : Investigation or Draft
        The findings.
    run : RunFacts, optional
        How the run went.

    Returns
    -------
    str
        Markdown in which everything that came from data is escaped.

    Examples
    --------
    >>> from rca_kit.views.example import example
    >>> print(render_summary(example()).splitlines()[0])
    # INC-2041: Fraud AUC fell after v3
    """
    run = run or RunFacts()
    draft = as_draft(inv)
    a = answer(draft)
    case = draft.case
    lines = [f"# {md(case.case_id)}: {md(case.title)}" if case else "# Investigation", ""]
    if run.failure or any(s.state != "done" for s in step_states(draft, run.steps)):
        states = ", ".join(f"{s.step} {s.state}" for s in step_states(draft, run.steps))
        lines += [f"**Incomplete.** {md(run.failure)}", "", f"Steps: {states}", ""]
    lines += [f"**{md(a.verdict_title)}: {md(a.headline)}.** {md(words.sentence(a.because))}", ""]
    lines += _quiet(a) if a.verdict == "no_change" else _facts(a)
    if a.unknowns:
        lines += ["", "**Not known**", "", *(f"- {md(u)}" for u in a.unknowns)]
    if draft.settlement and draft.settlement.actions and a.verdict != "no_change":
        todo = draft.settlement.actions
        unnamed = not any(x.owner or x.due for x in todo)
        lines += ["", "**Actions**" + (" (owners and dates are still to be set)" if unnamed else ""), ""]
        lines += [f"- [ ] {md(words.for_people(x.text))}{'' if unnamed else _who(x)}" for x in todo]
    if case:
        lines += ["", f"Alert at {words.stamp(case.detected_at)}. The whole report is in report.html."]
    return "\n".join(lines) + "\n"


def _who(x: Action) -> str:
    return f" (owner: {md(x.owner) or 'to be named'}, due: {md(x.due) or 'to be set'})"


def _facts(a: Answer) -> list[str]:
    whom = md("; or ".join(a.whom)) + (f" ({md(a.whom_note)})" if a.whom_note else "")
    out = [
        f"- **Since:** {md(a.since)}" + (f" ({md(a.since_note)})" if a.since_note else ""),
        f"- **For whom:** {whom}",
        f"- **How bad:** {md(a.level)}" + (f": {md('; '.join(a.level_because[:MOST_REASONS]))}" if a.level_because else ""),
    ]
    if a.cause:
        change = f", change {md(a.cause.change_id)}" if a.cause.change_id and a.cause.change_id not in a.cause.title else ""
        out.append(
            f"- **Most probable cause:** {md(a.cause.title)} ({md(a.cause.category)}{change}), probability {a.cause.probability}"
        )
        if a.cause.strongest_for:
            timed = f"; {md(a.cause.when_changed.says)}" if a.cause.when_changed else ""
            out.append(f"  - for: {md(a.cause.strongest_for.says)}{timed}")
        out.append(f"  - against: {md(a.cause.strongest_against.says) if a.cause.strongest_against else 'nothing found'}")
    for i, m in enumerate(a.mitigations[:2]):
        what = words.ACTIONS.get(m.action, m.action) + (f": {m.target}" if m.target else "")
        check = f" Check: {md(words.sentence(m.verify))}" if m.verify else ""
        out.append(f"- **{'Do now' if i == 0 else 'If that is not possible'}:** {md(what)}.{check}")
    return out


def _quiet(a: Answer) -> list[str]:
    if not a.mitigations:
        return ["- **Do now:** nothing."]
    first = a.mitigations[0]
    what = words.ACTIONS.get(first.action, first.action) + (f": {first.target}" if first.target else "")
    return [f"- **Do now:** {md(what)}. {md(words.sentence(first.why))}"]
