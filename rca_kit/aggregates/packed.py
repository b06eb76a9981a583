"""The fast way from a Polars log to leaves: all dimensions packed into one integer, so that the group-by hashes numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from rca_kit.aggregates.coding import OTHER, Coding, Leaves, condition_range

KEY_BITS = 62


def can_pack(codings: list[Coding]) -> bool:
    """Whether every dimension has a known list of values and their combinations fit one integer."""
    return all(c.edges or c.values for c in codings) and sum(c.bits for c in codings) < KEY_BITS


def packed_leaves(frame: pl.LazyFrame, codings: list[Coding], measures: dict[str, pl.Expr], window: pl.Expr | None,
                  squares: bool) -> Leaves:
    """Group a Polars frame by the packed key.

    Parameters
    ----------
    frame : polars LazyFrame
    codings : list of Coding
        Every one with edges or values.
    measures : dict of expression
        By name, numeric.
    window : expression, optional
        0 in the baseline, 1 in the incident window; rows outside both are left out already.
    squares : bool
        Sum the squares as well.
    """
    key = pl.lit(0, dtype=pl.Int64)
    for coding in codings:
        key = key * (1 << coding.bits) + code_of(coding)
    if window is not None:
        key = key * 2 + window.cast(pl.Int64)
    columns = {f"m{i}": e for i, e in enumerate(measures.values())}
    sums = [pl.len().alias("rows")]
    for m in columns:
        sums.append(pl.col(m).sum().cast(pl.Float64).alias(f"{m}_sum"))
        if window is not None:
            sums.append(pl.col(m).count().alias(f"{m}_n"))
        if squares:
            sums.append((pl.col(m).cast(pl.Float64) ** 2).sum().alias(f"{m}_sq"))
    table = (frame.select(key.alias("key"), *[e.alias(m) for m, e in columns.items()]).group_by("key").agg(sums)
             .collect(engine="streaming").sort("key"))
    keys = table["key"].to_numpy()
    read = {c: table[c].to_numpy().astype(np.float64) for c in table.columns if c not in ("key", "rows")}
    rows = int(table["rows"].sum() or 0)
    out: dict[str, NDArray[np.float64]] = {}
    if window is None:
        for i, name in enumerate(measures):
            out[name] = np.nan_to_num(read[f"m{i}_sum"])
    else:
        leaf, at = np.unique(keys >> 1, return_inverse=True)
        for suffix, side in (("before", 0), ("after", 1)):
            here = (keys & 1) == side
            for i, name in enumerate(measures):
                for kind, title in (("sum", ""), ("n", "_n"), ("sq", "_sq")):
                    if f"m{i}_{kind}" in read:
                        column = np.zeros(len(leaf))
                        column[at[here]] = np.nan_to_num(read[f"m{i}_{kind}"][here])
                        out[f"{name}{title}_{suffix}"] = column
        keys = leaf
    return _unpacked(keys, codings, out, rows)


def code_of(coding: Coding) -> pl.Expr:
    """Write the code of a column's value: its place in the list, then "(other)", then missing."""
    column = pl.col(coding.column)
    if coding.edges:
        number = column.cast(pl.Float64).fill_nan(None)
        place = pl.lit(0, dtype=pl.Int64)
        for edge in coding.edges:
            place = place + (number >= edge).cast(pl.Int64)
        return place.fill_null(coding.size - 1)
    if coding.text:
        place = column.cast(pl.String).cast(pl.Enum(list(coding.values)), strict=False).to_physical().cast(pl.Int64)
    elif all(isinstance(v, bool) for v in coding.values):
        place = column.cast(pl.Int64) if len(coding.values) == 2 else column.cast(pl.Int64) * 0
    else:
        place = column.replace_strict(list(coding.values), list(range(len(coding.values))), default=None, return_dtype=pl.Int64)
    missing = column.is_null() | column.is_nan() if coding.floating else column.is_null()
    return pl.when(missing).then(coding.size - 1).otherwise(place.fill_null(coding.size - 2))


def _unpacked(keys: NDArray[np.int64], codings: list[Coding], sums: dict[str, NDArray[np.float64]], rows: int) -> Leaves:
    codes = np.empty((len(keys), len(codings)), dtype=np.int32, order="F")
    shift = 0
    for i in range(len(codings) - 1, -1, -1):
        codes[:, i] = (keys >> shift) & ((1 << codings[i].bits) - 1)
        shift += codings[i].bits
    values: list[tuple[Any, ...]] = []
    for i, coding in enumerate(codings):
        names: list[Any] = ([condition_range(coding.edges, p) for p in range(len(coding.edges) + 1)] if coding.edges
                            else [*coding.values, OTHER]) + [None]
        used = np.flatnonzero(np.bincount(codes[:, i], minlength=coding.size))
        if len(used) < coding.size:
            place = np.zeros(coding.size, dtype=np.int32)
            place[used] = np.arange(len(used), dtype=np.int32)
            codes[:, i] = place[codes[:, i]]
        values.append(tuple(names[u] for u in used))
    return Leaves(tuple(c.column for c in codings), tuple(values), tuple(bool(c.edges) for c in codings), codes, sums, rows)
