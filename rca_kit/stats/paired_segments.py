"""Which segments carry a paired difference: every value and every pair of values, the strongest explained away in turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import special

from rca_kit.stats.paired import two_sided
from rca_kit.stats.rates import benjamini_hochberg

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]

MIN_CELL = 30  # rows: below this a cell's own spread is too uncertain to be a t statistic's denominator
MAX_SEGMENTS = 6  # more would be a list nobody reads; the difference is general by then


@dataclass(frozen=True)
class CellDifference:
    """One cell of the segment lattice: which dimensions at which codes, and the mean difference inside.

    `q_value` is corrected for all cells that were looked at.
    """

    key: tuple[tuple[int, int], ...]
    n: int
    mean: float
    se: float
    p_value: float
    q_value: float

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the mean."""
        half = float(special.stdtrit(max(self.n - 1, 1), 0.975)) * self.se
        return (self.mean - half, self.mean + half)


@dataclass(frozen=True)
class CellSearch:
    """Cells that carry the difference, strongest first; all single-dimension cells; whether it is general."""

    carriers: tuple[CellDifference, ...]
    singles: tuple[CellDifference, ...]
    everywhere: bool
    looked_at: int


@dataclass(frozen=True)
class _Family:
    """All cells of one combination of dimensions: the code of each row's cell (-1 where undefined)."""

    dims: tuple[int, ...]
    shape: tuple[int, ...]
    code: Codes

    def key(self, cell: int) -> tuple[tuple[int, int], ...]:
        return tuple(zip(self.dims, (int(i) for i in np.unravel_index(cell, self.shape)), strict=True))


def find_carriers(values: Floats, codes: Sequence[Codes], levels: Sequence[int], alpha: float = 0.01, margin: float = 0.0,
                  design_effect: float = 1.0, depth: int = 2, general: bool = True) -> CellSearch:
    """Find the segments whose mean paired difference is not zero, and beyond a margin.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Difference per pair, zero on average where both versions are alike.
    codes : sequence of ndarray of int, each shape (n,)
        Value of each row in each dimension, -1 where it takes part in no segment.
    levels : sequence of int
        Number of values of each dimension.
    alpha : float
        Chance of naming any segment when there is no difference anywhere (Bonferroni over all cells and rounds).
    margin : float
        A cell whose 95 % interval lies within plus or minus `margin` does not count, however certain it is.
    design_effect : float
        Variance of the overall mean over what independent rows would give; applied to each cell.
    depth : int
        1 for single values, 2 for pairs of values too.
    general : bool
        Whether all rows together may be one of the carriers.

    Returns
    -------
    CellSearch
        Each round takes the cell that explains most sum of squares (n mean^2), the fewest conditions on ties, then fits all
        cells taken so far together and goes on with what is left (orthogonal matching pursuit): a parent that is only diluted
        by its child is not named after it.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> device = rng.integers(0, 3, 3000)
    >>> found = find_carriers(rng.normal(0, 0.1, 3000) + 0.05 * (device == 1), [device], [3])
    >>> [c.key for c in found.carriers]
    [((0, 1),)]
    """
    families = _families(codes, levels, depth)
    rest = np.array(values, dtype=np.float64)
    carriers: list[CellDifference] = []
    singles: list[CellDifference] = []
    everywhere = False
    looked_at = 0
    taken: set[tuple[tuple[int, int], ...]] = set()
    chosen: list[NDArray[np.bool_]] = []
    for turn in range(MAX_SEGMENTS + 1):
        cells = [c for f in families for c in _cells(f, rest, design_effect)]
        if not cells:
            break
        q = benjamini_hochberg([c[3] for c in cells])
        if turn == 0:
            looked_at = len(cells)
            singles = [CellDifference(k, n, m, se, p, float(qv)) for (k, n, m, p, se), qv in zip(cells, q, strict=True)
                       if len(k) == 1]
        whole = _whole(rest, design_effect) if general and not everywhere else None
        best = _best(cells, whole, alpha / len(cells), margin, taken)
        if best is None:
            break
        key, n, _, p, se = best
        if not key:
            everywhere = True
            chosen.append(np.ones(len(rest), dtype=bool))
            rest = _without(values, chosen)
            continue
        taken.add(key)
        rows = np.ones(len(rest), dtype=bool)
        for dim, code in key:
            rows &= codes[dim] == code
        original = float(np.asarray(values)[rows].mean())
        at = next(i for i, c in enumerate(cells) if c[0] == key)
        carriers.append(CellDifference(key, n, original, se, p, float(q[at])))
        chosen.append(rows)
        rest = _without(values, chosen)
        if len(carriers) == MAX_SEGMENTS:
            break
    if everywhere and any(c.interval[0] <= 0 <= c.interval[1] for c in carriers):
        # a segment that only stands out because it has no difference: name the others instead
        return find_carriers(values, codes, levels, alpha, margin, design_effect, depth, general=False)
    return CellSearch(tuple(carriers), tuple(singles), everywhere, looked_at)


_Cell = tuple[tuple[tuple[int, int], ...], int, float, float, float]  # key, rows, mean, p-value, standard error


def _families(codes: Sequence[Codes], levels: Sequence[int], depth: int) -> list[_Family]:
    out = [_Family((d,), (levels[d],), np.asarray(codes[d])) for d in range(len(codes))]
    if depth < 2:
        return out
    for a, b in combinations(range(len(codes)), 2):
        both = (codes[a] >= 0) & (codes[b] >= 0)
        out.append(_Family((a, b), (levels[a], levels[b]), np.where(both, codes[a] * levels[b] + codes[b], -1)))
    return out


def _cells(family: _Family, values: Floats, design_effect: float) -> list[_Cell]:
    known = family.code >= 0
    code, x = family.code[known], values[known]
    size = int(np.prod(family.shape))
    n = np.bincount(code, minlength=size)
    s1 = np.bincount(code, weights=x, minlength=size)
    mean = s1 / np.maximum(n, 1)
    # centred second pass: squares of sums cancel badly when the mean is large beside the spread
    s2 = np.bincount(code, weights=(x - mean[code]) ** 2, minlength=size)
    keep = np.flatnonzero((n >= MIN_CELL) & (n < len(values)))
    out: list[_Cell] = []
    for c in keep:
        count = int(n[c])
        se = float(np.sqrt(s2[c] / (count - 1) / count * design_effect))
        m = float(mean[c])
        if se <= 1e-12 * abs(m):
            se = 0.0
        out.append((family.key(int(c)), count, m, two_sided(m, se, count - 1), se))
    return out


def _without(values: Floats, chosen: Sequence[NDArray[np.bool_]]) -> Floats:
    """Values less the joint least-squares fit of the chosen segments, which may overlap."""
    design = np.column_stack(chosen).astype(np.float64)
    effects = np.linalg.lstsq(design.T @ design, design.T @ values, rcond=None)[0]
    out: Floats = values - design @ effects
    return out


def _whole(values: Floats, design_effect: float) -> _Cell | None:
    n = len(values)
    if n < MIN_CELL:
        return None
    mean, se = float(values.mean()), float(values.std(ddof=1) / np.sqrt(n) * np.sqrt(design_effect))
    return ((), n, mean, two_sided(mean, se, n - 1), se)


def _best(cells: Sequence[_Cell], whole: _Cell | None, threshold: float, margin: float,
          taken: set[tuple[tuple[int, int], ...]]) -> _Cell | None:
    best: _Cell | None = None
    best_gain = 0.0
    for cell in ([whole] if whole is not None else []) + list(cells):
        key, n, mean, p, se = cell
        if key in taken or p > threshold or abs(mean) + float(special.stdtrit(n - 1, 0.975)) * se <= margin:
            continue
        gain = n * mean * mean  # same variance for all: a cell must not win by being calm
        # a pair must beat its parents by more than rounding: equal rows are the same segment
        if gain > best_gain * (1 + 1e-6 + 1e-3 * (len(key) == 2)):
            best, best_gain = cell, gain
    return best
