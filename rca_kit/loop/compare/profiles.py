"""Compare two profiles column by column, and judge all columns together."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from rca_kit.aggregates.profile import TableProfile
from rca_kit.aggregates.profile_file import is_profile
from rca_kit.findings.comparison import ColumnDifference, DataComparison, SchemaChange
from rca_kit.loop.compare.deep import sample_rows
from rca_kit.loop.compare.stats import stats_pair
from rca_kit.loop.compare.table import table_checks
from rca_kit.loop.compare.text import SAMPLED, is_text, may_be_text, text_change
from rca_kit.sources.frames import to_lazy
from rca_kit.stats.drift import LEVEL, NEGLIGIBLE, ColumnChange, ColumnStats, compare_column, decide, lone_column

# When so many columns show a season the others are compared with the same hours too: rare events show theirs too late.
SEASONAL_COLUMNS, SEASONAL_SHARE = 2, 0.2


def compare_profiles(
    before: TableProfile,
    after: TableProfile,
    columns: Sequence[str] | None = None,
    *,
    season: bool = True,
    level: float | None = None,
    negligible: float | None = None,
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
    judged = decide(changes, level=LEVEL if level is None else level,
                    negligible=NEGLIGIBLE if negligible is None else negligible)
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


def _difference(change: ColumnChange) -> ColumnDifference:
    return ColumnDifference(**{f.name: getattr(change, f.name) for f in fields(ColumnDifference)})


def _baseline(before: TableProfile, changes: list[ColumnChange]) -> str:
    if before.blocks.time is None:
        return "all rows before; no time column, so the order of the rows stands for time"
    seasonal = [c.column for c in changes if c.seasonal]
    if seasonal:
        return f"same hours of earlier days for {', '.join(seasonal[:5])}{' ...' if len(seasonal) > 5 else ''}; all rows else"
    return f"all rows before, by `{before.blocks.time}`"
