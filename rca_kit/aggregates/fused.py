"""The sums of a scan in three queries instead of dozens, for engines that run every query as a job of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import narwhals as nw
import polars as pl

from rca_kit.aggregates.cube import BUCKET, VALUE, Cube
from rca_kit.sources.collect import collect

NAME = "rk_name"  # which cube a row of the long table belongs to


def fused(
    frame: nw.LazyFrame[Any], keys: Mapping[str, tuple[str, bool]], sums: list[nw.Expr], measures: list[str]
) -> dict[str, Cube]:
    """Group by several keys in one query: rows are unpivoted to (cube, value) pairs, which engines do while they scan.

    Parameters
    ----------
    frame : narwhals LazyFrame
        With the bucket, the columns of the keys and those of the measures.
    keys : mapping of cube to (column, is a number)
        Each gives one cube over (bucket, value).
    sums : list of narwhals expressions
        Over the measures.
    measures : list of str
        The columns that `sums` reads.

    Returns
    -------
    dict of Cube
        As if each key had been grouped by itself.

    Examples
    --------
    >>> log = nw.from_native(pl.LazyFrame({"rk_bucket": [0, 0], "a": ["x", "y"], "b": [1, 1]}))
    >>> cubes = fused(log, {"A": ("a", False), "B": ("b", True)}, [nw.len().alias("n")], [])
    >>> cubes["B"].frame.rows()
    [(0, 1, 2)]
    """
    if not keys:
        return {}
    numbered = {column: str(i) for i, (column, _) in enumerate(keys.values())}
    wide = frame.select(BUCKET, *measures, *[nw.col(c).cast(nw.String).alias(f"rk_{i}") for c, i in numbered.items()])
    long = wide.unpivot([f"rk_{i}" for i in numbered.values()], index=[BUCKET, *measures], variable_name=NAME, value_name=VALUE)
    table = collect(long.group_by(NAME, BUCKET, VALUE).agg(*sums))
    parts = {name: part.drop(NAME) for (name,), part in table.group_by(NAME)}
    out = {}
    for cube, (column, number) in keys.items():
        part = parts.get(f"rk_{numbered[column]}", table.drop(NAME).clear())
        typed = part.with_columns(pl.col(VALUE).cast(pl.Int64) if number else pl.col(VALUE))
        out[cube] = Cube.of((BUCKET, VALUE), typed)
    return out
