"""The segment whose requests got worse far beyond all others, and what its labels say of the world."""

from __future__ import annotations

import numpy as np
import polars as pl

from rca_kit.loop.s4_suspects.inside import MOST_VALUES, Inside
from rca_kit.loop.s4_suspects.room import Room, numbers
from rca_kit.stats.labelshift import world_or_labels

FOLLOW_ROWS = 500  # labelled rows a side that tell what labels follow
WORST_Z = 6.0  # by which a segment must have got worse than all: every value of every segment is looked at
# groups of like scores; labelled rows a side that fill them; standard errors by which a segment is worse, to be looked at alone
GROUPS, ODDS_ROWS, ODDS_Z = 10, 200, 4.0
WORLD_CLEAR = 5.0  # nats by which moved odds must explain labels better than any fault of theirs: 150 to one


def worst_segment(room: Room, least: int = FOLLOW_ROWS, clear: float = WORST_Z) -> Inside | None:
    """The segment whose requests got worse by the main metric far beyond all others; None without one.

    It has `least` labelled rows a side, and is worse by `clear` standard errors.
    """
    before, after = room.loss(room.before), room.loss(room.after)
    if before is None or after is None:
        return None
    whole = float(np.nanmean(after) - np.nanmean(before)) if np.isfinite(before).any() and np.isfinite(after).any() else 0.0
    best: Inside | None = None
    for column in (s for s in room.columns.segments if s != room.columns.model_version):
        was, now = (f[column].cast(pl.String) for f in (room.before, room.after))
        common = now.drop_nulls().value_counts(name="rk_n").sort(["rk_n", column], descending=[True, False])
        for value in common[column].head(MOST_VALUES).to_list():
            masks = [(t == value).fill_null(False).to_numpy() for t in (was, now)]
            x, y = before[masks[0] & np.isfinite(before)], after[masks[1] & np.isfinite(after)]
            if min(x.size, y.size) < least:
                continue
            error = float(np.sqrt(x.var() / x.size + y.var() / y.size))
            z = float(y.mean() - x.mean() - whole) / max(error, 1e-12)
            if z >= clear and (best is None or z > best.z):
                best = Inside({column: value}, masks[0], masks[1], z)
    return best


def odds_moved(room: Room) -> bool:
    """Whether the odds of a positive label moved alike for all scores, where it got worst: then the world changed.

    Lost, added and exchanged labels change the rates of low and high scores otherwise. The converse does not hold: people may
    change their minds in any way.
    """
    c = room.columns
    if c.label is None or c.score is None or room.picture.aggregates.plan.label_kind != "binary":
        return False
    here = worst_segment(room, ODDS_ROWS, ODDS_Z)
    sides = []
    frames = (room.before, room.after)
    for rows in frames if here is None else (frames[0].filter(here.before), frames[1].filter(here.after)):
        score, label = numbers(rows, c.score), numbers(rows, c.label, c.positive.get(c.label))
        ok = np.isfinite(score) & np.isfinite(label)
        sides.append((score[ok], label[ok]))
    (was, before), (now, after) = sides
    if min(before.size, after.size) < ODDS_ROWS:
        return False
    edges = np.unique(np.quantile(was, np.linspace(0, 1, GROUPS + 1)[1:-1]))
    groups = [np.searchsorted(edges, s, side="right") for s in (was, now)]
    (n0, k0), (n1, k1) = (
        [np.asarray(np.bincount(g, w, edges.size + 1), float) for w in (np.ones(y.size), y)]
        for g, y in zip(groups, (before, after), strict=True)
    )
    return world_or_labels((k0 + 0.5) / (n0 + 1), k1, n1) >= WORLD_CLEAR
