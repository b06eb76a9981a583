"""All segments up to a depth, with the evidence for each: the cells of every combination of dimensions."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from rca_kit.stats.segments.evidence import Evidence, Floats, Mask
from rca_kit.stats.segments.found import Conditions

Ints = NDArray[np.int64]
# Cells are addressed directly while the address space stays below this multiple of the leaves, by sorting beyond.
DIRECT = 8


@dataclass
class Cuboid:
    """The cells of one combination of dimensions that can still matter.

    `cell` gives each leaf's row in `sums`, -1 where the leaf's cell was pruned.
    """

    dims: tuple[int, ...]
    cell: NDArray[np.int32]
    first_leaf: Ints
    sums: Floats
    impact: Floats
    banned: Mask

    def take_out(self, leaves: Ints, evidence: Evidence) -> None:
        """Subtract the evidence of leaves that are explained."""
        rows = self.cell[leaves]
        kept = rows >= 0
        if kept.any():
            self.sums -= group_rows(rows[kept], evidence.gains[leaves[kept]], len(self.sums))
            self.impact -= np.bincount(rows[kept], evidence.impact[leaves[kept]], minlength=len(self.sums))


@dataclass
class Cells:
    """Every combination of dimensions up to the depth, and the number of segments looked at."""

    cuboids: list[Cuboid]
    looked_at: int


def build(codes: NDArray[np.integer], cardinalities: tuple[int, ...], evidence: Evidence, weight: Floats, max_depth: int,
          floor: float, relative: float) -> Cells:
    """Sum the evidence over all segments, pruning what cannot reach the floor.

    The bound is sound: a segment's best shared effect cannot gain more than the sum of its leaves' own best effects, and that
    sum only falls from parent to child.

    Parameters
    ----------
    codes : (n, d) array of int
    cardinalities : tuple of int
        Number of codes per dimension.
    evidence : Evidence
    weight : (n,) array
        A segment without weight is not counted as looked at.
    max_depth : int
    floor : float
        Gains below this do not matter, nats.
    relative : float
        Gains below this share of the best do not matter.
    """
    n, d = codes.shape
    bound = np.maximum(evidence.gains.max(axis=1, initial=0.0), 0.0)
    seen = weight > 0
    kept: dict[tuple[int, ...], Cuboid | None] = {}
    looked_at, best = 0, 0.0
    for depth in range(1, max_depth + 1):
        for dims in combinations(range(d), depth):
            parents = [kept[p] for p in combinations(dims, depth - 1)] if depth > 1 else []
            key, space = _keys(codes, cardinalities, dims)
            looked_at += int(np.count_nonzero(np.bincount(key[seen], minlength=1)))
            if any(p is None for p in parents):
                kept[dims] = None
                continue
            alive = np.ones(n, dtype=bool)
            for parent in parents:
                alive &= parent.cell >= 0  # type: ignore[union-attr]
            threshold = max(floor, relative * best)
            able = np.bincount(key, np.where(alive, bound, 0.0), minlength=space) >= threshold
            cuboid = _exact(dims, key, able, alive, evidence, space) if able.any() else None
            kept[dims] = cuboid
            if cuboid is not None:
                best = max(best, float(cuboid.sums.max()))
    return Cells([c for c in kept.values() if c is not None], looked_at)


def _keys(codes: NDArray[np.integer], cardinalities: tuple[int, ...], dims: tuple[int, ...]) -> tuple[Ints, int]:
    key = codes[:, dims[0]].astype(np.int64)
    space = cardinalities[dims[0]]
    for dim in dims[1:]:
        key = key * cardinalities[dim] + codes[:, dim]
        space *= cardinalities[dim]
        if space > DIRECT * max(len(codes), 1000):
            used, key = np.unique(key, return_inverse=True)
            key, space = key.astype(np.int64).reshape(-1), len(used)
    return key, space


def _exact(dims: tuple[int, ...], key: Ints, able: Mask, alive: Mask, evidence: Evidence, space: int) -> Cuboid:
    number = np.full(space, -1, dtype=np.int32)
    number[able] = np.arange(int(able.sum()), dtype=np.int32)
    cell = number[key]
    cell[~alive] = -1
    size = int(able.sum())
    leaves = np.flatnonzero(cell >= 0)
    every = len(leaves) == len(cell)
    rows = cell if every else cell[leaves]
    first = np.zeros(size, dtype=np.int64)
    first[rows[::-1]] = leaves[::-1]
    sums = group_rows(rows, evidence.gains if every else evidence.gains[leaves], size)
    impact = np.bincount(rows, evidence.impact if every else evidence.impact[leaves], minlength=size).astype(np.float64)
    return Cuboid(dims, cell, first, sums, impact, np.zeros(size, dtype=bool))


def group_rows(rows: NDArray[np.integer], values: Floats, size: int) -> Floats:
    """Sum rows of a matrix by group, one pass."""
    from scipy.sparse import csr_matrix

    n = len(rows)
    pick = csr_matrix((np.ones(n, dtype=values.dtype), rows, np.arange(n + 1, dtype=np.int32)), shape=(n, size))
    return np.asarray(pick.T @ values)


def conditions_of(cuboid: Cuboid, row: int, codes: NDArray[np.integer]) -> Conditions:
    """Write a cell as conditions."""
    leaf = codes[cuboid.first_leaf[row]]
    return tuple((dim, (int(leaf[dim]),)) for dim in cuboid.dims)
