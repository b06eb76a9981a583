"""A bounded, repeatable sample of rows, drawn inside the engine without a sort."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import narwhals as nw
import polars as pl

from rca_kit.findings.base import Window
from rca_kit.sources.clock import epoch_us, micros
from rca_kit.sources.collect import collect

MODULUS = 99_991  # a prime: round times (whole seconds, five-minute ticks) still spread evenly over its residues


def sample_rows(
    frame: nw.LazyFrame[Any], time: str, window: Window, columns: Sequence[str], rows: int, expected: float
) -> pl.DataFrame:
    """Fetch about `rows` rows of a window, the same ones each time, in order of time.

    A row is taken when its time in microseconds falls into the first part of the residues of a prime, so no engine has to
    number, sort or shuffle rows.

    Parameters
    ----------
    frame : narwhals LazyFrame
        The request log; `time` is UTC.
    window : Window
    columns : sequence of str
        Columns to fetch beside the time.
    rows : int
        How many are wanted.
    expected : float
        How many the window holds.
    """
    wanted = list(dict.fromkeys([time, *columns]))
    inside = frame.filter((nw.col(time) >= window.start) & (nw.col(time) < window.end))
    if expected > rows:
        since = micros(frame, time) - epoch_us(window.start)
        inside = inside.filter((since * 31 % MODULUS) < max(int(MODULUS * rows / expected), 1))
    out = collect(inside.select(*[nw.col(c) for c in wanted]))
    return settled(out, time).head(3 * rows)


def settled(rows: pl.DataFrame, *first: str) -> pl.DataFrame:
    """Sort rows by some columns, and equal ones by all others: engines give them in any order.

    Examples
    --------
    >>> settled(pl.DataFrame({"a": [2, 1], "t": [0, 0]}), "t")["a"].to_list()
    [1, 2]
    """
    others = [c for c, t in rows.schema.items() if c not in first and not t.is_nested() and t not in (pl.Binary, pl.Object)]
    return rows.sort([*first, *others], nulls_last=True, maintain_order=True)
