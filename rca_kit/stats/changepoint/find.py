"""The entry: find the changes of one metric's series."""

from __future__ import annotations

from typing import Any

import numpy as np

from rca_kit.errors import BadInput
from rca_kit.stats.changepoint.gls import fit_steps
from rca_kit.stats.changepoint.lines import line_cost, step_cost
from rca_kit.stats.changepoint.onset import position_interval
from rca_kit.stats.changepoint.result import MEAN, STEP, Change, ChangePoints
from rca_kit.stats.changepoint.robust import winsorise
from rca_kit.stats.changepoint.season import Season, find_season, fit_season, moving_level, on_grid
from rca_kit.stats.changepoint.segments import describe_lines
from rca_kit.stats.changepoint.series import MIN_VALUES, Array, Series, read_series
from rca_kit.stats.changepoint.steps import Grid, StepModel, search_steps


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
    if period is not None and (int(period) != period or period < 1):
        raise BadInput("`period` must be a whole number of buckets", found=str(period), expected="2 or more, or None")
    if len(s.y) < MIN_VALUES:
        return ChangePoints((), s.n, note=f"only {len(s.y)} values, {MIN_VALUES} are needed")
    scale = float(np.std(s.y))
    if scale <= 1e-12 * max(1.0, float(np.abs(s.y).max())):
        return ChangePoints((), s.n, note="constant")
    centre = float(np.median(s.y))
    y = (s.y - centre) / scale
    precision = s.precision / float(np.median(s.precision))
    season = first_season(y, precision, s, period)
    flat = y if season is None else y - season.at(s.index)
    grid = Grid(winsorise(flat, precision), precision, s.gap)
    model = search_steps(grid)
    if season is not None:  # once more, now that the levels are known
        w = grid.at(model.profile.phi)
        levels = spread(fit_steps(w, model.cuts).levels, model.cuts, grid.n)
        season = fit_season(y - levels, precision, s.index, season.period)
        flat = y - season.at(s.index)
        grid = Grid(winsorise(flat, precision), precision, s.gap)
        model = search_steps(grid)
    position = np.cumsum(s.gap)
    if model.cuts:
        cuts = describe_lines(flat, position, precision**2)
        if line_cost(grid, position, cuts) < step_cost(model):
            model = StepModel(cuts, model.profile, model.null, 0)
    w = grid.at(model.profile.phi)
    fit = fit_steps(w, model.cuts)
    edges = (0, *model.cuts, grid.n)
    levels = fit.levels * scale + centre
    changes = []
    for i, cut in enumerate(model.cuts):
        low, high = position_interval(w, edges[i], edges[i + 2], fit.rss / grid.n)
        last = int(s.index[high]) if high < grid.n else s.n
        changes.append(Change(int(s.index[cut]), (int(s.index[low]), max(last, int(s.index[cut]) + 1)), float(levels[i]),
                              float(levels[i + 1]), 0.01, STEP, MEAN))
    found = season.period if season is not None else None
    return ChangePoints(tuple(changes), s.n, found, model.profile.phi, float(np.sqrt(fit.rss / grid.n)) * scale)


def first_season(y: Array, precision: Array, s: Series, period: int | None) -> Season | None:
    """The season given, or one that is found, around a moving level."""
    if period is None:
        return find_season(y, precision, s.index, s.n)
    if period < 2 or s.n < 2 * period:
        return None
    full = on_grid(y, s.index, s.n)
    return fit_season(y - moving_level(full, period)[s.index], precision, s.index, period)


def spread(levels: Array, cuts: tuple[int, ...], n: int) -> Array:
    """One level per segment -> one level per observation."""
    return np.asarray(np.repeat(levels, np.diff([0, *cuts, n])))
