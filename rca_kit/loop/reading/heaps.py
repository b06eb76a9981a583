"""Since when values of a feature heap up: a constant in a small segment moves no mean, and yet one range of values fills."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rca_kit.aggregates.grid import DAY_S
from rca_kit.loop.reading.picture import Picture

Floats = NDArray[np.float64]

GAIN_LEAST = 0.02  # share of the requests that a range of values must gain: less moves nothing
Z_LEAST = 5.5  # twenty ranges of some dozens of features at hundreds of starts: one quiet log in 200; then values must agree
ROWS_LEAST = 20.0  # rows more than usual: of fewer the errors are no bell
EARLY = 0.4  # first part of the log that tells what is usual, by hour of the day where it holds a whole day
PSEUDO_ROWS = 20.0  # rows of the usual share that are added to each hour's: an hour with few tells little


def heap_since(picture: Picture) -> int | None:
    """Coarse bucket since when one range of a numeric feature's values holds clearly more of the requests; None where none does.

    The ranges are the twentieths that the aggregates count. A gain is measured against the same hours of the log's first part, in
    standard errors times the overdispersion that the range shows there.
    """
    grid = picture.grid
    last = min(grid.index(picture.detected_at) // grid.coarse, grid.n_coarse - 1)
    early = max(int(EARLY * grid.n_coarse), 1)
    starts = np.arange(early, last + 1)
    seconds = int(grid.origin.timestamp()) + np.arange(grid.n_coarse) * grid.coarse_s
    whole_day = early * grid.coarse_s >= DAY_S > grid.coarse_s
    hours = (seconds % DAY_S) // 3600 if whole_day else np.zeros(grid.n_coarse, np.intp)
    best: tuple[float, int] | None = None
    for plan in picture.aggregates.plan.features:
        cube = picture.aggregates.cubes.get(f"feature:{plan.column}")
        if not plan.numeric or cube is None or not starts.size:
            continue
        counts = np.array([row for value, row in cube.by_value("n", grid.n_coarse).items() if value is not None])
        found = _strongest(counts, starts, hours.astype(np.intp), early) if len(counts) > 1 else None
        if found is not None and (best is None or found[0] > best[0]):
            best = found
    return best[1] if best else None


def _strongest(counts: Floats, starts: NDArray[np.intp], hours: NDArray[np.intp], early: int) -> tuple[float, int] | None:
    """Evidence and start of the clearest gain of one range; `counts` of shape (ranges, buckets), `hours` labels of buckets."""
    rows, first = counts.sum(0), slice(0, early)
    known = float(rows[first].sum())
    if known <= 0:
        return None
    usual = counts[:, first].sum(1, keepdims=True) / known
    by_hour = np.zeros((counts.shape[0], int(hours.max()) + 1))
    np.add.at(by_hour.T, hours[first], counts[:, first].T)
    seen = np.bincount(hours[first], rows[first], by_hour.shape[1])
    share = ((by_hour + PSEUDO_ROWS * usual) / (seen + PSEUDO_ROWS))[:, hours]
    more, noise = counts - rows * share, rows * share * (1 - share)
    phi = np.sqrt(np.maximum((more[:, first] ** 2).sum(1) / np.maximum(noise[:, first].sum(1), 1e-9), 1.0))
    gained, spread, n = (np.cumsum(x[..., ::-1], -1)[..., ::-1][..., starts] for x in (more, noise, rows))
    with np.errstate(divide="ignore", invalid="ignore"):
        z = gained / np.sqrt(spread * (1 + n / known)) / phi[:, None]
        z = np.where((n > 0) & (gained >= np.maximum(GAIN_LEAST * n, ROWS_LEAST)), z, 0.0)
    at = int(np.argmax(z))
    top = float(z.flat[at])
    return (top, int(starts[at % starts.size])) if top >= Z_LEAST else None
