"""Another moment in place of the one looked at: which is tried when, and what makes it the better reading."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from rca_kit.loop.judging import hidden_moment
from rca_kit.loop.reading.picture import without
from rca_kit.loop.relaid import led_astray, overlooked, same_turn, since_an_arm, since_spoilt, since_version
from rca_kit.loop.s3_scope.alerted import alerted_inside
from rca_kit.loop.s3_scope.drifted import drifted_inside
from rca_kit.loop.s3_scope.firsts import accuses_version
from rca_kit.loop.s4_suspects.beside import worse_beside
from rca_kit.loop.s4_suspects.verdict import got_worse, spoilt_by
from rca_kit.loop.worked import Seen, Worked

GRAVER = ("no_change", "benign_shift", "incident")  # verdicts, each graver than the one before
HOURLY = "label_rate"  # the metric that follows the hours of the day in a log too short to tell, and hurts nobody by itself
SAID_WITHIN = timedelta(hours=3)  # between an entry and what it is about: people write late, and effects lag


def elsewhere(seen: Seen) -> Worked | None:
    """Steps 1 to 4 at the first other moment that tells it better; None where this one does, or a person said when."""
    if seen.fixed:
        return None
    return next((found for look in LOOKS if (found := look(seen)) is not None), None)


def without_its_anchor(seen: Seen) -> Worked | None:
    """Without the main metric, where the week explains all it tells, or it tells of nothing and another loudly of something.

    The rate of positive labels follows the hours: where it tells of nothing, what hurts is looked for without it.
    """
    picture, verdict = seen.picture, seen.verdict
    if picture.anchor is None or not seen.doubts:
        return None
    hourly = picture.anchor.series.name == HOURLY and verdict.verdict != "benign_shift" and not got_worse(seen.room)
    if not (verdict.usual or hourly or (verdict.verdict == "no_change" and overlooked(picture))):
        return None
    other = seen.again(without(picture, (picture.anchor.series.name,)), seen.doubts - 1, None)
    weekly = verdict.usual and same_turn(picture, other.symptom.onset)  # the week explains that, and not what comes later
    if hourly:
        return other if other.suspects.verdict == "incident" else None
    return None if other.suspects.verdict == "no_change" or weekly else other


def where_one_segment_drifted(seen: Seen) -> Worked | None:
    """At the moment since which an alerted feature moved in one segment alone."""
    if seen.drifted is not None or seen.named is not None or seen.verdict.verdict == "incident" or not seen.doubts:
        return None
    inner = drifted_inside(seen.prepared, seen.picture)
    return seen.again(inner.picture, 0, inner) if inner is not None else None


def at_a_hidden_moment(seen: Seen) -> Worked | None:
    """At a moment since which a few requests are otherwise, where the whole shows no onset.

    Be it that one segment got worse, or that a version does worse than the others.
    """
    idle = seen.verdict.verdict == "no_change" and seen.doubts > 0  # what dates it tells of nothing
    if (seen.picture.onset is not None and not idle) or seen.drifted is not None:
        return None
    few = seen.doubts and (seen.hurt or worse_beside(c for o in seen.outcomes for c in o.clues))
    if seen.verdict.verdict == "incident" and not few:
        return None
    hidden = hidden_moment(seen.prepared, seen.picture, seen.changes)
    if hidden is None:
        return None
    shown = seen.again(hidden, 0, None)
    least = "incident" if seen.picture.onset is not None else seen.verdict.verdict
    return shown if GRAVER.index(shown.suspects.verdict) >= GRAVER.index(least) else None


def where_an_entry_says(seen: Seen) -> Worked | None:
    """In the segment that an entry of the change log names, where the alerted outcome got worse since about then."""
    if seen.verdict.verdict == "incident" or seen.named is not None or seen.drifted is not None or not seen.doubts:
        return None
    for change in seen.changes:
        words = f"{change.scope} {change.description}"
        inside = alerted_inside(seen.prepared, seen.picture, words)
        if inside is None or abs(seen.picture.grid.time(inside[1].index) - change.time) > SAID_WITHIN:
            continue
        worked = seen.again(seen.picture, seen.doubts, None, words)
        if worked.suspects.verdict == "incident":
            return worked
    return None


def without_idle_inputs(seen: Seen) -> Worked | None:
    """Without inputs that no score heeds, which may hide or date what hurt: unless what was spoilt is all the harm there is."""
    if seen.verdict.verdict == "no_change" or seen.named is not None or not seen.doubts:
        return None
    astray = led_astray(seen.picture, seen.room) if got_worse(seen.room) or not spoilt_by(seen.room, seen.outcomes) else ()
    if not astray:
        return None
    straight = seen.again(without(seen.picture, astray), seen.doubts - 1, None)
    return straight if straight.suspects.verdict == "incident" else None


def since_values_are_spoilt(seen: Seen) -> Worked | None:
    """Since values are corrupted, where the picture lies at the moment of something else that hurts nobody."""
    spoilt = since_spoilt(seen.prepared, seen.picture, seen.room, seen.outcomes) if _an_incident(seen) else None
    return seen.again(spoilt, 0, None) if spoilt is not None else None


def since_an_arm_came(seen: Seen) -> Worked | None:
    """Since the first requests of an arm that does worse than the others, where the picture lies at something harmless."""
    came = since_an_arm(seen.picture, seen.room, seen.outcomes) if _an_incident(seen) else None
    worked = seen.again(came, 0, None) if came is not None else None
    return worked if worked is not None and worked.suspects.verdict == "incident" else None


def since_a_version_came(seen: Seen) -> Worked | None:
    """Since a version's first requests, where it scored otherwise before the symptom showed, and is then accused of it."""
    rolled = since_version(seen.prepared, seen.picture, seen.outcomes) if _an_incident(seen) else None
    worked = seen.again(rolled, 0, None) if rolled is not None else None
    return worked if worked is not None and accuses_version(worked.suspects) else None


def _an_incident(seen: Seen) -> bool:
    return seen.verdict.verdict == "incident" and seen.named is None and seen.doubts > 0


LOOKS: tuple[Callable[[Seen], Worked | None], ...] = (
    without_its_anchor,
    where_one_segment_drifted,
    at_a_hidden_moment,
    where_an_entry_says,
    without_idle_inputs,
    since_values_are_spoilt,
    since_an_arm_came,
    since_a_version_came,
)
