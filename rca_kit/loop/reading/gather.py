"""Rows for the checks that need rows: bounded samples before and after, at the same hours of the day."""

from __future__ import annotations

import numpy as np
import polars as pl

from rca_kit.findings.investigation import ChangeRecord
from rca_kit.findings.signal import MetricReading
from rca_kit.loop.reading.columns import compare_columns
from rca_kit.loop.reading.picture import Picture
from rca_kit.loop.reading.prepare import Prepared
from rca_kit.loop.reading.repeats import repeats
from rca_kit.loop.reading.sampling import sample_rows
from rca_kit.loop.s4_suspects.room import SAMPLE_ROWS, Room

MOST_OVERSAMPLED = 6  # times as many rows as wanted are fetched at most to find enough in the right hours
KEEP = 0x7417  # seed of the thinning; not 0, which made-up logs are drawn with: rows would be kept by their own values
MOST_TEXTS = 3  # free-text columns read in the sample


def make_room(prepared: Prepared, picture: Picture, changes: tuple[ChangeRecord, ...]) -> Room:
    """Sample rows before and after for the checks that need rows."""
    c = prepared.columns
    n = prepared.aggregates.cubes["time"].dense("n", picture.grid.n)
    windows = picture.windows
    inside = [picture.grid.inside(w) for w in windows]
    useful = float((n * picture.before).sum()) / max(float((n * inside[0]).sum()), 1.0)  # part of before in the hours of after
    wanted = min(SAMPLE_ROWS / max(useful, 1 / MOST_OVERSAMPLED), SAMPLE_ROWS * MOST_OVERSAMPLED)
    columns = [*c.needed(), *[s.name for s in prepared.case.columns if s.kind == "text"][:MOST_TEXTS]]
    there = [float((n * i).sum()) * share for i, share in zip(inside, prepared.share, strict=True)]
    before = sample_rows(prepared.frame, c.time, windows[0], columns, int(wanted), there[0])
    after = sample_rows(prepared.frame, c.time, windows[1], columns, SAMPLE_ROWS, there[1])
    if picture.known is not None and c.label in after.columns:  # labels that came first tell of one kind of request only
        known = pl.col(c.time) < picture.grid.time(picture.known, coarse=True)
        after = after.with_columns(pl.when(known).then(pl.col(c.label)).alias(c.label))
    again = repeats(prepared, picture)
    return Room(picture, thin(before, c.time, picture), after, compare_columns(picture), changes, repeats=again)


def thin(frame: pl.DataFrame, time: str, picture: Picture) -> pl.DataFrame:
    """Keep rows in proportion to the weight of their bucket, so that the sample has the hours of the day of after."""
    if not picture.matched:
        return frame.head(2 * SAMPLE_ROWS)
    at = ((frame[time] - picture.grid.origin).dt.total_seconds() // picture.grid.width_s).to_numpy()
    keep = np.random.default_rng(KEEP).random(frame.height) < picture.before[np.clip(at, 0, picture.grid.n - 1)]
    return frame.filter(pl.Series(keep)).head(2 * SAMPLE_ROWS)


def drift_reading(room: Room, metric: str) -> MetricReading | None:
    """Read a ``psi:<column>`` alert off the comparison of the column."""
    head, _, column = metric.partition(":")
    change = room.compared.get(column)
    if head != "psi" or change is None:
        return None
    return MetricReading(
        metric,
        0.0,
        change.psi,
        change.psi,
        None,
        change.rows_before,
        change.rows_after,
        change.q_value,
        change.changed,
        True if change.changed else None,
        change.reason,
    )
