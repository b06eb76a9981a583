"""What a unit of a KPI is worth, as incident.yaml says it."""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from test_bad_input import log, write

from rca_kit.case.incident import validate_incident
from rca_kit.errors import BadInput
from rca_kit.sources import open_case

PLAIN = {"id": "A", "title": "t", "detected_at": "2026-03-02", "tables": {"predictions": "p.csv"}}


def test_one_value_or_several():
    one = validate_incident({**PLAIN, "impact": {"kpi": "clicked", "value_per_unit": 1.2, "currency": "EUR"}}).impact
    assert [(i.kpi, i.value_per_unit, i.currency) for i in one] == [("clicked", 1.2, "EUR")]
    two = [{"kpi": "a", "value_per_unit": 1}, {"kpi": "b", "value_per_unit": 2}]
    assert len(validate_incident({**PLAIN, "impact": two}).impact) == 2
    assert validate_incident({**PLAIN, "impact": None}).impact == ()


@pytest.mark.parametrize(("impact", "words"), [
    ({"kpi": "a"}, "value_per_unit: is required"),
    ({"kpi": "a", "value_per_unit": 0}, "greater than 0"),
    ({"kpi": "a", "value_per_unit": ".inf"}, "value_per_unit"),
    ({"kpi": "a", "value_per_unit": 1, "curency": "EUR"}, "did you mean `currency`?"),
    ([{"kpi": "a", "value_per_unit": 1}, {"kpi": "a", "value_per_unit": 2}], "names a kpi twice"),
    ("clicked", "impact"),
])
def test_what_cannot_be_used_is_said(impact, words):
    with pytest.raises(BadInput) as caught:
        validate_incident({**PLAIN, "impact": impact})
    assert words in str(caught.value), caught.value


def test_a_value_of_what_is_no_kpi_is_refused(tmp_path):
    frame = log().with_columns(clicked=pl.Series([0, 1] * 200))
    given = "roles: {kpi: {clicked: higher}}\nimpact: {kpi: %s, value_per_unit: 1}\n"
    open_case(write(tmp_path, given % "clicked", frame))
    with pytest.raises(BadInput, match="did you mean `clicked`"):
        open_case(write(tmp_path, given % "clickd", frame))
