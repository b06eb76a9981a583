"""A bounded, stated draw of whole requests from a table of any size, made where the rows are: for what is paired by id."""

from __future__ import annotations

import importlib
from typing import Any

import narwhals as nw
import polars as pl

from rca_kit.sources.collect import collect
from rca_kit.sources.draw import settled
from rca_kit.sources.frames import Frame

DRAWN = 300_000  # requests fetched: a mean is then known to 0.4 % of a standard deviation, a tenth of the usual margin
MAX_HELD = 5_000_000  # rows of a file or a Polars frame that are held whole, since they are in this process anyway
KEY = "_rca_kit_request"


def fetch_requests(frame: Frame, id: str | None, answers: tuple[str, str]) -> tuple[pl.DataFrame, str]:
    """Fetch a table of answers whole when it is small, else the rows of about `DRAWN` requests.

    A request is drawn when a hash of its id falls below a bound, so that all its rows come along: pairing, doubled rows and
    requests that one version did not answer are in the draw as they are in the table. Rows without an id are drawn by all their
    values. DuckDB, Spark and PostgreSQL draw the same requests each time.

    Parameters
    ----------
    frame : narwhals LazyFrame
    id : str, optional
        Column that names the request.
    answers : tuple of str
        Columns with the answers of both versions.

    Returns
    -------
    tuple of polars.DataFrame and str
        The rows, those of a draw in order of the id, and what was drawn of how much; "" when all rows are there.

    Raises
    ------
    RunFailed
        When the engine cannot answer.

    Examples
    --------
    >>> rows, note = fetch_requests(nw.from_native(pl.LazyFrame({"id": [1, 2]})), "id", ("id", "id"))
    >>> rows.height, note
    (2, '')
    """
    schema = frame.collect_schema()
    id = id if id in schema else None
    rows = int(collect(frame.select(nw.len().alias("n")))["n"][0])
    held = MAX_HELD if isinstance(frame.to_native(), pl.LazyFrame) else DRAWN
    if rows <= held or any(a not in schema for a in answers):
        return collect(frame), ""
    plain = [nw.col(c).cast(nw.String) for c, t in schema.items() if not t.is_nested() and c != id]
    by_values = nw.concat_str(plain, separator="|", ignore_nulls=True)
    key = by_values if id is None else nw.coalesce(nw.col(id).cast(nw.String), by_values)
    share = DRAWN / rows
    drawn = _below(frame.with_columns(key.alias(KEY)), share).drop(KEY).head(4 * DRAWN)
    found = settled(collect(drawn), *([id] if id else []))
    return found, f"{_facts(frame, id, answers, rows)}; drawn by a hash of {f'`{id}`' if id else 'their values'} and compared: " \
                  f"{share:.2%} of the requests, {found.height:,} rows"


def _facts(frame: Frame, id: str | None, answers: tuple[str, str], rows: int) -> str:
    """Say how much the table holds; requests are counted where it is."""
    if id is None:
        return f"the table holds {rows:,} rows"
    there = frame.filter(~nw.col(id).is_null()).select(
        nw.col(id), *((~nw.col(a).is_null()).cast(nw.Int8).alias(n) for a, n in zip(answers, ("_p", "_c"), strict=True)))
    one_side = (nw.col("_p") != nw.col("_c")).cast(nw.Int64).sum().alias("unmatched")
    requests = there.group_by(id).agg(nw.col("_p").max(), nw.col("_c").max(), nw.len().alias("_n"))
    found = collect(requests.select(nw.len().alias("requests"), nw.col("_n").sum().alias("rows"), one_side)).row(0, named=True)
    number = found["requests"] + rows - found["rows"]  # rows without an id are requests of their own
    return f"the table holds {rows:,} rows of {number:,} requests, {found['unmatched']:,} of them answered by one version only"


def _below(frame: Frame, share: float) -> Frame:
    """Keep the rows whose key has a hash in the lowest `share`: MD5, which engines have alike; Polars has a hash of its own."""
    native = frame.to_native()
    kept: Frame
    if isinstance(native, pl.LazyFrame):
        limit = pl.lit(int(share * 2**64), dtype=pl.UInt64)
        kept = nw.from_native(native.filter(pl.col(KEY).hash(0) < limit))
        return kept
    limit_hex = f"{int(share * 2**32):08x}"
    if frame.implementation.is_duckdb():
        duckdb = importlib.import_module("duckdb")
        digest = duckdb.FunctionExpression("md5", duckdb.ColumnExpression(KEY))
        kept = nw.from_native(native.filter(digest < duckdb.ConstantExpression(limit_hex)))
    elif frame.implementation.is_spark_like():
        from rca_kit.sources.spark import any_name

        functions = _spark_functions(native)
        kept = any_name(nw.from_native(native.filter(functions.md5(functions.col(KEY)) < functions.lit(limit_hex))))
    else:
        kept = nw.from_native(native.filter(native[KEY].hexdigest("md5") < limit_hex))  # Ibis
    return kept


def _spark_functions(native: Any) -> Any:
    connect = ".connect" in type(native).__module__
    return importlib.import_module("pyspark.sql.connect.functions" if connect else "pyspark.sql.functions")
