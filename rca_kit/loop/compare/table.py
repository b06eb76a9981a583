"""Checks of a table's rows as a whole: gaps where rows were lost, columns of keys that repeat, how fresh the data are."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from rca_kit.aggregates.profile import TableProfile
from rca_kit.findings.comparison import TableCheck

GAP_LEVEL = 1e-6  # chance of so long a silence at the usual rate, over all places it could be


def table_checks(before: TableProfile, after: TableProfile) -> tuple[TableCheck, ...]:
    """Run the checks of rows: volume and gaps."""
    return (_volume(before, after), _gaps(before, after))


def _volume(before: TableProfile, after: TableProfile) -> TableCheck:
    title = "rows per minute"
    rates = [_rate(t) for t in (before, after)]
    if rates[0] is None or rates[1] is None:
        return TableCheck(
            "volume", title, "not_applicable", f"Rows {before.rows:,} -> {after.rows:,}; without times no rate is known."
        )
    says = f"Rows per minute {rates[0]:.4g} -> {rates[1]:.4g}."
    if rates[0] > 0 and (rates[1] < 0.5 * rates[0] or rates[1] > 2 * rates[0]):
        return TableCheck("volume", title, "found", says)
    return TableCheck("volume", title, "clear", says)


def _rate(table: TableProfile) -> float | None:
    if table.first_time is None or table.last_time is None or table.last_time <= table.first_time:
        return None
    return table.rows / ((table.last_time - table.first_time) / 60e6)


def _gaps(before: TableProfile, after: TableProfile) -> TableCheck:
    """Find silent blocks after which rows went on, though before (or the rest of after) was never silent so long."""
    title = "gaps without rows"
    starts = after.blocks.starts()
    if starts is None or after.blocks.count < 3:
        return TableCheck("gaps", title, "not_applicable", "No time column, so lost rows would not show as a gap.")
    empty = after.block_rows == 0
    length, end = _longest_run(empty)
    usual = float(np.median(after.block_rows))
    if length == 0 or usual <= 0:
        return TableCheck("gaps", title, "clear", "No stretch of time is without rows.")
    chance = len(empty) * math.exp(-min(usual * length, 700.0))
    longest_before = _longest_run(before.block_rows == 0)[0] * before.blocks.width
    if chance > GAP_LEVEL or longest_before >= length * after.blocks.width:
        return TableCheck("gaps", title, "clear", "No stretch without rows is longer than chance and before allow.")
    when = np.datetime64(int(starts[end - length]), "us").astype("datetime64[s]")
    minutes = length * after.blocks.width / 60e6
    return TableCheck("gaps", title, "found", f"No rows for {minutes:.3g} minutes from {when}Z.")


def _longest_run(flags: NDArray[np.bool_]) -> tuple[int, int]:
    """Length and end of the longest run of true values."""
    best = (0, 0)
    run = 0
    for i, flag in enumerate(flags):
        run = run + 1 if flag else 0
        if run > best[0]:
            best = (run, i + 1)
    return best
