"""One streaming scan of a table gives a mergeable profile of every column: rows, nulls, cells per block, moments, extremes."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rca_kit.aggregates.profile_grid import DAY, HOUR, BlockPlan, NumberGrid
from rca_kit.aggregates.profile_parts import OTHER, CategoryPart, Distinct, NullPart, NumberPart
from rca_kit.errors import BadInput

Ints = NDArray[np.int64]

TWO_WEEKS = 14 * DAY


@dataclass(frozen=True)
class ColumnProfile:
    """What one scan learnt of one column. `counts` is (blocks, cells): numbers over `grid`, categories over `labels`.

    `total` and `squares` are sums of x - center and (x - center)^2 over the finite values.
    """

    name: str
    kind: str  # number, category or other
    dtype: str
    counts: Ints
    missing: Ints
    grid: NumberGrid | None = None
    labels: tuple[str, ...] | None = None
    total: float = 0.0
    squares: float = 0.0
    finite: int = 0
    minimum: float | None = None
    maximum: float | None = None
    nan: int = 0
    infinite: int = 0
    repeats: int = 0
    falls: int = 0
    pairs: int = 0
    distinct: Distinct | None = None

    @property
    def rows(self) -> int:
        """All rows."""
        return int(self.counts.sum() + self.missing.sum())

    @property
    def distinct_count(self) -> float | None:
        """Distinct values: exact for few, approximate for many, None where not counted."""
        named = 0 if self.labels is None else sum(x != OTHER for x in self.labels)
        if self.distinct is None or not len(self.distinct.hashes):
            return float(named) if self.labels is not None else None
        return max(self.distinct.count, float(named))

    def merge(self, other: ColumnProfile) -> ColumnProfile:
        """Give the profile of both tables together; neighbours across the seam are not compared."""
        if self.kind != other.kind or self.grid != other.grid or len(self.counts) != len(other.counts):
            raise BadInput("profiles of different plans cannot be merged", column=self.name,
                           hint="profile the second table with `like=` the first")
        counts, labels = self.counts, self.labels
        if self.labels is None or other.labels is None:
            counts = self.counts + other.counts
        else:
            labels, (left, right) = together(self, other)
            counts = left + right
        least = [x.minimum for x in (self, other) if x.minimum is not None]
        most = [x.maximum for x in (self, other) if x.maximum is not None]
        sketch = self.distinct.merge(other.distinct) if self.distinct and other.distinct else self.distinct or other.distinct
        return replace(
            self, counts=counts, labels=labels, missing=self.missing + other.missing, total=self.total + other.total,
            squares=self.squares + other.squares, finite=self.finite + other.finite, minimum=min(least, default=None),
            maximum=max(most, default=None), nan=self.nan + other.nan, infinite=self.infinite + other.infinite,
            repeats=self.repeats + other.repeats, falls=self.falls + other.falls, pairs=self.pairs + other.pairs, distinct=sketch)


@dataclass(frozen=True)
class TableProfile:
    """Profiles of all columns of one table, its rows per block, and the plan they were counted under."""

    columns: tuple[ColumnProfile, ...]
    rows: int
    blocks: BlockPlan
    block_rows: Ints
    first_time: int | None = None
    last_time: int | None = None

    def __getitem__(self, name: str) -> ColumnProfile:
        return next(c for c in self.columns if c.name == name)

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in the table's order."""
        return tuple(c.name for c in self.columns)

    def phases(self, grain: int, weekly: bool) -> Ints | None:
        """Place of each block in the season: number of the `grain` of the day, weekends apart when `weekly`; shape (blocks,)."""
        starts = self.blocks.starts()
        if starts is None:
            return None
        middle = starts + self.blocks.width // 2
        phase = middle % DAY // grain
        if weekly:
            phase += (DAY // grain) * ((middle // DAY + 3) % 7 >= 5)  # 1970-01-01 was a Thursday
        return np.asarray(phase, np.int64)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write it to a file that `TableProfile.load` and `rca_kit.compare` read."""
        from rca_kit.aggregates.profile_file import save_profile

        return save_profile(self, path)

    @staticmethod
    def load(path: str | os.PathLike[str]) -> TableProfile:
        """Read a saved profile."""
        from rca_kit.aggregates.profile_file import load_profile

        return load_profile(path)

    def merge(self, other: TableProfile) -> TableProfile:
        """Give the profile of both tables together, for profiles under one plan (``like=``)."""
        if self.names != other.names or self.blocks != other.blocks:
            raise BadInput("profiles of different plans cannot be merged", hint="profile the second table with `like=` the first")
        first = [t for t in (self.first_time, other.first_time) if t is not None]
        last = [t for t in (self.last_time, other.last_time) if t is not None]
        return TableProfile(tuple(a.merge(b) for a, b in zip(self.columns, other.columns, strict=True)), self.rows + other.rows,
                            self.blocks, self.block_rows + other.block_rows, min(first, default=None), max(last, default=None))


def season_grain(before: BlockPlan, after: BlockPlan) -> tuple[int, bool] | None:
    """Choose the grain of the phases that both sides' blocks resolve, and whether weekends are apart; None without times.

    Examples
    --------
    >>> season_grain(BlockPlan.of_time("t", 0, 7 * DAY), BlockPlan.of_time("t", 7 * DAY, 8 * DAY))
    (3600000000, False)
    """
    if before.time is None or after.time is None:
        return None
    grain = max(HOUR, before.width, after.width)
    if grain > DAY // 4 or DAY % grain:
        return None
    return grain, before.width * before.count >= TWO_WEEKS


def together(first: ColumnProfile, second: ColumnProfile) -> tuple[tuple[str, ...], tuple[Ints, Ints]]:
    """Bring the counts of two categorical profiles onto the same labels, OTHER last."""
    assert first.labels is not None and second.labels is not None
    labels = sorted({*first.labels, *second.labels} - {OTHER})
    if OTHER in first.labels or OTHER in second.labels:
        labels.append(OTHER)
    place = {x: i for i, x in enumerate(labels)}
    sides = []
    for side in (first, second):
        out = np.zeros((len(side.counts), len(labels)), np.int64)
        out[:, [place[x] for x in side.labels or ()]] = side.counts
        sides.append(out)
    return tuple(labels), (sides[0], sides[1])


def finish(name: str, dtype: str, part: NumberPart | CategoryPart | NullPart) -> ColumnProfile:
    """Freeze the sums of a column."""
    if isinstance(part, NumberPart):
        grid = part.grid or NumberGrid(0.0, 1.0)
        some = part.finite > 0
        return ColumnProfile(
            name, "number", dtype, part.counts, part.missing, grid=grid, total=part.total, squares=part.squares,
            finite=part.finite, minimum=part.minimum if some else None, maximum=part.maximum if some else None,
            nan=part.nan, infinite=part.infinite, repeats=part.repeats, falls=part.falls, pairs=part.pairs,
            distinct=part.distinct)
    if isinstance(part, CategoryPart):
        counts = part.counts[:, : len(part.labels)]
        order = np.argsort(part.labels) if part.labels else np.zeros(0, np.int64)
        labels = tuple(part.labels[i] for i in order)
        counts = counts[:, order]
        if part.rest.any():
            labels, counts = (*labels, OTHER), np.column_stack([counts, part.rest])
        if not labels:
            labels, counts = (OTHER,), np.zeros((part.blocks, 1), np.int64)
        # labels the head of another table brought in and this one never showed
        return ColumnProfile(name, "category", dtype, counts, part.missing, labels=labels, distinct=part.distinct)
    return ColumnProfile(name, "other", dtype, part.valid[:, None], part.missing)

