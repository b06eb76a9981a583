"""One file of plain tables with a JSON header: a zip of Parquet members. Nothing in it is executed when it is read."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from rca_kit.errors import BadInput

FORMAT = "rca-kit aggregates"
VERSION = 1
HEADER = "header.json"
SAME_DAY = (1980, 1, 1, 0, 0, 0)  # the clock stays out of the file: equal sums give equal bytes
_TIME = "$time"


@dataclass(frozen=True)
class Archive:
    """Header and tables of a file of aggregates."""

    header: dict[str, Any]
    tables: dict[str, pl.DataFrame]


def write_archive(path: str | os.PathLike[str], header: Mapping[str, Any], tables: Mapping[str, pl.DataFrame]) -> Path:
    """Write a file beside and rename it, so that an earlier one is never damaged.

    Raises
    ------
    BadInput
        When it cannot be written.
    """
    target = Path(path)
    beside = target.with_name(f".{target.name}.part")
    try:
        with zipfile.ZipFile(beside, "w", zipfile.ZIP_STORED) as out:
            text = json.dumps({"format": FORMAT, "version": VERSION, **header}, ensure_ascii=False, default=_plain)
            out.writestr(zipfile.ZipInfo(HEADER, SAME_DAY), text)
            for name, table in tables.items():
                buffer = io.BytesIO()
                table.write_parquet(buffer, compression="zstd", compression_level=9)
                out.writestr(zipfile.ZipInfo(f"{name}.parquet", SAME_DAY), buffer.getvalue())
        beside.replace(target)
    except OSError as error:
        raise BadInput("the aggregates cannot be written", file=str(target), found=error.strerror or str(error)) from None
    finally:
        beside.unlink(missing_ok=True)
    return target


def read_archive(path: str | os.PathLike[str]) -> Archive:
    """Read a file that `write_archive` wrote.

    Raises
    ------
    BadInput
        When it is missing, damaged, no file of aggregates, or of a version this kit does not know.
    """
    source = Path(path)
    if not source.is_file():
        raise BadInput("there is no such file", file=str(source), expected="a file that `rca-kit aggregate` wrote")
    try:
        with zipfile.ZipFile(source) as packed:
            header = json.loads(packed.read(HEADER).decode(), object_hook=_typed)
            if header.get("format") != FORMAT:
                raise BadInput("this is no file of aggregates", file=source.name, found=str(header.get("format"))[:60])
            if header.get("version") != VERSION:
                raise BadInput("these aggregates have another version of the format", file=source.name,
                               found=str(header.get("version")), expected=str(VERSION),
                               hint="write them again with this version: rca-kit aggregate CASE --out FILE")
            names = [n for n in packed.namelist() if n.endswith(".parquet")]
            tables = {n.removesuffix(".parquet"): pl.read_parquet(io.BytesIO(packed.read(n))) for n in names}
    except (OSError, zipfile.BadZipFile, KeyError, ValueError, AttributeError, pl.exceptions.PolarsError) as error:
        raise BadInput("this is no readable file of aggregates: damaged, cut off, or something else", file=source.name,
                       found=(str(error).splitlines() or ["nothing"])[0][:100],
                       hint="write it again: rca-kit aggregate CASE --out FILE") from None
    return Archive(header, tables)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return {_TIME: value.isoformat()}
    if hasattr(value, "item"):
        return value.item()
    return str(value)


def _typed(value: dict[str, Any]) -> Any:
    return datetime.fromisoformat(value[_TIME]) if set(value) == {_TIME} else value
