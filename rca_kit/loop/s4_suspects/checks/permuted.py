"""Values that changed places: at once, little by little, in one segment, or while others came and labels bear witness."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import chdtrc

from rca_kit.loop.s4_suspects.clue import Clue
from rca_kit.loop.s4_suspects.inside import OUTSIDE_MOST, ROWS_LEAST, Inside
from rca_kit.loop.s4_suspects.room import Room, numbers

# of a permutation: share of requests whose value must have moved; part of it, or times the noise, by which the sorted shares may
# differ; and times that by which it must have moved, so that no drift ends there by chance
PERMUTED_LEAST, PERMUTED_LEFT, PERMUTED_NOISE, PERMUTED_CLEAR = 0.1, 0.05, 1.5, 4.0
# of a permutation under way: number of values (fewer can go few ways, more too many), chi-square per value that must have moved,
# least part of the way, least probability of what is left, and the strength: one drift in ten goes that way by chance
PARTLY_VALUES, PARTLY_CLEAR, PARTLY_LEAST, PARTLY_FITS, PARTLY_STRENGTH = (4, 6), 10.0, 0.2, 0.1, 0.7
# of a permutation that labels bear witness of: values it needs; part of it by which the sorted shares may differ; and part of the
# labels' movement that may be left when each value is held against the one whose place it took
PERMUTED_VALUES, PERMUTED_ROUGHLY, WENT_ALONG = 3, 0.25, 0.25
LABELS_STAYED = 4.0  # chi-square a value up to which its labels are its own still
# of values with others' labels in one segment: labels each needs a side, values told apart, part of the differences between their
# own labels that may be left, and features that may have moved there: who is new differs in most
LABELS_OF_VALUE, MOST_VALUES, STILL_OWN, TOGETHER_MOST = 30, 30, 0.75, 3
SEEN_BEFORE = 0.005  # share of requests before up to which those with a value were not there
LABELS_KEPT = 10.0  # chi-square by which labels must fit the values' own rather than those whose place they took: e^5 to one


def permuted_with_labels(room: Room, column: str, nb: dict[str, int], na: dict[str, int]) -> Clue | None:
    """The same shares under other values, roughly, and the labels of each value went with its share.

    Who comes changes a little from day to day, and the shares do not end exactly where others were. Then the labels tell: under
    a drift each value keeps the mean of its own labels, under a permutation it has that of the value whose place it took. Both
    are measured by chi-square over the values.
    """
    c, values = room.columns, sorted(nb)
    if c.label is None or len(values) < PERMUTED_VALUES or set(na) != set(nb):
        return None
    tb, ta = sum(nb.values()), sum(na.values())
    p, q = np.array([nb[v] / tb for v in values]), np.array([na[v] / ta for v in values])
    moved, left = 0.5 * np.abs(p - q).sum(), 0.5 * np.abs(np.sort(p) - np.sort(q)).sum()
    was = whose_place(nb, na)
    if moved <= PERMUTED_LEAST or left > PERMUTED_ROUGHLY * moved:
        return None
    sides = [_means(f, column, values, numbers(f, c.label, c.positive.get(c.label))) for f in (room.before, room.after)]
    (mb, eb), (ma, ea) = sides
    stayed, went = ((ma - mb) ** 2 / (ea + eb)), ((ma - mb[was]) ** 2 / (ea + eb[was]))
    if not np.isfinite(stayed).all() or stayed.sum() < PARTLY_CLEAR * len(values) or went.sum() > WENT_ALONG * stayed.sum():
        return None
    goes = ", ".join(f"{values[w]} -> {values[i]}" for i, w in enumerate(was) if i != w)
    says = f"{column}: the values have swapped places ({goes}): their shares did, and the labels with them"
    return Clue("permuted_codes", f"feature:{column}", "permuted", says, 0.8, None, float(moved))


def kept_labels(room: Room, column: str, nb: dict[str, int], was: NDArray[np.int64], part: float = 1.0) -> bool:
    """Whether labels bear witness against a permutation that shares show: each value kept its own, and not those it would have.

    `was` is whose place each value, in order, would have taken; `part` of the requests have changed.
    """
    c, values = room.columns, sorted(nb)
    if c.label is None:
        return False
    sides = [_means(f, column, values, numbers(f, c.label, c.positive.get(c.label))) for f in (room.before, room.after)]
    (mb, eb), (ma, ea) = sides
    own = np.array([nb[v] for v in values], float) * (1 - part)
    came = np.array([nb[v] for v in values], float)[was] * part
    would = (own * mb + came * mb[was]) / np.maximum(own + came, 1e-12)
    stayed, went = ((ma - mb) ** 2 / (ea + eb)), ((ma - would) ** 2 / (ea + eb[was]))
    if not (np.isfinite(stayed).all() and np.isfinite(went).all()) or stayed.sum() > LABELS_STAYED * len(values):
        return False  # labels that fit neither, as clicks on what is shown to whom, bear no witness
    return bool(went.sum() - stayed.sum() >= LABELS_KEPT)


def whose_place(nb: dict[str, int], na: dict[str, int]) -> NDArray[np.int64]:
    """Whose place each value, in order, took if the shares before are those after under other values."""
    values = sorted(nb)
    was = np.empty(len(values), np.int64)
    was[np.argsort([na.get(v, 0) for v in values], kind="stable")] = np.argsort([nb[v] for v in values], kind="stable")
    return was


def _means(frame: pl.DataFrame, column: str, values: list[str], y: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Mean of y by value of a column, and its squared standard error; NaN where fewer than two rows have it."""
    told = pl.DataFrame({"value": frame[column].cast(pl.String), "y": y}).filter(pl.col("y").is_finite())
    by = told.group_by("value").agg(m=pl.col("y").mean(), v=pl.col("y").var() / pl.len())
    rows = {str(v): (m, e) for v, m, e in by.iter_rows()}
    both = np.array([rows.get(v, (np.nan, np.nan)) for v in values], float)
    return both[:, 0], both[:, 1]


def permuted_partly(room: Room, column: str, nb: dict[str, int], na: dict[str, int]) -> Clue | None:
    """The shares on their way to a permutation of what was, where a change comes on as caches are filled anew.

    With shares p before, a part w of the requests whose values have changed places by a permutation P brings p + w (Pp - p): a
    few of all directions in which shares can move. How well the best one fits is told by chi-square on what is left.
    """
    onset, values = room.picture.onset, sorted(nb)
    if onset is None or not onset.gradual or not PARTLY_VALUES[0] <= len(values) <= PARTLY_VALUES[1] or set(na) - set(nb):
        return None
    tb, ta = sum(nb.values()), sum(na.values())
    p, q = np.array([nb[v] / tb for v in values]), np.array([na.get(v, 0) / ta for v in values])
    noise = (p + q) / 2 * (1 / tb + 1 / ta)
    if ((q - p) ** 2 / noise).sum() < PARTLY_CLEAR * len(values):
        return None
    ways = np.array(list(permutations(range(len(values)))))[1:]
    way = p[ways] - p
    part = np.clip((way * (q - p) / noise).sum(1) / np.maximum((way**2 / noise).sum(1), 1e-12), 0.0, 1.0)
    left = ((q - p - part[:, None] * way) ** 2 / noise).sum(1)
    best = int(np.argmin(left))
    if part[best] < PARTLY_LEAST or chdtrc(len(values) - 2, left[best]) < PARTLY_FITS:
        return None
    if kept_labels(room, column, nb, ways[best], float(part[best])):
        return None
    goes = ", ".join(f"{values[j]} -> {values[i]}" for i, j in enumerate(ways[best]) if i != j)
    says = f"{column}: the values' shares swap places ({goes}), {part[best]:.0%} of the way so far"
    return Clue("permuted_codes", f"feature:{column}", "permuted", says, PARTLY_STRENGTH, None, float(0.5 * np.abs(q - p).sum()))


def permuted(column: str, nb: dict[str, int], na: dict[str, int]) -> Clue | None:
    """The same shares under other values: a drift that ends in a permutation of what was is no accident."""
    values = sorted(nb)
    tb, ta = max(sum(nb.values()), 1), max(sum(na.values()), 1)
    p, q = np.array([nb[v] / tb for v in values]), np.array([na.get(v, 0) / ta for v in values])
    moved = 0.5 * np.abs(p - q).sum()
    same_set = 0.5 * np.abs(np.sort(p) - np.sort(q)).sum()
    noise = float(np.sqrt(p * (1 - p) * (1 / tb + 1 / ta) / (2 * np.pi)).sum())  # mean distance of two samples of the same shares
    left = max(PERMUTED_LEFT * moved, PERMUTED_NOISE * noise)
    if len(values) >= 4 and moved > max(PERMUTED_LEAST, PERMUTED_CLEAR * left) and same_set < left:
        return Clue(
            "permuted_codes",
            f"feature:{column}",
            "permuted",
            f"{column}: the values' shares have swapped places ({moved:.0%} of requests changed value)",
            0.8,
            None,
            float(moved),
        )
    return None


def others_labels(room: Room, column: str, here: Inside) -> Clue | None:
    """Values that moved in one segment and have the labels of others there: whoever comes more often keeps the own ones.

    Labels that went up or down for all values alike tell of the world; here they are compared about their common step. A mixture
    of requests of other values has labels between theirs, and follows the old ones less, by weighted least squares.
    """
    c = room.columns
    if c.label is None or sum(other.where == here.where for other in room.inside.values()) > TOGETHER_MOST:
        return None
    frames = room.before.filter(here.before), room.after.filter(here.after)
    counts = counted(frames[0][column]), counted(frames[1][column])
    values = sorted(v for v, n in counts[0].items() if min(n, counts[1].get(v, 0)) >= LABELS_OF_VALUE)
    if not PERMUTED_VALUES <= len(values) <= MOST_VALUES:
        return None
    (mb, eb), (ma, ea) = (_means(f, column, values, numbers(f, c.label, c.positive.get(c.label))) for f in frames)
    noise = ea + eb
    if not (np.isfinite(noise).all() and (noise > 0).all()):
        return None
    weight = 1 / noise
    step = float((weight * (ma - mb)).sum() / weight.sum())
    apart = float((weight * (ma - mb - step) ** 2).sum())
    about = mb - float((weight * mb).sum() / weight.sum())
    part = float((weight * about * ma).sum() / max((weight * about**2).sum(), 1e-300))
    between = (ma >= mb.min() - 3 * np.sqrt(ea)).all() and (ma <= mb.max() + 3 * np.sqrt(ea)).all()
    if apart < PARTLY_CLEAR * len(values) or part > STILL_OWN or not between:
        return None
    i = int(np.argmax(np.abs(ma - mb - step) / np.sqrt(noise)))
    own = f"mean label of {values[i]!r} {mb[i]:.3g} -> {ma[i]:.3g}"
    says = f"{column}: its values have the labels of others ({own}), and other shares"
    return Clue("permuted_codes", f"feature:{column}", "permuted", says, 0.8, None, _apart(*counts))


def permuted_inside(room: Room, column: str) -> Clue | None:
    """Whether the values changed places in the one segment that a feature moved in: by their shares or their labels."""
    here = room.inside.get(column)
    if here is None:
        return None
    nb, na = counted(room.before[column].filter(here.before)), counted(room.after[column].filter(here.after))
    clue = permuted(column, nb, na) or others_labels(room, column, here)
    if clue is None:
        return None
    share = (clue.share or 0.0) * float(here.after.mean())
    where = {"column": column, "op": "segment", "segment": here.where}
    harm = room.harm(np.zeros(room.before.height, bool), here.after)
    return replace(clue, says=f"in {here}, {clue.says}", share=share, where=where, harm=harm)


def permuted_among_new(room: Room, column: str) -> Clue | None:
    """Whether the values changed places for those of one segment who were not there before: a new client with other codes.

    They are held against all before; the others must have held still.
    """
    nb = counted(room.before[column])
    for name in room.columns.segments:
        if name == column or name not in room.after.columns:
            continue
        had = counted(room.before[name])
        for value, n in sorted(counted(room.after[name]).items()):
            if n < ROWS_LEAST or had.get(value, 0) > SEEN_BEFORE * room.before.height:
                continue
            hit = (room.after[name].cast(pl.String) == value).fill_null(False)
            mask = hit.to_numpy()
            na, rest = counted(room.after.filter(hit)[column]), counted(room.after.filter(~hit)[column])
            clue = permuted(column, nb, na) or permuted_with_labels(replace(room, after=room.after.filter(hit)), column, nb, na)
            if clue is not None and _apart(nb, rest) <= OUTSIDE_MOST * (clue.share or 0.0):
                where = {"column": column, "op": "segment", "segment": {name: value}}
                harm = room.harm(np.zeros(room.before.height, bool), mask)
                share = (clue.share or 0.0) * float(mask.mean())
                return replace(clue, says=f"in {name} = {value}, {clue.says}", share=share, where=where, harm=harm)
    return None


def counted(s: pl.Series) -> dict[str, int]:
    """Rows by value as text, most first, and then by name: the same order each time."""
    values = s.drop_nulls().cast(pl.String).alias("value")
    table = values.value_counts(name="rows").sort(["rows", "value"], descending=[True, False])
    return {str(k): int(n) for k, n in table.iter_rows()}


def _apart(p: dict[str, int], q: dict[str, int]) -> float:
    """Total variation between the shares of two counts; 1 where one has no rows."""
    m, n = sum(p.values()), sum(q.values())
    return 0.5 * sum(abs(p.get(v, 0) / m - q.get(v, 0) / n) for v in {*p, *q}) if m and n else 1.0
