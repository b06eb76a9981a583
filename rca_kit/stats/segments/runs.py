"""Unbroken runs of ranges: how values of one dimension join, and the run of a number's ranges that stands out as a whole."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rca_kit.stats.segments.evidence import Evidence, Floats, Mask
from rca_kit.stats.segments.found import Conditions, members
from rca_kit.stats.segments.widen import MOST_TRAFFIC, widen

# A segment is split into some of its children only if others, which speak against it, hold this share of its traffic.
LEFT_OUT = 0.2


@dataclass(frozen=True)
class Joins:
    """Which dimensions have neighbouring ranges, and whether other values join as well."""

    ordered: tuple[bool, ...]
    cardinalities: tuple[int, ...]
    merge: bool

    @property
    def runs(self) -> int:
        """Number of unbroken runs of ranges that are looked at beside the cells."""
        return sum(n * (n - 1) // 2 for n, o in zip(self.cardinalities, self.ordered, strict=True) if o)

    def apply(self, codes: NDArray[np.integer], conditions: Conditions, evidence: Evidence, weight: Floats,
              active: Mask) -> Conditions:
        """Let the values that share a segment's effect into its conditions; see `widen`."""
        if not self.merge and not any(self.ordered[d] for d, _ in conditions):
            return conditions
        return widen(codes, conditions, evidence, weight, active, self.ordered, self.cardinalities, self.merge)


def best_run(codes: NDArray[np.integer], evidence: Evidence, weight: Floats, active: Mask, joins: Joins,
             tried: set[Conditions]) -> tuple[float, Conditions] | None:
    """Take the unbroken run of one ordered dimension with most evidence: no single range of it need stand out by itself."""
    best: tuple[float, Conditions] | None = None
    leaves = np.flatnonzero(active)
    for dim, size in enumerate(joins.cardinalities):
        if not joins.ordered[dim] or size < 3:
            continue
        column = codes[leaves, dim]
        gains = np.vstack([np.zeros(len(evidence.effects)), np.cumsum(evidence.by_group(column, leaves, size), axis=0)])
        traffic = np.concatenate([[0.0], np.cumsum(np.bincount(column, weight[leaves], minlength=size))])
        for low in range(size - 1):
            for high in range(low + 2, size + 1):
                run = ((dim, tuple(range(low, high))),)
                gain = float((gains[high] - gains[low]).max())
                small = traffic[high] - traffic[low] <= MOST_TRAFFIC * traffic[-1]
                if small and run not in tried and (best is None or gain > best[0]):
                    best = gain, run
    return best


def run_narrowed(codes: NDArray[np.integer], run: tuple[float, Conditions], evidence: Evidence, weight: Floats, active: Mask,
                 joins: Joins, cost: float, depth: int) -> tuple[float, Conditions]:
    """Go down from a run to values of other dimensions as a search narrows a cell, while others in it did not move."""
    score, conditions = run
    while len(conditions) < depth:
        leaves = np.flatnonzero(members(codes, conditions) & active)
        effect = int(evidence.by_group(np.zeros(leaves.size, dtype=int), leaves, 1)[0].argmax())
        best: tuple[float, float, Conditions] | None = None
        for dim in set(range(len(joins.cardinalities))) - {d for d, _ in conditions}:
            size = joins.cardinalities[dim]
            sums = evidence.by_group(codes[leaves, dim], leaves, size)
            share = np.bincount(codes[leaves, dim], weight[leaves], minlength=size) / max(float(weight[leaves].sum()), 1e-300)
            gains = sums.max(axis=1)
            moved = gains > cost
            against = ~moved & (sums[:, effect] <= -cost)
            total = float((gains[moved] - cost).sum())
            if share[against].sum() >= LEFT_OUT and total > score and (best is None or total > best[0]):
                code = int(np.argmax(gains))
                best = total, float(gains[code]), tuple(sorted((*conditions, (dim, (code,)))))
        if best is None:
            break
        _, score, conditions = best
    return score, conditions
