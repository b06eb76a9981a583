"""Whether values read as those of before in another unit: all of them, a part, or on an odd scale."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from rca_kit.loop.s4_suspects.clue import Clue

Floats = NDArray[np.float64]
Found = tuple[Clue, NDArray[np.bool_], NDArray[np.bool_]]
"""A clue with the rows of before and of after that show it."""

ROW_MIN = 200  # sampled rows a side needed to speak of shares of a few per cent
FEW_AFTER = 50  # rows after from which a share of them that never was so before is clear; its noise is counted
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
# scales with another zero: name, slope, shift, and what thermometers read on the scale of before, out of doors and in machines
SCALES = (
    ("in Fahrenheit instead of Celsius,", 1.8, 32.0, (-60.0, 120.0)),
    ("in Celsius instead of Fahrenheit,", 5 / 9, -160 / 9, (-76.0, 250.0)),
    ("in Kelvin instead of Celsius,", 1.0, 273.15, (-60.0, 120.0)),
    ("in Celsius instead of Kelvin,", 1.0, -273.15, (213.0, 393.0)),
)
THERMAL = re.compile(r"(?<![^\W_\d])temp(?:erat\w*)?(?![^\W_\d])|°|celsius|fahrenheit|kelvin")  # names of what may be hotter
NOT_STANDARD = 0.5  # mean, or distance of the standard deviation from 1, from which values are not standardised yet
ZERO_LEAST = 0.1  # spreads by which the zero of such a scale must lie elsewhere: 32 more is nothing to a price in thousands
POWERS = (10.0, 12.0, 24.0, 60.0, 100.0, 1000.0, 1024.0, 3600.0, 1e6)  # far enough apart that no drift passes for one
FAR_OUT = 30.0  # times from which no drift makes values larger or smaller, whatever the factor: decimals that are read as digits
ROUND = 0.05  # log by which a fitted factor may differ from a power that units differ by
KS_95 = 1.36  # critical value of the two-sample Kolmogorov-Smirnov distance at 5 %, for large samples
MOVED_LEAST = 2.5  # times that value, from which the distance is worth a look: dozens of columns and units are tried
CONVERTED_LEAST, UNEXPLAINED = 0.03, 0.1  # share of converted requests; part of the distance that may stay unexplained
LOGS = ("the log of", "the log(1+x) of")
SMALL_PART, SURELY_MOVED = 0.5, 5.0  # logs that lie among the other values: in a part of the requests, a drift looks like them
SCALE_LEAST = 1.35  # below this a change of scale may as well be a change of population


def usable(x: Floats) -> Floats:
    """Values that are there and finite."""
    return x[np.isfinite(x)]


def converted(column: str, b: Floats, a: Floats, clump: float = 1.0) -> Found | None:
    """Whether the values after are a mixture of those before and of those before in another unit.

    A unit that changes for some requests only (a rollout, one client) leaves two populations; their shares are fitted by least
    squares on the distribution functions, and what the mixture leaves unexplained must be small. `clump` rows count for one.
    """
    x, y = usable(b), usable(a)
    if x.size < ROW_MIN or y.size < FEW_AFTER or np.unique(x).size < 20:
        return None
    x, y = np.sort(x), np.sort(y)
    noise = KS_95 * float(np.sqrt(clump / x.size + clump / y.size))
    both = np.concatenate([x, y])
    apart = np.searchsorted(y, both, side="right") / y.size - np.searchsorted(x, both, side="right") / x.size
    if np.abs(apart).max() < MOVED_LEAST * noise:  # as alike as two draws of one
        return None
    best: tuple[float, float, str, Floats] | None = None
    for name, mapped in _in_other_units(x, THERMAL.search(column.lower()) is not None):
        at = np.quantile(np.concatenate([x, mapped, y]), np.linspace(0.01, 0.99, 99))
        was, other, now = (np.searchsorted(v, at, side="right") / v.size for v in (x, mapped, y))
        apart = other - was
        share = float(np.clip((now - was) @ apart / max(float(apart @ apart), 1e-12), 0.0, 1.0))
        left = float(np.abs(now - was - share * apart).max())
        moved = float(np.abs(now - was).max())
        if share < CONVERTED_LEAST or moved < MOVED_LEAST * noise or left > max(noise, UNEXPLAINED * moved):
            continue
        among = x[int(0.01 * x.size)] <= float(np.median(mapped)) <= x[int(0.99 * (x.size - 1))]
        if name in LOGS and among and share < SMALL_PART and moved < SURELY_MOVED * noise:
            continue
        if best is None or left < best[0]:
            best = (left, share, name, mapped)
    if best is None:
        return None
    _, share, name, mapped = best
    odd = any(name == s[0] for s in SCALES) and THERMAL.search(column.lower()) is None  # a drift may pass for one
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
            facts={"odd": float(odd)},
        ),
        np.zeros(b.size, bool),
        marked,
    )


def unit_apart(x: Floats, y: Floats) -> str | None:
    """The unit factor by which alone two groups of positive values differ; None where they are alike, or differ by more or less.

    Whoever differs by nature differs in shape too, or by no factor that units differ by.
    """
    x, y = (np.sort(v[v > 0]) for v in (usable(x), usable(y)))
    if min(x.size, y.size) < ROW_MIN or np.unique(x).size < 20:
        return None
    at = np.linspace(0.1, 0.9, 9)
    factor = float(np.exp(np.median(np.log(np.quantile(y, at) / np.quantile(x, at)))))
    known = {text: f**sign for f, label in UNIT_FACTORS.items() for sign, text in ((1, label), (-1, f"1/{label[1:]} of"))}
    name = min(known, key=lambda t: abs(np.log(factor / known[t])))
    noise = KS_95 * float(np.sqrt(1 / x.size + 1 / y.size))
    if abs(np.log(factor / known[name])) > ROUND or distance(x, y) < SURELY_MOVED * noise or distance(x, y / factor) > noise:
        return None
    return name


def distance(x: Floats, y: Floats) -> float:
    """Two-sample Kolmogorov-Smirnov distance of sorted values."""
    at = np.concatenate([x, y])
    return float(np.abs(np.searchsorted(x, at, side="right") / x.size - np.searchsorted(y, at, side="right") / y.size).max())


def _in_other_units(x: Floats, thermal: bool) -> list[tuple[str, Floats]]:
    """Sorted values as they would read in another unit, where no drift of who comes looks like it."""
    low, high = np.quantile(x, [0.01, 0.99])
    spread = float(np.subtract(*np.quantile(x, [0.9, 0.1])))
    degrees = [s for s in SCALES if thermal or (s[3][0] <= low and high <= s[3][1])]
    out = [(name, np.sort(a * x + c)) for name, a, c, _ in degrees if abs(c) >= ZERO_LEAST * spread]
    mean, deviation = float(np.clip(x, low, high).mean()), float(np.clip(x, low, high).std())
    if deviation > 0 and max(abs(mean), abs(deviation - 1)) >= NOT_STANDARD:
        out.append(("standardised:", (x - mean) / deviation))
    if (x >= 0).all() and x[-1] > 0:
        out += [(f"x{k:g}", x * k) for k in POWERS] + [(f"1/{k:g} of", x / k) for k in POWERS]
    if (x > 0).all():
        out += list(zip(LOGS, (np.log(x), np.log1p(x)), strict=True))
    return out


def transformed(column: str, b: Floats, a: Floats, told: bool) -> Found | None:
    """Whether a part of the values after is the values before under one map (a factor, or a shift and a scale).

    An odd scale is believed only where the comparison of the columns `told` of a change.
    """
    x, y = usable(b), usable(a)
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
        strength, signature = float(min(0.45 + 0.25 * abs(np.log(slope)), 0.9)), "rescaled"
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
            facts={"factor": factor, "odd": float(factor > 0 and not _round(factor) and abs(np.log(factor)) < np.log(FAR_OUT))},
        ),
        np.zeros(b.size, bool),
        marked,
    )


def _round(factor: float) -> bool:
    """Whether a factor is, within a few per cent, one that units or number formats differ by and no drift grows by."""
    return any(abs(abs(np.log(factor)) - np.log(p)) < ROUND for p in POWERS)


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
