"""One streaming group-by from log rows to leaves: sums per combination of dimension values, coded as integers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl
from numpy.typing import NDArray

from rca_kit.errors import BadInput, did_you_mean

OTHER = "(other)"
# A column with more values keeps its most frequent ones; the rest become one value. More would make leaves of single rows.
TOP_VALUES = 50
# Numeric columns with more distinct values than this are cut at quantiles.
MAX_PLAIN_NUMBERS = 24
QUANTILE_BINS = 10
SAMPLE_ROWS = 100_000
SAMPLE_SLICES = 10

Windows = tuple[tuple[datetime, datetime], tuple[datetime, datetime]]


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
class _Coding:
    """How one column becomes a dimension: as it is, its most frequent values, or ranges between edges."""

    column: str
    edges: tuple[float, ...] = ()
    keep: tuple[str, ...] = ()
    as_text: bool = False


def leaves(
    frame: nw.LazyFrame[Any],
    dimensions: Sequence[str],
    *,
    measures: Mapping[str, str | nw.Expr],
    time: str | None = None,
    windows: Windows | None = None,
    squares: bool = False,
    top: int = TOP_VALUES,
    bins: int = QUANTILE_BINS,
) -> Leaves:
    """Group rows into leaves in one pass of the frame's own engine.

    Parameters
    ----------
    frame : narwhals LazyFrame
        A log, or a table that is already grouped; equal leaves are added up.
    dimensions : sequence of str
        Columns to slice by. Numbers with many values are cut at quantiles, text with many values keeps the most frequent.
    measures : mapping of name to column or expression
        What to sum. Missing values count as nothing.
    time : str, optional
        Column of the request's time; needed with `windows`.
    windows : pair of pairs of datetime, optional
        Baseline and incident window, half-open. With them every measure is summed separately as ``<name>_before`` and
        ``<name>_after``, together with the number of its known values ``<name>_n_before``, ``<name>_n_after``.
    squares : bool
        With windows: also sum the squares, as ``<name>_sq_before`` and ``<name>_sq_after``.
    top : int
        Most values per text column.
    bins : int
        Ranges per numeric column.

    Returns
    -------
    Leaves
        Sorted by the dimensions, so the order of rows does not matter.

    Raises
    ------
    BadInput
        When a column is missing.

    Examples
    --------
    >>> log = pl.LazyFrame({"device": ["ios", "web", "ios", None], "failed": [1, 0, 1, 0]})
    >>> cells = leaves(nw.from_native(log), ["device"], measures={"failed": "failed"})
    >>> cells.values, cells.sums["failed"].tolist()
    ((('ios', 'web', None),), [2.0, 0.0, 0.0])
    """
    schema = dict(frame.collect_schema())
    wanted = [*dimensions, *(m for m in measures.values() if isinstance(m, str)), *([time] if time else [])]
    for name in wanted:
        if name not in schema:
            raise BadInput("column is missing", column=name, found=", ".join(schema), hint=did_you_mean(name, schema))
    if windows is not None:
        if time is None:
            raise BadInput("windows need the time column", column="time")
        frame = frame.filter(_inside(time, windows[0]) | _inside(time, windows[1]))
    codings = _codings(frame, tuple(dimensions), schema, top, bins)
    columns = [_dimension(c).alias(f"rk_d{i}") for i, c in enumerate(codings)]
    sums = _sums(measures, time, windows, squares)
    keys = [f"rk_d{i}" for i in range(len(codings))]
    prepared = frame.select(*columns, *[e.alias(f"rk_s{i}") for i, e in enumerate(sums.values())])
    grouped = prepared.group_by(*keys).agg(
        nw.len().alias("rk_rows"), *[nw.col(f"rk_s{i}").sum() for i in range(len(sums))]) if keys else prepared.select(
        nw.len().alias("rk_rows"), *[nw.col(f"rk_s{i}").sum() for i in range(len(sums))])
    table = _collect(grouped)
    return _coded(table, codings, list(sums))


def _inside(time: str, window: tuple[datetime, datetime]) -> nw.Expr:
    return (nw.col(time) >= window[0]) & (nw.col(time) < window[1])


def _sums(measures: Mapping[str, str | nw.Expr], time: str | None, windows: Windows | None, squares: bool) -> dict[str, nw.Expr]:
    out: dict[str, nw.Expr] = {}
    for name, source in measures.items():
        value = (nw.col(source) if isinstance(source, str) else source).cast(nw.Float64)
        if windows is None or time is None:
            out[name] = value
            continue
        for suffix, window in zip(("before", "after"), windows, strict=True):
            inside = _inside(time, window)
            out[f"{name}_{suffix}"] = nw.when(inside).then(value)
            out[f"{name}_n_{suffix}"] = nw.when(inside & ~value.is_null()).then(nw.lit(1.0))
            if squares:
                out[f"{name}_sq_{suffix}"] = nw.when(inside).then(value * value)
    return out


def _codings(frame: nw.LazyFrame[Any], dimensions: tuple[str, ...], schema: dict[str, Any], top: int, bins: int) -> list[_Coding]:
    if not dimensions:
        return []
    sample = _sample(frame.select(*dimensions))
    out = []
    for name in dimensions:
        dtype, known = schema[name], sample[name].drop_nulls()
        distinct = known.n_unique()
        if dtype.is_numeric() and distinct > MAX_PLAIN_NUMBERS:
            values = known.cast(pl.Float64).drop_nans()
            edges = sorted({float(v) for v in (values.quantile(q / bins, "lower") for q in range(1, bins)) if v is not None})
            out.append(_Coding(name, edges=tuple(edges)))
        elif not dtype.is_numeric() and dtype != nw.Boolean and distinct > top:
            text = nw.col(name).cast(nw.String)
            counts = frame.select(text.alias("rk_v")).group_by("rk_v").agg(nw.len().alias("rk_n"))
            table = _collect(counts).filter(pl.col("rk_v").is_not_null()).sort(["rk_n", "rk_v"], descending=[True, False])
            out.append(_Coding(name, keep=tuple(table["rk_v"].head(top).to_list()), as_text=True))
        else:
            out.append(_Coding(name, as_text=dtype.is_temporal() or dtype in (nw.Categorical, nw.Enum)))
    return out


def _dimension(coding: _Coding) -> nw.Expr:
    column = nw.col(coding.column)
    if coding.edges:
        number = column.cast(nw.Float64)
        position = sum(((number >= e).cast(nw.Int32) for e in coding.edges[1:]), (number >= coding.edges[0]).cast(nw.Int32))
        return nw.when(~number.is_null()).then(position)
    if coding.as_text:
        column = column.cast(nw.String)
    if coding.keep:
        return nw.when(column.is_in(coding.keep) | column.is_null()).then(column).otherwise(nw.lit(OTHER))
    return column


def _sample(frame: nw.LazyFrame[Any]) -> pl.DataFrame:
    """Read some rows to learn the kinds of the columns: stretches of the whole table where that is cheap, else its head."""
    native = nw.to_native(frame)
    if isinstance(native, pl.LazyFrame):
        rows = int(native.select(pl.len()).collect(engine="streaming").item())
        if rows > SAMPLE_ROWS:
            length = SAMPLE_ROWS // SAMPLE_SLICES
            starts = [i * (rows - length) // (SAMPLE_SLICES - 1) for i in range(SAMPLE_SLICES)]
            return pl.concat([native.slice(s, length).collect() for s in starts])
        return native.collect()
    return _collect(frame.head(SAMPLE_ROWS))


def _collect(frame: nw.LazyFrame[Any]) -> pl.DataFrame:
    native = nw.to_native(frame)
    if isinstance(native, pl.LazyFrame):
        return native.collect(engine="streaming")
    return frame.collect(backend="polars").to_polars()


def _coded(table: pl.DataFrame, codings: list[_Coding], names: list[str]) -> Leaves:
    keys = [f"rk_d{i}" for i in range(len(codings))]
    codes = np.zeros((table.height, len(codings)), dtype=np.int32)
    values: list[tuple[Any, ...]] = []
    for i, coding in enumerate(codings):
        column = table[keys[i]]
        if column.dtype.is_float():
            column = column.fill_nan(None)
        distinct = column.drop_nulls().unique().sort()
        ranks = column.rank("dense").cast(pl.Int64) - 1
        codes[:, i] = ranks.fill_null(len(distinct)).to_numpy()
        conditions: list[Any] = [_range(coding.edges, int(v)) for v in distinct] if coding.edges else distinct.to_list()
        values.append(tuple(conditions + ([None] if column.null_count() else [])))
    order = np.lexsort(codes.T[::-1]) if len(codings) else np.arange(table.height)
    sums = {name: np.nan_to_num(table[f"rk_s{i}"].fill_null(0.0).to_numpy().astype(np.float64))[order]
            for i, name in enumerate(names)}
    return Leaves(tuple(c.column for c in codings), tuple(values), tuple(bool(c.edges) for c in codings), codes[order], sums,
                  int(table["rk_rows"].sum() or 0))


def _range(edges: tuple[float, ...], position: int) -> dict[str, float]:
    out: dict[str, float] = {}
    if position > 0:
        out["ge"] = edges[position - 1]
    if position < len(edges):
        out["lt"] = edges[position]
    return out
