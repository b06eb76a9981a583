"""A bounded, repeatable sample of rows of a window."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import narwhals as nw
import polars as pl

from rca_kit.findings.base import Window
from rca_kit.sources.draw import draw


def sample_rows(
    frame: nw.LazyFrame[Any], time: str, window: Window, columns: Sequence[str], rows: int, expected: float
) -> pl.DataFrame:
    """Fetch about `rows` rows of a window, the same ones each time, in order of time; see `rca_kit.sources.draw`.

    Parameters
    ----------
    frame : narwhals LazyFrame
        The request log; `time` is UTC.
    time : str
        Column of the request's time.
    window : Window
    columns : sequence of str
        Columns to fetch beside the time.
    rows : int
        How many are wanted.
    expected : float
        How many the window holds.
    """
    inside = frame.filter((nw.col(time) >= window.start) & (nw.col(time) < window.end))
    return draw(inside, time, window.start, columns, rows, expected)
