"""Microseconds since 1970 of a time column, written so that every engine can compute them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import narwhals as nw

DAY_US = 86_400_000_000


def micros(frame: nw.LazyFrame[Any] | nw.DataFrame[Any], column: str) -> nw.Expr:
    """Write a time column as whole microseconds since 1970 in UTC; times without a zone are taken as UTC.

    Engines disagree on how a span of time becomes a number, so there are three spellings: the difference to 1970
    (Polars, DuckDB), the cast that Spark defines as whole seconds since 1970, and calendar arithmetic from year to microsecond
    for SQL databases.

    Parameters
    ----------
    frame : narwhals frame
        Only its engine and schema are looked at.
    column : str
        A column of datetimes or dates.

    Examples
    --------
    >>> import polars as pl
    >>> frame = nw.from_native(pl.LazyFrame({"t": [datetime(1970, 1, 2, tzinfo=UTC)]}))
    >>> frame.select(t=micros(frame, "t")).collect()["t"].to_list()
    [86400000000]
    """
    dtype = frame.collect_schema()[column]
    engine = frame.implementation
    if engine.is_spark_like() and getattr(dtype, "time_zone", None) is not None:
        return nw.col(column).cast(nw.Int64) * 1_000_000 + nw.col(column).dt.microsecond().cast(nw.Int64)
    if engine.is_spark_like() or engine.is_ibis():
        return _of_calendar(nw.col(column), dated=dtype == nw.Date)
    if dtype == nw.Date:
        return (nw.col(column).cast(nw.Datetime("us")) - nw.lit(datetime(1970, 1, 1))).dt.total_microseconds()
    aware = getattr(dtype, "time_zone", None) is not None
    epoch = datetime(1970, 1, 1, tzinfo=UTC) if aware else datetime(1970, 1, 1)
    return (nw.col(column) - nw.lit(epoch)).dt.total_microseconds()


def epoch_us(when: datetime) -> int:
    """Microseconds since 1970 of one time.

    Examples
    --------
    >>> epoch_us(datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC))
    1000000
    """
    since = when.replace(tzinfo=when.tzinfo or UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _of_calendar(time: nw.Expr, *, dated: bool) -> nw.Expr:
    """Days of the proleptic Gregorian calendar, then the time of day; right from 1970 on."""
    year = time.dt.year().cast(nw.Int64)
    leap = (year - 1969) // 4 - (year - 1901) // 100 + (year - 1601) // 400
    days = (year - 1970) * 365 + leap + time.dt.ordinal_day().cast(nw.Int64) - 1
    if dated:
        return (days * DAY_US).cast(nw.Int64)
    seconds = time.dt.hour().cast(nw.Int64) * 3600 + time.dt.minute().cast(nw.Int64) * 60 + time.dt.second().cast(nw.Int64)
    return (days * DAY_US + seconds * 1_000_000 + time.dt.microsecond().cast(nw.Int64)).cast(nw.Int64)
