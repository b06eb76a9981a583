"""Whose rows tell the scope: the main metric's, or those that the leading suspect marks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rca_kit.findings.scope import Scope, Segment
from rca_kit.findings.symptom import Symptom
from rca_kit.loop.reading.picture import Picture
from rca_kit.loop.reading.prepare import Prepared
from rca_kit.loop.reading.repeats import repeats
from rca_kit.loop.s3_scope.arrived import brings_change
from rca_kit.loop.s3_scope.conditions import in_own_type
from rca_kit.loop.s3_scope.of_version import only_of_version, version_scope
from rca_kit.loop.s3_scope.pairs import beyond_the_range, grown_together, hit_in_a_range
from rca_kit.loop.s3_scope.ranges import among_features, between_cuts
from rca_kit.loop.s3_scope.search import (
    WHOLE,
    Badness,
    badness_of,
    badness_where,
    dimensions,
    flow_scope,
    scope,
)
from rca_kit.loop.s4_suspects import Outcome, Room, weigh_up
from rca_kit.loop.s4_suspects.checks.values import growth
from rca_kit.loop.s4_suspects.clue import Clue
from rca_kit.loop.s4_suspects.judged import judge
from rca_kit.loop.s4_suspects.room import numbers
from rca_kit.loop.s4_suspects.signatures import GROUP
from rca_kit.loop.s4_suspects.verdict import Verdict, spoilt_by
from rca_kit.stats.crowding import crowded

BESIDE_LEAST = 1.5  # z at which a version does worse than its neighbours
CAME = ("new_category", "renamed")  # signatures of values that were not there before: they are told in features too
MARKED_LEAST = 0.1  # part of a segment's rows that must bear the mark
# who sends requests is the scope, not whose requests do badly
MARKS_ROWS = ("null", "equal", "outside")  # conditions on single rows by which a clue marks what was spoilt
FLOWS = dict.fromkeys(("lost", "segment_lost"), "decrease") | dict.fromkeys(("duplicates", "surge", "segment_surge"), "increase")
SURE_CLUE, HARM_LEAST = 0.8, 0.1  # strength, and part of the metric's change, at which a consequence may tell the scope
MOST_IMPACT = 0.75  # part of the change below which each segment found holds only some of it, and a range may hold all
SCOPED_CLUE = 0.6  # strength from which a clue's own rows tell the scope better than the metric does


def scope_of(
    prepared: Prepared, picture: Picture, room: Room, outcomes: tuple[Outcome, ...], found: Symptom, verdict: Verdict
) -> Scope:
    """Scope by the main metric's rows or, where the leading suspect marks rows itself, by those; within it, by a range."""
    whole = _scope_of(prepared, picture, room, outcomes, found, verdict)
    if verdict.verdict != "incident" or len(whole.segments) != 1 or not prepared.at_hand:
        return whole
    schema, columns = dict(prepared.frame.collect_schema()), dimensions(prepared.aggregates.plan)
    clues = sorted((c for o in outcomes for c in o.clues if c.where and c.strength >= SCOPED_CLUE), key=lambda c: -c.strength)
    marks = [badness_where(c.where, schema) for c in clues if c.where and c.where["op"] in MARKS_ROWS]
    marks.append(badness_of(picture, room.main, schema))
    ranged = hit_in_a_range(picture, prepared.frame, columns, whole.segments[0], marks, room.main)
    spoilt = [c.subject.partition(":")[2] for c in spoilt_by(room, outcomes) if c.subject.startswith("feature:")]
    if ranged is whole.segments[0] or beyond_the_range(room, spoilt, whole.segments[0], ranged):
        return whole
    return replace(whole, segments=(ranged,))


def _scope_of(
    prepared: Prepared, picture: Picture, room: Room, outcomes: tuple[Outcome, ...], found: Symptom, verdict: Verdict
) -> Scope:
    if verdict.verdict == "no_change":
        return Scope(is_global=False, segments=(), metric=found.metric, because="Nothing moved.")
    schema = dict(prepared.frame.collect_schema())
    columns = dimensions(prepared.aggregates.plan)
    bad_row = badness_of(picture, room.main, schema)
    main = scope(picture, prepared.frame, bad_row, room.main, columns, min(prepared.share) < 1)
    if verdict.verdict == "benign_shift":
        shifted = grown(picture, outcomes, main)
        if prepared.at_hand:
            pairs = tuple(grown_together(picture, prepared.frame, columns, s) for s in shifted.segments)
            shifted = replace(shifted, segments=pairs)
        drifted = {c.subject for o in outcomes for c in o.clues if c.signature == "drift"}
        drifted.add(f"feature:{_column(picture, room.main)}")
        asked = _column(picture, room.main)
        return _crowded_range(room, drifted, asked, _where_it_moved(room, drifted, schema, shifted))
    hypotheses = weigh_up(room, outcomes, main, found)
    accused, _ = judge(hypotheses, prepared.decisions)
    best = next((j.best for j in accused if j.best is not None and not j.excluded), None)
    marked = (
        [c for c in best.clues if c.where and c.strength >= SCOPED_CLUE and (c.harm is None or c.harm >= HARM_LEAST)]
        if best
        else []
    )
    if best is not None and best.subject in ("population", "traffic"):
        marked += [
            c
            for o in outcomes
            for c in o.clues
            if c.where
            and c.strength >= SCOPED_CLUE
            and c not in marked
            and (
                c.signature == "segment_surge"
                or (c.signature == "new_category" and c.where["column"] in prepared.columns.segments)
            )
        ]
    rolling = next((c for c in best.clues if c.signature in ("version", "rerouted") and c.where), None) if best else None
    if rolling is not None and rolling.where and best and best.subject.startswith(("model:", "routing")):
        odd = any(c.signature == "score_function" and c.where == rolling.where for c in best.clues)  # it alone scores otherwise
        if odd or rolling.facts.get("side_by_side_z", BESIDE_LEAST) >= BESIDE_LEAST:
            return version_scope(prepared, picture, rolling, main, room.main)
        marked = []
    alone = next((c for c in best.clues if c.signature == "score_function" and c.where), None) if best else None
    if alone is not None and rolling is None:  # one that served all along scores otherwise, and those beside it do not
        return version_scope(prepared, picture, alone, main, room.main)
    if (
        best is not None and not marked and rolling is None
    ):  # the cause marks no rows itself, its consequence does: nulls behind cache misses
        marked = [
            c
            for o in outcomes
            for c in o.clues
            if c.where
            and c.strength >= SURE_CLUE
            and (c.harm or 0.0) >= HARM_LEAST
            and GROUP[c.signature] in ("missing", "broken")
        ]
    told = {c.subject.partition(":")[2] for o in outcomes for c in o.clues if c.subject.startswith("feature:")}
    flow = next((f for c in (best.clues if best else ()) if (f := _flow(c)) is not None), None)
    if flow is None and not marked and room.main in picture.series and picture.series[room.main].family in ("volume", "mix"):
        flow = FLOWS["lost" if any(c.signature == "segment_lost" for o in outcomes for c in o.clues) else "surge"]
    if flow is not None:
        doubled = best is not None and any(c.signature == "duplicates" for c in best.clues)
        again = (room.repeats or repeats(prepared, picture, asked=True)) if doubled else None
        whose = again.whose() if again is not None else None  # the rows themselves tell it, whatever else grew
        if whose is not None:
            return replace(main, is_global=False, segments=(_named_segment(picture, *whose),), because="")
        carried = flow_scope(picture, prepared.frame, columns, flow)
        if carried.segments:
            return replace(carried, singles=main.singles, metric=main.metric)
    for clue in sorted(marked, key=lambda c: -c.strength):
        assert clue.where is not None
        if clue.signature == "new_category" and clue.where["column"] not in columns:  # of a feature: who sends it?
            bad = badness_where(clue.where, schema)
            senders = scope(picture, prepared.frame, bad, room.main, [q for q in columns if q != clue.where["column"]])
            if not senders.is_global and all((x.after or 0.0) >= MARKED_LEAST for x in senders.segments):
                return replace(senders, singles=main.singles, metric=main.metric)
        if clue.signature in ("segment_lost", "segment_surge", "new_category"):
            column, alike = clue.where["column"], [c.where for c in marked if c.signature == clue.signature and c.where]
            named = list(dict.fromkeys(w["values"][0] for w in alike if w["column"] == column))
            return replace(main, is_global=False, segments=(_named_segment(picture, column, named),), because="")
        if clue.signature == "mix" and main.is_global and (own := _brought(prepared, picture, outcomes, bad_row, columns)):
            return replace(main, is_global=False, segments=(own,), because="")
        if not main.is_global and _holds(main, clue.where.get("segment", {})):
            return main  # the clue was asked about in one segment, and the metric tells of more like it
        if clue.where["op"] == "segment":  # what moved inside it marks no single rows
            there = {k: in_own_type(v, schema[k]) for k, v in clue.where["segment"].items()}
            return replace(main, is_global=False, segments=(Segment(where=there),), because="")
        if clue.signature == "mix" and not main.is_global:
            continue  # it tells who came more often, the metric's own rows whose requests got worse
        bad = badness_where(clue.where, schema)
        if bad is not None:
            if clue.where["op"] == "threshold":
                bad = between_cuts(picture, prepared.frame, bad, clue.where["score"], schema)
            sharper = scope(picture, prepared.frame, bad, room.main, [q for q in columns if q != clue.where["column"]])
            if any((x.after or 0.0) < MARKED_LEAST for x in sharper.segments):
                continue  # too few rows inside bear the mark for it to draw the border
            one_name = clue.signature == "renamed" and len(clue.where.get("values", ())) == 1  # one value of an input, spelt anew
            told_apart = clue.where["op"] == "in" and (clue.where["column"] in columns or one_name)
            if sharper.is_global and told_apart and (clue.share or 1.0) < WHOLE:
                own_value = _named_segment(picture, clue.where["column"], [str(v) for v in clue.where["values"]])
                return replace(main, is_global=False, segments=(own_value,), because="")  # the mark is itself a value to slice by
            if sharper.is_global and (own := only_of_version(prepared, picture, outcomes, bad)) is not None:
                return replace(main, is_global=False, segments=(own,), because="")
            if sharper.is_global:
                sharper = among_features(picture, prepared.frame, bad, room.main, {*columns, *told}) or sharper
            return replace(sharper, singles=main.singles, metric=main.metric)
    if main.is_global and best is not None:
        main = _where_it_moved(room, {best.subject}, schema, main)
    if main.is_global:
        brought = _brought(prepared, picture, outcomes, bad_row, columns)
        if brought is not None:
            return replace(main, is_global=False, segments=(brought,), because="")
    partly = max((s.share_of_impact or 0.0 for s in main.segments), default=0.0) < MOST_IMPACT
    if (main.is_global or partly) and not marked:
        ranged = among_features(picture, prepared.frame, bad_row, room.main, {*columns, *told})
        return replace(ranged, singles=main.singles) if ranged else main
    return main


def _flow(clue: Clue) -> str | None:
    """Which way a clue says that the number of requests went."""
    return "decrease" if clue.facts.get("dropped", 0.0) > 0 else FLOWS.get(clue.signature)


def _holds(found: Scope, where: dict[str, str]) -> bool:
    """Whether a scope's segment lists the values of a smaller one among its own."""

    def among(value: str, condition: Any) -> bool:
        return value in [str(x) for x in (condition if isinstance(condition, list) else [condition])]

    held = [all(among(v, s.where[k]) for k, v in where.items()) for s in found.segments if set(s.where) == set(where)]
    return bool(where) and any(held)


def _brought(
    prepared: Prepared, picture: Picture, outcomes: tuple[Outcome, ...], bad: Badness | None, columns: list[str]
) -> Segment | None:
    """The value that became frequent and brought the metric's change with it."""
    came = [
        c
        for o in outcomes
        for c in o.clues
        if c.signature in ("mix", "new_category", "segment_surge") and c.where and c.where.get("grown", True)
    ]
    for clue in sorted(came, key=lambda c: -c.strength) if bad is not None else ():
        assert clue.where is not None and bad is not None
        column, value = clue.where["column"], str(clue.where["values"][0])
        if column in columns and brings_change(picture, prepared.frame, bad, column, value):
            return _named_segment(picture, column, [value])
    return None


def _column(picture: Picture, metric: str) -> str:
    return (picture.series[metric].column if metric in picture.series else None) or ""


def _where_it_moved(room: Room, subjects: set[str], schema: dict[str, Any], found: Scope) -> Scope:
    """A global scope becomes the one segment that the accused feature moved in, where it held still everywhere else."""
    told = [here for column, here in room.inside.items() if f"feature:{column}" in subjects]
    if not found.is_global or not told:
        return found
    where = {k: in_own_type(v, schema[k]) for k, v in max(told, key=lambda i: (i.z, str(i))).where.items()}
    return replace(found, is_global=False, segments=(Segment(where=where),), because="")


def _crowded_range(room: Room, subjects: set[str], asked: str, found: Scope) -> Scope:
    """A global scope, or one of something else than was asked about, becomes the range of a number that alone became frequent."""
    if not found.is_global and (f"feature:{asked}" not in subjects or any(asked in s.where for s in found.segments)):
        return found
    names = [asked] if not found.is_global else sorted(s.partition(":")[2] for s in subjects)
    told = []
    for name in names:
        if name in room.columns.features and room.before.schema[name].is_numeric() and name not in room.clocks:
            more = crowded(numbers(room.before, name), numbers(room.after, name), room.clumps.get(name, 1.0))
            if more is not None and more.after * growth(room) > more.before:  # else the others are missing
                told.append((more.after - more.before, name, more))
    if not told:
        return found
    _, name, more = max(told, key=lambda t: (t[0], t[1]))
    bounds = {op: x for op, x in (("ge", more.low), ("lt", more.high)) if x is not None}
    segment = Segment(where={name: bounds}, before=more.before, after=more.after)
    return replace(found, is_global=False, segments=(segment,), because="")


def grown(picture: Picture, outcomes: tuple[Outcome, ...], main: Scope) -> Scope:
    """Name the segment that grew, for a benign shift."""
    clues = [
        c
        for o in outcomes
        for c in o.clues
        if c.signature in ("mix", "segment_surge", *CAME) and c.where and c.where.get("grown", True)
    ]
    kept = picture.aggregates.plan.columns.segments
    plans = {p.column: p for p in (*picture.aggregates.plan.features, *picture.aggregates.plan.segments)}
    clues = [c for c in clues if c.where and (c.where["column"] in kept or (c.signature in CAME and c.where["column"] in plans))]
    if not clues:
        return Scope(
            is_global=True, segments=(), metric=main.metric, because="The shift is not one segment's.", singles=main.singles
        )
    best = max(clues, key=lambda c: (c.strength * (c.share or 0.0), c.says))
    assert best.where is not None
    column, values = best.where["column"], best.where["values"]
    named = [plans[column].values.get(v, v) for v in (values if best.signature == "renamed" else values[:1])]
    segment = Segment(
        where={column: named[0] if len(named) == 1 else named},
        share_of_traffic=None,
        before=best.facts.get("before"),
        after=best.facts.get("before", 0.0) + best.facts.get("change", 0.0),
    )
    return Scope(is_global=False, segments=(segment,), metric=main.metric, singles=main.singles)


def _named_segment(picture: Picture, column: str, values: list[str]) -> Segment:
    plan = next(p for p in (*picture.aggregates.plan.segments, *picture.aggregates.plan.features) if p.column == column)
    typed = [plan.values.get(v, v) for v in values]
    return Segment(where={column: typed[0] if len(typed) == 1 else typed})
