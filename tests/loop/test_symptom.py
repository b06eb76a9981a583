"""Step 2: each thing it promises, on logs of which it is known."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from rca_kit.findings.symptom import Symptom
from rca_kit.loop.reading.deploys import deploy_effects
from rca_kit.loop.reading.detect import observe
from rca_kit.loop.reading.picture import Picture, look
from rca_kit.loop.s2_symptom import symptom

from . import made

HOUR = timedelta(hours=1)


def seen(frame: pl.DataFrame, alert: str, at: datetime = made.ALERT) -> Picture:
    return look(*made.sums(frame), (alert,), at)


def told(frame: pl.DataFrame, alert: str, *changes: tuple[str, float], at: datetime = made.ALERT) -> Symptom:
    """The symptom of a log; changes are logged that many hours after the onset."""
    p = seen(frame, alert, at)
    logged = [(name, made.ONSET + hours * HOUR) for name, hours in changes]
    return symptom(p, alert, logged, deploy_effects(p, alert, logged))


def clicks(frame: pl.DataFrame, rate: pl.Expr, seed: int = 5) -> pl.DataFrame:
    """Draw the clicks again, with a rate that is an expression of the log's columns."""
    u = pl.Series("draw", np.random.default_rng(seed).random(frame.height))
    return frame.with_columns(u).with_columns((pl.col("draw") < rate).cast(pl.Int64).alias("clicked")).drop("draw")


@pytest.mark.parametrize("seed", range(4))
def test_small_buckets_weigh_little(seed: int) -> None:
    """In a night of a few requests the rate swings between 0 and 1; that is no change, and hides none."""
    frame = made.log(rows=16_000, seed=seed)
    night = pl.col("ts").dt.hour().is_between(0, 7)
    frame = frame.filter(~night | (pl.col("u") < 0.004))
    quiet = clicks(frame, pl.lit(0.3), seed)
    assert not told(quiet, "kpi:clicked").onset
    fallen = told(clicks(frame, pl.when(made.AFTER).then(0.2).otherwise(0.3), seed), "kpi:clicked")
    assert fallen.onset is not None
    assert fallen.change == pytest.approx(-0.1, abs=0.04)


def test_auc_and_percentiles_bring_the_errors_of_their_own_buckets() -> None:
    """A quarter of the requests: errors grow by the root of four, and the scan uses them."""
    thin = pl.col("ts").dt.hour() < 12
    p = seen(made.log(rows=160_000).filter(~thin | (pl.col("u") < 0.25)), "auc")
    hour = p.grid.phase(coarse=True) * p.grid.coarse_s // 3600
    for name in ("auc", "latency_p95"):
        error = p.series[name].detection().error
        assert np.nanmedian(error[hour < 12]) / np.nanmedian(error[hour >= 12]) == pytest.approx(2, rel=0.35)
        used = observe(p.series[name])[1]
        assert np.nanmedian(used[hour < 12]) / np.nanmedian(used[hour >= 12]) == pytest.approx(2, rel=0.35)


def test_deploys_inside_the_onset_interval_are_named() -> None:
    found = told(made.log("errors"), "error_rate", ("early", -30), ("one", 0.02), ("two", -0.1), ("late", 12))
    assert found.onset_interval is not None
    assert found.onset_interval[0] <= made.ONSET <= found.onset_interval[1]
    assert set(found.changes_inside) == {"one", "two"}
    assert "2 logged changes lie inside" in found.says()
    assert "one" in found.says()


def in_hours(values: np.ndarray) -> pl.Expr:
    """A rate for each hour of the log."""
    hour = ((pl.col("ts") - made.T0).dt.total_seconds() // 3600).cast(pl.Int64)
    return hour.replace_strict(dict(enumerate(values.tolist())), return_dtype=pl.Float64)


H = np.arange(24 * made.DAYS)
AT = 78  # hours from the start to the onset
SHAPES = {
    "step": np.where(H < AT, 0.5, 0.3),
    "ramp": 0.5 - 0.3 * np.clip((H - 50) / 40, 0, 1),
    "spike": np.where((H >= 74) & (H < AT), 0.25, 0.5),
    "season": 0.5 + 0.15 * np.sin(H * 2 * np.pi / 24),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_shape_is_named(shape: str) -> None:
    found = told(clicks(made.log(rows=40_000), in_hours(SHAPES[shape])), "kpi:clicked")
    assert found.shape == shape
    assert (found.onset is None) == (shape == "season")
    if shape == "season":
        assert "usual season only" in found.says()


def test_sawtooth_is_named() -> None:
    """Latency climbs and falls back with each restart, since the onset only."""
    hours = (pl.col("ts") - made.T0).dt.total_seconds() / 3600 - 40
    climb = pl.when(hours >= 0).then(1 + 2 * (hours % 11) / 11).otherwise(1.0)
    frame = made.log(rows=40_000).with_columns((pl.col("latency_ms") * climb).alias("latency_ms"))
    assert told(frame, "latency_p50", at=made.END).shape == "sawtooth"


def test_before_and_after_with_an_interval_that_allows_for_persistence() -> None:
    """Hourly shocks that last: the interval holds the change where that of independent requests would be too narrow."""
    held, naive = 0, 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        shock = np.zeros(H.size)
        for i in range(1, H.size):
            shock[i] = 0.7 * shock[i - 1] + 0.02 * rng.normal()
        frame = clicks(made.log(rows=30_000, seed=seed), in_hours(np.clip(np.where(H < AT, 0.5, 0.3) + shock, 0, 1)), seed)
        found = told(frame, "kpi:clicked")
        assert found.change_interval is not None
        assert found.change is not None
        low, high = found.change_interval
        held += low <= -0.2 <= high
        after = int((frame["ts"] >= made.ONSET).sum())
        half = 1.96 * (0.25 / (frame.height - after) + 0.21 / after) ** 0.5
        naive += abs(found.change + 0.2) <= half
        assert high - low > 2 * half
    assert held >= 10
    assert held > naive or naive == 12


def test_baseline_is_the_same_hours_of_earlier_days_and_is_said() -> None:
    """Evenings click less: against the whole log before, an evening's incident would look twice its size."""
    evening = pl.col("ts").dt.hour() >= 18
    rate = pl.when(evening).then(0.3).otherwise(0.6) * pl.when(pl.col("ts") >= made.T0 + timedelta(days=3, hours=18)).then(
        0.7).otherwise(1.0)
    found = told(clicks(made.log(rows=40_000), rate), "kpi:clicked", at=made.END)
    assert found.baseline == "the same hours of earlier days"
    assert found.before == pytest.approx(0.3, abs=0.06)  # an hour on either side counts too; the whole log has 0.53
    assert found.after == pytest.approx(0.21, abs=0.03)


def test_what_moved_first_leads() -> None:
    """Nulls at noon, the score an hour and a half later, clicks another two hours on."""
    t = [made.ONSET + timedelta(hours=h) for h in (0, 1.5, 3.5)]
    frame = made.log(rows=60_000).with_columns(
        pl.when((pl.col("ts") >= t[0]) & (pl.col("u") < 0.4)).then(None).otherwise(pl.col("amount")).alias("amount"),
        pl.when(pl.col("ts") >= t[1]).then(pl.col("score") * 0.7).otherwise(pl.col("score")).alias("score"))
    found = told(clicks(frame, pl.when(pl.col("ts") >= t[2]).then(0.15).otherwise(0.3)), "kpi:clicked", at=made.END)
    times = {o.metric: o.time for o in found.onsets}
    order = [o.metric for o in found.onsets if o.metric in ("null_rate:amount", "score_mean", "kpi:clicked")]
    assert order == ["null_rate:amount", "score_mean", "kpi:clicked"]
    for name, when in zip(order, t, strict=True):
        assert abs(times[name] - when) <= timedelta(minutes=20)


def test_late_labels_do_not_shift_the_onset() -> None:
    """Labels come half a day late: what is known of the last hours is thin, and is counted at the time of the request."""
    late = (pl.col("ts") > made.END - timedelta(hours=12)) & (
        pl.col("u") < 1 - (made.END - pl.col("ts")).dt.total_seconds() / (12 * 3600))
    whole = made.log("scores", rows=40_000)
    some = whole.with_columns(pl.when(late).then(None).otherwise(pl.col("label")).alias("label"))
    found = told(some, "auc")
    assert found.onset is not None
    assert abs(found.onset - made.ONSET) <= timedelta(minutes=30)
    quiet = made.log(rows=40_000).with_columns(pl.when(late).then(None).otherwise(pl.col("label")).alias("label"))
    assert told(quiet, "auc").onset is None


def versions(*stages: tuple[float, float]) -> pl.DataFrame:
    """A log in which v2 serves a share of requests from some hour after the start on."""
    share = pl.lit(0.0)
    for hour, part in stages:
        share = pl.when(pl.col("ts") >= made.T0 + hour * HOUR).then(part).otherwise(share)
    return made.log(rows=40_000).with_columns(
        pl.when(pl.col("u") < share).then(pl.lit("v2")).otherwise(pl.lit("v1")).alias("version"))


def test_a_rollout_is_a_staircase_that_begins_with_its_first_stage() -> None:
    stages = ((54, 0.1), (66, 0.5), (80, 1.0))
    frame = clicks(versions(*stages), pl.when(pl.col("version") == "v2").then(0.3).otherwise(0.6))
    found = told(frame, "kpi:clicked", ("deploy", 54 - AT), at=made.END)
    assert found.shape == "staircase"
    assert found.onset is not None
    assert abs(found.onset - (made.T0 + 54 * HOUR)) <= timedelta(minutes=40)
    assert found.changes_inside == ("deploy",)
    assert found.says().count("% from") == 3
    assert "share of v2: " in found.says()


def test_stages_of_a_version_that_does_no_harm_name_nothing() -> None:
    """The same rollout, but the clicks fall at once and for all: the version's share does not tell that."""
    frame = clicks(versions((54, 0.1), (66, 0.5), (80, 1.0)), pl.when(made.AFTER).then(0.3).otherwise(0.6))
    found = told(frame, "kpi:clicked")
    assert found.shape == "step"
    assert found.staged == ""
    assert found.onset is not None
    assert abs(found.onset - made.ONSET) <= timedelta(minutes=30)


def test_each_logged_change_gets_its_interrupted_time_series() -> None:
    slope = 0.01  # per hour, from the second change on
    rate = np.where(H < 40, 0.5, 0.4) + slope * np.clip(H - 60, 0, None)
    frame = clicks(made.log(rows=80_000), in_hours(rate))
    p = seen(frame, "kpi:clicked")
    at = {"level": 40, "slope": 60, "nothing": 20, "edge": 0}
    found = {e.change_id: e for e in deploy_effects(p, "kpi:clicked", [(k, made.T0 + v * HOUR) for k, v in at.items()])}
    assert set(found) == {"level", "slope", "nothing"}
    cut = p.grid.index(made.T0 + 58 * HOUR)
    assert cut > 0
    level = found["slope"]
    assert level.slope_interval[0] > 0
    assert level.slope_interval[0] <= level.slope_change_per_hour <= level.slope_interval[1]
    short = clicks(made.log(rows=80_000), in_hours(np.where(H < 40, 0.5, 0.4)))
    (one,) = deploy_effects(seen(short, "kpi:clicked"), "kpi:clicked", [("level", made.T0 + 40 * HOUR)])
    assert one.level_interval[0] <= -0.1 <= one.level_interval[1]
    assert one.level_interval[1] < 0
    assert one.slope_interval[0] <= 0 <= one.slope_interval[1]
    assert one.p_value < 1e-3


def test_what_grows_by_itself_owes_a_rollout_nothing() -> None:
    """A version comes in stages since hour 66; clicks fall little by little, from hour 74 on and without regard to it."""
    fall = 0.6 - 0.02 * np.clip(H - 74, 0, None)
    found = told(clicks(versions((66, 0.2), (78, 0.6), (90, 1.0)), in_hours(fall)), "kpi:clicked", at=made.END)
    assert found.staged == ""
    assert found.onset is not None
    assert abs(found.onset - (made.T0 + 74 * HOUR)) <= timedelta(hours=4)
