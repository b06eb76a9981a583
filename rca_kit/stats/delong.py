"""Area under the ROC curve with its exact variance, alone and for two scores of the same rows (DeLong)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Ranks:
    """Rows by score, equal scores together: `order` sorts the rows, `group` has the group of each sorted row, counted from 0."""

    order: NDArray[np.intp]
    group: NDArray[np.intp]
    sizes: NDArray[np.intp]

    @property
    def distinct(self) -> bool:
        """Whether no two scores are equal: then every group is one row."""
        return len(self.sizes) == len(self.order)

    def sums(self, values: Any) -> Floats:
        """Sum values of the sorted rows by group."""
        return np.asarray(values if self.distinct else np.bincount(self.group, values), dtype=np.float64)

    def spread(self, of_groups: Floats) -> Floats:
        """Give each sorted row the value of its group."""
        return of_groups if self.distinct else of_groups[self.group]


def ranks(score: Floats) -> Ranks:
    """Sort once what several metrics need sorted.

    Examples
    --------
    >>> ranks(np.array([0.3, 0.1, 0.3])).group.tolist()
    [0, 1, 1]
    """
    order = np.argsort(score)  # the order among equal scores does not matter
    ordered = score[order]
    new = ordered[1:] != ordered[:-1]
    if new.all():
        return Ranks(order, np.arange(len(score)), np.ones(len(score), dtype=np.intp))
    group = np.zeros(len(score), dtype=np.intp)
    np.cumsum(new, out=group[1:])
    return Ranks(order, group, np.bincount(group))


@dataclass(frozen=True)
class AucParts:
    """An AUC and, per row, how it leans on that row.

    `influence` has one value per row and mean zero; the variance of the AUC is the variance of its mean, and paired
    comparisons, clusters and repeats follow from it by plain averaging.
    """

    auc: float
    influence: Floats
    label: NDArray[np.bool_]

    @property
    def positives(self) -> int:
        """How many rows are positive."""
        return int(self.label.sum())

    @property
    def negatives(self) -> int:
        """How many rows are negative."""
        return len(self.label) - self.positives

    @property
    def se(self) -> float:
        """DeLong's standard error."""
        return _se(self.influence, self.label)


@dataclass(frozen=True)
class AucDifference:
    """AUC of two scores on the same rows, and first less second with its interval."""

    first: float
    second: float
    difference: float
    se: float
    interval: tuple[float, float]
    p_value: float


def auc_parts(label: Any, score: Any, ranked: Ranks | None = None) -> AucParts:
    """AUC with DeLong's structural components, in O(n log n).

    Parameters
    ----------
    label : array_like, shape (n,)
        1 (or True) for positives, 0 for negatives.
    score : array_like, shape (n,)
        Higher means more positive; ties count one half; no NaN.
    ranked : Ranks, optional
        `ranks(score)`, where it is known already.

    Returns
    -------
    AucParts
        AUC NaN and zero influence when a class is missing.

    References
    ----------
    DeLong, DeLong and Clarke-Pearson (1988), doi:10.2307/2531595; the rank form is of Sun and Xu (2014),
    doi:10.1109/LSP.2014.2337313.

    Examples
    --------
    >>> auc_parts([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]).auc
    0.75
    """
    y = np.asarray(label, dtype=bool)
    s = np.asarray(score, dtype=np.float64)
    n_pos, n_neg = int(y.sum()), int((~y).sum())
    if not n_pos or not n_neg:
        return AucParts(float("nan"), np.zeros(len(y)), y)
    # below each group of equal scores lie so many of either class, and half of the group itself counts
    ranked = ranks(s) if ranked is None else ranked
    order = ranked.order
    positive = y[order]
    pos = ranked.sums(positive)
    neg = ranked.sizes - pos
    of_positives = (np.cumsum(neg) - neg / 2) / n_neg  # share of negatives below a positive of this score
    of_negatives = 1.0 - (np.cumsum(pos) - pos / 2) / n_pos  # share of positives above a negative of it
    placed = np.empty(len(s))
    placed[order] = np.where(positive, ranked.spread(of_positives), ranked.spread(of_negatives))
    auc = float(placed[y].mean())
    n = len(y)
    placed -= auc
    placed *= np.where(y, n / n_pos, n / n_neg)
    return AucParts(auc, placed, y)


def delong(label: Any, first: Any, second: Any, level: float = 0.95) -> AucDifference:
    """Compare the AUC of two scores of the same rows.

    Parameters
    ----------
    label : array_like, shape (n,)
        1 for positives, 0 for negatives.
    first, second : array_like, shape (n,)
        The two scores.
    level : float
        Level of the interval of the difference (first less second).

    Returns
    -------
    AucDifference
        With p = 1 and an infinite interval when a class has fewer than two rows.

    Examples
    --------
    >>> got = delong([0, 0, 1, 1, 1], [0.1, 0.4, 0.35, 0.8, 0.9], [0.1, 0.2, 0.3, 0.8, 0.9])
    >>> round(got.difference, 4)
    -0.1667
    """
    a, b = auc_parts(label, first), auc_parts(label, second)
    difference = a.auc - b.auc
    if min(a.positives, a.negatives) < 2:
        return AucDifference(a.auc, b.auc, difference, float("nan"), (-np.inf, np.inf), 1.0)
    se = _se(a.influence - b.influence, a.label)
    half = float(special.ndtri(0.5 + level / 2)) * se
    p = float(2 * special.ndtr(-abs(difference) / se)) if se > 0 else float(difference == 0)
    return AucDifference(a.auc, b.auc, difference, se, (difference - half, difference + half), p)


def _se(influence: Floats, label: NDArray[np.bool_]) -> float:
    """Give the standard error from influences with DeLong's divisors: each class has its own mean, so loses one row."""
    n, total = len(label), 0.0
    for side in (label, ~label):
        rows = int(side.sum())
        if rows < 2:
            return float("nan")
        total += float(np.sum(influence[side] ** 2)) * rows / (rows - 1)
    return float(np.sqrt(total)) / n

