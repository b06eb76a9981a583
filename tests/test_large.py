"""Logs too large for memory: one pass, some rows kept, the same answer; and what a budget of time does."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from rca_kit import investigate
from rca_kit.aggregates import batches
from rca_kit.case.bundled import sample
from rca_kit.errors import BadInput
from rca_kit.findings.investigation import Investigation
from rca_kit.findings.suspects import Decision
from rca_kit.loop.progress import Progress
from rca_kit.loop.reading import budget, focus, plan, prepare
from rca_kit.loop.reading.budget import Budget

SAMPLE = "auc-drop-null-feature"


@cache
def in_memory(slug: str) -> Investigation:
    return investigate(sample(slug))


def answer(found: dict[str, Any]) -> tuple[Any, ...]:
    first = found["suspects"][0]["subject"] if found["suspects"] else None
    return found["verdict"], found["scope"]["is_global"], first


@pytest.fixture
def streamed(monkeypatch: Any) -> Any:
    """Every log is one too large for memory, read in small batches."""
    monkeypatch.setattr(prepare, "EAGER_ROWS", 1)
    monkeypatch.setattr(plan, "EAGER_ROWS", 1)
    monkeypatch.setattr(batches, "BATCH_ROWS", 7_000)
    return monkeypatch


@pytest.mark.parametrize("slug", [SAMPLE, "quiet-day"])
def test_a_log_read_once_gives_the_answer_of_one_in_memory(slug: str, streamed: Any) -> None:
    told: list[Progress] = []
    found = investigate(sample(slug), rows=told.append).to_dict()
    streamed.undo()
    expected = in_memory(slug).to_dict()
    assert answer(found) == answer(expected)
    assert found["symptom"]["onset"] == expected["symptom"]["onset"]
    assert [s["where"] for s in found["scope"]["segments"]] == [s["where"] for s in expected["scope"]["segments"]]
    assert told[-1].done == told[-1].total > 0


def test_a_short_window_after_the_onset_is_read_again(streamed: Any) -> None:
    """With one row in twenty kept, the window itself is read whole; counts are those of the log."""
    rows = pl.scan_parquet(sample(SAMPLE) / "predictions*.parquet").select(pl.len()).collect().item()
    streamed.setattr(prepare, "ASKED_ROWS", rows // 20)
    streamed.setattr(focus, "ENOUGH_AFTER", 10**9)
    found = investigate(sample(SAMPLE))
    streamed.undo()
    expected = in_memory(SAMPLE)
    assert answer(found.to_dict()) == answer(expected.to_dict())
    assert [s.where for s in found.scope.segments] == [s.where for s in expected.scope.segments]
    (one,), (whole,) = found.scope.segments, expected.scope.segments
    assert one.n_after == pytest.approx(whole.n_after, rel=0.1)  # those with a label, or all: which depends on what marks them
    assert one.n_before == pytest.approx(whole.n_before, rel=0.3)
    assert found.samples.population == expected.samples.population


@pytest.mark.parametrize(("slug", "fewest"), [(SAMPLE, 4_000), ("threshold-change", 4_000), ("quiet-day", 500)])
def test_a_budget_says_what_it_cost_and_makes_no_wrong_verdict_certain(slug: str, fewest: int, monkeypatch: Any) -> None:
    """One row in eight; of the quiet day's five thousand that is a few hundred."""
    expected = in_memory(slug).to_dict()
    monkeypatch.setattr(budget, "FEWEST_ROWS", fewest)
    monkeypatch.setattr(Budget, "_reading", lambda _self, _opened: 0.0)
    monkeypatch.setattr(Budget, "_seconds_per_row", lambda _self, opened: 5 * 60.0 / opened.row_count)
    found = investigate(sample(slug), budget=120).to_dict()  # five minutes of work in half of two
    said = " ".join(found["warnings"])
    assert "one row in 8" in said and "times as wide" in said
    if found["verdict"] != expected["verdict"]:
        assert found["verdict"] != "incident"  # fewer rows may hide a change, and must not make one up
    if found["verdict"] != "incident":
        assert "run again without a budget" in said
        assert "not certain" in found["verdict_because"]
    assert sum(s["probability"] for s in found["suspects"]) <= 0.82  # an eighth of the rows: no cause is certain


def test_fewer_rows_make_every_suspect_less_probable_and_what_people_said_stays() -> None:
    found = in_memory(SAMPLE).suspects
    limit = Budget(60)
    assert limit.careful(found) is found
    last = found.items[0].probability
    for share in (0.5, 0.25, 1 / 64):
        limit.share = share
        careful = limit.careful(found)
        assert [s.subject for s in careful.items] == [s.subject for s in found.items]
        assert careful.items[0].probability < last
        last = careful.items[0].probability
        assert careful.unexplained == pytest.approx(1 - sum(s.probability for s in careful.items))
        assert careful.verdict_because == found.verdict_because
    assert last < 2 / 3
    confirmed = replace(found.items[0], decision=Decision("confirmed", "seen", "Ada"))
    assert limit.careful(replace(found, items=(confirmed,))).items[0].probability == confirmed.probability


def test_a_budget_used_up_leaves_out_the_simulation(monkeypatch: Any) -> None:
    monkeypatch.setattr(Budget, "spent", property(lambda _self: True))
    found = investigate(sample(SAMPLE), budget=100)
    assert any("left out for the time budget: simulation" in w for w in found.warnings)
    assert "time budget" in found.simulation.says() + " ".join(found.simulation.needs)


def test_a_budget_that_holds_the_whole_log_changes_nothing() -> None:
    assert investigate(sample("quiet-day"), budget=3600).to_dict() == in_memory("quiet-day").to_dict()


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf")])
def test_an_impossible_budget_is_refused(seconds: float) -> None:
    with pytest.raises(BadInput, match="positive number of seconds"):
        investigate(sample(SAMPLE), budget=seconds)


PEAK = """
import resource, sys
import narwhals as nw
import polars as pl
from rca_kit.aggregates.scan import scan
from rca_kit.loop.reading.plan import columns_of, plan_of
from rca_kit.aggregates.grid import TimeGrid
from rca_kit.sources import open_case
opened = open_case(sys.argv[1])
copies = pl.concat([opened.predictions.to_native()] * int(sys.argv[2]))
plan = plan_of(opened, columns_of(opened), TimeGrid.over(*opened.time_range))
sums = scan(nw.from_native(copies), plan)
print(sums.cubes["time"].frame["n"].sum(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is told in other units elsewhere")
def test_memory_does_not_grow_with_the_rows() -> None:
    """Peak memory of a scan of 2 and of 5 million rows: batches come and go."""
    folder: Path = sample(SAMPLE)
    rows = pl.scan_parquet(folder / "predictions*.parquet").select(pl.len()).collect().item()
    peaks = []
    for wanted in (2_000_000, 5_000_000):
        copies = -(-wanted // rows)
        out = subprocess.run([sys.executable, "-c", PEAK, str(folder), str(copies)], capture_output=True, text=True, check=True)
        summed, peak = map(int, out.stdout.split())
        assert summed == copies * rows
        peaks.append(peak / 1024)
    assert peaks[1] < 1.25 * peaks[0], peaks
    assert peaks[1] < 1500, peaks
