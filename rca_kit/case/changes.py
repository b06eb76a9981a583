"""The change log: what was changed, by whom or what, when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rca_kit.case.times import parse_time
from rca_kit.errors import BadInput, did_you_mean

KINDS = ("model_deploy", "code_deploy", "config_change", "flag_change", "experiment", "data_pipeline", "schema_change",
         "infra_change", "upstream_notice", "campaign", "calendar", "other")
REQUIRED = ("id", "time", "kind", "component", "description")
OPTIONAL = ("scope", "version_from", "version_to", "link")


@dataclass(frozen=True)
class Change:
    """One row of the change log, time in UTC.

    Examples
    --------
    >>> from datetime import UTC
    >>> Change("c1", datetime(2026, 3, 2, tzinfo=UTC), "flag_change", "web", "on", "country=DE;device=android").where
    {'country': 'DE', 'device': 'android'}
    """

    id: str
    time: datetime
    kind: str
    component: str = ""
    description: str = ""
    scope: str = ""
    version_from: str = ""
    version_to: str = ""
    link: str = ""

    @property
    def where(self) -> dict[str, str]:
        """Scope as column -> value; parts that are not `column=value` are left out."""
        pairs = (part.split("=", 1) for part in self.scope.split(";") if "=" in part)
        return {name.strip(): value.strip() for name, value in pairs}


def read_changes(
    columns: Iterable[str], rows: Iterable[Mapping[str, Any]], file: str
) -> tuple[tuple[Change, ...], tuple[str, ...]]:
    """Turn the rows of a change log into changes, sorted by time, and warnings.

    A row without a time cannot be used and is left out; an unknown kind becomes `other`; of two rows with one id the later
    gets another. Each with a warning.

    Raises
    ------
    BadInput
        When the time column is missing or no row has a time.

    Examples
    --------
    >>> changes, warnings = read_changes(["id", "time", "kind"], [{"id": 7, "time": "2026-03-02", "kind": "deploy"}], "c.csv")
    >>> changes[0].id, changes[0].kind, len(warnings)
    ('7', 'other', 3)
    """
    names = {canonical_name(c): c for c in columns}
    warnings: list[str] = []
    if "time" not in names:
        raise BadInput("the column is missing", file=file, column="time", found=", ".join(columns),
                       hint=did_you_mean("time", columns))
    missing = [name for name in REQUIRED if name not in names]
    if missing:
        warnings.append(f"{file}: without the columns {', '.join(missing)}; changes are compared by what is there")
    changes: list[Change] = []
    skipped = naive = 0
    strange: set[str] = set()
    taken: set[str] = set()
    for number, row in enumerate(rows, start=1):
        cell = {name: _text(row.get(column)) for name, column in names.items()}
        try:
            when, zoned = parse_time(row.get(names["time"]), file=file, column=names["time"])
        except BadInput:
            skipped += 1
            continue
        naive += not zoned
        kind = cell.get("kind", "").lower().replace("-", "_").replace(" ", "_")
        if kind not in KINDS:
            strange.add(cell.get("kind", "") or "(empty)")
            kind = "other"
        ident = cell.get("id") or f"row-{number}"
        if ident in taken:
            twice = ident
            ident = next(name for n in range(2, number + 2) if (name := f"{twice}~{n}") not in taken)
            warnings.append(f"{file}: the id `{twice}` stands twice; the later one is called `{ident}`")
        taken.add(ident)
        rest = {name: cell.get(name, "") for name in ("component", "description", *OPTIONAL)}
        changes.append(Change(id=ident, time=when, kind=kind, **rest))
    if skipped and not changes:
        raise BadInput("no row has a time that can be read", file=file, column=names["time"],
                       expected="times like 2026-03-02T14:35:00Z")
    if skipped:
        warnings.append(f"{file}: {skipped} rows without a readable time are left out")
    if naive:
        warnings.append(f"{file}: {naive} times without an offset are taken as UTC")
    if strange:
        warnings.append(f"{file}: unknown kinds are taken as `other`: {', '.join(sorted(strange))}")
    return tuple(sorted(changes, key=lambda c: (c.time, c.id))), tuple(warnings)


def canonical_name(column: str) -> str:
    """Give the format's spelling of a column's name.

    Examples
    --------
    >>> canonical_name(" Version-From")
    'version_from'
    """
    return column.strip().lower().replace(" ", "_").replace("-", "_")


def _text(value: Any) -> str:
    if value is None or value != value:
        return ""
    return str(value).strip()
