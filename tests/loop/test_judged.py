"""What people say about suspects, on hypotheses made by hand: excluded, confirmed, own evidence; and words of the next test."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest

from rca_kit.case.decisions import Decisions, Mark, OwnEvidence
from rca_kit.loop.s4_suspects import _by_category
from rca_kit.loop.s4_suspects.hypotheses import Hypothesis
from rca_kit.loop.s4_suspects.judged import STILL_RIGHT, judge
from rca_kit.loop.s4_suspects.ledger import LAPSE, weight
from rca_kit.loop.s4_suspects.next_test import next_test, refuted_by

UNIT = "sign:nulls"  # any name of evidence: its weight only sets the scale


def hypothesis(subject, score, category="data", change=None):
    fit = SimpleNamespace(change=SimpleNamespace(id=change, description="d")) if change else None
    x = {UNIT: score / weight(UNIT)} if weight(UNIT) else {}
    return Hypothesis(category, subject, fit, (), x)


FOUND = [hypothesis("feature:a", 6.0), hypothesis("feature:b", 3.0, "code"), hypothesis("", 0.0, "")]


A, B = "subject:feature:a", "subject:feature:b"


def decided(marks=(), evidence=()):
    return Decisions(marks={m.key: m for m in marks}, evidence=tuple(evidence))


def mark(key, what):
    return Mark(key, what, "", "ana", None)


def test_the_scale_of_these_tests_is_real():
    assert weight(UNIT) > 0


def test_excluding_weighs_again_without_it_and_leaves_more_for_the_unlogged():
    before, other = judge(FOUND)
    assert [j.key for j in before] == [A, B] and other == pytest.approx(LAPSE, abs=0.01)
    after, left = judge(FOUND, decided([mark(A, "excluded")]))
    second = next(j for j in after if j.key == B)
    gone = next(j for j in after if j.key == A)
    assert gone.excluded and gone.probability == 0.0 and after[0] is second
    assert 0.5 < second.probability < STILL_RIGHT
    assert left == pytest.approx(1 - second.probability)
    both, all_left = judge(FOUND, decided([mark(A, "excluded"), mark(B, "excluded")]))
    assert all(j.excluded for j in both) and all_left == pytest.approx(1.0)


def test_own_evidence_moves_the_odds_by_what_was_said_and_confirmed_leads():
    before, _ = judge(FOUND)
    odds = {j.key: j.probability / (1 - j.probability) for j in before}
    after, _ = judge(FOUND, decided(evidence=[OwnEvidence(B, "seen", 2.0, "ana")]))
    b = next(j.probability for j in after if j.key == B)
    assert b / (1 - b) == pytest.approx(odds[B] * math.exp(2.0))
    led, _ = judge(FOUND, decided([mark(B, "confirmed")]))
    assert led[0].key == B and led[0].probability > 0.8


def test_categories_sum_to_one_at_most_whatever_was_decided():
    # the change for a second reason is no suspect of its own: its category must not gain when the first reason is confirmed
    found = [hypothesis("feature:a", 6.0, "code", "c1"), hypothesis("feature:a", 5.0, "infra", "c1"), *FOUND[1:]]
    key = next(j.key for j in judge(found)[0] if "c1" in j.key)
    shares = {}
    for what in ("", "confirmed", "excluded"):
        judged, left = judge(found, decided([mark(key, what)] if what else []))
        shares[what] = _by_category(found, judged, left)
        assert sum(shares[what].values()) <= 1 + 1e-9
    assert shares[""]["code"] > shares[""]["infra"] > 0.03
    assert shares["confirmed"]["code"] > 0.99 and shares["confirmed"]["infra"] < 0.01
    assert shares["excluded"]["infra"] == 0.0 and shares["excluded"]["code"] < STILL_RIGHT


def test_nobody_is_told_to_undo_what_the_world_did():
    ours, theirs = hypothesis("feature:a", 1, "config", "c1"), hypothesis("feature:a", 1, "config", "c2")
    assert next_test(ours, theirs).startswith("undo c1 alone") and "is undone" in refuted_by(ours)
    for category in ("external", "upstream"):
        event, unlogged = hypothesis("population", 1, category, "c3"), hypothesis("population", 1, category)
        for words in (next_test(event, unlogged), next_test(unlogged, event), refuted_by(event)):
            assert "undo" not in words and "undone" not in words
        assert "c3" in next_test(event, unlogged)
