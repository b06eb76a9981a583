"""What entries of the change log say of themselves, and whom they name."""

from __future__ import annotations

import pytest

from rca_kit.findings.scope import Segment
from rca_kit.loop.s4_suspects.changes import fits, names_value
from rca_kit.loop.s4_suspects.hypotheses import Scene, _change_evidence
from rca_kit.loop.s4_suspects.topics import about_nothing

from . import made


@pytest.mark.parametrize("text", [
    "minor release, answers unchanged for our plan", "request validator in report-only mode", "same values, written out",
    "failover drill on the standby", "second vendor at 5 % (answers dropped)", "faster path behind a flag that is off",
    "candidate not promoted", "backfill of an unused table",
    "structured logs switched on", "metric labels shortened", "owner tag added to the jobs",
    "spare volume attached", "copy change in an error page", "chat bubble hidden at night",
    "budget labels on cloud resources", "spam filter cluster rebooted", "admin panel: new table sorting"])
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


def evidence(text: str, subject: str, features: tuple[str, ...] = ("site",)) -> dict[str, float]:
    """What an entry of that wording, logged with the onset, says for a subject."""
    scene = Scene("quality", made.seen_grid().index(made.ONSET), (), "v1", (), features)
    (fit,) = fits((made.change(0, "upstream_notice", "partner", text),), (made.ONSET, made.ONSET), 4 * 24 * 60, ())
    return _change_evidence(fit, "upstream", subject, scene, True, 1)


def test_a_topic_within_the_name_of_the_subject_is_the_subject() -> None:
    text = "calibration of the Handover rate probes put off"
    assert about_nothing("field", text) >= 0.5
    assert "change:aside" not in evidence(text, "feature:Handover rate", ("Handover rate",))
    assert "change:aside" in evidence(text, "feature:amount", ("amount",))
    assert "change:aside" in evidence("docs page for the Handover rate", "feature:Handover rate", ("Handover rate",))


@pytest.mark.parametrize(("text", "subject", "named"), [
    ("partner sends outcomes in a new export", "label", True), ("labels joined by another key", "label", True),
    ("annotators changed", "label", True), ("metrics labels renamed", "label", False),
    ("nightly merge run again", "label", False),
    ("partner sends outcomes in a new export", "traffic", False)])
def test_entries_name_labels_in_other_words(text: str, subject: str, named: bool) -> None:
    assert ("change:names_subject" in evidence(text, subject)) is named
