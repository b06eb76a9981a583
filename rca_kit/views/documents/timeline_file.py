"""A timeline written by hand: CSV, JSON, JSON lines, or plain lines that begin with a time."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from rca_kit.errors import BadInput
from rca_kit.views.report.timeline import Moment, as_time

_LINE = re.compile(
    r"^\s*(?:[-*+]\s+|\d+[.)]\s+)?\[?(?P<time>\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)\]?"
    r"(?:\s*UTC)?\s*[:,|–-]?\s*(?P<text>.+)$"
)
_KIND = re.compile(
    r"^(?P<kind>change|deploy|start|onset|alert|detected|page|decision|action|mitigated|resolved|recovered|note):\s*(?P<rest>.+)$",
    re.IGNORECASE,
)
EXPECTED = "lines like `2026-03-02 14:05 alert: AUC below its SLO`, or a table with columns time, text and optionally kind, who"


def read_timeline(path: str | Path) -> tuple[Moment, ...]:
    r"""Read a hand-written timeline.

    Parameters
    ----------
    path : str or Path
        ``.csv`` and ``.json``/``.jsonl`` with `time`, `text` and optionally `kind`, `who`; anything else is read line by line:
        a time, then optionally a kind and a colon, then words. Times without an offset are UTC.

    Returns
    -------
    tuple of Moment
        Earliest first.

    Raises
    ------
    BadInput
        When the file cannot be read or a line has no time; the message names the line.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "t.md"
    >>> _ = path.write_text("- 2026-03-02 14:35 alert: AUC is low\n- 2026-03-02 14:10 deploy of v3\n")
    >>> [(m.kind, m.title) for m in read_timeline(path)]
    [('note', 'deploy of v3'), ('alert', 'AUC is low')]
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as problem:
        raise BadInput("cannot be read as a timeline", file=str(path), found=str(problem), expected=EXPECTED) from None
    if path.suffix == ".csv":
        moments = _from_rows(path, csv.DictReader(io.StringIO(text)), first=2)
    elif path.suffix in (".json", ".jsonl"):
        moments = _from_rows(path, _json_rows(path, text), first=1)
    else:
        moments = [_from_line(path, i, line) for i, line in enumerate(text.splitlines(), 1) if _holds_something(line)]
    if not moments:
        raise BadInput("holds no entry", file=str(path), expected=EXPECTED)
    return tuple(sorted(moments, key=lambda m: (m.time or datetime.max, m.kind, m.title)))


def _holds_something(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith(("#", "```", "<!--"))


def _json_rows(path: Path, text: str) -> Iterable[Mapping[str, Any]]:
    try:
        rows = [json.loads(line) for line in text.splitlines() if line.strip()] if path.suffix == ".jsonl" else json.loads(text)
    except ValueError as problem:
        raise BadInput("is not JSON", file=str(path), found=str(problem)) from None
    if not isinstance(rows, list) or not all(isinstance(r, dict) for r in rows):
        raise BadInput("is not a list of entries", file=str(path), expected='[{"time": "...", "text": "..."}]')
    return rows


def _from_rows(path: Path, rows: Iterable[Mapping[str, Any]], *, first: int) -> list[Moment]:
    out = []
    for i, row in enumerate(rows, first):
        at = as_time(row.get("time"))
        text = str(row.get("text") or row.get("description") or "").strip()
        if at is None or not text:
            raise BadInput(
                f"entry {i} has no {'time that can be read' if at is None else 'text'}",
                file=str(path),
                found=str(dict(row))[:200],
                expected=EXPECTED,
            )
        who = str(row.get("who") or row.get("author") or "")
        out.append(Moment(at, str(row.get("kind") or "note").lower(), text, f"by {who}" if who else ""))
    return out


def _from_line(path: Path, number: int, line: str) -> Moment:
    match = _LINE.match(line)
    at = as_time(match["time"].replace(" ", "T")) if match else None
    if match is None or at is None:
        raise BadInput(f"line {number} does not begin with a time", file=str(path), found=line.strip()[:120], expected=EXPECTED)
    kind = _KIND.match(match["text"])
    return Moment(at, kind["kind"].lower() if kind else "note", (kind["rest"] if kind else match["text"]).strip())
