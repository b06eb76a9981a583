"""Requests with a value that was not there before: whether the scores are right about them, and as sure as they may be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from rca_kit.loop.s4_suspects.clue import Clue
from rca_kit.loop.s4_suspects.room import Room, numbers, row_loss
from rca_kit.loop.s4_suspects.signatures import is_arm
from rca_kit.loop.s4_suspects.spread import ARM_Z, of_one_kind
from rca_kit.loop.s4_suspects.units import ROW_MIN
from rca_kit.stats.excess import excess_loss
from rca_kit.stats.rates import Z95, mean_gap

HELD = 0.9  # part of the requests with one value that must have one value of a segment for them to have come there
# part of their share by which the segment's share must have risen with them; part of this by which it may have without them
ON_TOP, WITHOUT = 0.5, 0.25


def of_newcomers(room: Room, column: str, rows: NDArray[np.bool_]) -> dict[str, float]:
    """Facts of the requests after that have a new value: `amiss` and `misfit`, with their z."""
    return amiss(room, rows) | misfit(room, column, rows)


def amiss(room: Room, rows: NDArray[np.bool_]) -> dict[str, float]:
    """How far scores are off in some rows after beyond all others at the same time, in standard deviations, and its z.

    Who was not there before may have other labels, but a model that knows what it is told of them has no other bias.
    """
    c = room.columns
    if c.score is None or c.label is None or room.picture.aggregates.plan.label_kind == "class":
        return {}
    off = numbers(room.after, c.score) - numbers(room.after, c.label, c.positive.get(c.label))
    here, rest = off[rows & np.isfinite(off)], off[~rows & np.isfinite(off)]
    if min(here.size, rest.size) < ROW_MIN or not rest.std() > 0:
        return {}
    gap, error = mean_gap(here, rest)
    return {"amiss": abs(gap) / float(rest.std()), "amiss_z": abs(gap) / error}


def misfit(room: Room, column: str, rows: NDArray[np.bool_]) -> dict[str, float]:
    """How much worse the answers to some rows after are than to all others with the same scores: part of their loss, and its z.

    Beyond what the values that were there differ by: `most` is the largest part that one of these has.
    """
    c = room.columns
    if c.score is None or c.label is None:
        return {}
    was, now = (row_loss(f, c, room.picture.aggregates.plan, "", "quality") for f in (room.before, room.after))
    if was is None or now is None:
        return {}
    scores = [numbers(f, c.score) for f in (room.before, room.after)]
    values = [f[column].cast(pl.String).fill_null("").to_numpy().astype(str) for f in (room.before, room.after)]
    loss, score = (np.concatenate([b, a[~rows]]) for b, a in ((was, now), scores))
    found = excess_loss(loss, score, np.concatenate([values[0], values[1][~rows]]), now[rows], scores[1][rows])
    return {} if found is None else {"misfit": found.part, "misfit_z": found.z, "misfit_most": found.most}


def brought(room: Room, clue: Clue, rows: NDArray[np.bool_]) -> Clue:
    """A value filled in, told as those who brought it where its rows came on top of the others in one value of a segment.

    A value that is filled in takes the place of others: without its rows the segment would have fewer requests than before. Here
    it has as many, and with them more: scripts ask so, all with the same number.
    """
    if clue.signature != "default" or not rows.any():
        return clue
    for segment in room.columns.segments:
        if segment == room.columns.model_version or not {segment} <= set(room.before.columns) & set(room.after.columns):
            continue
        before, after = (f[segment].cast(pl.String).fill_null("").to_numpy().astype(str) for f in (room.before, room.after))
        values, counts = np.unique(after[rows], return_counts=True)
        value = values[int(np.argmax(counts))]
        if counts.max() < HELD * rows.sum() or (after == value).mean() > HELD:
            continue
        was, now, others = (float((x == value).mean()) for x in (before, after, after[~rows]))
        error = float(np.sqrt(was * (1 - was) * (1 / before.size + 1 / max((~rows).sum(), 1))))
        if now - was >= ON_TOP * float(rows.mean()) and abs(others - was) <= max(WITHOUT * (now - was), Z95 * error):
            text = f"{clue.says}, all of them requests that came on top of the others in {segment} = {value}"
            where = {"column": segment, "op": "in", "values": [value], "grown": True}
            return replace(clue, subject="traffic", signature="segment_surge", says=text, where=where)
    return clue


def worst_arm(room: Room, column: str, arms: list[str]) -> tuple[float, str] | None:
    """The worst of some arms, and by how many standard errors the answers there are worse than in all others at the same time.

    Said only where the lot made them alike: no segment has other shares there than in the others.
    """
    c, value = room.columns, room.after[column].cast(pl.String)
    loss = row_loss(room.after, c, room.picture.aggregates.plan, "", "quality") if c.label is not None else None
    if loss is None:
        return None
    known, found = pl.Series(np.isfinite(loss)), []
    for arm in arms:
        mine, others = (known & told.fill_null(False) for told in (value == arm, value != arm))
        if min(mine.sum(), others.sum()) < ROW_MIN:  # who is in no arm is like a control
            others = known & ~mine
        kinds = [s for s in c.segments if s not in (column, c.model_version)]
        enough = min(mine.sum(), others.sum()) >= ROW_MIN
        if enough and (not kinds or of_one_kind(room.after.filter(mine), room.after.filter(others), kinds)):
            gap, error = mean_gap(loss[mine.to_numpy()], loss[others.to_numpy()])
            found.append((gap / error if error > 0 else 0.0, arm))
    return max(found, default=None)


def opened(
    room: Room, column: str, arm: str, shares: tuple[float, float], strength: float, onset: int | None
) -> Clue | None:
    """An arm that is given more requests than before and does worse than the others at the same time; None for what is none."""
    worst = worst_arm(room, column, [arm]) if is_arm(column) else None
    if worst is None or worst[0] < ARM_Z:
        return None
    text = f"{column} = {arm}: {shares[0]:.1%} -> {shares[1]:.1%} of requests"
    text += f"; answers there are worse than in the others by {worst[0]:.1f} standard errors"
    where, more = {"column": column, "op": "in", "values": [arm]}, shares[1] - shares[0]
    return Clue("mix", "routing", "rerouted", text, strength, onset, more, None, where, {"beside_z": worst[0]})
