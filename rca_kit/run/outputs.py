"""The files of a run: report, summary, findings, run.json, and a notebook without secrets or machine paths."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
import os
import platform
import re
import shlex
import tempfile
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rca_kit.case.journal import Journal
from rca_kit.findings.base import plain
from rca_kit.findings.investigation import Investigation
from rca_kit.run.state import RunState
from rca_kit.views.escape import to_csv
from rca_kit.views.report import render_report
from rca_kit.views.report.draft import JournalEntry, RunFacts
from rca_kit.views.summary import render_summary

PACKAGES = ("rca-kit", "polars", "narwhals", "numpy", "scipy", "statsmodels", "plotly", "papermill")
_SECRET_NAME = re.compile(r"(?i)(secret|token|passw|pwd|api_?key|credential|dsn|private|auth)")
_SECRET_URL = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://)[^/\s:@'\"]*:[^@/\s'\"]+@")
HIDDEN = "***"


def write(
    work: Path,
    state: RunState,
    facts: RunFacts,
    *,
    case: Path,
    target: Path,
    static: bool,
    exit_code: int,
    started: datetime,
    parameters: Mapping[str, Any],
) -> None:
    """Write all files of a run into its unfinished folder.

    Parameters
    ----------
    work, target : Path
        Where files are written now, and where the folder will stand.
    state : RunState
        What the notebook found.
    facts : RunFacts
        For the report's appendix.
    case : Path
        The case folder.
    static : bool
        Leave plotly out.
    exit_code : int
        For run.json.
    started : datetime
        For run.json.
    parameters : mapping
        As given to the template.
    """
    inv = state.investigation
    found = inv or state.draft
    if state.page is not None:
        report, summary = state.page.to_html(), state.page.to_markdown()
    else:
        report = render_report(found, run=facts, journal=read_journal(case), static=static)
        summary = render_summary(found, run=facts)
    _text(work / "report.html", report)
    _text(work / "summary.md", summary)
    if inv is not None:
        _text(work / "findings.json", _json(inv.to_dict()))
        _text(work / "evidence.csv", to_csv(evidence_rows(inv)))
    clean_notebook(work / "notebook.ipynb", parameters, case, target)
    finished = datetime.now(UTC)
    _text(
        work / "run.json",
        _json(
            {
                "case_id": found.case.case_id if found.case else None,
                "template": facts.template,
                "parameters": dict(facts.parameters),
                "started": started.isoformat(timespec="seconds"),
                "finished": finished.isoformat(timespec="seconds"),
                "seconds": round((finished - started).total_seconds(), 3),
                "seconds_per_step": state.seconds,
                "steps": {s.step: s.state for s in state.steps},
                "exit_code": exit_code,
                "failure": facts.failure,
                "versions": dict(facts.versions),
                "platform": platform.platform(),
                "cpus": os.cpu_count(),
                "files": {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(work.iterdir()) if p.is_file()},
            }
        ),
    )


def rescue(state: RunState, facts: RunFacts, name: str) -> Path | None:
    """Keep findings, summary and a small report in a temporary folder, the smallest first; None when there is no room either."""
    found: Any = state.investigation or state.draft
    try:
        folder = Path(tempfile.mkdtemp(prefix=f"rca-kit-{name}-"))
    except OSError:
        return None
    texts: dict[str, Callable[[], str]] = {
        "summary.md": lambda: render_summary(found, run=facts),
        "report.html": lambda: render_report(found, run=facts, static=True),
    }
    if state.investigation is not None:
        texts = {"findings.json": lambda: _json(found.to_dict())} | texts
    kept = [name for name, made in texts.items() if _whole(folder / name, made)]
    if kept:
        return folder
    folder.rmdir()
    return None


def _whole(path: Path, made: Callable[[], str]) -> bool:
    """Write a file if there is room for all of it."""
    try:
        _text(path, made())
    except OSError:
        path.unlink(missing_ok=True)
        return False
    return True


def evidence_rows(inv: Investigation) -> list[dict[str, Any]]:
    """Give one row per piece of evidence, for a spreadsheet.

    Examples
    --------
    >>> from rca_kit.views.example import example
    >>> len(evidence_rows(example()))
    6
    """
    return [
        {
            "rank": s.rank,
            "category": s.category,
            "subject": s.subject,
            "change_id": s.change_id,
            "title": s.title,
            "probability": plain(s.probability),
            "for_or_against": "for" if e.supports else "against",
            "check": e.check,
            "weight": plain(e.weight),
            "says": e.says,
        }
        for s in inv.suspects.items
        for e in s.evidence
    ]


def _text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def read_journal(case: Path) -> Sequence[JournalEntry]:
    """Read what people noted in the case, if anything.

    Examples
    --------
    >>> read_journal(Path("no-such-case"))
    ()
    """
    return tuple(entry.to_dict() for entry in Journal(case).entries())


def versions() -> dict[str, str]:
    """Give the versions that matter for running it again.

    Examples
    --------
    >>> sorted(versions())[0]
    'narwhals'
    """
    out = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            out[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return out


def shown_parameters(parameters: Mapping[str, Any], case: Path) -> dict[str, Any]:
    """Give parameters as they may be shown: the case by its folder name, secrets hidden.

    Examples
    --------
    >>> shown_parameters({"case": "/a/b", "api_token": "x", "engine": "polars"}, Path("/a/b"))
    {'case': 'b', 'api_token': '***', 'engine': 'polars'}
    """
    out = {}
    for name, value in parameters.items():
        out[name] = case.resolve().name if name == "case" else HIDDEN if _is_secret(name, value) else value
    return out


def _is_secret(name: str, value: Any) -> bool:
    return bool(_SECRET_NAME.search(name)) or (isinstance(value, str) and bool(_SECRET_URL.search(value)))


def again(template: str, parameters: Mapping[str, Any], static: bool, engine: str) -> str:
    """Write the command that makes the report again.

    Examples
    --------
    >>> again("7s_investigation", {}, False, "polars")
    'rca-kit investigate CASE'
    """
    words = ["rca-kit", "investigate", "CASE"]
    if template != "7s_investigation":
        words += ["--template", Path(template).name]
    if engine != "polars":
        words += ["--engine", engine]
    words += ["--static"] if static else []
    for name, value in sorted(parameters.items()):
        words += ["-p", f"{name}={HIDDEN if _is_secret(name, value) else value}"]
    return shlex.join(words)


def clean_notebook(path: Path, parameters: Mapping[str, Any], case: Path, target: Path) -> None:
    """Take machine paths and secrets out of an executed notebook: metadata, the injected cell, and outputs.

    The case is named relative to where the notebook will lie, so that it can be opened and run again there.
    """
    if not path.is_file():
        return
    notebook = json.loads(path.read_text(encoding="utf-8"))
    meta = notebook.setdefault("metadata", {})
    run = meta.get("papermill", {})
    for key in ("input_path", "output_path", "environment_variables", "version"):
        run.pop(key, None)
    here = str(case.resolve())
    relative = Path(os.path.relpath(here, target.resolve())).as_posix()
    secrets = [str(v) for k, v in parameters.items() if _is_secret(k, v) and str(v)]
    text = json.dumps(notebook, ensure_ascii=False, indent=1)
    for found, instead in ((here, relative), *((s, HIDDEN) for s in secrets)):
        quoted = json.dumps(found, ensure_ascii=False)[1:-1]
        twice = json.dumps(quoted, ensure_ascii=False)[1:-1]  # a text inside Python source inside JSON
        for shape in sorted({quoted, twice}, key=len, reverse=True):
            text = text.replace(shape, instead)
    _text(path, text + "\n")
