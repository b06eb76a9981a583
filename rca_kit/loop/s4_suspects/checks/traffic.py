"""Checks of who comes: volume, duplicates, population mix, drift."""

from __future__ import annotations

import re
from datetime import timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import xlogy

from rca_kit.loop.reading.birth import birth
from rca_kit.loop.reading.picture import same_days
from rca_kit.loop.s4_suspects.checks.newcomers import opened
from rca_kit.loop.s4_suspects.checks.service import metric_kind
from rca_kit.loop.s4_suspects.clue import Clue, Outcome
from rca_kit.loop.s4_suspects.room import Room, as_clues
from rca_kit.loop.s4_suspects.signatures import is_arm
from rca_kit.stats.rates import rate_z

CALENDAR_BEFORE, CALENDAR_AFTER = timedelta(hours=18), timedelta(hours=8)  # a day is logged the evening before, or as it dawns
# why people stay away: other entries of a calendar are the company's own meetings and deadlines
_DAY_OFF = re.compile(
    r"holiday|vacation|day off|break|closed|closure|festiv|feast|long weekend|christmas|easter|new year|thanksgiving|ramadan|"
    r"eid\b|diwali|carnival|strike|curfew|lockdown|storm|feiertag|ferien|urlaub|br[uü]ckentag|streik|f[eé]ri[eé]|vacances|gr[eè]ve|"
    r"bridge day|festivo|vacaciones|puente|huelga|semana santa|feria|vacanz|sciopero|feriado|f[eé]rias|greve"
)
COUNTERS = 2  # services that count requests, from which they tell how many came
COUNTED_MORE = 1.25  # times the log's own part of its usual requests that the services may count, most of them
MIX_LEAST = 0.03  # points of share that a value must gain
LEAST_VOLUME = 50  # expected requests of a value after the onset
REST, REST_OTHER = (0.7, 1.4), 2.5  # the rest of the traffic goes on as before; at most, where after has other days than before
TAKEN = 0.5  # part of a value's loss (or gain) that other values may gain (or lose) until it is called a move between them
WHOLE_LEAST = float(np.log(1.15))  # change of the rest's traffic that is no matter of the day
LOST, GREW, SURGED = 0.6, 1.5, 1.3  # own volume against the rest's; against its own before
LOST_CLEARLY, CLEARLY_Z = 0.75, 12.0  # ... and where both its volume and its share stand out as no few people's day does
FEW_MORE, MUCH_MORE = 1.1, 1.6  # times as many requests as before that any day may bring, and that may be too many for anything
SHARE_Z = 5.0  # of a share's step that dates a loss or a surge
DUPLICATE_LEAST = 0.005
HANDED_OVER, HANDED_Z = 0.6, 2.0  # the same of one value that gained most of it, by the measure of the few others
GONE_OVER, GAINED_Z = 1 / 3, 3.0  # part of the lost requests that other values have gained; standard errors of the gain


def volume(room: Room) -> Outcome:
    """More or fewer requests than the same hours before; doubled rows."""
    title = "Volume, lost and doubled rows"
    clues = []
    r = room.readings.get("volume")
    doubled = _duplicates(room)
    again = _again(room)
    if again is not None:
        clues.append(again)
    elif doubled is not None:
        before, after = doubled
        z = rate_z(before * room.before.height, room.before.height, after * room.after.height, room.after.height)
        if z > 5 and after - before > DUPLICATE_LEAST:
            clues.append(
                Clue(
                    "duplicates",
                    "traffic",
                    "duplicates",
                    f"doubled rows: {before:.1%} -> {after:.1%}",
                    float(z / (z + 4)),
                    _doubled_since(room),
                    after - before,
                    None,
                    None,
                )
            )
    at_once = _jumped(room)
    if r is not None and (r.moved or at_once) and r.change is not None and r.before and r.after is not None:
        grown = at_once or r.after / r.before
        announced = grown <= 1 and _announced(room, grown)
        kind = "surge" if grown > 1 else "lull" if announced or _counted_too(room, grown) else "lost"
        # a weekend loses requests every week, and the last hours of a log in which nothing began are the evening's
        lost = grown < LOST and same_days(room.picture) and _began(room)
        if grown > 1 or announced or lost:
            clues.append(
                Clue(
                    "volume",
                    "traffic",
                    kind,
                    f"requests per {room.picture.grid.width_s // 60 or 1} min: {r.before:.4g} -> {r.after:.4g}"
                    + (f", x{at_once:.2f} beyond what other hours bring" if at_once else ""),
                    room.strength("volume") * (_too_many(grown) if grown > 1 else 1.0),
                    room.onset("volume"),
                    abs(grown - 1),
                    facts={"ratio": grown},
                )
            )
    return Outcome("volume", title, "external", "free", as_clues(clues), "as many requests as in the same hours before")


def _began(room: Room) -> bool:
    """Whether something began at some moment, be it that traffic itself changed."""
    move = room.picture.moves.get("volume")
    return room.picture.onset is not None or (move is not None and move.moved)


def _jumped(room: Room) -> float | None:
    """How many times as many requests came beyond what other hours bring, where before and after have no hours in common."""
    move = room.picture.moves.get("volume")
    if room.picture.matched or move is None or not move.moved or not move.series.log or move.scan.best is None:
        return None
    return float(np.exp(move.fit.height)) if move.fit.height > 0 else None


def _too_many(grown: float) -> float:
    """How far a growth of traffic is one that may hurt: 0 for a few more, 1 for many more."""
    return float(np.clip(np.log(grown / FEW_MORE) / np.log(MUCH_MORE / FEW_MORE), 0.0, 1.0))


def _announced(room: Room, grown: float) -> bool:
    """Whether the calendar of the change log has an entry about when requests became fewer, and a service counted no more.

    Requests that all services answered and the log lacks were lost, whatever day it is.
    """
    onset, counters = room.onset("volume"), _counters(room)
    if onset is None or (counters and min(counters) > grown * COUNTED_MORE):
        return False
    at = room.picture.grid.time(onset)
    about = [c for c in room.changes if at - CALENDAR_BEFORE <= c.time <= at + CALENDAR_AFTER]
    return any(c.kind == "calendar" and _DAY_OFF.search(c.description.lower()) for c in about)


def _counted_too(room: Room, grown: float) -> bool:
    """Whether most services that count requests, at least so many, counted as many fewer as the log: then they did not come."""
    counters = _counters(room)
    return len(counters) >= COUNTERS and float(np.median(counters)) <= grown * COUNTED_MORE


def _counters(room: Room) -> list[float]:
    """Times as many requests that each service counted."""
    counted = [
        room.readings[n] for n, s in room.picture.series.items()
        if s.family == "component" and metric_kind(n.rpartition(":")[2]) == "requests" and n in room.readings
    ]
    return [r.after / r.before for r in counted if r.before and r.after]


def _again(room: Room) -> Clue | None:
    """Requests that an earlier row had told already, be it minutes before: since when, and how many more than usual."""
    if room.repeats is None:
        return None
    k, n, start = room.repeats.again, room.repeats.rows, room.picture.start * room.picture.grid.coarse
    born = birth(k, n, start // 2)
    if born is None:
        return None
    before, after = (float(k[w].sum() / max(n[w].sum(), 1.0)) for w in (slice(0, born.index), slice(born.index, None)))
    z = rate_z(k[: born.index].sum(), n[: born.index].sum(), k[born.index :].sum(), n[born.index :].sum())
    if z <= 5 or after - before <= DUPLICATE_LEAST:
        return None
    text = f"requests that were in the log before: {before:.1%} -> {after:.1%}"
    return Clue("duplicates", "traffic", "duplicates", text, float(z / (z + 4)), born.index, after - before, None, None)


def _duplicates(room: Room) -> tuple[float, float] | None:
    key = _all_that_is_known(room)
    if len(key) < 4:
        return None
    shares = [1 - f.select(key).n_unique() / max(f.height, 1) for f in (room.before, room.after)]
    return shares[0], shares[1]


def _all_that_is_known(room: Room) -> list[str]:
    return [c for c in (room.columns.time, *room.columns.features[:12]) if c in room.before.columns]


def _doubled_since(room: Room) -> int | None:
    """Fine bucket since when rows are doubled: the likeliest one for one share before and another after."""
    grid, time = room.picture.grid, room.columns.time
    rows = pl.concat([f.select(_all_that_is_known(room)) for f in (room.before, room.after)], how="vertical_relaxed")
    at = np.clip([grid.index(t) // grid.coarse for t in rows[time].to_list()], 0, grid.n_coarse - 1)
    k = np.bincount(at, rows.is_duplicated().to_numpy(), grid.n_coarse).astype(np.float64)
    n = np.bincount(at, minlength=grid.n_coarse).astype(np.float64)
    after, rows_after = np.cumsum(k[::-1])[::-1], np.cumsum(n[::-1])[::-1]
    before, rows_before = k.sum() - after, n.sum() - rows_after
    risen = after * rows_before > before * rows_after
    fits = np.where(risen, _binomial(before, rows_before) + _binomial(after, rows_after), -np.inf)
    best = fits.size - 1 - int(np.argmax(fits[::-1]))  # of buckets without rows in between the last: the first that shows it
    return best * grid.coarse if risen.any() else None


def _binomial(k: NDArray[np.float64], n: NDArray[np.float64]) -> NDArray[np.float64]:
    """Maximal binomial log-likelihood of k out of n, elementwise."""
    return np.asarray(xlogy(k, k) + xlogy(n - k, n - k) - xlogy(n, n), dtype=np.float64)


def mix(room: Room) -> Outcome:
    """Values of segments and features that gained share among known values: another population."""
    clues = []
    for name in room.moved("mix"):
        r, s = room.readings[name], room.picture.series[name]
        if r.before is None or r.after is None or r.change is None or abs(r.change) < MIX_LEAST:
            continue
        value = name.partition("=")[2]
        grown = r.change > 0
        told = opened(room, str(s.column), value, (r.before, r.after), room.strength(name), room.onset(name)) if grown else None
        if told is not None:
            clues.append(told)
            continue
        clues.append(
            Clue(
                "mix",
                "population",
                "mix",
                f"{s.column} = {value}: {r.before:.1%} -> {r.after:.1%} of requests",
                room.strength(name),
                room.onset(name),
                abs(r.change),
                None,
                {"column": s.column, "op": "in", "values": [value], "grown": grown},
                {"change": r.change, "before": r.before},
            )
        )
    return Outcome("mix", "Traffic mix", "external", "free", as_clues(clues), "the mix of known values is as before")


def segment_volume(room: Room) -> Outcome:
    """Values of segments whose own volume fell or rose while the rest of the traffic went on as before."""
    title = "Volume by segment"
    clues = []
    picture = room.picture
    plan_of = picture.aggregates.plan
    named = {p.column: "feature" for p in plan_of.features if not p.numeric and p.keep is None}
    named |= {p.column: "segment" for p in plan_of.segments if p.keep is None}
    for column, kind in named.items():
        if column == room.columns.model_version:
            continue
        volumes = _volumes(room, column, kind)
        for value, (b, a) in volumes.items():
            others = [(x, y) for v, (x, y) in volumes.items() if v != value and x >= LEAST_VOLUME]
            other_days = not same_days(picture)  # then all of them differ by the week, and each is held against the rest only
            if len(others) < (2 if other_days else 1):  # one other value cannot tell what the week took from it
                continue
            if value is None or b < LEAST_VOLUME or _gone_over(b - a, others, picture.noise.get("volume", 1.0)):
                continue
            own, rest = a / b, float(np.median([y / x for x, y in others]))
            if not REST[0] <= rest <= (REST_OTHER if other_days else REST[1]):
                continue
            # a mix that moves takes from some values what others gain; a loss or a surge does not
            noise = max(picture.noise.get("volume", 1.0), 1.0)
            moves = [y - x * rest for v, (x, y) in volumes.items() if v != value]
            gap = a - b * rest
            clumped = (noise - 1.0) * np.sqrt(sum(x * rest + y for v, (x, y) in volumes.items() if v != value))
            if sum(abs(m) for m in moves if m * gap < 0) > TAKEN * abs(gap) + clumped or _kept_whole(volumes, value):
                continue
            if _handed_over(volumes, value, noise):
                continue
            alone = noise
            if picture.matched or len(others) > 1:  # held against the rest, what all share is gone
                alone = max(picture.noise.get(f"share:{column}={value}", noise), 1.0)
            z = abs(np.sqrt(a) - np.sqrt(b * rest)) * 2 / min(noise, alone) ** 0.5
            if not picture.matched:  # other hours, and each value has its own: it must have moved at once
                z = min(z, _share_z(room, column, value))
            if z < 8 or (is_arm(column) and rest > 1):  # the lot was changed: what one arm lost, others gained
                continue
            where = {"column": column, "op": "in", "values": [value], "grown": own > rest}
            text = f"{column} = {value}: requests x{own:.2f}, the rest x{rest:.2f}"
            since = _share_moved(room, column, value)
            left = own / (rest if other_days else min(rest, 1.0))
            if left < LOST or (left < LOST_CLEARLY and min(z, _share_z(room, column, value)) >= CLEARLY_Z):
                z = max(z, _share_z(room, column, value))
                strength = float(z / (z + 8))
                lost = 1 - own / rest
                clues.append(Clue("segment_volume", "traffic", "segment_lost", text, strength, since, lost, None, where))
            elif own > max(GREW * rest, SURGED) and rest <= REST[1]:
                clues.append(
                    Clue(
                        "segment_volume",
                        "population",
                        "segment_surge",
                        text,
                        float(z / (z + 8)),
                        since,
                        own / rest - 1,
                        None,
                        where,
                    )
                )
    return Outcome("segment_volume", title, "data", "free", as_clues(clues), "no segment lost or gained requests on its own")


def _share_z(room: Room, column: str, value: str) -> float:
    """Evidence, in standard errors, of the step of a value's share of the requests."""
    move = room.picture.moves.get(f"share:{column}={value}")
    return abs(move.fit.z) if move is not None and move.moved else 0.0


def _share_moved(room: Room, column: str, value: str) -> int | None:
    """Fine bucket in which a value's share of the requests moved, where that stands out."""
    move = room.picture.moves.get(f"share:{column}={value}")
    if move is None or move.scan.best is None or abs(move.fit.z) < SHARE_Z:
        return None
    return int(move.fit.start) * room.picture.grid.coarse


def _gone_over(lost: float, others: list[tuple[float, float]], noise: float) -> bool:
    """Whether the other values gained, beyond chance, a good part of what one lost: its people have gone over to them."""
    before, after = (sum(n[i] for n in others) for i in (0, 1))
    gained = after - before
    return lost > 0 and gained >= GONE_OVER * lost and gained >= GAINED_Z * np.sqrt(max(noise, 1.0) * (before + after))


def _handed_over(volumes: dict[str | None, tuple[float, float]], value: str, noise: float) -> bool:
    """Whether one other value gained most of what this one lost, by the measure of the rest: traffic was moved between two.

    At another hour all may come less often, and the one that gained is no measure of how much less.
    """
    b, a = volumes[value]
    for v, (x, y) in volumes.items():
        rest = [n for w, n in volumes.items() if w not in (v, value) and n[0] >= LEAST_VOLUME]
        if v == value or not rest:
            continue
        before, after = max(rest, key=lambda n: n[1] / n[0])  # who lost requests too is no measure
        usual = after / before
        gained = y - x * usual
        error = np.sqrt(noise * (y + x * usual + x**2 * usual * (1 + usual) / before))
        lost = b * usual - a  # little where the rest became as few: then the one that gained is odd, if it did gain
        odd = lost >= (1 - LOST_CLEARLY) * b * usual or y >= GREW * x
        if odd and gained >= HANDED_OVER * lost and gained >= HANDED_Z * error:
            return True
    return False


def _kept_whole(volumes: dict[str | None, tuple[float, float]], value: str) -> bool:
    """Whether all requests together stayed nearer to what they were than those without the value did: who asks has changed."""
    ratios = []
    for some in (volumes, {v: n for v, n in volumes.items() if v != value}):
        before, after = (sum(n[i] for n in some.values()) for i in (0, 1))
        ratios.append(abs(np.log(max(after, 0.5) / max(before, 0.5))))
    return bool(ratios[0] < ratios[1] / 2 and ratios[1] > WHOLE_LEAST)


def _volumes(room: Room, column: str, kind: str = "segment") -> dict[str | None, tuple[float, float]]:
    """Requests by value before and after, in the same weighting of hours."""
    picture = room.picture
    volume = picture.series["volume"]
    weights = [volume.coarse_weights(w) for w in (picture.before, picture.after)]
    scale = weights[1].sum() / max(weights[0].sum(), 1e-9)
    counts = picture.aggregates.cubes[f"{kind}:{column}"].by_value("n", picture.grid.n_coarse)
    return {v: (float((n * weights[0]).sum() * scale), float((n * weights[1]).sum())) for v, n in counts.items()}
