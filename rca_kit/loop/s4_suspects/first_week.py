"""The first weekend of a log, or the first working days after one: nothing tells yet who comes then, and how many."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rca_kit.aggregates.grid import DAY_S, TimeGrid
from rca_kit.loop.reading.onset import JointOnset, appearance, is_age
from rca_kit.loop.reading.picture import Picture
from rca_kit.loop.s4_suspects.room import Room
from rca_kit.stats.rates import rate_z

WEEKEND_EDGE, WEEKEND_PART = 10 * 3600, 0.6  # seconds around Saturday, by time zones, at which one sets in; its part since then
EVENING = 5 * 3600  # seconds of a working day (or a weekend) that tell nothing of its busy hours
HOUR_ROWS, JUMP_Z, JUMP = 100, 5.0, 1.4  # requests of an hour; standard errors and times by which a share jumps within it
LEAST_SHARE = 1e-3  # that a value is given where it has none
MIX_MUCH = 0.25  # stability index from which a population is another, by the usual rule of thumb


def first_weekend(room: Room) -> bool:
    """Whether traffic or its mix moved as the first weekend (or working days) of the log began: nothing tells what is usual."""
    picture = room.picture
    anchor, grid = picture.anchor, picture.grid
    if anchor is None or not _of_traffic(room) or appearance(anchor) is not None or abrupt(room):
        return False
    start = picture.onset.index // grid.coarse if picture.onset is not None else anchor.fit.start
    if not _at_night(picture, start):
        return False
    end = min(anchor.fit.end if anchor.scan.kind == "box" else grid.n_coarse, grid.index(picture.detected_at) // grid.coarse + 1)
    off = _off(grid)
    for kind in (off, ~off):
        turned = _turned(kind, start, grid)
        if turned is None or turned[:start].sum() * grid.coarse_s > EVENING:  # an evening tells nothing of a day
            continue
        if end > start and float(turned[start:end].mean()) >= WEEKEND_PART:
            return True
    return False


def _at_night(picture: Picture, start: int) -> bool:
    """Whether at that time of day fewer requests come than on average, as at midnight; taken to be so within the first day."""
    grid, volume = picture.grid, picture.series.get("volume")
    day = DAY_S // grid.coarse_s
    if volume is None or start < day or day < 2:
        return True
    before = volume.coarse_sum(0)[:start]
    same = before[start - day :: -day]
    return bool(same.mean() <= before[-(before.size // day) * day :].mean())


def _of_traffic(room: Room) -> bool:
    """Whether what moved is who comes and how many, or the load of a component that follows it."""
    anchor, volume = room.picture.anchor, room.readings.get("volume")
    if anchor is None or anchor.series.family != "component":
        return anchor is not None and anchor.series.family in ("volume", "mix")
    return volume is not None and volume.moved and not is_age(anchor.series)


def _off(grid: TimeGrid) -> NDArray[np.bool_]:
    """Whether it is weekend, from `WEEKEND_EDGE` before the first coarse bucket until as long after the last."""
    edge = _edge(grid)
    seconds = int(grid.origin.timestamp()) + grid.ahead_s + np.arange(-edge, grid.n_coarse + edge) * grid.coarse_s
    return np.asarray((seconds // DAY_S + 3) % 7 >= 5)


def _edge(grid: TimeGrid) -> int:
    return int(WEEKEND_EDGE // grid.coarse_s)


def _turned(kind: NDArray[np.bool_], start: int, grid: TimeGrid) -> NDArray[np.bool_] | None:
    """The days of one kind, had they begun where the change did, shape (n_coarse,); None where none began near it.

    Time zones tell what is near. `kind` has `WEEKEND_EDGE` more on either side.
    """
    edge = _edge(grid)
    turns = np.flatnonzero(kind[1:] & ~kind[:-1]) + 1 - edge
    near = turns[np.abs(turns - start) <= edge]
    if not near.size:
        return None
    shift = start - int(near[np.argmin(np.abs(near - start))])
    return kind[edge - shift : edge - shift + grid.n_coarse]


def mix_index(room: Room, column: str) -> float:
    """Population stability index of the shares of a column's values, those without a share of their own taken together."""
    own = [r for n, r in room.readings.items() if n.startswith("share:") and room.picture.series[n].column == column]
    shares = [(r.before or 0.0, r.after or 0.0) for r in own if r.before is not None or r.after is not None]
    rest = (1 - sum(b for b, _ in shares), 1 - sum(a for _, a in shares))
    sides = np.maximum(np.array([*shares, rest]), LEAST_SHARE)
    return float(((sides[:, 1] - sides[:, 0]) * np.log(sides[:, 1] / sides[:, 0])).sum())


def abrupt(room: Room) -> bool:
    """Whether who comes moved as no weekend moves it: by far, or a share or the number of requests jumped within an hour."""
    anchor, onset = room.picture.anchor, room.picture.onset
    if anchor is not None and onset is not None and anchor.series.family == "volume":
        return _jumped(room.picture, onset)
    if anchor is None or onset is None or anchor.series.family != "mix":
        return False
    if mix_index(room, anchor.series.column or "") >= MIX_MUCH:
        return True
    grid = anchor.series.grid
    step, width = (grid.coarse, grid.coarse_s) if anchor.series.coarse else (1, grid.width_s)
    low, high, hour = min(onset.low, onset.index) // step, max(onset.high, onset.index) // step, max(3600 // width, 1)
    if high - low > hour:
        return False
    sides = slice(max(low - hour, 0), low), slice(high + 1, high + 1 + hour)
    (k0, n0), (k1, n1) = (tuple(float(x[side].sum()) for x in anchor.series.sums[:2]) for side in sides)
    if min(n0, n1) < HOUR_ROWS:
        return False
    was, now = k0 / n0, k1 / n1
    return abs(rate_z(k0, n0, k1, n1)) >= JUMP_Z and max(was, now) >= JUMP * min(was, now)


def _jumped(picture: Picture, onset: JointOnset) -> bool:
    """Whether traffic jumped within an hour, beyond what it did at that hour of the day before."""
    grid = picture.grid
    n = picture.series["volume"].sums[0] if "volume" in picture.series else np.zeros(0)
    if n.size != grid.n:
        return False
    hour, day = max(3600 // grid.width_s, 1), DAY_S // grid.width_s
    low, high = min(onset.low, onset.index), max(onset.high, onset.index)
    if high - low > hour or low - day < hour or high + 1 + hour > grid.n:
        return False

    def around(shift: int) -> tuple[float, float]:
        before, after = slice(low - shift - hour, low - shift), slice(high + 1 - shift, high + 1 - shift + hour)
        return float(n[before].sum()), float(n[after].sum())

    was, now, usual_was, usual_now = *around(0), *around(day)
    if min(was, now, usual_was, usual_now) < HOUR_ROWS:
        return False
    beyond = np.log(now / was) - np.log(usual_now / usual_was)
    error = np.sqrt(1 / was + 1 / now + 1 / usual_was + 1 / usual_now)
    return bool(abs(beyond) >= max(np.log(JUMP), JUMP_Z * error))
