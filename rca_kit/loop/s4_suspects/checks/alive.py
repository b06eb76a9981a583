"""Numeric features that were one constant and came alive, or were alive and went still, with the moment it happened."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rca_kit.aggregates.grid import DAY_S
from rca_kit.loop.s4_suspects.clue import Clue, Outcome
from rca_kit.loop.s4_suspects.room import Room, as_clues

STILL_ROWS = 50  # rows that must all hold one value until a column is called still
# part of the usual variance, and of the spread in the mean, that escapes may leave; rows; buckets looked at as one
NEAR_STILL, NEAR_STILL_ROWS, TOGETHER = 0.15, 200, 4
NEARLY = 0.85  # part of these buckets that must be still: one escape far out makes a bucket look alive
ALIVE_PART = 0.9  # part of the other buckets that must vary ...
LONG_STILL, HALF_ALIVE = 12, 0.4  # ... or this part, after so many still buckets: chance keeps no half-live column still so long
SHRUNK = (0.25, 4.0)  # spread over the square of the scale: within these the values are alive in a smaller unit
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

    What stands still at night only is the time of day: on the live side the hours that were still must be live too. Where a few
    requests escape (a retry, a host that was not reached), nearly all of the spread goes and the mean hardly moves any more.
    """
    mean = s / n
    still = np.maximum(ss / n - mean**2, 0.0) <= 1e-9 * (1.0 + mean**2)
    exact = _turned(n, mean, still, 1e-6 * (1.0 + np.abs(mean)), hours, STILL_ROWS)
    groups = np.arange(0, n.size, TOGETHER)
    fine = mean, np.maximum(ss / n - mean**2, 0.0)
    n, s, ss = (np.add.reduceat(x, groups) for x in (n, s, ss))
    mean = s / n
    spread = np.maximum(ss / n - mean**2, 0.0)
    usual = float(np.median(spread))
    reach = np.full(mean.size, NEAR_STILL * np.sqrt(usual))
    near = _turned(n, mean, spread <= NEAR_STILL * usual, reach, hours[groups], NEAR_STILL_ROWS, NEARLY)
    if near is None or near[2] or (exact is not None and exact[0] <= near[0] * TOGETHER) or _shrunk(*fine, near[0] * TOGETHER):
        return exact
    return near[0] * TOGETHER, near[1], near[2]


def _shrunk(mean: NDArray[np.float64], spread: NDArray[np.float64], at: int) -> bool:
    """Whether spread and mean fell together from there on, as where values come in a smaller unit and stay alive.

    Of the spread its low quantile is asked: escapes from a standstill are not in every bucket.
    """
    scale = float(np.median(np.abs(mean[at:]))) / max(float(np.median(np.abs(mean[:at]))), 1e-300)
    left = float(np.quantile(spread[at:], 0.1)) / max(float(np.quantile(spread[:at], 0.1)), 1e-300)
    return scale**2 <= NEAR_STILL and SHRUNK[0] * scale**2 <= left <= SHRUNK[1] * scale**2


def _turned(
    n: NDArray[np.float64], mean: NDArray[np.float64], still: NDArray[np.bool_], close: NDArray[np.float64],
    hours: NDArray[np.int64], least: int, part: float = 1.0,
) -> tuple[int, float, bool] | None:
    for came in (True, False):
        m, same, rows, hour, reach = (x if came else x[::-1] for x in (mean, still, n, hours, close))
        level = float(np.median(m[: int(np.argmin(same))])) if not same.all() and same[0] else float(m[0])
        held = same & (np.abs(m - level) <= reach[0])
        most = np.flatnonzero(held & (np.cumsum(held) >= part * np.arange(1, held.size + 1)))
        length = int(most[-1]) + 1 if most.size and not held.all() else 0
        if length == 0 or rows[:length].sum() < least:
            continue
        rest = ~(same[length:] & (np.abs(m[length:] - level) <= reach[0]))
        again = np.isin(hour[length:], hour[:length])  # the same hours on other days
        if not again.any() or rest[again].mean() < HALF_ALIVE:
            continue
        if rest.size and rest.mean() >= (HALF_ALIVE if length >= LONG_STILL else ALIVE_PART):
            return (length if came else mean.size - length), level, came
    return None
