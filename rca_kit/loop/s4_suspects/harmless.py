"""What looks corrupted and harms nobody: a name, a scale or a range that no score heeds, or that the truth bears out."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
from numpy.typing import NDArray

from rca_kit.loop.s4_suspects.clocks import between_groups
from rca_kit.loop.s4_suspects.clue import Clue
from rca_kit.loop.s4_suspects.room import Floats, Room, numbers, row_loss
from rca_kit.stats.rates import Z95

APART = 0.5  # part of the requests with another unit whose values must be unheard of, for these to stand for them
BORNE_ROWS, BORNE_OUT = 100, 0.25  # labelled rows a side; deviations by which their losses may be larger, with 95 % confidence
AMONG = (0.05, 0.95)  # quantiles between which a value is like the others
KNOWN_VALUE = 0.01  # share before from which a value is one of the column's own
# part of its share on the other side that a new name may have had, as some hours lie on the edge; that an old one may keep
NEW, GONE = 0.1, 0.3
SAME_SCORES = 0.15  # standard deviations by which the mean score of requests with a new name may differ, with 95 % confidence
RECALIBRATED = 0.98  # share of requests from which another scale is one for all
MOST_ROWS = 0.5  # ... and from which it may be on its way there: where no score heeds the input, no harm
# part of the rarer decision by which the share of positives would differ had the cut stayed; part of that by which it may
OTHER_RATE, SAME_RATE = 0.5, 0.1
IDLE_ROWS, IDLE_BINS, IDLE_TIMES = 2000, 10, 3.0  # rows that tell it; groups of like value; times chance that they may explain
IDLE_KINDS, IDLE_CLASSES = 60, 5  # values of a column that are told apart; classes of answer looked at
OF_VALUES = ("range", "default", "frozen", "unit", "clipped", "coarse", "permuted")  # signatures of what values an input has
ELSEWHERE = 0.25  # stability index from which most of the values lie elsewhere
FITS_Z = 3.0  # standard errors by which the bias may have changed otherwise than the scores
STAYED_BEHIND = 20.0  # times likelier that the truth stayed than that it went with the scores: by chance once in 140 drifts
STAYED_SURELY = 1e4  # ... from which no world changed, and nobody else came


def recalibrated(room: Room, clue: Clue) -> bool:
    """Whether an input has another scale (in a smaller part of the requests it is a mistake), and nobody minds.

    No score heeds it; or it has it in all requests and the truth went along with the scores: then what it measures has grown.
    """
    if clue.signature != "unit" or (clue.share or 0.0) < MOST_ROWS:
        return False
    told = alone_or_along(room) if (clue.share or 0.0) >= RECALIBRATED else None
    return (told is not None and told <= -math.log(STAYED_BEHIND)) or idle(room, clue.subject.partition(":")[2])


def in_name_only(room: Room, clue: Clue) -> bool:
    """Whether some values have other names and the scores of their requests are those of before: no model heeds the name.

    Or the scores may differ a little, and are as right as they were. Where most values of a column do, it is no name that
    somebody changed, but how all of them are written.
    """
    column, score = clue.subject.partition(":")[2], room.columns.score
    if clue.signature != "renamed" or score is None or score == column or clue.facts.get("all_other"):
        return False
    if column not in room.columns.features:  # no model sees it
        return column in room.columns.segments
    if not {column, score} <= set(room.before.columns) & set(room.after.columns):
        return False
    renamed = _renamed_rows(room, column)
    if renamed is None:
        return False
    scores = [numbers(frame, score) for frame in (room.before, room.after)]
    return alike(*(y[rows & np.isfinite(y)] for y, rows in zip(scores, renamed, strict=True))) or _no_worse(room, renamed)


def _renamed_rows(room: Room, column: str) -> list[NDArray[np.bool_]] | None:
    """Rows before with names that are gone, and rows after with names that were not there; None where most names are."""
    out = []
    for frame, other, most in ((room.before, room.after, GONE), (room.after, room.before, NEW)):
        own, else_ = frame[column].cast(pl.String), other[column].cast(pl.String)
        counts = {v: n / own.len() for v, n in own.drop_nulls().value_counts(name="rk_n").iter_rows()}
        there = {v: n / else_.len() for v, n in else_.drop_nulls().value_counts(name="rk_n").iter_rows()}
        names = [v for v, part in counts.items() if there.get(v, 0.0) <= most * part]
        if len(names) > len(counts) / 2:
            return None
        out.append(own.is_in(names).fill_null(False).to_numpy())
    return out


def unheeded(room: Room, clue: Clue) -> bool:
    """Whether values of an input that no score heeded lie elsewhere, and their requests score like the others.

    A value that stands for a missing one was rare before, and lies apart from the others; any other is an answer like them. Where
    most values of the input lie elsewhere, or it went still, nothing has to be asked of the few that stand out.
    """
    where, score = clue.where or {}, room.columns.score
    column = str(where.get("column"))
    if clue.signature in OF_VALUES and score is not None and _moved_as_a_whole(room, clue):
        return True
    if clue.signature not in ("range", "default") or score is None or where.get("segment") or not idle(room, column):
        return False
    x, was = numbers(room.after, column), numbers(room.before, column)
    if where.get("op") == "outside":
        marked = (x < where["low"]) | (x > where["high"])
    elif where.get("op") == "equal" and _of_its_own(was, where["value"]):
        marked = x == where["value"]
    else:
        return False
    y = numbers(room.after, score)
    return alike(y[marked & np.isfinite(y)], y[~marked & np.isfinite(y)])


def _moved_as_a_whole(room: Room, clue: Clue) -> bool:
    """Whether most values of an input that no score heeded lie elsewhere, none of them unheard of, and scores are as before."""
    column, where, score = clue.subject.removeprefix("feature:"), clue.where or {}, room.columns.score or ""
    change = room.compared.get(column)
    if change is None or not change.changed or (change.psi or 0.0) < ELSEWHERE or not idle(room, column):
        return False
    was = numbers(room.before, column)
    if clue.signature == "default" and not (where.get("op") == "equal" and np.nanmin(was) <= where["value"] <= np.nanmax(was)):
        return False
    sides = [numbers(frame, score) for frame in (room.before, room.after)]
    return alike(*(y[np.isfinite(y)] for y in sides))


def _of_its_own(was: Floats, value: float) -> bool:
    """Whether a value is one of the column's own: many requests had it, or it lies among those that most had."""
    low, high = np.nanquantile(was, AMONG)
    return float((was == value).mean()) >= KNOWN_VALUE or (bool((was == value).any()) and bool(low < value < high))


def borne_out(room: Room, clue: Clue) -> bool:
    """Whether labels bear out values that lie elsewhere: the requests that hold them are answered no worse than others before.

    Asked of values out of range and of conversions that a drift may pass for; x 1000 is a mistake however little it hurts.
    """
    c, where = room.columns, clue.where or {}
    odd = clue.signature == "range" or (clue.signature == "unit" and clue.facts.get("odd"))
    if not odd or where.get("op") != "outside" or c.label is None or c.score is None:
        return False
    rows = []
    for frame in (room.before, room.after):
        inside = np.ones(frame.height, bool)
        for name, value in where.get("segment", {}).items():
            inside &= (frame[name].cast(pl.String) == value).fill_null(False).to_numpy()
        if frame is room.after:
            x = numbers(frame, where["column"])
            outside = (x < where["low"]) | (x > where["high"])
            # who has less than before lies among the others
            apart = clue.signature == "range" or (not where.get("segment") and outside.mean() >= APART * (clue.share or 0.0))
            inside &= outside if apart else np.isfinite(x)
        rows.append(inside)
    return _no_worse(room, rows)


def _no_worse(room: Room, rows: list[NDArray[np.bool_]]) -> bool:
    """Whether labels say that rows after are answered no worse than rows before, with 95 % confidence."""
    sides = []
    for frame, inside in zip((room.before, room.after), rows, strict=True):
        loss = row_loss(frame, room.columns, room.picture.aggregates.plan, "", "quality") if room.columns.label else None
        if loss is None:
            return False
        sides.append(loss[inside & np.isfinite(loss)])
    b, a = sides
    if min(a.size, b.size) < BORNE_ROWS or not b.std() > 0 or _off(room, rows):
        return False
    worse = (float(a.mean() - b.mean()) + Z95 * float(np.sqrt(a.var() / a.size + b.var() / b.size))) / float(b.std())
    return worse <= BORNE_OUT


def _off(room: Room, rows: list[NDArray[np.bool_]]) -> bool:
    """Whether scores of rows after surely lie off the truth by more than `SAME_SCORES` deviations, counted from rows before."""
    c, plan = room.columns, room.picture.aggregates.plan
    if c.score is None or c.label is None or not (plan.score_is_probability or plan.label_kind == "number"):
        return False
    gaps = []
    for frame, inside in zip((room.before, room.after), rows, strict=True):
        gap = numbers(frame, c.score) - numbers(frame, c.label, c.positive.get(c.label))
        gaps.append(gap[inside & np.isfinite(gap)])
    b, a = gaps
    if min(a.size, b.size) < BORNE_ROWS:
        return False
    spread, error = float(np.nanstd(numbers(room.before, c.score))), float(np.sqrt(a.var() / a.size + b.var() / b.size))
    return abs(float(a.mean() - b.mean())) - Z95 * error > SAME_SCORES * spread


def alone_or_along(room: Room) -> float | None:
    """Log of how much likelier it is that the scores moved alone than that the truth went along; None where it is not told."""
    score, bias = room.readings.get("score_mean"), room.readings.get("bias")
    if score is None or bias is None or not score.moved or not score.change or bias.change is None or bias.interval is None:
        return None
    error = (bias.interval[1] - bias.interval[0]) / (2 * Z95)
    return float((bias.change**2 - (bias.change - score.change) ** 2) / (2 * error**2)) if error > 0 else None


def truth_stayed(room: Room) -> bool:
    """Whether only the scores moved, and labels are surely what they were."""
    told = alone_or_along(room)
    return told is not None and told >= math.log(STAYED_SURELY) and alone_fits(room)


def alone_fits(room: Room) -> bool:
    """Whether the bias changed as far as the scores did: half of it is neither theirs alone nor the world's."""
    score, bias = room.readings.get("score_mean"), room.readings.get("bias")
    if score is None or bias is None or not score.change or bias.change is None or bias.interval is None:
        return False
    error = (bias.interval[1] - bias.interval[0]) / (2 * Z95)
    return abs(bias.change - score.change) <= FITS_Z * error


def idle(room: Room, column: str) -> bool:
    """Whether answers did not depend on a column before: groups of like value explain no more of their variance than chance."""
    answers = _answers(room)
    if not answers or column not in room.before.columns or column == room.columns.score:
        return False
    values = room.before[column]
    if not values.dtype.is_numeric() and values.n_unique() > IDLE_KINDS:  # texts have no order to group them by
        return False
    code = values.rank("dense").fill_null(0).to_numpy()
    group = np.searchsorted(np.quantile(code, np.linspace(0, 1, IDLE_BINS + 1)[1:-1]), code, side="right")

    def by_chance(y: Floats) -> bool:
        ok = np.isfinite(y)
        if ok.sum() < IDLE_ROWS or y[ok].std() == 0:
            return False
        return between_groups(y[ok], group[ok]) <= IDLE_TIMES * max(np.unique(group[ok]).size - 1, 1) / float(ok.sum())

    return all(map(by_chance, answers))


def _answers(room: Room) -> list[Floats]:
    """What was answered to the requests before: the score; of a choice among classes, whether it was each of the common ones."""
    c = room.columns
    if c.score is None or c.score not in room.before.columns:
        return []
    answers = [numbers(room.before, c.score)]
    if c.task == "multiclass" and c.decision in room.before.columns:
        chosen = room.before[c.decision].cast(pl.String)
        common = chosen.drop_nulls().value_counts(name="rk_n").sort(["rk_n", c.decision], descending=[True, False])
        answers += [(chosen == v).fill_null(False).to_numpy().astype(float) for v in common[c.decision].head(IDLE_CLASSES)]
    return answers


def alike(a: Floats, b: Floats) -> bool:
    """Whether the means of two sets of scores differ by no more than `SAME_SCORES` standard deviations, with 95 % confidence."""
    if min(a.size, b.size) < 2 or not (spread := float(np.concatenate([a, b]).std())) > 0:
        return False
    return abs(float(a.mean() - b.mean())) / spread + Z95 * float(np.sqrt(1 / a.size + 1 / b.size)) <= SAME_SCORES


def cut_along(room: Room, clue: Clue) -> bool:
    """Whether decisions are cut elsewhere because the scores have another scale: as many are positive as before.

    Had the cut stayed, many more or fewer would be.
    """
    score, rate = room.columns.score, room.readings.get("positive_rate")
    if clue.signature != "threshold" or score is None or rate is None or rate.before is None or rate.after is None:
        return False
    was, kept = (float(np.mean(numbers(frame, score) >= clue.facts.get("from", np.nan))) for frame in (room.before, room.after))
    gap = abs(kept - was)
    return gap >= OTHER_RATE * min(was, 1 - was) and abs(rate.after - rate.before) <= SAME_RATE * gap


HARMLESS = (recalibrated, in_name_only, unheeded, borne_out, cut_along)  # what looks corrupted, and nobody minds
