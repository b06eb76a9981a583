"""From the log to the picture: series, sampling, detection, windows, and the first three steps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score

from rca_kit.aggregates.grid import TimeGrid
from rca_kit.findings.base import Window
from rca_kit.loop.reading.columns import compare_columns
from rca_kit.loop.reading.derived import component_series, direction_of
from rca_kit.loop.reading.detect import season_for, season_of, together, worse
from rca_kit.loop.reading.names import in_order, psi_series, public, series_for
from rca_kit.loop.reading.onset import joint_onset
from rca_kit.loop.reading.picture import Picture
from rca_kit.loop.reading.sampling import sample_rows
from rca_kit.loop.s1_signal import signal
from rca_kit.loop.s2_symptom import symptom
from rca_kit.loop.s3_scope.search import badness_of, badness_where, scope
from rca_kit.sources import to_lazy

from . import made

SOON = timedelta(minutes=90)  # a few hundred requests


@lru_cache(maxsize=16)
def seen(fault: str, alert: str = "auc") -> Picture:
    return made.picture(fault, alert)


@lru_cache(maxsize=1)
def plain() -> tuple[pl.DataFrame, Picture]:
    return made.log(), seen("none")


def test_series_over_the_whole_log_equal_scikit_learn() -> None:
    frame, p = plain()
    y, s = frame["label"].to_numpy(), frame["score"].to_numpy()
    whole = np.ones(p.grid.n)
    assert p.level("auc", whole).value == pytest.approx(roc_auc_score(y, s), abs=0.002)
    assert p.level("log_loss", whole).value == pytest.approx(log_loss(y, s), rel=1e-6)
    assert p.level("accuracy", whole).value == pytest.approx(accuracy_score(y, frame["decision"].to_numpy()))
    assert p.level("latency_p95", whole).value == pytest.approx(np.quantile(frame["latency_ms"].to_numpy(), 0.95), rel=0.03)
    assert p.level("error_rate", whole).value == pytest.approx(frame["error"].is_not_null().mean())
    assert p.level("kpi:clicked", whole).value == pytest.approx(frame["clicked"].mean())
    assert p.level("share:device=ios", whole).value == pytest.approx((frame["device"] == "ios").mean())


def test_buckets_add_up_and_nothing_measured_is_nan() -> None:
    _, p = plain()
    n = p.series["volume"].buckets().value
    assert n.sum() == 12_000
    assert p.series["volume"].detection().value.sum() == 12_000
    assert np.isnan(p.level("auc", np.zeros(p.grid.n)).value)


def test_weights_choose_the_rows() -> None:
    frame, p = plain()
    w = p.grid.inside(Window(made.T0, made.ONSET))
    mine = frame.filter(pl.col("ts") < made.ONSET)
    assert p.level("kpi:clicked", w).value == pytest.approx(mine["clicked"].mean(), abs=1e-9)
    assert p.level("kpi:clicked", w).n == pytest.approx(mine.height)


@pytest.mark.parametrize(("name", "good"), [
    ("cache_hit_rate", "higher"), ("queue_depth", "lower"), ("timeouts", "lower"), ("requests", None)])
def test_direction_of_service_metrics_comes_from_their_names(name: str, good: str | None) -> None:
    assert direction_of(name) == good


def test_component_series_average_over_dimensions_and_skip_what_is_outside() -> None:
    _, p = plain()
    times = [made.T0, made.T0, made.T0 + timedelta(hours=1), made.END + timedelta(days=9)]
    frame = pl.DataFrame({"time": times, "component": ["db"] * 4, "metric": ["cpu"] * 4, "value": [1.0, 3.0, float("nan"), 7.0]},
                         schema_overrides={"time": pl.Datetime("us", "UTC")})
    (s,) = component_series(to_lazy(frame), p.grid)
    assert s.name == "service:db:cpu"
    assert s.buckets().value[0] == 2.0
    assert s.buckets().n.sum() == 2


def test_names_go_from_the_case_format_to_series_and_back() -> None:
    known = seen("none").series
    assert series_for("auc", known) == "auc"
    assert series_for("null_rate:label", known) == "label_share"
    assert series_for("psi:amount", known) == "mean:amount"
    assert series_for("freshness:nowhere", known) is None
    assert series_for("mae", known) is None
    assert set(psi_series("psi:city", known)) == {f"share:city={c}" for c in ("Berlin", "Paris", "Rome", "Wien")}
    assert psi_series("auc", known) == []
    assert public("service:db:cpu") == "db.cpu"
    assert in_order(["auc", "share:a=1", "share:a=2"]) == ("auc", "psi:a")


def test_a_sample_is_bounded_repeatable_in_order_and_fair() -> None:
    frame, _ = plain()
    window = Window(made.T0, made.ONSET)
    inside = frame.filter(pl.col("ts") < made.ONSET)
    one, two = (sample_rows(to_lazy(frame), "ts", window, ["device", "amount"], 2000, inside.height) for _ in range(2))
    assert one.equals(two)
    assert one["ts"].is_sorted()
    assert one.columns == ["ts", "device", "amount"]
    assert 1700 <= one.height <= 2300
    assert one["ts"].max() < made.ONSET
    assert (one["device"] == "ios").mean() == pytest.approx((inside["device"] == "ios").mean(), abs=0.05)
    assert sample_rows(to_lazy(frame), "ts", window, ["u"], 10**6, inside.height).height == inside.height


@pytest.mark.parametrize(("fault", "changed"), [
    ("nulls", {"amount"}), ("unit", {"amount"}), ("renamed", {"city"}), ("none", set())])
def test_columns_that_changed_are_told_from_those_that_did_not(fault: str, changed: set[str]) -> None:
    p = made.picture(fault, given=(Window(made.T0, made.ONSET), Window(made.ONSET, made.END)))
    compared = compare_columns(p)
    assert set(compared) == {"amount", "age", "city"}
    assert {c for c, x in compared.items() if x.changed} == changed


@pytest.mark.parametrize(("name", "change", "before", "verdict"), [
    ("auc", -0.1, 0.8, True), ("auc", 0.1, 0.8, False), ("error_rate", 0.1, 0.0, True), ("score_mean", 0.1, 0.5, None),
    ("bias", -0.2, 0.05, True), ("bias", -0.1, 0.1, False), ("auc", float("nan"), 0.8, None)])
def test_worse_knows_which_way_is_good(name: str, change: float, before: float, verdict: bool | None) -> None:
    assert worse(seen("none").series[name], change, before) is verdict


def test_a_season_needs_days_to_be_seen() -> None:
    phase, day = season_of(seen("none").grid)
    assert phase is not None
    assert set(phase) == set(range(24))
    assert day is not None  # four days from a Sunday on: days cannot be told apart, but the weekend can
    a_day = 86400 // seen("none").grid.coarse_s
    assert day.tolist() == [1] * a_day + [0] * (len(day) - a_day)
    monday = TimeGrid.over(datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 6, tzinfo=UTC))
    assert season_of(monday)[1] is None
    assert season_for(seen("none").series["null_rate:amount"], seen("none").grid)[1] is None


@pytest.mark.parametrize(("fault", "name"), [("scores", "auc"), ("errors", "error_rate"), ("nulls", "null_rate:amount"),
                                             ("slow", "latency_p50"), ("unit", "mean:amount"), ("threshold", "positive_rate")])
def test_the_series_that_broke_moves_at_the_onset(fault: str, name: str) -> None:
    p = seen(fault)
    move = p.moves[name]
    assert move.moved
    low, high = move.reach()
    assert p.grid.time(low, coarse=True) - SOON <= made.ONSET <= p.grid.time(high + 1, coarse=True) + SOON
    assert abs(p.grid.time(joint_onset([move], p.grid).index) - made.ONSET) <= SOON
    assert move in together(move, p.moves.values())


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_nothing_moves_in_a_quiet_log(seed: int) -> None:
    p = made.picture("none", seed=seed)
    assert p.anchor is None
    assert p.onset is None
    assert [n for n, m in p.moves.items() if m.moved and m.series.family != "helper"] == []


def test_windows_lie_on_either_side_of_the_onset() -> None:
    p = seen("scores")
    before, after = p.windows
    assert p.anchor is not None
    assert p.anchor.series.name == "auc"
    assert before.end <= after.start
    assert abs(after.start - made.ONSET) <= SOON
    assert after.end <= p.grid.time(p.grid.n)
    assert not (p.before * p.after).any()
    assert p.before.max() <= 1


def test_windows_given_by_a_person_are_kept() -> None:
    given = (Window(made.T0, made.ONSET - SOON), Window(made.ONSET, made.END))
    p = made.picture("scores", given=given)
    assert p.windows == given
    found = symptom(p, "auc")
    assert found.onset == made.ONSET


def test_the_alert_holds_only_when_its_metric_moved() -> None:
    assert signal(seen("scores"), "auc").holds
    quiet = signal(seen("none"), "auc")
    assert not quiet.holds
    assert quiet.reading is not None
    assert not quiet.reading.moved
    unknown = signal(seen("none"), "mae")
    assert not unknown.holds
    assert unknown.reading is None
    assert "mae" in unknown.because


def test_missing_labels_are_said() -> None:
    found = signal(seen("labels", "null_rate:label"), "auc")
    assert found.label_share_before == pytest.approx(1.0)
    assert found.label_share_after == pytest.approx(0.5, abs=0.1)
    assert any("labels have arrived" in n for n in found.notes)


@pytest.mark.parametrize(("fault", "metric", "direction"), [("scores", "auc", "down"), ("errors", "error_rate", "up"),
                                                            ("slow", "latency_p95", "up")])
def test_the_symptom_names_onset_and_direction(fault: str, metric: str, direction: str) -> None:
    early, inside = made.change(-2000, key="early"), made.change(-5, key="inside")
    found = symptom(seen(fault, metric), metric, [(c.id, c.time) for c in (early, inside)])
    assert (found.metric, found.direction, found.shape) == (metric, direction, "step")
    assert found.onset is not None
    assert found.onset_interval is not None
    assert abs(found.onset - made.ONSET) <= SOON
    assert found.onset_interval[0] <= found.onset <= found.onset_interval[1]
    assert "early" not in found.changes_inside
    assert found.change_interval is not None
    assert found.change is not None
    assert found.change_interval[0] < found.change < found.change_interval[1]
    assert (found.change > 0) == (direction == "up")
    assert {s.metric for s in found.series} >= {metric}


def test_a_quiet_log_has_no_symptom() -> None:
    found = symptom(seen("none"), "auc")
    assert (found.onset, found.direction, found.shape, found.also_changed) == (None, None, None, ())
    assert "no change" in found.says()


def test_scope_names_the_segment_or_says_global() -> None:
    for fault, expected in (("scores android", [{"device": "android"}]), ("scores", [])):
        p, frame = seen(fault), to_lazy(made.log(fault))
        schema = dict(frame.collect_schema())
        columns = [s.column for s in p.aggregates.plan.segments if s.column != "version"]
        found = scope(p, frame, badness_of(p, "auc", schema), "auc", columns)
        assert [s.where for s in found.segments] == expected
        assert found.is_global is (not expected)


def test_a_metric_without_rows_is_global() -> None:
    p = seen("none")
    assert badness_of(p, "volume", dict(to_lazy(made.log()).collect_schema())) is None
    assert scope(p, to_lazy(made.log()), None, "volume", ()).is_global


@pytest.mark.parametrize(("where", "expected"), [
    ({"column": "amount", "op": "null"}, pl.col("amount").is_null()),
    ({"column": "age", "op": "outside", "low": 30, "high": 60}, (pl.col("age") < 30) | (pl.col("age") > 60)),
    ({"column": "age", "op": "equal", "value": 40}, pl.col("age") == 40),
    ({"column": "city", "op": "in", "values": ["Rome", "Wien"]}, pl.col("city").is_in(["Rome", "Wien"])),
    ({"column": "city", "op": "matches", "pattern": "(?is)(?:RO.E)|(?:wien)"}, pl.col("city").is_in(["Rome", "Wien"]))])
def test_rows_that_a_clue_marks_are_found_again(where: dict[str, object], expected: pl.Expr) -> None:
    frame = made.log("nulls")
    lazy = to_lazy(frame)
    bad = badness_where(where, dict(lazy.collect_schema()))
    assert bad is not None
    marked = lazy.select(bad.row.alias("x")).collect()["x"].to_list()
    assert marked == frame.select(x=expected.fill_null(False).cast(pl.Int64))["x"].to_list()


def test_an_unknown_mark_marks_nothing() -> None:
    assert badness_where({"column": "score", "op": "unheard of"}, {}) is None
