from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from rca_kit.errors import BadInput
from rca_kit.views.documents.tabletop import LENGTHS, ROLES, _told, injects
from rca_kit.views.documents.tabletop_session import TabletopSession, panel
from rca_kit.views.example import example

START = datetime(2026, 4, 1, 9, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def at(self, minute: float) -> None:
        self.now = START + timedelta(minutes=minute)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def session(tmp_path, clock):
    return TabletopSession(tmp_path, example(), 45, clock)


def test_every_inject_goes_to_a_role_and_says_what_to_listen_for():
    roles = {r for r, _ in ROLES}
    for told in _told():
        assert told["role"] in roles and told["listen_for"] and told["ask"].endswith(("?", "."))
        assert set(told["at"]) <= set(LENGTHS)
        assert all(at < length - 10 for length, at in told["at"].items())
    assert {i.role for i in injects(example(), 60)} >= {"incident commander", "operations", "ML owner", "communications"}


def test_injects_fall_due_by_the_clock(session, clock):
    assert session.due() == () and session.minute is None
    session.begin()
    assert [i.minute for i in session.due()] == [0]
    clock.at(13)
    assert [i.id for i in session.due()][-1] == "log"
    clock.at(44)
    assert len(session.due()) == len(session.injects)


def test_decisions_are_kept_with_role_minute_and_inject(session, clock, tmp_path):
    with pytest.raises(BadInput, match="not begun"):
        session.decide("IC", "look")
    session.begin()
    clock.at(18)
    session.decide("Ops", "roll back the key format for Android only")
    again = TabletopSession(tmp_path, example(), 45, clock)  # the kernel died
    kept = [e for e in again.entries() if e.kind == "decision"]
    assert [(e.data["role"], e.data["minute"], e.data["inject"]) for e in kept] == [("operations", 18.0, "scope")]
    lines = (tmp_path / "tabletop" / "journal.jsonl").read_text().splitlines()
    again.begin()
    assert (tmp_path / "tabletop" / "journal.jsonl").read_text().splitlines()[: len(lines)] == lines  # only ever appended to
    assert [e.kind for e in again.entries()] == ["tabletop"]


@pytest.mark.parametrize("bad", [("Boss", "x"), ("Ops", "  ")])
def test_bad_decisions_are_refused(session, bad):
    session.begin()
    with pytest.raises(BadInput):
        session.decide(*bad)


def test_debrief_says_who_was_silent_what_was_missed_and_who_does_what(session, clock):
    session.begin()
    clock.at(3)
    session.decide("IC", "declare SEV2, Ops looks at counts")
    clock.at(20)
    session.decide("ML owner", "the new model <b>v3</b> was obviously bad")
    session.point("Scope", "asked who is spared")
    session.action("alert on null rate", owner="ana", due="2026-05-15")
    with pytest.raises(BadInput, match="is no date"):
        session.action("x", owner="y", due="soon")
    with pytest.raises(BadInput, match="no such step"):
        session.point("Scoop")
    page = session.debrief()
    text = page.to_markdown()
    assert "1 of 7 points" in text and "first decision came at minute 3" in text
    assert "Without a noted decision: operations, communications" in text
    assert "alert on null rate" in text and "2026-05-15" in text and date.fromisoformat("2026-05-15")
    assert "obviously" in text and "leave it out" in text
    assert "<b>v3" not in page.to_html()
    assert page.parts[-2].title == "What it was" and page.parts[-1].title == "Wording"


def test_an_unattended_run_leaves_no_folder(session, tmp_path):
    assert "not begun" in repr(session) and not (tmp_path / "tabletop").exists()
    assert "0 decisions" in session.debrief().lead


def test_panel_is_thin(session, clock):
    box = panel(session)
    box.note.click()
    assert "needs words" in box.said.value or "not begun" in box.said.value
    box.begin.click()
    clock.at(5)
    box.text.value = "look at counts"
    box.note.click()
    assert "noted at minute 5.0" in box.said.value and [e.text for e in session.entries()][-1] == "look at counts"
    assert "<li>" in box.told.value
