"""Loss of one group of rows beyond that of others with the same scores."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rca_kit.stats.rates import Z95

Floats = NDArray[np.float64]

SCORE_BINS = 20  # quantiles of the scores within which losses are compared
ROWS_LEAST = 100  # of a group, for its own mean to tell how much groups differ anyway


class Excess(NamedTuple):
    """Mean loss of a group beyond that of others with the same scores.

    `part` is of the others' mean loss, with its 95 % interval; `z` in standard errors and in the spread between the other groups;
    `most` the largest part, of either sign, that one of these has.
    """

    part: float
    low: float
    high: float
    z: float
    most: float


def excess_loss(loss: Floats, score: Floats, group: NDArray[np.str_], new_loss: Floats, new_score: Floats) -> Excess | None:
    """How much worse a group fares than others with the same scores, beyond what groups differ by anyway.

    A group may be harder and the scores right about it: they are less sure then, and so is everyone with such scores (direct
    standardisation by the score). A variance between groups is left (moments, as DerSimonian and Laird's), the new one's too.

    Parameters
    ----------
    loss, score, group : (rows,) arrays
        Rows of all other groups: loss and score of each, and the group it belongs to.
    new_loss, new_score : (new rows,) arrays of float
        Rows of the group asked about.

    Returns
    -------
    Excess or None
        None without enough rows, or without two other groups.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> p = rng.uniform(0.1, 0.9, 4000)
    >>> y = rng.random(4000) < p
    >>> loss, group = -np.log(np.where(y, p, 1 - p)), np.repeat(["a", "b", "c", "new"], 1000)
    >>> other = group != "new"
    >>> abs(excess_loss(loss[other], p[other], group[other], loss[~other], p[~other]).z) < 2
    True
    >>> turned = -np.log(np.where(y[~other], 1 - p[~other], p[~other]))
    >>> excess_loss(loss[other], p[other], group[other], turned, p[~other]).z > 10
    True
    """
    ok, new = np.isfinite(loss) & np.isfinite(score), np.isfinite(new_loss) & np.isfinite(new_score)
    loss, score, group, new_loss, new_score = loss[ok], score[ok], group[ok], new_loss[new], new_score[new]
    names, of = np.unique(group, return_inverse=True)
    told = np.flatnonzero(np.bincount(of, minlength=names.size) >= ROWS_LEAST)
    if new_loss.size < ROWS_LEAST or told.size < 2 or not loss.mean() > 0:
        return None
    edges = np.unique(np.quantile(score, np.linspace(0, 1, SCORE_BINS + 1)[1:-1]))
    place, size = np.digitize(score, edges), edges.size + 1
    rows = np.maximum(np.bincount(place, minlength=size), 1)
    usual = np.bincount(place, loss, size) / rows
    left = loss - usual[place]
    means = np.array([left[of == g].mean() for g in told])
    errors = np.array([left[of == g].std() / np.sqrt((of == g).sum()) for g in told])
    between = max(float(np.var(means, ddof=1) - np.mean(errors**2)), 0.0)
    at = np.digitize(new_score, edges)
    beyond, share = new_loss - usual[at], np.bincount(at, minlength=size) / at.size
    of_usual = float((share**2 * np.bincount(place, left**2, size) / rows**2).sum())
    error = float(np.sqrt(beyond.var() / beyond.size + of_usual + between))
    if error <= 0:
        return None
    whole = float(loss.mean())
    part, wide = float(beyond.mean()) / whole, error / whole
    return Excess(part, part - Z95 * wide, part + Z95 * wide, part / wide, float(np.abs(means).max()) / whole)
