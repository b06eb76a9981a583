"""Spark behind narwhals: columns of any name, sessions, naive times."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from functools import cache
from typing import Any

import narwhals as nw

from rca_kit.errors import BadInput, MissingExtra

Frame = nw.LazyFrame[Any]
JAVA_HINT = "Spark needs Java 17 or newer: install openjdk-17-jre-headless, or set JAVA_HOME"


def any_name(frame: Frame) -> Frame:
    """Let a Spark frame be asked for columns whose names hold dots or backticks, which Spark reads as paths into structs."""
    inner = frame._compliant_frame
    quoting = _quoting()
    if isinstance(inner, quoting):
        return frame
    made: Frame = quoting(inner.native, version=inner._version, implementation=inner._implementation).to_narwhals()
    return made


def quoted(name: str) -> str:
    """Write a column name so that Spark takes it as it stands.

    Examples
    --------
    >>> quoted("total.ms"), quoted("device")
    ('`total.ms`', 'device')
    """
    return "`" + name.replace("`", "``") + "`" if "." in name or "`" in name else name


@cache
def _quoting() -> Any:
    # narwhals 2 hands names to Spark unquoted (its issue tracker knows); this goes when it quotes them itself
    from narwhals._spark_like.dataframe import SparkLikeLazyFrame

    class Functions:
        def __init__(self, functions: Any) -> None:
            self._functions = functions

        def __getattr__(self, name: str) -> Any:
            return getattr(self._functions, name)

        def col(self, name: str) -> Any:
            return self._functions.col(quoted(name))

    class Quoting(SparkLikeLazyFrame):
        @property
        def _F(self) -> Any:  # noqa: N802
            return Functions(super()._F)

        def simple_select(self, *column_names: str) -> Any:
            return super().simple_select(*map(quoted, column_names))

        def drop(self, columns: Sequence[str], *, strict: bool) -> Any:
            left = [c for c in self.columns if c not in set(columns)]
            return self.simple_select(*left)

        def unpivot(self, on: Sequence[str] | None, index: Sequence[str] | None, variable_name: str, value_name: str) -> Any:
            names = [quoted(c) for c in on] if on is not None else None
            return super().unpivot(names, [quoted(c) for c in index or ()], variable_name, value_name)

    return Quoting


def session() -> Any:
    """Give the Spark session that is active, or start a local one with times in UTC.

    Raises
    ------
    MissingExtra
        When PySpark is not installed.
    BadInput
        When Spark cannot start.
    """
    try:
        sql = importlib.import_module("pyspark.sql")
    except ImportError:
        raise MissingExtra.of("spark", "pyspark") from None
    active = sql.SparkSession.getActiveSession()
    if active is not None:
        return active
    try:
        # Spark draws progress bars by itself, over ours and into reports
        return (sql.SparkSession.builder.appName("rca-kit").config("spark.sql.session.timeZone", "UTC")
                .config("spark.ui.showConsoleProgress", "false")
                .config("spark.python.sql.dataFrameDebugging.enabled", "false").getOrCreate())
    except Exception as error:
        from rca_kit.sources.collect import cannot_open

        raise cannot_open(error, "Spark", JAVA_HINT) from None


def read_table(name: str, where: str) -> Any:
    """Open a table or view of the active session's catalog.

    Raises
    ------
    BadInput
        When there is no such table.
    """
    spark = session()
    try:
        table = spark.table(name)
        assert table.columns
        return table
    except Exception as error:
        from rca_kit.sources.collect import first_line

        raise BadInput(f"there is no Spark table `{name}`", file=where, found=first_line(error),
                       hint="name it as catalog.database.table, and register temporary views before the case is opened") from None


def in_utc(table: Any) -> Any:
    """Make naive times times in UTC, whatever zone the session is in."""
    connect = ".connect" in type(table).__module__
    functions = importlib.import_module("pyspark.sql.connect.functions" if connect else "pyspark.sql.functions")
    naive = [f.name for f in table.schema.fields if f.dataType.typeName() == "timestamp_ntz"]
    if not naive:
        return table
    zone = table.sparkSession.conf.get("spark.sql.session.timeZone")
    utc, here = functions.lit("UTC"), functions.lit(zone)
    shifted = {n: functions.convert_timezone(utc, here, functions.col(quoted(n))).cast("timestamp") for n in naive}
    return table.withColumns(shifted)
