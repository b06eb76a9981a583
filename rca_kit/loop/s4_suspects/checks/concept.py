"""Check of what labels say of the same features: another world, labels of others, and what tells them apart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import chdtrc

from rca_kit.aggregates.plan import Columns
from rca_kit.loop.s4_suspects.checks.model import CLASSES_ASKED, INPUT_MOVED, inputs_moved
from rca_kit.loop.s4_suspects.clue import Clue, Outcome
from rca_kit.loop.s4_suspects.harmless import truth_stayed
from rca_kit.loop.s4_suspects.room import Room, numbers
from rca_kit.loop.s4_suspects.surrogate import fit_gap, followed
from rca_kit.loop.s4_suspects.worst import FOLLOW_ROWS, odds_moved

Floats = NDArray[np.float64]

RARE_LABEL, RARE_Z = 0.2, 4.0  # rate of labels of which a few more weigh much; standard errors by which they must then differ
SAME_LABELS = 0.1  # standard deviations, or three standard errors of them, by which labels may differ all the same
OF_ANSWERS = ("ranking", "text")  # tasks in which labels say how good an answer was
# standard errors from which labels moved by themselves, a little and surely; deviations it takes; what it tells of answers
APART_Z, APART_LEAST, HALF = (2.0, 4.0), 0.05, 0.5
FOLLOWED = 6.0  # z from which labels follow a feature
# features that labels follow; part of it that all must have lost, and in standard errors; probability from which all lost alike
THINNED_LEAST, THINNED, THINNED_Z, THINNED_FITS = 3, 0.15, 4.0, 0.01


def concept(room: Room) -> Outcome:
    """Whether the same features and scores now meet other labels, while the scorer stayed as it was."""
    title, c = "Labels for the same features", room.columns
    classes = room.picture.aggregates.plan.label_kind == "class"
    if c.label is None or (classes and c.decision is None) or len(c.features) < 2:
        return Outcome("concept", title, "external", "seconds", not_applicable="needs labels and features")
    if classes and room.moved("output"):  # a class that is wrong more often says nothing of the world when scores moved too
        return Outcome("concept", title, "external", "seconds", not_applicable="the scores moved, and right or wrong with them")
    y = [_agreed(f, c) if classes else numbers(f, c.label, c.positive.get(c.label)) for f in (room.before, room.after)]
    gap = fit_gap(room.before, room.after, c.features, y[0], y[1], extra=c.score)
    if gap is not None and gap.strength >= 0.3 and room.moved("output"):  # another score tells less, of the same world
        gap = fit_gap(room.before, room.after, c.features, y[0], y[1])
    if gap is None:
        return Outcome("concept", title, "external", "seconds", not_applicable="too few labelled rows before or after")
    text = (
        f"labels differ from what the same features meant before: error ratio {gap.ratio:.2f}, "
        f"bias {gap.shift:+.2f} s.d. (z {gap.z:+.1f})"
    )
    facts = {"ratio": gap.ratio, "shift": gap.shift, "z": gap.z}
    if gap.strength < 0.3:
        return Outcome("concept", title, "external", "seconds", clear=f"labels follow the features as before ({text})")
    if truth_stayed(room):
        return Outcome("concept", title, "external", "seconds", clear=f"only the scores moved, labels are as they were ({text})")
    less = followed_less(room)
    if less is not None:  # the world changes its mind about something; who has somebody else's label, about everything
        says = f"labels follow all features {less:.0%} as much as before, and are as many: they belong to others, or are noise"
        clues = [Clue("concept", "label", "labels_moved", says, gap.strength, facts=facts | {"part": less})]
        return Outcome("concept", title, "data", "seconds", tuple(clues))
    clues = [Clue("concept", "population", "concept", text, gap.strength, facts=facts)]
    if odds_moved(room):
        clues = [replace(clues[0], says=f"{text}; the odds of a positive moved alike for all scores")]
    elif room.business_calm and not room.moved("output") and not inputs_moved(room) and not _few_more(room, gap.z):
        calm = f"{text}, while scores and KPIs stayed"
        clues.append(Clue("concept", "label", "labels_moved", calm, gap.strength, facts=facts))
    return Outcome("concept", title, "external", "seconds", tuple(clues))


def truth_moved(room: Room, outcomes: tuple[Outcome, ...]) -> tuple[Outcome, ...]:
    """The outcomes, of which the sign of another world says so where labels moved by what the inputs that drifted do not tell.

    Wrong values of an input leave the truth alone: given the other inputs only, labels are what they were. Asked where an input
    moved and is not surely broken; where labels say how good an answer was they may fall with it, and tell half as much.
    """
    c = room.columns
    told = [k for o in outcomes for k in o.clues]
    world = next((k for k in told if k.signature == "concept" and k.subject == "population"), None)
    moved = {k.subject.partition(":")[2] for k in told if k.unsure}
    if world is None or not moved or c.label is None or room.picture.aggregates.plan.label_kind == "class":
        return outcomes
    keep = room.after.filter(pl.Series(no_guests(room)))
    was, now = (numbers(f, c.label, c.positive.get(c.label)) for f in (room.before, keep))
    rest = [f for f in c.features if f not in moved]
    gap = fit_gap(room.before, keep, rest, was, now) if len(rest) > 1 else None
    sure = 0.0 if gap is None else min((abs(gap.z) - APART_Z[0]) / (APART_Z[1] - APART_Z[0]), 1.0)
    if gap is None or sure <= 0 or abs(gap.shift) < APART_LEAST:
        return outcomes
    apart = sure * (HALF if c.task in OF_ANSWERS else 1.0)
    says = f"{world.says}; they moved whatever {', '.join(sorted(moved)[:2])} did (by {gap.shift:+.2f} s.d., z {gap.z:+.1f})"
    better = replace(world, says=says, facts={**world.facts, "apart": apart})
    return tuple(replace(o, clues=tuple(better if k is world else k for k in o.clues)) for o in outcomes)


def _few_more(room: Room, z: float) -> bool:
    """Whether labels are rare, and as many of them as chance brings explain all that differs."""
    c = room.columns
    if room.picture.aggregates.plan.label_kind != "binary" or abs(z) >= RARE_Z:
        return False
    rate = float(np.nanmean(numbers(room.before, c.label, c.positive.get(c.label or ""))))
    return min(rate, 1 - rate) < RARE_LABEL


def _agreed(frame: pl.DataFrame, c: Columns) -> Floats:
    """1 where a class decided is the class labelled, 0 where not, NaN where either is missing: classes have no other number."""
    return frame.select((pl.col(c.label or "").cast(pl.String) == pl.col(c.decision or "").cast(pl.String)).cast(pl.Float64))[
        c.label or ""
    ].fill_null(np.nan).to_numpy()


def labels_told(room: Room, frames: tuple[pl.DataFrame, pl.DataFrame]) -> list[Floats]:
    """Labels before and after as columns of numbers; of classes, for each of the commonest, whether it is this one."""
    c, label = room.columns, room.columns.label or ""
    if room.picture.aggregates.plan.label_kind != "class":
        return [numbers(f, label, c.positive.get(label))[:, None] for f in frames]
    sides = [f[label].cast(pl.String) for f in frames]
    counts = sides[0].drop_nulls().value_counts(name="rk_n").sort(["rk_n", label], descending=[True, False])
    common = counts[label].to_list()[: min(CLASSES_ASKED, counts.height - 1)]
    asked = [[(s == name).cast(pl.Float64).fill_null(np.nan).to_numpy().astype(float) for name in common] for s in sides]
    return [np.column_stack(columns) if columns else np.zeros((len(s), 0)) for columns, s in zip(asked, sides, strict=True)]


def no_guests(room: Room) -> NDArray[np.bool_]:
    """Rows after of which every segment is one that was there before: who is new may follow other rules, and nothing broke."""
    keep = np.ones(room.after.height, bool)
    for name in room.columns.segments:
        if name == room.columns.model_version or not {name} <= set(room.before.columns) & set(room.after.columns):
            continue
        known = room.before[name].cast(pl.String).unique()
        keep &= room.after[name].cast(pl.String).is_in(known.implode()).fill_null(True).to_numpy()
    return keep


def followed_less(room: Room) -> float | None:
    """Part to which labels follow all features alike, where that is clearly less than before; None where some as before.

    Labels of other requests, or drawn at random for a part of them, thin out every relation by one factor and leave their own
    shares alone. Tested by the chi-square of the parts about their common value.
    """
    c = room.columns
    moved = {n for n, change in room.compared.items() if change.changed and abs(change.effect) >= INPUT_MOVED}
    names = [n for n in c.features if room.before.schema[n].is_numeric() and n not in moved and n not in room.clocks]
    if len(names) < THINNED_LEAST or c.label is None or room.moved("output"):
        return None
    frames = (room.before, room.after.filter(pl.Series(no_guests(room))))
    xb, xa = (np.column_stack([numbers(f, n) for n in names]) for f in frames)
    yb, ya = labels_told(room, frames)
    rows = [int(np.isfinite(y).all(1).sum()) for y in (yb, ya)]
    if min(rows) < FOLLOW_ROWS or not yb.shape[1]:
        return None
    levels = np.abs(np.nanmean(ya, 0) - np.nanmean(yb, 0)) / np.maximum(np.nanstd(yb, 0), 1e-12)
    if levels.max() > max(SAME_LABELS, 3 * np.sqrt(1 / rows[0] + 1 / rows[1])):
        return None
    slopes = followed(xb, yb, xa, ya)
    told = (slopes.z >= FOLLOWED) & (slopes.lost != 0)
    part = slopes.part[told]
    if part.size < THINNED_LEAST:
        return None
    weight = (slopes.lost[told] / np.where(part == 1, np.inf, 1 - part)) ** 2  # of a part that much is lost, in standard errors
    if not weight.sum() > 0:
        return None
    common = float((weight * part).sum() / weight.sum())
    alike = chdtrc(part.size - 1, float((weight * (part - common) ** 2).sum())) >= THINNED_FITS
    clearly = 1 - common >= max(THINNED, THINNED_Z / np.sqrt(weight.sum()))
    return common if alike and clearly and common >= 0 else None
