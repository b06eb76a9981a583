"""Features that tell the time of day: they cannot drift, but they can be set wrong (time zone, daylight saving)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from rca_kit.loop.s4_suspects.clocks import clock_features
from rca_kit.loop.s4_suspects.clue import Clue, Outcome
from rca_kit.loop.s4_suspects.room import Room, as_clues
from rca_kit.stats.rates import rate_z

DAY_HOURS = 24
# zones whose clocks go forward and back on days of their own
DAYLIGHT = ("Europe/Berlin", "America/New_York", "America/Santiago", "Australia/Sydney", "Pacific/Auckland", "Asia/Jerusalem")
SHIFT_LEAST = 0.02  # share of requests whose clock no longer fits the hour
TURN_MINUTES = 15  # of the turn of the hour within which the next or last hour fits too: requests wait before they are logged


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
            own, next_to = (known[h].replace_strict(usual, default=None, return_dtype=pl.Float64) for h in ("hour", "near"))
            off = known["value"].ne_missing(own) & known["value"].ne_missing(next_to)
            fits.append((float(off.sum()), float(known.height)))
        (kb, nb), (ka, na) = fits
        z = rate_z(kb, nb, ka, na)
        if nb and na and z > 6 and ka / na - kb / nb > SHIFT_LEAST and not _clocks_changed(room, name, usual, minutes):
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


def _clocks_changed(room: Room, name: str, usual: dict[int, float], minutes: int) -> bool:
    """Whether clocks went forward or back an hour between before and after somewhere, and the feature went with them."""
    pairs = _pairs(room.after, name, room.columns.time, minutes).filter(pl.col("hour").is_in(list(usual)))
    usual_value = pairs["hour"].replace_strict(usual, return_dtype=pl.Float64)
    off = ((pairs["value"] - usual_value) % DAY_HOURS).to_numpy()
    went = next((h for h in (1, -1) if off.size and (off == h % DAY_HOURS).mean() > 0.5), None)
    first, last = room.before[room.columns.time].median(), room.after[room.columns.time].max()
    if went is None or not isinstance(first, datetime) or not isinstance(last, datetime):
        return False
    return any(_went(zone, first, last) == went for zone in DAYLIGHT)


def _went(zone: str, first: datetime, last: datetime) -> int:
    """Hours that the clocks of a zone went forward from the first time to the last."""
    offsets = [t.replace(tzinfo=t.tzinfo or UTC).astimezone(ZoneInfo(zone)).utcoffset() for t in (first, last)]
    return int((offsets[1] - offsets[0]).total_seconds() // 3600) if offsets[0] is not None and offsets[1] is not None else 0


def _where(name: str, time: str, usual: dict[int, float], minutes: int) -> dict[str, Any] | None:
    """Rows whose clock is off, where the usual clock is some hours from UTC all day."""
    offsets = {(value - hour) % DAY_HOURS for hour, value in usual.items()}
    if len(offsets) != 1:
        return None
    return {"column": name, "op": "clock", "time": time, "offset": int(min(offsets)), "minutes": minutes}


def _pairs(frame: pl.DataFrame, name: str, time: str, minutes: int) -> pl.DataFrame:
    at, value = pl.col(time).dt.offset_by(f"{minutes}m"), pl.col(name).cast(pl.Float64, strict=False).floor()
    early, late = at.dt.offset_by(f"-{TURN_MINUTES}m").dt.hour(), at.dt.offset_by(f"{TURN_MINUTES}m").dt.hour()
    hour = at.dt.hour()
    return (
        frame.select(hour=hour, near=pl.when(early != hour).then(early).otherwise(late), value=value)
        .drop_nulls()
        .filter(pl.col("value").is_finite())
    )
