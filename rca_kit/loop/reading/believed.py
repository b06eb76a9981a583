"""How far a move is to be believed, by the kind of numbers it rests on: few events, heavy losses, quantiles, wandering levels."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr

from rca_kit.loop.reading.series import Series
from rca_kit.stats.stepscan import BOX_LOOKS, StepScan

Floats = NDArray[np.float64]

SPELL_S, SPELLS_LEAST, SPELL_PART = 4 * 3600, 5, 0.2  # length of a spell; spells that tell of a spread; part of a median one
WANDER_TIMES = 3.0  # standard deviations between spells by which a move must stand out
RARE_EVENTS, CLUMPS_BUCKETS = 5.0, 20  # events a bucket below which their spread is taken from all of so many buckets
FEW_EVENTS = 20  # events of a rise (or rows without one) from which its z is not skewed
RARE = 0.3  # share of buckets with any event up to which a counter is one of rare events


def binomial_log_p(series: Series, scan: StepScan, looks: int, clump: float = 1.0) -> float:
    """Corrected p value of a change of a rate by its binomial deviance: few events are skewed, and z overstates them."""
    factor = 1 if series.coarse else series.grid.coarse
    k, n = (np.add.reduceat(s, np.arange(0, s.size, factor)) for s in series.sums[:2])
    return _deviance_log_p(k, n, scan, looks, max(scan.phi, clump))


def beyond_its_wandering(value: Floats, error: Floats, scan: StepScan, coarse_s: int) -> bool:
    """Whether a move is larger than the level wandered from spell to spell: all requests of an hour share the weather.

    A level that wanders for hours has changed as often as there are spells in the log, however many requests tell of it. The
    weighted means of `SPELL_S` without the season, outside the move, have a spread; a move of `WANDER_TIMES` that is beyond it.

    Examples
    --------
    >>> from rca_kit.stats.stepscan import step_scan
    >>> rng = np.random.default_rng(3)
    >>> hourly = np.repeat(rng.normal(size=20), 6) + rng.normal(size=120) / 10
    >>> error = np.full(120, 0.1)
    >>> beyond_its_wandering(hourly, error, step_scan(hourly, error), 3600)
    False
    >>> shifted = np.where(np.arange(120) < 80, 0.0, 1.0) + rng.normal(size=120) / 10
    >>> beyond_its_wandering(shifted, error, step_scan(shifted, error), 3600)
    True
    """
    fit = scan.best
    assert fit is not None
    ok = np.isfinite(value) & np.isfinite(error) & (error > 0) & ~inside_of(scan, value.size)
    length = max(int(SPELL_S // coarse_s), 1)
    spell = np.arange(value.size) // length
    weight = np.where(ok, 1 / np.where(ok, error, 1.0) ** 2, 0.0)
    level = np.where(ok, value - scan.season, 0.0)
    total = np.bincount(spell, weight)
    held = total >= SPELL_PART * float(np.median(total[total > 0])) if (total > 0).any() else total > 0
    if held.sum() < SPELLS_LEAST:
        return True
    means = np.bincount(spell, weight * level)[held] / total[held]
    return abs(fit.height) >= WANDER_TIMES * float(means.std(ddof=1))


def loss_log_p(series: Series, scan: StepScan, looks: int) -> float:
    """Corrected p value of a change of a mean of losses of which few are large: by how many large ones it rests on.

    Losses whose variance is J times their mean weigh like so many events of size J, and these are told by their Poisson
    deviance: two large ones in an hour are a high z and no rare thing.
    """
    total, squares, n = (series.coarse_sum(i) for i in range(3))
    quiet = ~inside_of(scan, n.size)
    rows, mean = float(n[quiet].sum()), float(total[quiet].sum()) / max(float(n[quiet].sum()), 1.0)
    if scan.best is None or scan.kind == "ramp" or rows == 0 or mean <= 0 or (total < 0).any():
        return scan.log_p
    size = max((float(squares[quiet].sum()) / rows - mean**2) / mean, 1e-12)
    sides = [(float(total[w].sum()) / size, float(n[w].sum())) for w in (~quiet, quiet)]
    each = sum(k for k, _ in sides) / sum(m for _, m in sides)
    deviance = 2 * sum(k * math.log(k / (each * m)) - (k - each * m) if k > 0 else each * m for k, m in sides)
    looked = max(looks, 1) * (BOX_LOOKS if scan.kind == "box" else 1.0)
    z = math.sqrt(max(deviance, 0.0)) / max(scan.phi, 1.0)
    return max(scan.log_p, min(math.log(2) + float(log_ndtr(-z)) + math.log(looked), 0.0))


def event_log_p(value: Floats, scan: StepScan, looks: int) -> float:
    """Corrected p value of a counter that is mostly zero (restarts) by how many buckets count anything: two are soon together."""
    seen = np.isfinite(value)
    if not seen.any() or (value[seen] != 0).mean() > RARE:
        return scan.log_p
    return _deviance_log_p((seen & (value != 0)).astype(float), seen.astype(float), scan, looks, 1.0)


def exceedance_log_p(series: Series, scan: StepScan, looks: int) -> float:
    """Corrected p value of a change of a quantile: how many requests lie beyond the quantile of the other buckets.

    A high quantile jumps between two modes when a few requests more or less time out; their number tells how few they are.
    """
    if scan.best is None or series.quantile is None:
        return scan.log_p
    counts = series.coarse_sum(0)
    n = counts.sum(1)
    inside = inside_of(scan, n.size)
    cumulative = np.cumsum(counts[~inside].sum(0))
    at = int(np.searchsorted(cumulative, series.quantile * cumulative[-1]))
    k = counts[:, at + 1 :].sum(1)
    usual = float(k[~inside].sum() / max(n[~inside].sum(), 1.0))
    expected = usual * n[~inside]
    rest = expected > 0
    spread = (k[~inside][rest] - expected[rest]) ** 2 / (expected[rest] * max(1 - usual, 1e-9))
    return _deviance_log_p(k, n, scan, looks, math.sqrt(max(float(spread.mean()) if spread.size else 1.0, 1.0)))


def inside_of(scan: StepScan, size: int) -> NDArray[np.bool_]:
    """Which buckets lie inside the best fit's move."""
    inside = np.zeros(size, bool)
    if scan.best is not None:
        inside[scan.best.start : scan.best.end] = True
    return inside


def _deviance_log_p(k: Floats, n: Floats, scan: StepScan, looks: int, phi: float) -> float:
    inside = inside_of(scan, k.size)
    if scan.best is None or (scan.kind == "ramp" and min(k[inside].sum(), (n - k)[inside].sum()) >= FEW_EVENTS):
        return scan.log_p
    # of few events a rise rests on those of its last buckets: it is believed if the best step within it is
    starts = range(scan.best.start, scan.best.end) if scan.kind == "ramp" else [scan.best.start]
    deviance = max(_deviance(k, n, inside & (np.arange(k.size) >= start)) for start in starts)
    z = math.sqrt(max(deviance, 0.0)) / max(phi, clumping(k, n, ~inside))
    looked = max(looks, 1) * (BOX_LOOKS if scan.kind == "box" else len(starts))
    return max(scan.log_p, min(math.log(2) + float(log_ndtr(-z)) + math.log(looked), 0.0))


def _deviance(k: Floats, n: Floats, inside: NDArray[np.bool_]) -> float:
    """Twice the gain in log-likelihood of two rates, inside and outside, over one."""
    parts = [(float(k[m].sum()), float(n[m].sum())) for m in (inside, ~inside)]
    return 2 * (sum(_entropy(a, b) for a, b in parts) - _entropy(sum(a for a, _ in parts), sum(b for _, b in parts)))


def clumping(k: Floats, n: Floats, quiet: NDArray[np.bool_]) -> float:
    """Overdispersion of events too rare for a median: those of one search or session come together (Pearson's statistic).

    `quiet` are the buckets that are compared; 1 where events are not rare.
    """
    rest = quiet & (n > 0)
    expected = n[rest] * k[rest].sum() / max(float(n[rest].sum()), 1.0)
    if rest.sum() < CLUMPS_BUCKETS or not 0 < float(np.median(expected)) < RARE_EVENTS:
        return 1.0
    return math.sqrt(max(float(((k[rest] - expected) ** 2 / expected).sum()) / (int(rest.sum()) - 1), 1.0))


def _entropy(k: float, n: float) -> float:
    """Maximal binomial log-likelihood of k out of n."""
    if n <= 0 or k <= 0 or k >= n:
        return 0.0
    return k * math.log(k / n) + (n - k) * math.log(1 - k / n)
