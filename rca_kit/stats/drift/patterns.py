"""What kind of change it is: another unit, renamed or permuted categories, a value that froze."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from rca_kit.stats.drift.distances import chi_square
from rca_kit.stats.drift.spelling import blotted, plain_form, readings
from rca_kit.stats.drift.types import OTHER, ColumnStats, Floats, cell_middles

# Factors that appear when a unit changes; each is tried both ways.
FACTORS = {
    1000.0: "thousand (milli, kilo, ms and s)", 1e6: "million (micro, mega)", 100.0: "hundred (cents, percent)", 10.0: "ten",
    60.0: "sixty (seconds, minutes)", 3600.0: "3600 (seconds, hours)", 24.0: "24 (hours, days)", 1024.0: "1024 (KiB)",
    1.609344: "miles and km", 2.54: "inches and cm", 0.45359237: "pounds and kg", 0.3048: "feet and m",
}
LOGS: tuple[tuple[str, Callable[[Floats], Floats]], ...] = (("log", np.log), ("log1p", np.log1p), ("log10", np.log10))
CLOSE = 0.15  # of a standard deviation, and of the spread: how well the moments must fit to name a factor
FROZEN_REPEATS = 0.5  # rise of the share of rows equal to the row before that is called frozen
CLEAR = 25.0  # chi-square per degree of freedom above which permuted codes are looked for
MANY_LABELS = 100  # a rename is looked for among at most this many new values


def unit_factor(before: ColumnStats, after: ColumnStats) -> str | None:
    """Name the factor, logarithm, standardisation or sign by which after's mean and spread are before's.

    Exact moments where known; the logarithm's from before's histogram.

    Examples
    --------
    >>> b = ColumnStats.number("x", [1.0, 2.0, 3.0], [10, 20, 20, 10], minimum=0.5, maximum=4.0)
    >>> a = ColumnStats.number("x", [1.0, 2.0, 3.0], [0, 0, 0, 60], sums=np.array([60 * 2078.0]), squares=np.array([60 * 5.2e6]),
    ...                        minimum=500.0, maximum=4000.0)
    >>> unit_factor(b, a)
    'x1000'
    """
    m, s, n, t = before.mean, before.spread, after.mean, after.spread
    if m is None or n is None or not s or not t or before.valid < 30 or after.valid < 30:
        return None
    if _fits(m, s, n, t):
        return None
    for factor in FACTORS:
        for f in (factor, 1 / factor):
            if _fits(m * f, s * f, n, t) and (abs(m) > s / 4 or f > 1.5 or f < 0.67):
                return f"x{f:.4g}"
    if abs(m) > s and _fits(-m, s, n, t):
        return "x-1"
    if before.minimum is not None and before.minimum >= 0 and before.edges is not None:
        weights = before.counts.sum(0) / before.valid
        middles = cell_middles(before.edges, before.minimum, before.maximum)
        for name, function in LOGS:
            if name != "log1p" and before.minimum <= 0:
                continue
            values = function(np.maximum(middles, before.minimum))
            mean = float(weights @ values)
            if _fits(mean, float(np.sqrt(max(weights @ (values - mean) ** 2, 0.0))), n, t):
                return name
    if (abs(m) > s or abs(s - 1) > CLOSE) and abs(n) < CLOSE and abs(t - 1) < CLOSE:
        return "standardised"
    return None


def _fits(mean: float, spread: float, found_mean: float, found_spread: float) -> bool:
    return spread > 0 and abs(found_mean - mean) <= CLOSE * spread and abs(np.log(found_spread / spread)) <= CLOSE


def renamed(labels: tuple[str, ...], before: Floats, after: Floats) -> tuple[tuple[str, str], ...]:
    """Find values that vanished and came back under another spelling ("iOS" -> "ios").

    Parameters
    ----------
    labels : tuple of str
    before, after : array, shape (labels,)
        Rows of each.

    Examples
    --------
    >>> renamed(("iOS", "android", "ios"), np.array([50.0, 50.0, 0.0]), np.array([0.0, 48.0, 52.0]))
    (('iOS', 'ios'),)
    >>> renamed(("Süd", "SÃ¼d"), np.array([50.0, 0.0]), np.array([0.0, 52.0]))
    (('Süd', 'SÃ¼d'),)
    """
    gone, new = _turned_over(labels, before, after)
    forms: dict[str, list[str]] = {}
    for i in gone:
        forms.setdefault(plain_form(labels[i]), []).append(labels[i])
    pairs = []
    for i in new[:MANY_LABELS]:
        label = labels[i]
        old = [name for form in dict.fromkeys(map(plain_form, readings(label))) for name in forms.get(form, ())]
        old = old or [labels[j] for j in gone if blotted(labels[j], label)]
        if len(old) == 1:
            pairs.append((old[0], label))
    return tuple(pairs)


def _turned_over(labels: tuple[str, ...], before: Floats, after: Floats) -> tuple[list[int], list[int]]:
    """Values of which nearly all, or nearly none, of the rows are before: the change may not be sharp at the boundary."""
    p, q = before / max(before.sum(), 1.0), after / max(after.sum(), 1.0)
    named = [i for i, x in enumerate(labels) if x != OTHER]
    gone = [i for i in named if before[i] > 0 and q[i] <= 0.5 * p[i]]
    new = sorted((i for i in named if after[i] > 0 and p[i] <= 0.5 * q[i]), key=lambda i: -after[i])
    return gone, new


def new_and_vanished(labels: tuple[str, ...], before: Floats, after: Floats) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Values seen on one side only, though as frequent as there they would hardly be missed on the other (3 rows expected).

    Examples
    --------
    >>> new_and_vanished(("a", "b", "c"), np.array([90.0, 10.0, 0.0]), np.array([80.0, 0.0, 20.0]))
    (('c',), ('b',))
    """
    n, m = max(before.sum(), 1.0), max(after.sum(), 1.0)
    named = np.array([x != OTHER for x in labels], bool)
    new = sorted(np.flatnonzero(named & (before == 0) & (after * n / m >= 3)), key=lambda i: -after[i])
    vanished = sorted(np.flatnonzero(named & (after == 0) & (before * m / n >= 3)), key=lambda i: -before[i])
    return tuple(labels[i] for i in new), tuple(labels[i] for i in vanished)


def permuted(labels: tuple[str, ...], before: Floats, after: Floats) -> tuple[tuple[str, str], ...]:
    """Find codes that swapped meaning: the same shares on other labels. Empty unless the permutation explains all.

    Examples
    --------
    >>> permuted(("0", "1", "2"), np.array([700.0, 200.0, 100.0]), np.array([100.0, 690.0, 210.0]))
    (('0', '1'), ('1', '2'), ('2', '0'))
    """
    if not 2 < len(labels) <= MANY_LABELS or before.sum() <= 0 or after.sum() <= 0:
        return ()
    statistic, dof = chi_square(before, after)
    if dof == 0 or statistic < CLEAR * dof:
        return ()
    left, right = np.argsort(-before, kind="stable"), np.argsort(-after, kind="stable")
    rest, _ = chi_square(before[left], after[right])
    if rest > 3 * dof:
        return ()
    return tuple((labels[i], labels[j]) for i, j in zip(left, right, strict=True) if i != j)


def stuck(before: ColumnStats, after: ColumnStats) -> tuple[str, ...]:
    """Flag a column that turned constant or froze (each row repeats the one before).

    Examples
    --------
    >>> before = ColumnStats.category("x", ("a", "b"), [5, 5], distinct=2.0)
    >>> stuck(before, ColumnStats.category("x", ("a", "b"), [0, 9], distinct=1.0))
    ('constant',)
    """
    flags = []
    varied = before.distinct is None or before.distinct > 1
    if after.distinct is not None and after.distinct <= 1 and after.valid > 1 and varied and before.valid > 1:
        flags.append("constant")
    elif before.repeats is not None and after.repeats is not None and after.repeats - before.repeats > FROZEN_REPEATS:
        flags.append("frozen")
    return tuple(flags)
