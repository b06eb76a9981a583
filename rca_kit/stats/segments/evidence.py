"""Measures a segment search can explain: totals against a forecast, ratios k/n before and after, means before and after.

Each measure answers two questions. `evidence`: leaf by leaf, how much better does an effect of a given size fit than no
effect (log-likelihood gains on a grid of effects, so that a segment's evidence is a plain sum over its leaves). `contrast`:
did a segment move against the rest of the leaves beyond chance, by how much.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

Z95 = 1.959964  # two-sided 95 % point of the normal distribution
DIRECTIONS = ("increase", "decrease", "either")


Columns = Sequence[Floats]
"""Vectors of equal length, side by side without being copied."""


def group_columns(rows: NDArray[np.integer], columns: Columns, size: int) -> Floats:
    """Sum a few columns by group, (size, c).

    Examples
    --------
    >>> group_columns(np.array([1, 0, 1]), [np.array([1.0, 2.0, 3.0])], 2).tolist()
    [[2.0], [4.0]]
    """
    out = np.empty((size, len(columns)), order="F")
    for i, column in enumerate(columns):
        out[:, i] = np.bincount(rows, column, minlength=size)
    return out


def sum_columns(columns: Columns, inside: Mask | None = None) -> Floats:
    """Sum every column, over the marked rows only where a mask is given.

    Examples
    --------
    >>> sum_columns([np.array([1.0, 2.0]), np.array([3.0, 4.0])], np.array([True, False])).tolist()
    [1.0, 3.0]
    """
    return np.array([c.sum() if inside is None else c[inside].sum() for c in columns], dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Evidence:
    """Log-likelihood gains per leaf and effect, and each leaf's part in the net change.

    A table of millions of leaves has mostly thin ones, whose gains are linear in two sufficient statistics; only the others
    need a row of their own: ``linear`` times ``slopes`` for all leaves, plus `gains` at the leaves in `heavy`.

    Attributes
    ----------
    gains : (h, g) array
        Gain in nats of each effect on the grid over no effect, for the leaves in `heavy`, or all leaves.
    effects : (g,) array
        Signed size of each effect.
    impact : (n,) array
        What each leaf adds to the change of the total.
    heavy : (h,) array of int, optional
        Ascending; None when every leaf has its row.
    linear : two (n,) arrays, optional
        Sufficient statistics of the thin leaves, 0 for the heavy ones.
    slopes : (2, g) array, optional
    """

    gains: Floats
    effects: Floats
    impact: Floats
    heavy: NDArray[np.int64] | None = None
    linear: tuple[Floats, Floats] | None = None
    slopes: Floats | None = None

    def by_group(self, rows: NDArray[np.integer], leaves: NDArray[np.integer] | None, size: int) -> Floats:
        """Sum the gains of leaves by group.

        Parameters
        ----------
        rows : (m,) array of int
            Group of each of the leaves.
        leaves : (m,) array of int, optional
            Which leaves, ascending; all when None.
        size : int
            Number of groups.

        Returns
        -------
        (size, g) array
        """
        if self.heavy is None or self.linear is None or self.slopes is None:
            return group_rows(rows, self.gains if leaves is None else self.gains[leaves], size)
        thin = self.linear if leaves is None else [column[leaves] for column in self.linear]
        sums = group_columns(rows, thin, size) @ self.slopes
        if leaves is None:
            return np.asarray(sums + group_rows(rows[self.heavy], self.gains, size))
        if not len(self.heavy):
            return np.asarray(sums)
        at = np.minimum(np.searchsorted(self.heavy, leaves), len(self.heavy) - 1)
        own = self.heavy[at] == leaves
        return np.asarray(sums + group_rows(rows[own], self.gains[at[own]], size))

    def total(self, inside: Mask) -> Floats:
        """Sum the gains of the marked leaves, (g,)."""
        leaves = np.flatnonzero(inside)
        return np.asarray(self.by_group(np.zeros(len(leaves), dtype=np.int64), leaves, 1)[0])


def group_rows(rows: NDArray[np.integer], values: Floats, size: int) -> Floats:
    """Sum rows of a matrix by group, one pass.

    Examples
    --------
    >>> group_rows(np.array([1, 0, 1]), np.array([[1.0], [2.0], [3.0]]), 2).tolist()
    [[2.0], [4.0]]
    """
    from scipy.sparse import csr_matrix

    n = len(rows)
    pick = csr_matrix((np.ones(n, dtype=values.dtype), rows, np.arange(n + 1, dtype=np.int32)), shape=(n, size))
    return np.asarray(pick.T @ values)


@dataclass(frozen=True)
class Contrast:
    """A segment before and after, and whether it moved.

    Attributes
    ----------
    before, after : float or None
        The measure in the segment.
    interval : tuple of float or None
        95 % interval of the difference.
    log_p : float
        Two-sided log p-value of the segment's own change, spread between leaves included.
    log_p_apart : float
        Two-sided log p-value of "moved like the rest".
    drift : float
        The change of the rest as a share of that of the segment: 0 when the rest stood still, 1 when it moved as much.
    n_before, n_after : float
        Weight.
    """

    before: float | None
    after: float | None
    interval: tuple[float, float] | None
    log_p: float
    n_before: float
    n_after: float
    log_p_apart: float = -np.inf
    drift: float = 0.0


def log_p_of(z: float) -> float:
    """Two-sided log p-value of a standard normal score, exact far into the tails.

    Examples
    --------
    >>> round(float(np.exp(log_p_of(1.96))), 3)
    0.05
    """
    return min(float(np.log(2.0) + log_ndtr(-abs(z))), 0.0)


class Measure(Protocol):
    """What the search needs to know of a measure."""

    @property
    def relative_gate(self) -> float:
        """Least share of the first segment's evidence and impact that a further one needs."""
        ...

    @property
    def least_gain(self) -> float:
        """Evidence below this is never worth a line of a report, nats."""
        ...

    def fitted(self, codes: NDArray[np.integer], cardinalities: tuple[int, ...]) -> Measure:
        """Learn what the measure needs to know of the dimensions."""
        ...

    def evidence(self, direction: str) -> Evidence:
        """Give gains per leaf on the grid of effects."""
        ...

    def weight(self) -> Floats:
        """Give the traffic of each leaf in the after-window, (n,)."""
        ...

    def parts(self) -> Columns:
        """Give the sufficient statistics of every leaf, m vectors (n,): those of a segment are their sums."""
        ...

    def unrest(self, rest: Mask) -> float:
        """Measure, on the leaves at rest, how much more than its own noise a leaf moves."""
        ...

    def contrast(self, inside: Floats, rest: Floats, unrest: float) -> Contrast:
        """Compare the change of a segment with that of the rest, both as summed parts, (m,)."""
        ...
