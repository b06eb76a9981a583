"""Changes of the spread: a search for steps in the size of the residuals.

The size is taken as the normal score of the rank of its absolute value, so that heavy tails and outliers count no more than
their rank, and is searched like any other series, its own persistence and season included.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from rca_kit.stats.changepoint.gls import fit_steps
from rca_kit.stats.changepoint.onset import position_interval
from rca_kit.stats.changepoint.robust import robust_sd
from rca_kit.stats.changepoint.series import Array
from rca_kit.stats.changepoint.steps import Grid, search_steps

MIN_RATIO = 1.5  # of the standard deviations: smaller changes of spread are not worth a page
MIN_SEGMENT = 20  # residuals on each side
MIN_SEGMENT_SHARE = 0.05
LEVEL_SE = 3.0  # standard errors of the slope from which the spread is said to go with the level
LEAST_VARIANCE = 0.1  # of its mean: the line must not fall to nothing where the level is low


def rank_scores(x: Array) -> Array:
    """Give normal scores of ranks; ties share the middle rank."""
    from scipy.special import ndtri

    _, inverse, counts = np.unique(x, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - 0.5 * counts
    return np.asarray(ndtri(middle[inverse] / len(x)))


def size_scores(residual: Array) -> Array | None:
    """Scores of the sizes of residuals, or None when too many tie."""
    size = np.abs(residual - np.median(residual))
    if len(np.unique(size)) < max(10, len(size) // 10):
        return None
    return rank_scores(size)


@dataclass(frozen=True)
class Spread:
    """Changes of the standard deviation of the noise: cuts, one deviation per segment, and what the report needs of them."""

    cuts: tuple[int, ...]
    deviations: tuple[float, ...]
    intervals: tuple[tuple[int, int], ...]
    gains: tuple[float, ...]  # fall of deviance each cut brings


def find_spread(residual: Array, precision: Array, gap: Array, phi: float) -> Spread | None:
    """Find changes of the standard deviation of AR(1) noise.

    Parameters
    ----------
    residual : (n,) values less levels and seasons, not winsorised
    precision, gap : (n,) as in `Series`
    phi : AR(1) coefficient
    """
    z = residual * precision
    if phi > 0:
        z = np.concatenate([z[:1], z[1:] - phi ** gap[1:] * z[:-1]])
    scores = size_scores(z)
    if scores is None:
        return None
    grid = Grid(scores, np.ones(len(scores)), gap)
    found = search_steps(grid)
    cuts = keep_large(z, found.cuts)
    if not cuts:
        return None
    edges = (0, *cuts, len(z))
    w = grid.at(found.profile.phi)
    unit = fit_steps(w, cuts).rss / grid.n
    whole = grid.profile(cuts, found.profile.phi)
    gains = [grid.profile(cuts[:i] + cuts[i + 1 :], whole.phi).deviance - whole.deviance for i in range(len(cuts))]
    intervals = [position_interval(w, edges[i], edges[i + 2], unit) for i in range(len(cuts))]
    deviations = [float(np.std((residual * precision)[a:b])) for a, b in pairwise(edges)]
    return Spread(cuts, tuple(deviations), tuple(intervals), tuple(gains))


def keep_large(residual: Array, cuts: tuple[int, ...]) -> tuple[int, ...]:
    """Cuts between long stretches whose standard deviations differ enough."""
    n = len(residual)
    shortest = max(MIN_SEGMENT, int(MIN_SEGMENT_SHARE * n))
    kept = list(cuts)
    while kept:
        lengths = np.diff([0, *kept, n])
        i = int(np.argmin(lengths))
        if lengths[i] >= shortest:
            break
        kept.pop(min(i, len(kept) - 1))
    while kept:
        edges = [0, *kept, n]
        sd = [float(np.std(residual[a:b])) for a, b in pairwise(edges)]
        ratio = [max(sd[i], sd[i + 1]) / max(min(sd[i], sd[i + 1]), 1e-12) for i in range(len(kept))]
        i = int(np.argmin(ratio))
        if ratio[i] >= MIN_RATIO:
            break
        kept.pop(i)
    return tuple(kept)


def level_scale(z: Array, level: Array) -> Array:
    """Estimate the relative standard deviation of the noise, where it goes with the level (counts, volumes); else ones.

    The squared noise is regressed on the level; outliers are cut off at three standard deviations.
    """
    ones = np.ones(len(z))
    unit = robust_sd(z)
    x = level - level.mean()
    total = float(x @ x)
    if unit <= 0 or total <= 1e-12 * len(z):
        return ones
    square = np.minimum((z / unit) ** 2, 9.0)
    slope = float(x @ square) / total
    fit = square.mean() + slope * x
    error = np.sqrt(float(np.var(square - fit)) / total)
    if slope <= LEVEL_SE * error:
        return ones
    variance = np.maximum(fit, LEAST_VARIANCE * float(fit.mean()))
    return np.asarray(np.sqrt(variance / np.median(variance)))
