"""Slicing an investigation by hand: the picked rows are those a Polars filter picks, and every table comes from them."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

import rca_kit
from rca_kit.case.bundled import sample
from rca_kit.errors import BadInput


@pytest.fixture(scope="module")
def case() -> Path:
    return Path(sample("threshold-change"))


@pytest.fixture(scope="module")
def inv(case):
    return rca_kit.investigate(case)


def test_a_slice_holds_the_rows_of_its_condition(inv, case):
    log = pl.read_csv(case / "predictions.csv.gz")
    want = log.filter((pl.col("country") == "DE") & (pl.col("visits_30d") < 3))
    got = inv.slice("country == 'DE' and visits_30d < 3").requests.collect().to_native()
    assert set(got["request_id"]) == set(want["request_id"])
    assert 0 < len(got) < len(log)


def test_rows_tell_the_slice_and_the_rest_before_and_after(inv, case):
    log = pl.read_csv(case / "predictions.csv.gz").with_columns(pl.col("ts").str.to_datetime(time_zone="UTC"))
    before, after = inv.slicer.picture.windows
    rows = {r["measure"]: r for r in inv.slice({"tenure": "new"}).rows()}
    new = pl.col("tenure") == "new"
    for window, name in ((before, "before"), (after, "after")):
        inside = log.filter((pl.col("ts") >= window.start) & (pl.col("ts") < window.end))
        assert rows["kpi:completed"][name] == pytest.approx(inside.filter(new)["completed"].mean())
        assert rows["kpi:completed"][f"rest_{name}"] == pytest.approx(inside.filter(~new)["completed"].mean())
        assert rows["requests"][f"n_{name}"] == inside.filter(new).height
    assert rows["kpi:completed"]["high"] < 0  # completion fell among new customers, beyond chance


def test_every_table_is_reachable_and_draws(inv):
    whole, new = inv.slice(), inv.slice({"tenure": "new"})
    assert "tenure = new" in new.says()
    tables = [whole.crosstab("tenure", "device"), whole.drill_down(), whole.heat_map("tenure", "device"),
              whole.waterfall("tenure"), new.compare_with_rest()]
    for table in tables:
        assert table.frame().height > 0
        assert table.plot().data
    assert tables[1].rows()[0]["value"] == "new"
    assert [s.where for s in whole.localize()] == [{"tenure": "new"}]
    assert whole.localize().plot().data
    assert inv.slice(metric="volume").drill_down().rows()[0]["share_of_impact"] is not None


def test_a_waterfall_ends_where_the_metric_ends(inv):
    rows = inv.slice().waterfall("device").rows()
    steps = sum(r["value"] for r in rows if r["kind"] == "step")
    assert rows[0]["value"] + steps == pytest.approx(rows[-1]["value"], abs=1e-4)


@pytest.mark.parametrize(("ask", "words"), [
    (lambda i: i.slice("nope == 1"), "column is missing"), (lambda i: i.slice("country =="), "cannot be read"),
    (lambda i: i.slice(metric="auk"), "did you mean `auc`"), (lambda i: i.slice().compare_with_rest(), "no rest"),
    (lambda i: i.slice({"tenure": "new"}).compare_with_rest(window="later"), "unknown window"),
    (lambda i: i.slice("country == 'XX'").drill_down(), "no request"),
])
def test_what_cannot_be_sliced_is_said(inv, ask, words):
    with pytest.raises(BadInput, match=words):
        ask(inv)


def test_findings_without_a_log_say_so():
    from rca_kit.views.example import example

    with pytest.raises(BadInput, match="no request log"):
        example().slice("a == 1")
