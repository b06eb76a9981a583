"""Numeric features that were one constant and came alive, or were alive and went still, with the moment it happened."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rca_kit.aggregates.grid import DAY_S
from rca_kit.loop.s4_suspects.clue import Clue, Outcome
from rca_kit.loop.s4_suspects.room import Room, as_clues

STILL_ROWS = 50  # rows that must all hold one value until a column is called still
ALIVE_PART = 0.9  # part of the other buckets that must vary ...
LONG_STILL, HALF_ALIVE = 12, 0.4  # ... or this part, after so many still buckets: chance keeps no half-live column still so long
STRENGTH = 0.9  # a constant that varies, or the reverse, is no matter of chance


def alive(room: Room) -> Outcome:
    """Look at each feature's spread over time: from still to varying, or from varying to still."""
    title = "Constants that came alive, live values that went still"
    aggregates, grid = room.picture.aggregates, room.picture.grid
    time = aggregates.cubes["time"]
    clues = []
    for i, plan in enumerate(aggregates.plan.features):
        if not plan.numeric or plan.column in room.clocks:
            continue
        n, s, ss = (time.dense(f"feature{i}_{x}", grid.n) for x in ("n", "s", "ss"))
        used = np.flatnonzero(n > 0)
        if used.size < 4:
            continue
        n, s, ss = n[used], s[used], ss[used]
        hours = (int(grid.origin.timestamp()) + used * grid.width_s) % DAY_S // 3600
        found = _turn(n, s, ss, hours)
        if found is None:
            continue
        at, value, came = found
        when = int(used[at])
        text = f"{plan.column} was {value:.6g} throughout and came alive" if came else f"{plan.column} went still at {value:.6g}"
        signature = "came_alive" if came else ("zeroed" if value == 0 else "frozen")
        clues.append(
            Clue("alive", f"feature:{plan.column}", signature, f"{text} at {grid.time(when):%Y-%m-%d %H:%M} UTC", STRENGTH, when)
        )
    return Outcome("alive", title, "upstream", "free", as_clues(clues), "no feature changed between constant and live")


def _turn(
    n: NDArray[np.float64], s: NDArray[np.float64], ss: NDArray[np.float64], hours: NDArray[np.int64]
) -> tuple[int, float, bool] | None:
    """First bucket on the other side, the constant, and whether the column came alive.

    What stands still at night only is the time of day: on the live side the hours that were still must be live too.
    """
    mean = s / n
    still = np.maximum(ss / n - mean**2, 0.0) <= 1e-9 * (1.0 + mean**2)
    for came in (True, False):
        m, same, rows, hour = (x if came else x[::-1] for x in (mean, still, n, hours))
        held = same & (np.abs(m - m[0]) <= 1e-6 * (1.0 + abs(m[0])))
        length = int(np.argmin(held)) if not held.all() else 0
        if length == 0 or rows[:length].sum() < STILL_ROWS:
            continue
        rest = ~(same[length:] & (np.abs(m[length:] - m[0]) <= 1e-6 * (1.0 + abs(m[0]))))
        again = np.isin(hour[length:], hour[:length])  # the same hours on other days
        if not again.any() or rest[again].mean() < HALF_ALIVE:
            continue
        if rest.size and rest.mean() >= (HALF_ALIVE if length >= LONG_STILL else ALIVE_PART):
            return (length if came else mean.size - length), float(m[0]), came
    return None
