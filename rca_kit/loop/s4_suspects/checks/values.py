"""Checks of what is in the features: nulls, units and ranges, defaults, categories, staleness."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from rca_kit.loop.s4_suspects.clue import Clue, Outcome
from rca_kit.loop.s4_suspects.mixed import before_like_after
from rca_kit.loop.s4_suspects.room import Room, as_clues, numbers
from rca_kit.stats.rates import rate_z

Floats = NDArray[np.float64]

OUT_SHARE = 0.01  # of requests outside what was seen before; less is a handful of odd requests
FAR, MOVED_ALONG = 0.5, 0.05  # spreads (90 % - 10 %) by which strays must stick out, unless the rest did not move along
OUT_RATIO = 5.0  # ... and this many times the share before
UNIT_FACTORS = {
    1000.0: "x1000",
    100.0: "x100",
    60.0: "x60",
    3600.0: "x3600",
    10.0: "x10",
    12.0: "x12",
    24.0: "x24",
    7.0: "x7",
    1024.0: "x1024",
    2.54: "x2.54",
    1.609: "x1.609",
    2.205: "x2.205",
    3.281: "x3.281",
}
# scales with another zero: name, slope, shift
SCALES = (
    ("in Fahrenheit instead of Celsius,", 1.8, 32.0),
    ("in Celsius instead of Fahrenheit,", 5 / 9, -160 / 9),
    ("in Kelvin instead of Celsius,", 1.0, 273.15),
    ("in Celsius instead of Kelvin,", 1.0, -273.15),
)
ZERO_LEAST = 0.1  # spreads by which the zero of such a scale must lie elsewhere: 32 more is nothing to a price in thousands
POWERS = (10.0, 12.0, 24.0, 60.0, 100.0, 1000.0, 1024.0, 3600.0, 1e6)  # far enough apart that no drift passes for one
KS_95 = 1.36  # critical value of the two-sample Kolmogorov-Smirnov distance at 5 %, for large samples
CONVERTED_LEAST, UNEXPLAINED = 0.03, 0.1  # share of converted requests; part of the distance that may stay unexplained
SCALE_LEAST = 1.35  # below this a change of scale may as well be a change of population
SPIKE_SHARE = 0.02  # one value's gain of share in a continuous column that looks like a default filled in
SPIKE_RARE = 0.2  # ... when it held less than this part of its new share before
SWAP_LEAST, SWAP_APART, SWAP_FIT = 0.3, 0.3, 0.15  # sigmas moved; distance of the two before; part of it left after the swap
MOST_SWAPS = 12
CLIP_LEFT = 0.05  # of the share at the edge, that may still lie beyond it: some requests go another way
SATURATED = 0.1  # spreads (90 % - 10 %) by which the other values must have moved towards the heap
CLIP_FIT = 0.3  # relative, to which the share at the edge must be the share that used to lie beyond it: values were clipped
ALL_ROWS = 0.98  # share of rows from which a mark is one of all requests
ROW_MIN = 200  # sampled rows a side needed to speak of shares of a few per cent


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
            found = (
                _converted(column, same_mix, a)
                or _transformed(column, same_mix, a, told=False)
                or _filled(column, b, a)
                or _out_of_range(column, b, a)
                or _inside(room, column, b, a)
                or (_transformed(column, same_mix, a, told=True) if told else None)  # an odd scale only where nothing else tells
            )
            if found is not None:
                clue, bad_b, bad_a = found
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


def _inside(room: Room, column: str, b: Floats, a: Floats) -> Found | None:
    """The same questions about the rows of the one segment that a feature moved in."""
    here = room.inside.get(column)
    if here is None:
        return None
    x, y = b[here.before], a[here.after]
    found = _converted(column, x, y) or _transformed(column, x, y, told=False)
    found = found or _filled(column, x, y) or _out_of_range(column, x, y) or _transformed(column, x, y, told=True)
    if found is None:
        return None
    clue, _, bad = found
    marked = np.zeros(a.size, bool)
    marked[np.flatnonzero(here.after)[bad]] = True
    share = float(marked.sum() / max(np.isfinite(a).sum(), 1))
    where = {**(clue.where or {}), "segment": here.where}
    return replace(clue, says=f"in {here}, {clue.says}", share=share, where=where), np.zeros(b.size, bool), marked


def _swapped(room: Room, clues: list[Clue]) -> list[Clue]:
    """Two columns that each hold what the other held before: told so, in place of what each shows by itself."""
    names = [
        n
        for n, c in room.compared.items()
        if n in room.columns.features and c.changed and abs(c.effect) >= SWAP_LEAST and room.before.schema[n].is_numeric()
    ][:MOST_SWAPS]
    sides = {n: tuple(np.sort(_usable(numbers(f, n))) for f in (room.before, room.after)) for n in names}
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            (b1, a1), (b2, a2) = sides[first], sides[second]
            if min(x.size for x in (b1, a1, b2, a2)) < ROW_MIN or _apart(b1, b2) < SWAP_APART:
                continue
            if _apart(a1, b2) < SWAP_FIT * _apart(b1, b2) and _apart(a2, b1) < SWAP_FIT * _apart(b1, b2):
                pairs = ((first, f"{first} holds what {second} held before, and the reverse"), (second, f"as {first}, reversed"))
                told = [Clue("swapped", f"feature:{x}", "swapped", says, 0.95, None, 1.0) for x, says in pairs]
                clues = [c for c in clues if c.subject not in {t.subject for t in told}] + told
    return clues


def _apart(x: Floats, y: Floats) -> float:
    """Two-sample Kolmogorov-Smirnov distance of sorted values."""
    at = np.concatenate([x, y])
    return float(np.abs(np.searchsorted(x, at, side="right") / x.size - np.searchsorted(y, at, side="right") / y.size).max())


def _usable(x: Floats) -> Floats:
    return x[np.isfinite(x)]


Found = tuple[Clue, NDArray[np.bool_], NDArray[np.bool_]]


def _converted(column: str, b: Floats, a: Floats) -> Found | None:
    """Whether the values after are a mixture of those before and of those before in another unit.

    A unit that changes for some requests only (a rollout, one client) leaves two populations; their shares are fitted by least
    squares on the distribution functions, and what the mixture leaves unexplained must be small.
    """
    x, y = _usable(b), _usable(a)
    if min(x.size, y.size) < ROW_MIN or np.unique(x).size < 20:
        return None
    x, y = np.sort(x), np.sort(y)
    noise = KS_95 * float(np.sqrt(1 / x.size + 1 / y.size))
    best: tuple[float, float, str, Floats] | None = None
    for name, mapped in _in_other_units(x):
        at = np.quantile(np.concatenate([x, mapped, y]), np.linspace(0.01, 0.99, 99))
        was, other, now = (np.searchsorted(v, at, side="right") / v.size for v in (x, mapped, y))
        apart = other - was
        share = float(np.clip((now - was) @ apart / max(float(apart @ apart), 1e-12), 0.0, 1.0))
        left = float(np.abs(now - was - share * apart).max())
        moved = float(np.abs(now - was).max())
        if share < CONVERTED_LEAST or moved < 2.5 * noise or left > max(noise, UNEXPLAINED * moved):
            continue
        if best is None or left < best[0]:
            best = (left, share, name, mapped)
    if best is None:
        return None
    _, share, name, mapped = best
    low, high = float(x[int(0.001 * x.size)]), float(x[int(0.999 * (x.size - 1))])
    outside = np.isfinite(a) & ((a < low) | (a > high))
    marked = outside if outside.sum() >= 0.5 * share * y.size else np.isfinite(a)
    return (
        Clue(
            "unit_factor",
            f"feature:{column}",
            "unit",
            f"{column}: values after are {name} those before, in {share:.0%} of requests",
            0.95,
            None,
            share,
            where={"column": column, "op": "outside", "low": low, "high": high},
        ),
        np.zeros(b.size, bool),
        marked,
    )


def _in_other_units(x: Floats) -> list[tuple[str, Floats]]:
    """Sorted values as they would read in another unit, where no drift of who comes looks like it."""
    spread = float(np.subtract(*np.quantile(x, [0.9, 0.1])))
    out = [(name, np.sort(a * x + c)) for name, a, c in SCALES if abs(c) >= ZERO_LEAST * spread]
    if (x >= 0).all() and x[-1] > 0:
        out += [(f"x{k:g}", x * k) for k in POWERS] + [(f"1/{k:g} of", x / k) for k in POWERS]
    if (x > 0).all():
        out += [("the log of", np.log(x)), ("the log(1+x) of", np.log1p(x))]
    return out


def _transformed(column: str, b: Floats, a: Floats, told: bool) -> Found | None:
    """Whether a part of the values after is the values before under one map (a factor, or a shift and a scale).

    An odd scale is believed only where the comparison of the columns `told` of a change.
    """
    x, y = _usable(b), _usable(a)
    if min(x.size, y.size) < ROW_MIN or np.unique(x).size < 20:
        return None
    low, high = np.quantile(x, [0.001, 0.999])
    outside = np.isfinite(a) & ((a < low) | (a > high))
    share = outside.sum() / y.size
    spread = np.subtract(*np.quantile(x, [0.9, 0.1]))
    if spread <= 0:
        return None
    part, marked = (y, np.isfinite(a)) if share < 0.02 else (a[outside], outside)
    if part.size >= 50 and share >= 0.02 and share < 0.9:
        part, marked = a[outside], outside
    factor, label = _factor(x, part if share >= 0.02 else y)
    if label is None and share >= 0.02:
        factor, label = _factor(x, y)
        marked = np.isfinite(a)
    if label is None and not told:
        return None
    if label is None:
        qx, qy = (np.quantile(v, [0.1, 0.25, 0.5, 0.75, 0.9]) for v in (x, y))
        slope = (qy[-1] - qy[0]) / spread
        shift = (qy[2] - qx[2]) / spread
        if not (slope < 1 / SCALE_LEAST or slope > SCALE_LEAST) or abs(slope) < 1e-9:
            return None
        bent = np.abs(qy - (qy[2] + slope * (qx - qx[2]))).max() / max(abs(qy[-1] - qy[0]), 1e-12)
        if bent > 0.1:
            return None
        label, share_said = f"rescaled by {slope:.3g} (shift {shift:+.2g} spreads)", 1.0
        strength, signature = min(0.45 + 0.25 * abs(np.log(slope)), 0.9), "rescaled"
        return (
            Clue(
                "unit_factor",
                f"feature:{column}",
                signature,
                f"{column}: values are {label}",
                strength,
                None,
                share_said,
                where={"column": column, "op": "outside", "low": float(low), "high": float(high)},
            ),
            np.zeros(b.size, bool),
            np.isfinite(a),
        )
    said = marked.sum() / max(y.size, 1)
    strength = 0.95
    return (
        Clue(
            "unit_factor",
            f"feature:{column}",
            "unit",
            f"{column}: values after are {label} those before, in {said:.0%} of requests",
            strength,
            None,
            float(said),
            where={"column": column, "op": "outside", "low": float(low), "high": float(high)},
            facts={"factor": factor},
        ),
        np.zeros(b.size, bool),
        marked,
    )


def _factor(x: Floats, y: Floats) -> tuple[float, str | None]:
    """A known unit factor that maps the quantiles of x onto those of y, or log / exp."""
    q = [0.2, 0.35, 0.5, 0.65, 0.8]
    qx, qy = np.quantile(x, q), np.quantile(y, q)
    if (qx > 0).all() and (qy > 0).all():
        ratio = np.log(qy / qx)
        middle = float(np.median(ratio))
        width = max(float(np.log(qx[-1] / qx[0])), 0.1)
        if np.ptp(ratio) < 0.25 * width + 0.1:
            for f, label in UNIT_FACTORS.items():
                for sign, text in ((1, label), (-1, f"1/{label[1:]} of")):
                    sharp = f >= 5 or float(np.ptp(ratio)) < 0.06
                    if sharp and abs(middle - sign * np.log(f)) < (0.12 if f >= 5 else 0.03) and abs(middle) > 0.45:
                        return float(np.exp(middle)), text
            if abs(middle) > np.log(5.0):
                return float(np.exp(middle)), f"x{np.exp(middle):.3g}"
        for text, mapped in (("the log of", np.log(qx)), ("the log(1+x) of", np.log1p(qx))):
            if (
                np.ptp(qx) > 0
                and np.abs(qy - mapped).max() < 0.1 * np.ptp(mapped) + 1e-9
                and np.abs(qy - qx).max() > 0.5 * np.ptp(qx)
            ):
                return 0.0, text
    return 1.0, None


def _filled(column: str, b: Floats, a: Floats) -> Found | None:
    """Whether one value jumped in share where values used to vary: a default, a constant, a frozen feed."""
    x, y = _usable(b), _usable(a)
    if min(x.size, y.size) < ROW_MIN:
        return None
    value, count = np.unique(y, return_counts=True)
    top = int(np.argmax(count - np.interp(value, *_counts(x), left=0, right=0) * y.size / x.size))
    share_after = float(count[top]) / y.size
    share_before = float((x == value[top]).mean())
    gain = share_after - share_before
    z = rate_z(share_before * x.size, x.size, share_after * y.size, y.size)
    if gain < SPIKE_SHARE or share_before > SPIKE_RARE * share_after or z < 6:
        return None
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


def _out_of_range(column: str, b: Floats, a: Floats) -> Found | None:
    x, y = _usable(b), _usable(a)
    if min(x.size, y.size) < ROW_MIN or np.unique(x).size < 3:
        return None
    low, high = float(x.min()), float(x.max())
    margin = 0.05 * (high - low)
    outside = np.isfinite(a) & ((a < low - margin) | (a > high + margin))
    share = outside.sum() / y.size
    z = rate_z(0.5, x.size, float(outside.sum()), y.size)
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
