"""Engines other than Polars: DuckDB and Spark answer for the request log as narwhals lazy frames."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import narwhals as nw
import polars as pl

from rca_kit.case.incident import FILE_NAME
from rca_kit.errors import BadInput, MissingExtra, did_you_mean
from rca_kit.sources.files import Scanned, scan, temporary_file
from rca_kit.sources.frames import Frame

ENGINES = ("polars", "duckdb", "spark")


def predictions_of(engine: str, scanned: Scanned, frame: pl.LazyFrame) -> Frame:
    """Give the request log as a lazy frame of another engine.

    The engine reads Parquet: the case's own files when nothing had to be done to them, else a streamed copy of what Polars
    made of them, so that all engines see the same values.

    Parameters
    ----------
    engine : {"duckdb", "spark"}
    scanned : Scanned
    frame : polars.LazyFrame
        The log as Polars sees it, times in UTC.

    Raises
    ------
    MissingExtra
        When the engine is not installed.
    """
    parquet = _parquet_of(scanned, frame)
    return _duckdb(parquet) if engine == "duckdb" else _spark(parquet)


def _parquet_of(scanned: Scanned, frame: pl.LazyFrame) -> list[str]:
    """Give Parquet files with plain types and times in UTC, which every engine reads alike, streamed if they must be made."""
    schema = frame.collect_schema()
    parquet = all(f.suffix.lower() in (".parquet", ".pq") for f in scanned.files)
    plan = frame.explain(optimized=False)
    if parquet and schema == scanned.frame.collect_schema() and "FILTER" not in plan and "WITH_COLUMNS" not in plan:
        return [str(f) for f in scanned.files]
    target = temporary_file("log.parquet")
    frame.sink_parquet(target, compression="lz4")
    return [str(target)]


def _module(name: str, extra: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise MissingExtra.of(extra, name) from None


def _duckdb(files: list[str]) -> Frame:
    duckdb = _module("duckdb", "duckdb")
    connection = duckdb.connect()
    _settle(connection)
    lazy: Frame = nw.from_native(connection.read_parquet(files))
    return lazy


def _settle(connection: Any) -> None:
    """Times in UTC; no progress bars, which DuckDB draws by itself inside notebooks, and so into reports."""
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET enable_progress_bar = false")


def _spark(files: list[str]) -> Frame:
    from rca_kit.sources.spark import any_name, session

    return any_name(nw.from_native(session().read.parquet(*files)))


def open_mapping(folder: Path, spec: dict[str, Any], name: str) -> Scanned:
    """Open a table that incident.yaml names by a mapping: {path}, {duckdb: file, table}.

    Raises
    ------
    BadInput
        When the mapping names no source the kit can open.
    """
    if "path" in spec:
        return scan(folder, (str(spec["path"]),), file=f"{FILE_NAME}: tables.{name}")
    if "duckdb" in spec and "table" in spec:
        return _duckdb_table(folder / str(spec["duckdb"]), str(spec["table"]), name)
    raise BadInput(f"tables.{name} names no source that can be opened here", file=FILE_NAME, found=", ".join(spec),
                   expected="a path, or {duckdb: FILE, table: NAME}")


def _duckdb_table(path: Path, table: str, name: str) -> Scanned:
    """Bring a table of a DuckDB file into Parquet once, streamed by DuckDB in bounded memory."""
    duckdb = _module("duckdb", "duckdb")
    if not path.is_file():
        raise BadInput("there is no such file", file=str(path), found=f"tables.{name}.duckdb")
    connection = duckdb.connect(str(path), read_only=True)
    try:
        known = [row[0] for row in connection.execute("SELECT table_name FROM information_schema.tables").fetchall()]
        if table not in known:
            raise BadInput(f"there is no table `{table}`", file=path.name, found=", ".join(known),
                           hint=did_you_mean(table, known))
        _settle(connection)
        target = temporary_file("table.parquet")
        connection.table(table).write_parquet(str(target))
    except duckdb.Error as error:
        raise BadInput(f"cannot be read: {str(error).splitlines()[0]}", file=path.name) from None
    finally:
        connection.close()
    return Scanned(pl.scan_parquet(target, glob=False), (path,))
