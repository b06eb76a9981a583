"""One scan, the same sums on every engine, and equal to sums taken by hand."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from rca_kit.aggregates import batch
from rca_kit.aggregates.cube import BIN, BUCKET, LABEL, VALUE, Cube
from rca_kit.aggregates.plan import OTHER, TOP_K
from rca_kit.aggregates.rows import NO_ERROR, bin_index
from rca_kit.aggregates.scan import Aggregates, _long, collect, queries, scan
from rca_kit.sources import open_case, to_lazy

from .conftest import DECISION, ERROR, KPI_NUMBER, LATENCY, SCORE, TIME, make_log, plan_of
from .conftest import LABEL as LABEL_COLUMN

Engine = Callable[[pl.DataFrame], Any]


def sums(log: pl.DataFrame, label_kind: str = "int") -> Aggregates:
    return scan(to_lazy(log), plan_of(log, label_kind))


@pytest.mark.parametrize("label_kind", ["bool", "int", "string"])
def test_every_engine_gives_the_same_aggregates(engine: Engine, label_kind: str) -> None:
    log = make_log(1200, label_kind)
    plan = plan_of(log, label_kind)
    expected = scan(to_lazy(log), plan)
    found = scan(to_lazy(engine(log)), plan)
    assert list(found.cubes) == list(expected.cubes)
    for name, cube in expected.cubes.items():
        assert_frame_equal(found.cubes[name].frame, cube.frame, rel_tol=1e-9, abs_tol=1e-9)


@pytest.mark.parametrize("label_kind", ["bool", "int", "string"])
def test_the_kind_of_label_changes_no_sum(label_kind: str) -> None:
    expected, found = sums(make_log(800)), sums(make_log(800, label_kind), label_kind)
    for name in ("time", "score"):
        assert_frame_equal(found.cubes[name].frame, expected.cubes[name].frame)


def test_values_that_the_plan_did_not_see_are_counted_by_name() -> None:
    log = make_log(1200)
    plan = plan_of(log, "int")
    text = next(p.column for p in plan.segments if not p.numeric and p.keep is None)
    changed = log.with_columns(pl.when(pl.int_range(pl.len()) % 7 == 0).then(pl.lit("brand new")).otherwise(text).alias(text))
    for rows in (log, changed):  # by codes known beforehand, and by codes found in the batch
        found = scan(to_lazy(rows), plan).cubes[f"segment:{text}"].frame.group_by(VALUE).agg(pl.col("n").sum())
        counted = rows.group_by(pl.col(text).cast(pl.String).alias(VALUE)).agg(pl.len().cast(pl.Int64).alias("n"))
        assert_frame_equal(found, counted, check_row_order=False)


@pytest.mark.parametrize("sparse", [8, 0])
def test_the_cubes_of_a_batch_are_sorted_and_typed_as_all_cubes_are(sparse: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "SPARSE", sparse)  # 0: only the cells that occur are numbered
    log = make_log(1500)
    for name, cube in batch.sum_batch(log, plan_of(log, "int")).items():
        assert_frame_equal(cube.frame, Cube.of(cube.keys, cube.frame).frame), name


@pytest.mark.parametrize("outcomes_only", [False, True])
def test_few_long_queries_give_the_cubes_of_many_short_ones(outcomes_only: bool) -> None:
    """What Spark is asked, answered by Polars."""
    log = make_log(1500)
    frame, plan = to_lazy(log), plan_of(log, "int")
    expected = collect(queries(frame, plan, outcomes_only))
    found = _long(frame, plan, outcomes_only)
    assert list(found) == list(expected)  # in one order too
    for name, cube in expected.items():
        assert_frame_equal(found[name].frame, cube.frame, rel_tol=1e-12)


@pytest.mark.parametrize("edges", [(), (0.5,), (0.0, 1.0, 1.5, 2.0, 7.0)])
def test_bins_found_by_halving_are_those_counted(edges: tuple[float, ...]) -> None:
    values = pl.DataFrame({"x": [None, -1.0, 0.0, 0.25, 0.5, 1.0, 1.75, 2.0, 6.9, 7.0, 8.0]}, schema={"x": pl.Float64})
    lazy = nw.from_native(values)
    one, other = (lazy.select(k=bin_index(nw.col("x"), edges, branching)).to_native() for branching in (False, True))
    assert one["k"].to_list() == other["k"].to_list()
    assert other["k"].to_list()[1:] == np.searchsorted(edges, values["x"].to_numpy()[1:], side="right").tolist()


def finite(v: Any) -> bool:
    return v is not None and math.isfinite(v)


def bucket_of(when: datetime, plan: Any) -> int:
    return int((when - plan.grid.origin).total_seconds() // plan.grid.width_s)


def test_time_cube_equals_sums_by_hand() -> None:
    log = make_log(700)
    a = sums(log)
    rows = list(log.iter_rows(named=True))
    got = {r[BUCKET]: r for r in a.cubes["time"].frame.iter_rows(named=True)}
    buckets = Counter(bucket_of(r[TIME], a.plan) for r in rows)
    assert {b: r["n"] for b, r in got.items()} == dict(buckets)
    for b, r in got.items():
        mine = [x for x in rows if bucket_of(x[TIME], a.plan) == b]
        scores = [x[SCORE] for x in mine if finite(x[SCORE])]
        both = [x for x in mine if x[LABEL_COLUMN] is not None and x[DECISION] is not None]
        baskets = [x[KPI_NUMBER] for x in mine if finite(x[KPI_NUMBER])]
        amounts = [x["amount, EUR"] for x in mine if finite(x["amount, EUR"])]
        assert r["score_n"] == len(scores)
        assert r["score_s"] == pytest.approx(sum(scores))
        assert r["score_ss"] == pytest.approx(sum(s * s for s in scores))
        assert r["label_n"] == sum(x[LABEL_COLUMN] is not None for x in mine)
        assert r["label_s"] == sum(x[LABEL_COLUMN] == 1 for x in mine)
        assert r["tp_s"] == sum(x[LABEL_COLUMN] == 1 and x[DECISION] for x in both)
        assert r["called_s"] == sum(x[DECISION] for x in both)
        assert r["correct_s"] == sum((x[LABEL_COLUMN] == 1) == x[DECISION] for x in both)
        assert r["error_s"] == sum(x[ERROR] is not None and x[ERROR] not in NO_ERROR for x in mine)
        assert r[f"kpi:{KPI_NUMBER}_n"] == len(baskets)
        assert r[f"kpi:{KPI_NUMBER}_s"] == pytest.approx(sum(baskets))
        assert r["feature0_n"] == len(amounts)
        assert r["feature0_s"] == pytest.approx(sum(amounts))
        assert r["feature2_n"] == sum(x["pays région"] is not None for x in mine)
        assert r["feature5_n"] == 0


def test_log_loss_and_calibration_gap_equal_sums_by_hand() -> None:
    log = make_log(500)
    frame = sums(log).cubes["time"].frame
    pairs = [(r[SCORE], r[LABEL_COLUMN]) for r in log.iter_rows(named=True) if finite(r[SCORE]) and r[LABEL_COLUMN] is not None]
    losses = [-(math.log(s) if y else math.log(1 - s)) for s, y in pairs]
    assert frame["log_loss_n"].sum() == len(pairs)
    assert frame["log_loss_s"].sum() == pytest.approx(sum(losses))
    assert frame["gap_s"].sum() == pytest.approx(sum(s - y for s, y in pairs))


def test_segments_errors_and_histograms_equal_counts_by_hand() -> None:
    log = make_log(900)
    a = sums(log)
    grid = a.plan.grid

    def coarse(when: datetime) -> int:
        return bucket_of(when, a.plan) // grid.coarse

    def counts(cube: str, column: str = VALUE) -> dict[tuple[int, Any], int]:
        return {(r[BUCKET], r[column]): r["n"] for r in a.cubes[cube].frame.iter_rows(named=True)}

    def text(value: Any) -> str | None:
        return None if value is None else str(value).lower() if isinstance(value, bool) else str(value)

    def bin_of(value: Any, edges: tuple[float, ...]) -> int | None:
        return int(np.searchsorted(edges, value, side="right")) if finite(value) else None

    rows = list(log.iter_rows(named=True))
    assert counts("segment:pays région") == dict(Counter((coarse(r[TIME]), r["pays région"]) for r in rows))
    assert counts("segment:beta") == dict(Counter((coarse(r[TIME]), text(r["beta"])) for r in rows))
    assert counts("segment:user.tier") == dict(Counter((coarse(r[TIME]), text(r["user.tier"])) for r in rows))
    failed = [(coarse(r[TIME]), None if r[ERROR] in NO_ERROR else r[ERROR]) for r in rows]
    assert counts("errors") == dict(Counter(failed))
    amount = a.plan.features[0].edges
    assert counts("feature:amount, EUR") == dict(Counter((coarse(r[TIME]), bin_of(r["amount, EUR"], amount)) for r in rows))
    by_label = {(r[BUCKET], r[BIN], r[LABEL]): r["n"] for r in a.cubes["score"].frame.iter_rows(named=True)}
    scores = a.plan.score_edges
    assert by_label == dict(Counter((coarse(r[TIME]), bin_of(r[SCORE], scores), r[LABEL_COLUMN]) for r in rows))


def test_latency_histogram_gives_percentiles_within_a_bin() -> None:
    from rca_kit.aggregates.plan import latency_values

    log = make_log(3000)
    frame = sums(log).cubes[f"latency:{LATENCY}"].frame.drop_nulls(VALUE)
    x = np.array([v for v in log[LATENCY] if finite(v) and v > 0])
    counts = frame.group_by(VALUE).agg(pl.col("n").sum()).sort(VALUE)
    values = np.repeat(latency_values()[counts[VALUE].to_numpy()], counts["n"].to_numpy())
    for q in (0.5, 0.95, 0.99):
        assert np.quantile(values, q) == pytest.approx(np.quantile(x, q), rel=0.06)


def test_rare_values_of_a_crowded_column_are_summed_as_other(engine: Engine) -> None:
    log = make_log(6000)
    plan = plan_of(log)
    crowded = next(s for s in plan.segments if s.column == "größe")
    assert crowded.keep is not None
    frame = scan(to_lazy(engine(log)), plan).cubes["segment:größe"].frame
    by_value = dict(frame.group_by(VALUE).agg(pl.col("n").sum()).iter_rows())
    assert set(by_value) == {*crowded.keep, OTHER}
    assert len(crowded.keep) == TOP_K
    assert sum(by_value.values()) == log.height
    assert by_value[OTHER] == log.filter(~pl.col("größe").is_in(list(crowded.keep))).height


def test_only_columns_of_the_plan_are_read() -> None:
    log = make_log(100)
    plan = plan_of(log)
    wide = log.with_columns(unused=pl.lit("x")).lazy().map_batches(lambda d: d)
    assert scan(to_lazy(wide), plan).cubes["time"].frame["n"].sum() == 100


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Asia/Kathmandu", None])
@pytest.mark.parametrize("engine_name", ["polars", "duckdb"])
def test_a_case_in_another_time_zone_gives_the_same_aggregates(tmp_path: Path, zone: str | None, engine_name: str) -> None:
    log = make_log(400)
    when = pl.col(TIME).dt.convert_time_zone(zone) if zone else pl.col(TIME).dt.replace_time_zone(None)
    log.with_columns(when).write_parquet(tmp_path / "log.parquet")
    (tmp_path / "incident.yaml").write_text(
        f"id: Z\ntitle: zones\ndetected_at: 2026-03-01T05:00:00Z\nsignal: {{metric: auc, source: alert, summary: x}}\n"
        f"tables: {{predictions: log.parquet}}\ntask: binary\nroles: {{time: {TIME}, score: {SCORE}, label: '{LABEL_COLUMN}'}}\n",
        encoding="utf-8")
    plan = plan_of(log)
    found, expected = scan(open_case(tmp_path, engine=engine_name).predictions, plan), scan(to_lazy(log), plan)
    for name, cube in expected.cubes.items():
        assert_frame_equal(found.cubes[name].frame, cube.frame, rel_tol=1e-9, abs_tol=1e-9)
