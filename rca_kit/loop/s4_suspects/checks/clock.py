"""Features that tell the time of day: they cannot drift, but they can be set wrong (time zone, daylight saving)."""

from __future__ import annotations

from typing import Any

import polars as pl

from rca_kit.loop.s4_suspects.clue import Clue, Outcome
from rca_kit.loop.s4_suspects.room import Room, as_clues, clock_features
from rca_kit.stats.rates import rate_z

DAY_HOURS = 24
SHIFT_LEAST = 0.02  # share of requests whose clock no longer fits the hour


def clock(room: Room) -> Outcome:
    """Hour-of-day features against the request's own hour, before and after."""
    title = "Clock features against the request's time"
    names = {n: m for n, m in clock_features(room.before, room.columns).items() if n not in room.dates}
    if not names:
        return Outcome("clock", title, "code", "free", not_applicable="no feature tells the time of day")
    clues = []
    for name, minutes in names.items():
        quiet = _pairs(room.before, name, room.columns.time, minutes)
        usual = dict(quiet.group_by("hour").agg(pl.col("value").mode().min()).iter_rows())
        fits = []
        for frame in (room.before, room.after):
            pairs = _pairs(frame, name, room.columns.time, minutes)
            known = pairs.filter(pl.col("hour").is_in(list(usual)))
            expected = known["hour"].replace_strict(usual, return_dtype=pl.Float64)
            fits.append((float((known["value"] != expected).sum()), float(known.height)))
        (kb, nb), (ka, na) = fits
        z = rate_z(kb, nb, ka, na)
        if nb and na and z > 6 and ka / na - kb / nb > SHIFT_LEAST:
            clues.append(
                Clue(
                    "clock",
                    f"feature:{name}",
                    "clock",
                    f"{name} no longer fits the hour of the request: {kb / nb:.1%} -> {ka / na:.1%} of requests",
                    float(z / (z + 4)),
                    None,
                    ka / na - kb / nb,
                    where=_where(name, room.columns.time, usual, minutes),
                )
            )
    return Outcome("clock", title, "code", "free", as_clues(clues), "clock features follow the requests' time")


def _where(name: str, time: str, usual: dict[int, float], minutes: int) -> dict[str, Any] | None:
    """Rows whose clock is off, where the usual clock is some hours from UTC all day."""
    offsets = {(value - hour) % DAY_HOURS for hour, value in usual.items()}
    if len(offsets) != 1:
        return None
    return {"column": name, "op": "clock", "time": time, "offset": int(min(offsets)), "minutes": minutes}


def _pairs(frame: pl.DataFrame, name: str, time: str, minutes: int) -> pl.DataFrame:
    hour, value = pl.col(time).dt.offset_by(f"{minutes}m").dt.hour(), pl.col(name).cast(pl.Float64, strict=False).floor()
    return (
        frame.select(hour=hour, value=value)
        .drop_nulls()
        .filter(pl.col("value").is_finite())
    )
