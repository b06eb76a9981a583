"""What a summary of a column says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from rca_kit.sources.columns import summarise
from rca_kit.sources.prepare import numbers_in_text

NEAR = datetime(2026, 3, 2, tzinfo=UTC)


def test_missing_values_and_nans_are_no_values() -> None:
    found = summarise(pl.DataFrame({"x": [1.0, float("nan"), None, 1.0], "t": ["a", "b", None, None], "none": [None] * 4}))
    assert [(c.n_unique, c.null_rate) for c in found] == [(1, 0.5), (2, 0.5), (0, 1.0)]


def test_a_table_without_columns_or_rows_is_summarised() -> None:
    assert summarise(pl.DataFrame()) == ()
    assert summarise(pl.DataFrame(schema={"x": pl.Float64, "t": pl.String}))[0].n_unique == 0


@pytest.mark.parametrize("per_second", [1.0, 1e3, 1e6, 1e9])
def test_epochs_about_the_incident_are_times_whatever_their_unit_and_name(per_second: float) -> None:
    seconds = [(NEAR - timedelta(minutes=m)).timestamp() for m in range(200)]
    later = [s + 20 * 365 * 86_400 for s in seconds]
    frame = pl.DataFrame({"seen": seconds, "far": later, "small": [float(m) for m in range(200)]}) * per_second
    assert [c.kind for c in summarise(frame, NEAR)][:2] == ["time", "numeric"]
    assert summarise(frame, None)[0].kind == "numeric"


def test_small_numbers_with_one_epoch_among_them_are_numbers() -> None:
    frame = pl.DataFrame({"x": [*map(float, reversed(range(200))), NEAR.timestamp()]})
    assert summarise(frame, NEAR)[0].kind == "numeric"


@pytest.mark.parametrize(("name", "value", "kind"), [
    ("request_id", lambda i: 556_330_203.0 + 7 * i, "id"),  # digits in text, or whole numbers of which one was missing
    ("request_id", lambda i: 0.5 + 7 * i, "numeric"),
    ("distance", lambda i: 556_330_203.0 + 7 * (i * 7 % 300), "numeric"),
    ("n° contact", lambda i: 16_339_714.0 + 3 * i, "id"),  # steadily rising
    ("contact", lambda i: 16_339_714.0 + 1.5 * (i * 7 % 300), "numeric"),
    ("token_count", lambda i: 7.0 * (i * 7 % 300), "numeric"),
    ("email.age days", lambda i: 7.0 * (i * 7 % 300), "numeric"),  # of what has one
    ("plan_id", lambda i: float(i % 12), "numeric")])
def test_an_identifier_is_one_though_it_is_read_as_a_float(name: str, value: Callable[[int], float], kind: str) -> None:
    frame = pl.DataFrame({name: [None, *map(value, range(300))]}, schema={name: pl.Float64})
    assert summarise(frame)[0].kind == kind
    texts = pl.DataFrame({name: [None, *(str(int(value(i))) for i in range(300))]})
    if kind == "id":
        assert summarise(texts)[0].kind == "id"


@pytest.mark.parametrize(("text", "numbers"), [
    ("217e-{:07d}", False),  # keys of a log, and no 217 times ten to the minus one
    ("{}e0042", False), ("{}.5e-05", True), ("{}e3", True), ("0{:03d}", False)])
def test_texts_that_read_as_numbers_may_be_keys(text: str, numbers: bool) -> None:
    casts, _ = numbers_in_text(pl.DataFrame({"x": [text.format(i) for i in range(100, 160)]}), "p.csv", ())
    assert bool(casts) is numbers
