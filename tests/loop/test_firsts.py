"""A blurred onset is dated by the likely change inside its interval."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from rca_kit.findings.investigation import ChangeRecord
from rca_kit.findings.suspects import Suspect, Suspects
from rca_kit.findings.symptom import Symptom
from rca_kit.loop.s3_scope.firsts import when_changed

ONSET = datetime(2026, 3, 2, 12, tzinfo=UTC)


def symptom(hours: float) -> Symptom:
    interval = (ONSET - timedelta(hours=hours / 2), ONSET + timedelta(hours=hours / 2))
    return Symptom("mae", "up", "ramp", ONSET, interval, 1.0, 2.0, 1.0, None, 1e-9, (), (), None, "", (), (), ())


@pytest.mark.parametrize(("hours", "minutes", "probability", "accused", "moved"), [
    (10, 100, 0.8, "c1", True),
    (10, -250, 0.8, "c1", True),
    (3, 60, 0.8, "c1", False),  # the data tell it to the hour
    (10, 320, 0.8, "c1", False),  # outside
    (10, 100, 0.4, "c1", False),
    (10, 100, 0.8, None, False),
    (10, 100, 0.8, "c9", False)])
def test_a_likely_change_dates_what_the_data_leave_open(
    hours: float, minutes: float, probability: float, accused: str | None, moved: bool
) -> None:
    at = ONSET + timedelta(minutes=minutes)
    changes = (ChangeRecord("c1", at, "deploy", "scorer", "new weights"), ChangeRecord("c2", ONSET, "deploy", "ui", "colours"))
    first = Suspect(1, "model", "model:v2", accused, probability, (), "replay")
    found = when_changed(symptom(hours), Suspects((first,), (), (), "incident", "", 0.1), changes)
    assert found.onset == (at if moved else ONSET)
    assert found.onset_interval == symptom(hours).onset_interval


def test_without_a_suspect_nothing_is_moved() -> None:
    assert when_changed(symptom(10), Suspects((), (), (), "incident", "", 1.0), ()) == symptom(10)
