"""All segments up to a depth, with the evidence for each: the cells of every combination of dimensions."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from rca_kit.stats.segments.evidence import Evidence, Floats, Mask, group_columns, group_rows
from rca_kit.stats.segments.found import Conditions, members

Ints = NDArray[np.int64]
# Cells are addressed directly while the address space stays below this multiple of the leaves, by sorting beyond.
DIRECT = 8


@dataclass
class Cuboid:
    """The cells of one combination of dimensions that can still matter.

    `keys` are the mixed-radix keys of the kept cells, ascending; `leaves` counts the leaves of each, `sums` their evidence.
    """

    dims: tuple[int, ...]
    cardinalities: tuple[int, ...]
    keys: Ints
    leaves: Ints
    sums: Floats
    impact: Floats
    banned: Mask
    cached: NDArray[np.int32] | None = None

    def rows(self, codes: NDArray[np.integer], leaves: Ints | None = None) -> NDArray[np.integer]:
        """Give each leaf's row in `sums`, -1 where its cell was pruned."""
        if self.cached is not None:
            return self.cached if leaves is None else self.cached[leaves]
        key = keys_of(codes if leaves is None else codes[leaves], self.cardinalities, self.dims)
        at = np.minimum(np.searchsorted(self.keys, key), len(self.keys) - 1)
        return np.where(self.keys[at] == key, at, -1)

    def inside(self, codes: NDArray[np.integer], row: int) -> Mask:
        """Mark the leaves of one cell."""
        return members(codes, self.conditions(row))

    def conditions(self, row: int) -> Conditions:
        """Write a cell as conditions."""
        key, out = int(self.keys[row]), []
        for dim in reversed(self.dims):
            key, code = divmod(key, self.cardinalities[dim])
            out.append((dim, (code,)))
        return tuple(reversed(out))

    def take_out(self, codes: NDArray[np.integer], leaves: Ints, evidence: Evidence) -> None:
        """Subtract the evidence of leaves that are explained."""
        rows = self.rows(codes, leaves)
        kept = rows >= 0
        if kept.any():
            self.sums -= evidence.by_group(rows[kept], leaves[kept], len(self.sums))
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
    if evidence.heavy is not None:
        return build_large(codes, cardinalities, evidence, weight, max_depth, floor, relative)
    n, d = codes.shape
    bound = np.maximum(evidence.gains.max(axis=1, initial=0.0), 0.0)
    seen = weight > 0
    kept: dict[tuple[int, ...], Cuboid | None] = {}
    looked_at, best = 0, 0.0
    for depth in range(1, max_depth + 1):
        for dims in combinations(range(d), depth):
            parents = [kept[p] for p in combinations(dims, depth - 1)] if depth > 1 else []
            key = keys_of(codes, cardinalities, dims)
            used, place = _compact(key, cardinalities, dims)
            looked_at += int(np.count_nonzero(np.bincount(place[seen], minlength=1)))
            if any(p is None for p in parents):
                kept[dims] = None
                continue
            alive = np.ones(n, dtype=bool)
            for parent in parents:
                alive &= parent.cached >= 0  # type: ignore[operator,union-attr]
            threshold = max(floor, relative * best)
            able = np.bincount(place, np.where(alive, bound, 0.0), minlength=len(used)) >= threshold
            cuboid = _exact(dims, cardinalities, used, place, able, alive, evidence) if able.any() else None
            kept[dims] = cuboid
            if cuboid is not None:
                best = max(best, float(cuboid.sums.max()))
    return Cells([c for c in kept.values() if c is not None], looked_at)


def keys_of(codes: NDArray[np.integer], cardinalities: tuple[int, ...], dims: tuple[int, ...]) -> Ints:
    """Give every leaf's mixed-radix key over some dimensions."""
    key = codes[:, dims[0]].astype(np.int64)
    for dim in dims[1:]:
        key *= cardinalities[dim]
        key += codes[:, dim]
    return key


def _compact(key: Ints, cardinalities: tuple[int, ...], dims: tuple[int, ...]) -> tuple[Ints, Ints]:
    """Give the keys that cells may have, ascending, and every leaf's place among them."""
    space = 1
    for dim in dims:
        space *= cardinalities[dim]
    if space <= DIRECT * max(len(key), 1000):
        return np.arange(space, dtype=np.int64), key
    used, place = np.unique(key, return_inverse=True)
    return used, place.reshape(-1)


def _exact(dims: tuple[int, ...], cardinalities: tuple[int, ...], used: Ints, place: Ints, able: Mask, alive: Mask,
           evidence: Evidence) -> Cuboid:
    size = int(able.sum())
    number = np.full(len(used), -1, dtype=np.int32)
    number[able] = np.arange(size, dtype=np.int32)
    cell = number[place]
    cell[~alive] = -1
    leaves = np.flatnonzero(cell >= 0)
    every = len(leaves) == len(cell)
    rows = cell if every else cell[leaves]
    sums = evidence.by_group(rows, None if every else leaves, size)
    impact = np.bincount(rows, evidence.impact if every else evidence.impact[leaves], minlength=size).astype(np.float64)
    counts = np.bincount(rows, minlength=size).astype(np.int64)
    return Cuboid(dims, cardinalities, used[able], counts, sums, impact, np.zeros(size, dtype=bool), cell)


def build_large(codes: NDArray[np.integer], cardinalities: tuple[int, ...], evidence: Evidence, weight: Floats, max_depth: int,
                floor: float, relative: float) -> Cells:
    """Sum the evidence of millions of leaves: first to blocks of a few dimensions, from there to the cells.

    The gains of thin leaves are linear, so every cell is exact; what cannot matter is dropped afterwards.
    """
    from rca_kit.stats.segments.blocks import blocks

    d = codes.shape[1]
    cuboids: list[Cuboid] = []
    looked_at, best = 0, 0.0
    wanted = [dims for depth in range(1, max_depth + 1) for dims in combinations(range(d), depth)]
    heavy = evidence.heavy if evidence.heavy is not None else np.zeros(0, dtype=np.int64)
    heavy_codes = codes[heavy]
    assert evidence.linear is not None and evidence.slopes is not None
    columns = [(weight > 0).astype(np.float64), np.ones(len(codes)), evidence.impact, *evidence.linear]
    for block in blocks(codes, cardinalities, columns, wanted):
        for dims in block.covers:
            key = keys_of(block.codes, cardinalities, dims)
            used, place = _compact(key, cardinalities, dims)
            sums = group_columns(place, block.columns, len(used))
            looked_at += int(np.count_nonzero(sums[:, 0] > 0))
            gains = sums[:, 3:] @ evidence.slopes
            if len(heavy):
                at = np.searchsorted(used, keys_of(heavy_codes, cardinalities, dims))
                gains += group_rows(at, evidence.gains, len(used))
            best = max(best, float(gains.max()))
            keep = gains.max(axis=1) >= max(floor, relative * best)
            if keep.any():
                cuboids.append(Cuboid(dims, cardinalities, used[keep], sums[keep, 1].astype(np.int64), gains[keep],
                                      sums[keep, 2], np.zeros(int(keep.sum()), dtype=bool)))
    cuboids.sort(key=lambda c: (len(c.dims), c.dims))
    return Cells(cuboids, looked_at)
