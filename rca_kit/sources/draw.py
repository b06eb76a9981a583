"""A bounded, repeatable draw of rows, made inside the engine without numbering, sorting or shuffling."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import narwhals as nw
import polars as pl

from rca_kit.sources.clock import epoch_us, micros
from rca_kit.sources.collect import collect

MODULUS = 99_991  # a prime: round times (whole seconds, five-minute ticks) still spread evenly over its residues


def draw(
    frame: nw.LazyFrame[Any], time: str, start: datetime, columns: Sequence[str], rows: int, expected: float
) -> pl.DataFrame:
    """Fetch about `rows` of the rows of a log, the same ones in every engine and each time, in order of time.

    A row is taken when its time in microseconds falls into the first part of the residues of a prime.

    Parameters
    ----------
    frame : narwhals LazyFrame
    time : str
        Column of times.
    start : datetime
        No row is earlier.
    columns : sequence of str
        Columns to fetch beside the time.
    rows : int
        How many are wanted; all when there are no more.
    expected : float
        How many there are.
    """
    wanted = list(dict.fromkeys([time, *columns]))
    if expected > rows:
        since = micros(frame, time) - epoch_us(start)
        frame = frame.filter((since * 31 % MODULUS) < max(int(MODULUS * rows / expected), 1))
    out = collect(frame.select(*[nw.col(c) for c in wanted]).head(4 * rows))
    return settled(out, time).head(3 * rows)


def settled(rows: pl.DataFrame, *first: str) -> pl.DataFrame:
    """Sort rows by some columns, and equal ones by all others: engines give them in any order.

    Examples
    --------
    >>> settled(pl.DataFrame({"a": [2, 1], "t": [0, 0]}), "t")["a"].to_list()
    [1, 2]
    """
    others = [c for c, t in rows.schema.items() if c not in first and not t.is_nested() and t not in (pl.Binary, pl.Object)]
    if not first:
        return rows.sort(others, nulls_last=True, maintain_order=True)
    ordered = rows.sort(first, nulls_last=True, maintain_order=True)
    repeats = ordered.select(pl.all_horizontal(pl.col(c).eq_missing(pl.col(c).shift()) for c in first).alias("r"))["r"]
    equal = repeats | repeats.shift(-1, fill_value=False)
    if not equal.any():
        return ordered
    # comparing thirty columns takes long, and few rows need it
    sorted_out = ordered.filter(equal).sort([*first, *others], nulls_last=True, maintain_order=True)
    return pl.concat([ordered.filter(~equal), sorted_out]).sort(first, nulls_last=True, maintain_order=True)
