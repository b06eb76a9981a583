"""From profiles of columns to the plain statistics that the tests take."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rca_kit.aggregates.profile import ColumnProfile, TableProfile, season_grain, together
from rca_kit.aggregates.profile_parts import OTHER as PROFILE_OTHER
from rca_kit.errors import BadInput
from rca_kit.stats.drift import OTHER, ColumnStats

GROWING = 0.001  # largest share of rows below the row before in a column that only grows


def stats_pair(
    before: ColumnProfile, after: ColumnProfile, table_before: TableProfile, table_after: TableProfile, *, season: bool = True
) -> tuple[ColumnStats, ColumnStats]:
    """Bring two profiles of a column onto common cells, with the phases of the season if both know their times."""
    phases: tuple[Any, Any] = (None, None)
    grain = season_grain(table_before.blocks, table_after.blocks) if season else None
    if grain is not None:
        phases = table_before.phases(*grain), table_after.phases(*grain)
    if before.kind == after.kind == "number" and before.grid != after.grid:
        after = _rebinned(after, before)
    if before.kind == after.kind == "category" and before.labels != after.labels:
        labels, (left, right) = together(before, after)
        before, after = replace(before, counts=left, labels=labels), replace(after, counts=right, labels=labels)
    growing = before.kind == after.kind == "number" and _grows(before) and _grows(after) and _follows(before, after)
    return (_stats(before, phases[0], _span(table_before), growing), _stats(after, phases[1], _span(table_after), growing))


def _span(table: TableProfile) -> float | None:
    if table.first_time is None or table.last_time is None:
        return None
    return max((table.last_time - table.first_time) / 1e6, 1e-6)


def _stats(column: ColumnProfile, phase: NDArray[np.int64] | None, span: float | None, growing: bool) -> ColumnStats:
    pairs = max(column.pairs, 1)
    counts, edges = column.counts, None
    more: dict[str, Any] = {}
    if column.kind == "number":
        assert column.grid is not None
        edges = column.grid.edges()
        more = {
            "sums": np.array([column.total + column.finite * column.grid.center]),
            "squares": np.array([column.squares]),
            "center": column.grid.center,
            "repeats": column.repeats / pairs,
            "falls": column.falls / pairs,
            "minimum": column.minimum,
            "maximum": column.maximum,
        }
    if column.distinct is not None and len(column.distinct.hashes) and not column.distinct.repeating:
        rows = int(column.distinct.rows.sum())
        more["duplicates"] = (rows - len(column.distinct.hashes), rows)
    distinct = column.distinct_count
    if column.kind == "number" and column.minimum is not None and column.minimum == column.maximum and not column.infinite:
        distinct = 1.0
    return ColumnStats(
        column.name,
        "sequence" if growing else column.kind,
        counts,
        column.missing,
        edges,
        tuple(OTHER if x == PROFILE_OTHER else x for x in column.labels) if column.labels is not None else None,
        phase,
        span,
        nan=column.nan,
        infinite=column.infinite,
        distinct=distinct,
        dtype=column.dtype,
        **more,
    )


def _grows(column: ColumnProfile) -> bool:
    """Whether it is a row number, an auto-increment key or a clock: (nearly) never below the row before, and rarely equal."""
    return column.pairs > 30 and column.falls <= GROWING * column.pairs and column.repeats < 0.5 * column.pairs


def _follows(before: ColumnProfile, after: ColumnProfile) -> bool:
    return before.maximum is not None and after.minimum is not None and after.minimum >= before.minimum  # type: ignore[operator]


def _rebinned(column: ColumnProfile, like: ColumnProfile) -> ColumnProfile:
    """Move counts onto other edges, spread evenly inside each cell: an approximation, good to one cell."""
    if column.grid is None or like.grid is None:
        raise BadInput("this profile has no cells", column=column.name)
    old, new = column.grid.edges(), like.grid.edges()
    low = min(x for x in (column.minimum, old[0]) if x is not None)
    high = max(x for x in (column.maximum, old[-1]) if x is not None)
    ends = np.concatenate([[low], old, [high]])
    cumulated = np.concatenate([np.zeros((len(column.counts), 1)), np.cumsum(column.counts, axis=1)], axis=1)
    at = np.stack([np.interp(new, ends, row) for row in cumulated])
    whole = np.concatenate([np.zeros((len(at), 1)), np.rint(at), cumulated[:, -1:]], axis=1)
    return replace(column, counts=np.diff(whole, axis=1).astype(np.int64), grid=like.grid)
