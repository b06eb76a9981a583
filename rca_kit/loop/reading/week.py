"""When the weekend of those who send the requests begins, as their traffic shows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rca_kit.aggregates.grid import DAY_S, TimeGrid

Floats = NDArray[np.float64]

# seconds by which a weekend may be ahead of that of UTC: all time zones, and weekends on Friday and Saturday
AHEAD = tuple(int(h * 3600) for h in np.arange(-12, 39, 0.5))
EITHER_LEAST = 20 * 3600  # seconds of weekend and of working days that the log must hold
CLEARER = 0.75  # squared misfit, as a part of that under UTC's days, from which other days are believed


def weekend_ahead(requests: Floats, grid: TimeGrid) -> int:
    """Seconds by which the weekend is ahead of UTC's; 0 where the traffic tells of no other.

    The hours of the day have one mean on working days and one on weekends; the days that leave the least of the logarithm of
    the counts unexplained are believed where they leave clearly less than UTC's, and than any change for good at one moment.
    Both ends of a weekend must be in the log.

    Parameters
    ----------
    requests : (grid.n_coarse,) array of float
        Requests per coarse bucket.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> grid = TimeGrid.over(datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 15, tzinfo=UTC))
    >>> off = replace(grid, ahead_s=6 * 3600).weekend(coarse=True)  # in Almaty, it begins on Friday evening
    >>> weekend_ahead(np.where(off, 30.0, 100.0), grid) / 3600
    6.0
    """
    used = requests > 0
    if grid.coarse_s > 6 * 3600 or used.sum() < 2:
        return 0
    value, weight = np.log(requests[used]), requests[used]
    hour = (grid.seconds(coarse=True)[used] % DAY_S) // max(grid.coarse_s, 3600)

    def misfit(kind: NDArray[np.bool_]) -> float:
        cell = 24 * kind + hour
        mean = np.bincount(cell, weight * value, 48) / np.maximum(np.bincount(cell, weight, 48), 1e-12)
        return float((weight * (value - mean[cell]) ** 2).sum())

    found, rival = {}, np.inf
    for ahead in AHEAD:
        off = replace(grid, ahead_s=ahead).weekend(coarse=True)[used]
        turns = np.flatnonzero(np.diff(off.astype(int))) + 1
        for turn in turns:  # a change for good at its beginning or end
            rival = min(rival, misfit(np.arange(off.size) >= turn))
        if min(off.sum(), (~off).sum()) * grid.coarse_s >= EITHER_LEAST and turns.size >= 2:
            found[ahead] = misfit(off)
    own = misfit(grid.weekend(coarse=True)[used])
    best = min(found, key=lambda a: (found[a], abs(a)), default=0)
    return best if found and found[best] < CLEARER * min(own, rival) else 0
