"""The entry: find the changes of one metric's series."""

from __future__ import annotations

from typing import Any

import numpy as np

from rca_kit.stats.changepoint.gls import fit_steps
from rca_kit.stats.changepoint.onset import position_interval
from rca_kit.stats.changepoint.result import MEAN, STEP, Change, ChangePoints
from rca_kit.stats.changepoint.robust import winsorise
from rca_kit.stats.changepoint.series import MIN_VALUES, read_series
from rca_kit.stats.changepoint.steps import Grid, search_steps


def find_changes(values: Any, trials: Any = None, times: Any = None, period: int | None = None, *,
                 standard_errors: Any = None) -> ChangePoints:
    """Find where a metric's series changed, with defaults that need no tuning.

    Parameters
    ----------
    values : (n,) array-like of float
        One value per time bucket, in order; NaN = missing.
    trials : (n,) array-like, optional
        Counts when the values are rates k / n.
    times : (n,) array-like, optional
        Increasing times of the buckets, where their spacing is not even.
    period : int, optional
        Season in buckets; looked for when not given.
    standard_errors : (n,) array-like, optional
        Standard error of each value, where known (an AUC, a percentile).

    Returns
    -------
    ChangePoints
        With `.indices` (first index of each new regime) and half-open 90% `.intervals`.

    Raises
    ------
    BadInput
        On infinite values, rates outside 0..1, lengths that differ.

    Examples
    --------
    >>> find_changes([1.0, 1.2, 0.9, 1.1, 1.0, 0.8, 5.1, 4.9, 5.2, 5.0, 4.8, 5.1]).indices
    (6,)
    """
    s = read_series(values, trials, times, standard_errors)
    if len(s.y) < MIN_VALUES:
        return ChangePoints((), s.n, note=f"only {len(s.y)} values, {MIN_VALUES} are needed")
    scale = float(np.std(s.y))
    if scale <= 1e-12 * max(1.0, float(np.abs(s.y).max())):
        return ChangePoints((), s.n, note="constant")
    centre = float(np.median(s.y))
    y = winsorise((s.y - centre) / scale, s.precision)
    precision = s.precision / float(np.median(s.precision))
    grid = Grid(y, precision, s.gap)
    model = search_steps(grid)
    w = grid.at(round(model.profile.phi, 1))
    fit = fit_steps(w, model.cuts)
    edges = (0, *model.cuts, grid.n)
    levels = fit.levels * scale + centre
    changes = []
    for i, cut in enumerate(model.cuts):
        low, high = position_interval(w, edges[i], edges[i + 2], fit.rss / grid.n)
        last = int(s.index[high]) if high < grid.n else s.n
        changes.append(Change(int(s.index[cut]), (int(s.index[low]), max(last, int(s.index[cut]) + 1)), float(levels[i]),
                              float(levels[i + 1]), 0.01, STEP, MEAN))
    return ChangePoints(tuple(changes), s.n, period, model.profile.phi, float(np.sqrt(fit.rss / grid.n)) * scale)
