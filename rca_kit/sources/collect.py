"""The one place where results leave an engine: small tables as Polars frames, and engines' faults as clear errors."""

from __future__ import annotations

import re
from typing import Any

import narwhals as nw
import polars as pl

from rca_kit.errors import BadInput, RunFailed
from rca_kit.sources.secrets import scrub
from rca_kit.sources.times import UTC_US

# Libraries whose exceptions mean that an engine could not answer, by the first part of their module's name.
ENGINES = {"duckdb": "DuckDB", "_duckdb": "DuckDB", "pyspark": "Spark", "py4j": "Spark", "psycopg": "the database",
           "ibis": "the database", "sqlalchemy": "the database"}
MAX_FOUND = 200  # characters of an engine's own words that an error repeats
_CODE = re.compile(r"^\[[A-Z_.]+\]\s*")


def collect(frame: nw.LazyFrame[Any]) -> pl.DataFrame:
    """Bring a small result home as a Polars frame: aggregates and sampled rows, never a log.

    Parameters
    ----------
    frame : narwhals LazyFrame
        Polars streams; every other engine computes where its data are and sends the result.

    Raises
    ------
    RunFailed
        When the engine cannot answer: a connection that broke, a file that is damaged, memory that ran out.

    Examples
    --------
    >>> collect(nw.from_native(pl.LazyFrame({"a": [1, 2]})).select(nw.col("a").sum()))["a"].to_list()
    [3]
    """
    return collect_all([frame])[0]


def collect_all(frames: list[nw.LazyFrame[Any]]) -> list[pl.DataFrame]:
    """Collect several results: in one shared scan where the engine is Polars, one after the other elsewhere."""
    natives = [frame.to_native() for frame in frames]
    try:
        if all(isinstance(n, pl.LazyFrame) for n in natives):
            return pl.collect_all(natives, engine="streaming")
        return [_utc(frame.collect(backend="polars").to_native()) for frame in frames]
    except RunFailed:
        raise
    except Exception as error:
        failed = explained_engine(error)
        if failed is None:
            raise
        raise failed from None


def explained_engine(error: Exception) -> RunFailed | None:
    """Turn what an engine raises into one clear message without secrets; None when it is no engine's error.

    Examples
    --------
    >>> explained_engine(pl.exceptions.ComputeError("parquet: File out of specification")).message
    'the data could not be read to their end'
    >>> explained_engine(ValueError("x")) is None
    True
    """
    if isinstance(error, pl.exceptions.ComputeError | OSError):
        return RunFailed("the data could not be read to their end", found=first_line(error),
                         hint="a file may be damaged, or a connection broke; look at it, and run again")
    name = ENGINES.get(type(error).__module__.partition(".")[0])
    if name is None:
        return None
    return RunFailed(f"{name} stopped answering", found=first_line(error), hint="look at the source, and run again")


def cannot_open(error: Exception, source: str, hint: str | None = None) -> BadInput:
    """Give the error for a source that cannot be opened; what the engine said is cut short and holds no secrets."""
    return BadInput("cannot be opened", file=source, found=first_line(error), hint=hint)


def first_line(error: Exception) -> str:
    r"""What an engine said, in one line without secrets.

    Examples
    --------
    >>> first_line(ValueError("[TABLE_NOT_FOUND] no such table\nJVM stacktrace: ..."))
    'no such table'
    """
    lines = [line.strip() for line in scrub(str(error)).splitlines() if line.strip()]
    said = _CODE.sub("", lines[0]) if lines else type(error).__name__
    return said if len(said) <= MAX_FOUND else said[:MAX_FOUND - 1] + "…"


def _utc(frame: pl.DataFrame) -> pl.DataFrame:
    """Times with a zone in UTC microseconds, whatever the session of the engine says."""
    zoned = [n for n, t in frame.schema.items() if isinstance(t, pl.Datetime) and t.time_zone is not None and t != UTC_US]
    return frame.with_columns(pl.col(n).dt.convert_time_zone("UTC").cast(UTC_US) for n in zoned) if zoned else frame
