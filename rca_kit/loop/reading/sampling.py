"""A bounded, repeatable sample of rows, drawn inside the engine without a sort."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import narwhals as nw
import polars as pl

from rca_kit.findings.base import Window

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
        micros = (nw.col(time) - nw.lit(window.start)).dt.total_microseconds()
        inside = inside.filter((micros * 31 % MODULUS) < max(int(MODULUS * rows / expected), 1))
    native = inside.select(*[nw.col(c) for c in wanted]).to_native()
    if isinstance(native, pl.LazyFrame):
        out = native.collect(engine="streaming")
    else:
        out = inside.select(*[nw.col(c) for c in wanted]).collect(backend="polars").to_native()
    return out.sort(time, maintain_order=True).head(3 * rows)
