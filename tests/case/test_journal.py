"""The journal keeps every entry, whoever writes and whatever breaks."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime

import pytest

from rca_kit.case.journal import Journal
from rca_kit.errors import BadInput


def test_round_trip_with_any_text(tmp_path):
    journal = Journal(tmp_path)
    when = datetime(2026, 3, 2, 14, 5, tzinfo=UTC)
    journal.add(
        "excluded", "not the deploy\nbut “this” \u2028", author="Zoë", data={"change_id": "c1", "n": [1, None]}, time=when
    )
    (entry,) = journal.entries()
    assert (entry.time, entry.author, entry.kind) == (when, "Zoë", "excluded")
    assert entry.text == "not the deploy\nbut “this” \u2028" and entry.data == {"change_id": "c1", "n": [1, None]}


def test_empty_before_the_first_entry(tmp_path):
    assert Journal(tmp_path).entries() == ()


def test_a_torn_last_line_costs_itself_only(tmp_path):
    journal = Journal(tmp_path)
    journal.add("note", "one")
    with journal.path.open("ab") as stream:
        stream.write(b'{"time": "2026-03-02T00:00:00Z", "kind": "no')
    assert [e.text for e in journal.entries()] == ["one"]
    journal.add("note", "two")
    assert [e.text for e in journal.entries()] == ["one", "two"]


def test_lines_of_rubbish_are_left_out(tmp_path):
    journal = Journal(tmp_path)
    journal.path.write_bytes(
        b'\xff\xfe\n[1]\n{"time": "never", "kind": "a"}\n{"time": "2026-03-02", "kind": "note", "text": "ok"}\n\n'
    )
    assert [e.text for e in journal.entries()] == ["ok"]


def test_concurrent_sessions_lose_nothing(tmp_path):
    code = (
        "import sys; from rca_kit.case.journal import Journal; j = Journal(sys.argv[1])\n"
        "for i in range(40): j.add('note', f'{sys.argv[2]}-{i} ' + 'x' * 6000)"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path), name]) for name in "abc"]
    assert [p.wait() for p in running] == [0, 0, 0]
    texts = [e.text.split()[0] for e in Journal(tmp_path).entries()]
    assert sorted(texts) == sorted(f"{n}-{i}" for n in "abc" for i in range(40))
    for name in "abc":  # each session's entries in its own order
        assert [t for t in texts if t.startswith(name)] == [f"{name}-{i}" for i in range(40)]


def test_what_cannot_be_written_is_said(tmp_path):
    with pytest.raises(BadInput, match="JSON"):
        Journal(tmp_path).add("note", "x", data={"a": object()})
    with pytest.raises(BadInput, match="JSON"):
        Journal(tmp_path).add("note", "x", data={"a": float("nan")})
    with pytest.raises(BadInput, match="cannot be written"):
        Journal(tmp_path / "missing").add("note", "x")
    assert Journal(tmp_path).entries() == ()
