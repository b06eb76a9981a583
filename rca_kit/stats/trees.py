"""Small regression trees on binned columns, alone or boosted, for fits on some thousand rows.

scikit-learn's trees do the same on any number of rows. Importing them takes longer than all such fits of one investigation,
which is why these are here: histogram trees (Ke et al. 2017, "LightGBM"; Friedman 2001, doi:10.1214/aos/1013203451 for the
boosting), grown level by level, each level in one pass over the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]

BINS = 32  # values told apart per column, unless said otherwise: quantiles of some thousand rows, each of a hundred
SMOOTH = 10.0  # rows of mean zero added to a category before categories are put in order, as scikit-learn does
LEAST_GAIN = 1e-12  # of the whole sum of squares: below is rounding


@dataclass(frozen=True)
class Bins:
    """Where each column is cut: a value's code is the number of edges below it; the last code, `most`, is missing.

    Columns marked categorical hold codes 0, 1, 2, ... already; those from `most` on count as missing.
    """

    edges: tuple[Floats, ...]
    categorical: tuple[bool, ...]
    most: int = BINS

    @classmethod
    def fit(cls, x: Floats, categorical: Sequence[bool] | None = None, most: int = BINS) -> Bins:
        """Cut half-way between neighbouring values, or at quantiles where there are more values than bins."""
        kinds = tuple(categorical) if categorical is not None else (False,) * x.shape[1]
        edges = (np.empty(0) if kind else _edges(column, most) for kind, column in zip(kinds, x.T, strict=True))
        return cls(tuple(edges), kinds, most)

    def codes(self, x: Floats) -> Codes:
        """Codes of the values, shape (rows, columns)."""
        out = np.empty(x.shape, np.intp)
        for j, (edges, kind) in enumerate(zip(self.edges, self.categorical, strict=True)):
            column = x[:, j]
            missing = np.isnan(column)
            if kind:
                missing |= (column < 0) | (column >= self.most)
                out[:, j] = np.where(missing, 0, column).astype(np.intp)
            else:
                out[:, j] = np.searchsorted(edges, column)
            out[missing, j] = self.most
        return out


def _edges(column: Floats, most: int) -> Floats:
    known = np.sort(column[np.isfinite(column)])
    values = known[np.append(True, known[1:] != known[:-1])] if known.size else known
    if values.size > most:  # edges at quantiles, each half-way between the two values around it
        after = np.searchsorted(values, known[np.arange(1, most) * known.size // most])
        after = np.unique(after[after > 0])
        return np.asarray((values[after] + values[after - 1]) / 2)
    return np.asarray((values[1:] + values[:-1]) / 2)


@dataclass(frozen=True)
class Tree:
    """A binary tree, its nodes numbered as in a heap: those below node i are 2i + 1 and 2i + 2.

    Attributes
    ----------
    feature : column that a node splits, -1 for a leaf
    left : shape (nodes, codes), which codes go to the first of the two nodes below
    value : mean of the rows in a node
    """

    feature: NDArray[np.intp]
    left: NDArray[np.bool_]
    value: Floats

    def leaf(self, codes: Codes) -> Codes:
        """Number of the leaf that each row ends in."""
        size, here = self.left.shape[1], np.arange(self.feature.size)[:, None]
        below = np.where(self.feature[:, None] >= 0, 2 * here + 2 - self.left, here).ravel()  # a leaf leads to itself
        feature, flat = np.maximum(self.feature, 0), codes.ravel()
        first = np.arange(len(codes)) * codes.shape[1]
        at = np.zeros(len(codes), np.intp)
        for _ in range(int(np.flatnonzero(self.feature >= 0)[-1] + 1).bit_length() if (self.feature >= 0).any() else 0):
            at = below.take(at * size + flat.take(first + feature.take(at)))
        return at


@dataclass(frozen=True)
class _Layout:
    """What all trees on the same rows share.

    `flat` holds each code's place in a histogram of all columns, `counts` that histogram over all rows; `place` and `spread` are
    room to work in, since asking for new memory at each level would take longer than the sums.
    """

    codes: Codes
    categorical: NDArray[np.bool_]
    size: int
    flat: Codes
    place: Codes
    spread: Floats
    counts: Floats

    @classmethod
    def of(cls, bins: Bins, codes: Codes) -> _Layout:
        size = bins.most + 1
        flat = np.ascontiguousarray(codes + np.arange(codes.shape[1]) * size)
        counts: Floats = np.bincount(flat.ravel(), minlength=codes.shape[1] * size).astype(np.float64).reshape(1, -1, size)
        return cls(codes, np.asarray(bins.categorical, bool), size, flat, np.empty_like(flat), np.empty(codes.shape), counts)

    def root(self, weights: Sequence[Floats]) -> list[Floats]:
        """Histograms of all rows: of each of the weights, with the counts after the first."""
        out: list[Floats] = []
        for w in weights:
            self.spread[:] = w[:, None]
            got = np.bincount(self.flat.ravel(), self.spread.ravel(), self.counts.size)
            out.append(got.astype(np.float64, copy=False).reshape(self.counts.shape))
        return [out[0], self.counts, *out[1:]]
    def histograms(self, rows: Codes, slot: Codes, slots: int, weights: Sequence[Floats | None]) -> list[Floats]:
        """Sum each of the weights (None: count) by slot, column and code; shape (slots, columns, codes)."""
        columns = self.codes.shape[1]
        width = columns * self.size
        place, spread = self.place[: len(rows)], self.spread[: len(rows)]
        np.take(self.flat, rows, axis=0, out=place, mode="clip")
        place += (slot * width)[:, None]
        out = []
        for w in weights:
            if w is not None:
                spread[:] = w[rows, None]
            got = np.bincount(place.ravel(), None if w is None else spread.ravel(), slots * width)
            out.append(got.astype(np.float64, copy=False).reshape(slots, columns, self.size))
        return out


def grow(
    bins: Bins, codes: Codes, target: Floats, weight: Floats | None = None, *, depth: int, leaves: int, least: int
) -> Tree:
    """Grow one tree that splits where the weighted sum of squares falls most.

    Parameters
    ----------
    bins : Bins
    codes : (rows, columns) array of int
        From `bins.codes`.
    target, weight : (rows,) array of float
        What is to be told apart, and how much each row counts.
    depth, leaves : int
        Most levels and most leaves; of one level, the splits that gain most are taken first.
    least : int
        Rows that a leaf holds at least.

    Examples
    --------
    >>> x = np.array([[1.0], [2.0], [3.0], [4.0]])
    >>> bins = Bins.fit(x)
    >>> tree = grow(bins, bins.codes(x), np.array([0.0, 0.0, 1.0, 1.0]), depth=1, leaves=2, least=1)
    >>> tree.value[tree.leaf(bins.codes(x))].tolist()
    [0.0, 0.0, 1.0, 1.0]
    """
    return _grow(_Layout.of(bins, codes), target, weight, depth, leaves, least)[0]


def _grow(
    layout: _Layout, target: Floats, weight: Floats | None, depth: int, leaves: int, least: int
) -> tuple[Tree, Codes]:
    """Grow a tree; give it with the leaf of each row."""
    n = len(target)
    nodes = 2 ** (depth + 1) - 1
    tree = Tree(np.full(nodes, -1), np.zeros((nodes, layout.size), bool), np.zeros(nodes))
    total = target if weight is None else target * weight
    sums = total.sum() / (n if weight is None else weight.sum())
    tree.value[0] = sums
    at = np.zeros(n, np.intp)
    open_nodes, rows, held = np.zeros(1, np.intp), np.arange(n), 1
    slot = np.zeros(n, np.intp)
    whole = float((total * target).sum())
    weights = (total, None) if weight is None else (total, None, weight)
    hist = layout.root([total] if weight is None else [total, weight])
    for level in range(depth):
        gain, feature, left, value = _best(hist, layout.categorical, least)
        # of one level the most telling splits first, as many as leaves are left; equal ones by their place
        order = np.argsort(-gain, kind="stable")[: leaves - held]
        taken = np.sort(order[gain[order] > LEAST_GAIN * whole])
        if not taken.size:
            break
        held += taken.size
        parents = open_nodes[taken]
        tree.feature[parents], tree.left[parents] = feature[taken], left[taken]
        children = np.stack([2 * parents + 1, 2 * parents + 2], axis=1)
        tree.value[children] = value[taken]
        new = np.full(len(open_nodes), -1)
        new[taken] = np.arange(taken.size)
        rows = rows[new[slot[rows]] >= 0]
        parent = new[slot[rows]]
        goes = ~left[taken][parent, layout.codes[rows, feature[taken][parent]]]
        at[rows] = children[parent, goes.astype(np.intp)]
        if level + 1 == depth or held >= leaves:
            break
        slot[rows] = 2 * parent + goes
        # the histogram of one child is counted, that of the other is what is left of the parent's
        first = np.bincount(slot[rows], minlength=2 * taken.size).reshape(-1, 2).argmin(1)
        small = rows[goes == first[parent]]
        both, here = [], np.arange(taken.size)
        for old, counted in zip(hist, layout.histograms(small, slot[small] // 2, taken.size, weights), strict=True):
            pair = np.empty((taken.size, 2, *counted.shape[1:]))
            pair[here, first] = counted
            pair[here, 1 - first] = old[taken] - counted
            both.append(pair.reshape(-1, *counted.shape[1:]))
        hist, open_nodes = both, children.ravel()
    return tree, at


def _best(
    hist: list[Floats], categorical: NDArray[np.bool_], least: int
) -> tuple[Floats, NDArray[np.intp], NDArray[np.bool_], Floats]:
    """Best split of each node: gain (-inf for none), column, codes that go left, means of both sides."""
    sums, rows = hist[0], hist[1]
    mass = hist[-1] if len(hist) > 2 else rows
    nodes, columns, last = sums.shape[0], sums.shape[1], sums.shape[2] - 1
    order = None
    if categorical.any():
        order = np.argsort(sums[:, categorical, :last] / (mass[:, categorical, :last] + SMOOTH), axis=-1, kind="stable")
    total = [h[:, :1].sum(-1)[..., None] for h in (sums, rows, mass)]
    part = []
    for h in (sums, rows) if mass is rows else (sums, rows, mass):
        inside = h[..., :last].copy()
        if order is not None:
            inside[:, categorical] = np.take_along_axis(inside[:, categorical], order, -1)
        part.append(np.cumsum(inside, axis=-1, out=inside))
    best_gain, best_at, missing_left = np.full(nodes, -np.inf), np.zeros(nodes, np.intp), np.zeros(nodes, bool)
    # missing values go with the second side or, where there are any, with the first
    for with_missing in (False, True):
        some = np.flatnonzero((rows[:, :, last] > 0).any(0)) if with_missing else np.arange(columns)
        if not some.size:
            break
        if with_missing:
            part = [p[:, some] + h[:, some, last:] for p, h in zip(part, (sums, rows, mass), strict=False)]
        s, k, m = part[0], part[1], part[-1]
        with np.errstate(divide="ignore", invalid="ignore"):
            gain = s * s
            gain /= m
            other = total[0] - s
            other *= other
            other /= total[2] - m
            gain += other
        gain[(k < least - 0.5) | (k > total[1] - (least - 0.5))] = -np.inf
        flat = gain.reshape(nodes, -1)
        at = flat.argmax(1)
        top = flat[np.arange(nodes), at]
        better = top > best_gain
        best_gain = np.where(better, top, best_gain)
        best_at = np.where(better, some[at // last] * last + at % last, best_at)
        missing_left = np.where(better, with_missing, missing_left)
    feature, cut = best_at // last, best_at % last
    here = np.arange(nodes)
    left = np.zeros((nodes, last + 1), bool)
    chosen = np.arange(last) <= cut[:, None]
    left[:, :last] = chosen
    if order is not None:
        kind = categorical[feature]
        place = order[here[kind], (np.cumsum(categorical) - 1)[feature[kind]]]
        shuffled = np.zeros((int(kind.sum()), last), bool)
        np.put_along_axis(shuffled, place, chosen[kind], -1)
        left[kind, :last] = shuffled
    left[:, last] = missing_left
    s, m = (np.where(left, h[here, feature], 0.0).sum(-1) for h in (sums, mass))
    all_s, all_m = total[0][:, 0, 0], total[2][:, 0, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.stack([s / m, (all_s - s) / (all_m - m)], axis=1)
        return best_gain - all_s**2 / all_m, feature, left, value


@dataclass(frozen=True)
class Boosted:
    """Gradient-boosted trees for squared error."""

    bins: Bins
    start: float
    trees: tuple[Tree, ...]

    def predict(self, x: Floats) -> Floats:
        """Estimate of each row of x, shape (rows, columns), NaN for missing."""
        codes = self.bins.codes(x)
        out = np.full(len(x), self.start)
        for tree in self.trees:
            out += tree.value[tree.leaf(codes)]
        return out


def boost(
    x: Floats, y: Floats, categorical: Sequence[bool] | None = None, *,
    rounds: int, rate: float = 0.1, depth: int = 5, leaves: int = 31, least: int = 20,
) -> Boosted:
    """Fit y by gradient-boosted trees.

    Parameters
    ----------
    x : (rows, columns) array of float
        NaN where missing.
    y : (rows,) array of float
    categorical : (columns,) sequence of bool, optional
        Columns that hold codes 0, 1, 2, ... without an order; the first 32 are told apart.
    rounds, rate : int, float
        Trees, and how much of each is taken.
    depth, leaves, least : int
        Of each tree, see `grow`.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(2000, 3))
    >>> y = np.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2]
    >>> made = boost(x[:1500], y[:1500], rounds=60)
    >>> bool(np.corrcoef(made.predict(x[1500:]), y[1500:])[0, 1] > 0.9)
    True
    """
    bins = Bins.fit(x, categorical)
    layout = _Layout.of(bins, bins.codes(x))
    start = float(y.mean())
    rest = y - start
    trees = []
    for _ in range(rounds):
        tree, at = _grow(layout, rest, None, depth, leaves, least)
        if tree.feature[0] < 0:
            break
        tree = Tree(tree.feature, tree.left, tree.value * rate)
        rest = rest - tree.value[at]
        trees.append(tree)
    return Boosted(bins, start, tuple(trees))
