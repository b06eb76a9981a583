"""Plain inputs and results of the data comparison: counts per block and cell in, one change per column out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rca_kit.errors import BadInput

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

OTHER = "\x00other"  # label of the cell that holds every category not counted by name
KINDS = ("number", "category", "text", "sequence", "other")


@dataclass(frozen=True)
class ColumnStats:
    """What is known of one column on one side, in blocks of time (or of row order).

    Parameters
    ----------
    name : str
        Column name.
    kind : str
        ``number`` (cells between `edges`), ``category`` or ``text`` (cells named by `labels`), ``sequence`` (ever growing, as a
        row number) or ``other`` (nothing but nulls is compared).
    counts : array, shape (blocks, cells)
        Rows per block and cell; missing values are not among them. One block is fine: then autocorrelation cannot be seen.
    missing : array, shape (blocks,)
        Null and NaN rows per block.
    edges : array, shape (cells - 1,), optional
        Inner edges, ascending: cell i holds ``edges[i-1] <= x < edges[i]``. For ``number``.
    labels : tuple of str, optional
        Name of each cell; `OTHER` for what is not counted by name. For ``category`` and ``text``.
    phase : array, shape (blocks,), optional
        Place of the block in the season, such as the hour of day 0..23.
    span : float, optional
        Length of time covered, in any unit that both sides share; when absent, rows stand for time.
    sums, squares : array, shape (blocks,), optional
        Sum of x and of (x - center)**2 over the finite values.
    center : float
        What `squares` is taken around (keeps precision when the mean is far from 0).
    minimum, maximum : float, optional
        Smallest and largest finite value.
    nan, infinite : int
        Rows that are NaN (they are in `missing` too) and rows that are +-infinity.
    distinct : float, optional
        Distinct values, perhaps approximate.
    repeats, falls : float, optional
        Share of rows equal to, or smaller than, the row before.
    duplicates : tuple of int, optional
        Rows that repeat an earlier value, of how many looked at.
    dtype : str
        The type's name, for the schema diff.
    """

    name: str
    kind: str
    counts: Ints
    missing: Ints
    edges: Floats | None = None
    labels: tuple[str, ...] | None = None
    phase: Ints | None = None
    span: float | None = None
    sums: Floats | None = None
    squares: Floats | None = None
    center: float = 0.0
    minimum: float | None = None
    maximum: float | None = None
    nan: int = 0
    infinite: int = 0
    distinct: float | None = None
    repeats: float | None = None
    falls: float | None = None
    duplicates: tuple[int, int] | None = None
    dtype: str = ""

    @classmethod
    def number(cls, name: str, edges: ArrayLike, counts: ArrayLike, missing: ArrayLike = 0, **more: Any) -> ColumnStats:
        """Make the statistics of a numeric column; `counts` of shape (cells,) is one block.

        Examples
        --------
        >>> ColumnStats.number("amount", [0.0, 10.0], [5, 80, 15], missing=2).null_rate
        0.0196078431372549
        """
        return cls(name, "number", _blocks(counts), _per_block(missing, counts), edges=np.asarray(edges, float), **more)

    @classmethod
    def category(cls, name: str, labels: tuple[str, ...], counts: ArrayLike, missing: ArrayLike = 0, **more: Any) -> ColumnStats:
        """Make the statistics of a categorical column; `counts` of shape (cells,) is one block.

        Examples
        --------
        >>> ColumnStats.category("device", ("ios", "android"), [70, 30]).rows
        100
        """
        return cls(name, "category", _blocks(counts), _per_block(missing, counts), labels=tuple(labels), **more)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise BadInput("unknown kind", column=self.name, found=self.kind, expected=", ".join(KINDS))
        cells = self.counts.shape[1] if self.counts.ndim == 2 else -1
        wanted = len(self.edges) + 1 if self.edges is not None else len(self.labels) if self.labels is not None else cells
        if cells != wanted or len(self.missing) != len(self.counts):
            raise BadInput("counts do not fit their cells", column=self.name, found=f"counts of shape {self.counts.shape}",
                           expected=f"(blocks, {wanted}) and one missing count per block")

    @property
    def valid(self) -> int:
        """Rows with a value."""
        return int(self.counts.sum())

    @property
    def rows(self) -> int:
        """All rows."""
        return self.valid + int(self.missing.sum())

    @property
    def null_rate(self) -> float | None:
        """Share of rows that are null or NaN; None without rows."""
        return int(self.missing.sum()) / self.rows if self.rows else None

    @property
    def mean(self) -> float | None:
        """Mean of the finite values, from the sums, else from the cells' middles."""
        finite = self.valid - self.infinite
        if self.kind != "number" or finite <= 0:
            return None
        if self.sums is not None:
            return float(self.sums.sum()) / finite
        return float(self.counts.sum(0) @ self.middles()) / self.valid

    @property
    def spread(self) -> float | None:
        """Standard deviation of the finite values, from the sums, else from the cells' middles."""
        finite, mean = self.valid - self.infinite, self.mean
        if mean is None or finite < 2:
            return None
        if self.squares is not None and self.sums is not None:
            variance = (float(self.squares.sum()) - finite * (mean - self.center) ** 2) / (finite - 1)
        else:
            variance = float(self.counts.sum(0) @ (self.middles() - mean) ** 2) / (self.valid - 1)
        return float(np.sqrt(max(variance, 0.0)))

    def middles(self) -> Floats:
        """Middle of each numeric cell; the open ends reach to minimum and maximum, or are as wide as their neighbours."""
        return cell_middles(self.edges if self.edges is not None else np.zeros(0), self.minimum, self.maximum)


@dataclass(frozen=True)
class Test:
    """One test of a column: what it says, how sure, how large.

    `p_iid` takes rows as independent; `energy`, `freedom` and `gain` (bandwidths,) carry what the order of the blocks says
    about that (see `dependence`). `effect` is in units comparable to a shift in standard deviations. `share` is the
    part of the column's error rate the test may spend.
    """

    __test__ = False  # not a pytest class

    name: str
    share: float
    statistic: float
    dof: float  # 0 for a normal z, else chi-square degrees of freedom
    p_iid: float
    effect: float
    says: str
    energy: Floats
    freedom: Floats
    gain: Floats
    p_value: float = 1.0


@dataclass(frozen=True)
class ColumnChange:
    """How one column differs between before and after.

    `p_value` is corrected for the tests within the column and for autocorrelation, `q_value` over all columns (see `decide`).
    `effect` is the largest significant effect in units of standard deviations (Cohen's d for means, h for shares).
    """

    column: str
    kind: str
    changed: bool
    reason: str
    effect: float
    p_value: float
    q_value: float
    rows_before: int
    rows_after: int
    negligible: bool = False
    null_rate_before: float | None = None
    null_rate_after: float | None = None
    null_change_low: float | None = None
    null_change_high: float | None = None
    mean_before: float | None = None
    mean_after: float | None = None
    mean_change_sigma: float | None = None
    mean_change_low: float | None = None
    mean_change_high: float | None = None
    spread_before: float | None = None
    spread_after: float | None = None
    spread_ratio: float | None = None
    psi: float | None = None
    js: float | None = None
    kl: float | None = None
    ks: float | None = None
    wasserstein: float | None = None
    chi_square: float | None = None
    g_statistic: float | None = None
    largest_cell: str | None = None
    largest_cell_before: float | None = None
    largest_cell_after: float | None = None
    distinct_before: float | None = None
    distinct_after: float | None = None
    out_of_range: float | None = None
    new_values: tuple[str, ...] = ()
    vanished_values: tuple[str, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()
    factor: str | None = None
    flags: tuple[str, ...] = ()
    dtype_before: str = ""
    dtype_after: str = ""
    inflation: float = 1.0
    seasonal: bool = False
    tests: tuple[Test, ...] = ()


def cell_middles(edges: Floats, minimum: float | None = None, maximum: float | None = None) -> Floats:
    """Middle of each cell of inner edges, shape (len(edges) + 1,); open ends reach to the extremes if these are known.

    Examples
    --------
    >>> cell_middles(np.array([0.0, 2.0]), -4.0, 3.0).tolist()
    [-2.0, 1.0, 2.5]
    """
    if len(edges) == 0:
        known = [x for x in (minimum, maximum) if x is not None]
        return np.array([float(np.mean(known)) if known else 0.0])
    step = np.diff(edges)
    low = edges[0] - (step[0] if len(step) else 1.0) if minimum is None else min(minimum, edges[0])
    high = edges[-1] + (step[-1] if len(step) else 1.0) if maximum is None else max(maximum, edges[-1])
    ends = np.concatenate([[low], edges, [high]])
    return np.asarray((ends[1:] + ends[:-1]) / 2, float)


def _blocks(counts: ArrayLike) -> Ints:
    out = np.asarray(counts, np.int64)
    return out[None, :] if out.ndim == 1 else out


def _per_block(missing: ArrayLike, counts: ArrayLike) -> Ints:
    return np.broadcast_to(np.asarray(missing, np.int64), (len(_blocks(counts)),)).copy()
