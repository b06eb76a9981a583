"""A fault that comes and goes: it began with the first of its bursts, not with the one that stands out most."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rca_kit.aggregates.grid import DAY_S
from rca_kit.loop.reading.detect import Move, observe
from rca_kit.stats.bursts import burst_like

BURSTY = ("service", "stage", "output_nulls", "nulls")  # families of what a part does that dies and comes back


def first_burst(move: Move) -> Move:
    """The move as it is when it begins with the first of several bursts, each within a day of the next; else itself."""
    if move.series.family not in BURSTY or move.scan.kind == "ramp":
        return move
    value, error, seen = observe(move.series)
    day, start = DAY_S // move.series.grid.coarse_s, move.fit.start
    while (before := burst_like(value, error, np.asarray(seen.n, float), move.scan, 0, start)) is not None:
        if start - before[1] > day:
            break
        start = before[0]
    earlier = replace(move.scan, kind="box", box=replace(move.fit, start=start))
    return move if start == move.fit.start else replace(move, scan=earlier)
