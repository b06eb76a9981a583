from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rca_kit.training import Key, score_case
from rca_kit.training.scoring import names_guilty, rows_in, scope_f1, true_rows

ONSET = datetime(2026, 3, 2, 14, tzinfo=UTC)
KEY = Key(
    "C", "incident", ONSET, 30, ({"os": "a"},), "config", "threshold", "c2", "", "threshold", "fraud", 1, innocent=("c1", "c3")
)
ROWS = pl.DataFrame(
    {"t": [ONSET, ONSET, ONSET, datetime(2026, 3, 1, tzinfo=UTC)], "os": ["a", "b", "b", "a"], "age": [1.0, 2.0, None, 4.0]},
    schema_overrides={"t": pl.Datetime("us", "UTC")},
)


def found(**change: Any) -> dict[str, Any]:
    out: dict[str, Any] = {
        "verdict": "incident",
        "symptom": {"onset": "2026-03-02T14:10:00Z"},
        "scope": {"segments": [{"where": {"os": "a"}}]},
        "suspects": [{"category": "config", "subject": "threshold", "change_id": "c2", "probability": 0.9}],
    }
    return out | change


def test_a_perfect_answer() -> None:
    s = score_case(found(), KEY, ROWS, "t", 1.5)
    assert s.verdict_right and s.onset_right and s.category_right and s.first_right and s.among_three
    assert s.scope_f1 == 1.0
    assert s.missed is False and s.false_alarm is None and s.innocent_blamed is False
    assert s.brier == pytest.approx(0.01)
    assert s.onset_error_minutes == 10


def test_rows_before_the_onset_do_not_count_in_the_scope() -> None:
    s = score_case(found(scope={"segments": []}), KEY, ROWS, "t")
    assert s.scope_f1 == pytest.approx(2 * 1 / (3 + 1))
    assert true_rows(ROWS, KEY, "t").tolist() == [True, False, False, False]


def test_an_innocent_change_is_a_false_accusation() -> None:
    wrong = {"category": "config", "subject": "threshold", "change_id": "c1", "probability": 0.7}
    s = score_case(
        found(suspects=[wrong, {"category": "config", "subject": "x", "change_id": "c2", "probability": 0.1}]), KEY, ROWS, "t"
    )
    assert s.innocent_blamed and not s.first_right and s.among_three and s.category_right
    assert s.brier == pytest.approx(0.49)


def test_naming_the_thing_without_its_change_is_enough() -> None:
    assert names_guilty({"subject": "threshold", "change_id": None}, KEY)
    assert not names_guilty({"subject": "label", "change_id": None}, KEY)
    assert names_guilty({"subject": "label", "change_id": "c2"}, KEY)


def test_late_onset_missing_onset_and_missed_incident() -> None:
    assert score_case(found(symptom={"onset": "2026-03-02T14:31:00Z"}), KEY).onset_right is False
    s = score_case({"verdict": "no_change", "symptom": {"onset": None}, "suspects": []}, KEY, ROWS, "t")
    assert s.missed and s.onset_right is False and s.scope_f1 == 0.0 and s.brier == 1.0 and s.first_right is False


def test_quiet_case() -> None:
    quiet = Key("Q", "no_change", None, 30, (), None, None, None, "", "noise-alert", "fraud", 1, innocent=("c1",))
    good = score_case({"verdict": "no_change", "suspects": []}, quiet)
    assert good.verdict_right and good.false_alarm is False and good.onset_right is None and good.innocent_blamed is False
    bad = score_case(found(suspects=[{"category": "code", "subject": "x", "change_id": "c1", "probability": 0.5}]), quiet)
    assert bad.false_alarm and bad.innocent_blamed


def test_conditions() -> None:
    assert rows_in(ROWS, [{"age": None}]).tolist() == [False, False, True, False]
    assert rows_in(ROWS, [{"age": {"ge": 2}}]).tolist() == [False, True, False, True]
    assert rows_in(ROWS, [{"age": {"lt": 2}}, {"os": "b", "age": 2.0}]).tolist() == [True, True, False, False]
    assert rows_in(ROWS, [{"os": ["a", None]}]).tolist() == [True, False, False, True]
    assert rows_in(ROWS, [{"nowhere": 1}]).tolist() == [False] * 4


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=30), st.sampled_from("abc"), st.sampled_from("abc"))
def test_scope_f1_is_symmetric_and_one_on_itself(values: list[str], x: str, y: str) -> None:
    frame = pl.DataFrame({"v": values})
    assert scope_f1(frame, [{"v": x}], [{"v": y}]) == scope_f1(frame, [{"v": y}], [{"v": x}])
    assert scope_f1(frame, [{"v": x}], [{"v": x}]) == 1.0
