"""The verdict: what the whole log shows, what mix and rate make of it, and what only a segment or one moment shows."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rca_kit.findings.investigation import ChangeRecord
from rca_kit.findings.scope import MixRate
from rca_kit.loop.reading.gather import make_room
from rca_kit.loop.reading.picture import Picture
from rca_kit.loop.reading.prepare import Prepared
from rca_kit.loop.relaid import (
    as_alerted,
    at_deploys,
    at_heap,
    at_newcomer,
    at_version,
    does_worse,
    just_before,
    says_so,
    scores_otherwise,
    spoilt,
)
from rca_kit.loop.s3_scope.hurt import Hurt, hurt_segments, records
from rca_kit.loop.s3_scope.mix_rate import mix_and_rate
from rca_kit.loop.s4_suspects import Outcome, Room, with_unexplained
from rca_kit.loop.s4_suspects.clue import Clue
from rca_kit.loop.s4_suspects.mixed import other_guests
from rca_kit.loop.s4_suspects.verdict import Verdict, decide, got_worse, told_by

MOST_SPLITS = 5  # outcomes whose change is split into mix and rate; a mix that hurts more of them is worth a look anyway
BY_GUESTS = ("kpi",)  # outcomes that other guests in a range of a number change; a model that fails them is worse for it
LOST_HERE = 0.9  # strength of labels lost in one segment: the search corrects for all it looked at


@dataclass(frozen=True)
class Judged:
    """A verdict, the outcomes of the checks it rests on, how mix and rate share in it, and the segments that alone got worse."""

    verdict: Verdict
    outcomes: tuple[Outcome, ...]
    mix: tuple[MixRate, ...] = ()
    hurt: tuple[Hurt, ...] = ()


def judge(
    prepared: Prepared, picture: Picture, room: Room, outcomes: tuple[Outcome, ...], known_hurt: tuple[Hurt, ...] = ()
) -> Judged:
    """Decide between incident, benign shift and no change.

    Where traffic moved, an outcome counts as worse by its rate only (a KPI also within ranges of a number, where others came);
    where no outcome got worse in the whole, segments are asked, unless it is known which of them was hurt.
    """
    verdict = decide(room, outcomes)
    worse = got_worse(room)
    by_guests = bool(worse) and all(n in picture.series and picture.series[n].family in BY_GUESTS for n in worse)
    guests = other_guests(room) if by_guests else ()
    if worse and (guests or room.moved("mix")):
        told = {n: told_by(n, picture.series) for n in worse}  # what recall lost, its row measure shows too
        splits = {n: mix_and_rate(prepared, picture, n, guests) for n in list(dict.fromkeys(told.values()))[:MOST_SPLITS]}
        known = {n: splits[t] for n, t in told.items() if t in splits}
        return Judged(decide(room, outcomes, known if len(known) == len(worse) else None), outcomes, known[worse[0]])
    if verdict.verdict == "incident" and (worse or not known_hurt):
        return Judged(verdict, outcomes)
    hurt = known_hurt or hurt_segments(prepared, picture)
    outcomes = with_lost(outcomes, tuple(h for h in hurt if records(picture, h.metric)))
    outcomes = with_unexplained(room, outcomes, tuple(h.metric for h in hurt))
    return Judged(decide(room, outcomes, hurt=tuple(map(str, hurt))), outcomes, hurt=hurt)


def hidden_moment(prepared: Prepared, picture: Picture, changes: tuple[ChangeRecord, ...]) -> Picture | None:
    """The picture laid at a moment since which a few requests are otherwise, where the whole shows no onset; None without one.

    Such moments are the first rows of a new version (worse than before or than others at the same time, or scored otherwise), a
    logged deploy since which scores are other, the last hours before the alert, those that it says it is about, those since which
    a feature's values heap up at a constant, and the first rows of a new value of the column asked about.
    """
    aligned = at_version(picture)
    if aligned is not None:
        newly = make_room(prepared, aligned, changes)
        if does_worse(newly) or scores_otherwise(newly) or hurt_segments(prepared, aligned):
            return aligned
    for deployed in at_deploys(picture, changes):
        if scores_otherwise(make_room(prepared, deployed, changes)):
            return deployed
    recent = just_before(picture)
    if hurt_segments(prepared, recent):
        return recent
    told = as_alerted(picture, prepared.case.case.incident.signal.summary)
    if told is not None and (says_so(make_room(prepared, told, changes)) or hurt_segments(prepared, told)):
        return told
    heaped = at_heap(picture)
    if heaped is not None and spoilt(make_room(prepared, heaped, changes)):
        return heaped
    return at_newcomer(picture)


def with_lost(outcomes: tuple[Outcome, ...], lost: tuple[Hurt, ...]) -> tuple[Outcome, ...]:
    """The outcomes with labels or business events lost in one segment, which their share in the whole does not show."""
    if not lost:
        return outcomes
    says = f"in {lost[0].segment}, {lost[0].metric} tells of more missing than elsewhere at the same time"
    clues = (Clue("label_share", "label", "labels_lost", says, LOST_HERE, lost[0].since),)
    return tuple(replace(o, clues=(*o.clues, *clues), not_applicable="") if o.code == "labels" else o for o in outcomes)
