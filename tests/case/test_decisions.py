"""What people decided, read off a journal: the last word counts, and nothing in it can stop an investigation."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rca_kit.case.decisions import _READERS, NOTHING, read_decisions
from rca_kit.case.journal import Journal, JournalEntry

NOW = datetime(2026, 3, 2, tzinfo=UTC)


def entry(kind: str, text: str = "", author: str = "ana", **data: object) -> JournalEntry:
    return JournalEntry(NOW, author, kind, text, dict(data))


def test_an_empty_journal_decides_nothing(tmp_path):
    assert read_decisions(Journal(tmp_path).entries()) == NOTHING


def test_the_last_mark_counts_and_can_be_taken_back():
    found = read_decisions([
        entry("confirmed", "seen", subject="feature:a"),
        entry("excluded", "no, it was not", subject="feature:a"),
        entry("excluded", "rolled back", change_id="c1", subject="model:v3"),
    ])
    assert {k: m.mark for k, m in found.marks.items()} == {"subject:feature:a": "excluded", "change:c1": "excluded"}
    again = read_decisions([entry("excluded", "x", subject="feature:a"), entry("unmarked", subject="feature:a")])
    assert again.marks == {}


def test_windows_are_utc_and_in_order_or_not_taken():
    good = entry("windows", before=["2026-03-01T00:00", "2026-03-01T12:00"], after=["2026-03-01T14:00+01:00", "2026-03-02T00:00"])
    found = read_decisions([good])
    assert found.windows == (
        (datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 1, 12, tzinfo=UTC)),
        (datetime(2026, 3, 1, 13, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC)),
    )
    backwards = entry("windows", before=["2026-03-02T00:00", "2026-03-03T00:00"], after=["2026-03-01T00:00", "2026-03-02T00:00"])
    assert read_decisions([good, backwards]).windows == found.windows
    assert read_decisions([good, entry("windows", before=None)]).windows is None


def test_own_suspects_evidence_actions_and_texts():
    found = read_decisions([
        entry("suspect", "Neighbour ate the memory", category="infra", subject="component:node"),
        entry("evidence", "seen in the graphs", subject="component:node", weight=1),
        entry("evidence", "no", subject="component:node", weight=float("inf")),
        entry("action", "Set a limit", id="a1", owner="bo", due="2026-04-01"),
        entry("action", "Set a hard limit", id="a1", owner="cy"),
        entry("timeline", "paged", id="m1", at="2026-03-01T10:00:00Z"),
        entry("whys", whys=[{"question": "Why?", "answer": "Because"}, {"question": " ", "answer": ""}]),
        entry("severity", "many", level="SEV1"), entry("severity", "typo", level="SEV9"),
        entry("check", "done it", list="Triage", line="x", state="done"),
        entry("message", "We are on it", audience="status page"), entry("tag", row="r1", tag="typical"),
    ])
    assert found.suspects["subject:component:node"].title == "Neighbour ate the memory"
    assert [e.weight for e in found.evidence] == [1.0]
    assert (found.actions["a1"].text, found.actions["a1"].owner, found.actions["a1"].due) == ("Set a hard limit", "cy", "")
    assert found.moments["m1"].at == datetime(2026, 3, 1, 10, tzinfo=UTC)
    assert found.whys == (("Why?", "Because", ""),)
    assert (found.severity.value, found.severity.reason) == ("SEV1", "many")
    assert found.checks[("Triage", "x")].value == "done"
    assert found.messages["status page"].value == "We are on it" and found.tags["r1"].value == "typical"


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5),
                    lambda s: st.lists(s, max_size=3) | st.dictionaries(st.text(max_size=5), s, max_size=3), max_leaves=5)
KEYS = st.sampled_from(["subject", "change_id", "before", "after", "where", "segments", "weight", "id", "at", "whys", "level",
                        "state", "list", "line", "audience", "row", "tag", "category"])


@given(kind=st.sampled_from(sorted(_READERS)), text=st.text(max_size=5), data=st.dictionaries(KEYS, JSON, max_size=6))
def test_no_entry_can_stop_it(kind, text, data):
    read_decisions([JournalEntry(NOW, "x", kind, text, data)])


@pytest.mark.parametrize("kind", ["note", "decision", "anything"])
def test_other_kinds_are_notes(kind):
    assert read_decisions([entry(kind, "hello", subject="x")]) == NOTHING
