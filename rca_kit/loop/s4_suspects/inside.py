"""Features that moved in one segment only: there a fault shows whole that the mean over all traffic waters down."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

NO_CLUMPS: Mapping[str, float] = MappingProxyType({})
ROWS_LEAST = 200  # sampled rows of the segment a side
MOST_VALUES, MOST_KINDS = 30, 60  # values of a column that are looked into; values of a feature that are told apart
Z_LEAST = 6.0  # of the move inside: some thousand pairs of segment and feature are looked at
OUTSIDE_MOST = 0.25  # part of the move inside that the rest may have moved as well
TOGETHER = 16  # features summed by one product: few enough to stay small, enough to read the masks seldom
SHARPER = 1.25  # times the move that a second condition must show to be worth it
PAIR_Z = 0.8  # ... with as much of the evidence left


@dataclass(frozen=True)
class Inside:
    """One feature that moved in one segment: the segment, its sampled rows before and after, and how clearly it moved."""

    where: dict[str, str]
    before: Mask
    after: Mask
    z: float

    def __str__(self) -> str:
        return " and ".join(f"{k} = {v}" for k, v in self.where.items())


def moved_inside(
    before: pl.DataFrame, after: pl.DataFrame, features: Sequence[str], segments: Sequence[str],
    clumps: Mapping[str, float] = NO_CLUMPS,
) -> dict[str, Inside]:
    """Find, for each feature, the segment that it moved in while it held still in the rest; features without one are left out.

    Numbers are compared by rank (place and spread, as Mann and Whitney 1947 and Ansari and Bradley 1960 do) and by what is
    missing, categories by the shares of their values. `clumps` tells how many rows count for one, by feature.
    """
    both = pl.concat([before, after], how="vertical_relaxed")
    side = np.arange(both.height) >= before.height
    masks = dict(_values(both, side, segments))
    if not masks:
        return {}
    keys = list(masks)
    inside = np.array([masks[k] for k in keys])
    halves = np.concatenate([inside & ~side, inside & side]).astype(float)  # rows of each mask before, then after
    out = {}
    for feature, measures, z, effect in _each(both, features, halves, side, keys):
        best = int(np.argmax(z))
        if z[best] < Z_LEAST * np.sqrt(clumps.get(feature, 1.0)):
            continue
        where, mask, top, size = [keys[best]], inside[best], z[best], effect[best]
        for key, other in masks.items():
            if key[0] in (where[0][0], feature):
                continue
            pair = inside[best] & other
            if min(int((pair & side).sum()), int((pair & ~side).sum())) < ROWS_LEAST:
                continue
            two = np.array([pair & ~side, pair & side]).astype(float)
            (pair_z,), (pair_effect,) = _strongest(measures, *_sums(measures, two), two.sum(1), side, np.array([True]))
            if pair_effect >= SHARPER * size and pair_z >= PAIR_Z * top:
                where, mask, top, size = [keys[best], key], pair, pair_z, pair_effect
        out[feature] = Inside(dict(where), mask[: before.height], mask[before.height :], float(top))
    return out


def _each(
    both: pl.DataFrame, features: Sequence[str], halves: Floats, side: Mask, keys: Sequence[tuple[str, str]]
) -> Iterator[tuple[str, Floats, Floats, Floats]]:
    """Each feature with its measures, and evidence and size of its strongest move inside each mask."""
    n = halves.sum(1)
    for first in range(0, len(features), TOGETHER):
        some = {f: _measures(both[f]) for f in features[first : first + TOGETHER]}
        sums, squares = _sums(np.concatenate(list(some.values()), axis=1), halves)
        at = 0
        for feature, measures in some.items():
            own = slice(at, at := at + measures.shape[1])
            able = np.array([k[0] != feature for k in keys])
            yield feature, measures, *_strongest(measures, sums[:, own], squares[:, own], n, side, able)


def _sums(measures: Floats, halves: Floats) -> tuple[Floats, Floats]:
    """Sums and sums of squares of the measures inside each half mask."""
    return halves @ measures, halves @ measures**2


def _values(both: pl.DataFrame, side: Mask, segments: Sequence[str]) -> Iterator[tuple[tuple[str, str], Mask]]:
    """Masks of the common values of each column of segments."""
    for column in segments:
        text = both[column].cast(pl.String)
        common = text.drop_nulls().value_counts(name="rk_n").sort(["rk_n", column], descending=[True, False])
        for value in common[column].head(MOST_VALUES).to_list():
            mask = (text == value).fill_null(False).to_numpy()
            if min(int((mask & side).sum()), int((mask & ~side).sum())) >= ROWS_LEAST:
                yield (column, value), mask


def _measures(s: pl.Series) -> Floats:
    """What a feature is compared by: columns of shape (rows, measures), each of about unit spread."""
    missing = s.is_null().to_numpy().astype(float)
    if (s.dtype.is_numeric() and not s.dtype.is_integer()) or (s.dtype.is_integer() and s.n_unique() > MOST_KINDS):
        rank = s.cast(pl.Float64).fill_nan(None).rank("average").to_numpy().astype(float)
        known = np.isfinite(rank)
        place = np.where(known, rank / max(known.sum(), 1) - 0.5, 0.0) * np.sqrt(12.0)
        spread = np.where(known, np.abs(place) - np.sqrt(3.0) / 2, 0.0) * 2
        return np.column_stack([place, spread, missing])
    text = s.cast(pl.String)
    kinds = text.drop_nulls().value_counts(name="rk_n").sort(["rk_n", s.name], descending=[True, False])
    common = kinds[s.name].head(MOST_KINDS).to_list()
    return np.column_stack([missing, *((text == v).fill_null(False).to_numpy().astype(float) for v in common)])


def _strongest(
    measures: Floats, sums: Floats, squares: Floats, n: Floats, side: Mask, able: Mask
) -> tuple[Floats, Floats]:
    """Evidence and size of the strongest move inside each mask, shape (masks,); 0 where the rest moved too.

    `sums`, `squares` and the number of rows `n` have each mask's rows before in their first half, those after in the second.
    """
    few = len(n) // 2
    mean, square = sums / n[:, None], squares / n[:, None]
    noise = np.maximum(square - mean**2, 0.0) / n[:, None]
    change = mean[few:] - mean[:few]
    # a share that was 0 in all rows has no spread of its own: one row more or less is the least noise there is
    error = np.maximum(np.sqrt(noise[:few] + noise[few:]), (1.0 / np.sqrt(n[:few] * n[few:]))[:, None])
    totals = np.array([measures[~side].sum(0), measures[side].sum(0)])
    rows = np.array([(~side).sum(), side.sum()])
    left = np.maximum(rows[:, None] - n.reshape(2, few), 1.0)
    rest = (totals[1] - sums[few:]) / left[1][:, None] - (totals[0] - sums[:few]) / left[0][:, None]
    z, size = np.abs(change) / error, np.abs(change)
    each, at = np.arange(few), z.argmax(1)
    alone = np.abs(rest[each, at]) <= OUTSIDE_MOST * size[each, at]
    return np.where(alone & able, z[each, at], 0.0), size[each, at]
