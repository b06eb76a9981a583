"""Checks of what is in the features: nulls, units and ranges, defaults, categories, staleness."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import bdtrc

from rca_kit.loop.s4_suspects.checks.newcomers import brought
from rca_kit.loop.s4_suspects.checks.releases import of_a_release
from rca_kit.loop.s4_suspects.clue import Clue, Outcome
from rca_kit.loop.s4_suspects.inside import Inside
from rca_kit.loop.s4_suspects.mixed import before_like_after
from rca_kit.loop.s4_suspects.room import Room, as_clues, numbers
from rca_kit.loop.s4_suspects.units import FEW_AFTER, ROW_MIN, Floats, Found, converted, distance, transformed, usable
from rca_kit.stats.rates import rate_z

OUT_SHARE = 0.01  # of requests outside what was seen before; less is a handful of odd requests
FAR, MOVED_ALONG = 0.5, 0.05  # spreads (90 % - 10 %) by which strays must stick out, unless the rest did not move along
SPIKE_SHARE = 0.02  # one value's gain of share in a continuous column that looks like a default filled in
# of values made coarse: distinct values before, heaps at least, and the share that each must gain
COARSE_BEFORE, COARSE_HEAPS, COARSE_EACH = 200, 3, 0.015
# of a common value that took from all others alike: its least gain, values of the others, and their distance in units of chance
MIXED_LEAST, MIXED_VALUES, MIXED_NOISE = 0.08, 8, 1.2
BESIDE = 3  # values on either side that show how common a value would be without a default
SPIKE_CHANCE = 1e-7  # of so many rows with one value where it is as frequent as before; dozens of columns and values are tried
SPIKE_RARE = 0.2  # ... when it held less than this part of its new share before
SWAP_LEAST, SWAP_APART, SWAP_FIT = 0.3, 0.3, 0.15  # sigmas moved; distance of the two before; part of it left after the swap
MOST_SWAPS = 12
CLIP_LEFT = 0.05  # of the share at the edge, that may still lie beyond it: some requests go another way
SATURATED = 0.1  # spreads (90 % - 10 %) by which the other values must have moved towards the heap
CLIP_FIT = 0.3  # relative, to which the share at the edge must be the share that used to lie beyond it: values were clipped
FEW_VALUES, STILL_THERE = 50, 0.5  # values of a column of grades; part of the others that are still among them
CAME = 1.4  # times the part of the requests that has come, up to which that part may be what differs
NEWCOMERS = 1.3  # times the share of before from which a segment holds requests that it did not hold before
IMPUTED_LEAST = 0.6  # part of a default's gain that came out of what used to be missing
WANDERS = 10.0  # rows that count for one, from which a level wanders by itself, as the weather, to what may pass for a unit
ALL_ROWS = 0.98  # share of rows from which a mark is one of all requests


def nulls(room: Room) -> Outcome:
    """Null rate of each feature before and after."""
    clues = []
    for name in room.moved("nulls"):
        r = room.readings[name]
        if r.change is None or r.before is None or r.after is None or r.change < 0:
            continue
        column = room.picture.series[name].column or ""
        bad = room.after[column].is_null().to_numpy() if column in room.after.columns else np.zeros(room.after.height, bool)
        if room.after.schema.get(column) in (pl.Float64, pl.Float32):
            bad = ~np.isfinite(numbers(room.after, column))
        clues.append(
            Clue(
                "null_rate",
                f"feature:{column}",
                "nulls",
                f"{column}: null rate {r.before:.1%} -> {r.after:.1%}",
                room.strength(name),
                room.onset(name),
                r.change,
                room.harm(np.zeros(room.before.height, bool), bad),
                {"column": column, "op": "null"},
                {"size": r.change},
            )
        )
    return Outcome("null_rate", "Nulls in features", "data", "free", as_clues(clues), "no feature lost values")


def values(room: Room) -> Outcome:
    """Numeric features: unit factors, values out of range, defaults filled in, constants."""
    clues = []
    alike = before_like_after(room)
    for column in room.columns.features:
        if column in room.clocks:
            continue
        b, a, same_mix = numbers(room.before, column), numbers(room.after, column), numbers(alike, column)
        if room.before.schema[column].is_numeric():
            told = column in room.compared and room.compared[column].changed
            clump = room.clumps.get(column, 1.0)
            found = (
                _settled(converted(column, same_mix, a, clump), growth(room))
                or transformed(column, same_mix, a, told=False)
                or _coarsened(column, b, a, clump)
                or _whole_or_inside(_filled(column, b, a, clump), room, column, b, a)
                or _out_of_range(column, b, a, clump)
                or _inside(room, column, b, a)
                or (of_a_release(room, column, a) if told else None)
                or (transformed(column, same_mix, a, told=True) if told else None)  # an odd scale only where nothing else tells
            )
            if found is not None and found[0].facts.get("odd") and clump >= WANDERS:
                found = None
            if found is not None:
                clue, bad_b, bad_a = found
                clue = brought(room, imputed(room, clue), bad_a)
                # what marks every row tells them from no others: all of the harm lies in them, whatever did it
                clues.append(replace(clue, harm=room.harm(bad_b, bad_a) if float(bad_a.mean()) < ALL_ROWS else None))
    clues = _swapped(room, clues)
    return Outcome(
        "value_range",
        "Units, ranges and defaults of numeric features",
        "code",
        "free",
        as_clues(clues),
        "numeric features keep their units and ranges",
    )


def imputed(room: Room, clue: Clue) -> Clue:
    """A default that took the place of nulls, told so: somebody fills them in now, nothing was lost on the way."""
    column = clue.subject.partition(":")[2]
    if clue.signature != "default" or column not in room.before.columns or column not in room.after.columns:
        return clue
    gone = float(_missing(room.before[column]).mean()) - float(_missing(room.after[column]).mean())
    share = (clue.share or 0.0) * (1.0 - float(_missing(room.after[column]).mean()))
    if share <= 0 or gone < IMPUTED_LEAST * share:
        return clue
    return replace(clue, signature="imputed", says=f"{clue.says}, where values used to be missing")


def _missing(s: pl.Series) -> NDArray[np.bool_]:
    return np.asarray(s.is_null().to_numpy() | (s.is_nan().fill_null(False).to_numpy() if s.dtype.is_float() else False))


def _whole_or_inside(found: Found | None, room: Room, column: str, b: Floats, a: Floats) -> Found | None:
    """What looks like a default in a part of all rows is a frozen feature where these are all rows of one segment."""
    if found is None or found[0].signature != "default" or column not in room.inside:
        return found
    here = _inside(room, column, b, a)
    return here if here is not None and here[0].signature in ("frozen", "zeroed") else found


def _inside(room: Room, column: str, b: Floats, a: Floats) -> Found | None:
    """The same questions about the rows of the one segment that a feature moved in."""
    here = room.inside.get(column)
    if here is None:
        return None
    x, y, clump = b[here.before], a[here.after], room.clumps.get(column, 1.0)
    more = float(here.after.mean()) / max(float(here.before.mean()), 1e-9)
    found = _settled(converted(column, x, y, clump), more * growth(room))
    found = found or transformed(column, x, y, told=False) or _coarsened(column, x, y, clump) or _filled(column, x, y, clump)
    grown = more > NEWCOMERS
    if found is None and not grown:  # who has just come brings values of her own
        found = _out_of_range(column, x, y, clump) or transformed(column, x, y, told=True)
    if found is None:
        return None
    clue, _, bad = found
    marked = np.zeros(a.size, bool)
    marked[np.flatnonzero(here.after)[bad]] = True
    share = float(marked.sum() / max(np.isfinite(a).sum(), 1))
    where = {**(clue.where or {}), "segment": here.where}
    return replace(clue, says=f"in {here}, {clue.says}", share=share, where=where), np.zeros(b.size, bool), marked


def growth(room: Room) -> float:
    """Requests after for each before."""
    r = room.readings.get("volume")
    return r.after / r.before if r is not None and r.moved and r.before and r.after else 1.0


def _settled(found: Found | None, grown: float) -> Found | None:
    """What was found in a part of the requests, unless that part may be those who have just come: others, not converted."""
    share = found[0].share if found else None
    return None if share is not None and share <= CAME * (1 - 1 / max(grown, 1.0)) else found


def _swapped(room: Room, clues: list[Clue]) -> list[Clue]:
    """Two columns that each hold what the other held before, in all rows or in one segment: told in place of what each shows."""
    wide = [n for n, c in room.compared.items() if n in room.columns.features and c.changed and abs(c.effect) >= SWAP_LEAST]
    groups: dict[str, tuple[list[str], Inside | None]] = {"": (wide, None)}
    for name, here in room.inside.items():
        groups.setdefault(str(here), ([], here))[0].append(name)
    for where, (names, inside) in groups.items():
        able = [n for n in names if room.before.schema[n].is_numeric()][:MOST_SWAPS]
        sides = {n: _two_sides(room, n, inside) for n in able}
        for i, first in enumerate(able):
            for second in able[i + 1 :]:
                (b1, a1), (b2, a2) = sides[first], sides[second]
                if min(x.size for x in (b1, a1, b2, a2)) < ROW_MIN or distance(b1, b2) < SWAP_APART:
                    continue
                if distance(a1, b2) < SWAP_FIT * distance(b1, b2) and distance(a2, b1) < SWAP_FIT * distance(b1, b2):
                    start = f"in {where}, " if where else ""
                    text = f"{start}{first} holds what {second} held before, and the reverse"
                    pairs = ((first, text), (second, f"as {first}, reversed"))
                    marks = {"column": first, "op": "segment", "segment": inside.where} if inside else None
                    told = [Clue("swapped", f"feature:{x}", "swapped", says, 0.95, None, 1.0, where=marks) for x, says in pairs]
                    clues = [c for c in clues if c.subject not in {t.subject for t in told}] + told
    return clues


def _two_sides(room: Room, name: str, inside: Inside | None) -> tuple[Floats, Floats]:
    """Sorted values before and after, of all rows or of those inside."""
    b, a = numbers(room.before, name), numbers(room.after, name)
    b, a = (b, a) if inside is None else (b[inside.before], a[inside.after])
    return np.sort(usable(b)), np.sort(usable(a))


def _filled(column: str, b: Floats, a: Floats, clump: float = 1.0) -> Found | None:
    """Whether one value jumped in share where values used to vary: a default, a constant, a frozen feed.

    So many rows as `clump` count for one: a person who asks often repeats her own values.
    """
    x, y = usable(b), usable(a)
    if x.size < ROW_MIN or y.size < FEW_AFTER:
        return None
    value, count = np.unique(y, return_counts=True)
    top = int(np.argmax(count - np.interp(value, *_counts(x), left=0, right=0) * y.size / x.size))
    share_after = float(count[top]) / y.size
    share_before = float((x == value[top]).mean())
    usual = max(share_before, _beside(value, count, top) / y.size)
    gain = share_after - usual
    z = rate_z(usual * x.size, x.size, share_after * y.size, y.size) / np.sqrt(clump)
    common = share_before > SPIKE_RARE * share_after
    chance = bdtrc(float(count[top] // clump - 1), int(y.size // clump), max(usual, 1 / x.size))  # no z tells of a handful
    if gain < SPIKE_SHARE or z < 6 or chance > SPIKE_CHANCE:
        return None
    if common and not _mixed_in(x[x != value[top]], y[y != value[top]], gain):
        return None
    known = np.unique(x)
    others = y[y != value[top]]
    if known.size <= FEW_VALUES and others.size and np.isin(others, known).mean() < STILL_THERE:
        return None  # all values are others than before: another scale, and no default among the old ones
    kind = "zeroed" if value[top] == 0 and share_after > 0.9 else ("frozen" if share_after > 0.9 else "default")
    edge = float(value[top])
    above = float((y > edge).mean()) <= CLIP_LEFT * share_after
    beyond = (x >= edge) if above else (x <= edge)
    none = above or float((y < edge).mean()) <= CLIP_LEFT * share_after
    if kind == "default" and none and abs(float(beyond.mean()) - share_after) < CLIP_FIT * share_after:
        kind = "clipped"
    if kind == "default" and none and _saturated(x, y, edge, above):
        return None
    text = f"{column}: {value[top]:.6g} in {share_after:.1%} of requests, {share_before:.1%} before"
    if kind == "clipped":
        text += f", and hardly any {'above' if above else 'below'} it"
    return (
        Clue(
            "default_value",
            f"feature:{column}",
            kind,
            text,
            float(z / (z + 5)),
            None,
            gain,
            where={"column": column, "op": "equal", "value": float(value[top])},
        ),
        np.zeros(b.size, bool),
        a == value[top],
    )


def _coarsened(column: str, b: Floats, a: Floats, clump: float = 1.0) -> Found | None:
    """Whether many values have become a few: rounded, cut to grades, or given by range, in all requests or a part of them."""
    x, y = usable(b), usable(a)
    if min(x.size, y.size) < ROW_MIN or np.unique(x).size < COARSE_BEFORE:
        return None
    value, count = np.unique(y, return_counts=True)
    usual = np.interp(value, *_counts(x), left=0, right=0) * np.isin(value, x) / x.size
    gain = count / y.size - usual
    heaps = (gain >= COARSE_EACH) & (usual <= SPIKE_RARE * count / y.size)
    z = rate_z(float(usual[heaps].sum()) * x.size, x.size, float(count[heaps].sum()), y.size) / np.sqrt(clump)
    low, high = np.quantile(x, [0.05, 0.95])
    within = value[heaps & (value >= low) & (value <= high)]
    if heaps.sum() < COARSE_HEAPS or within.size < COARSE_HEAPS - 1 or z < 6:
        return None
    some = ", ".join(f"{v:.6g}" for v in value[heaps][np.argsort(-gain[heaps])][:3])
    text = f"{column}: {int(heaps.sum())} values ({some} ...) in {gain[heaps].sum():.0%} of requests, where values used to vary"
    where = {"column": column, "op": "in", "values": [str(v) for v in value[heaps]][:50]}
    strength, share = float(z / (z + 5)), float(gain[heaps].sum())
    clue = Clue("coarse_values", f"feature:{column}", "coarse", text, strength, None, share, where=where)
    return clue, np.zeros(b.size, bool), np.isin(a, value[heaps])


def _mixed_in(x: Floats, y: Floats, gain: float) -> bool:
    """Whether a value that was common before took from all others alike, as one filled in does; a drift does not."""
    if gain < MIXED_LEAST or min(x.size, y.size) < ROW_MIN or np.unique(x).size < MIXED_VALUES:
        return False
    return distance(np.sort(x), np.sort(y)) <= MIXED_NOISE * float(np.sqrt(1 / x.size + 1 / y.size))


def _beside(value: Floats, count: NDArray[np.int64], top: int) -> float:
    """Median count of the values next to one, as many on either side as there are: what drifts brings its neighbours too."""
    reach = min(BESIDE, top, value.size - 1 - top)
    near = np.r_[count[top - reach : top], count[top + 1 : top + 1 + reach]]
    return float(np.median(near)) if near.size else 0.0


def _saturated(x: Floats, y: Floats, edge: float, above: bool) -> bool:
    """Whether values heap at the end of their scale because all of them moved towards it."""
    rest = y[y != edge]
    spread = float(np.subtract(*np.quantile(x, [0.9, 0.1])))
    if rest.size < ROW_MIN // 2 or spread <= 0:
        return False
    moved = float(rest.mean() - x.mean()) / spread
    return (moved if above else -moved) > SATURATED


def _counts(x: Floats) -> tuple[Floats, Floats]:
    value, count = np.unique(x, return_counts=True)
    return value, count.astype(float)


def _only_drifted(x: Floats, y: Floats, outside: NDArray[np.bool_]) -> bool:
    """Whether values lie outside because all of them moved: they stick out little, and the rest moved the same way."""
    spread = float(np.subtract(*np.quantile(x, [0.9, 0.1])))
    up = float(np.median(y[outside])) > float(np.median(x))
    edge = float(x.max() if up else x.min())
    beyond = abs(float(np.median(y[outside])) - edge)
    moved = float(y[~outside].mean() - x.mean()) if (~outside).any() else 0.0
    return beyond < FAR * spread and (moved if up else -moved) > MOVED_ALONG * spread


def _out_of_range(column: str, b: Floats, a: Floats, clump: float = 1.0) -> Found | None:
    x, y = usable(b), usable(a)
    if x.size < ROW_MIN or y.size < FEW_AFTER or np.unique(x).size < 3:
        return None
    low, high = float(x.min()), float(x.max())
    margin = 0.05 * (high - low)
    outside = np.isfinite(a) & ((a < low - margin) | (a > high + margin))
    share = outside.sum() / y.size
    z = rate_z(0.5, x.size, float(outside.sum()), y.size) / np.sqrt(clump)
    if share < OUT_SHARE or z < 6 or _only_drifted(x, y, outside[np.isfinite(a)]):
        return None
    text = f"{column}: {share:.1%} of values lie outside {low:.4g}..{high:.4g}, the range before"
    return (
        Clue(
            "out_of_range",
            f"feature:{column}",
            "range",
            text,
            float(z / (z + 5)),
            None,
            float(share),
            where={"column": column, "op": "outside", "low": low - margin, "high": high + margin},
        ),
        np.zeros(b.size, bool),
        outside,
    )
