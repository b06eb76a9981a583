"""The onset, looked at again in the rows that scope and leading suspect name: there it stands out most sharply."""

from __future__ import annotations

import math
from functools import reduce
from operator import or_
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl
from numpy.typing import NDArray

from rca_kit.aggregates.cube import BUCKET, Cube
from rca_kit.aggregates.grid import DAY_S, TimeGrid
from rca_kit.aggregates.rows import bucket
from rca_kit.findings.scope import Scope
from rca_kit.findings.symptom import Symptom
from rca_kit.loop.reading.anchor import calm_between, choose_anchor, told_earlier
from rca_kit.loop.reading.arrivals import as_known
from rca_kit.loop.reading.birth import birth
from rca_kit.loop.reading.detect import ALPHA_ALERT, OUTCOMES, Move, scan_all, together
from rca_kit.loop.reading.filling import rising_since
from rca_kit.loop.reading.onset import JointOnset, is_age, joint_onset, refresh_onset
from rca_kit.loop.reading.picture import Picture
from rca_kit.loop.reading.prepare import Prepared
from rca_kit.loop.reading.series import Series
from rca_kit.loop.s3_scope.conditions import where_expression
from rca_kit.loop.s3_scope.levels import series_inside
from rca_kit.loop.s3_scope.search import badness_where
from rca_kit.loop.s4_suspects import Outcome, Room, weigh_up
from rca_kit.loop.s4_suspects.clue import Clue
from rca_kit.loop.s4_suspects.hypotheses import Hypothesis
from rca_kit.loop.s4_suspects.ledger import charges
from rca_kit.loop.s4_suspects.signatures import GROUP
from rca_kit.loop.s4_suspects.verdict import CORRUPTION_LEAST, got_worse
from rca_kit.stats import metrics

Floats = NDArray[np.float64]

BREAKS = ("missing", "broken", "cut", "scorer", "text")  # groups of signatures whose marked rows are themselves the fault
NEWCOMERS = ("rerouted", "new_category")  # signatures of values that were not there before: an arm, a client
# strength, and part of the metric's change, from which any clue's rows may date it: what they carry is no older than they
SURE_MARK, ALL_HARM, LATER = 0.9, 0.9, 6 * 3600  # ... and seconds by which they may put it off
MARK_LEAST = 0.6  # strength of a clue from which its rows may date it
SAME_EVIDENCE = 0.8  # part of the whole's z that the rows in scope must keep for them to date it instead
CLEAR_MARK = 10.0  # z of a mark's own step from which it dates what broke, even before the outcome shows it
WIDE, NEXT_TO = 12, 0.1  # coarse buckets from which an onset is blurred; part of them by which the cause may lie beside
DATES = ("version", "missing", "cut")  # groups of signatures whose own onset is sharp
BLURRED = 2  # times the whole's interval from which the one of these rows adds nothing
FULL_SIGNS = ("error:memory", "error:down", "metric:restart", "metric:memory")  # of a memory that was full
FILLS = ("mem", "heap", "rss")  # in names of metrics of memory: a leak is the fault; a disk is none until it is full
MOST_OF_IT = 0.6  # of its way up that a memory must have gone before requests fail: load raises it a little every day
BLIND_DAY = 86400  # seconds by which the mark of a fault may lead the outcome it explains; labels and caches take hours


def dated_again(
    prepared: Prepared, picture: Picture, room: Room, outcomes: tuple[Outcome, ...], scope: Scope, found: Symptom
) -> JointOnset | None:
    """Date an incident again, now that its scope and its leading suspect are known.

    By the rows in scope and those that the suspect marks; by a refresh that did not come; where no outcome got worse, by when
    things were lost or corrupted; and what is still blurred by the suspect's own moment.

    Returns
    -------
    JointOnset or None
        None when they tell no more than the whole did.
    """
    accused = charges(weigh_up(room, outcomes, scope, found))
    leading = accused[0].best if accused else None
    again = by_rows(prepared, picture, room, outcomes, scope, leading)
    if leading is None:
        return again or (by_outcomes(picture, room) if picture.onset is None else None)
    for earlier in (by_age(picture, leading), by_filling(picture, room, outcomes)):
        if earlier is not None and (again is None or earlier.index < again.index):
            again = earlier
    named = by_suspect(picture, leading) if not got_worse(room) else None
    if named is not None and (again is None or not told_by_both(again, named, picture.grid)):
        again = named
    if picture.onset is None and again is None:
        again = by_outcomes(picture, room)
    blurred = again or picture.onset
    return (sharpened(picture, leading, blurred) if blurred is not None else None) or again


def _clearer_in_the_whole(picture: Picture, was: JointOnset, inside: Move) -> bool:
    """Whether an outcome of all requests, or a part that serves them, tells it more clearly than the rows said to be hit."""
    lead = picture.moves.get(was.lead)
    telling = (*OUTCOMES, "stage", "component")
    return lead is not None and lead.moved and lead.series.family in telling and abs(lead.fit.z) > abs(inside.fit.z)


def by_rows(
    prepared: Prepared, picture: Picture, room: Room, outcomes: tuple[Outcome, ...], scope: Scope, leading: Hypothesis | None
) -> JointOnset | None:
    """The onset by the rows in scope and by those that the leading suspect marks; None when these tell no more than the whole."""
    marks = _marks(room, outcomes, leading)
    if scope.is_global and not marks:
        return None
    frame = prepared.frame
    schema = dict(frame.collect_schema())
    if scope.segments:
        frame = frame.filter(reduce(or_, (where_expression(s.where, schema) for s in scope.segments)))
    inside = series_inside(frame, picture.aggregates.plan) if scope.segments else picture.series
    series = as_known(inside, picture.known)
    bounded = {column for s in scope.segments for column in s.where}  # a value that is the scope is there in all its rows
    fresh = bool(scope.segments) and all(s.before is None for s in scope.segments)  # of whom nothing was there before
    asked = [prepared.frame if fresh or (c.where or {}).get("column") in bounded else frame for c in marks]
    counted = [mark_series(rows, picture, c, i) for i, (rows, c) in enumerate(zip(asked, marks, strict=True))]
    marked = [s for s in counted if s is not None]
    grid = picture.grid
    if scope.segments:
        moves = scan_all([*series.values(), *marked], grid, picture.detected_at, (room.main,))
    else:
        moves = {**picture.moves, **scan_all(marked, grid, picture.detected_at, ())}
    anchor = _anchor(moves, room, picture)
    clear = [
        m
        for s in marked
        if (m := moves[s.name]).moved and m.fit.height > 0 and abs(m.fit.z) >= CLEAR_MARK
        and (m.scan.kind != "box" or (anchor is not None and anchor.scan.kind == "box"))
    ]
    first = min(clear, key=lambda m: (m.fit.start, m.series.name), default=None)
    later = grid.n * grid.width_s if not got_worse(room) else LATER
    whole = {f"mark:{i}" for i, c in enumerate(marks) if later > LATER or _carries_all(c)}
    if first is not None and (anchor is None or _leads(first, anchor, grid.coarse_s, later if first.series.name in whole else 0)):
        anchor = first
    if anchor is None:
        return None
    anchor = told_earlier(anchor, moves)
    found_again = joint_onset(together(anchor, moves.values()), grid, moves.values())
    if first is not None:
        clue = marks[int(first.series.name.partition(":")[2])]
        told = (clue.harm or 0.0) >= ALL_HARM or clue.subject == f"feature:{anchor.series.column}"
        found_again = by_birth(first, anchor, found_again, told) or found_again
    was = picture.onset
    if was is not None and was.gradual and not found_again.gradual and found_again.low > was.high:
        return None  # a step where it came on slowly lies in the middle of its rise
    if was is not None and found_again.low > was.high and _clearer_in_the_whole(picture, was, anchor):
        return None
    if was is None:
        return found_again
    agree = found_again.low <= was.high + 1 and was.low <= found_again.high + 1
    blurred = found_again.high - found_again.low > BLURRED * (was.high - was.low + 1)
    return None if agree and blurred else found_again  # few rows, or at other hours, know it less well than the whole


def by_suspect(picture: Picture, leading: Hypothesis) -> JointOnset | None:
    """The moment that the leading suspect's own evidence names; None where it names none.

    For what was lost or corrupted before any metric shows it: an incident has an onset. What comes on slowly stands out after the
    alert, and had begun by then.
    """
    starts = [c.onset for c in leading.clues if c.onset and c.strength >= CORRUPTION_LEAST]
    if not starts:
        return None
    grid = picture.grid
    shown = min(starts)
    at = min(shown, max(grid.index(picture.detected_at), 0))
    return JointOnset(at, max(at - grid.coarse, 0), min(max(at + grid.coarse, shown), grid.n - 1), leading.subject)


def by_outcomes(picture: Picture, room: Room) -> JointOnset | None:
    """Since when the outcomes that are worse now, or the labels behind them, are as they are; None where no scan tells.

    For an incident that two windows tell and no series by itself: none that would have raised an alarm.
    """
    now, worse = picture.start, got_worse(room)
    behind = [n for n, m in picture.moves.items() if m.series.family == "labels" and n not in picture.doubted]
    able = [m for n, m in picture.moves.items() if m.scan.best is not None and n in (*worse, *behind)]
    since = [m for m in able if m.scan.log_p < math.log(ALPHA_ALERT) and m.fit.start < now < m.fit.end]
    if not since:
        return None
    return joint_onset([max(since, key=lambda m: (abs(m.fit.z), m.series.name))], picture.grid)


def told_by_both(onset: JointOnset, named: JointOnset, grid: TimeGrid) -> bool:
    """Whether an onset is as sharp as the one that a suspect names, and agrees with it."""
    sharp = onset.high - onset.low < WIDE * grid.coarse
    return sharp and onset.low <= named.high + grid.coarse and named.low <= onset.high + grid.coarse


def sharpened(picture: Picture, leading: Hypothesis, was: JointOnset) -> JointOnset | None:
    """The moment of the leading suspect's own change, where the symptom tells of hours and that lies in or next to them."""
    coarse, width = picture.grid.coarse, was.high - was.low
    if width < WIDE * coarse:
        return None
    own = [c for c in leading.clues if GROUP[c.signature] in DATES and c.strength >= MARK_LEAST]
    near = [c.onset for c in own if c.onset is not None and was.low - NEXT_TO * width <= c.onset <= was.high + NEXT_TO * width]
    if not near:
        return None
    at = min(near)
    return JointOnset(at, max(at - coarse, 0), min(at + coarse, picture.grid.n - 1), leading.subject)


def by_age(picture: Picture, leading: Hypothesis) -> JointOnset | None:
    """The missed refresh that the leading suspect is about, where the symptom came of it: data grow old before it shows."""
    stale = [c for c in leading.clues if c.signature == "metric:stale" and c.strength >= MARK_LEAST]
    ages = [
        m
        for c in stale
        for m in picture.moves.values()
        if m.moved and is_age(m.series) and c.subject == f"component:{m.series.column}"
    ]
    dated = [o for m in ages if (o := refresh_onset(m, picture.moves.values())) is not None]
    was, day = picture.onset, BLIND_DAY // picture.grid.width_s
    # a symptom that began while the refresh was not yet overdue dates itself
    able = [o for o in dated if was is not None and was.low - day <= o.high < was.low]
    return min(able, key=lambda o: (o.index, o.lead), default=None)


def by_filling(picture: Picture, room: Room, outcomes: tuple[Outcome, ...]) -> JointOnset | None:
    """Since when a memory filled up until requests failed or waited; None where none did.

    The fault is there from the first bytes that are not given back; it shows hours later.
    """
    was, grid = picture.onset, picture.grid
    if was is None or room.main not in picture.series or picture.series[room.main].family not in ("service", "output_nulls"):
        return None
    full = {c.subject for o in outcomes for c in o.clues if c.signature in FULL_SIGNS and c.strength >= MARK_LEAST}
    if not full:
        return None
    day, found = DAY_S // grid.width_s, []
    for name, s in picture.series.items():
        if s.family != "component" or not any(w in name.rsplit(":", 1)[-1].lower() for w in FILLS):
            continue
        if f"component:{s.column}" not in full and not picture.moves[name].moved:  # that of others follows the load of the day
            continue
        level, shown = np.asarray(s.buckets(grid.coarse).value, float), was.low // grid.coarse
        since = rising_since(level[:shown])
        if since is None or not _filled(level, since[1], shown):
            continue
        if was.index - since[1] * grid.coarse <= day and since[2] * grid.coarse < was.low:
            found.append(JointOnset(since[1] * grid.coarse, since[0] * grid.coarse, (since[2] + 1) * grid.coarse - 1, name))
    return min(found, key=lambda o: (o.index, o.lead), default=None)


def _filled(level: Floats, since: int, shown: int) -> bool:
    """Whether a level that rose until something showed had gone most of the way to the highest it ever reached."""
    start, reached, top = level[since], np.nanmax(level[since:shown]), np.nanmax(level)
    return bool(np.isfinite(start) and reached - start >= MOST_OF_IT * (top - start))


def by_birth(mark: Move, anchor: Move, was: JointOnset, told: bool = False) -> JointOnset | None:
    """The onset by the first rows of a mark that was rare before; None where they are no better witness than the outcome.

    Rollouts begin with few rows, too few for an outcome to show. And what an outcome seems to have done before the first of them
    is doubtful where it was not worse by then, or where these rows have all of its change (`told`).
    """
    s, grid = mark.series, mark.series.grid
    born = birth(s.sums[0], s.sums[1], was.index // 2)
    if born is None or abs(born.index - was.index) > BLIND_DAY // grid.width_s:
        return None
    if born.index > was.high and not told and not calm_between(anchor, was.low // grid.coarse, born.low // grid.coarse):
        return None
    early = born.index - born.index % grid.coarse if born.low == born.index else born.low
    return JointOnset(born.index, early, min(max(born.high, early + grid.coarse - 1), grid.n - 1), mark.series.name)


def _anchor(moves: dict[str, Move], room: Room, picture: Picture) -> Move | None:
    """The main metric in these rows, if it stands out there as it did in the whole; any outcome when the whole showed none."""
    main = moves.get(room.main)
    if picture.anchor is None:
        return choose_anchor(moves, (room.main,), picture.grid, picture.detected_at)
    if main is None or not main.moved:
        return None
    return main if abs(main.fit.z) >= SAME_EVIDENCE * abs(picture.anchor.fit.z) else None


def _leads(mark: Move, anchor: Move, seconds: int, later: int) -> bool:
    """Whether a mark began no later than the outcome (or so many seconds), nor so long before that the two are strangers."""
    gap = (anchor.reach()[0] - mark.fit.start) * seconds
    return (mark.fit.start - anchor.reach()[1]) * seconds <= later and gap <= BLIND_DAY


def _carries_all(clue: Clue) -> bool:
    return clue.strength >= SURE_MARK and (clue.harm or 0.0) >= ALL_HARM


def _marks(room: Room, outcomes: tuple[Outcome, ...], leading: Hypothesis | None) -> list[Clue]:
    """Clues of the leading suspect that mark rows, and whose beginning no series of the picture shows yet."""
    if leading is None:
        return []
    unhurt = not got_worse(room)  # then what was lost or corrupted is the symptom itself
    return [
        c
        for o in outcomes
        for c in o.clues
        if c.where
        and (GROUP[c.signature] in BREAKS or (c.signature in NEWCOMERS and c in leading.clues))
        and ((c.strength >= MARK_LEAST and (c in leading.clues or unhurt)) or _carries_all(c))
    ]


def mark_series(frame: nw.LazyFrame[Any], picture: Picture, clue: Clue, i: int) -> Series | None:
    """Share of rows that bear a clue's mark, by fine bucket."""
    assert clue.where is not None
    bad = badness_where(clue.where, dict(frame.collect_schema()))
    if bad is None:
        return None
    grid = picture.grid
    counted = frame.select(bucket(frame, picture.aggregates.plan), bad.row.alias("rk_x")).group_by(BUCKET)
    lazy = counted.agg(nw.len().alias("n"), nw.col("rk_x").sum().alias("k"))
    native = lazy.to_native()
    table = native.collect(engine="streaming") if isinstance(native, pl.LazyFrame) else lazy.collect(backend="polars").to_native()
    cube = Cube.of((BUCKET,), table)
    sums = (cube.dense("k", grid.n), cube.dense("n", grid.n))
    return Series(f"mark:{i}", "nulls", "lower", grid, False, sums, metrics.rate, counts=True)
