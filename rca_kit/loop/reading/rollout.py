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

LEAST_STAGE = 0.02  # of the traffic: what a stage adds at least
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
    """Nats by which the share of a version tells a series better than its best step; noise as wide as the scan found it."""
    if move.fit is None or move.scan.step is None:
        return 0.0
    value, error, _ = observe(move.series)
    share = version.detection().value
    ok = np.isfinite(value) & np.isfinite(share) & (error > 0)
    if ok.sum() < 8:
        return 0.0
    y, weight = (value - move.scan.season)[ok], 1 / error[ok] ** 2
    step = (np.arange(value.size) >= move.scan.step.start).astype(np.float64)[ok]
    inflation = max(move.scan.phi, 1.0) ** 2 * (1 + move.scan.rho) / (1 - move.scan.rho)
    return (_left(y, step, weight) - _left(y, share[ok], weight)) / 2 / inflation


def _left(y: Floats, x: Floats, weight: Floats) -> float:
    """Weighted residual sum of squares of a straight line in x."""
    mass = weight.sum()
    x, y = x - (weight * x).sum() / mass, y - (weight * y).sum() / mass
    xx = float((weight * x * x).sum())
    return float((weight * y * y).sum()) - (float((weight * x * y).sum()) ** 2 / xx if xx > 0 else 0.0)


def _stages(picture: Picture, series: Series) -> Rollout | None:
    """Stages of one version, when there are two or more and it never lost a stage."""
    from rca_kit.stats.changepoint import find_changes

    share, _, trials = series.detection()
    try:
        moved = find_changes(share, trials=np.nan_to_num(trials))
    except BadInput:  # too short a log to tell stages
        return None
    found = [c for c in moved if c.kind == "mean" and abs(c.change) >= LEAST_STAGE]
    if len(found) < 2 or any(c.change < 0 for c in found):
        return None
    grid = picture.grid
    version = str(series.name.partition("=")[2])
    stages = tuple((grid.time(c.index, coarse=True), float(c.after)) for c in found)
    low, high = found[0].interval
    return Rollout(version, stages, (grid.time(low, coarse=True), grid.time(min(high, grid.n_coarse - 1), coarse=True)))
