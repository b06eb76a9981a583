"""The two sides of a data check: tables a person names, or a case's request log before and after."""

from __future__ import annotations

import importlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rca_kit.errors import BadInput
from rca_kit.findings.investigation import CaseFacts
from rca_kit.run.walk import walk


def before_and_after(
    case: str | Path, engine: str = "polars", before: str = "", after: str = "", split: str = ""
) -> tuple[Any, Any]:
    """Give the two tables to compare.

    Parameters
    ----------
    case : str or Path
        The case folder; paths in `before` and `after` are relative to it.
    engine : str
        What reads the case's tables.
    before, after : str
        Two tables; both or none.
    split : str
        Without tables: the time that separates before from after, ISO; when empty, the windows of
        incident.yaml, else the onset that the second step finds, else the alert.

    Returns
    -------
    tuple
        Two lazy frames, or two paths.

    Raises
    ------
    BadInput
        When only one table is named, a time cannot be read, or a file is missing.

    Examples
    --------
    >>> before_and_after(".", before="a.parquet")
    Traceback (most recent call last):
    ...
    rca_kit.errors.BadInput: `before` is named without `after`
      hint: name both tables, or none to compare the case's own log before and after
    """
    if bool(before) != bool(after):
        named, missing = ("before", "after") if before else ("after", "before")
        hint = "name both tables, or none to compare the case's own log before and after"
        raise BadInput(f"`{named}` is named without `{missing}`", hint=hint)
    if before:
        pair = (Path(case) / before, Path(case) / after)
        for path in pair:
            if not path.exists():
                raise BadInput("there is no such table", file=str(path))
        return pair
    nw = importlib.import_module("narwhals")
    opened = importlib.import_module("rca_kit.sources").open_case(case, engine=engine)
    incident = opened.case.incident
    first: Any
    last: Any
    if split:
        first, last = (None, _time(split)), (_time(split), None)
    elif incident.windows is not None:
        first, last = incident.windows.before, incident.windows.after
    else:
        first, last = _around_onset(case, engine, incident.detected_at)
    time, frame = opened.roles.time, opened.predictions

    def inside(window: Any) -> Any:
        start, end = window
        part = frame if start is None else frame.filter(nw.col(time) >= start)
        return part if end is None else part.filter(nw.col(time) < end)

    return inside(first), inside(last)


def _around_onset(case: str | Path, engine: str, detected: datetime) -> tuple[Any, Any]:
    """Give the windows that the second step finds; without an onset, the alert separates before from after."""
    windows = getattr(walk(case, engine=engine).symptom(), "windows", None)
    if windows is None:
        return (None, detected), (detected, None)
    return tuple((w.start, w.end) for w in windows)  # type: ignore[return-value]


def _time(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput("`split` is not a time", found=text, expected="ISO, like 2026-03-02T14:05:00Z") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def case_facts(case: str | Path) -> CaseFacts:
    """Read what incident.yaml says, without looking at a table.

    Parameters
    ----------
    case : str or Path
        The case folder.

    Raises
    ------
    BadInput
        When incident.yaml cannot be used.

    Examples
    --------
    >>> case_facts("no/such/case")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    rca_kit.errors.BadInput: ...
    """
    incident = importlib.import_module("rca_kit.case").load_case(case).incident
    slos = {k: {n: v for n, v in (("min", s.min), ("max", s.max)) if v is not None} for k, s in (incident.slos or {}).items()}
    roles = incident.roles.model_dump(exclude_none=True) if incident.roles else {}
    return CaseFacts(
        incident.id,
        incident.title,
        incident.service or "",
        incident.detected_at,
        incident.signal.summary,
        incident.task or "",
        roles,
        {},
        slos=slos or None,
    )
