"""Add changes to a case's change log: nothing that stands there is lost or altered, and nothing is added twice."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from rca_kit.case.changes import OPTIONAL, REQUIRED, Change, canonical_name
from rca_kit.case.incident import FILE_NAME, Case
from rca_kit.case.writing import write_whole
from rca_kit.case.yamlio import load_yaml, parse_yaml
from rca_kit.errors import BadInput
from rca_kit.sources.files import find, format_of
from rca_kit.sources.text import sniff_csv

NEW_FILE = "changes.csv"
COLUMNS = (*REQUIRED, *OPTIONAL)
_FORMULA = ("=", "+", "-", "@", "\t", "＝", "＋", "－", "＠")  # a cell that begins so is run by spreadsheets


@dataclass(frozen=True)
class Added:
    """Which changes are new, how many stood there already, and in which file they are now."""

    path: Path
    changes: tuple[Change, ...]
    known: int
    named: bool


def add_changes(case: Case, changes: Sequence[Change]) -> Added:
    """Add changes to the change log of a case; one whose id is there already is left as it stands.

    A case without a change log gets `changes.csv`, and its incident.yaml a line that names it. Files are written beside and
    renamed.

    Parameters
    ----------
    case : Case
    changes : sequence of Change

    Raises
    ------
    BadInput
        When the change log is no file, or cannot be read or written; then nothing is altered.
    """
    spec = case.incident.tables.changes
    if isinstance(spec, Mapping) and "path" not in spec:
        raise BadInput("the change log of this case is no file, and nothing can be added to it", file=FILE_NAME,
                       found=f"tables.changes: {', '.join(spec)}", hint="add to the source itself, or name a file")
    fresh = list({c.id: c for c in reversed(changes)}.values())[::-1]
    if spec is None:
        path = case.folder / NEW_FILE
        if path.exists():
            raise BadInput("is there, but incident.yaml does not name it", file=str(path),
                           hint=f"add `changes: {NEW_FILE}` under tables in {FILE_NAME}")
        if fresh:
            text = _named(case.folder / FILE_NAME)  # first, since this may refuse
            write_whole(path, _csv([dict.fromkeys(COLUMNS, "") | _row(c) for c in fresh], ",").encode())
            write_whole(case.folder / FILE_NAME, text.encode())
        return Added(path, tuple(fresh), 0, bool(fresh))
    patterns = (str(spec["path"]),) if isinstance(spec, Mapping) else (spec,) if isinstance(spec, str) else tuple(spec)
    files = find(case.folder, patterns, f"{FILE_NAME}: tables.changes")
    known = {ident for f in files for ident in _ids(f)}
    new = [c for c in fresh if c.id not in known]
    if new:
        write_whole(files[-1], _extended(files[-1], new))
    return Added(files[-1], tuple(new), len(fresh) - len(new), False)


def _row(change: Change) -> dict[str, str]:
    stamp = f"{change.time:%Y-%m-%dT%H:%M:%SZ}"
    return {**{name: getattr(change, name) for name in COLUMNS}, "time": stamp}


def _frame(path: Path) -> pl.DataFrame:
    """Hold a change log as it stands; text stays text."""
    kind = format_of(path)
    try:
        if kind == "parquet":
            return pl.read_parquet(path)
        if kind == "ipc":
            return pl.read_ipc(path)
        if kind == "jsonl":
            return pl.read_ndjson(path, infer_schema_length=None)
        return pl.read_csv(path, separator=sniff_csv(path).delimiter, infer_schema=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise BadInput(f"cannot be read: {str(error).splitlines()[0][:200]}", file=path.name) from None


def _ids(path: Path) -> list[str]:
    frame = _frame(path)
    column = next((c for c in frame.columns if canonical_name(c) == "id"), None)
    # a cell that was guarded against spreadsheets still holds its id
    return [] if column is None else [str(v).strip().removeprefix("'") for v in frame[column].drop_nulls().to_list()]


def _extended(path: Path, new: list[Change]) -> bytes:
    """Give the content of the file with the new changes behind what is there."""
    if format_of(path) == "csv" and path.suffix != ".gz":
        header = sniff_csv(path)
        names = {canonical_name(c): c for c in header.header}
        used = [n for n in COLUMNS if any(_row(c)[n] for c in new)]
        if all(n in names for n in used):
            # every column has its place: what stands there is kept byte for byte
            old = path.read_bytes()
            by_column = [{c: _row(change).get(canonical_name(c), "") for c in header.header} for change in new]
            lines = _csv(by_column, header.delimiter, head=False)
            newline = b"\r\n" if b"\r\n" in old else b"\n"
            glue = b"" if old.endswith(b"\n") else newline
            return old + glue + lines.encode().replace(b"\n", newline)
    frame = _frame(path)
    names = {canonical_name(c): c for c in frame.columns}
    rows = [{names.get(n, n): v for n, v in _row(c).items() if v or n in names} for c in new]
    added = pl.DataFrame(rows, infer_schema_length=None)
    time = names.get("time", "time")
    held = frame.schema.get(time)
    if held is not None and (held.is_temporal() or held.is_numeric()):
        added = added.with_columns(_as_times(added[time], held))
    casts = [pl.col(c).cast(frame.schema[c], strict=False) for c in added.columns
             if c in frame.columns and c != time and frame.schema[c] == pl.String]
    whole_frame = pl.concat([frame, added.with_columns(casts)], how="diagonal_relaxed")
    return _bytes(whole_frame, path)


def _as_times(values: pl.Series, held: Any) -> pl.Series:
    times = values.str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_zone="UTC", time_unit="us")
    if isinstance(held, pl.Datetime):
        zone = held.time_zone
        times = times.dt.convert_time_zone(zone) if zone else times.dt.replace_time_zone(None)
        return times.cast(held)
    if held == pl.Date:
        return times  # the column is widened: a day alone would lose the hour of what is new
    raise BadInput("the times of this change log are numbers, and nothing is added to it", column=values.name,
                   expected="times like 2026-03-02T14:35:00Z")


def _bytes(frame: pl.DataFrame, path: Path) -> bytes:
    kind, out = format_of(path), io.BytesIO()
    if kind == "parquet":
        frame.write_parquet(out)
    elif kind == "ipc":
        frame.write_ipc(out)
    elif kind == "jsonl":
        frame.write_ndjson(out)
    else:
        return _packed(_csv(list(frame.iter_rows(named=True)), sniff_csv(path).delimiter, guard=False).encode(), path)
    return _packed(out.getvalue(), path)


def _packed(raw: bytes, path: Path) -> bytes:
    if path.suffix != ".gz":
        return raw
    import gzip

    return gzip.compress(raw, mtime=0)


def _csv(rows: Sequence[Mapping[str, Any]], delimiter: str, *, head: bool = True, guard: bool = True) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n", delimiter=delimiter)
    if head:
        writer.writerow(list(rows[0]))
    for row in rows:
        cells = ["" if v is None else str(v) for v in row.values()]
        writer.writerow(["'" + c if guard and c.startswith(_FORMULA) else c for c in cells])
    return out.getvalue()


def _named(path: Path) -> str:
    """Give the text of incident.yaml with the change log named in it, all else as a person wrote it."""
    text = path.read_text(encoding="utf-8-sig")
    expected = load_yaml(path)
    expected["tables"] = {**expected["tables"], "changes": NEW_FILE}
    root: Any = yaml.compose(text, Loader=yaml.SafeLoader)
    tables = next(value for key, value in root.value if key.value == "tables")
    at = tables.value[0][0].start_mark
    entry = f"changes: {NEW_FILE}" + (", " if tables.flow_style else "\n" + " " * at.column)
    old = [(k, v) for k, v in tables.value if k.value == "changes"]  # `changes:` without a value
    if old:
        key, value = old[0]
        changed = text[: key.start_mark.index] + f"changes: {NEW_FILE}" + text[max(value.end_mark.index, key.end_mark.index + 1):]
    else:
        changed = text[: at.index] + entry + text[at.index:]
    if parse_yaml(changed, path.name) != expected:
        raise BadInput("the change log could not be named in it", file=str(path), hint=f"add `changes: {NEW_FILE}` under tables")
    return changed
