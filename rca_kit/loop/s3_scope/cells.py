"""Badness by segment and by block of time, kept in memory: a brush is answered from here, not from the rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl
from numpy.typing import NDArray

from rca_kit.aggregates.coding import Leaves
from rca_kit.aggregates.plan import OTHER, FeaturePlan
from rca_kit.aggregates.rows import value_key
from rca_kit.findings.base import Window
from rca_kit.findings.slices import Slices
from rca_kit.loop.reading.picture import Picture
from rca_kit.loop.s3_scope.search import Badness
from rca_kit.loop.s3_scope.slicing import inside_leaves
from rca_kit.stats.segments import Counts, Means

__all__ = ["OTHER", "Cells", "cells_over_time", "narrowed"]

Floats = NDArray[np.float64]
MOST_CELLS = 2_000_000  # three sums of eight bytes each: 50 MB, and a pass over all takes some hundredths of a second
FEWEST_BLOCKS = 24  # of time: coarser windows would not follow a brush
LEAST_RATE = 0.01  # background added to a mark that hardly ever showed before, as the search does


@dataclass(frozen=True, eq=False)
class Cells:
    """Sums by leaf and block of time, in the order of the blocks.

    Attributes
    ----------
    leaves : Leaves
        The dimensions, their conditions and the codes of each leaf.
    first : (blocks + 1,) array
        Where each block begins among the cells.
    leaf : (cells,) array
        Leaf of each cell.
    n, total, squares : (cells,) array
        Rows with a known badness, its sum and its sum of squares.
    """

    picture: Picture
    badness: Badness | None
    leaves: Leaves
    blocks: int
    width: int  # fine buckets in a block
    first: NDArray[np.int64]
    leaf: NDArray[np.int64]
    n: Floats
    total: Floats
    squares: Floats

    @property
    def block_seconds(self) -> int:
        """Windows snap to steps of this length."""
        return self.width * self.picture.grid.width_s

    def within(self, windows: tuple[Window, Window]) -> tuple[Leaves, Counts | Means]:
        """Sum the leaves over two windows."""
        b, a = (self._sums(w) for w in windows)
        if self.badness is None:
            return self.leaves, Counts(b[0], np.full_like(b[0], b[0].sum()), a[0], np.full_like(a[0], a[0].sum()))
        if not self.badness.binary:
            return self.leaves, Means(b[1], b[2], b[0], a[1], a[2], a[0])
        level = LEAST_RATE if b[1].sum() < LEAST_RATE * b[0].sum() else 0.0
        k0, k1 = b[1] + level * b[0], a[1] + level * a[0]
        return self.leaves, Counts(k0, b[0] * (1 + level), k1, a[0] * (1 + level))

    def _sums(self, window: Window) -> tuple[Floats, Floats, Floats]:
        """Blocks that lie wholly inside; where none does, those that begin inside."""
        grid = self.picture.grid
        low, high = (min(grid.index(t), grid.n) / self.width for t in (window.start, window.end))
        start, stop = int(np.ceil(low)), int(np.floor(high)) if high < self.blocks else self.blocks
        if stop <= start:
            start, stop = int(low), int(low) + 1
        part = slice(self.first[start], self.first[min(stop, self.blocks)])
        size = len(self.leaves.codes)
        n, total, squares = (
            np.bincount(self.leaf[part], x[part], size).astype(np.float64) for x in (self.n, self.total, self.squares)
        )
        return n, total, squares


@dataclass(frozen=True)
class Within:
    """Sums by leaf over one pair of windows, and what was listed below each selection of them."""

    cells: Cells
    windows: tuple[Window, Window]
    sums: tuple[Leaves, Counts | Means]
    drilled: dict[str, Slices] = field(default_factory=dict)


def cells_over_time(
    frame: nw.LazyFrame[Any], picture: Picture, plans: Sequence[FeaturePlan], bad: Badness | None, leaves: int = 0
) -> Cells | None:
    """Sum the badness by leaf and block of time in one scan of the log; None when there is nothing to slice by.

    Parameters
    ----------
    leaves : int
        About how many leaves there are: decides how fine the blocks of time can be.
    """
    if not plans:
        return None
    grid = picture.grid
    wanted = max(min(grid.n_coarse, MOST_CELLS // max(leaves, 1)), min(FEWEST_BLOCKS, grid.n_coarse))
    width = -(-grid.n_coarse // wanted) * grid.coarse
    schema = dict(frame.collect_schema())
    keys = [f"rk_d{i}" for i in range(len(plans))]
    micros = (nw.col(picture.aggregates.plan.columns.time) - nw.lit(grid.origin)).dt.total_microseconds()
    row = bad.row.cast(nw.Float64) if bad else nw.lit(1.0)
    grouped = (
        frame.select(
            *[value_key(p, schema[p.column]).alias(k) for p, k in zip(plans, keys, strict=True)],
            (micros // (grid.width_s * width * 1_000_000)).cast(nw.Int64).alias("rk_block"),
            row.alias("rk_x"),
        )
        .filter(~nw.col("rk_x").is_null())
        .with_columns((nw.col("rk_x") * nw.col("rk_x")).alias("rk_xx"))
        .group_by("rk_block", *keys)
        .agg(nw.len().alias("rk_n"), nw.col("rk_x").sum(), nw.col("rk_xx").sum())
    )
    native = grouped.to_native()
    table = (
        native.collect(engine="streaming") if isinstance(native, pl.LazyFrame) else grouped.collect(backend="polars").to_native()
    )
    if table.height == 0:
        return None
    table = table.sort("rk_block")
    codes, values = _coded(table, plans, keys)
    sizes = tuple(len(v) for v in values)
    packed = np.ravel_multi_index(tuple(codes.T), sizes)
    distinct, leaf = np.unique(packed, return_inverse=True)
    unpacked = np.stack(np.unravel_index(distinct, sizes), axis=1).astype(np.int32)
    blocks = -(-grid.n // width)
    block = np.clip(table["rk_block"].to_numpy(), 0, blocks - 1)
    sums = [table[c].cast(pl.Float64).to_numpy() for c in ("rk_n", "rk_x", "rk_xx")]
    named = Leaves(tuple(p.column for p in plans), values, tuple(p.numeric for p in plans), unpacked, {}, int(sums[0].sum()))
    return Cells(picture, bad, named, blocks, width, np.searchsorted(block, np.arange(blocks + 1)), leaf.astype(np.int64), *sums)


def _coded(
    table: pl.DataFrame, plans: Sequence[FeaturePlan], keys: Sequence[str]
) -> tuple[NDArray[np.int64], tuple[tuple[Any, ...], ...]]:
    codes, values = [], []
    for plan, key in zip(plans, keys, strict=True):
        column = table[key]
        distinct = column.drop_nulls().unique().sort()
        ranks = (column.rank("dense").cast(pl.Int64) - 1).fill_null(len(distinct))
        codes.append(ranks.to_numpy())
        known = [_condition(plan, v) for v in distinct.to_list()]
        values.append(tuple(known + ([None] if column.null_count() else [])))
    return np.column_stack(codes), tuple(values)


def _condition(plan: FeaturePlan, value: Any) -> Any:
    if not plan.numeric:
        return plan.values.get(value, value)
    out = {}
    if value > 0:
        out["ge"] = plan.edges[value - 1]
    if value < len(plan.edges):
        out["lt"] = plan.edges[value]
    return out


def narrowed(leaves: Leaves, measure: Counts | Means, where: Mapping[str, Any]) -> tuple[Leaves, Counts | Means]:
    """Keep the leaves that meet conditions."""
    if not where:
        return leaves, measure
    inside = inside_leaves(leaves, where)
    kept = replace(leaves, codes=leaves.codes[inside])
    if isinstance(measure, Counts):
        names: tuple[str, ...] = ("k_before", "n_before", "k_after", "n_after")
    else:
        names = ("sum_before", "sumsq_before", "n_before", "sum_after", "sumsq_after", "n_after")
    return kept, replace(measure, **{n: getattr(measure, n)[inside] for n in names})
