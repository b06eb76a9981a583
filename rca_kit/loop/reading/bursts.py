"""A fault that comes and goes: it began with the first of its bursts, not with the one that stands out most."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rca_kit.aggregates.grid import DAY_S
from rca_kit.loop.reading.detect import Move, observe

Floats = NDArray[np.float64]

BURSTY = ("service", "stage", "output_nulls", "nulls")  # families of what a part does that dies and comes back
BURST_LEAST, BURST_CLEAR = 3, 20.0  # coarse buckets that a burst lasts; nats by which it must be told from calm
AS_HIGH = (0.5, 2.0)  # times the later burst's height: the same fault reaches about the same each time
BUCKET_MOST = 10.0  # nats that one bucket may add: a burst is more than one odd bucket


def first_burst(move: Move) -> Move:
    """The move as it is when it begins with the first of several bursts; itself where there is but one.

    Bursts are stretches of about the same height, told from calm by the log-likelihood ratio of the two levels summed over
    them (the maximal scoring segment, Bentley 1984), each within a day of the next.
    """
    while move.scan.kind in ("step", "box") and move.series.family in BURSTY and (start := _burst_before(move)) is not None:
        move = replace(move, scan=replace(move.scan, kind="box", box=replace(move.fit, start=start)))
    return move


def _burst_before(move: Move) -> int | None:
    """First coarse bucket of the clearest burst within a day before a move; None where none is clear."""
    value, error, seen = observe(move.series)
    n, start, day = np.asarray(seen.n, float), move.fit.start, DAY_S // move.series.grid.coarse_s
    x, ok = value - move.scan.season, np.isfinite(value) & np.isfinite(error) & (error > 0) & (n > 0)
    at = np.arange(x.size)
    before, during = ok & (at < start), ok & (at >= start) & (at < move.fit.end)
    if before.sum() < BURST_LEAST or not during.any():
        return None
    calm = float(np.median(x[before]))
    height = float(np.average(x[during], weights=n[during])) - calm
    scale = np.where(ok, error * max(move.scan.phi, 1.0), np.inf)
    gains = np.where(ok, np.clip((height * (x - calm) - height**2 / 2) / scale**2, -BUCKET_MOST, BUCKET_MOST), 0.0)
    gain, a, b = _highest(gains[:start])
    if gain < BURST_CLEAR or b - a < BURST_LEAST or start - b > day:
        return None
    here = ok & (at >= a) & (at < b)
    level = (float(np.average(x[here], weights=n[here])) - calm) / height
    return a if AS_HIGH[0] <= level <= AS_HIGH[1] else None


def _highest(gains: Floats) -> tuple[float, int, int]:
    """Sum, first and end of the stretch with the highest sum."""
    total = np.concatenate([[0.0], np.cumsum(gains)])
    lowest = np.minimum.accumulate(total)
    end = int(np.argmax(total - lowest))
    first = int(np.argmin(total[: end + 1]))
    return float(total[end] - total[first]), first, end
