from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
import yaml

from rca_kit.errors import BadInput
from rca_kit.findings.base import Window
from rca_kit.findings.symptom import MetricSeries
from rca_kit.loop.guardrails import freshness, parity, schema, schema_file
from rca_kit.loop.guardrails.backtest import AlertRule, backtest
from rca_kit.loop.guardrails.prometheus import alert_name, rules_file
from rca_kit.loop.guardrails.prometheus import tests_file as promtool_tests
from rca_kit.loop.guardrails.trial import held_out, try_canary, try_schema
from rca_kit.loop.guardrails.write import write_guardrails
from rca_kit.loop.versions.triggers import parse_trigger
from rca_kit.sources import open_case

T0 = datetime(2026, 3, 1, tzinfo=UTC)
ONSET = T0 + timedelta(days=4, hours=14)
END = T0 + timedelta(days=5)
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed (Debian package prometheus)")


def log(n: int = 40_000, seed: int = 0, broken: bool = True) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    ts = [T0 + (END - T0) * (i / n) for i in range(n)]
    after = np.array([t >= ONSET for t in ts])
    kind = rng.choice(["phone", "tablet", "desktop"], n)
    logit = -1.5 + 2.5 * (kind == "phone") + rng.normal(0, 0.5, n)
    lost = after & broken & (rng.random(n) < 0.4)
    score = 1 / (1 + np.exp(-np.where(lost, rng.normal(-1, 2, n), logit)))
    return pl.DataFrame({
        "ts": ts, "request_id": [f"r{i}" for i in range(n)], "score": score,
        "is_fraud": (rng.random(n) < 1 / (1 + np.exp(-logit))).astype(int), "amount": rng.lognormal(3, 1, n),
        "device_type": pl.Series(kind.tolist()).scatter(np.flatnonzero(lost), None),
        "email": [f"u{i}@example.org" for i in range(n)], "country": rng.choice(["DE", "FR"], n),
    })


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    folder = tmp_path_factory.mktemp("case")
    log().write_parquet(folder / "p.parquet")
    metrics = pl.DataFrame({"time": [T0 + timedelta(minutes=30 * i) for i in range(240)]}).with_columns(
        component=pl.lit("store"), metric=pl.lit("feature_age_s"),
        value=pl.when(pl.col("time") < ONSET).then(300.0).otherwise(4000.0))
    metrics.write_csv(folder / "m.csv")
    (folder / "c.csv").write_text("id,time,kind,component,description\n"
                                  "c1,2026-03-05T13:55:00Z,config_change,store,new key format\n")
    (folder / "incident.yaml").write_text("""
id: G-1
title: "{{ $labels }} fell"
service: 'fraud "one"'
detected_at: 2026-03-05T18:00:00Z
signal: {source: alert, metric: auc}
tables: {predictions: p.parquet, changes: c.csv, service_metrics: m.csv}
roles: {time: ts, request_id: request_id, score: score, label: is_fraud, segments: [country],
        features: [amount, device_type, email]}
redact: [email]
""")
    return folder


@pytest.fixture(scope="module")
def written(case, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "deep" / "er"
    return {p.name: p for p in write_guardrails(case, out)}


@pytest.fixture(scope="module")
def trials(written):
    return json.loads(written["backtest.json"].read_text())["files"]


def run(*args, cwd, **env):
    return subprocess.run([str(a) for a in args], cwd=cwd, capture_output=True, text=True, check=False, env={**os.environ, **env})


def test_all_kinds_are_written_and_nothing_else_is_left_behind(written):
    folder = written["README.md"].parent
    assert {p.name for p in folder.iterdir()} == set(written)
    assert {"prometheus_rules.yml", "prometheus_rules_test.yml", "input_schema.py", "test_feature_parity.py", "canary.yaml",
            "check_freshness.py"} <= set(written)


def test_alerts_would_have_fired_earlier_and_never_in_health(trials):
    rules = {t["metric"]: t for t in trials["prometheus_rules.yml"]}
    assert "null_rate:device_type" in rules
    for t in rules.values():
        assert t["fires_on_incident"]
        assert t["lead_minutes"] > 60
        assert t["false_alarms"] == 0


@needs_promtool
def test_promtool_accepts_the_rules_and_replays_the_incident(written):
    folder = written["README.md"].parent
    checked = run(PROMTOOL, "check", "rules", "prometheus_rules.yml", cwd=folder)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    tested = run(PROMTOOL, "test", "rules", "prometheus_rules_test.yml", cwd=folder)
    assert tested.returncode == 0, tested.stdout + tested.stderr


@needs_promtool
def test_promtool_test_fails_when_the_threshold_is_moved_away(written, tmp_path):
    rules = yaml.safe_load(written["prometheus_rules.yml"].read_text())
    rules["groups"][0]["rules"][0]["expr"] = rules["groups"][0]["rules"][0]["expr"].rsplit(" ", 1)[0] + " 0.99"
    (tmp_path / "prometheus_rules.yml").write_text(yaml.safe_dump(rules))
    shutil.copy(written["prometheus_rules_test.yml"], tmp_path)
    assert run(PROMTOOL, "test", "rules", "prometheus_rules_test.yml", cwd=tmp_path).returncode != 0


@needs_promtool
def test_awkward_names_survive_promtool(tmp_path):
    metric, service = 'null_rate:a "b" {{c}} \\ $x', 'ser{vice "1"\n2'
    times = tuple(T0 + timedelta(minutes=10 * i) for i in range(60))
    s = MetricSeries(metric, 600, times, (0.01,) * 40 + (None,) + (0.2,) * 19, (9,) * 60)
    rule = AlertRule(metric, ">", 0.1, 20)
    tested = backtest(rule, s, times[41], times[59])
    rules = [(metric, rule, tested)]
    runbook = "call {{ $value }}"
    (tmp_path / "r.yml").write_text(rules_file("I-1", service, rules, 600, runbook, "r.yml"))
    (tmp_path / "r_test.yml").write_text(promtool_tests("I-1", service, rules, {metric: s}, times[41], runbook, "r.yml"))
    done = run(PROMTOOL, "test", "rules", "r_test.yml", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_alert_names_are_never_empty():
    assert alert_name("!!") == "Alert"


def load(path):
    space = {"__name__": "input_schema"}
    exec(compile(path.read_text(), str(path), "exec", dont_inherit=True), space)
    return space


def test_schema_fails_on_the_incident_and_passes_on_each_healthy_day(written, trials):
    pa = pytest.importorskip("pandera.polars")
    made = load(written["input_schema.py"])
    frame = log()
    for day in range(4):
        part = frame.filter((pl.col("ts") >= T0 + timedelta(days=day)) & (pl.col("ts") < T0 + timedelta(days=day + 1)))
        assert made["problems"](part) == []
        made["SCHEMA"].validate(part, lazy=True)
    ill = frame.filter(pl.col("ts") >= ONSET)
    assert "device_type: share of nulls" in made["problems"](ill)
    with pytest.raises(pa.errors.SchemaErrors):
        made["SCHEMA"].validate(ill, lazy=True)
    t = trials["input_schema.py"]
    assert t["fires_on_incident"] and t["passes_on_healthy_days"] and t["false_alarms_per_week"] == 0
    assert t["lead_minutes"] > 120
    assert t["held_out"]["failing"] == 0 and t["held_out"]["batches"] >= 2 and t["held_out"]["days"] > 1


def test_false_alarms_come_from_days_the_limits_have_not_seen():
    frame = log(broken=False).with_columns(  # the last day is unlike the others: its own limits pass
        amount=pl.when(pl.col("ts") >= T0 + timedelta(days=3)).then(pl.col("amount") + 500).otherwise(pl.col("amount")))
    cut = schema.batches(frame, "ts", T0, END, timedelta(days=1))
    source = schema_file.render("I", "s", schema.learn(cut, ["amount"], set()))
    held = held_out(cut, ["amount"], set(), END)
    done = try_schema(source, cut, [schema.Batch(ONSET, END, frame.filter(pl.col("ts") >= ONSET))], "ts", END, held)
    assert done["passes_on_healthy_days"] and done["held_out"]["failing"] == 1 and done["false_alarms_per_week"] >= 3.5
    assert "amount: distribution" in done["held_out"]["says"]
    assert held_out(cut[:1], ["amount"], set(), END) is None


def test_canary_trigger_asks_for_as_many_requests_as_it_needs_to_be_silent(case, written, trials):
    tried = trials["canary.yaml"]  # no versions in this log; two equal sides there are
    assert "not_applicable" in tried and tried["passes_on_healthy_days"] and "healthy_says" in tried
    assert yaml.safe_load(written["canary.yaml"].read_text())["traffic"]["min_requests"] == tried["min_requests"]
    facts = SimpleNamespace(symptom=SimpleNamespace(onset=ONSET, windows=(Window(T0, ONSET), Window(ONSET, END))), metric="auc")
    opened = open_case(case)
    calm = try_canary(facts, opened, "score_mean > +20% for 5 min")
    assert calm["passes_on_healthy_days"] and calm["min_requests"] == 1_000
    touchy = try_canary(facts, opened, "score_mean > -5% for 1 min")
    assert touchy["passes_on_healthy_days"] is False and touchy["min_requests"] > 1_000
    assert "passes_on_healthy_days" not in try_canary(facts, opened, "p99 > +50 ms for 5 min")  # this log holds no latency


def test_schema_passes_on_other_healthy_days_of_the_same_service(written):
    made = load(written["input_schema.py"])
    fresh = log(seed=5, broken=False)
    days = [fresh.filter(pl.col("ts").dt.date() == (T0 + timedelta(days=d)).date()) for d in range(5)]
    assert [made["problems"](d) for d in days] == [[]] * 5


@pytest.mark.parametrize(("change", "problem"), [
    (pl.col("amount") * 1000, "amount: range"), (pl.col("amount").cast(pl.String), "amount: kind"),
    (pl.lit(20.0).alias("amount"), "amount: distribution"), (pl.lit("fridge").alias("device_type"), "device_type: known values"),
    (pl.lit("phone").alias("device_type"), "device_type: distribution"),
])
def test_schema_sees_other_faults_too(written, change, problem):
    made = load(written["input_schema.py"])
    part = log().filter(pl.col("ts") < T0 + timedelta(days=1)).with_columns(change)
    assert problem in made["problems"](part)


def test_schema_says_when_a_column_is_gone_and_spares_small_batches(written):
    made = load(written["input_schema.py"])
    assert "amount: missing column" in made["problems"](log().drop("amount"))
    assert made["problems"](log().head(20).with_columns(device_type=pl.lit(None, pl.String))) == []


def test_schema_file_holds_no_redacted_value(written):
    assert "example.org" not in written["input_schema.py"].read_text()


def test_schema_runs_as_a_command(written, tmp_path):
    pytest.importorskip("pandera.polars")
    log().filter(pl.col("ts") >= ONSET).write_parquet(tmp_path / "ill.parquet")
    log().filter(pl.col("ts") < T0 + timedelta(days=1)).write_parquet(tmp_path / "well.parquet")
    done = run(sys.executable, written["input_schema.py"], tmp_path / "ill.parquet", cwd=tmp_path)
    assert (done.returncode, "device_type" in done.stdout) == (1, True), done.stderr
    assert run(sys.executable, written["input_schema.py"], tmp_path / "well.parquet", cwd=tmp_path).returncode == 0


def test_template_and_learner_measure_the_same_distance():
    limits = {"edges": [1.0, 2.0], "shares": [0.2, 0.5, 0.3]}
    made: dict = {"__name__": "x"}
    source = schema_file.render("a", "b", {"x": {"kind": "number", "nulls": 0.1}}).replace("import pandera.polars as pa\n", "")
    exec(source.partition("\ndef _check(title")[0], made)
    values = pl.Series([0.5, 1.5, 1.5, 2.5, 9.0])
    assert schema.psi(values, limits) == made["psi"](values, limits)


@pytest.mark.parametrize(("change", "passes", "hint"), [
    (None, True, ""), (pl.col("amount") * 1000, False, "1000 x offline"),
    (pl.when(pl.col("i") % 5 == 0).then(None).otherwise(pl.col("amount")).alias("amount"), False, "missing on one side"),
    (pl.col("kind").replace({"a": "b", "b": "a"}), False, "'a' -> 'b'"),
    (pl.when(pl.col("i") % 5 == 0).then(float("nan")).otherwise(pl.col("amount")).alias("amount"), False, "missing on one side"),
    (pl.when(pl.col("i") % 5 == 0).then(float("inf")).otherwise(pl.col("amount")).alias("amount"), False, "20.0% of requests"),
])
def test_parity_test_finds_what_differs(tmp_path, change, passes, hint):
    offline = pl.DataFrame({"i": range(500), "amount": [1.5 + i for i in range(500)], "kind": ["a", "b"] * 250})
    offline.write_parquet(tmp_path / "off.parquet")
    online = offline if change is None else offline.with_columns(change)
    online.sample(fraction=1.0, shuffle=True, seed=1).write_parquet(tmp_path / "on.parquet")
    (tmp_path / "test_feature_parity.py").write_text(parity.render("I", "i", ["amount", "kind"]))
    done = run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_feature_parity.py", cwd=tmp_path,
               OFFLINE="off.parquet", ONLINE="on.parquet")
    assert (done.returncode == 0) is passes, done.stdout
    assert hint in done.stdout


def test_canary_config_is_data_with_a_readable_trigger(written, trials):
    config = yaml.safe_load(written["canary.yaml"].read_text())
    assert config["traffic"]["share"] == 0.05
    assert parse_trigger(config["triggers"][0]["rule"]).seconds == 300
    assert {g["stop"][0] for g in config["gates"]} == {1}
    assert "not_applicable" in trials["canary.yaml"]  # this log has no versions


def test_freshness_fires_on_stale_ages_and_passes_on_fresh_ones(written, trials, tmp_path):
    t = trials["check_freshness.py"]
    assert t["fires_on_incident"] and t["passes_on_healthy_days"]
    for name, age, code in (("old", 4000.0, 1), ("young", 300.0, 0)):
        pl.DataFrame({"time": [T0], "component": ["store"], "metric": ["feature_age_s"], "value": [age]}).write_parquet(
            tmp_path / f"{name}.parquet")
        assert run(sys.executable, written["check_freshness.py"], "metrics", f"{name}.parquet", cwd=tmp_path).returncode == code
    pl.DataFrame({"at": [datetime(2020, 1, 1)]}).write_parquet(tmp_path / "t.parquet")
    assert run(sys.executable, written["check_freshness.py"], "table", "t.parquet", "at", cwd=tmp_path).returncode == 1
    assert run(sys.executable, written["check_freshness.py"], cwd=tmp_path).returncode == 2


def test_freshness_learns_only_from_ages():
    frame = pl.DataFrame({"time": [T0] * 20, "component": ["a"] * 20, "metric": ["storage_mb"] * 10 + ["cache_age_s"] * 10,
                          "value": [1.0] * 20})
    assert freshness.learn(frame, END) == {"a/cache_age_s": 2.0}


def test_freshness_is_tried_on_time_it_has_not_seen_and_knows_no_limit_for_what_is_always_zero():
    times = [T0 + timedelta(hours=i) for i in range(60)]
    frame = pl.DataFrame({"time": times, "component": ["a"] * 60, "metric": ["age_s"] * 60, "value": [300.0] * 60})
    assert freshness.held_out(frame, times[-1]) is True
    late = frame.with_columns(value=pl.when(pl.col("time") >= times[50]).then(900.0).otherwise(pl.col("value")))
    assert freshness.held_out(late, times[-1]) is False
    assert freshness.held_out(frame.head(9), times[-1]) is None
    assert freshness.learn(frame.with_columns(value=0.0), times[-1]) == {}


def test_a_gap_ends_an_alarm_in_promtool_too_and_large_thresholds_are_exact(tmp_path):
    times = tuple(T0 + timedelta(minutes=i) for i in range(40))
    values = (12345600.0,) * 20 + (12345700.0,) * 2 + (None,) + (12345700.0,) * 17
    s = MetricSeries("volume", 60, times, values, (9,) * 40)
    rule = AlertRule("volume", ">", 12345678.0, 3)
    tested = backtest(rule, s, times[20], times[39])
    assert tested.fired_at == times[27]
    text = rules_file("I-1", "s", [("volume", rule, tested)], 60, "", "r.yml")
    assert "> 12345678" in text and str(rule) == "> 12345678 for 3m"
    (tmp_path / "r.yml").write_text(text)
    rules = [("volume", rule, tested)]
    (tmp_path / "r_test.yml").write_text(promtool_tests("I-1", "s", rules, {"volume": s}, times[20], "", "r.yml"))
    if PROMTOOL is not None:
        done = run(PROMTOOL, "test", "rules", "r_test.yml", cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr


def test_nothing_to_guard_against_on_a_quiet_day(case, tmp_path):
    quiet = tmp_path / "q"
    shutil.copytree(case, quiet)
    log(broken=False).write_parquet(quiet / "p.parquet")
    (quiet / "m.csv").write_text("time,component,metric,value\n" + "".join(
        f"{(T0 + timedelta(minutes=30 * i)):%Y-%m-%dT%H:%M:%SZ},store,feature_age_s,300\n" for i in range(240)))
    with pytest.raises(BadInput, match="nothing to guard against"):
        write_guardrails(quiet, tmp_path / "out")
    assert not (tmp_path / "out").exists()
