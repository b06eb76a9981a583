from __future__ import annotations

from datetime import UTC, datetime

import pytest

from rca_kit.views.comms import STATES, find_blame, stakeholder_update, status_update
from rca_kit.views.example import example


@pytest.mark.parametrize(
    "text",
    [
        "This was human error.",
        "The on-call engineer forgot to run the test.",
        "It was Bob's team, they are to blame.",
        "A careless deploy.",
        "They should have known better.",
        "The reviewer failed to notice the flag.",
        "A mistake by the release manager.",
        "Obviously the key was wrong.",
        "They could have prevented it.",
        "Retrain the staff.",
        "She simply had to look.",
        "It is Bob's fault, restart everything.",
    ],
)
def test_blame_is_found_with_a_reason(text):
    found = find_blame(text)
    assert found and all(b.reason and b.instead for b in found)
    assert text[found[0].start :].startswith(found[0].words)


@pytest.mark.parametrize(
    "text",
    [
        "The feature store was read with new keys, but written with old ones.",
        "No contract test covers the key format.",
        "The pod failed to start after the roll-out.",
        "Blameless review on Friday.",
        "The default fault tolerance is 3 replicas.",
        "Users could have seen slower answers.",
        "Just over 31% of requests.",
        "It was nobody's fault.",
        "The request errored out; error of 3 points.",
    ],
)
def test_plain_facts_pass(text):
    assert find_blame(text) == ()


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("kind", ["incident", "quiet", "benign"])
def test_our_own_updates_hold_no_blame_and_the_status_page_no_internals(state, kind):
    inv = example(kind)
    now = datetime(2026, 3, 2, 15, tzinfo=UTC)
    public, inside = status_update(inv, state=state, now=now), stakeholder_update(inv, state=state, now=now)
    assert find_blame(public) == () and find_blame(inside) == ()
    for internal in ("chg-", "device_type", "feature-store", "v3", "AUC"):
        assert internal not in public
    if kind == "incident" and state != "resolved":
        assert "Next update:** 2026-03-02 15:30 UTC" in public and "not known yet" in public
        assert "SEV2" in inside and "Roll back" in inside


def test_hostile_text_stays_text(hostile):
    for text in (status_update(hostile), stakeholder_update(hostile)):
        assert "<img" not in text and "<script" not in text and "@everyone" not in text


def test_unknown_state_is_refused(inv):
    with pytest.raises(ValueError, match="expected one of"):
        status_update(inv, state="fixed")
