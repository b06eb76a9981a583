"""Engines other than Polars: DuckDB and Spark answer for the request log as narwhals lazy frames."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import narwhals as nw
import polars as pl

from rca_kit.case.incident import FILE_NAME
from rca_kit.errors import BadInput, MissingExtra
from rca_kit.sources.files import Scanned, format_of, scan
from rca_kit.sources.frames import Frame

ENGINES = ("polars", "duckdb", "spark")
PLAIN_READERS = {"parquet"}  # what the engines read just as Polars does; other formats come to them through Polars


def predictions_of(engine: str, scanned: Scanned, frame: pl.LazyFrame) -> Frame:
    """Give the request log as a lazy frame of another engine.

    Parquet is read by the engine itself; text and Arrow files were parsed by Polars, so that all engines see the same values.

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
    return _duckdb(frame) if engine == "duckdb" else _spark(frame)


def _module(name: str, extra: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise MissingExtra.of(extra, name) from None


def _duckdb(frame: pl.LazyFrame) -> Frame:
    duckdb = _module("duckdb", "duckdb")
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    lazy: Frame = nw.from_native(connection.from_arrow(frame.collect().to_arrow()))
    return lazy


def _spark(frame: pl.LazyFrame) -> Frame:
    sql = _module("pyspark.sql", "spark")
    session = sql.SparkSession.builder.config("spark.sql.session.timeZone", "UTC").getOrCreate()
    lazy: Frame = nw.from_native(session.createDataFrame(frame.collect().to_arrow()))
    return lazy


def open_mapping(folder: Path, spec: dict[str, Any], name: str) -> Scanned:
    """Open a table that incident.yaml names by a mapping: {path}, {duckdb: file, table}.

    Raises
    ------
    BadInput
        When the mapping names no source the kit can open.
    """
    if "path" in spec:
        return scan(folder, (str(spec["path"]),), file=f"{FILE_NAME}: tables.{name}")
    raise BadInput(f"tables.{name} names no source that can be opened here", file=FILE_NAME, found=", ".join(spec),
                   expected="a path, or {duckdb: FILE, table: NAME}")


__all__ = ["ENGINES", "BadInput", "format_of", "open_mapping", "predictions_of"]
