"""A request log that is here as aggregates only: what its file says of it, and the rows it kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from rca_kit.case.columns import ColumnSummary
from rca_kit.case.incident import FILE_NAME, Case
from rca_kit.case.roles import LIST_ROLES, SINGLE_ROLES, Roles
from rca_kit.errors import BadInput
from rca_kit.sources.archive import Archive, read_archive
from rca_kit.sources.files import find

HASH_COLUMN = "rk_kept"


@dataclass(frozen=True)
class SavedLog:
    """The log as its files of aggregates describe it."""

    archives: tuple[tuple[str, Archive], ...]
    files: tuple[Path, ...]
    frame: pl.LazyFrame
    rows: int
    span: tuple[datetime, datetime]
    columns: tuple[ColumnSummary, ...]
    roles: Roles
    positive: dict[str, Any]
    task: str
    warnings: tuple[str, ...]


def open_saved(case: Case, spec: Mapping[str, Any]) -> SavedLog:
    """Read the files that ``tables: {predictions: {aggregates: ...}}`` names.

    Raises
    ------
    BadInput
        When one is missing or damaged, or incident.yaml gives roles that differ from theirs.
    """
    unknown = [k for k in spec if k not in ("aggregates", "rows")]
    if unknown:
        raise BadInput("unknown key beside `aggregates` in tables.predictions", file=FILE_NAME, found=unknown[0],
                       expected="aggregates, rows", hint="name the rows that are newer under `rows`")
    named = spec["aggregates"]
    patterns = tuple(str(p) for p in named) if isinstance(named, (list, tuple)) else (str(named),)
    files = find(case.folder, patterns, f"{FILE_NAME}: tables.predictions")
    archives = tuple((f.name, read_archive(f)) for f in files)
    log = archives[0][1].header["log"]
    roles = roles_of(log)
    _check_roles(case, roles, files[0].name)
    if case.incident.task not in (None, log["task"]):
        raise BadInput("the aggregates were made for another task", file=files[0].name, found=log["task"],
                       expected=str(case.incident.task))
    rows = [a.tables["rows"].drop(HASH_COLUMN) for _, a in archives]
    odd = next((n for (n, _), r in zip(archives, rows, strict=True) if r.schema != rows[0].schema), None)
    if odd is not None:
        raise BadInput("these aggregates hold rows of other columns than the first", file=odd,
                       expected=f"the columns of {files[0].name}", hint="rca-kit aggregate CASE --like FIRST")
    total = sum(a.header["log"]["rows"] for _, a in archives)
    held = sum(r.height for r in rows)
    notes = [w for _, a in archives for w in a.header["log"]["warnings"]]
    if held < total:
        notes.append(f"the log is here as aggregates: scope, samples and simulation rest on the {held:,} of {total:,} rows that "
                     "were kept with them")
    return SavedLog(
        archives=archives, files=files, frame=pl.concat(rows).sort(roles.time, maintain_order=True).lazy(), rows=total,
        span=(min(a.header["log"]["first"] for _, a in archives), max(a.header["log"]["last"] for _, a in archives)),
        columns=tuple(ColumnSummary(**{**c, "values": tuple(c["values"])}) for c in log["columns"]), roles=roles,
        positive=dict(log["positive"]), task=log["task"], warnings=tuple(dict.fromkeys(notes)),
    )


def roles_of(log: Mapping[str, Any]) -> Roles:
    """Roles as a file of aggregates holds them."""
    given: dict[str, Any] = {k: tuple(v) if k in LIST_ROLES else v for k, v in log["roles"].items()}
    return Roles(**given, inferred=dict(log["inferred"]))


def _check_roles(case: Case, roles: Roles, file: str) -> None:
    given = case.incident.roles
    for role in (*SINGLE_ROLES, *LIST_ROLES):
        wanted, here = getattr(given, role), getattr(roles, role)
        if wanted is not None and tuple(wanted) != tuple(here or ()):
            raise BadInput(f"the aggregates were made with other roles: {role} differs", file=file, found=str(here),
                           expected=f"{wanted}, as incident.yaml says",
                           hint="leave the roles out of incident.yaml, or write the aggregates again")


def summaries(columns: Sequence[ColumnSummary]) -> list[dict[str, Any]]:
    """Summaries of columns as a file holds them."""
    return [{**vars(c), "values": list(c.values)} for c in columns]
