"""Requests that are in the log once more: sent twice, or written again by a queue that was replayed, be it minutes later."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from rca_kit.aggregates.cube import BUCKET
from rca_kit.aggregates.rows import bucket
from rca_kit.loop.reading.picture import Picture
from rca_kit.loop.reading.prepare import Prepared

Floats = NDArray[np.float64]

MOST_ROWS = 3_000_000  # rows of which all are compared with all; a sample holds few of a pair
SAME_LEAST, SAME_MOST = 4, 12  # columns that must agree for two requests to be one and the same; that are compared
KEY, AGAIN = "rk_key", "rk_again"


@dataclass(frozen=True)
class Repeats:
    """Rows, and those of them that an earlier row had already told, by fine bucket; arrays of shape (grid.n,)."""

    again: Floats
    rows: Floats


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
    both = prepared.frame.select(bucket(prepared.frame, picture.aggregates.plan), c.time, *wanted).to_native().collect()
    both = both.select(BUCKET, c.time, *(pl.struct(k).hash().alias(f"{KEY}{i}") for i, k in enumerate(keys)))
    both = both.sort(c.time, maintain_order=True)
    again = both.select(pl.any_horizontal(~pl.col(f"{KEY}{i}").is_first_distinct() for i in range(len(keys))).alias(AGAIN))[AGAIN]
    where = np.clip(both[BUCKET].fill_null(0).to_numpy(), 0, grid.n - 1)
    return Repeats(
        np.bincount(where, again.to_numpy(), grid.n).astype(float), np.bincount(where, minlength=grid.n).astype(float)
    )
