"""What entries of the change log say of themselves, and whom they name."""

from __future__ import annotations

import pytest

from rca_kit.findings.scope import Segment
from rca_kit.loop.s4_suspects.changes import fits, names_value
from rca_kit.loop.s4_suspects.topics import about_nothing

from . import made


@pytest.mark.parametrize("text", [
    "minor release, answers unchanged for our plan", "request validator in report-only mode", "same values, written out",
    "failover drill on the standby", "second vendor at 5 % (answers dropped)", "faster path behind a flag that is off",
    "candidate not promoted", "backfill of an unused table",
    "structured logs switched on", "metric labels shortened", "owner tag added to the jobs",
    "spare volume attached", "copy change in an error page", "chat bubble hidden at night", "admin panel: new table sorting"])
def test_who_says_that_nothing_changes_is_rather_innocent(text: str) -> None:
    assert about_nothing("ranker", text) >= 0.5


@pytest.mark.parametrize("text", [
    "empty fields returned for some lookups", "values in another unit", "retry budget cut", "flag switched on for all",
    "standby promoted after a crash", "table moved, keys in a new format", "promoted to 50 %", "traffic-split file reformatted",
    "changelog: engine refresh, no action needed"])
def test_who_changes_something_says_so(text: str) -> None:
    assert about_nothing("ranker", text) == 0.0


@pytest.mark.parametrize(("text", "where", "expected"), [
    ("Go-live Ruritania", {"state": "Ruritania"}, True), ("go-live ruritania, phase 2", {"state": ["Utopia", "Ruritania"]}, True),
    ("loyalty voucher", {"state": "Ruritania"}, False), ("go-live of the north", {"amount": {"ge": 5}}, False),
    ("version 12 for all", {"shard": "12"}, False), ("webhooks retried", {"channel": "web"}, False)])
def test_an_entry_names_who_is_affected_in_its_own_words(text: str, where: dict[str, object], expected: bool) -> None:
    segments = (Segment(where, 0.2, 0.8, 0.6, 1.0),)  # type: ignore[arg-type]
    assert names_value(text, segments) is expected
    entry = made.change(text=text)
    fit = fits((entry,), (made.ONSET, made.ONSET), 600.0, segments)[0]
    assert fit.names_value is expected
    scoped = fits((made.change(text=text, scope="state=Ruritania"),), (made.ONSET, made.ONSET), 600.0, segments)[0]
    assert not scoped.names_value, "it has a scope of its own"
