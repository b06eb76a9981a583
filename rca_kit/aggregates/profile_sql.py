"""A profile by grouped sums inside another engine (DuckDB, Spark ...), written once as narwhals expressions."""

from __future__ import annotations

from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from rca_kit.aggregates.profile import ColumnProfile, TableProfile
from rca_kit.aggregates.profile_grid import CELLS, HALF, HEAD, BlockPlan, NumberGrid
from rca_kit.aggregates.profile_parts import MOSTLY_DISTINCT, NAMED, NAMED_OF_MANY, OTHER
from rca_kit.sources.clock import micros
from rca_kit.sources.collect import collect

Ints = NDArray[np.int64]

BLOCK = "rca block"
KEY = "rca key"
ROWS = "rca rows"


def scan_sql(
    frame: nw.LazyFrame[Any], wanted: list[str], axis: str | None, schema: dict[str, Any], like: TableProfile | None
) -> TableProfile:
    """Profile a table whose rows stay in their engine. Without times the order of rows is unknown there: one block."""
    count = int(collect(frame.select(nw.len().alias(ROWS)))[ROWS][0])
    first = last = None
    blocks = BlockPlan(None, 0, max(count, 1), 1)
    block = nw.lit(0)
    if axis is not None and count:
        when = micros(frame, axis)
        ends = collect(frame.select(when.min().alias("lo"), when.max().alias("hi")))
        first, last = ends["lo"][0], ends["hi"][0]
        if first is not None and last is not None:
            first, last = int(first), int(last)
            blocks = BlockPlan.of_time(axis, first, last)
            if like is not None and like.blocks.covers(axis, first, last):
                blocks = like.blocks
            number = ((when - blocks.origin) // blocks.width).cast(nw.Int64)
            block = nw.when(when.is_null()).then(nw.lit(0)).otherwise(number)
    cut = frame.with_columns(block.cast(nw.Int64).alias(BLOCK))
    found = collect(cut.group_by(BLOCK).agg(nw.len().alias(ROWS)))
    block_rows = np.zeros(blocks.count, np.int64)
    np.add.at(block_rows, found[BLOCK].to_numpy(), found[ROWS].to_numpy())
    columns = []
    for name in wanted:
        known = like[name] if like is not None and name in like.names else None
        dtype = schema[name]
        if name != axis and dtype.is_numeric():
            columns.append(_number(cut, nw.col(name).cast(nw.Float64), name, dtype, blocks, known))
        elif axis is not None and blocks.time and name != axis and (isinstance(dtype, nw.Datetime) or dtype == nw.Date):
            age = (micros(frame, axis) - micros(frame, name)).cast(nw.Float64) / 1e6
            columns.append(_number(cut, age, name, dtype, blocks, known))
        elif dtype in (nw.String, nw.Boolean, nw.Categorical) or isinstance(dtype, nw.Enum):
            columns.append(_category(cut, name, dtype, blocks, count))
        else:
            columns.append(_nulls(cut, name, dtype, blocks))
    return TableProfile(tuple(columns), count, blocks, block_rows, first, last)


def _number(
    frame: nw.LazyFrame[Any], x: nw.Expr, name: str, dtype: Any, blocks: BlockPlan, known: ColumnProfile | None
) -> ColumnProfile:
    there = ~x.is_null()
    if dtype.is_float():
        there = there & ~x.is_nan()
    grid = known.grid if known is not None and known.grid is not None else None
    if grid is None:
        head = collect(frame.filter(there).select(x.alias(KEY)).head(HEAD))
        grid = NumberGrid.of(head[KEY].to_numpy())
    y = (x - grid.center) * (1.0 / grid.scale)
    size = HALF - HALF / (y.abs().sqrt() + 1.0)
    steps = nw.when(size >= HALF - 1).then(nw.lit(float(HALF - 1))).otherwise(size.floor())
    cell = nw.when(y < 0).then(HALF - 1 - steps).otherwise(HALF + steps)
    key = nw.when(there).then(cell).otherwise(nw.lit(-1.0)).cast(nw.Int64)
    counts, missing = np.zeros((blocks.count, CELLS), np.int64), np.zeros(blocks.count, np.int64)
    found = collect(frame.select(nw.col(BLOCK), key.alias(KEY)).group_by(BLOCK, KEY).agg(nw.len().alias(ROWS)))
    at, cells, rows = (found[c].to_numpy() for c in (BLOCK, KEY, ROWS))
    valid = cells >= 0
    np.add.at(counts, (at[valid], cells[valid]), rows[valid])
    np.add.at(missing, at[~valid], rows[~valid])
    finite = there & x.is_finite()
    inside = nw.when(finite)
    sums = collect(frame.select(
        inside.then(y * grid.scale).sum().alias("total"), inside.then((y * grid.scale) * (y * grid.scale)).sum().alias("squares"),
        inside.then(x).min().alias("low"), inside.then(x).max().alias("high"),
        inside.then(nw.lit(1)).otherwise(nw.lit(0)).sum().alias("finite"),
        nw.when(there).then(nw.lit(1)).otherwise(nw.lit(0)).sum().alias("there"),
        nw.when(x.is_null()).then(nw.lit(1)).otherwise(nw.lit(0)).sum().alias("null")))
    got = {c: sums[c][0] for c in sums.columns}
    some = int(got["finite"] or 0)
    return ColumnProfile(
        name, "number", str(dtype), counts, missing, grid=grid, total=float(got["total"] or 0.0),
        squares=float(got["squares"] or 0.0), finite=some, minimum=float(got["low"]) if some else None,
        maximum=float(got["high"]) if some else None,
        nan=int(missing.sum()) - int(got["null"] or 0), infinite=int(got["there"] or 0) - some)


def _category(frame: nw.LazyFrame[Any], name: str, dtype: Any, blocks: BlockPlan, count: int) -> ColumnProfile:
    value = nw.col(name).cast(nw.String)
    part = frame.select(nw.col(BLOCK), value.alias(KEY))
    each = part.filter(~nw.col(KEY).is_null()).group_by(KEY).agg(nw.len().alias(ROWS))
    distinct = int(collect(each.select(nw.len().alias("n")))["n"][0])
    limit = NAMED_OF_MANY if distinct > MOSTLY_DISTINCT * count and count >= 64 else NAMED
    top = collect(each.sort(ROWS, KEY, descending=[True, False]).head(limit))
    keep = [v for v, n in zip(top[KEY].to_list(), top[ROWS].to_list(), strict=True)
            if limit == NAMED or n >= max(3, count // 500)]
    labels = sorted(keep) + ([OTHER] if distinct > len(keep) else [])
    if distinct > len(keep):
        folded = nw.when(nw.col(KEY).is_in(keep) | nw.col(KEY).is_null()).then(nw.col(KEY)).otherwise(nw.lit(OTHER.strip("\x00")))
        rest = OTHER.strip("\x00")
        if rest not in keep:
            part = part.with_columns(folded.alias(KEY))
    found = collect(part.group_by(BLOCK, KEY).agg(nw.len().alias(ROWS)))
    place = {v: i for i, v in enumerate(labels)}
    counts, missing = np.zeros((blocks.count, max(len(labels), 1)), np.int64), np.zeros(blocks.count, np.int64)
    for at, label, rows in zip(found[BLOCK].to_list(), found[KEY].to_list(), found[ROWS].to_list(), strict=True):
        if label is None:
            missing[at] += rows
        else:
            counts[at, place.get(label, len(labels) - 1)] += rows
    return ColumnProfile(name, "category", str(dtype), counts, missing, labels=tuple(labels) or (OTHER,))


def _nulls(frame: nw.LazyFrame[Any], name: str, dtype: Any, blocks: BlockPlan) -> ColumnProfile:
    null = nw.when(nw.col(name).is_null()).then(nw.lit(1)).otherwise(nw.lit(0))
    found = collect(frame.select(nw.col(BLOCK), null.alias(KEY)).group_by(BLOCK).agg(nw.col(KEY).sum(), nw.len().alias(ROWS)))
    counts, missing = np.zeros((blocks.count, 1), np.int64), np.zeros(blocks.count, np.int64)
    at = found[BLOCK].to_numpy()
    missing[at] = found[KEY].to_numpy()
    counts[at, 0] = found[ROWS].to_numpy() - missing[at]
    return ColumnProfile(name, "other", str(dtype), counts, missing)
