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
KEY, AGAIN, END = "rk_key", "rk_again", "rk_end"
# part of the outcomes that chance would make differ, from which those of like requests do: they are others; of how many to tell
OTHERS_DIFFER, DIFFER_LEAST = 0.4, 10.0
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


def repeats(prepared: Prepared, picture: Picture, *, asked: bool = False) -> Repeats | None:
    """Count the requests that came before: by their id, or by all their features and the score.

    None where nothing is asked about the traffic, neither by the alert nor by the caller, or where not all rows are at hand.
    """
    move, frame = picture.moves.get("volume"), prepared.frame.to_native()
    asked = asked or picture.alert == "volume" or (move is not None and move.moved)
    grid = picture.grid
    rows = float(prepared.aggregates.cubes["time"].dense("n", grid.n).sum())
    if not asked or not prepared.at_hand or prepared.share != (1.0, 1.0) or rows > MOST_ROWS:
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
    ends = [x for x in dict.fromkeys((c.label, *c.kpis)) if x is not None and x in schema and not schema[x].is_nested()]
    read = dict.fromkeys((*wanted, *segments, *ends))
    both = prepared.frame.select(bucket(prepared.frame, picture.aggregates.plan), c.time, *read).to_native().collect()
    hashed = {f"{KEY}{i}": pl.struct(k).hash() for i, k in enumerate(keys)}
    told_of = {f"{VALUE}{i}": pl.col(s).cast(pl.String) for i, s in enumerate(segments)}
    came = {f"{END}{i}": pl.col(x) for i, x in enumerate(ends)}
    both = both.select(BUCKET, c.time, **hashed, **told_of, **came).sort(c.time, maintain_order=True)
    able = [k for k, columns in zip(hashed, keys, strict=True) if columns != same or not others_alike(both, k, list(came))]
    if not able:
        return None
    again = both.select(pl.any_horizontal(~pl.col(k).is_first_distinct() for k in able).alias(AGAIN))[AGAIN]
    where = np.clip(both[BUCKET].fill_null(0).to_numpy(), 0, grid.n - 1)
    told = [
        (s, pl.DataFrame({"value": both[f"{VALUE}{i}"], "again": again}).drop_nulls().group_by("value").agg(
            pl.col("again").sum(), rows=pl.len()))
        for i, s in enumerate(segments)
    ] if again.any() else []
    counted, there = np.bincount(where, again.to_numpy(), grid.n), np.bincount(where, minlength=grid.n)
    return Repeats(counted.astype(float), there.astype(float), tuple(told))


def others_alike(rows: pl.DataFrame, key: str, ends: list[str]) -> bool:
    """Whether requests alike in all they ask are requests of others all the same: what came of them differs, as chance has it.

    One request that is told twice has one outcome.

    Parameters
    ----------
    rows : polars.DataFrame
        In order of time, with the columns `key`, equal for requests alike, and `ends`, what came of them.

    Examples
    --------
    >>> rows = pl.DataFrame({"k": [i // 2 for i in range(200)], "same": [i // 2 % 2 for i in range(200)], "other": [0, 1] * 100})
    >>> others_alike(rows, "k", ["same"]), others_alike(rows, "k", ["other"])
    (False, True)
    """
    differ = expected = 0.0
    for end in ends:
        known = rows.select(key, end).drop_nulls()
        pairs = known.with_columns(pl.col(end).first().over(key).alias("first")).filter(~pl.col(key).is_first_distinct())
        shares = known[end].value_counts(normalize=True)["proportion"]
        differ += float((pairs[end] != pairs["first"]).sum())
        expected += pairs.height * (1 - float((shares**2).sum()))
    return expected >= DIFFER_LEAST and differ >= OTHERS_DIFFER * expected
