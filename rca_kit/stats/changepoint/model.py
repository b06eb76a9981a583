"""From a series to what changed in it: seasons taken out, outliers pulled in, spread evened out, steps or lines searched."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from rca_kit.stats.changepoint.gls import fit_steps
from rca_kit.stats.changepoint.known import known_precision
from rca_kit.stats.changepoint.lines import gate_lines, line_cost, step_cost
from rca_kit.stats.changepoint.ramps import Ramp, find_ramps, ramp_profile
from rca_kit.stats.changepoint.robust import winsorise
from rca_kit.stats.changepoint.season import PRICE, Season, find_season, fit_season, moving_level, on_grid
from rca_kit.stats.changepoint.segments import describe_lines, visible_steps
from rca_kit.stats.changepoint.series import Array, Series
from rca_kit.stats.changepoint.steps import Grid, StepModel, search_steps, step_penalty
from rca_kit.stats.changepoint.variance import Spread, find_spread, level_scale

KNOWN_ROUNDS = 3
WEEK = 7  # the longer season that goes with a daily one
SAWTOOTH = 2.0  # times the range it has around a moving level: more comes from steps, a period apart, that stand for a slope
FEW_CYCLES = 8  # a season seen less often must also beat the steps that would do without it (a regular staircase)
PERSISTENT = 0.45  # AR coefficient left by the steps, or
DETAIL = 6  # steps; of more only those are told that are visible at the scale of the whole series
CALM = 0.05  # of the largest spread: a stretch without any noise (a rate of zero) gets no more weight than this gives
MANY_STEPS = 3  # number of steps, from which lines may describe the series better
STRAIGHT = 0.01  # of the range: a series that wanders less than this around one line is a straight line to the eye, unless
JUMP_SD = 6.0  # robust standard deviations: one of its increments stands out by this much


@dataclass(frozen=True)
class Model:
    """What was found in the scaled series."""

    y: Array  # scaled values
    flat: Array  # less the seasons
    grid: Grid  # of the winsorised flat series
    steps: StepModel
    seasons: tuple[Season, ...] = ()
    spread: Spread | None = None  # changes of the standard deviation
    ramps: tuple[Ramp, ...] = ()  # that stand for some of the steps
    lines: tuple[int, ...] | None = None  # cuts of the partition into lines when that describes it better

    @property
    def precision(self) -> Array:
        """One over the relative standard deviation of the noise."""
        return self.grid.precision

    @property
    def fitted(self) -> Array:
        """Level of the steps at each observation."""
        w = self.grid.at(self.steps.profile.phi)
        return spread_out(fit_steps(w, self.steps.cuts).levels, self.steps.cuts, self.grid.n)


def spread_out(levels: Array, cuts: tuple[int, ...], n: int) -> Array:
    """One level per segment -> one level per observation."""
    return np.asarray(np.repeat(levels, np.diff([0, *cuts, n])))


def search(y: Array, precision: Array, s: Series, period: int | None) -> Model:
    """Search the scaled values `y`."""
    model = _search_flat(y, precision, s, first_seasons(y, precision, s, period))
    if s.known:
        model = _with_known_errors(model, s)
        precision = model.precision
    if model.seasons:
        model = _search_again(model, s)
        model = _with_week(model, s, period)
        if period is None and s.n < FEW_CYCLES * model.seasons[0].period:
            plain = _search_flat(y, precision, s, ())
            model = plain if step_cost(plain.steps) < step_cost(model.steps) + season_price(model) else model
    model = _with_ramps(model)
    lines = _lines(model, s)
    return _with_spread(_without_detail(model, s), s) if lines is None else replace(model, lines=lines)


def first_seasons(y: Array, precision: Array, s: Series, period: int | None) -> tuple[Season, ...]:
    """Take the season given, or one that is found, around a moving level."""
    if period is None:
        found = find_season(y, precision, s.index, s.n)
        return () if found is None else (found,)
    if period < 2 or s.n < 2 * period:
        return ()
    if period % WEEK == 0 and period > WEEK:
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
    return Model(y, flat, grid, search_steps(grid), seasons)


def _search_again(model: Model, s: Series) -> Model:
    """Once more, now that the levels are known: each season around them and the others, the spread evened over the level."""
    seasons = list(model.seasons)
    levels = model.fitted
    for i, season in enumerate(seasons):
        others = sum((x.at(s.index) for j, x in enumerate(seasons) if j != i), np.zeros(len(levels)))
        block = seasons[0].period if i else 0
        again = fit_season(model.y - levels - others, model.precision, s.index, season.period, block)
        if np.ptp(again.effects) <= SAWTOOTH * np.ptp(season.effects):
            seasons[i] = again
    precision = model.precision
    if not s.known:
        fitted = levels + sum((x.at(s.index) for x in seasons), np.zeros(len(levels)))
        precision = precision / level_scale((model.y - fitted) * precision, fitted)
    return _search_flat(model.y, precision, s, tuple(seasons))


def _with_known_errors(model: Model, s: Series) -> Model:
    """Search again with the sampling error that the levels found imply, and what varies beyond it."""
    scale, centre = float(np.std(s.y)), float(np.median(s.y))
    for _ in range(KNOWN_ROUNDS):
        season = sum((x.at(s.index) for x in model.seasons), np.zeros(len(s.y)))
        expected = (model.fitted + season) * scale + centre
        precision = known_precision(s, s.y - expected, expected, model.steps.cuts)
        before = model.steps.cuts
        model = _search_flat(model.y, precision, s, model.seasons)
        if model.steps.cuts == before:
            break
    return model


def _with_week(model: Model, s: Series, period: int | None) -> Model:
    """Add the season of seven days, or the longer one given, when it pays for itself better than the steps it replaces."""
    base = model.seasons[0].period
    long = period if period is not None and period > base else WEEK * base
    if base % WEEK == 0 or s.n < 2 * long:
        return model
    full = on_grid(model.flat, s.index, s.n)
    week = fit_season(model.flat - moving_level(full, long)[s.index], model.precision, s.index, long, base)
    if week.gain <= 0:
        return model
    trial = _search_again(_search_flat(model.y, model.precision, s, (*model.seasons, week)), s)
    price = season_price(trial) - season_price(model)
    return trial if step_cost(trial.steps) + price < step_cost(model.steps) else model


def season_price(model: Model) -> float:
    """Penalty of the effects of all seasons."""
    return PRICE * sum(x.parameters for x in model.seasons) * float(np.log(model.grid.n))


def _without_detail(model: Model, s: Series) -> Model:
    """Tell a series with very many steps by those that are visible at its scale."""
    cuts = model.steps.cuts
    if len(cuts) <= DETAIL or model.ramps:
        return model
    kept = visible_steps(model.flat, np.cumsum(s.gap), model.precision**2, cuts, model.y)
    if kept == cuts:
        return model
    profile = model.grid.profile(kept, model.steps.profile.phi)
    return replace(model, steps=replace(model.steps, cuts=kept, profile=profile, penalty=len(kept) * step_penalty(model.grid.n)))


def _with_ramps(model: Model) -> Model:
    """Let ramps stand for steps; noise as persistent as allowed could draw them by itself."""
    phi = model.steps.profile.phi
    if not model.steps.cuts or phi >= model.grid.limit:
        return model
    levels = fit_steps(model.grid.at(phi), model.steps.cuts).levels
    return replace(model, ramps=tuple(find_ramps(model.grid, model.steps.cuts, levels, phi)))


def _with_spread(model: Model, s: Series) -> Model:
    """Find changes of the standard deviation, and search for steps again where they would mislead."""
    found = find_spread(model.flat - model.fitted, model.precision, s.gap, model.steps.profile.phi)
    if found is None:
        return model
    if not model.steps.cuts or model.ramps:
        return replace(model, spread=found)
    sd = np.asarray(found.deviations)
    sd = spread_out(np.maximum(sd, CALM * sd.max()), found.cuts, model.grid.n)
    again = _search_flat(model.y, model.precision / sd * float(np.median(sd)), s, model.seasons)
    return _with_ramps(replace(again, spread=found))


def _lines(model: Model, s: Series) -> tuple[int, ...] | None:
    """Cuts of the partition into lines, where the series wanders and lines describe it better."""
    steps, grid = model.steps, model.grid
    cost, phi = step_cost(steps), steps.profile.phi
    if model.ramps:
        profile, penalty = ramp_profile(grid, steps.cuts, model.ramps)
        cost, phi = min((cost, phi), (profile.deviance + penalty, profile.phi))
    many, persistent = len(steps.cuts) >= MANY_STEPS, phi >= PERSISTENT
    if not (many or model.ramps or (persistent and steps.cuts)) and steps.null.phi < grid.limit:
        return None
    position = np.cumsum(s.gap)
    if many and persistent and straight(model.flat, position):
        return ()
    seen = describe_lines(model.flat, position, model.precision**2, model.y)
    if many and persistent and seen:  # it wanders: no set of steps leaves plain noise, so what is visible is what is told
        return seen
    cuts = gate_lines(grid, position, seen)
    if line_cost(grid, position, cuts) >= cost:
        return None
    return seen if cuts else ()  # the test says that something changed, the picture what


def straight(y: Array, position: Array) -> bool:
    """Whether the series is one line at the scale of the picture, without a jump in it."""
    around = y - np.polyval(np.polyfit(position, y, 1), position)
    rate = np.diff(y) / np.diff(position)
    apart = np.abs(rate - np.median(rate))
    return bool(np.std(around) < STRAIGHT * np.ptp(y) and apart.max() < JUMP_SD * 1.4826 * np.median(apart))
