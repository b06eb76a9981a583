"""The entry: find the changes of one metric's series."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from rca_kit.errors import BadInput
from rca_kit.stats.changepoint.gls import fit_steps
from rca_kit.stats.changepoint.known import known_precision
from rca_kit.stats.changepoint.model import search
from rca_kit.stats.changepoint.report import line_changes, spike_changes, spread_changes, step_changes
from rca_kit.stats.changepoint.result import VARIANCE, Change, ChangePoints
from rca_kit.stats.changepoint.robust import HALF_WINDOW, running_median
from rca_kit.stats.changepoint.series import MIN_VALUES, Series, read_series
from rca_kit.stats.changepoint.shape import relabel_sawtooth


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
    precision = known_precision(s, s.y - running_median(s.y, HALF_WINDOW), None) if s.known else s.precision
    model = search(y, precision, s, period)
    if model.lines is not None:
        found = line_changes(model, model.lines, s)
    else:
        found = step_changes(model)
        found += spread_changes(model, found)
        found += spike_changes(model, s, found)
    found.sort(key=lambda c: c.index)
    w = model.grid.at(model.steps.profile.phi)
    noise = float(np.sqrt(fit_steps(w, model.steps.cuts).rss / model.grid.n)) * scale
    placed = relabel_sawtooth(tuple(place(c, s, centre, scale) for c in found), s.y, s.index)
    return ChangePoints(placed, s.n,
                        model.seasons[-1].period if model.seasons else None, model.steps.profile.phi, noise)


def place(c: Change, s: Series, centre: float, scale: float) -> Change:
    """Translate from positions among the observed values and scaled units to those of the series given."""
    low, high = c.interval
    index = int(s.index[c.index])
    last = int(s.index[high - 1]) + 1
    first = int(s.index[low - 1]) + 1 if low > 0 else 0  # it may have begun in the missing buckets before
    shift = 0.0 if c.kind == VARIANCE else centre
    return replace(c, index=index, interval=(first, max(last, index + 1)), before=c.before * scale + shift,
                   after=c.after * scale + shift)
