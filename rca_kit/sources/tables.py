"""The tables beside the request log: change log, service metrics, golden set, shadow log."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import narwhals as nw
import polars as pl

from rca_kit.case.changes import Change, read_changes
from rca_kit.case.incident import FILE_NAME, Case
from rca_kit.errors import BadInput, did_you_mean
from rca_kit.sources.collect import collect
from rca_kit.sources.files import Scanned, explained, scan
from rca_kit.sources.frames import Frame
from rca_kit.sources.prepare import plain_types
from rca_kit.sources.times import read_time

if TYPE_CHECKING:
    from rca_kit.sources.native import Native

WHOLE_HASH_BYTES = 256_000_000  # larger files are hashed by size, head and tail: a full read costs as much as the analysis
PART_BYTES = 16_000_000
ANSWERS = ("primary", "candidate")  # columns of a shadow log that must be there
SPEC_KEYS = ("path", "aggregates", "duckdb", "spark", "sql", "uri", "table", "memory_limit", "push_down")


@dataclass(frozen=True)
class TableEntry:
    """What one table held, for the report's appendix. `sha256` begins with `parts:` when only head and tail were hashed."""

    name: str
    files: tuple[str, ...]
    rows: int | None
    columns: int
    sha256: str = ""


def open_table(folder: Path, spec: Any, name: str) -> Scanned:
    """Scan a table of the case that is small enough to be read whole, wherever it is; see `open_source`."""
    source = open_source(folder, spec, name)
    if isinstance(source, Scanned):
        return source
    from rca_kit.sources.native import bring_home

    return bring_home(source, name)


def open_source(folder: Path, spec: Any, name: str) -> Scanned | Native:
    """Open a table of the case, as incident.yaml names it: files are scanned, tables of an engine stay there.

    Raises
    ------
    BadInput
        When the files are missing or unreadable, or the mapping names no known source.
    """
    from rca_kit.sources.native import DUCKDB_FILES, open_native

    where = f"{FILE_NAME}: tables.{name}"
    if isinstance(spec, str):
        spec = {"path": spec}
    if isinstance(spec, Mapping):
        unknown = [k for k in spec if k not in SPEC_KEYS]
        if unknown:
            raise BadInput(f"unknown key `{unknown[0]}` in tables.{name}", file=FILE_NAME, expected=", ".join(SPEC_KEYS),
                           hint=did_you_mean(unknown[0], SPEC_KEYS))
        path = str(spec.get("path", ""))
        if path.endswith(DUCKDB_FILES):
            spec = {**spec, "duckdb": path}
        elif path:
            return scan(folder, (path,), file=where)
        source = open_native(folder, dict(spec), name)
        if source is None:
            raise BadInput(f"tables.{name} names no source that can be opened here", file=FILE_NAME, found=", ".join(spec),
                           expected="a path, {duckdb: FILE, table: NAME}, {spark: NAME} or {sql: QUERY, uri: URI}")
        return source
    return scan(folder, tuple(spec), file=where)


def entry(name: str, scanned: Scanned | Native, rows: int | None, columns: int) -> TableEntry:
    """Give the facts of a table.

    Examples
    --------
    >>> entry("changes", Scanned(pl.LazyFrame(), ()), 3, 5)
    TableEntry(name='changes', files=(), rows=3, columns=5, sha256='')
    """
    files = [f for f in scanned.files if f.is_file()]
    named = scanned.names if isinstance(scanned, Scanned) else (scanned.label,)
    return TableEntry(name, named, rows, columns, _hash(files) if files else "")


def _hash(files: list[Path]) -> str:
    digest = hashlib.sha256()
    whole = sum(f.stat().st_size for f in files) <= WHOLE_HASH_BYTES
    for file in files:
        with file.open("rb") as stream:
            if whole:
                while block := stream.read(1 << 20):
                    digest.update(block)
            else:
                size = file.stat().st_size
                each = max(4096, PART_BYTES // len(files))
                digest.update(str(size).encode() + stream.read(each))
                stream.seek(max(0, size - each))
                digest.update(stream.read(each))
    return ("" if whole else "parts:") + digest.hexdigest()


def read_change_log(case: Case) -> tuple[tuple[Change, ...], TableEntry | None, tuple[str, ...]]:
    """Read the change log of a case; empty when there is none.

    Raises
    ------
    BadInput
        When it is named and cannot be used.
    """
    spec = case.incident.tables.changes
    if spec is None:
        return (), None, ()
    scanned = open_table(case.folder, spec, "changes")
    file = scanned.names[0]
    with explained(file):
        frame = plain_types(scanned.frame, file).frame.collect()
    changes, notes = read_changes(frame.columns, frame.iter_rows(named=True), file)
    return changes, entry("changes", scanned, frame.height, frame.width), (*scanned.warnings, *notes)


def service_metrics_table(
    case: Case, span: tuple[datetime, datetime]
) -> tuple[Frame | None, TableEntry | None, tuple[str, ...]]:
    """Open the service metrics of a case: time in UTC, component and metric as text, value as float.

    Parameters
    ----------
    span : (datetime, datetime)
        First and last time of the request log: what a Prometheus server is asked for.

    Raises
    ------
    BadInput
        When a needed column is missing, the values are no numbers, or a server does not answer.
    """
    spec = case.incident.tables.service_metrics
    if spec is None:
        return None, None, ()
    digest = ""
    if isinstance(spec, Mapping) and "prometheus" in spec:
        from rca_kit.sources.prometheus import read_prometheus

        scanned, digest = read_prometheus(dict(spec), span, case.incident.service)
    else:
        scanned = open_table(case.folder, spec, "service_metrics")
    file = scanned.names[0]
    prepared = plain_types(scanned.frame, file)
    schema = prepared.frame.collect_schema()
    _need(schema.names(), ("time", "component", "metric", "value"), file)
    with explained(file):
        facts = prepared.frame.select(
            pl.len().alias("rows"), pl.col("value").cast(pl.Float64, strict=False).is_finite().sum().alias("good"),
            pl.col("value").is_null().sum().alias("empty"),
        ).collect(engine="streaming").row(0, named=True)
        head = prepared.frame.select("time").head(20_000).collect()["time"]
    notes = [*scanned.warnings, *prepared.warnings]

    def facts_of(rows: int) -> TableEntry:
        found = entry("service_metrics", scanned, rows, len(schema))
        return replace(found, sha256=digest) if digest else found

    if not facts["rows"]:
        notes.append(f"{file}: holds no rows; service metrics are not looked at")
        return None, facts_of(0), tuple(notes)
    if not facts["good"]:
        raise BadInput("holds no numbers", file=file, column="value", found=str(schema["value"]), expected="numbers")
    if junk := facts["rows"] - facts["good"] - facts["empty"]:
        notes.append(f"{file}: column `value`: {junk:,} values are no finite numbers and are left out")
    reading = read_time(head, file=file)
    if reading is None:
        raise BadInput("is no time", file=file, column="time", found=f"values such as `{head.drop_nulls().head(1).to_list()}`",
                       expected="times like 2026-03-02T14:35:00Z")
    notes += [f"{file}: column `time`: {n}" for n in reading.notes]
    number = pl.col("value").cast(pl.Float64, strict=False)
    frame = prepared.frame.with_columns(
        reading.expr.alias("time"), pl.col("component", "metric").cast(pl.String),
        pl.when(number.is_finite()).then(number).alias("value"),
    ).filter(pl.col("time").is_not_null())
    lazy: Frame = nw.from_native(frame)
    return lazy, facts_of(facts["rows"]), tuple(notes)


def golden_table(case: Case) -> tuple[Frame | None, TableEntry | None, tuple[str, ...]]:
    """Open the golden set of a case: labelled known samples."""
    spec = case.incident.tables.golden
    return (None, None, ()) if spec is None else _side_table(open_table(case.folder, spec, "golden"), "golden", ())


def shadow_table(case: Case) -> tuple[Frame | None, TableEntry | None, tuple[str, ...]]:
    """Open the shadow log of a case: the same requests answered by two models. One that an engine holds stays there."""
    spec = case.incident.tables.shadow
    if spec is None:
        return None, None, ()
    source = open_source(case.folder, spec, "shadow")
    if isinstance(source, Scanned):
        return _side_table(source, "shadow", ANSWERS)
    schema = source.frame.collect_schema()
    _need(schema.names(), ANSWERS, source.label)
    rows = int(collect(source.frame.select(nw.len().alias("n")))["n"][0])
    notes = () if rows else (f"{source.label}: holds no rows; shadow is not looked at",)
    return (source.frame if rows else None), entry("shadow", source, rows, len(schema)), notes


def _side_table(
    scanned: Scanned, name: str, needed: tuple[str, ...]
) -> tuple[Frame | None, TableEntry | None, tuple[str, ...]]:
    file = scanned.names[0]
    prepared = plain_types(scanned.frame, file)
    schema = prepared.frame.collect_schema()
    _need(schema.names(), needed, file)
    notes = [*scanned.warnings, *prepared.warnings]
    with explained(file):
        rows = int(prepared.frame.select(pl.len()).collect().item())
        frame = prepared.frame
        if "time" in schema.names():
            reading = read_time(frame.select("time").head(20_000).collect()["time"], file=file)
            if reading is not None:
                frame = frame.with_columns(reading.expr.alias("time"))
                notes += [f"{file}: column `time`: {n}" for n in reading.notes]
    if not rows:
        return None, entry(name, scanned, 0, len(schema)), (*notes, f"{file}: holds no rows; {name} is not looked at")
    lazy: Frame = nw.from_native(frame)
    return lazy, entry(name, scanned, rows, len(schema)), tuple(notes)


def _need(names: list[str], needed: tuple[str, ...], file: str) -> None:
    for column in needed:
        if column not in names:
            raise BadInput("the column is missing", file=file, column=column, found=", ".join(names[:30]),
                           hint=did_you_mean(column, names))
