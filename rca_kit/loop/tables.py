"""Tables that are small enough to hold: any frame or file as a Polars frame, and its columns as segments' codes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from rca_kit.errors import BadInput, did_you_mean
from rca_kit.sources.collect import collect
from rca_kit.sources.frames import to_lazy

MAX_VALUES = 200  # values of one dimension searched, by frequency: rarer ones have too few pairs to say anything
MAX_DISTINCT = 1000  # a text column with more distinct values is an identifier, not a dimension
MAX_INTEGER_DISTINCT = 50  # an integer column with more is a quantity: named as a dimension it is cut into ranges
RANGES = 8  # equal-count ranges of a numeric dimension


def to_polars(table: Any, columns: Sequence[str] | None = None, name: str = "table") -> pl.DataFrame:
    """Hold a table as a Polars frame.

    Parameters
    ----------
    table : path or frame
        A file (.parquet, .csv, .csv.gz, .jsonl, .arrow) or anything narwhals takes.
    columns : sequence of str, optional
        Only these.
    name : str
        What to call it in errors.

    Raises
    ------
    BadInput
        When the file is not there, the kind is not known or a column is missing.

    Examples
    --------
    >>> to_polars(pl.DataFrame({"a": [1, 2]})).shape
    (2, 1)
    """
    frame = to_lazy(table)
    if columns is not None:
        known = frame.collect_schema().names()
        for column in columns:
            if column not in known:
                raise BadInput(
                    f"{name} has no such column", column=column, found=", ".join(known), hint=did_you_mean(column, known)
                )
        frame = frame.select(list(dict.fromkeys(columns)))
    held: pl.DataFrame = collect(frame)
    return held


def numbers(column: pl.Series) -> NDArray[np.float64]:
    """Give a numeric or boolean column as floats, with NaN where there is no finite number.

    Examples
    --------
    >>> numbers(pl.Series([1, None, 3])).tolist()
    [1.0, nan, 3.0]
    """
    x = np.array(column.cast(pl.Float64, strict=False).fill_null(float("nan")).to_numpy(), dtype=np.float64)
    x[~np.isfinite(x)] = np.nan
    return x


@dataclass(frozen=True)
class Dimension:
    """A column as codes: `codes` has one entry per row (-1: in no segment), `conditions` what each code means."""

    name: str
    codes: NDArray[np.intp]
    conditions: tuple[Any, ...]


def guess_dimensions(frame: pl.DataFrame, exclude: Sequence[str] = ()) -> list[str]:
    """Name the columns worth slicing by: text, booleans, and integers of few values.

    Examples
    --------
    >>> guess_dimensions(pl.DataFrame({"device": ["a", "b", "a", "a"], "x": [.1, .2, .3, .4]}))
    ['device']
    """
    out = []
    for name, dtype in frame.schema.items():
        if name in exclude or name.endswith("_ms"):
            continue
        if dtype == pl.Boolean or isinstance(dtype, pl.Enum):
            out.append(name)
        elif dtype in (pl.String, pl.Categorical) or dtype.is_integer():
            limit = MAX_INTEGER_DISTINCT if dtype.is_integer() else MAX_DISTINCT
            distinct = frame[name].n_unique()
            if 1 < distinct <= min(limit, max(2, frame.height // 2)):
                out.append(name)
    return out


def encode(frame: pl.DataFrame, names: Sequence[str], table: str = "table") -> list[Dimension]:
    """Turn columns into codes: values by frequency, missing as a value of its own, quantities as equal-count ranges.

    Examples
    --------
    >>> encode(pl.DataFrame({"d": ["a", None, "a"]}), ["d"])[0].conditions
    ('a', None)
    """
    out = []
    for name in names:
        if name not in frame.columns:
            raise BadInput(
                f"{table} has no such dimension",
                column=name,
                found=", ".join(frame.columns),
                hint=did_you_mean(name, frame.columns),
            )
        column = frame[name]
        if column.dtype.is_numeric() and column.n_unique() > MAX_INTEGER_DISTINCT:
            out.append(_ranges(name, column))
        else:
            out.append(_values(name, column))
    return out


def _values(name: str, column: pl.Series) -> Dimension:
    if column.dtype.is_nested() or column.dtype == pl.Object:
        raise BadInput("column cannot be sliced by", column=name, found=str(column.dtype), expected="plain values")
    if column.dtype in (pl.Categorical, pl.Enum):
        column = column.cast(pl.String)
    if column.dtype.is_float():
        column = column.fill_nan(None)
    counts = column.alias("v").to_frame().group_by("v").len().sort(["len", "v"], descending=[True, False], nulls_last=True)
    kept = counts.head(MAX_VALUES).with_row_index("code")
    joined = (
        column.alias("v").to_frame().join(kept.select("v", "code"), on="v", how="left", nulls_equal=True, maintain_order="left")
    )
    codes = joined["code"].cast(pl.Int64).fill_null(-1).to_numpy().astype(np.intp)
    return Dimension(name, codes, tuple(kept["v"].to_list()))


def _ranges(name: str, column: pl.Series) -> Dimension:
    x = numbers(column)
    known = ~np.isnan(x)
    edges = np.unique(np.quantile(x[known], np.linspace(0, 1, RANGES + 1)[1:-1]))
    integral = column.dtype.is_integer()
    cuts: list[Any] = [int(np.ceil(e)) if integral else float(f"{e:.6g}") for e in edges]
    cuts = sorted(set(cuts))
    codes = np.searchsorted(np.asarray(cuts, dtype=np.float64), x, side="right").astype(np.intp)
    conditions: list[Any] = []
    for i in range(len(cuts) + 1):
        low = {"ge": cuts[i - 1]} if i else {}
        high = {"lt": cuts[i]} if i < len(cuts) else {}
        conditions.append({**low, **high})
    if not known.all():
        codes[~known] = len(conditions)
        conditions.append(None)
    return Dimension(name, codes, tuple(conditions))
