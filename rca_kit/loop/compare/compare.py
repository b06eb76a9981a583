"""Data comparison: two tables, or saved profiles of them, in; one judged row per column out."""

from __future__ import annotations

import importlib
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rca_kit.aggregates.profile import TableProfile
from rca_kit.aggregates.profile_file import is_profile, load_profile
from rca_kit.aggregates.profile_scan import scan_profile
from rca_kit.errors import BadInput, did_you_mean
from rca_kit.findings.comparison import DataComparison
from rca_kit.sources.frames import is_path, to_lazy

JUDGE = "rca_kit.loop.compare.profiles"


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
    level: float | None = None,
    negligible: float | None = None,
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
    level : float, optional
        Chance of any flag when nothing changed, and share of false flags otherwise; 0.008 when absent.
    negligible : float, optional
        Smallest effect that counts as changed, in standard deviations (Cohen's d, or h for shares); 0.05 when absent.
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
    # the statistics take as long to load as half a million rows to read: let them do so meanwhile
    loading = threading.Thread(target=importlib.import_module, args=(JUDGE,), daemon=True)
    loading.start()
    left = _profiled(before, columns, time, None, "before")
    right = _profiled(after, columns, time, left, "after")
    if columns is not None:
        for name in columns:
            if name not in left.names and name not in right.names:
                raise BadInput("column is missing", column=name, hint=did_you_mean(name, left.names))
    loading.join()
    found: DataComparison = importlib.import_module(JUDGE).compare_profiles(
        left, right, columns, season=season, level=level, negligible=negligible, rows=(before, after))
    if by is None and not multivariate:
        return found
    from rca_kit.loop.compare.deep import deepen

    return deepen(found, before, after, columns, time=time, by=by, multivariate=multivariate,
                  options={"season": season, "level": level, "negligible": negligible})


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
