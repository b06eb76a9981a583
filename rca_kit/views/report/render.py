"""Findings in, one HTML file out; and the findings taken out of it again."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import timedelta
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from rca_kit.errors import BadInput
from rca_kit.findings.base import iso, plain
from rca_kit.findings.investigation import Investigation
from rca_kit.views import words
from rca_kit.views.escape import json_for_script, visible
from rca_kit.views.report import assets, pictures
from rca_kit.views.report.answer import answer, moved, title_of
from rca_kit.views.report.draft import Draft, JournalEntry, RunFacts, StepState, as_draft, step_states
from rca_kit.views.report.timeline import alone, lettered, moved_title, timeline
from rca_kit.views.theme import light_to_dark

SECTIONS = (
    ("timeline", "Timeline"),
    ("symptom", "What happened"),
    ("scope", "Who is affected"),
    ("suspects", "Suspects"),
    ("samples", "Samples"),
    ("simulate", "Simulation"),
    ("settle", "Decide, verify, prevent"),
    ("appendix", "Appendix"),
)
MOST_SAMPLE_COLUMNS = 9  # more do not fit a screen beside each other
MOST_SEGMENT_ROWS = 60
MOST_CHANGE_ROWS = 200


def render_report(
    inv: Investigation | Draft, *, run: RunFacts | None = None, journal: Sequence[JournalEntry] = (), static: bool = False
) -> str:
    """Write the report as one HTML page.

    Parameters
    ----------
    inv : Investigation or Draft
        The findings; a `Draft` is what a run that stopped left behind.
    run : RunFacts, optional
        Clock, parameters, versions, and how each step went.
    journal : sequence of mappings, optional
        What people did, for the timeline.
    static : bool
        Leave plotly out: pictures only, well under 1 MB.

    Returns
    -------
    str
        The page. The same bytes for the same arguments.

    Examples
    --------
    >>> from rca_kit.views.example import example
    >>> page = render_report(example(), static=True)
    >>> page.startswith("<!doctype html>") and "AUC fell from 0.861 to 0.779" in page
    True
    """
    run = run or RunFacts()
    draft = as_draft(inv)
    context = _context(draft, run, journal, static=static)
    whole = inv.to_dict() if isinstance(inv, Investigation) else _partial_dict(draft, context["states"], run)
    live = [(p.ident, Markup(json_for_script(plain(p.figure)))) for p in context["live"]]  # noqa: S704 - escaped there
    code = assets.script()
    scripts = (code, assets.plotly_source()) if live else ()
    context |= {
        "policy": Markup(assets.policy((assets.css(),), scripts, live=bool(live))),  # noqa: S704 - hashes only
        "css": Markup(assets.css()),  # noqa: S704 - our own file
        "script": Markup(code),  # noqa: S704 - our own file
        "findings_json": Markup(json_for_script(whole)),  # noqa: S704
        "twins_json": Markup(json_for_script(light_to_dark())),  # noqa: S704
        "figures": live,
        "plotly": Markup(assets.plotly_packed()) if live else "",  # noqa: S704
    }
    return _environment().get_template("report.html.j2").render(context)


def _context(draft: Draft, run: RunFacts, journal: Sequence[JournalEntry], *, static: bool) -> dict[str, Any]:
    states = step_states(draft, run.steps)
    charts = pictures.charts(draft, static=static)
    bars = pictures.bars(draft, static=static)
    shown = {c.id for _, c in lettered(draft)}
    all_changes = draft.case.changes if draft.case else ()
    others = [c for c in all_changes if c.id not in shown]
    signal, scope, settlement, case = draft.signal, draft.scope, draft.settlement, draft.case
    segments = [*scope.segments, *(s for s in scope.singles if s not in scope.segments)] if scope else []
    title = case.title if case else "Investigation"
    readings = ((signal.reading,) if signal.reading else ()) + signal.others if signal else ()
    return {
        "page_title": f"{case.case_id}: {title}" if case else title,
        "title": title,
        "case_id": case.case_id if case else "",
        "service": case.service if case else "",
        "generated": words.stamp(run.generated_at) if run.generated_at else "",
        "failure": run.failure,
        "not_all": any(s.state != "done" for s in states),
        "states": states,
        "a": answer(draft),
        "spark": pictures.spark(draft),
        "sections": SECTIONS,
        "moments": timeline(draft, journal),
        "whys_by_people": any(e.get("kind") == "whys" for e in journal),
        "marks": words.MARKS,
        "far_changes": len(others),
        "other_changes": others[:MOST_CHANGE_ROWS],
        "changes_cut": len(others) if len(others) > MOST_CHANGE_ROWS else 0,
        "case": case,
        "signal": signal,
        "symptom": draft.symptom,
        "scope": scope,
        "suspects": draft.suspects,
        "samples": draft.samples,
        "simulation": draft.simulation,
        "settlement": settlement,
        "warnings": draft.warnings,
        "signal_says": words.sentence(words.for_people(signal.says())) if signal else "",
        "symptom_says": _symptom_says(draft),
        "readings_first": [r for r in readings if r.moved or r is signal.reading] if signal else [],
        "readings_rest": [r for r in readings if not (r.moved or r is signal.reading)] if signal else [],
        "charts": charts,
        "tree": pictures.tree(draft),
        "bones": pictures.bones(draft),
        "bars": bars,
        "live": [p for p in (*charts, *([bars] if bars else [])) if p.figure],
        "segment_rows": segments[:MOST_SEGMENT_ROWS],
        "segments_more": len(segments) if len(segments) > MOST_SEGMENT_ROWS else 0,
        "sample_columns": _telling_columns(draft),
        "same_why": _same_why(draft),
        "cell": _sample_cell,
        "checklists": [(k, list(v)) for k, v in groupby(settlement.checklist, key=lambda i: i.list_name)] if settlement else [],
        "roles": [(k, _role(v)) for k, v in case.roles.items() if v] if case else [],
        "run": run,
        "actions": words.ACTIONS,
        "status": words.STATUS,
        "check_states": words.CHECK_STATES,
    }


def _symptom_says(draft: Draft) -> str:
    s = draft.symptom
    if s is None or s.onset is None:
        return s.says() if s else ""
    shape = f"{'an' if (s.shape or '')[:1] in 'aeiou' else 'a'} {s.shape or 'change'}"
    if draft.signal is not None and draft.signal.metric == s.metric:  # its size stands in the sentence before
        parts = [f"It is {shape} since {words.stamp(s.onset)}"]
    else:
        ranged = f" ({words.change_range(s.metric, s.change_interval)})" if s.change_interval else ""
        parts = [f"{moved(s)}{ranged}, {shape} since {words.stamp(s.onset)}"]
    if s.onset_interval:
        parts.append(f" ({words.span(s.onset_interval)})")
    if s.staged:
        parts.append(f", {s.staged}")
    parts.append(f". Compared with: {s.baseline}." if s.baseline else ".")
    if s.changes_inside:
        parts.append(f" Changes logged inside that interval: {', '.join(s.changes_inside)}.")
    return "".join(parts)


def _role(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{k} ({v})" for k, v in value.items())
    return ", ".join(str(v) for v in value) if isinstance(value, (list, tuple)) else str(value)


def _telling_columns(draft: Draft) -> list[str]:
    """Put identity first, then the columns that differ in most pairs; the rest of a wide log is folded away."""
    if draft.samples is None:
        return []
    roles = draft.case.roles if draft.case else {}
    named = [c for c in (roles.get("request_id"), roles.get("time")) if c in draft.samples.columns]
    marked = {c: sum(c in pair.differing for pair in draft.samples.pairs) for c in draft.samples.columns if c not in named}
    if len(draft.samples.columns) <= MOST_SAMPLE_COLUMNS:
        return list(draft.samples.columns)
    return [*named, *sorted(marked, key=lambda c: -marked[c])][:MOST_SAMPLE_COLUMNS]


def _same_why(draft: Draft) -> str:
    """Give what makes all pairs bad alike, without the values of each, which stand in the table."""
    whys = {re.sub(r" \([^()]*\)", "", pair.why_bad) for pair in draft.samples.pairs} if draft.samples else set()
    return whys.pop() if len(whys) == 1 else ""


def _sample_cell(value: str | None, differs: bool) -> Markup:
    shown = Markup('<em class="mute">missing</em>') if value is None else Markup("{}").format(visible(words.short_time(value)))
    return Markup("<mark>{}</mark>").format(shown) if differs else shown


def _partial_dict(draft: Draft, states: Sequence[StepState], run: RunFacts) -> dict[str, Any]:
    """Give what can be told from a run that stopped; `incomplete` keeps it from being taken for findings."""
    return {
        "schema_version": 1,
        "incomplete": True,
        "case_id": draft.case.case_id if draft.case else None,
        "failure": run.failure,
        "steps": [{"step": s.step, "state": s.state, "detail": s.detail} for s in states],
        "says": {s.step: part.says() for s, part in zip(states, _parts(draft), strict=True) if part is not None},
        "warnings": list(draft.warnings),
    }


def _parts(draft: Draft) -> tuple[Any, ...]:
    return (draft.signal, draft.symptom, draft.scope, draft.suspects, draft.samples, draft.simulation, draft.settlement)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    env = Environment(
        loader=PackageLoader("rca_kit.views.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda v: visible(v) if isinstance(v, str) and not isinstance(v, Markup) else v,
    )
    env.filters.update(
        sentence=words.sentence,
        people=words.for_people,
        stamp=words.stamp,
        iso=iso,
        span=words.span,
        metric=words.metric_title,
        percent=words.percent,
        chance=words.chance,
        minutes=lambda m: words.lasted(timedelta(minutes=m)),
        alone=alone,
        moved_title=moved_title,
        count=words.count,
        p=words.p_value,
        suspect=title_of,
        where=words.segment_text,
        value=lambda v, metric: words.value(metric, v),
        change=lambda v, metric: words.change(metric, v),
        range=lambda v, metric: words.change_range(metric, v),
        bare=lambda v, metric: words.change_range(metric, v).removeprefix("95%: "),
        head=lambda c: (c, ""),
        safe_link=lambda link: bool(re.match(r"https?://[^\s]+$", str(link or ""))),
    )
    return env


_FINDINGS = re.compile(r'<script type="application/json" id="rca-findings">(.*?)</script>', re.DOTALL)


def extract_findings(report_path: str | Path) -> dict[str, Any]:
    """Take the findings out of a report.

    Parameters
    ----------
    report_path : str or Path
        A report.html.

    Returns
    -------
    dict
        As in findings.json; a report of a broken run has `incomplete: true` and the state of each step instead.

    Raises
    ------
    BadInput
        When the file cannot be read, or holds no findings.

    Examples
    --------
    >>> import tempfile
    >>> from rca_kit.views.example import example
    >>> path = Path(tempfile.mkdtemp()) / "report.html"
    >>> _ = path.write_text(render_report(example(), static=True), encoding="utf-8")
    >>> extract_findings(path)["case_id"]
    'INC-2041'
    """
    path = Path(report_path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise BadInput(
            "cannot be read as a report", file=str(path), found=str(problem), expected="a report.html of this kit"
        ) from None
    match = _FINDINGS.search(text)
    try:
        found = json.loads(match.group(1)) if match else None
    except json.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise BadInput(
            "holds no findings",
            file=str(path),
            expected="a report.html of this kit",
            hint="was the file cut off, or its scripts removed on the way?",
        )
    return found


def write_report(inv: Investigation | Draft, path: str | Path, *, run: RunFacts | None = None, static: bool = False) -> Path:
    """Write the report to a file that does not exist yet.

    Parameters
    ----------
    inv : Investigation or Draft
        The findings.
    path : str or Path
        Where to; an existing file is refused.
    run, static
        As in `render_report`.

    Returns
    -------
    Path
        Where it lies.

    Raises
    ------
    BadInput
        When the file exists already or cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from rca_kit.views.example import example
    >>> write_report(example(), Path(tempfile.mkdtemp()) / "r.html", static=True).name
    'r.html'
    """
    path = Path(path)
    page = render_report(inv, run=run, static=static)
    try:
        with path.open("x", encoding="utf-8", newline="\n") as out:
            out.write(page)
    except FileExistsError:
        raise BadInput(
            "exists already; earlier reports are never overwritten", file=str(path), hint="name another file"
        ) from None
    except OSError as problem:
        raise BadInput("cannot be written", file=str(path), found=problem.strerror or str(problem)) from None
    return path
