"""Sums of one column while batches stream by: numbers into cells, categories by value, everything else by nulls."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rca_kit.aggregates.profile_grid import CELLS, HEAD, NumberGrid

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

OTHER = "\x00other"  # all values that are not counted by name
FEW_RUNS = 6  # blocks within a chunk up to which each is counted by itself
CHUNK = 32_768  # values worked on at once: temporaries stay in the processor's cache
NAMED = 500  # categories counted by name; beyond, the rest is OTHER
NAMED_OF_MANY = 64  # the same when nearly every row has a value of its own
MOSTLY_DISTINCT = 0.5  # share of distinct values in the head that makes a column an identifier
DOT = 8192  # BLAS starts threads for longer vectors, which spin while the decoder needs the cores
ONES = np.ones(DOT)
STEADY = 4  # batches without a new value after which only every fourth is looked at
SKETCH = 4096  # hashes kept to estimate the number of distinct values: 1.6 % standard error


@dataclass
class Distinct:
    """Hashes below a falling bound: how many distinct values, and how many rows repeat one (KMV; Bar-Yossef et al. 2002).

    Merging keeps the lower bound of both; the result does not depend on the order.
    """

    bound: int = 2**64 - 1
    hashes: NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, np.uint64))
    rows: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    batches: int = 0  # since the last new value
    repeating: bool = False  # most values come again and again: rows are not counted

    def add_series(self, series: Any) -> None:
        """Take in the values of a batch without nulls."""
        if self.repeating or not self.hashes.size:
            self.batches += 1
            if self.batches > STEADY and self.batches % STEADY:  # no new values for long: look at some batches only
                return
            values = series.unique()
            if self.repeating or len(values) < 0.5 * len(series):
                self.repeating, series = True, values
        before = len(self.hashes), self.bound
        self.add(series.hash(0).to_numpy())
        if before != (len(self.hashes), self.bound):
            self.batches = 0

    def add(self, hashed: NDArray[np.uint64]) -> None:
        """Take in the hashes of a batch."""
        if self.bound < 2**64 - 1:
            hashed = hashed[hashed <= np.uint64(self.bound)]
        for start in range(0, len(hashed), 2 * SKETCH):  # in pieces: the bound falls early and most hashes are never sorted
            piece = hashed[start : start + 2 * SKETCH]
            if start and self.bound < 2**64 - 1:
                piece = piece[piece <= np.uint64(self.bound)]
            if len(piece):
                values, rows = np.unique(piece, return_counts=True)
                self._put(values, rows.astype(np.int64))

    def merge(self, other: Distinct) -> Distinct:
        """Give the sketch of both together."""
        bound = min(self.bound, other.bound)
        out = Distinct(bound, repeating=self.repeating or other.repeating)
        for side in (self, other):
            keep = side.hashes <= np.uint64(bound)
            out._put(side.hashes[keep], side.rows[keep])
        return out

    def _put(self, values: NDArray[np.uint64], rows: Ints) -> None:
        together, place = np.unique(np.concatenate([self.hashes, values]), return_inverse=True)
        counted = np.bincount(place, np.concatenate([self.rows, rows]), len(together)).astype(np.int64)
        while len(together) > SKETCH:
            self.bound //= 2
            keep = together <= np.uint64(self.bound)
            together, counted = together[keep], counted[keep]
        self.hashes, self.rows = together, counted

    @property
    def count(self) -> float:
        """Estimated number of distinct values; exact up to 4096."""
        return float(len(self.hashes)) * (2.0**64 / (float(self.bound) + 1.0))

    @property
    def repeated(self) -> float:
        """Share of rows whose value was seen before."""
        total = int(self.rows.sum())
        return 1.0 - len(self.hashes) / total if total else 0.0


class NumberPart:
    """Sums of a numeric column."""

    def __init__(self, blocks: int, grid: NumberGrid | None) -> None:
        self.blocks, self.grid = blocks, grid
        self.counts: Ints = np.zeros((blocks, CELLS), np.int64)
        self.missing: Ints = np.zeros(blocks, np.int64)
        self.scaled_total = self.scaled_squares = 0.0
        self.finite = self.nan = self.infinite = self.repeats = self.falls = self.pairs = 0
        self.minimum, self.maximum = np.inf, -np.inf
        self.distinct: Distinct | None = None
        self._started = False
        self._last = np.nan
        self._room: tuple[Floats, Floats, NDArray[np.int32], Ints] | None = None

    @property
    def total(self) -> float:
        """Sum of x - center."""
        return self.scaled_total * (self.grid.scale if self.grid else 1.0)

    @property
    def squares(self) -> float:
        """Sum of (x - center)^2."""
        return self.scaled_squares * (self.grid.scale if self.grid else 1.0) ** 2

    def add(self, series: Any, block: Ints, ordered: bool = False) -> None:
        """Take in a batch: `block` numbers each row's block; `ordered` when it never falls."""
        pl = _polars()
        nulls = series.null_count()
        values = (series if series.dtype == pl.Float64 else series.cast(pl.Float64, strict=False)).to_numpy()
        if nulls or series.dtype.is_float():
            bad = np.isnan(values)
            if bad.any():
                self.nan += int(np.count_nonzero(bad)) - nulls
                self.missing += np.bincount(block[bad], minlength=self.blocks)
                values, block = values[~bad], block[~bad]
        if not len(values):
            return
        if self.grid is None:
            self.grid = NumberGrid.of(values[:HEAD])
        if not self._started:
            self._started = True
            head = values[:HEAD]
            # nearly all values differ in a continuous column: counting them would say nothing and cost a third of the scan
            if not (series.dtype.is_float() and len(np.unique(head)) > 0.99 * len(head) > 500):
                self.distinct = Distinct()
        if self.distinct is not None:
            self.distinct.add_series(series.drop_nulls() if nulls else series)
        for start in range(0, len(values), CHUNK):
            self._chunk(values[start : start + CHUNK], block[start : start + CHUNK], ordered)

    def _chunk(self, part: Floats, block: Ints, ordered: bool) -> None:
        assert self.grid is not None
        n = len(part)
        if self._room is None:
            self._room = np.empty(CHUNK), np.empty(CHUNK), np.empty(CHUNK, np.int32), np.empty(CHUNK, np.int64)
        y, scratch, code, joint = self._room[0][:n], self._room[1][:n], self._room[2][:n], self._room[3][:n]
        np.subtract(part, self.grid.center, out=y)
        np.multiply(y, 1.0 / self.grid.scale, out=y)
        low, high = float(part.min()), float(part.max())
        if np.isfinite(low) and np.isfinite(high):
            self.minimum, self.maximum = min(self.minimum, low), max(self.maximum, high)
            self.finite += n
            for at in range(0, n, DOT):
                piece = y[at : at + DOT]
                self.scaled_total += float(piece @ ONES[: len(piece)])
                self.scaled_squares += float(piece @ piece)
        else:
            self._with_infinities(part, y)
        self.repeats += int(np.count_nonzero(part[1:] == part[:-1])) + int(part[0] == self._last)
        self.falls += int(np.count_nonzero(part[1:] < part[:-1])) + int(part[0] < self._last)
        self.pairs += n if self._last == self._last else n - 1
        self._last = float(part[-1])
        NumberGrid.cell_of_scaled(y, scratch, code)
        first, last = int(block[0]), int(block[-1])
        if ordered and last - first < FEW_RUNS:
            ends = [0, *np.searchsorted(block, np.arange(first + 1, last + 1)).tolist(), n]
            for at, (start, stop) in enumerate(itertools.pairwise(ends), first):
                self.counts[at] += np.bincount(code[start:stop], minlength=CELLS)
            return
        first, last = int(block.min()), int(block.max())
        np.subtract(block, first, out=joint)
        np.multiply(joint, CELLS, out=joint)
        np.add(joint, code, out=joint)
        size = last - first + 1
        self.counts[first : last + 1] += np.bincount(joint, minlength=size * CELLS).reshape(size, CELLS)

    def _with_infinities(self, part: Floats, y: Floats) -> None:
        good = np.isfinite(part)
        self.infinite += len(part) - int(np.count_nonzero(good))
        if good.any():
            self.minimum, self.maximum = min(self.minimum, float(part[good].min())), max(self.maximum, float(part[good].max()))
            self.finite += int(np.count_nonzero(good))
            self.scaled_total += float(y[good].sum())
            self.scaled_squares += float(y[good] @ y[good])


class CategoryPart:
    """Rows per value; values get a number when first seen, up to a limit."""

    def __init__(self, blocks: int, known: tuple[str, ...] | None) -> None:
        self.blocks = blocks
        self.labels: list[str] = [x for x in known or () if x != OTHER]
        self.limit = NAMED
        self.counts: Ints = np.zeros((blocks, max(len(self.labels), 8)), np.int64)
        self.rest: Ints = np.zeros(blocks, np.int64)
        self.missing: Ints = np.zeros(blocks, np.int64)
        self.distinct = Distinct()
        self.started = False
        self._enum: Any = None

    def add(self, series: Any, block: Ints, ordered: bool = False) -> None:
        """Take in a batch of text, categories or booleans."""
        pl = _polars()
        nulls = series.null_count()
        if series.dtype == pl.Boolean:
            self.labels = ["false", "true"]
            codes = series.cast(pl.UInt8)
        else:
            if series.dtype != pl.String:
                series = series.cast(pl.String)
            if not self.started and nulls < len(series):
                self._start(series)
            codes = self._codes(series)
        unknown = codes.null_count() - nulls
        if unknown and len(self.labels) < self.limit:
            self._learn(series, codes)
            codes = self._codes(series)
            unknown = codes.null_count() - nulls
        if self.limit < NAMED or unknown:
            self.distinct.add_series(series.drop_nulls() if nulls else series)
        size = len(self.labels) + 2  # named, other, missing
        number = (codes.fill_null(size - 2) if nulls or unknown else codes).to_numpy()
        if nulls:
            number = number.astype(np.int64)
            number[series.is_null().to_numpy()] = size - 1
        first, last = (int(block[0]), int(block[-1])) if ordered else (int(block.min()), int(block.max()))
        width = last - first + 1
        joint = (block - first) * size
        joint += number
        found = np.bincount(joint, minlength=width * size).reshape(width, size)
        self._room(size - 2)
        self.counts[first : first + width, : size - 2] += found[:, : size - 2]
        self.rest[first : first + width] += found[:, size - 2]
        self.missing[first : first + width] += found[:, size - 1]

    def _start(self, series: Any) -> None:
        """Learn from the head whether nearly every row has a value of its own: then only frequent values are named."""
        self.started = True
        pl = _polars()
        head = series.drop_nulls().head(HEAD).alias("value")
        counted = head.value_counts(sort=False, name="rows")
        if len(head) >= 64 and len(counted) > MOSTLY_DISTINCT * len(head):
            self.limit = NAMED_OF_MANY
            counted = counted.filter(pl.col("rows") >= max(3, len(head) // 500))
        counted = counted.sort(["rows", "value"], descending=[True, False])
        for value in counted["value"].to_list():
            if len(self.labels) >= self.limit:
                break
            if value not in self.labels:
                self.labels.append(value)
        if self.limit < NAMED:
            self.limit = len(self.labels)
        self._enum = None

    def _learn(self, series: Any, codes: Any) -> None:
        new = series.filter(codes.is_null() & series.is_not_null()).alias("value").value_counts(sort=False, name="rows")
        new = new.sort(["rows", "value"], descending=[True, False])
        self.labels += new["value"].to_list()[: self.limit - len(self.labels)]
        self._enum = None

    def _codes(self, series: Any) -> Any:
        pl = _polars()
        if self._enum is None:
            self._enum = pl.Enum(self.labels)
        return series.cast(self._enum, strict=False).to_physical()

    def _room(self, size: int) -> None:
        if size > self.counts.shape[1]:
            grown = np.zeros((self.blocks, max(size, 2 * self.counts.shape[1])), np.int64)
            grown[:, : self.counts.shape[1]] = self.counts
            self.counts = grown


class NullPart:
    """Nulls only: times, lists, structs and whatever else is not compared by value."""

    def __init__(self, blocks: int) -> None:
        self.blocks = blocks
        self.missing: Ints = np.zeros(blocks, np.int64)
        self.valid: Ints = np.zeros(blocks, np.int64)

    def add(self, series: Any, block: Ints, ordered: bool = False) -> None:
        """Take in a batch."""
        null = series.is_null().to_numpy()
        missing = np.bincount(block[null], minlength=self.blocks)
        self.missing += missing
        self.valid += np.bincount(block, minlength=self.blocks) - missing


def _polars() -> Any:
    import polars

    return polars
