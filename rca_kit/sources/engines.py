"""A case's files under another engine: DuckDB or Spark answers for the request log as a narwhals lazy frame."""

from __future__ import annotations

import narwhals as nw
import polars as pl

from rca_kit.sources.files import Scanned, temporary_file
from rca_kit.sources.frames import Frame
from rca_kit.sources.native import module, settle

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
    parquet = all(f.suffix.lower() in (".parquet", ".pq") and f.is_file() for f in scanned.files)
    plan = frame.explain(optimized=False)
    if parquet and schema == scanned.frame.collect_schema() and "FILTER" not in plan and "WITH_COLUMNS" not in plan:
        return [str(f) for f in scanned.files]
    target = temporary_file("log.parquet")
    frame.sink_parquet(target, compression="lz4")
    return [str(target)]


def _duckdb(files: list[str]) -> Frame:
    duckdb = module("duckdb", "duckdb")
    connection = duckdb.connect()
    settle(connection)
    lazy: Frame = nw.from_native(connection.read_parquet(files))
    return lazy


def _spark(files: list[str]) -> Frame:
    from rca_kit.sources.spark import any_name, session

    return any_name(nw.from_native(session().read.parquet(*files)))
