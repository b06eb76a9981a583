"""Who comes: rows of before under the mix of after, and whether other guests were announced or are borne out by labels."""

from __future__ import annotations

import math
from datetime import timedelta

import numpy as np
import polars as pl

from rca_kit.loop.s4_suspects.changes import mentions
from rca_kit.loop.s4_suspects.harmless import STAYED_SURELY, alone_or_along
from rca_kit.loop.s4_suspects.room import Room

MOST_WEIGHT = 50.0  # times a row may count: a value that was as good as absent before cannot stand for the many rows after
LABELS_LEAST = 0.3  # share of labels that must be there for steady quality to mean something
INVITES = ("campaign", "calendar")  # kinds of entries that tell of guests
SOON = timedelta(hours=1)  # between such an entry and its guests: times are written by hand


def quality_known(room: Room) -> bool:
    """Whether enough labels have arrived after the onset to have shown harm."""
    r = room.readings.get("label_share")
    return r is not None and (r.after or 0.0) >= LABELS_LEAST


def announced(room: Room, column: str) -> bool:
    """Whether an entry near the onset tells of guests with other values of a column: an invitation to persons over 54."""
    onset = room.picture.onset
    if onset is None:
        return False
    low, high = (room.picture.grid.time(i) for i in (onset.low, onset.high))
    near = [c for c in room.changes if c.kind in INVITES and low - SOON <= c.time <= high + SOON]
    return any(mentions(c, f"feature:{column}") for c in near)


def other_guests(room: Room) -> tuple[str, ...]:
    """Numeric inputs that moved because others came: an entry announced them, or labels moved as far as the scores say.

    Wrong values of an input would move the scores alone; where requests are lost, those of a range may be.
    """
    volume = room.readings.get("volume")
    if volume is not None and volume.moved and (volume.change or 0.0) < 0:
        return ()
    names = dict.fromkeys(room.picture.series[n].column or "" for n in room.moved("input"))
    features = {*room.columns.features} - {*room.clocks}
    moved = [n for n in names if n in features and n in room.after.columns and room.after.schema[n].is_numeric()]
    told = alone_or_along(room) if quality_known(room) else None
    along = told is not None and told <= -math.log(STAYED_SURELY)
    return tuple(n for n in moved if along or announced(room, n))


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
