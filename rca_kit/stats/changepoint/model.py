"""From a series to what changed in it: seasons taken out, outliers pulled in, steps or lines searched."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rca_kit.stats.changepoint.gls import fit_steps
from rca_kit.stats.changepoint.lines import line_cost, step_cost
from rca_kit.stats.changepoint.robust import winsorise
from rca_kit.stats.changepoint.season import PRICE, Season, find_season, fit_season, moving_level, on_grid
from rca_kit.stats.changepoint.segments import describe_lines
from rca_kit.stats.changepoint.series import Array, Series
from rca_kit.stats.changepoint.steps import Grid, StepModel, search_steps

WEEK = 7  # the longer season that goes with a daily one
LOOK_FOR_LINES = 0.45  # AR coefficient without changes above which a series may be wandering although no single step pays


@dataclass(frozen=True)
class Model:
    """What was found in the scaled series."""

    y: Array  # scaled values
    flat: Array  # less the seasons
    grid: Grid  # of the winsorised flat series
    steps: StepModel
    seasons: tuple[Season, ...]
    lines: tuple[int, ...] | None  # cuts of the partition into lines when that describes it better

    @property
    def fitted(self) -> Array:
        """Level of the steps at each observation."""
        w = self.grid.at(self.steps.profile.phi)
        return spread(fit_steps(w, self.steps.cuts).levels, self.steps.cuts, self.grid.n)


def spread(levels: Array, cuts: tuple[int, ...], n: int) -> Array:
    """One level per segment -> one level per observation."""
    return np.asarray(np.repeat(levels, np.diff([0, *cuts, n])))


def search(y: Array, precision: Array, s: Series, period: int | None) -> Model:
    """Search the scaled values `y`."""
    seasons = first_seasons(y, precision, s, period)
    model = _search_flat(y, precision, s, seasons)
    if seasons:
        model = _search_again(model, precision, s)
        model = _with_week(model, precision, s, period)
    return _lines_or_steps(model, precision, s)


def first_seasons(y: Array, precision: Array, s: Series, period: int | None) -> tuple[Season, ...]:
    """The season given, or one that is found, around a moving level."""
    if period is None:
        found = find_season(y, precision, s.index, s.n)
        return () if found is None else (found,)
    if period < 2 or s.n < 2 * period:
        return ()
    if period % WEEK == 0 and period > WEEK and s.n < (2 * WEEK) * period:
        found = find_season(y, precision, s.index, s.n)
        if found is not None and period % found.period == 0 and found.period < period:
            return (found,)
    full = on_grid(y, s.index, s.n)
    return (fit_season(y - moving_level(full, period)[s.index], precision, s.index, period),)


def _search_flat(y: Array, precision: Array, s: Series, seasons: tuple[Season, ...]) -> Model:
    flat = y.copy()
    for season in seasons:
        flat -= season.at(s.index)
    grid = Grid(winsorise(flat, precision), precision, s.gap)
    return Model(y, flat, grid, search_steps(grid), seasons, None)


def _search_again(model: Model, precision: Array, s: Series) -> Model:
    """Once more, now that the levels are known: each season around them and the other seasons."""
    seasons = list(model.seasons)
    levels = model.fitted
    for i, season in enumerate(seasons):
        others = sum((x.at(s.index) for j, x in enumerate(seasons) if j != i), np.zeros(len(levels)))
        block = seasons[0].period if i else 0
        seasons[i] = fit_season(model.y - levels - others, precision, s.index, season.period, block)
    return _search_flat(model.y, precision, s, tuple(seasons))


def _with_week(model: Model, precision: Array, s: Series, period: int | None) -> Model:
    """Add the season of seven days, or the longer one given, when it pays for itself better than the steps it replaces."""
    base = model.seasons[0].period
    long = period if period is not None and period > base else WEEK * base
    if base % WEEK == 0 or s.n < 2 * long:
        return model
    full = on_grid(model.flat, s.index, s.n)
    week = fit_season(model.flat - moving_level(full, long)[s.index], precision, s.index, long, base)
    if week.gain <= 0:
        return model
    trial = _search_again(_search_flat(model.y, precision, s, (*model.seasons, week)), precision, s)
    price = PRICE * trial.seasons[1].parameters * float(np.log(len(s.y)))
    return trial if step_cost(trial.steps) + price < step_cost(model.steps) else model


def _lines_or_steps(model: Model, precision: Array, s: Series) -> Model:
    if not model.steps.cuts and model.steps.null.phi < LOOK_FOR_LINES:
        return model
    position = np.cumsum(s.gap)
    cuts = describe_lines(model.flat, position, precision**2)
    if line_cost(model.grid, position, cuts) >= step_cost(model.steps):
        return model
    return Model(model.y, model.flat, model.grid, model.steps, model.seasons, cuts)
