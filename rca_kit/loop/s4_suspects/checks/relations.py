"""Checks of what goes together: features with each other, and labels with features."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from rca_kit.loop.s4_suspects.checks.concept import FOLLOWED, OF_ANSWERS, SAME_LABELS, labels_told, no_guests
from rca_kit.loop.s4_suspects.checks.model import INPUT_MOVED
from rca_kit.loop.s4_suspects.checks.own_values import world_odds
from rca_kit.loop.s4_suspects.clue import Clue, Outcome
from rca_kit.loop.s4_suspects.inside import Inside
from rca_kit.loop.s4_suspects.room import Room, as_clues, numbers
from rca_kit.loop.s4_suspects.surrogate import LINK_Z, Encoder, Link, broken_links, followed
from rca_kit.loop.s4_suspects.worst import FOLLOW_ROWS, worst_segment

Floats = NDArray[np.float64]

# labels follow a feature less: z of what is lost, part left at most; median part of the other features
LOST_Z, STILL_FOLLOWED, HOLD = 5.0, 0.75, (0.75, 1.35)
# where labels say how good an answer was, they fall with it: then z of what is lost, and part left at most
CLEARLY_LOST = (10.0, 0.5)
WORLD = 0.5  # log odds from which the world changed and not the values of a feature, which is half as common again
TURNED = 0.5  # part of a relation that is there the other way round, from which it is no chance
LOOSE = 0.5  # correlation under which two features go together a little only: a drift of one may wash it out
MIX_PSI = 0.1  # population stability index of a category from which its mix has moved
LABELS_LEAST, CODES_MOST = 30, 30  # labels of a value that make a mean; values of a category that are told apart


def relations(room: Room) -> Outcome:
    """Features that no longer go with the others: stale or shuffled values keep their distribution and lose their relations."""
    title, names = "Relations between features", [n for n in room.columns.features if n not in room.clocks]
    if len(names) < 3:
        return Outcome("relation", title, "data", "seconds", not_applicable="needs at least three features")
    clues = [
        Clue(
            "relation",
            f"feature:{link.column}",
            "stale",
            f"{link.column} no longer goes with {link.partner}: r {link.before:+.2f} -> {link.after:+.2f}",
            float(link.z / (link.z + 6)),
            facts={"z": link.z},
        )
        for link in broken_links(Encoder.fit(room.before, names), room.before, room.after)
        if not _partner_moved(room, link.partner) and not _others_came(room, link.column) and not _drifted(room, link)
        and link.z >= LINK_Z * np.sqrt(max(room.clumps.get(link.column, 1.0), room.clumps.get(link.partner, 1.0)))
    ]
    known = {clue.subject for clue in clues}
    here = worst_segment(room) if _asked(room) else None
    aged = (unfollowed(room, names, here) if here is not None else []) or unfollowed(room, names)  # undiluted first
    clues += [c for c in aged if c.subject not in known]
    return Outcome("relation", title, "data", "seconds", as_clues(clues), "features go together as before")


def unfollowed(room: Room, names: list[str], here: Inside | None = None) -> list[Clue]:
    """Features that labels no longer follow while they follow the others as before, in all rows or in those of one segment.

    Values of another hour, or of somebody else, keep their distribution and lose what they told. When the world moves, or labels
    are wrong, labels follow everything less.
    """
    if room.columns.label is None or not _asked(room):
        return []
    moved = {n for n, change in room.compared.items() if change.changed and abs(change.effect) >= INPUT_MOVED}
    moved |= {n for n, inside in room.inside.items() if here is not None and inside.where == here.where}
    keep = no_guests(room)
    after = room.after.filter(pl.Series(keep if here is None else keep & here.after))
    frames = (room.before if here is None else room.before.filter(here.before), after)
    yb, ya = labels_told(room, frames)
    if yb.shape[1] == 1:
        frames = labels_for_values(frames, [n for n in names if n not in moved], yb[:, 0])
    quiet = [n for n in names if frames[0].schema[n].is_numeric() and n not in moved]
    if len(quiet) < 3:
        return []
    xb, xa = (np.column_stack([numbers(f, n) for n in quiet]) for f in frames)
    rows = [int(np.isfinite(y).all(1).sum()) for y in (yb, ya)]
    if min(rows) < FOLLOW_ROWS or not yb.shape[1]:
        return []
    risen = np.nanmean(ya, 0) - np.nanmean(yb, 0)
    calm = yb.shape[1] == 1 and here is None and not moved and "bias" in room.readings  # else others came
    bias = room.readings["bias"].change if calm else None
    if bias is not None and abs(bias) < abs(float(risen[0])):  # as far as the scores went with them it is the weather's
        ya, risen = ya - (risen + bias), np.array([-bias])
    levels = np.abs(risen) / np.maximum(np.nanstd(yb, 0), 1e-12)
    stayed = levels.max() <= max(SAME_LABELS, 3 * np.sqrt(1 / rows[0] + 1 / rows[1]))
    if not stayed and room.columns.task not in OF_ANSWERS:  # what is served does not move the truth
        return []
    slopes = followed(xb, yb, xa, ya)
    told = slopes.z >= FOLLOWED
    least, most = (LOST_Z, STILL_FOLLOWED) if stayed else CLEARLY_LOST
    less = told & (slopes.lost >= least) & (slopes.part <= most)
    rest = told & ~less
    if not less.any() or less.sum() > rest.sum() or not HOLD[0] <= float(np.median(slopes.part[rest])) <= HOLD[1]:
        return []
    out, of_world = [], room.columns.task not in OF_ANSWERS and yb.shape[1] == 1
    start = "" if here is None else f"in {here}, "
    where = None if here is None else {"op": "segment", "segment": here.where}
    turned = bool((slopes.part[less] < -TURNED).any())  # a world that turned one relation round may have undone another
    for i in np.flatnonzero(less):
        name, part, strength = quiet[i], float(slopes.part[i]), float(slopes.lost[i] / (slopes.lost[i] + 3))
        if part < -TURNED:
            says = f"{start}labels follow {name} the other way round, as no values of other requests do: the world changed"
            out.append(Clue("concept", "population", "concept", says, strength, where=where, facts={"labels": 1.0, "part": part}))
            continue
        says = f"{start}labels follow {name} {max(part, 0):.0%} as much as before, the other features as before"
        error = (1 - part) / float(slopes.lost[i])
        odds = world_odds(frames, name, [n for n in names if n != name], (yb[:, 0], ya[:, 0]) if of_world else None, part, error)
        facts = {"labels": 1.0, "part": part, "world_odds": odds}
        if odds >= WORLD or turned:
            as_ever = f"its values are those of their requests as ever: the world changed (odds {np.exp(min(odds, 7.0)):.2g})"
            says += f"; {as_ever if odds >= WORLD else 'and another the other way round: the world changed'}"
            out.append(Clue("concept", "population", "concept", says, strength, facts=facts))
        else:
            own = where and where | {"column": name}
            out.append(Clue("relation", f"feature:{name}", "stale", says, strength, where=own, facts=facts))
    return out


def labels_for_values(
    frames: tuple[pl.DataFrame, pl.DataFrame], names: list[str], y: Floats
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Put the mean label before in the place of each value of the categories among the columns, so that labels can follow them.

    A value with too few labels tells nothing and becomes missing; a column of names that hardly repeat stays as it is.
    """
    out = list(frames)
    for name in (n for n in names if not frames[0].schema[n].is_numeric() and not frames[0].schema[n].is_temporal()):
        told = pl.DataFrame({"value": frames[0][name].cast(pl.String), "y": y}).filter(pl.col("y").is_finite()).drop_nulls()
        means = told.group_by("value").agg(m=pl.col("y").mean(), n=pl.len()).filter(pl.col("n") >= LABELS_LEAST)
        if not 2 <= means.height <= CODES_MOST:
            continue
        known = dict(means.select("value", "m").iter_rows())
        code = pl.col(name).cast(pl.String).replace_strict(known, default=None, return_dtype=pl.Float64)
        out = [f.with_columns(code.alias(name)) for f in out]
    return out[0], out[1]


def _asked(room: Room) -> bool:
    """Whether quality moved, of all or in one segment."""
    return bool(room.moved("quality", "segment"))


def _partner_moved(room: Room, partner: str) -> bool:
    """Whether the other side of a broken relation moved itself; stale values of one column leave the others as they were."""
    move = room.picture.moves.get(f"mean:{partner}")
    return move is not None and move.moved


def _drifted(room: Room, link: Link) -> bool:
    """Whether the numbers themselves lie elsewhere now, and went along a little only: stale values keep their distribution.

    In all requests, or in those of one segment.
    """
    change = room.compared.get(link.column)
    moved = (change is not None and (change.psi or 0.0) >= MIX_PSI) or link.column in room.inside
    return room.before.schema[link.column].is_numeric() and moved and abs(link.before) < LOOSE


def _others_came(room: Room, column: str) -> bool:
    """Whether other categories came in number: those who are new go with other things; stale values keep their shares."""
    change = room.compared.get(column)
    return change is not None and not room.before.schema[column].is_numeric() and (change.psi or 0.0) >= MIX_PSI
