"""Requests that are in the log twice, the segment that an alert names, a slow stage, and what is told of entries and machines."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import rca_kit
from rca_kit.findings.scope import Segment
from rca_kit.loop.reading.prepare import picture_of, prepare
from rca_kit.loop.reading.repeats import Repeats, others_alike
from rca_kit.loop.s3_scope.alerted import alerted_inside
from rca_kit.loop.s4_suspects.changes import Fit
from rca_kit.loop.s4_suspects.clue import Clue
from rca_kit.loop.s4_suspects.hypotheses import Scene, hypotheses
from rca_kit.sources import open_case

from . import made

ROLES = ("roles: {time: ts, request_id: id, score: score, label: label, decision: decision, error: error, "
         "latency_ms: latency_ms, model_version: version, segments: [device, country], features: [amount, age, city]}\n")


def case(folder: Path, frame: pl.DataFrame, metric: str, summary: str = "", alert: timedelta = timedelta(0)) -> Path:
    frame.drop("u", strict=False).sort("ts").write_parquet(folder / "p.parquet")
    (folder / "incident.yaml").write_text(
        f"id: A\ntitle: t\ndetected_at: {(made.ALERT + alert).isoformat()}\nsignal: {{source: alert, metric: '{metric}', "
        f"summary: '{summary}'}}\ntables: {{predictions: p.parquet}}\n{ROLES}", encoding="utf-8")
    return folder


def with_ids(rows: int = 12_000, seed: int = 0) -> pl.DataFrame:
    return made.log(rows=rows, seed=seed).with_row_index("n").with_columns(pl.format("r{}", "n").alias("id")).drop("n")


@pytest.mark.parametrize("same_id", [True, False])
def test_requests_told_again_minutes_later_are_no_campaign(tmp_path: Path, same_id: bool) -> None:
    """A queue is replayed, or a client sends twice under another id."""
    frame = with_ids()
    again = frame.filter(made.AFTER & (pl.col("u") < 0.6)).with_columns(pl.col("ts") + pl.duration(minutes=4))
    if not same_id:
        again = again.with_columns(pl.col("id") + "x")
    found = rca_kit.investigate(case(tmp_path, pl.concat([frame, again]), "volume"))
    assert found.verdict == "incident"
    assert found.suspects.items[0].subject == "traffic"
    assert found.suspects.items[0].category in ("data", "code")
    assert found.symptom.onset is not None and abs(found.symptom.onset - made.ONSET) <= timedelta(minutes=30)
    assert any("in the log before" in e.says for e in found.suspects.items[0].evidence)


def test_few_requests_that_are_told_again_tell_whose_they_are(tmp_path: Path) -> None:
    """Too few to be seen in how many come; they are all of one country."""
    frame = with_ids(20_000)
    again = frame.filter(made.AFTER & (pl.col("country") == pl.col("country").min()) & (pl.col("u") < 0.25))
    later = again.with_columns(pl.col("ts") + pl.duration(minutes=4))
    found = rca_kit.investigate(case(tmp_path, pl.concat([frame, later]), "volume"))
    assert found.verdict == "incident"
    assert [s.where for s in found.scope.segments] == [{"country": frame["country"].min()}]


def test_rows_written_twice_tell_whose_they_are_whatever_is_asked(tmp_path: Path) -> None:
    frame = with_ids(20_000)
    again = frame.filter(made.AFTER & (pl.col("country") == pl.col("country").min()) & (pl.col("u") < 0.25))
    found = rca_kit.investigate(case(tmp_path, pl.concat([frame, again]), "auc"))
    assert found.verdict == "incident"
    assert found.symptom.metric != "volume"
    assert [s.where for s in found.scope.segments] == [{"country": frame["country"].min()}]


@pytest.mark.parametrize("differ", [True, False])
def test_requests_alike_of_which_other_things_came_are_others(tmp_path: Path, differ: bool) -> None:
    """Twice as many come as before, and ask what others asked minutes before: one request that is told twice has one outcome."""
    rng = np.random.default_rng(2)
    frame = with_ids()
    again = frame.filter(made.AFTER & (pl.col("u") < 0.6)).with_columns(
        pl.col("ts") + pl.duration(minutes=4), id=pl.col("id") + "x")
    if differ:
        again = again.with_columns(label=pl.Series(rng.random(again.height) < again["score"].to_numpy()).cast(pl.Int64))
    found = rca_kit.investigate(case(tmp_path, pl.concat([frame, again.cast(dict(frame.schema))]), "volume"))
    assert found.verdict == ("benign_shift" if differ else "incident")


def test_outcomes_that_are_not_known_yet_tell_nothing_of_requests_alike() -> None:
    rows = pl.DataFrame({"k": [i // 2 for i in range(400)], "late": [None, 1] * 200, "few": [0] * 398 + [0, 1]})
    assert not others_alike(rows, "k", ["late"]) and not others_alike(rows, "k", ["few"]) and not others_alike(rows, "k", [])


@pytest.mark.parametrize(("again", "whose"), [
    ({"de": (40, 400), "fr": (1, 600)}, ("country", ["de"])),
    ({"de": (40, 700), "fr": (1, 300)}, None),  # most of the traffic has most of them in any case
    ({"de": (20, 400), "fr": (21, 600)}, None),
    ({"de": (20, 400), "fr": (0, 600)}, None)])
def test_repeats_belong_to_the_values_that_have_all_of_them(again: dict[str, tuple[int, int]], whose: object) -> None:
    table = pl.DataFrame({"value": list(again), "again": [k for k, _ in again.values()], "rows": [n for _, n in again.values()]})
    assert Repeats(np.zeros(1), np.zeros(1), (("country", table),)).whose() == whose


def test_more_requests_that_are_new_are_no_repeats(tmp_path: Path) -> None:
    more = with_ids(seed=9).filter(made.AFTER & (pl.col("u") < 0.9)).with_columns(pl.col("id") + "y")
    found = rca_kit.investigate(case(tmp_path, pl.concat([with_ids(), more]), "volume"))
    assert found.verdict == "benign_shift"


def test_the_segment_that_an_alert_names_is_looked_at(tmp_path: Path) -> None:
    """A hundred and fifty requests in forty thousand, answered at random since the onset: nothing that the whole shows."""
    rng = np.random.default_rng(4)
    frame = with_ids(40_000)
    small = pl.Series(rng.random(frame.height) < 0.015)
    wrong = small & pl.Series((frame["ts"] >= made.ONSET).to_numpy())
    frame = frame.with_columns(
        pl.when(small).then(pl.lit("XK")).otherwise("country").alias("country"),
        pl.when(wrong).then(1 - pl.col("decision")).otherwise("decision").alias("decision"),
        pl.when(wrong).then(1 - pl.col("score")).otherwise("score").alias("score"))
    folder = case(tmp_path, frame, "accuracy", "accuracy 0.7 -> 0.3 for country=XK")
    found = rca_kit.investigate(folder)
    assert found.verdict == "incident"
    assert [s.where for s in found.scope.segments] == [{"country": "XK"}]
    assert found.symptom.onset is not None and abs(found.symptom.onset - made.ONSET) <= timedelta(hours=3)
    assert found.symptom.shape is not None and 0 < (found.scope.segments[0].share_of_traffic or 0) < 0.05
    assert found.symptom.direction == "down" and (found.symptom.after or 1.0) < 0.5
    prepared = prepare(open_case(folder))
    picture = picture_of(prepared)
    assert alerted_inside(prepared, picture, "accuracy for country=XK") is not None
    for text in ("accuracy 0.7 -> 0.3", "accuracy for country=DE", "accuracy for country=QQ"):
        assert alerted_inside(prepared, picture, text) is None


@pytest.mark.parametrize(("metric", "told"), [("calibration_error", "calibration_error"), ("volume", "log_loss")])
def test_a_loss_bears_out_an_alert_about_how_many_requests_of_a_segment_came(tmp_path: Path, metric: str, told: str) -> None:
    """A ring of fraud looks like other customers: more requests of one kind, and outcomes that no score foresaw."""
    rng = np.random.default_rng(4)
    frame = with_ids(30_000)
    small = pl.Series(rng.random(frame.height) < 0.015)
    wrong = small & pl.Series((frame["ts"] >= made.ONSET).to_numpy()) & pl.Series(rng.random(frame.height) < 0.6)
    frame = frame.with_columns(
        pl.when(small).then(pl.lit("XK")).otherwise("country").alias("country"),
        pl.when(wrong).then((pl.col("score") < 0.5).cast(pl.Int64)).otherwise("label").alias("label"))
    found = rca_kit.investigate(case(tmp_path, frame, metric, f"{metric} 0.10 -> 0.14 (monitor by country: XK)"))
    assert found.verdict == "incident"
    assert [s.where for s in found.scope.segments] == [{"country": "XK"}]
    assert found.symptom.metric == told and found.symptom.direction == "up"
    assert found.signal.holds and "country = XK" in found.signal.because
    assert found.symptom.onset is not None and abs(found.symptom.onset - made.ONSET) <= timedelta(hours=3)
    quiet = case(tmp_path, with_ids(30_000), metric, f"{metric} 0.10 -> 0.14 (monitor by country: DE)")
    assert rca_kit.investigate(quiet).verdict == "no_change"


def test_an_alert_that_names_a_segment_which_is_as_ever_stays_without_an_incident(tmp_path: Path) -> None:
    told = [
        rca_kit.investigate(case(tmp_path, with_ids(seed=seed), "accuracy", "accuracy 0.75 -> 0.6 for device=ios")).verdict
        for seed in range(8)
    ]
    assert told.count("incident") == 0


def entry(component: str, kind: str = "code_deploy") -> Fit:
    return Fit(made.change(kind=kind, component=component, text="edited"), 2.0, 0.0, "silent", {})


@pytest.mark.parametrize(("component", "kind", "elsewhere"), [
    ("shop-ui", "code_deploy", True), ("ranker", "code_deploy", False), ("", "code_deploy", False),
    ("market", "campaign", False)])
def test_entries_about_what_no_metric_of_the_service_knows(component: str, kind: str, elsewhere: bool) -> None:
    clue = Clue("null_rate", "feature:amount", "nulls", "nulls", 0.9)
    told = hypotheses([clue], [entry(component, kind)], Scene("quality", 10, (), components=("ranker", "store")))
    assert all(("change:elsewhere" in h.x) is elsewhere for h in told if h.fit is not None)
    unknown = hypotheses([clue], [entry(component, kind)], Scene("quality", 10, ()))  # nothing is known of any component
    assert not any("change:elsewhere" in h.x for h in unknown)


@pytest.mark.parametrize(("column", "machine"), [("node", True), ("ctx.rz_zone", True), ("country", False), ("zone_kind", False)])
def test_what_hits_one_machine_is_mostly_the_machine(column: str, machine: bool) -> None:
    clue = Clue("stage_latency", "stage:score_ms", "slow", "slower", 0.9)
    told = hypotheses([clue], [], Scene("service", 10, (Segment({column: "n3"}),)))[:-1]
    assert all((f"machine:{h.category}" in h.x) is machine for h in told)


def test_a_stage_that_takes_much_longer_is_a_slow_service_before_the_whole_shows_it(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    rows = with_ids(20_000)
    late = made.END - timedelta(minutes=40)
    score = 30 * rng.lognormal(0, 0.3, rows.height)
    slow = (rows["ts"] >= late).to_numpy()
    score = np.where(slow, 3 * score, score)
    rest = 400 * rng.lognormal(0, 0.6, rows.height)
    frame = rows.with_columns(score_ms=pl.Series(score), rest_ms=pl.Series(rest), latency_ms=pl.Series(score + rest))
    folder = case(tmp_path, frame, "latency_p95", alert=made.END - made.ALERT)
    text = (folder / "incident.yaml").read_text(encoding="utf-8")
    text = text.replace("latency_ms: latency_ms", "latency_ms: latency_ms, stages: [score_ms, rest_ms]")
    (folder / "incident.yaml").write_text(text, encoding="utf-8")
    found = rca_kit.investigate(folder)
    assert found.verdict == "incident"
    assert found.suspects.items[0].subject == "stage:score_ms"


def test_a_new_arm_that_is_filled_little_by_little_dates_what_it_brings(tmp_path: Path) -> None:
    """Of a rollout the first requests are too few for an outcome, and are of the arm all the same."""
    hours = (pl.col("ts") - made.ONSET).dt.total_minutes() / 60
    drawn = made.AFTER & (pl.col("u") < (hours / 24).clip(0, 0.6))
    frame = with_ids(rows=20_000).with_columns(
        arm=pl.when(drawn).then(pl.lit("B")).otherwise(pl.lit("A")),
        score=pl.when(drawn).then(1 - pl.col("score")).otherwise(pl.col("score")))
    folder = case(tmp_path, frame, "log_loss", alert=timedelta(hours=12))
    text = (folder / "incident.yaml").read_text().replace("segments: [device, country]", "segments: [device, country, arm]")
    (folder / "incident.yaml").write_text(text)
    found = rca_kit.investigate(folder)
    assert found.verdict == "incident" and found.suspects.items[0].subject == "routing"
    assert found.symptom.onset is not None and abs(found.symptom.onset - made.ONSET) <= timedelta(minutes=60)
    assert [s.where for s in found.scope.segments] == [{"arm": "B"}]


def test_what_the_week_explains_hides_nothing_that_comes_later(tmp_path: Path) -> None:
    """The log begins on a weekend; on Tuesday most requests of one device are missing from it."""
    monday, tuesday = made.T0 + timedelta(days=1), made.T0 + timedelta(days=2, hours=20)
    frame = with_ids(rows=24_000)
    kept = (pl.col("ts") >= monday) | (pl.col("u") < 0.5)
    lost = (pl.col("ts") >= tuesday) & (pl.col("device") == "android") & (pl.col("u") < 0.9)
    alert = tuesday + timedelta(hours=5) - made.ALERT
    found = rca_kit.investigate(case(tmp_path, frame.filter(kept & ~lost), "volume", alert=alert))
    assert found.verdict == "incident"
    assert found.symptom.onset is not None and abs(found.symptom.onset - tuesday) <= timedelta(minutes=45)
    assert [s.where for s in found.scope.segments] == [{"device": "android"}]


def test_a_log_that_only_begins_on_a_weekend_has_no_change(tmp_path: Path) -> None:
    frame = with_ids(rows=24_000).filter((pl.col("ts") >= made.T0 + timedelta(days=1)) | (pl.col("u") < 0.5))
    assert rca_kit.investigate(case(tmp_path, frame, "volume")).verdict == "no_change"
