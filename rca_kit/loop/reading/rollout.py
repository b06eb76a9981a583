"""A version that came in stages: its share of the traffic climbs step by step, and the metric goes with the share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from rca_kit.errors import BadInput
from rca_kit.loop.reading.detect import Move, observe
from rca_kit.loop.reading.picture import Picture
from rca_kit.loop.reading.series import Series

Floats = NDArray[np.float64]

LEAST_STAGE = 0.02  # of the traffic: what a stage adds at least,
NEXT_STAGE = 0.25  # and of the share so far: a smaller change is that of the traffic's mix
CLEARLY = 6.0  # nats by which the share must tell the metric better than one step at the onset does (as for a ramp)


@dataclass(frozen=True)
class Rollout:
    """A version's stages: when each began, the share of the traffic since, and the bounds of the first one's start."""

    version: str
    stages: tuple[tuple[datetime, float], ...]
    interval: tuple[datetime, datetime]

    def says(self) -> str:
        """Name the stages."""
        parts = [f"{share:.0%} from {when:%Y-%m-%d %H:%M}" for when, share in self.stages]
        return f"in stages, with the share of {self.version}: {', '.join(parts)}"


def rollout_behind(picture: Picture, move: Move) -> Rollout | None:
    """Find the version whose share, in two stages or more, tells a metric better than a single step does; None without one."""
    best: tuple[float, Rollout] | None = None
    for series in picture.series.values():
        if series.family != "version":
            continue
        gain = _gain(move, series)
        if gain < CLEARLY:
            continue
        rollout = _stages(picture, series)
        if rollout is not None and (best is None or gain > best[0]):
            best = gain, rollout
    return None if best is None else best[1]


def _gain(move: Move, version: Series) -> float:
    """Nats by which the share of a version tells a series better than its best step; noise as wide as the scan found it.

    Nothing where a rise that began at a time of its own tells it better still: what grows by itself owes a rollout nothing.
    """
    if move.fit is None or move.scan.step is None:
        return 0.0
    value, error, _ = observe(move.series)
    share = version.detection().value
    ok = np.isfinite(value) & np.isfinite(share) & (error > 0)
    if ok.sum() < 8:
        return 0.0
    y, weight = (value - move.scan.season)[ok], 1 / error[ok] ** 2
    step = (np.arange(value.size) >= move.scan.step.start).astype(np.float64)[ok]
    told = _left(y, share[ok], weight)
    if move.scan.ramp is not None:
        rise = np.maximum(np.arange(value.size) - move.scan.ramp.start + 1.0, 0.0)[ok]
        if _left(y, rise, weight) < told:
            return 0.0
    inflation = max(move.scan.phi, 1.0) ** 2 * (1 + move.scan.rho) / (1 - move.scan.rho)
    return (_left(y, step, weight) - told) / 2 / inflation


def _left(y: Floats, x: Floats, weight: Floats) -> float:
    """Weighted residual sum of squares of a straight line in x."""
    mass = weight.sum()
    x, y = x - (weight * x).sum() / mass, y - (weight * y).sum() / mass
    xx = float((weight * x * x).sum())
    return float((weight * y * y).sum()) - (float((weight * x * y).sum()) ** 2 / xx if xx > 0 else 0.0)


def _stages(picture: Picture, series: Series) -> Rollout | None:
    """Stages of one version, when there are two or more and it never lost a stage.

    The stretches without and with nothing but the version need no statistics; stages are looked for between them.
    """
    from rca_kit.stats.changepoint import find_changes

    share, _, trials = series.detection()
    part = np.flatnonzero(share > 0)
    whole = np.flatnonzero(np.isfinite(share) & (share < 1))
    if not part.size or not whole.size:
        return None
    low, high = int(part[0]), int(whole[-1]) + 1
    try:
        moved = find_changes(share[low:high], trials=np.nan_to_num(trials[low:high]))
    except BadInput:  # rates that cannot be read tell no stages
        return None
    inner = [c for c in moved if c.kind == "mean" and abs(c.change) >= max(LEAST_STAGE, NEXT_STAGE * c.before)]
    end = inner[0].index if inner else high - low
    first = [(low, float(np.nanmean(share[low : low + end])))] if low > 0 and end > 0 else []
    stages = [*first, *((low + c.index, float(c.after)) for c in inner)]
    if 0 < high < share.size:
        stages.append((high, 1.0))
    levels = [level for _, level in stages]
    if len(stages) < 2 or levels != sorted(levels):
        return None
    a, b = (low, low + 1) if first else (low + inner[0].interval[0], low + inner[0].interval[1]) if inner else (high, high + 1)
    grid = picture.grid
    bounds = grid.time(a, coarse=True), grid.time(min(b, grid.n_coarse), coarse=True)
    return Rollout(series.name.partition("=")[2], tuple((grid.time(i, coarse=True), x) for i, x in stages), bounds)
