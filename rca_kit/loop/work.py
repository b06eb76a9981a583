"""Steps 1 to 4: signal, symptom, scope and suspects, at the moment of the log that tells it best."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from rca_kit.findings.investigation import ChangeRecord
from rca_kit.findings.scope import Scope, Segment
from rca_kit.findings.suspects import Suspects
from rca_kit.findings.symptom import Symptom
from rca_kit.loop.decided import declared
from rca_kit.loop.elsewhere import elsewhere
from rca_kit.loop.judging import judge, with_lost
from rca_kit.loop.reading.deploys import deploy_effects
from rca_kit.loop.reading.focus import counted, focused
from rca_kit.loop.reading.gather import drift_reading, make_room
from rca_kit.loop.reading.names import series_for
from rca_kit.loop.reading.picture import Picture, without
from rca_kit.loop.reading.prepare import Prepared
from rca_kit.loop.refine import dated_again
from rca_kit.loop.relaid import amiss, laid
from rca_kit.loop.s1_signal import held_inside, signal
from rca_kit.loop.s2_symptom import dated, symptom, with_turns
from rca_kit.loop.s3_scope.alerted import alerted_inside
from rca_kit.loop.s3_scope.drifted import Drifted
from rca_kit.loop.s3_scope.firsts import first_of_newcomers, first_of_value, first_of_version
from rca_kit.loop.s3_scope.hurt import hurt_segments, records
from rca_kit.loop.s3_scope.logged import since_logged, when_changed
from rca_kit.loop.s3_scope.narrow import scope_of
from rca_kit.loop.s3_scope.told import as_entered
from rca_kit.loop.s4_suspects import Outcome, Room, run_checks, suspects
from rca_kit.loop.s4_suspects.first_week import mix_index
from rca_kit.loop.s4_suspects.room import rests_on_few
from rca_kit.loop.s4_suspects.verdict import Verdict
from rca_kit.loop.worked import Seen, Worked
from rca_kit.stats.threads import one_thread

MOST_DOUBTS = 3

Progress = Callable[[str], None]


@one_thread
def work(
    prepared: Prepared, picture: Picture, say: Progress = lambda _: None, doubts: int = MOST_DOUBTS,
    drifted: Drifted | None = None, named_by: str = "",
) -> Worked:
    """Do steps 1 to 4, at another moment than the picture's where that tells it better.

    Parameters
    ----------
    prepared : Prepared
        The case with its roles and what a person decided.
    picture : Picture
        Its series, and the windows before and after the onset.
    say : callable, optional
        Told of each step as it begins.
    doubts : int
        How often another moment may be tried in place of this one; a main metric that rests on a handful of requests is given
        up for the next, which counts too.
    drifted : Drifted, optional
        The segment in which alone an alerted feature moved, where the picture is laid at that moment.
    named_by : str
        Words that name a segment to be looked at by itself: those of an entry of the change log, or else of the alert.
    """
    seen = look(focused(prepared, picture), picture, say, doubts, drifted, named_by)
    if isinstance(seen, Worked):
        return seen
    return elsewhere(seen) or told(seen, say)


def look(
    prepared: Prepared, picture: Picture, say: Progress, doubts: int, drifted: Drifted | None, named_by: str = ""
) -> Seen | Worked:
    """What the picture's moment shows; where its main metric rests on a handful of requests, all four steps without that."""
    case = prepared.case
    fixed = case.case.incident.windows is not None or prepared.decisions.windows is not None
    changes = tuple(
        ChangeRecord(c.id, c.time, c.kind, c.component, c.description, c.scope, c.version_from, c.version_to, c.link)
        for c in case.changes
    )
    asked = case.case.incident.signal
    metric = asked.metric or (picture.anchor.series.name if picture.anchor else "volume")

    def again(laid_elsewhere: Picture, left: int, inside: Drifted | None, words: str = "") -> Worked:
        return work(prepared, laid_elsewhere, say, left, inside, words)

    say("signal")
    inside = alerted_inside(prepared, picture, named_by or asked.summary) if doubts and not fixed else None
    named = inside[0] if inside is not None else None
    if inside is not None:  # the alert says where to look, and there it is
        picture = replace(laid(picture, inside[1]), anchor=None, group=())
    room = make_room(prepared, picture, changes)
    few = () if fixed or not doubts else rests_on_few(room)
    if few:
        return again(without(picture, few), doubts - 1, None)
    outcomes = run_checks(room)
    found_signal = signal(picture, metric, drift_reading(room, metric))
    missed = records(picture, picture.alert) and not picture.moves[picture.alert].moved
    lost = hurt_segments(prepared, picture, (picture.alert,)) if missed else ()
    outcomes = with_lost(outcomes, lost)
    if lost and picture.anchor is not None and not fixed:  # what was asked for is there, in one segment: that is the symptom
        picture = replace(picture, anchor=None, onset=None, group=())
        room = replace(room, picture=picture)
    say("symptom")
    main = named.metric if named is not None else series_for(metric, picture.series) or metric
    effects = deploy_effects(picture, room.main, _logged(changes))
    found = with_turns(in_psi(symptom(picture, main, _logged(changes), effects), room), picture, _turns(outcomes))
    if named is not None:
        found_signal, found = held_inside(found_signal, named), in_segment(found, named.segment)
    if not fixed:
        found = first_of_value(prepared, picture, found)
    say("scope")
    judged = judge(prepared, picture, room, outcomes, () if named is None else (named,))
    verdict = judged.verdict
    if drifted is not None and verdict.verdict == "no_change":
        verdict = Verdict("benign_shift", f"{drifted}, outcomes did not move")
    return Seen(
        prepared, picture, room, judged.outcomes, changes, found_signal, found, verdict, judged.mix, named, lost, judged.hurt,
        drifted, fixed, doubts, again,
    )


def told(seen: Seen, say: Progress) -> Worked:
    """Tell who is hit and why, and date it by that; where it must have begun elsewhere, all is done anew from there."""
    prepared, picture, room, verdict, found = seen.prepared, seen.picture, seen.room, seen.verdict, seen.symptom
    scope = _scope(seen)
    say("suspects")
    again = None
    if verdict.verdict == "incident" and not seen.fixed and seen.named is None:
        again = dated_again(prepared, picture, room, seen.outcomes, scope, found)
    if again is not None and (picture.onset is None or (seen.doubts and amiss(picture, again))):  # known now, so are the windows
        worked = seen.again(laid(picture, again), 0, None)
        if picture.onset is None or worked.suspects.verdict != "no_change":
            return worked
        again = None  # between those windows nothing differs: it did not begin there
    if again is not None:
        picture = replace(picture, onset=again)
        room = replace(room, picture=picture)
        found = dated(found, picture, _logged(seen.changes))
    if prepared.decisions.scope is not None and verdict.verdict != "no_change":
        scope = declared(prepared, picture, room.main, scope)
    scope = counted(scope, prepared.share)

    def accuse(at: Symptom) -> Suspects:
        return suspects(room, seen.outcomes, scope, at, verdict, prepared.decisions)

    accused = accuse(found)
    family = picture.series[room.main].family if room.main in picture.series else ""
    entered = as_entered(prepared, scope, accused, seen.changes, family != "component")
    if entered is not scope:
        scope = entered
        accused = accuse(found)
    earlier = first_of_version(prepared, picture, seen.outcomes, found, accused)
    if earlier is not found:
        found, accused = earlier, accuse(earlier)
    newly = first_of_newcomers(prepared, picture, found, scope, accused)
    if newly is not found and verdict.verdict == "incident" and not seen.fixed:
        found, accused = newly, accuse(newly)
    if not seen.fixed:
        found = when_changed(found, accused, seen.changes)
        grown = since_logged(found, picture, accused, seen.changes)
        if grown is not found:
            found, accused = grown, accuse(grown)
    return Worked(prepared, picture, room, seen.outcomes, seen.changes, seen.signal, found, scope, accused)


def _scope(seen: Seen) -> Scope:
    """Who is hit: as the search finds it, unless the verdict rests on segments that are known already."""
    found = scope_of(seen.prepared, seen.picture, seen.room, seen.outcomes, seen.symptom, seen.verdict)
    known = seen.lost or (() if seen.named is None else (seen.named,))
    hurt = known or seen.hurt
    if hurt and seen.verdict.verdict == "incident" and (known or not found.segments):  # that fall made the verdict
        found = replace(found, is_global=False, segments=(hurt[0].segment,), metric=hurt[0].metric, because="")
    if seen.drifted is not None and seen.verdict.verdict == "benign_shift":
        found = replace(found, is_global=False, segments=(seen.drifted.segment,), because="")
    return replace(found, mix_rate=seen.mix)


def _logged(changes: tuple[ChangeRecord, ...]) -> list[tuple[str, datetime]]:
    return [(c.id, c.time) for c in changes]


def _turns(outcomes: tuple[Outcome, ...]) -> list[tuple[str, int, str]]:
    """Columns that came alive or fell silent, with the fine bucket and the direction."""
    return [
        (c.subject.partition(":")[2], c.onset, "up" if c.signature == "came_alive" else "down")
        for out in outcomes
        for c in out.clues
        if out.code == "alive" and c.onset is not None
    ]


def in_segment(found: Symptom, segment: Segment) -> Symptom:
    """A fall that only one segment shows is told by the metric there."""
    if segment.before is None or segment.after is None:
        return found
    change = segment.after - segment.before
    direction = "up" if change > 0 else "down"
    return replace(
        found, before=segment.before, after=segment.after, change=change, change_interval=None, direction=direction,
        shape=found.shape or "step",
    )


def in_psi(found: Symptom, room: Room) -> Symptom:
    """A drift is told by its PSI: zero before by definition, that of the comparison after."""
    head, _, column = found.metric.partition(":")
    if head != "psi" or found.onset is None:
        return found
    change = room.compared.get(column)
    psi = change.psi if change is not None else mix_index(room, column)
    return found if psi is None else replace(found, before=0.0, after=psi, change=psi, change_interval=None, direction="up")
