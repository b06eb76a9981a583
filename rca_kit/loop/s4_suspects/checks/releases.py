"""What a release that is new does to values, seen beside the other releases that serve at the same time."""

from __future__ import annotations

import re

import numpy as np
import polars as pl

from rca_kit.loop.s4_suspects.clue import Clue
from rca_kit.loop.s4_suspects.room import Room
from rca_kit.loop.s4_suspects.units import Floats, Found, unit_apart

_DIGITS = re.compile(r"\d+")  # releases are numbered alike


def of_a_release(room: Room, column: str, a: Floats) -> Found | None:
    """Values in another unit in the requests of a release that was not there before, beside the others at the same time."""
    for segment in room.columns.segments:
        if segment == column or not {segment} <= set(room.before.columns) & set(room.after.columns):
            continue
        known, now = (f[segment].cast(pl.String) for f in (room.before, room.after))
        forms = {_DIGITS.sub("#", v) for v in known.drop_nulls().unique().to_list()}
        new = set(now.drop_nulls().unique().to_list()) - set(known.drop_nulls().unique().to_list())
        for value in sorted(v for v in new if "#" in _DIGITS.sub("#", v) and _DIGITS.sub("#", v) in forms):
            mask = (now == value).fill_null(False).to_numpy()
            unit = unit_apart(a[~mask], a[mask])
            if unit is not None:
                text = f"{column}: in {segment} = {value}, which is new, values are {unit} those of the others at the same time"
                where = {"column": column, "op": "segment", "segment": {segment: value}}
                clue = Clue("unit_factor", f"feature:{column}", "unit", text, 0.95, None, float(mask.mean()), where=where)
                return clue, np.zeros(room.before.height, bool), mask
    return None
