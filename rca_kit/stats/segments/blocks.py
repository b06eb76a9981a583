"""Millions of leaves, rolled up to a few small tables from which all wanted combinations of dimensions can be summed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from rca_kit.stats.segments.evidence import Columns, group_columns

EXTRA = 2  # a block has this many dimensions more than the deepest combination: few blocks cover all
SMALLER = 2  # a block is worth making only if it has this many times fewer cells than there are leaves


@dataclass(frozen=True, eq=False)
class Block:
    """A rolled-up table: codes of all dimensions (0 where not in the block), sums, and the combinations to take from it."""

    codes: NDArray[np.integer]
    columns: Columns
    covers: tuple[tuple[int, ...], ...]


def blocks(codes: NDArray[np.integer], cardinalities: tuple[int, ...], columns: Columns,
           wanted: list[tuple[int, ...]]) -> Iterator[Block]:
    """Cover the wanted combinations with blocks, each summed once from the leaves.

    Parameters
    ----------
    codes : (n, d) array of int
    cardinalities : tuple of int
    columns : sequence of (n,) array
        What to sum.
    wanted : list of tuple of int
        Combinations of dimensions.

    Examples
    --------
    >>> codes = np.array([[0, 0], [0, 1], [1, 1]])
    >>> [b.covers for b in blocks(codes, (2, 2), [np.ones(3)], [(0,), (1,)])]
    [((0,), (1,))]
    """
    n, d = codes.shape
    left = set(wanted)
    deepest = max((len(w) for w in wanted), default=0)
    while left:
        dims = _cover(d, deepest, cardinalities, left, n)
        covers = tuple(w for w in wanted if w in left and (dims is None or set(w) <= set(dims)))
        left -= set(covers)
        yield Block(codes, columns, covers) if dims is None else _rolled(codes, cardinalities, columns, dims, covers)


def _cover(d: int, deepest: int, cardinalities: tuple[int, ...], left: set[tuple[int, ...]], n: int) -> tuple[int, ...] | None:
    """Choose the block that covers most of what is left, for its size; None when only the leaves themselves will do."""
    best: tuple[float, tuple[int, ...]] | None = None
    for size in range(min(d, deepest + EXTRA), deepest - 1, -1):
        for dims in combinations(range(d), size):
            space = float(np.prod([cardinalities[i] for i in dims], dtype=np.float64))
            if space * SMALLER > n:
                continue
            inside = set(dims)
            gain = sum(1 for w in left if inside.issuperset(w)) / (n + space * 20)
            if gain > 0 and (best is None or gain > best[0]):
                best = (gain, dims)
    return best[1] if best else None


def _rolled(codes: NDArray[np.integer], cardinalities: tuple[int, ...], columns: Columns, dims: tuple[int, ...],
            covers: tuple[tuple[int, ...], ...]) -> Block:
    shape = tuple(cardinalities[i] for i in dims)
    key = np.zeros(len(codes), dtype=np.int64)
    for dim in dims:
        key *= cardinalities[dim]
        key += codes[:, dim]
    space = int(np.prod(shape))
    sums = group_columns(key, columns, space)
    used = np.flatnonzero(np.bincount(key, minlength=space))
    out = np.zeros((len(used), codes.shape[1]), dtype=np.int32)
    for dim, values in zip(dims, np.unravel_index(used, shape), strict=True):
        out[:, dim] = values
    return Block(out, list(sums[used].T.copy()), covers)
