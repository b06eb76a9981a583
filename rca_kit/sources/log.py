"""A request log that is ready, and the checks that every log has to pass, whatever engine holds it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from rca_kit.case.columns import ColumnSummary
from rca_kit.case.incident import FILE_NAME, Case
from rca_kit.case.infer import Inferred
from rca_kit.case.inputs import MAX_SEGMENT_VALUES
from rca_kit.case.roles import Roles
from rca_kit.errors import BadInput, did_you_mean
from rca_kit.sources.frames import Frame
from rca_kit.sources.times import read_time

MIN_ROWS = 2  # one request has no before and after
UNSEEN = "what came in between is not seen"  # a warning that depends on the alert, not on the log
AFTER_DATA = timedelta(hours=1)  # an alert later than this after the last row makes a reader ask which log this is


@dataclass(frozen=True)
class Log:
    """A request log: times in UTC, types plain, roles known."""

    frame: Frame
    rows: int
    span: tuple[datetime, datetime]
    columns: tuple[ColumnSummary, ...]
    inferred: Inferred
    warnings: tuple[str, ...]
    sample: pl.DataFrame | None = None


def check_rows(rows: int, file: str) -> None:
    """Refuse a log without a before and after."""
    if rows < MIN_ROWS:
        raise BadInput("has too few rows to tell before from after", file=file, found=f"{rows} rows",
                       expected=f"at least {MIN_ROWS}")


def refuse_time(values: pl.Series, file: str) -> None:
    """Raise for a time column whose values are no times."""
    reading = read_time(values, file=file)
    if reading is None:
        known = values.drop_nulls()
        found = f"values such as `{str(known[0])[:40]}`" if len(known) else "no values"
        raise BadInput("is no time", file=file, column=values.name, found=found,
                       expected="times like 2026-03-02T14:35:00Z or seconds since 1970")


def check_redact(case: Case, names: list[str], file: str) -> None:
    """Refuse columns to mask that are nowhere."""
    for column in case.incident.redact:
        if column not in names and case.incident.tables.golden is None and case.incident.tables.shadow is None:
            raise BadInput("there is no such column, named in incident.yaml under redact", file=file, column=column,
                           hint=did_you_mean(column, names))


def check_impact(case: Case, roles: Roles) -> None:
    """Refuse an impact that is named for a column that is no KPI."""
    for each in case.incident.impact:
        if each.kpi not in roles.kpi:
            raise BadInput("is no KPI of this case", file=FILE_NAME, column=each.kpi, found="named under impact",
                           expected=", ".join(roles.kpi) or "a column under roles.kpi", hint=did_you_mean(each.kpi, roles.kpi))


def check_span(case: Case, low: datetime, high: datetime, file: str) -> list[str]:
    """Refuse logs that cannot show a before and an after; warn of an alert that came after the log's end."""
    at = case.incident.detected_at
    if at < low:
        raise BadInput("the alert fired before the first row of the log", file=FILE_NAME,
                       found=f"detected_at {at:%Y-%m-%d %H:%M} UTC",
                       expected=f"a time after {low:%Y-%m-%d %H:%M} UTC, where {file} begins",
                       hint="times without an offset are taken as UTC")
    if low == high:
        raise BadInput("all rows have the same time", file=file, found=f"{low:%Y-%m-%d %H:%M:%S} UTC",
                       expected="requests before and after the onset")
    windows = case.incident.windows
    for name, (start, end) in (("before", windows.before), ("after", windows.after)) if windows else ():
        if end <= low or start > high:
            raise BadInput(f"the window `{name}` holds no rows", file=FILE_NAME,
                           found=f"{start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC",
                           expected=f"times from {low:%Y-%m-%d %H:%M} to {high:%Y-%m-%d %H:%M} UTC, which {file} covers")
    if at > high + AFTER_DATA:
        return [f"{file} ends {high:%Y-%m-%d %H:%M} UTC, before the alert of {at:%Y-%m-%d %H:%M} UTC: "
                f"{UNSEEN}"]
    return []


def check_outcomes(inferred: Inferred, columns: tuple[ColumnSummary, ...], file: str) -> list[str]:
    """Warn of outcomes that can tell nothing."""
    by_name = {c.name: c for c in columns}
    notes = []
    for role in ("score", "decision", "label", "latency_ms"):
        name = getattr(inferred.roles, role)
        if name is None:
            continue
        column = by_name[name]
        if column.n_unique == 0:
            notes.append(f"{file}: column `{name}` ({role}) is empty: nothing can be computed from it")
        elif column.n_unique == 1:
            notes.append(f"{file}: column `{name}` ({role}) has one value only: it cannot show a change of quality")
        elif column.null_rate > 0.5:
            notes.append(f"{file}: column `{name}` ({role}) is missing in {column.null_rate:.0%} of rows")
    many = [n for n in inferred.roles.segments if by_name[n].n_unique > MAX_SEGMENT_VALUES]
    return notes + [f"{file}: segment `{n}` has {by_name[n].n_unique:,} values: rare ones are looked at together" for n in many]

