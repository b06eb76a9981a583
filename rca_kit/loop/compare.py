"""Data comparison: two tables, or saved profiles of them, in; one judged row per column out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from rca_kit.aggregates.profile import TableProfile
from rca_kit.aggregates.profile_file import is_profile, load_profile
from rca_kit.aggregates.profile_scan import scan_profile
from rca_kit.errors import BadInput, did_you_mean
from rca_kit.findings.comparison import ColumnDifference, DataComparison, SchemaChange
from rca_kit.loop.compare_deep import sample_rows
from rca_kit.loop.compare_stats import stats_pair
from rca_kit.loop.compare_table import table_checks
from rca_kit.loop.compare_text import SAMPLED, is_text, may_be_text, text_change
from rca_kit.sources.frames import is_path, to_lazy
from rca_kit.stats.drift import LEVEL, NEGLIGIBLE, ColumnChange, ColumnStats, compare_column, decide, lone_column

# When so many columns show a season the others are compared with the same hours too: rare events show theirs too late.
SEASONAL_COLUMNS, SEASONAL_SHARE = 2, 0.2


def profile(table: Any, columns: Sequence[str] | None = None, *, time: str | None = None) -> TableProfile:
    """Profile a table in one scan; `.save(path)` keeps it, so that a baseline need not be read again.

    Parameters
    ----------
    table : pandas, Polars, PyArrow, DuckDB or PySpark table, or a path
    columns : sequence of str, optional
        Which columns; all when absent.
    time : str, optional
        Column of the rows' times; found by type and name when absent.

    Examples
    --------
    >>> import polars as pl
    >>> profile(pl.DataFrame({"a": [1.0, 2.0, None]}))["a"].missing.sum()
    np.int64(1)
    """
    return scan_profile(to_lazy(table), columns, time=time)


def compare(
    before: Any,
    after: Any,
    columns: Sequence[str] | None = None,
    *,
    time: str | None = None,
    season: bool = True,
    by: str | None = None,
    level: float = LEVEL,
    negligible: float = NEGLIGIBLE,
    multivariate: bool = False,
) -> DataComparison:
    """Compare every column of two tables: nulls, values, ranges, categories, units, types.

    A column is `changed` when the difference is beyond chance, after correction for all columns and tests, and large enough to
    matter. Rows in time order (or a time column) let neighbouring rows be alike without false alarms; with a time column and the
    same hours on earlier days in `before`, seasonal columns are compared with the same hours.

    Parameters
    ----------
    before, after : table, path, or saved profile
        pandas, Polars, PyArrow, DuckDB, PySpark; a path to files or to a profile; or what `profile` gave.
    columns : sequence of str, optional
        Which columns; by default all of either table.
    time : str, optional
        Column of the rows' times; found by type and name when absent.
    season : bool
        Whether seasonal columns may be compared with the same hours (and weekdays or weekends) of before.
    by : str, optional
        Also compare inside each of the frequent values of this column: drift inside segments.
    level : float
        Chance of any flag when nothing changed, and share of false flags otherwise.
    negligible : float
        Smallest effect that counts as changed, in standard deviations (Cohen's d, or h for shares).
    multivariate : bool
        Also train a classifier to tell before from after by all columns, and look for pairs of columns whose relation broke.
        Needs both tables as rows.

    Raises
    ------
    BadInput
        When a table or column cannot be used.

    Examples
    --------
    >>> import numpy as np, polars as pl
    >>> rng = np.random.default_rng(0)
    >>> before = pl.DataFrame({"amount": rng.normal(size=5000), "device": rng.choice(["ios", "web"], 5000)})
    >>> after = before.with_columns(amount=pl.col("amount") * 1000)
    >>> found = compare(before, after)
    >>> found["amount"].changed, found["amount"].factor, found["device"].changed
    (True, 'x1000', False)
    """
    left = _profiled(before, columns, time, None, "before")
    right = _profiled(after, columns, time, left, "after")
    if columns is not None:
        for name in columns:
            if name not in left.names and name not in right.names:
                raise BadInput("column is missing", column=name, hint=did_you_mean(name, left.names))
    found = compare_profiles(left, right, columns, season=season, level=level, negligible=negligible, rows=(before, after))
    if by is None and not multivariate:
        return found
    from rca_kit.loop.compare_deep import deepen

    return deepen(
        found,
        before,
        after,
        columns,
        time=time,
        by=by,
        multivariate=multivariate,
        options={"season": season, "level": level, "negligible": negligible},
    )


def compare_profiles(
    before: TableProfile,
    after: TableProfile,
    columns: Sequence[str] | None = None,
    *,
    season: bool = True,
    level: float = LEVEL,
    negligible: float = NEGLIGIBLE,
    rows: tuple[Any, Any] | None = None,
) -> DataComparison:
    """Compare two profiles; `compare` does this after scanning.

    With the tables behind them as `rows`, columns of free text are measured on a sample.
    """
    names = [*before.names, *(c for c in after.names if c not in before.names)]
    wanted = [c for c in names if columns is None or c in columns]
    changes: list[ColumnChange] = []
    schema: list[SchemaChange] = []
    sides_of: dict[int, tuple[ColumnStats, ColumnStats]] = {}
    for name in wanted:
        if name not in after.names or name not in before.names:
            there = before if name in before.names else after
            stats, _ = stats_pair(there[name], there[name], there, there, season=False)
            changes.append(lone_column(stats, is_new=there is after))
            sides = (stats.dtype, None) if there is before else (None, stats.dtype)
            schema.append(SchemaChange(name, "gone" if there is before else "new", *sides))
            continue
        left, right = stats_pair(before[name], after[name], before, after, season=season)
        if left.dtype != right.dtype:
            schema.append(SchemaChange(name, "type", left.dtype, right.dtype))
        change = compare_column(left, right, season=season, judge=False)
        sides_of[len(changes)] = left, right
        if rows is not None and may_be_text(before[name]) and may_be_text(after[name]):
            change = _text(change, name, rows)
        changes.append(change)
    seasonal = [i for i in sides_of if changes[i].seasonal]
    if len(seasonal) >= SEASONAL_COLUMNS and len(seasonal) >= SEASONAL_SHARE * len(sides_of):
        for i in set(sides_of) - set(seasonal):
            if changes[i].kind != "text":
                changes[i] = compare_column(*sides_of[i], season="always", judge=False)
    judged = decide(changes, level=level, negligible=negligible)
    return DataComparison(
        tuple(_difference(c) for c in judged),
        before.rows,
        after.rows,
        tuple(schema),
        table_checks(before, after),
        baseline=_baseline(before, judged),
    )


def _text(change: ColumnChange, name: str, tables: tuple[Any, Any]) -> ColumnChange:
    """Measure a column of strings as text, if both tables are there as rows and the strings are text."""
    if any(isinstance(t, TableProfile) or (isinstance(t, (str, os.PathLike)) and is_profile(t)) for t in tables):
        return change
    sides = [sample_rows(to_lazy(t), [name], SAMPLED)[name].cast(str).to_list() for t in tables]
    return text_change(change, sides[0], sides[1]) if all(is_text(s) for s in sides) else change


def _profiled(table: Any, columns: Sequence[str] | None, time: str | None, like: TableProfile | None, side: str) -> TableProfile:
    if isinstance(table, TableProfile):
        return table
    if isinstance(table, (str, os.PathLike)) and Path(table).is_file() and is_profile(table):
        return load_profile(table)
    frame = to_lazy(table)
    wanted: list[str] | None = None
    if columns is not None:
        there = set(frame.collect_schema().names())
        wanted = [c for c in columns if c in there]
    try:
        return scan_profile(frame, wanted, time=time, like=like)
    except BadInput as error:
        if error.file or is_path(table):
            raise
        raise BadInput(
            error.message, file=side, column=error.column, found=error.found, expected=error.expected, hint=error.hint
        ) from None


def _difference(change: ColumnChange) -> ColumnDifference:
    return ColumnDifference(**{f.name: getattr(change, f.name) for f in fields(ColumnDifference)})


def _baseline(before: TableProfile, changes: list[ColumnChange]) -> str:
    if before.blocks.time is None:
        return "all rows before; no time column, so the order of the rows stands for time"
    seasonal = [c.column for c in changes if c.seasonal]
    if seasonal:
        return f"same hours of earlier days for {', '.join(seasonal[:5])}{' ...' if len(seasonal) > 5 else ''}; all rows else"
    return f"all rows before, by `{before.blocks.time}`"
