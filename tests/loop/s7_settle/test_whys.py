from __future__ import annotations

import pytest

from rca_kit.findings.settlement import Why
from rca_kit.findings.suspects import CATEGORIES
from rca_kit.loop.s7_settle.whys import CONTROLS, PEOPLE, PROCESS, check_whys, draft_whys

CHAIN = ("auc fell from 0.861 to 0.779", "device_type is null for 18% of requests", "the cache misses 40% of lookups",
         "chg-1 switched reads to a new key format")
GOOD = [Why("Why did auc fall?", "device_type was null for 18% of requests", "null_rate check"),
        Why("Why was it null?", "reads used a new key format that nothing had written", "chg-1"),
        Why("Why did that reach users?", "No contract test compares keys of reads and writes", "")]


def test_the_chain_becomes_whys_that_end_at_a_control(f):
    whys = draft_whys(f.facts(suspects=(f.suspect("config", "feature:device_type", chain=CHAIN),)))
    assert 3 <= len(whys) <= 5
    assert whys[0].question == "Why: auc fell from 0.861 to 0.779?"
    assert any("key format" in w.answer for w in whys)
    assert PROCESS.search(whys[-1].answer)
    assert check_whys(whys) == ()


@pytest.mark.parametrize("n", range(7))
@pytest.mark.parametrize("category", CATEGORIES)
def test_every_draft_passes_its_own_check(f, category, n):
    words = ("auc", "ranking", "cache", "queue", "disk", "quota", "limit")
    links = tuple(f"{word} went wrong in a way seen here" for word in words[:n])
    whys = draft_whys(f.facts(suspects=(f.suspect(category, "component:store", chain=links),)))
    assert len(whys) <= 5
    assert [p for p in check_whys(whys) if p.code != "evidence"] == []


def test_controls_blame_nobody_and_name_processes():
    for pair in CONTROLS.values():
        for text in pair:
            assert not PEOPLE.search(text)
            assert PROCESS.search(text)


def test_nothing_to_ask_without_an_incident(f):
    assert draft_whys(f.facts(verdict="benign_shift")) == ()
    assert draft_whys(f.facts(suspects=())) == ()


def test_good_whys_pass():
    assert check_whys(GOOD) == ()


@pytest.mark.parametrize(("answer", "code"), [
    ("An engineer forgot to run the whole test suite", "person"), ("Human error during the rollout of the flag", "person"),
    ("The team did not check the dashboards in time", "person"), ("The on-call ignored the page for an hour", "person"),
    ("The latency of the service was too high", "symptom"),
    ("The check-out page is not loading at all", "symptom"), ("cache broken", "short"),
    ("device_type was null for 18% of requests", "repeat"),
])
def test_bad_last_links_are_named(answer, code):
    assert code in [p.code for p in check_whys([*GOOD[:2], Why("Why?", answer, "")])]


@pytest.mark.parametrize("answer", [
    "The operator of the cluster had no runbook for this", "The team's release has no canary step",
    "Nothing alerts on queue depth before time-outs begin, since no monitor exists",
])
def test_people_in_a_process_are_not_blame(answer):
    assert "person" not in [p.code for p in check_whys([*GOOD[:2], Why("Why?", answer, "")])]


def test_empty_and_unproved():
    assert [p.code for p in check_whys([])] == ["few"]
    bare = [Why(w.question, w.answer, "") for w in GOOD]
    assert [p.code for p in check_whys(bare)] == ["evidence"]
