"""The seven steps in order: a case folder in, an Investigation out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from rca_kit.findings.investigation import ChangeRecord, Investigation
from rca_kit.findings.samples import Samples
from rca_kit.findings.scope import Scope, Segment
from rca_kit.findings.signal import Signal
from rca_kit.findings.simulation import Simulation
from rca_kit.findings.suspects import Suspects
from rca_kit.findings.symptom import Symptom
from rca_kit.loop.decided import decided, declared, tagged
from rca_kit.loop.judging import hidden_moment, judge, with_lost
from rca_kit.loop.progress import Report
from rca_kit.loop.reading.budget import Budget
from rca_kit.loop.reading.deploys import deploy_effects
from rca_kit.loop.reading.focus import counted, focused
from rca_kit.loop.reading.gather import drift_reading, make_room
from rca_kit.loop.reading.names import series_for
from rca_kit.loop.reading.picture import Picture, without
from rca_kit.loop.reading.prepare import Prepared, case_facts, picture_of, prepare
from rca_kit.loop.refine import dated_again
from rca_kit.loop.relaid import amiss, laid, led_astray, overlooked, same_turn, since_spoilt, since_version
from rca_kit.loop.s1_signal import held_inside, signal
from rca_kit.loop.s2_symptom import dated, symptom, with_turns
from rca_kit.loop.s3_scope.alerted import alerted_inside
from rca_kit.loop.s3_scope.drifted import Drifted, drifted_inside
from rca_kit.loop.s3_scope.explore import Explorer
from rca_kit.loop.s3_scope.firsts import accuses_version, first_of_newcomers, first_of_value, first_of_version
from rca_kit.loop.s3_scope.hurt import hurt_segments, records
from rca_kit.loop.s3_scope.levels import in_metric
from rca_kit.loop.s3_scope.logged import since_logged, when_changed
from rca_kit.loop.s3_scope.narrow import scope_of
from rca_kit.loop.s4_suspects import Outcome, Room, run_checks, suspects
from rca_kit.loop.s4_suspects.first_week import mix_index
from rca_kit.loop.s4_suspects.room import rests_on_few
from rca_kit.loop.s4_suspects.verdict import Verdict, got_worse, spoilt_by
from rca_kit.sources import OpenCase, open_case
from rca_kit.stats.threads import one_thread

MOST_DOUBTS = 3

Progress = Callable[[str], None]


def investigate(
    case: str | Path | OpenCase,
    engine: str = "polars",
    progress: Progress | None = None,
    budget: float | None = None,
    rows: Report | None = None,
) -> Investigation:
    """Walk the 7S loop on an incident folder.

    Parameters
    ----------
    case : path or OpenCase
        The case folder.
    engine : {"polars", "duckdb", "spark"}
        What reads and sums the tables.
    progress : callable, optional
        Called with the name of each step as it begins.
    budget : float, optional
        Seconds that it may take, about: a log too large for them is read in part, and the findings' warnings say what that
        costs. Reading a log takes its time even so.
    rows : callable, optional
        Told of the rows of a large log as they are read, and of the time left.

    Returns
    -------
    Investigation
        The seven findings; ``.to_dict()`` is findings.json.

    Raises
    ------
    BadInput
        When the case cannot be used; the message names file, column, what was found and what was expected.

    Examples
    --------
    >>> investigate("no/such/case")
    Traceback (most recent call last):
    ...
    rca_kit.errors.BadInput: ...
    """
    say = progress or (lambda _: None)
    say("read")
    opened = case if isinstance(case, OpenCase) else open_case(case, engine=engine)
    limit = Budget(budget) if budget is not None else None
    prepared = prepare(limit.thinned(opened) if limit else opened, rows)
    worked = work(prepared, picture_of(prepared), say)
    if limit is not None:
        worked = replace(worked, suspects=limit.careful(worked.suspects))
    return finish(prepared, worked, say, limit)


@dataclass(frozen=True)
class Worked:
    """Steps 1 to 4 of one case, with the clues they rest on."""

    prepared: Prepared
    picture: Picture
    room: Room
    outcomes: tuple[Outcome, ...]
    changes: tuple[ChangeRecord, ...]
    signal: Signal
    symptom: Symptom
    scope: Scope
    suspects: Suspects


@one_thread
def work(
    prepared: Prepared, picture: Picture, say: Progress = lambda _: None, doubts: int = MOST_DOUBTS,
    drifted: Drifted | None = None,
) -> Worked:
    """Do steps 1 to 4; a main metric that rests on a handful of requests is given up for the next, so many times.

    `drifted` is the segment in which alone an alerted feature moved, where the picture is laid at that moment.
    """
    opened, prepared = prepared.case, focused(prepared, picture)
    incident = opened.case.incident
    fixed = incident.windows is not None or prepared.decisions.windows is not None  # a person said when
    changes = tuple(
        ChangeRecord(c.id, c.time, c.kind, c.component, c.description, c.scope, c.version_from, c.version_to, c.link)
        for c in opened.changes
    )
    metric = incident.signal.metric or (picture.anchor.series.name if picture.anchor else "volume")
    say("signal")
    inside = alerted_inside(prepared, picture, incident.signal.summary) if doubts and not fixed else None
    if inside is not None:  # the alert says where to look, and there it is
        picture = replace(laid(picture, inside[1]), anchor=None, group=())
    named = (inside[0],) if inside is not None else ()
    room = make_room(prepared, picture, changes)
    odd = () if fixed or not doubts else rests_on_few(room)
    if odd:
        return work(prepared, without(picture, odd), say, doubts - 1)
    outcomes = run_checks(room)
    found_signal = signal(picture, metric, drift_reading(room, metric))
    asked = records(picture, picture.alert) and not picture.moves[picture.alert].moved
    lost = hurt_segments(prepared, picture, (picture.alert,)) if asked else ()
    outcomes = with_lost(outcomes, lost)
    if lost and picture.anchor is not None and not fixed:  # what was asked for is there, in one segment: that is the symptom
        picture = replace(picture, anchor=None, onset=None, group=())
        room = replace(room, picture=picture)
    say("symptom")
    main = named[0].metric if named else series_for(metric, picture.series) or metric
    logged = [(c.id, c.time) for c in changes]
    effects = deploy_effects(picture, room.main, logged)
    found_symptom = in_psi(symptom(picture, main, logged, effects), room)
    turns = [
        (c.subject.partition(":")[2], c.onset, "up" if c.signature == "came_alive" else "down")
        for out in outcomes
        for c in out.clues
        if out.code == "alive" and c.onset is not None
    ]
    found_symptom = with_turns(found_symptom, picture, turns)
    if named:
        found_signal, found_symptom = held_inside(found_signal, named[0]), in_segment(found_symptom, named[0].segment)
    if not fixed:
        found_symptom = first_of_value(prepared, picture, found_symptom)
    say("scope")
    judged = judge(prepared, picture, room, outcomes, named)
    verdict, outcomes = judged.verdict, judged.outcomes
    # the week explains that, and not what comes later; or the anchor tells of nothing, and something else loudly of something
    again_without = verdict.usual or (verdict.verdict == "no_change" and overlooked(picture))
    if again_without and picture.anchor is not None and doubts and not fixed:
        other = work(prepared, without(picture, (picture.anchor.series.name,)), say, doubts - 1)
        if other.suspects.verdict != "no_change" and not (verdict.usual and same_turn(picture, other.symptom.onset)):
            return other
    if drifted is not None and verdict.verdict == "no_change":
        verdict = Verdict("benign_shift", f"{drifted}, outcomes did not move")
    if drifted is None and verdict.verdict != "incident" and doubts and not fixed and not named:
        inner = drifted_inside(prepared, picture)
        if inner is not None:
            return work(prepared, inner.picture, say, 0, inner)
    if verdict.verdict != "incident" and picture.onset is None and drifted is None and not fixed:
        hidden = hidden_moment(prepared, picture, changes)
        shown = work(prepared, hidden, say, 0) if hidden is not None else None
        if shown is not None and (verdict.verdict == "no_change" or shown.suspects.verdict != "no_change"):
            return shown
    if verdict.verdict != "no_change" and not fixed and not named and doubts:
        # an input that no score heeds may hide what hurt, or date it: unless what was spoilt is all the harm there is
        astray = led_astray(picture, room) if got_worse(room) or not spoilt_by(room, outcomes) else ()
        straight = work(prepared, without(picture, astray), say, doubts - 1) if astray else None
        if straight is not None and straight.suspects.verdict == "incident":
            return straight
    if verdict.verdict == "incident" and not fixed and not named and doubts:
        spoilt = since_spoilt(prepared, picture, room, outcomes)
        if spoilt is not None:
            return work(prepared, spoilt, say, 0)
        rolled = since_version(prepared, picture, outcomes)
        worked = work(prepared, rolled, say, 0) if rolled is not None else None
        if worked is not None and accuses_version(worked.suspects):
            return worked
    found_scope = scope_of(prepared, picture, room, outcomes, found_symptom, verdict)
    hurt = lost or named or judged.hurt
    if hurt and verdict.verdict == "incident" and (lost or named or not found_scope.segments):  # that fall made the verdict
        found_scope = replace(found_scope, is_global=False, segments=(hurt[0].segment,), metric=hurt[0].metric, because="")
    if drifted is not None and verdict.verdict == "benign_shift":
        found_scope = replace(found_scope, is_global=False, segments=(drifted.segment,), because="")
    say("suspects")
    found_scope = replace(found_scope, mix_rate=judged.mix)
    again = None
    if verdict.verdict == "incident" and not fixed and not named:
        again = dated_again(prepared, picture, room, outcomes, found_scope, found_symptom)
    if again is not None and (picture.onset is None or (doubts and amiss(picture, again))):  # known now, and so are the windows
        worked = work(prepared, laid(picture, again), say, 0)
        if picture.onset is None or worked.suspects.verdict != "no_change":
            return worked
        again = None  # between those windows nothing differs: it did not begin there
    if again is not None:
        picture = replace(picture, onset=again)
        room = replace(room, picture=picture)
        found_symptom = dated(found_symptom, picture, logged)
    if prepared.decisions.scope is not None and verdict.verdict != "no_change":
        found_scope = declared(prepared, picture, room.main, found_scope)
    said = prepared.decisions
    found_scope = counted(found_scope, prepared.share)
    found_suspects = suspects(room, outcomes, found_scope, found_symptom, verdict, said)
    earlier = first_of_version(prepared, picture, outcomes, found_symptom, found_suspects)
    if earlier is not found_symptom:
        found_symptom, found_suspects = earlier, suspects(room, outcomes, found_scope, earlier, verdict, said)
    newly = first_of_newcomers(prepared, picture, found_symptom, found_scope, found_suspects)
    if newly is not found_symptom and verdict.verdict == "incident" and not fixed:
        found_symptom, found_suspects = newly, suspects(room, outcomes, found_scope, newly, verdict, said)
    if not fixed:
        found_symptom = when_changed(found_symptom, found_suspects, changes)
        grown = since_logged(found_symptom, picture, found_suspects, changes)
        if grown is not found_symptom:
            found_symptom, found_suspects = grown, suspects(room, outcomes, found_scope, grown, verdict, said)
    return Worked(prepared, picture, room, outcomes, changes, found_signal, found_symptom, found_scope, found_suspects)


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


@one_thread
def finish(
    prepared: Prepared, worked: Worked, say: Progress = lambda _: None, budget: Budget | None = None
) -> Investigation:
    """Do steps 5 to 7, and put the whole together."""
    from rca_kit.loop.s5_samples.pull import pull_samples
    from rca_kit.loop.s6_simulate.simulate import simulate_case
    from rca_kit.loop.s7_settle import settle

    opened = prepared.case
    w = replace(worked, scope=in_metric(worked.scope, worked.prepared, worked.picture, worked.symptom.metric))
    say("samples")
    if w.suspects.verdict == "no_change":
        samples = Samples((), (), (), (), "", 0, "nothing happened")
    else:
        samples = pull_samples(
            w.prepared.frame,
            opened.roles,
            opened.positive,
            opened.task,
            w.picture.windows,
            w.scope,
            w.suspects,
            tuple(opened.case.incident.redact or ()),
            metric=w.symptom.metric,
        )
        samples = replace(samples, population=round(samples.population / w.prepared.share[1]))
    say("simulate")
    samples = tagged(samples, prepared.decisions)
    if budget is not None and budget.spent:
        simulation = Simulation((), (budget.left_out("simulation"),))
    else:
        simulation = simulate_case(opened, w.room.before, w.room.after, w.symptom, w.suspects, w.scope.segments)
    say("settle")
    facts = case_facts(opened, w.changes)
    settlement = settle(
        facts, w.signal, w.symptom, w.scope, w.suspects, samples, simulation, facts.slos, decision_table=prepared.decision_table
    )
    settlement = decided(settlement, prepared.decisions)
    return Investigation(
        facts,
        w.signal,
        w.symptom,
        w.scope,
        w.suspects,
        samples,
        simulation,
        settlement,
        tuple(dict.fromkeys((*opened.warnings, *w.signal.notes, *(budget.notes(w.suspects.verdict) if budget else ())))),
        Explorer(opened.predictions, w.picture, w.symptom.metric),
    )
