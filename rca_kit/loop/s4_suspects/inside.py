"""Features that moved in one segment only: there a fault shows whole that the mean over all traffic waters down."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

ROWS_LEAST = 200  # sampled rows of the segment a side
MOST_VALUES, MOST_KINDS = 30, 60  # values of a column that are looked into; values of a feature that are told apart
Z_LEAST = 6.0  # of the move inside: some thousand pairs of segment and feature are looked at
OUTSIDE_MOST = 0.25  # part of the move inside that the rest may have moved as well
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
    before: pl.DataFrame, after: pl.DataFrame, features: Sequence[str], segments: Sequence[str]
) -> dict[str, Inside]:
    """Find, for each feature, the segment that it moved in while it held still in the rest; features without one are left out.

    Numbers are compared by rank (place and spread, as Mann and Whitney 1947 and Ansari and Bradley 1960 do) and by what is
    missing, categories by the shares of their values.
    """
    both = pl.concat([before, after], how="vertical_relaxed")
    side = np.arange(both.height) >= before.height
    masks = dict(_values(both, side, segments))
    out = {}
    for feature in features:
        measures = _measures(both[feature])
        told = (_told(measures, mask, side) for mask in _but(masks, feature))
        found = max((x for x in told if x is not None), key=lambda x: x[0], default=None)
        if found is None:
            continue
        z, effect, mask = found
        keys = [k for k, m in masks.items() if m is mask]
        for key, other in masks.items():
            if key[0] in (keys[0][0], feature):
                continue
            pair = mask & other
            if min(int((pair & side).sum()), int((pair & ~side).sum())) < ROWS_LEAST:
                continue
            sharper = _told(measures, pair, side)
            if sharper is not None and sharper[1] >= SHARPER * effect and sharper[0] >= PAIR_Z * z:
                (z, effect, mask), keys = sharper, [keys[0], key]
        out[feature] = Inside(dict(keys), mask[: before.height], mask[before.height :], z)
    return out


def _but(masks: dict[tuple[str, str], Mask], feature: str) -> Iterator[Mask]:
    return (m for (column, _), m in masks.items() if column != feature)


def _values(both: pl.DataFrame, side: Mask, segments: Sequence[str]) -> Iterator[tuple[tuple[str, str], Mask]]:
    """Masks of the common values of each column of segments."""
    for column in segments:
        text = both[column].cast(pl.String)
        common = text.drop_nulls().value_counts(sort=True, name="n").sort(["n", column], descending=[True, False])
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
    kinds = text.drop_nulls().value_counts(sort=True, name="n").sort(["n", s.name], descending=[True, False])
    common = kinds[s.name].head(MOST_KINDS).to_list()
    return np.column_stack([missing, *((text == v).fill_null(False).to_numpy().astype(float) for v in common)])


def _told(measures: Floats, mask: Mask, side: Mask) -> tuple[float, float, Mask] | None:
    """Evidence and size of the strongest move inside a mask; None where it is weak or the rest moved too."""
    inside, z = _moves(measures, mask, side)
    j = int(np.argmax(np.abs(z)))
    if abs(z[j]) < Z_LEAST:
        return None
    outside, _ = _moves(measures[:, j : j + 1], ~mask, side)
    if abs(outside[0]) > OUTSIDE_MOST * abs(inside[j]):
        return None
    return float(abs(z[j])), float(abs(inside[j])), mask


def _moves(measures: Floats, mask: Mask, side: Mask) -> tuple[Floats, Floats]:
    """Change of each measure's mean inside a mask, and its z (Welch)."""
    b, a = measures[mask & ~side], measures[mask & side]
    change = a.mean(0) - b.mean(0)
    error = np.sqrt(b.var(0) / len(b) + a.var(0) / len(a) + 1e-12)
    # a share that was 0 in all rows has no spread of its own: one row more or less is the least noise there is
    return change, change / np.maximum(error, 1.0 / np.sqrt(len(b) * len(a)))
