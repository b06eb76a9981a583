from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from rca_kit.errors import BadInput
from rca_kit.loop.versions.triggers import evaluate_trigger, parse_trigger

START = datetime(2026, 3, 1, 20, 0, tzinfo=UTC)
RULE = "precision < -5% or p99 +50 ms for 5 min"


def canary(bad_from=None, slow_from=None, minutes=40, per_minute=3000, seed=0):
    """One request in five goes to the candidate, which turns bad or slow at a minute."""
    rng = np.random.default_rng(seed)
    n = minutes * per_minute
    at = np.sort(rng.random(n)) * minutes * 60
    new = rng.random(n) < 0.2
    decision = rng.random(n) < 0.3
    right = rng.random(n) < np.where(new & (at >= (bad_from or 1e9) * 60), 0.55, 0.8)
    latency = rng.gamma(9, 5, n) + np.where(new & (at >= (slow_from or 1e9) * 60), 90, 0)
    return pl.DataFrame({"time": [START + timedelta(seconds=float(s)) for s in at], "model_version": np.where(new, "v3", "v2"),
                         "decision": decision.astype(int), "label": np.where(decision, right, ~right).astype(int), "ms": latency})


def run(log, rule=RULE, **options):
    return evaluate_trigger(rule, log, primary="v2", candidate="v3", decision="decision", label="label", latency="ms", **options)


@pytest.mark.parametrize("kwargs", [{"bad_from": 20}, {"slow_from": 20}])
def test_fires_after_it_held_long_enough(kwargs):
    got = run(canary(**kwargs), window_seconds=300)
    assert got.fired_at is not None
    assert timedelta(minutes=24) <= got.fired_at - START <= timedelta(minutes=32)
    assert "would have fired" in got.says()
    assert got.frame().height == len(got.readings)


def test_does_not_fire_on_a_healthy_canary():
    fired = [s for s in range(6) if run(canary(seed=s), "precision < -10% or p99 +50 ms for 5 min", window_seconds=300).fired_at]
    assert not fired


def test_a_short_blip_does_not_fire():
    log = canary(slow_from=20).with_columns(
        ms=pl.when(pl.col("time") > START + timedelta(minutes=23)).then(pl.col("ms").clip(0, 100)).otherwise("ms"))
    assert run(log, "p99 +50 ms for 5 min").fired_at is None
    assert run(log, "p99 +50 ms for 2 min").fired_at is not None


def test_and_needs_both():
    assert run(canary(bad_from=20), "precision < -5% and p99 +50 ms for 5 min", window_seconds=300).fired_at is None
    assert run(canary(bad_from=20, slow_from=20), "precision < -5% and p99 +50 ms for 5 min", window_seconds=300).fired_at


def test_small_buckets_say_nothing():
    got = run(canary(bad_from=5, per_minute=10))
    assert got.skipped > 35
    assert got.fired_at is None


@pytest.mark.parametrize(("text", "want"), [
    (RULE, "precision < -5% or p99 > +50 ms for 5 min"),
    ("error_rate > 1pp", "error_rate > +1pp"),
    ("latency_p95 +0.1 s for 300 s", "p95 > +100 ms for 5 min"),
    ("auc -0.02 AND f1 < -3 % for 1 h", "auc < -0.02 and f1 < -3% for 60 min"),
])
def test_rules_are_read(text, want):
    assert str(parse_trigger(text)) == want
    assert str(parse_trigger(str(parse_trigger(text)))) == want


@pytest.mark.parametrize(("text", "says"), [
    ("precison < -5%", "did you mean `precision`"), ("precision", "not understood"), ("", "not understood"),
    ("p99 +50 ms for 5 parsecs", "unit of time"),
])
def test_rules_that_are_not_understood(text, says):
    with pytest.raises(BadInput, match=says):
        parse_trigger(text)


def test_a_column_the_rule_needs_must_be_named():
    with pytest.raises(BadInput, match="label"):
        evaluate_trigger("precision < -5%", canary(), primary="v2", candidate="v3", decision="decision")
    with pytest.raises(BadInput, match="latncy"):
        evaluate_trigger("p99 +5 ms", canary(), primary="v2", candidate="v3", latency="latncy")


def test_an_empty_log():
    assert run(canary().head(0)).fired_at is None
