"""Seasons: which period, and what each phase of it adds, estimated around a moving level.

A period is believed only when its phase effects pay for their number by the Bayesian information criterion, on the series
less its moving average over one period, so that neither trends nor steps look like a season. Effects are either one mean per
phase or a few harmonics, whichever the criterion prefers: with few cycles the harmonics cost less noise.
Hyndman and Athanasopoulos, Forecasting: Principles and Practice, 3rd ed., sec. 3.4 and 7.4.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rca_kit.stats.changepoint.series import Array, Index

MIN_CYCLES = 3  # of a period that is looked for; two cycles cannot tell a season from two changes
CALENDAR = (4, 7, 12, 24, 48, 52, 96, 144, 168, 288, 336, 365, 720, 1008, 1440, 2016)  # hours, 5..30 min buckets, weeks, months
PEAKS = 4  # candidates taken from the spectrum and from the autocorrelation each
MAX_HARMONICS = 4
MAX_PERIOD = 4096  # phases are means over cycles: longer seasons are levels to an on-call person
TRIM_SD = 3.0
PRICE = 1.5  # times log(n) per effect
SEARCH_PRICE = 3.0  # times log(n), once, for a period that was looked for: any frequency could have come out
PHI_LIMIT = 0.95


@dataclass(frozen=True)
class Season:
    """A period and the effect of each phase, summing to about zero."""

    period: int
    effects: Array  # (period,)
    gain: float  # BIC gain over no season
    parameters: int

    def at(self, index: Index) -> Array:
        """Effects at these positions."""
        return np.asarray(self.effects[index % self.period])


def on_grid(y: Array, index: Index, n: int) -> Array:
    """Put observed values on the regular grid; missing buckets are interpolated linearly."""
    return y if len(y) == n else np.interp(np.arange(n), index, y)


def moving_level(full: Array, period: int) -> Array:
    """Centred moving average over one period; at the ends the nearest full window, carried on by the slope next to it."""
    n = len(full)
    half = period // 2
    kernel = np.full(2 * half + 1, 1.0 / period)
    if period % 2 == 0:
        kernel[0] = kernel[-1] = 0.5 / period
    width = len(kernel)
    cum = np.concatenate([[0.0], np.cumsum(full)])
    core = (cum[width:] - cum[:-width]) / period
    if period % 2 == 0:
        core = core - (full[: n - width + 1] + full[width - 1 :]) * (0.5 / period)
    out = np.empty(n)
    out[half : n - half] = core
    reach = min(period, len(core) - 1)
    first, last = ((core[reach] - core[0]) / reach, (core[-1] - core[-1 - reach]) / reach) if reach else (0.0, 0.0)
    away = np.arange(half, 0, -1)
    out[:half], out[n - half :] = core[0] - first * away, core[-1] + last * away[::-1]
    return out


def candidates(full: Array) -> list[int]:
    """Periods worth trying: peaks of the spectrum and of the autocorrelation, and those of the calendar."""
    n = len(full)
    longest = min(n // MIN_CYCLES, MAX_PERIOD)
    if longest < 2:
        return []
    flat = np.diff(full)
    size = 1 << int(np.ceil(np.log2(2 * n)))
    out: list[int] = []
    for x in (full - np.polyval(np.polyfit(np.arange(n), full, 1), np.arange(n)), flat - flat.mean()):
        spectrum = np.abs(np.fft.rfft(x, size)) ** 2
        acf = np.fft.irfft(spectrum, size)[: longest + 2]
        inner = acf[1:-1]
        peak = np.flatnonzero((inner >= acf[:-2]) & (inner >= acf[2:]) & (inner > 0)) + 1
        peak = peak[peak >= 2]
        out += [int(p) for p in peak[np.argsort(-acf[peak], kind="stable")][:PEAKS]]
        power = np.abs(np.fft.rfft(x)) ** 2
        power[: MIN_CYCLES] = 0
        out += [round(len(x) / int(k)) for k in np.argsort(-power, kind="stable")[:PEAKS] if k > 0]
    out += list(CALENDAR)
    return sorted({p for p in out if 2 <= p <= longest})


def find_season(y: Array, precision: Array, index: Index, n: int) -> Season | None:
    """Find the season that pays for itself best, or None."""
    full = on_grid(y, index, n)
    best: Season | None = None
    for period in candidates(full):
        season = fit_season(y - moving_level(full, period)[index], precision, index, period, screen=True)
        if season.gain > SEARCH_PRICE * np.log(len(y)) and (best is None or season.gain > best.gain):
            best = season
    return best


def phase_sums(z: Array, weight: Array, index: Index, period: int) -> tuple[Array, Array]:
    """Weighted sums and weights per phase."""
    phase = index % period
    return np.bincount(phase, weight * z, period).astype(np.float64), np.bincount(phase, weight, period).astype(np.float64)


def harmonics_of(effects: Array, count: int) -> Array:
    """Keep the first harmonics of one cycle."""
    spectrum = np.fft.rfft(effects)
    spectrum[0] = 0.0
    spectrum[count + 1 :] = 0.0
    return np.asarray(np.fft.irfft(spectrum, len(effects)))


def fit_season(z: Array, precision: Array, index: Index, period: int, block: int = 0, *,
               screen: bool = False) -> Season:
    """Estimate the phase effects of `z`, which has no level left: one per phase, or harmonics, or one per block of phases.

    Parameters
    ----------
    z, precision, index : (m,) values less their level, as in `Series`
    period : in buckets
    block : buckets that share an effect (the hours of a day in a week); 0 for no such model
    screen : give up early when even all phases together explain too little for a period that is looked for
    """
    weight = precision**2
    m = len(z)
    total, mass = phase_sums(z, weight, index, period)
    raw = np.divide(total, mass, out=np.zeros(period), where=mass > 0)

    def gain_of(effects: Array, parameters: int) -> float:
        left = (z - effects[index % period]) * precision
        return _whitened_gain(z * precision, left) - PRICE * parameters * float(np.log(m))

    if screen:
        least = SEARCH_PRICE * np.log(m)
        smooth = harmonics_of(raw, MAX_HARMONICS)
        if gain_of(smooth, 0) < least + 2 * PRICE * np.log(m) and gain_of(raw, period - 1) < least:
            return Season(period, raw, -np.inf, period - 1)
    residual = (z - raw[index % period]) * precision
    sd = float(np.median(np.abs(residual))) * 1.4826
    if sd > 0:  # once more without outliers
        clipped = np.clip(residual, -TRIM_SD * sd, TRIM_SD * sd) / precision + raw[index % period]
        total, mass = phase_sums(clipped, weight, index, period)
        raw = np.divide(total, mass, out=np.zeros(period), where=mass > 0)
    raw = raw - float(np.average(raw, weights=np.maximum(mass, 1e-12)))
    best = Season(period, raw, gain_of(raw, period - 1), period - 1)
    for harmonics in range(1, min(MAX_HARMONICS, (period - 1) // 2) + 1):
        smooth = harmonics_of(raw, harmonics)
        gain = gain_of(smooth, 2 * harmonics)
        if gain > best.gain:
            best = Season(period, smooth, gain, 2 * harmonics)
    if block:
        group = np.arange(period) // block
        level = np.bincount(group, mass * raw) / np.maximum(np.bincount(group, mass), 1e-12)
        gain = gain_of(level[group], len(level) - 1)
        if gain > best.gain:
            best = Season(period, level[group], gain, len(level) - 1)
    return best


def _whitened_gain(before: Array, after: Array) -> float:
    """Fall of deviance from `before` to `after`, both whitened by the lag-1 correlation of `after`.

    Persistent noise has most of its power at low frequencies, where a few harmonics pick it up; whitening takes that away.
    """
    square = float(after @ after)
    phi = min(max(float(after[1:] @ after[:-1]) / square, 0.0), PHI_LIMIT) if square > 0 else 0.0
    old, new = before[1:] - phi * before[:-1], after[1:] - phi * after[:-1]
    return len(before) * float(np.log((old @ old + 1e-12 * len(old)) / (new @ new + 1e-12 * len(old))))
