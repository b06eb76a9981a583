"""How columns become dimensions: as they are, their most frequent values, or ranges between quantiles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl
from numpy.typing import NDArray

from rca_kit.sources.collect import collect

OTHER = "(other)"
# A column with more values keeps its most frequent ones; the rest become one value. More would make leaves of single rows.
TOP_VALUES = 50
# Numeric columns with more distinct values than this are cut at quantiles.
MAX_PLAIN_NUMBERS = 24
QUANTILE_BINS = 10
# Rows that decide which numbers are cut, and where.
SAMPLE_ROWS = 100_000
SAMPLE_SLICES = 10


@dataclass(frozen=True, eq=False)
class Leaves:
    """Sums per leaf, coded.

    Attributes
    ----------
    names : tuple of str
        The dimensions.
    values : tuple of tuple
        Per dimension the condition each code stands for: a value, None (missing), a range ``{"ge": .., "lt": ..}``, or "(other)".
    ordered : tuple of bool
        Per dimension, whether neighbouring codes are neighbouring ranges.
    codes : (n, d) array of int32
    sums : dict of (n,) array
        By name.
    rows : int
        Rows of the table that went in.
    """

    names: tuple[str, ...]
    values: tuple[tuple[Any, ...], ...]
    ordered: tuple[bool, ...]
    codes: NDArray[np.int32]
    sums: dict[str, NDArray[np.float64]]
    rows: int = 0

    @property
    def cardinalities(self) -> tuple[int, ...]:
        """Number of codes per dimension."""
        return tuple(len(v) for v in self.values)


@dataclass(frozen=True)
class Coding:
    """How one column becomes a dimension.

    `edges`: numbers cut at these. `values`: known values in order, others become "(other)". `text`: compare as text.
    """

    column: str
    edges: tuple[float, ...] = ()
    values: tuple[Any, ...] = ()
    text: bool = False
    floating: bool = False
    folded: bool = False  # values beyond the list exist and are folded into "(other)"

    @property
    def size(self) -> int:
        """Number of codes: values, "(other)" and missing; ranges and missing."""
        return len(self.edges) + 2 if self.edges else len(self.values) + 2

    @property
    def bits(self) -> int:
        """Bits a code takes."""
        return (self.size - 1).bit_length()


def learn_codings(rows: nw.LazyFrame[Any], within: nw.LazyFrame[Any], dimensions: tuple[str, ...], schema: dict[str, Any],
                  top: int, bins: int) -> list[Coding]:
    """Decide for every dimension how it is coded: quantiles from a sample of all rows, values from the rows in the windows."""
    if not dimensions:
        return []
    numeric = [d for d in dimensions if schema[d].is_numeric()]
    sample, whole = _sample(rows, numeric, list(dimensions))
    cut = [d for d in numeric if sample[d].n_unique() > MAX_PLAIN_NUMBERS]
    edges = {d: _edges(sample[d], bins) for d in cut}
    listed = [d for d in dimensions if not edges.get(d)]
    counts = _value_counts(rows, sample if whole else None, listed)
    if rows is not within:  # the frequent values of the windows may be others than those of the whole log
        many = [d for d in listed if counts[d].height > top]
        counts |= _value_counts(within, None, many)
    out = []
    for name in dimensions:
        if edges.get(name):
            out.append(Coding(name, edges=edges[name]))
            continue
        dtype, table = schema[name], counts[name].drop_nulls()
        if dtype.is_float():
            table = table.filter(~pl.col(name).is_nan())
        text = dtype.is_temporal() or dtype in (nw.Categorical, nw.Enum, nw.String)
        if text:
            table = table.with_columns(pl.col(name).cast(pl.String))
        common = table.sort(["rk_n", name], descending=[True, False])[name].head(top)
        out.append(Coding(name, (), tuple(common.sort().to_list()), text, dtype.is_float(), table.height > top))
    return out


def _edges(values: pl.Series, bins: int) -> tuple[float, ...]:
    known = values.cast(pl.Float64).drop_nulls().drop_nans().sort()  # once, for all the quantiles
    cuts = (known.quantile(q / bins, "lower") for q in range(1, bins))
    low = known.min()
    return tuple(sorted({float(v) for v in cuts if v is not None and v > low}))  # type: ignore[operator]


def _value_counts(frame: nw.LazyFrame[Any], sample: pl.DataFrame | None, names: list[str]) -> dict[str, pl.DataFrame]:
    if sample is not None:
        tables = [sample.group_by(n).len("rk_n") for n in names]
    else:
        native = nw.to_native(frame)
        if isinstance(native, pl.LazyFrame):
            tables = pl.collect_all([native.group_by(n).len("rk_n") for n in names], engine="streaming")
        else:
            tables = [collect(frame.group_by(n).agg(nw.len().alias("rk_n"))) for n in names]
    return dict(zip(names, tables, strict=True))


def _sample(frame: nw.LazyFrame[Any], numeric: list[str], every: list[str]) -> tuple[pl.DataFrame, bool]:
    """Read a small table whole; of a large one, numbers only: stretches of it where that is cheap, else its head."""
    native = nw.to_native(frame)
    if isinstance(native, pl.LazyFrame):
        rows = int(native.select(pl.len()).collect(engine="streaming").item())
        if rows <= SAMPLE_ROWS:
            return native.select(every).collect(), True
        length = SAMPLE_ROWS // SAMPLE_SLICES
        starts = [i * (rows - length) // (SAMPLE_SLICES - 1) for i in range(SAMPLE_SLICES)]
        picked = native.select(numeric)
        return (pl.concat([picked.slice(s, length).collect() for s in starts]) if numeric else pl.DataFrame()), False
    rows = int(collect(frame.select(nw.len().alias("n")))["n"][0])
    if rows <= SAMPLE_ROWS:
        return collect(frame.select(*every)), True
    return (collect(frame.select(*numeric).head(SAMPLE_ROWS)) if numeric else pl.DataFrame()), False


def condition_range(edges: tuple[float, ...], position: int) -> dict[str, float]:
    """Write the range at a position between edges.

    Examples
    --------
    >>> condition_range((18.0, 25.0), 1)
    {'ge': 18.0, 'lt': 25.0}
    """
    out: dict[str, float] = {}
    if position > 0:
        out["ge"] = edges[position - 1]
    if position < len(edges):
        out["lt"] = edges[position]
    return out
