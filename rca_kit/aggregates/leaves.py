"""One streaming group-by from log rows to leaves: sums per combination of dimension values, coded as integers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl

from rca_kit.aggregates.coding import OTHER, QUANTILE_BINS, TOP_VALUES, Coding, Leaves, condition_range, learn_codings
from rca_kit.aggregates.packed import can_pack, packed_leaves
from rca_kit.errors import BadInput, did_you_mean
from rca_kit.sources.collect import collect

__all__ = ["OTHER", "Leaves", "Windows", "leaves"]

Windows = tuple[tuple[datetime, datetime], tuple[datetime, datetime]]


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
    codings: Sequence[Coding] | None = None,
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
    codings : sequence of Coding, optional
        Of the dimensions, from `learn_codings`: for who asks for many columns of one frame, one at a time.

    Returns
    -------
    Leaves
        In the order of the codes, so the order of rows does not matter.

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
    if windows is not None and time is None:
        raise BadInput("windows need the time column", column="time")
    values = {name: nw.col(m) if isinstance(m, str) else m for name, m in measures.items()}
    within = frame.filter(_inside(time, windows[0]) | _inside(time, windows[1])) if windows is not None and time else frame
    codings = list(codings or learn_codings(frame, within, tuple(dimensions), schema, top, bins))
    native = nw.to_native(frame)
    if isinstance(native, pl.LazyFrame) and dimensions and can_pack(codings):
        # narwhals writes the measures and the window; only the key is Polars' own
        names = [f"rk_m{i}" for i in range(len(values))]
        added = [e.alias(n) for n, e in zip(names, values.values(), strict=True)]
        if windows is not None and time:
            side = nw.when(_inside(time, windows[0])).then(nw.lit(0)).otherwise(nw.lit(1))
            added.append(side.alias("rk_window"))
        ready = nw.to_native(within.with_columns(*added))
        return packed_leaves(ready, codings, dict(zip(values, (pl.col(n) for n in names), strict=True)),
                             pl.col("rk_window") if windows is not None else None, squares)
    return _grouped(within, codings, values, time, windows, squares)


def _grouped(frame: nw.LazyFrame[Any], codings: list[Coding], measures: Mapping[str, nw.Expr], time: str | None,
             windows: Windows | None, squares: bool) -> Leaves:
    columns = [_dimension(c).alias(f"rk_d{i}") for i, c in enumerate(codings)]
    sums = _sums(measures, time, windows, squares)
    keys = [f"rk_d{i}" for i in range(len(codings))]
    totals = [nw.len().alias("rk_rows"), *[nw.col(f"rk_s{i}").sum() for i in range(len(sums))]]
    prepared = frame.select(*columns, *[e.alias(f"rk_s{i}") for i, e in enumerate(sums.values())])
    table = collect(prepared.group_by(*keys).agg(*totals) if keys else prepared.select(*totals))
    return _coded(table, codings, list(sums))


def _inside(time: str, window: tuple[datetime, datetime]) -> nw.Expr:
    return (nw.col(time) >= window[0]) & (nw.col(time) < window[1])


def _sums(measures: Mapping[str, nw.Expr], time: str | None, windows: Windows | None, squares: bool) -> dict[str, nw.Expr]:
    out: dict[str, nw.Expr] = {}
    for name, source in measures.items():
        value = source.cast(nw.Float64)
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


def _dimension(coding: Coding) -> nw.Expr:
    column = nw.col(coding.column)
    if coding.edges:
        number = column.cast(nw.Float64)
        position = sum(((number >= e).cast(nw.Int32) for e in coding.edges[1:]), (number >= coding.edges[0]).cast(nw.Int32))
        return nw.when(~number.is_null()).then(position)
    if coding.text:
        column = column.cast(nw.String)
    if coding.folded:
        return nw.when(column.is_in(coding.values) | column.is_null()).then(column).otherwise(nw.lit(OTHER))
    return column


def _coded(table: pl.DataFrame, codings: list[Coding], names: list[str]) -> Leaves:
    codes = np.zeros((table.height, len(codings)), dtype=np.int32)
    values: list[tuple[Any, ...]] = []
    for i, coding in enumerate(codings):
        column = table[f"rk_d{i}"]
        if column.dtype.is_float():
            column = column.fill_nan(None)
        distinct = column.drop_nulls().unique().sort()
        ranks = column.rank("dense").cast(pl.Int64) - 1
        codes[:, i] = ranks.fill_null(len(distinct)).to_numpy()
        known: list[Any] = [condition_range(coding.edges, int(v)) for v in distinct] if coding.edges else distinct.to_list()
        values.append(tuple(known + ([None] if column.null_count() else [])))
    order = np.lexsort(codes.T[::-1]) if len(codings) else np.arange(table.height)
    sums = {name: np.nan_to_num(table[f"rk_s{i}"].fill_null(0.0).to_numpy().astype(np.float64))[order]
            for i, name in enumerate(names)}
    return Leaves(tuple(c.column for c in codings), tuple(values), tuple(bool(c.edges) for c in codings), codes[order], sums,
                  int(table["rk_rows"].sum() or 0))
