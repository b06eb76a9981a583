"""The picture laid elsewhere: around a version's first requests, the alert, a heap of values, or since values are spoilt."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np

from rca_kit.aggregates.grid import DAY_S
from rca_kit.findings.base import Window
from rca_kit.findings.investigation import ChangeRecord
from rca_kit.loop.reading.anchor import CIRCUMSTANCES
from rca_kit.loop.reading.birth import birth
from rca_kit.loop.reading.detect import OUTCOMES
from rca_kit.loop.reading.gather import make_room
from rca_kit.loop.reading.heaps import heap_since
from rca_kit.loop.reading.names import public
from rca_kit.loop.reading.onset import JointOnset, joint_onset
from rca_kit.loop.reading.picture import QUIET_LEAST, Picture, weigh
from rca_kit.loop.reading.prepare import Prepared
from rca_kit.loop.refine import WIDE, mark_series
from rca_kit.loop.s4_suspects import Outcome, Room
from rca_kit.loop.s4_suspects.beside import worse_arms, worse_beside
from rca_kit.loop.s4_suspects.checks.model import scoring, versions
from rca_kit.loop.s4_suspects.checks.values import values
from rca_kit.loop.s4_suspects.first_week import WEEKEND_EDGE
from rca_kit.loop.s4_suspects.harmless import idle
from rca_kit.loop.s4_suspects.verdict import CORRUPTION, CORRUPTION_LEAST, got_worse, spoilt_by

OTHER_SCORES = 0.8  # strength of the sign of other scores for the same features from which they may date what shows of them
LOUD_Z = 10.0  # of an outcome's own change from which a moment at which it did not change is the wrong one
BEFORE_LEAST = 0.2  # part of the log that must lie before the hours which an alert is about
SECONDS = {"h": 3600, "m": 60, "d": 86400}
_HOURS = re.compile(
    r"\b(?:last|past)\s+(\d{1,4}(?:[.,]\d{1,4})?)\s*(h(?:ours?|rs?)?|m(?:in(?:ute)?s?)?|d(?:ays?)?)\b", re.IGNORECASE
)
MOST_DEPLOYS = 2  # that are looked at for other scores, a surrogate each
RECENT = 0.01  # part of the log that an alert may be about


def at_version(picture: Picture) -> Picture | None:
    """The picture laid around the newest model version's first requests; None when no version is new."""
    grid = picture.grid
    new = [
        m
        for m in picture.moves.values()
        if m.series.family == "version"
        and m.moved
        and m.fit.height > 0
        and grid.time(m.fit.start, coarse=True) < picture.detected_at
    ]
    latest = max(new, key=lambda m: (m.fit.start, m.series.name), default=None)
    return laid(picture, joint_onset([latest], grid)) if latest is not None else None


def at_deploys(picture: Picture, changes: tuple[ChangeRecord, ...]) -> list[Picture]:
    """The picture laid at each of the newest logged deploys that no version tells of, newest first: of weights in place."""
    grid, seen = picture.grid, {n.partition("=")[2] for n, m in picture.moves.items() if m.series.family == "version"}
    least, most = grid.time(int(grid.n * BEFORE_LEAST)), min(picture.detected_at, grid.time(grid.n - grid.coarse))
    logged = [c for c in changes if c.kind == "model_deploy" and c.version_to not in seen and least <= c.time < most]
    found = []
    for change in sorted(logged, key=lambda c: c.time, reverse=True)[:MOST_DEPLOYS]:
        at = grid.index(change.time)
        found.append(laid(picture, JointOnset(at, max(at - grid.coarse, 0), min(at + grid.coarse, grid.n - 1), change.id)))
    return found


def led_astray(picture: Picture, room: Room) -> tuple[str, ...]:
    """Inputs that date the symptom though no score depended on them, and nobody asked about them: it began for another reason."""
    lead = picture.onset.lead if picture.onset is not None else ""
    moved, asked = (m.series for m in picture.group), public(picture.alert)
    inputs = [s for s in moved if s.family in ("input", "nulls") and public(s.name) != asked]
    if lead not in {s.name for s in inputs}:
        return ()
    return tuple(s.name for s in inputs if s.column is not None and idle(room, s.column))


def since_version(prepared: Prepared, picture: Picture, outcomes: tuple[Outcome, ...]) -> Picture | None:
    """The picture laid around a new version's first requests, where it scored otherwise before the symptom showed, within a day.

    Another model shows in its scores at once; in outcomes when enough of them have come, or in busy hours.
    """
    strong = [c for o in outcomes for c in o.clues if c.signature == "score_function" and c.strength >= OTHER_SCORES]
    slow = picture.anchor is not None and picture.anchor.series.family in ("service", "stage")  # that no score makes
    aligned = at_version(picture) if strong and not slow and picture.onset is not None else None
    if aligned is None or aligned.onset is None or picture.onset is None:
        return None
    grid, lead = picture.grid, picture.onset.low - aligned.onset.high
    if not 0 < lead <= DAY_S // grid.width_s:
        return None
    until = replace(aligned, windows=(aligned.windows[0], Window(aligned.windows[1].start, grid.time(picture.onset.low))))
    before, after, matched = weigh(grid, until.windows)
    between = make_room(prepared, replace(until, before=before, after=after, matched=matched), ())
    return aligned if scores_otherwise(between, OTHER_SCORES / 2) else None


def scores_otherwise(room: Room, least: float = OTHER_SCORES) -> bool:
    """Whether the same features have other scores after than before."""
    return any(c.signature == "score_function" and c.strength >= least for c in scoring(room).clues)


def says_so(room: Room) -> bool:
    """Whether, in the hours that the alert is about, what it is about got worse: of all else something differs by chance."""
    picture, worse_ones = room.picture, got_worse(room)
    asked = picture.series[picture.alert].family if picture.alert in picture.series else ""
    if asked == "quality":  # many measures of the same mistakes
        return any(picture.series[n].family == asked for n in worse_ones if n in picture.series)
    if picture.alert.startswith("latency"):
        return any(n.startswith(("latency", "stage:")) for n in worse_ones)
    return picture.alert in worse_ones if asked else bool(worse_ones)


def does_worse(room: Room) -> bool:
    """Whether a new version answers worse than the others at the same time."""
    return bool(worse_beside(versions(room).clues))


def overlooked(picture: Picture) -> bool:
    """Whether an outcome other than the anchor got worse so clearly that no other moment may hide it."""
    if picture.anchor is None:
        return False
    others = [m for n, m in picture.moves.items() if m.moved and n != picture.anchor.series.name and n not in picture.doubted]
    loud = [m for m in others if m.series.family in OUTCOMES and abs(m.fit.z) >= LOUD_Z]
    return any(m.worsened is True for m in loud)


def same_turn(picture: Picture, onset: datetime | None) -> bool:
    """Whether an onset is the turn of the week that the picture is laid at: whatever else moved with it is the week's too."""
    if onset is None or picture.onset is None:
        return onset is None
    return abs((onset - picture.grid.time(picture.onset.index)).total_seconds()) <= WEEKEND_EDGE


def just_before(picture: Picture) -> Picture:
    """The picture laid around the last hours before the alert: an alert that comes soon tells of little of a long log."""
    grid = picture.grid
    stop = min(picture.detected_at, grid.time(grid.n))
    at = grid.index(stop - max((stop - grid.origin) * RECENT, QUIET_LEAST))
    return laid(picture, JointOnset(at, max(at - grid.coarse, 0), min(at + grid.coarse, grid.n - 1), "alert"))


def as_alerted(picture: Picture, summary: str) -> Picture | None:
    """The picture laid around the hours that an alert says it is about; None where it names none, or hardly any before them."""
    found = _HOURS.search(summary)
    if found is None:
        return None
    grid, size = picture.grid, SECONDS[found[2][0].lower()]
    at = grid.index(picture.detected_at - timedelta(seconds=float(found[1].replace(",", ".")) * size))
    if not grid.n * BEFORE_LEAST <= at < grid.index(picture.detected_at) - grid.coarse:
        return None
    return laid(picture, JointOnset(at, max(at - grid.coarse, 0), min(at + grid.coarse, grid.n - 1), "alert"))


def at_heap(picture: Picture) -> Picture | None:
    """The picture laid around the moment since when one range of a feature's values fills; None where none does."""
    at = heap_since(picture)
    if at is None:
        return None
    c = picture.grid.coarse
    return laid(picture, JointOnset(at * c, max((at - 1) * c, 0), min((at + 1) * c, picture.grid.n) - 1, "heap"))


def at_newcomer(picture: Picture) -> Picture | None:
    """The picture laid around the first requests of a value that the alerted column never had before; None where none is new."""
    column, grid = public(picture.alert).partition(":")[2], picture.grid
    cubes, plan = picture.aggregates.cubes, picture.aggregates.plan
    numeric = {p.column for p in (*plan.features, *plan.segments) if p.numeric}
    cube = cubes.get(f"segment:{column}") or cubes.get(f"feature:{column}")
    if not column or cube is None or column in numeric:
        return None
    rows, last = cubes["time"].dense("n", grid.n), grid.index(picture.detected_at) // grid.coarse
    rows = np.add.reduceat(rows, np.arange(0, grid.n, grid.coarse))
    new = [
        (float(n.sum()), b) for v, n in cube.by_value("n", grid.n_coarse).items()
        if v is not None and (b := birth(n, rows, grid.n_coarse // 2)) is not None and grid.n_coarse // 2 < b.index <= last
    ]
    if not new:
        return None
    _, born = max(new, key=lambda x: (x[0], -x[1].index))
    c = grid.coarse
    return laid(picture, JointOnset(born.index * c, born.low * c, (born.high + 1) * c - 1, picture.alert))


def since_spoilt(prepared: Prepared, picture: Picture, room: Room, outcomes: tuple[Outcome, ...]) -> Picture | None:
    """The picture laid at the moment since which values are corrupted, where it was laid at that of something else.

    For when no outcome got worse, and what moved beside is a mere circumstance: another input, a component's course. Values of
    the alerted column come first, rows written twice last. None where the picture is right as it is.
    """
    anchor, asked, far = picture.anchor, picture.alert.partition(":")[2], WIDE * picture.grid.coarse
    if anchor is None or picture.onset is None or anchor.series.family not in CIRCUMSTANCES or got_worse(room):
        return None
    found = spoilt_by(room, outcomes)
    able = [
        c for c in found if c.where and c.subject.startswith("feature:") and c.subject != f"feature:{anchor.series.column}"
    ]
    twice = next((c.onset for c in found if c.signature == "duplicates" and c.onset is not None), None)
    if not any(c.subject.startswith("feature:") for c in found) and twice is not None:
        late = abs(twice - picture.onset.index) <= far or picture.grid.time(twice) >= picture.detected_at
        at = JointOnset(twice, max(twice - picture.grid.coarse, 0), twice + 1, "duplicates")
        return None if late else replace(laid(picture, at), anchor=None, group=())
    if not able or (anchor.series.name == picture.alert and not any(c.subject == f"feature:{asked}" for c in able)):
        return None
    worst = max(able, key=lambda c: (c.subject == f"feature:{asked}", c.strength, c.subject))
    mark = mark_series(prepared.frame, picture, worst, 0)
    born = birth(mark.sums[0], mark.sums[1], picture.grid.n // 2) if mark is not None else None
    if born is None or abs(born.index - picture.onset.index) <= far or picture.grid.time(born.index) >= picture.detected_at:
        return None
    at = JointOnset(born.index, born.low, born.high, worst.subject)
    return replace(laid(picture, at), anchor=None, group=())


def since_an_arm(picture: Picture, room: Room, outcomes: tuple[Outcome, ...]) -> Picture | None:
    """The picture laid at the first requests of a new arm or version that does worse than the others, and made the verdict.

    Where it was laid at the moment of a mere circumstance. None where it is right as it is.
    """
    anchor, far = picture.anchor, WIDE * picture.grid.coarse
    if anchor is None or picture.onset is None or anchor.series.family not in CIRCUMSTANCES or got_worse(room):
        return None
    clues = [c for o in outcomes for c in o.clues]
    worst = max((*worse_arms(clues), *worse_beside(clues)), key=lambda c: c.strength, default=None)
    if worst is None or not worst.where:
        return None
    move = picture.moves.get(f"share:{worst.where['column']}={worst.where['values'][0]}")
    if move is None or not move.moved or move.fit.height <= 0:
        return None
    at = joint_onset([move], picture.grid)
    if abs(at.index - picture.onset.index) <= far or picture.grid.time(at.index) >= picture.detected_at:
        return None
    return replace(laid(picture, at), anchor=None, group=())


def spoilt(room: Room) -> bool:
    """Whether a feature's values were corrupted between the two windows."""
    return any(c.signature in CORRUPTION and c.strength >= CORRUPTION_LEAST for c in values(room).clues)


def amiss(picture: Picture, onset: JointOnset) -> bool:
    """Whether an onset lies so far from the picture's windows that before and after are mixed in them."""
    before, after = picture.windows
    far = timedelta(seconds=WIDE * picture.grid.coarse_s)
    return not before.end - far <= picture.grid.time(onset.index) <= after.start + far


def laid(picture: Picture, onset: JointOnset) -> Picture:
    """The picture with its windows on either side of an onset."""
    grid = picture.grid
    windows = (Window(grid.origin, grid.time(max(onset.low, 1))), Window(grid.time(onset.index), grid.time(grid.n)))
    before, after, matched = weigh(grid, windows)
    return replace(picture, onset=onset, windows=windows, before=before, after=after, matched=matched)
