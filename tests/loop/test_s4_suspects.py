"""Step 4: the change log as evidence, single checks on small made logs, and the ledger."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache

import pytest

from rca_kit.findings.scope import Segment
from rca_kit.findings.suspects import CATEGORIES, Suspects
from rca_kit.loop.s2_symptom import symptom
from rca_kit.loop.s3_scope.search import badness_of, scope
from rca_kit.loop.s4_suspects import run_checks, suspects, weigh_up
from rca_kit.loop.s4_suspects.changes import TIME_RANGE, mentions, parse_scope, scope_fit, time_ratio
from rca_kit.loop.s4_suspects.clue import Clue, Outcome
from rca_kit.loop.s4_suspects.hypotheses import CATEGORIES_OF
from rca_kit.loop.s4_suspects.ledger import evidence, probabilities
from rca_kit.loop.s4_suspects.room import Room
from rca_kit.loop.s4_suspects.verdict import decide
from rca_kit.sources import to_lazy

from . import made

WEEK = 7 * 24 * 60.0
SPAN = (made.ONSET - timedelta(minutes=5), made.ONSET + timedelta(minutes=5))
ALERTS = {"nulls": "null_rate:amount", "errors": "error_rate", "threshold": "recall"}


@lru_cache(maxsize=16)
def laid_out(fault: str) -> tuple[Room, tuple[Outcome, ...]]:
    near = made.change(-5, text="unit of amount", key="near")
    changes = (near, made.change(-2900, "campaign", "ads", "spring sale", key="far"))
    room = made.room(fault, ALERTS.get(fault, "auc"), changes)
    return room, run_checks(room)


def ranked(fault: str) -> Suspects:
    room, outcomes = laid_out(fault)
    lazy = to_lazy(made.log(fault))
    found = symptom(room.picture, room.main, [(c.id, c.time) for c in room.changes])
    where = scope(room.picture, lazy, badness_of(room.picture, room.main, dict(lazy.collect_schema())), room.main, ())
    return suspects(room, outcomes, where, found, decide(room, outcomes))


def ratio(minutes: float, span: float = WEEK) -> float:
    return time_ratio(made.ONSET + timedelta(minutes=minutes), SPAN, span)[0]


def test_nearer_changes_are_guiltier_and_late_notices_still_count() -> None:
    assert ratio(0) == max(ratio(m) for m in range(-600, 600, 20))
    assert ratio(0) > ratio(-60) > ratio(-600) > ratio(-4000)
    assert ratio(0) > ratio(30) > ratio(600)
    assert ratio(-60) > ratio(60), "causes come before their effect more often than they are written down after it"
    assert all(TIME_RANGE[0] <= ratio(m) <= TIME_RANGE[1] for m in (-10**6, -60, 0, 60, 10**6))


def test_minutes_are_counted_from_the_interval() -> None:
    assert time_ratio(made.ONSET, SPAN, WEEK)[1] == 0
    assert time_ratio(made.ONSET - timedelta(minutes=25), SPAN, WEEK)[1] == 20
    assert time_ratio(made.ONSET + timedelta(minutes=25), SPAN, WEEK)[1] == -20


def test_a_wide_onset_interval_makes_nearness_worth_less() -> None:
    wide = (made.ONSET - timedelta(hours=12), made.ONSET + timedelta(hours=12))
    assert time_ratio(made.ONSET, wide, WEEK)[0] < ratio(0)


@pytest.mark.parametrize(("text", "expected"), [
    ("country=DE;device=android", {"country": {"DE"}, "device": {"android"}}), ("os=ios|android", {"os": {"ios", "android"}}),
    ("", {}), ("everybody", {}), (" a = x , y ", {"a": {"x", "y"}})])
def test_scopes_are_read(text: str, expected: dict[str, set[str]]) -> None:
    assert parse_scope(text) == expected


@pytest.mark.parametrize(("text", "where", "expected"), [
    ("device=android", {"device": "android"}, "match"), ("device=ios", {"device": "android"}, "clash"),
    ("", {"device": "android"}, "silent"),
    ("device=ios|android", {"device": ["android", None]}, "match"), ("country=DE", {"device": "android"}, "narrow"),
    ("tier=3", {"tier": 3}, "match")])
def test_scope_fit(text: str, where: dict[str, object], expected: str) -> None:
    assert scope_fit(text, (Segment(where),)) == expected


def test_a_scoped_change_cannot_explain_a_global_symptom() -> None:
    assert scope_fit("device=ios", ()) == "narrow"


@pytest.mark.parametrize(("subject", "expected"), [
    ("feature:device_type", True), ("feature:device", True), ("feature:evice", False), ("component:feature-store", True),
    ("feature:amount", False), ("label", False), ("feature:feat_deviceTypes", True), ("feature:feat_amount", False)])
def test_mentions_needs_whole_words(subject: str, expected: bool) -> None:
    assert mentions(made.change(text="New key for Device_Type"), subject) is expected


@pytest.mark.parametrize(("fault", "check", "subject", "signature"), [
    ("nulls", "null_rate", "feature:amount", "nulls"), ("unit", "value_range", "feature:amount", "unit"),
    ("renamed", "categories", "feature:city", "renamed"), ("threshold", "threshold", "threshold", "threshold")])
def test_a_check_finds_its_fault_and_only_its_subject(fault: str, check: str, subject: str, signature: str) -> None:
    _, outcomes = laid_out(fault)
    mine = next(o for o in outcomes if o.code == check)
    assert [(c.subject, c.signature) for c in mine.clues] == [(subject, signature)]
    assert 0 < mine.clues[0].strength <= 1
    assert mine.status == "found"
    assert mine.clues[0].says


def test_nulls_say_how_many_and_where() -> None:
    _, outcomes = laid_out("nulls")
    (clue,) = next(o for o in outcomes if o.code == "null_rate").clues
    assert clue.share == pytest.approx(0.2, abs=0.04)
    assert clue.where == {"column": "amount", "op": "null"}


def test_new_errors_are_named() -> None:
    _, outcomes = laid_out("errors")
    (mine,) = [o for o in outcomes if any(c.signature.startswith("error:") for c in o.clues)]
    assert any("upstream timeout" in c.says for c in mine.clues)


def test_a_changed_scorer_is_seen_by_the_surrogate() -> None:
    _, outcomes = laid_out("scores")
    assert next(o for o in outcomes if o.code == "score_function").status == "found"
    _, quiet = laid_out("none")
    assert next(o for o in quiet if o.code == "score_function").status == "clear"


def test_a_quiet_log_gives_no_clue_and_no_suspect() -> None:
    room, outcomes = laid_out("none")
    assert [c.says for o in outcomes for c in o.clues] == []
    assert decide(room, outcomes).verdict == "no_change"
    found = ranked("none")
    assert found.items == ()
    assert found.unexplained == 1.0
    assert {c.status for c in found.categories} <= {"excluded", "not_tested"}


@pytest.mark.parametrize("fault", ["none", "nulls", "unit", "errors"])
def test_every_check_is_found_clear_or_says_why_not(fault: str) -> None:
    _, outcomes = laid_out(fault)
    assert len({o.code for o in outcomes}) == len(outcomes)
    for o in outcomes:
        assert o.category in CATEGORIES
        assert o.clues or o.clear or o.not_applicable
        assert all(c.signature in CATEGORIES_OF and 0 <= c.strength <= 1 for c in o.clues)


@pytest.mark.parametrize(("fault", "subject"), [
    ("nulls", "feature:amount"), ("unit", "feature:amount"), ("renamed", "feature:city"), ("threshold", "threshold")])
def test_the_broken_thing_leads_and_probabilities_leave_room_for_the_unlogged(fault: str, subject: str) -> None:
    found = ranked(fault)
    assert found.verdict == "incident"
    assert found.items[0].subject == subject
    assert found.items[0].change_id in ("near", None)
    assert sum(s.probability for s in found.items) + found.unexplained == pytest.approx(1.0)
    assert found.unexplained > 0
    assert [s.rank for s in found.items] == list(range(1, len(found.items) + 1))
    assert {c.category for c in found.categories} == set(CATEGORIES)
    assert next(c.status for c in found.categories if c.category == found.items[0].category) == "supported"
    for s in found.items:
        assert s.next_test
        assert s.evidence
        assert all(e.supports == (e.weight >= 0) for e in s.evidence)
        assert all(e.says for e in s.evidence)


def test_the_ledger_is_a_distribution_whose_last_entry_is_the_unlogged() -> None:
    room, outcomes = laid_out("unit")
    found = symptom(room.picture, room.main)
    where = scope(room.picture, to_lazy(made.log("unit")), None, room.main, ())
    hypotheses = weigh_up(room, outcomes, where, found)
    p = probabilities(hypotheses)
    assert p.sum() == pytest.approx(1.0)
    assert (p > 0).all()
    assert hypotheses[-1].subject == ""
    keys = [(h.category, h.subject, h.fit.change.id if h.fit else None) for h in hypotheses]
    assert len(set(keys)) == len(keys)
    blamed = next(h for h in hypotheses if h.fit is not None and h.fit.change.id == "near")
    assert any(("near" in e.says and "min before" in e.says) or "inside the onset" in e.says for e in evidence(blamed))
    unlogged = next(h for h in hypotheses[:-1] if h.fit is None)
    assert any("no logged change" in e.says for e in evidence(unlogged))


def test_no_clue_leaves_only_the_unlogged() -> None:
    room, _ = laid_out("unit")
    found = symptom(room.picture, room.main)
    where = scope(room.picture, to_lazy(made.log("unit")), None, room.main, ())
    assert probabilities(weigh_up(room, (), where, found)).tolist() == [1.0]


def test_an_outcome_knows_its_status() -> None:
    clue = Clue("x", "label", "labels_lost", "labels are lost", 0.5)
    assert Outcome("x", "t", "data", "free", (clue,)).status == "found"
    assert Outcome("x", "t", "data", "free", clear="fine").status == "clear"
    assert Outcome("x", "t", "data", "free", not_applicable="no labels").status == "not_applicable"
