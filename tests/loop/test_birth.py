"""The first rows of what was not there before, and harmless drifts beside a fault."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import rca_kit
from rca_kit.loop.reading.birth import Birth, birth
from rca_kit.loop.reading.detect import scan_all
from rca_kit.loop.reading.onset import JointOnset
from rca_kit.loop.reading.series import Series
from rca_kit.loop.refine import by_birth
from rca_kit.loop.s4_suspects.clue import Clue
from rca_kit.loop.s4_suspects.hypotheses import Scene, hypotheses
from rca_kit.stats import metrics

from . import made

BUCKETS, BORN, CALM = 500, 300, 250


def born(usual: float, later: float, rows: int, rng: np.random.Generator, rise: int = 0) -> Birth | None:
    n = rng.poisson(rows, BUCKETS)
    p = np.full(BUCKETS, usual)
    p[BORN:] = usual + (later - usual) * np.clip((np.arange(BUCKETS - BORN) + 1) / max(rise, 1), 0, 1)
    return birth(rng.binomial(n, p).astype(float), n.astype(float), CALM)


@pytest.mark.parametrize(("usual", "later", "rows", "off"), [
    (0.0, 0.05, 10, 7), (0.001, 0.05, 10, 10), (0.003, 0.03, 20, 14), (0.0, 0.5, 10, 0)])
def test_the_first_marked_rows_are_found_to_a_few_buckets_with_an_honest_interval(
    usual: float, later: float, rows: int, off: int
) -> None:
    rng = np.random.default_rng(3)
    found = [b for _ in range(100) if (b := born(usual, later, rows, rng)) is not None]
    assert len(found) >= 95
    assert np.quantile([abs(b.index - BORN) for b in found], 0.9) <= off
    assert np.mean([b.low <= BORN <= b.high for b in found]) >= 0.8


@pytest.mark.parametrize("rate", [0.0005, 0.002, 0.008])
def test_what_was_always_there_is_not_born(rate: float) -> None:
    rng = np.random.default_rng(4)
    assert sum(born(rate, rate, 20, rng) is not None for _ in range(200)) <= 6


def test_a_mark_that_goes_away_again_and_one_that_was_common_are_not_born() -> None:
    rows, marked = np.full(BUCKETS, 20.0), np.zeros(BUCKETS)
    marked[100:110] = 5.0
    assert birth(marked, rows, 90) is None
    assert birth(np.full(BUCKETS, 2.0), rows, CALM) is None
    assert birth(np.zeros(BUCKETS), rows, CALM) is None


def test_a_rise_is_born_with_its_first_rows() -> None:
    rng = np.random.default_rng(5)
    found = [b for _ in range(40) if (b := born(0.001, 0.4, 15, rng, rise=80)) is not None]
    assert len(found) == 40
    assert -5 <= np.median([b.index - BORN for b in found]) <= 12


@pytest.mark.parametrize(("worse_since", "since", "moved"), [(60, 60, False), (40, 60, False), (60, 57, True)])
def test_a_mark_dates_what_the_outcome_leaves_open(worse_since: int, since: int, moved: bool) -> None:
    """An outcome worse long before the first marked row is worse for another reason; of one that was not, the mark tells."""
    rng, grid = np.random.default_rng(6), made.seen_grid()
    n, hours = np.full(grid.n, 20.0), np.arange(grid.n) * grid.width_s / 3600
    bad = rng.binomial(20, np.where(hours >= worse_since, 0.5, 0.2)).astype(float)
    marked = np.where(hours >= since, rng.binomial(20, 0.3, grid.n), 0).astype(float)
    outcome = Series("error_rate", "service", "lower", grid, False, (bad, n), metrics.rate, counts=True)
    mark = Series("mark:0", "nulls", "lower", grid, False, (marked, n), metrics.rate, counts=True)
    found = scan_all([outcome, mark], grid, grid.time(grid.n), ("error_rate",))
    at = int(40 * 3600 / grid.width_s)
    told = by_birth(found["mark:0"], found["error_rate"], JointOnset(at, at - 2, at + 2, "error_rate"))
    if worse_since == 40:
        assert told is None
        all_theirs = by_birth(found["mark:0"], found["error_rate"], JointOnset(at, at - 2, at + 2, "error_rate"), told=True)
        assert all_theirs is not None and abs(all_theirs.index * grid.width_s / 3600 - since) <= 0.5
    else:
        assert told is not None
        assert abs(told.index * grid.width_s / 3600 - since) <= 0.5


@pytest.mark.parametrize(("share", "harm", "elsewhere"), [(0.48, 0.488, True), (0.48, 0.9, False), (0.05, 0.4, False)])
def test_marked_rows_carry_what_they_carry_beyond_their_part_of_all_rows(share: float, harm: float, elsewhere: bool) -> None:
    slow = Clue("stage_latency", "stage:rates_ms", "slow", "slower", 0.9, harm=1.0)
    odd = Clue("value_range", "feature:width", "range", "out of range", 0.9, share=share, harm=harm)
    told = hypotheses([slow, odd], [], Scene("service", 10, ()))
    assert any("carried_elsewhere" in h.x for h in told if h.subject == "feature:width") is elsewhere


def test_an_input_that_no_score_heeded_is_blamed_less() -> None:
    odd = Clue("value_range", "feature:width", "range", "out of range", 0.9, share=0.4, harm=0.4)
    for unheeded in (frozenset(), frozenset({"feature:width"})):
        told = hypotheses([odd], [], Scene("quality", 10, (), unheeded=unheeded))
        assert all(("unheeded" in h.x) is bool(unheeded) for h in told if h.subject == "feature:width")


def test_a_harmless_drift_beside_a_fault_does_not_date_it(tmp_path: Path) -> None:
    """A column that no score depends on changes its scale a day before sentinels are filled into another."""
    rng = np.random.default_rng(2)
    early = made.ONSET - timedelta(hours=20)
    frame = made.log(rows=20_000).with_columns(width=pl.Series(rng.normal(1000, 100, 20_000)))
    filled = made.AFTER & (pl.col("u") < 0.08)
    frame = frame.with_columns(
        pl.when(pl.col("ts") >= early).then(pl.col("width") * 3).otherwise(pl.col("width")).alias("width"),
        pl.when(filled).then(-999.0).otherwise(pl.col("age")).alias("age"))
    frame.drop("u").write_parquet(tmp_path / "p.parquet")
    (tmp_path / "incident.yaml").write_text(
        f"id: A\ntitle: t\ndetected_at: {made.ALERT.isoformat()}\nsignal: {{source: alert, metric: 'psi:age'}}\n"
        "tables: {predictions: p.parquet}\nroles: {time: ts, score: score, decision: decision, error: error, "
        "latency_ms: latency_ms, model_version: version, segments: [device, country], features: [amount, age, width, city]}\n",
        encoding="utf-8")
    found = rca_kit.investigate(tmp_path)
    assert found.verdict == "incident"
    assert found.symptom.onset is not None
    assert abs(found.symptom.onset - made.ONSET) <= timedelta(minutes=30)
    assert found.suspects.items[0].subject == "feature:age"
