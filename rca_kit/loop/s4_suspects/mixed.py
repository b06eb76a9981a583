"""Rows of before as they would be under the mix of after: what only moved because traffic moved is no fault of a feature."""

from __future__ import annotations

import numpy as np
import polars as pl

from rca_kit.loop.s4_suspects.room import Room

MOST_WEIGHT = 50.0  # times a row may count: a value that was as good as absent before cannot stand for the many rows after


def before_like_after(room: Room) -> pl.DataFrame:
    """The sampled rows of before, drawn again so that the column of segments whose mix moved most has the shares of after.

    Post-stratification (Holt and Smith 1979, doi:10.2307/2344652) by systematic draws: the same rows each time. The rows as
    they are where no mix moved.
    """
    columns = {room.picture.series[n].column for n in room.moved("mix")}
    weights = [_weights(room.before[c], room.after[c]) for c in sorted(c for c in columns if c in room.before.columns)]
    if not weights or not room.before.height:
        return room.before
    w = max(weights, key=lambda w: float(w.var()))
    ends = np.cumsum(w)
    drawn = np.searchsorted(ends, (np.arange(w.size) + 0.5) * ends[-1] / w.size)
    drawn_rows: pl.DataFrame = room.before[np.minimum(drawn, w.size - 1)]
    return drawn_rows


def _weights(before: pl.Series, after: pl.Series) -> np.ndarray:
    """Share after over share before of each row's value."""
    b, a = (s.cast(pl.String).alias("v").to_frame() for s in (before, after))
    shares = b["v"].value_counts(normalize=True, name="b").join(
        a["v"].value_counts(normalize=True, name="a"), on="v", how="left", nulls_equal=True)
    ratio = shares.select("v", w=(pl.col("a").fill_null(0.0) / pl.col("b")).clip(upper_bound=MOST_WEIGHT))
    return b.join(ratio, on="v", how="left", nulls_equal=True, maintain_order="left")["w"].to_numpy()
