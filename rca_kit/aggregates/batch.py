"""Sums of one batch of rows in memory, by arrays: codes of keys, counted; measures side by side, added up by one product.

The same sums as the grouped queries of `scan`, which other engines answer; a group-by of its own for each of some forty keys
costs several times as much. The order of additions is that of the rows, whatever the number of threads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl
from numpy.typing import NDArray

from rca_kit.aggregates.cube import BIN, BUCKET, LABEL, VALUE, Cube
from rca_kit.aggregates.plan import FeaturePlan, Plan
from rca_kit.aggregates.rows import FLAGS, as_number, as_text, bucket, log_bin, outcome_columns

Floats = NDArray[np.float64]
Codes = NDArray[np.integer[Any]]  # as narrow as they can be: new memory costs more than the sums

BLOCK = 65_536  # numbers binned at a time: a block and its counts stay in the processor's cache
TALL = 16_384  # rows of measures laid side by side at a time
MOST_NARROW = 2**31 - 1  # cells that 32 bits tell apart
SPARSE = 8  # cells per row from which cells that occur are numbered first


@dataclass(frozen=True)
class Key:
    """Codes 0..size-1 of each row's value, and the value of each code; the last is null."""

    codes: Codes
    values: pl.Series

    @property
    def size(self) -> int:
        """How many codes there are."""
        return len(self.values)


def sum_batch(rows: pl.DataFrame, plan: Plan) -> dict[str, Cube]:
    """Sum rows under a plan; the cubes have the names and columns that `scan` gives.

    Parameters
    ----------
    rows : polars.DataFrame
        At least one row; the columns of the plan, time in UTC.
    plan : Plan
    """
    frame: nw.LazyFrame[Any] = nw.from_native(rows.lazy())
    schema = dict(frame.collect_schema())
    measures = outcome_columns(plan, schema)
    keyed = {f.column: f for f in (*plan.segments, *plan.features)}
    numbers = {f.column: as_number(f.column, schema[f.column]) for f in keyed.values() if f.numeric}
    texts = {f.column: as_text(f.column, f.keep) for f in keyed.values() if not f.numeric}
    c = plan.columns
    timed = [name for name in (c.latency, *c.stages) if name]
    extra = [log_bin(as_number(name, schema[name])).alias(f"bin:{name}") for name in timed]
    if c.score:
        extra.append(as_number(c.score, schema[c.score]).alias("score"))
    if c.error:
        extra.append(nw.when(measures["error"] == 1).then(as_text(c.error)).alias("errors"))
    base: pl.DataFrame = frame.select(
        bucket(frame, plan),
        *[e.alias(f"measure:{m}") for m, e in measures.items()],
        *[e.alias(f"number:{n}") for n, e in numbers.items()],
        *[e.alias(f"text:{n}") for n, e in texts.items()],
        *extra,
    ).to_native().collect()
    fine = base[BUCKET].to_numpy()
    coarse = fine // plan.grid.coarse
    keys = {name: _binned(base[f"number:{name}"], keyed[name]) for name in numbers}
    keys |= {name: _named(base[f"text:{name}"], keyed[name]) for name in texts}
    outcomes = [c for m in measures for c in _columns(m, base[f"measure:{m}"])]
    inputs = [c for i, f in enumerate(plan.features) if f.numeric for c in _columns(f"feature{i}", base[f"number:{f.column}"])]
    for i, f in enumerate(plan.features):
        if not f.numeric:
            inputs.append(Column(f"feature{i}_n", base[f"text:{f.column}"].is_not_null().to_numpy(), exact=True))
    cells = {"time": Cells.of(fine, None)} | {f"segment:{f.column}": Cells.of(coarse, keys[f.column]) for f in plan.segments}
    cubes = _summed(cells, outcomes, inputs)
    for f in plan.features:
        cubes[f"feature:{f.column}"] = Cells.of(coarse, keys[f.column]).counted()
    for name in timed:
        cubes[f"latency:{name}"] = Cells.of(coarse, _whole(base[f"bin:{name}"])).counted()
    if c.score:
        bins = _binned(base["score"], FeaturePlan(c.score, numeric=True, edges=plan.score_edges))
        if plan.label_kind == "binary":
            cubes["score"] = _by_label(coarse, bins, _whole(base["measure:label"]))
        else:
            cubes["score"] = Cells.of(coarse, bins).counted()
    if c.error:
        cubes["errors"] = Cells.of(coarse, _named(base["errors"])).counted()
    return cubes


@dataclass(frozen=True)
class Column:
    """Numbers to be summed; None stands for one per row. `squared` sums their squares, `exact` tells a whole sum."""

    name: str
    values: NDArray[Any] | None
    squared: bool = False
    exact: bool = False


def _columns(measure: str, values: pl.Series) -> list[Column]:
    """How many values of a measure are known, their sum, and the sum of their squares unless they are 0 or 1."""
    whole = values.dtype.is_integer()
    if values.null_count():
        known, x = values.is_not_null().to_numpy(), values.fill_null(0).to_numpy()
    else:
        known, x = None, values.to_numpy()
    out = [Column(f"{measure}_n", known, exact=True), Column(f"{measure}_s", x, exact=whole)]
    return out if measure in FLAGS else [*out, Column(f"{measure}_ss", x, squared=True, exact=whole)]


def _binned(values: pl.Series, feature: FeaturePlan) -> Key:
    """Bins as `bin_index` gives them."""
    edges = feature.edges
    x = values.cast(pl.Float64).fill_null(np.nan).to_numpy()
    out: Codes = np.zeros(x.size, np.uint8 if len(edges) < 255 else np.int32)
    above = np.empty(min(BLOCK, x.size), bool)
    for start in range(0, x.size, BLOCK):
        block, count = x[start : start + BLOCK], out[start : start + BLOCK]
        here = above[: block.size]
        for edge in edges:
            np.greater_equal(block, edge, out=here)
            np.add(count, here.view(np.uint8), out=count)
    out[np.isnan(x)] = len(edges) + 1
    return Key(out, pl.Series([*range(len(edges) + 1), None], dtype=pl.Int64))


def _whole(values: pl.Series) -> Key:
    """Codes of whole numbers from 0."""
    top = int(values.max() if len(values) - values.null_count() else -1) + 1  # type: ignore[arg-type]
    return Key(values.cast(pl.Int32).fill_null(top).to_numpy(), pl.Series([*range(top), None], dtype=pl.Int64))


def _named(values: pl.Series, feature: FeaturePlan | None = None) -> Key:
    """Codes of texts in their order. The values the plan has seen are tried first: collecting a batch's own takes as long."""
    if feature is not None and feature.keep is None:
        names = pl.Series(sorted(feature.values), dtype=pl.String)
        codes = values.cast(pl.Enum(names), strict=False).to_physical()
        if codes.null_count() == values.null_count():
            return _coded(codes, names)
    names = values.drop_nulls().unique().sort()
    return _coded(values.cast(pl.Enum(names)).to_physical(), names)


def _coded(codes: pl.Series, names: pl.Series) -> Key:
    known = codes.cast(pl.Int32).fill_null(len(names)).to_numpy()
    return Key(known, pl.concat([names, pl.Series([None], dtype=pl.String)]))


@dataclass(frozen=True)
class Cells:
    """Cells of bucket and code: that of each row, the rows of each, and what each stands for."""

    of_row: Codes
    count: Codes
    bucket: Codes
    value: pl.Series | None

    @classmethod
    def of(cls, buckets: Codes, key: Key | None) -> Cells:
        """Number the cells that can occur or, where those are many, the ones that do."""
        first = int(buckets.min())
        size = key.size if key else 1
        n = (int(buckets.max()) - first + 1) * size
        cell: Codes = (buckets - first).astype(np.int32 if n <= MOST_NARROW else np.int64, copy=False)
        if key:
            cell *= size
            cell += key.codes
        if n > SPARSE * buckets.size:
            there, cell = np.unique(cell, return_inverse=True)
            numbers = there.astype(np.int64)
        else:
            numbers = np.arange(n)
        count = np.zeros(numbers.size, np.int64)
        step = max(BLOCK, numbers.size)
        for start in range(0, cell.size, step):
            count += np.bincount(cell[start : start + step], minlength=numbers.size)
        return cls(cell, count, numbers // size + first, key.values.gather(numbers % size) if key else None)

    def cube(self, sums: dict[str, NDArray[Any]]) -> Cube:
        """Sums of the cells that hold rows, in their order already: codes rise with their values, and the last is null."""
        there = np.flatnonzero(self.count)
        keyed: dict[str, Any] = {BUCKET: self.bucket[there]}
        if self.value is not None:
            keyed[VALUE] = self.value.gather(there)
        frame = pl.DataFrame({**keyed, "n": self.count[there], **{name: x[there] for name, x in sums.items()}})
        return Cube(tuple(keyed), frame)

    def counted(self) -> Cube:
        """Rows of each cell."""
        return self.cube({})


def _by_label(buckets: Codes, bins: Key, label: Key) -> Cube:
    both = Key(bins.codes.astype(np.int32) * label.size + label.codes, pl.Series(range(bins.size * label.size)))
    frame = Cells.of(buckets, both).counted().frame
    named = frame.select(
        pl.col(BUCKET),
        bins.values.gather(frame[VALUE] // label.size).alias(BIN),
        label.values.gather(frame[VALUE] % label.size).alias(LABEL),
        pl.col("n"),
    )
    return Cube.of((BUCKET, BIN, LABEL), named)


def _summed(cells: dict[str, Cells], outcomes: list[Column], inputs: list[Column]) -> dict[str, Cube]:
    """Sum outcomes by every kind of cell, and inputs by time."""
    by_cell = _products(cells, outcomes)
    by_time = _products({"time": cells["time"]}, inputs)["time"]
    return {name: c.cube(by_cell[name] | (by_time if name == "time" else {})) for name, c in cells.items()}


def _products(cells: dict[str, Cells], columns: list[Column]) -> dict[str, dict[str, NDArray[Any]]]:
    """Sums of columns by cell: an indicator matrix, transposed, times the columns side by side."""
    from scipy.sparse import csr_array

    known = [(c.values, c.squared) for c in columns if c.values is not None]
    rows = next(iter(cells.values())).of_row.size
    total = {name: np.zeros((c.count.size, len(known))) for name, c in cells.items()}
    tall = np.empty((min(TALL, rows), len(known)))
    for start in range(0, rows, TALL):
        here = slice(start, min(start + TALL, rows))
        height = here.stop - start
        for i, (values, squared) in enumerate(known):
            tall[:height, i] = values[here] ** 2 if squared else values[here]
        ones, rising = np.ones(height), np.arange(height + 1)
        for name, c in cells.items():
            mark = csr_array((ones, c.of_row[here], rising), shape=(height, c.count.size))
            total[name] += mark.T @ tall[:height]
    out = {}
    for name, c in cells.items():
        sums = iter(total[name].T)
        taken = {s.name: c.count if s.values is None else next(sums) for s in columns}
        out[name] = {s.name: np.rint(taken[s.name]).astype(np.int64) if s.exact else taken[s.name] for s in columns}
    return out
