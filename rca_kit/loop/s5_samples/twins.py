"""Nearest healthy twin of a bad row: Gower's distance over mixed columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]

HOURS = 24.0
DIFFERS = 0.1  # of a column's robust range; below this two numbers tell the same story
ROBUST_RANGE = (0.05, 0.95)  # heavy tails would otherwise make every ordinary difference look like none


@dataclass(frozen=True)
class Field:
    """How one column enters the distance: `scale` is its robust range when numeric, None when unordered."""

    column: str
    scale: float | None
    weight: float = 1.0


def make_fields(pool: pl.DataFrame, columns: list[str], weights: dict[str, float] | None = None) -> tuple[Field, ...]:
    """Scale the columns by a pool of rows; numbers by their robust range, everything else as unordered values.

    Examples
    --------
    >>> make_fields(pl.DataFrame({"x": [0.0, 1.0, 2.0], "c": ["a", "b", "a"]}), ["x", "c"])
    (Field(column='x', scale=2.0, weight=1.0), Field(column='c', scale=None, weight=1.0))
    """
    out = []
    for name in columns:
        weight = (weights or {}).get(name, 1.0)
        if pool.schema[name].is_numeric():
            values = _numbers(pool[name])
            finite = values[np.isfinite(values)]
            low, high = np.quantile(finite, ROBUST_RANGE, method="inverted_cdf") if finite.size else (0.0, 0.0)
            spread = float(high - low) or float(np.ptp(finite) if finite.size else 0.0) or 1.0
            out.append(Field(name, spread, weight))
        else:
            out.append(Field(name, None, weight))
    return tuple(out)


def gower(
    rows: pl.DataFrame, pool: pl.DataFrame, fields: tuple[Field, ...], hours: tuple[Floats, Floats] | None = None
) -> Floats:
    """Distance of each row to each row of the pool, 0 (alike) to 1 (nothing in common).

    Per column: numbers by |a - b| / scale, at most 1; other values 0 when equal, else 1; missing on one side 1, on both 0. The
    hour of the day is one more column, by the way round the clock. Weighted mean over the columns (Gower 1971,
    doi:10.2307/2528823, with missing values as values: here a missing value is often the very thing that differs).

    Parameters
    ----------
    rows, pool : Polars frames with n and m rows
        Both hold all columns of `fields`.
    fields : tuple of Field
        See `make_fields`.
    hours : pair of arrays, shapes (n,) and (m,), optional
        Hour of the day of each row, 0 to 24.

    Returns
    -------
    numpy array, shape (n, m)

    Examples
    --------
    >>> a = pl.DataFrame({"x": [0.0], "c": ["a"]}); b = pl.DataFrame({"x": [0.0, 5.0], "c": ["a", None]})
    >>> gower(a, b, make_fields(b, ["x", "c"])).tolist()
    [[0.0, 1.0]]
    """
    total = np.zeros((rows.height, pool.height))
    weight = 0.0
    for f in fields:
        if f.scale is not None:
            a, b = _numbers(rows[f.column])[:, None], _numbers(pool[f.column])[None, :]
            with np.errstate(invalid="ignore"):
                part = np.minimum(np.abs(a - b) / f.scale, 1.0)
            part = np.where(np.isnan(a) & np.isnan(b), 0.0, np.where(np.isnan(part), 1.0, part))
        else:
            codes = _codes(rows[f.column], pool[f.column])
            part = (codes[0][:, None] != codes[1][None, :]).astype(float)
        total += f.weight * part
        weight += f.weight
    if hours is not None:
        apart = np.abs(hours[0][:, None] - hours[1][None, :])
        total += np.minimum(apart, HOURS - apart) / (HOURS / 2)
        weight += 1.0
    return total / weight if weight else total


def nearest(distances: Floats) -> tuple[NDArray[np.int64], Floats]:
    """Assign each row its nearest row of the pool; a pool row serves once while others are left.

    Parameters
    ----------
    distances : array, shape (n, m), m >= 1
        Rows come in order of importance: the first one chooses first.

    Returns
    -------
    tuple of arrays, both of shape (n,)
        Index into the pool and the distance.

    Examples
    --------
    >>> nearest(np.array([[0.0, 0.5], [0.1, 0.6]]))[0].tolist()
    [0, 1]
    """
    left = distances.copy()
    chosen = np.zeros(len(distances), dtype=np.int64)
    for i in range(len(distances)):
        if not np.isfinite(left[i]).any():
            left[i:] = distances[i:]
        chosen[i] = int(np.argmin(left[i]))
        left[i + 1 :, chosen[i]] = np.inf
    return chosen, distances[np.arange(len(distances)), chosen]


def differs(a: object, b: object, scale: float | None) -> bool:
    """Whether two values of a column differ by what a person would care about.

    Examples
    --------
    >>> differs(1.0, 1.05, scale=1.0), differs(1.0, None, scale=1.0), differs("a", "b", scale=None)
    (False, True, True)
    """
    missing = [v is None or v != v for v in (a, b)]
    if any(missing):
        return missing[0] != missing[1]
    if scale is not None and isinstance(a, (int, float)) and isinstance(b, (int, float)):
        return not abs(float(a) - float(b)) <= DIFFERS * scale
    return bool(a != b)


def _numbers(column: pl.Series) -> Floats:
    return np.asarray(column.cast(pl.Float64).fill_null(float("nan")).to_numpy(), dtype=float)


def _codes(a: pl.Series, b: pl.Series) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    both = pl.concat([a.cast(pl.String), b.cast(pl.String)]).rank("dense").fill_null(0).cast(pl.Int64).to_numpy()
    return both[: len(a)], both[len(a) :]
