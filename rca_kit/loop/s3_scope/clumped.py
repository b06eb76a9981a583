"""Rows that come in clumps and share a value: the results of one search share its latency, so eight rows tell as much as one."""

from __future__ import annotations

from typing import Any

import narwhals as nw
import numpy as np

from rca_kit.findings.base import Window
from rca_kit.loop.reading.picture import Picture
from rca_kit.sources.collect import collect
from rca_kit.stats.clumps import design_effect

MOST_ROWS = 50_000  # the last of the before window: correlations are then known to 0.005, a tenth of the least that counts
CALM = 0.8  # part of the before window in which no fault is at work yet


def clumps_of(frame: nw.LazyFrame[Any], picture: Picture, row: nw.Expr) -> float:
    """Design effect of a badness per row, from rows before: a fault comes in bursts that are no clumps.

    The last part of before is left out, since a fault may have begun there unseen.
    """
    time, before, grid = nw.col(picture.aggregates.plan.columns.time), picture.windows[0], picture.grid
    end = before.start + CALM * (before.end - before.start)
    counts = picture.aggregates.cubes["time"].dense("n", grid.n) * grid.inside(Window(before.start, end))
    held = np.flatnonzero(counts)
    if not held.size:
        return 1.0
    since = min(int(np.count_nonzero(np.cumsum(counts[::-1]) > MOST_ROWS)), int(held[-1]))  # earlier buckets are not asked
    start, crowd = max(before.start, grid.time(since)), float(counts[since]) / MOST_ROWS
    if crowd > 1:  # the last bucket alone is too much: its end
        start = max(start, min(end, grid.time(since + 1)) - (grid.time(since + 1) - grid.time(since)) / crowd)
    own = frame.filter((time >= start) & (time < end))
    rows = collect(own.select(time.alias("t"), row.cast(nw.Float64).alias("x")))
    values = rows.sort("t", maintain_order=True)["x"].drop_nulls().to_numpy()
    return design_effect(values[np.isfinite(values)])
