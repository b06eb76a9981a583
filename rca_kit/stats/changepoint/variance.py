"""Changes of the spread: a search for steps in the size of the residuals.

The size is taken as the normal score of the rank of its absolute value, so that heavy tails and outliers count no more than
their rank, and is searched like any other series, its own persistence and season included.
"""

from __future__ import annotations

import numpy as np

from rca_kit.stats.changepoint.series import Array
from rca_kit.stats.changepoint.steps import Grid, StepModel, search_steps

MIN_RATIO = 1.5  # of the standard deviations: smaller changes of spread are not worth a page
MIN_SEGMENT = 20  # residuals on each side
MIN_SEGMENT_SHARE = 0.05


def rank_scores(x: Array) -> Array:
    """Normal scores of ranks; ties share the middle rank.."""
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


def variance_changes(scores: Array, gap: Array) -> tuple[Grid, StepModel]:
    """Search the scores for steps."""
    grid = Grid(scores, np.ones(len(scores)), gap)
    return grid, search_steps(grid)


def keep_large(residual: Array, cuts: tuple[int, ...], shortest: int = MIN_SEGMENT) -> list[tuple[int, float, float]]:
    """Cuts between long stretches whose standard deviations differ enough: (cut, sd before, sd after)."""
    n = len(residual)
    shortest = max(shortest, int(MIN_SEGMENT_SHARE * n))
    kept = list(cuts)
    while kept:
        edges = [0, *kept, n]
        lengths = np.diff(edges)
        i = int(np.argmin(lengths))
        if lengths[i] >= shortest:
            break
        kept.pop(min(max(i - 1, 0), len(kept) - 1) if i == len(kept) else i)
    while kept:
        edges = [0, *kept, n]
        sd = [float(np.std(residual[a:b])) for a, b in zip(edges[:-1], edges[1:], strict=True)]
        ratio = [max(sd[i], sd[i + 1]) / max(min(sd[i], sd[i + 1]), 1e-12) for i in range(len(kept))]
        i = int(np.argmin(ratio))
        if ratio[i] >= MIN_RATIO:
            return [(c, sd[j], sd[j + 1]) for j, c in enumerate(kept)]
        kept.pop(i)
    return []
