"""Requests that are in the log once more: sent twice, or written again by a queue that was replayed, be it minutes later."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from rca_kit.aggregates.cube import BUCKET, VALUE
from rca_kit.aggregates.rows import bucket
from rca_kit.loop.reading.picture import Picture
from rca_kit.loop.reading.prepare import Prepared

Floats = NDArray[np.float64]

MOST_ROWS = 3_000_000  # rows of which all are compared with all; a sample holds few of a pair
SAME_LEAST, SAME_MOST = 4, 12  # columns that must agree for two requests to be one and the same; that are compared
KEY, AGAIN = "rk_key", "rk_again"
# repeats that tell whose they are; part of them that the values hold, chance repeats aside; part of the requests that may be
REPEATS_LEAST, HELD_LEAST, TRAFFIC_MOST = 30, 0.95, 0.6


@dataclass(frozen=True)
class Repeats:
    """Rows, and those of them that an earlier row had already told, by fine bucket; arrays of shape (grid.n,).

    `values` holds the same by column of segments: value, again, rows.
    """

    again: Floats
    rows: Floats
    values: tuple[tuple[str, pl.DataFrame], ...] = ()

    def whose(self) -> tuple[str, list[str]] | None:
        """Column and values that all but a few of the repeats have, of fewer requests than not; None where no column tells."""
        best: tuple[float, str, list[str]] | None = None
        for column, table in self.values:
            ordered = table.sort([pl.col("again") / pl.col("rows"), "value"], descending=[True, False])
            held = ordered["again"].cum_sum() / max(float(ordered["again"].sum()), 1.0)
            most = ordered.head(int((held < HELD_LEAST).sum()) + 1)
            part = float(most["rows"].sum()) / float(ordered["rows"].sum())
            if float(ordered["again"].sum()) >= REPEATS_LEAST and part <= TRAFFIC_MOST and (best is None or part < best[0]):
                best = part, column, sorted(most["value"].to_list())
        return best[1:] if best else None


def repeats(prepared: Prepared, picture: Picture) -> Repeats | None:
    """Count the requests that came before: by their id, or by all their features and the score.

    None where nothing is asked about the traffic, or where not all rows are at hand.
    """
    move, frame = picture.moves.get("volume"), prepared.frame.to_native()
    asked = picture.alert == "volume" or (move is not None and move.moved)
    grid = picture.grid
    rows = float(prepared.aggregates.cubes["time"].dense("n", grid.n).sum())
    if not asked or not isinstance(frame, pl.LazyFrame) or prepared.share != (1.0, 1.0) or rows > MOST_ROWS:
        return None
    c, schema = prepared.columns, frame.collect_schema()
    known = (*c.features[:SAME_MOST], *((c.score,) if c.score else ()))
    same = [x for x in known if x in schema and not schema[x].is_nested()]
    keys = [same] if len(same) >= SAME_LEAST else []
    name = prepared.case.roles.request_id
    keys += [[name]] if name is not None and name in schema else []
    if not keys:
        return None
    wanted = dict.fromkeys(x for k in keys for x in k if x != c.time)
    segments = [p.column for p in picture.aggregates.plan.segments if not p.numeric and p.column != c.model_version]
    read = dict.fromkeys((*wanted, *segments))
    both = prepared.frame.select(bucket(prepared.frame, picture.aggregates.plan), c.time, *read).to_native().collect()
    hashed = (pl.struct(k).hash().alias(f"{KEY}{i}") for i, k in enumerate(keys))
    both = both.select(BUCKET, c.time, *hashed, *(pl.col(s).cast(pl.String).alias(f"{VALUE}{i}") for i, s in enumerate(segments)))
    both = both.sort(c.time, maintain_order=True)
    again = both.select(pl.any_horizontal(~pl.col(f"{KEY}{i}").is_first_distinct() for i in range(len(keys))).alias(AGAIN))[AGAIN]
    where = np.clip(both[BUCKET].fill_null(0).to_numpy(), 0, grid.n - 1)
    told = [
        (s, pl.DataFrame({"value": both[f"{VALUE}{i}"], "again": again}).drop_nulls().group_by("value").agg(
            pl.col("again").sum(), rows=pl.len()))
        for i, s in enumerate(segments)
    ] if again.any() else []
    counted, there = np.bincount(where, again.to_numpy(), grid.n), np.bincount(where, minlength=grid.n)
    return Repeats(counted.astype(float), there.astype(float), tuple(told))
