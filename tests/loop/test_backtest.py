from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rca_kit.findings.symptom import MetricSeries
from rca_kit.loop.guardrails.backtest import AlertRule, backtest, suggest_rule

T0 = datetime(2026, 3, 1, tzinfo=UTC)


def series(values, width: int = 600) -> MetricSeries:
    times = tuple(T0 + timedelta(seconds=width * i) for i in range(len(values)))
    return MetricSeries("error_rate", width, times, tuple(values), (100,) * len(values))


def at(i: int, width: int = 600) -> datetime:
    return T0 + timedelta(seconds=width * i)


def test_fires_at_the_end_of_the_bucket_that_completes_the_hold():
    s = series([0.01] * 100 + [0.2] * 10)
    for minutes, buckets in ((0, 1), (10, 2), (20, 3)):
        b = backtest(AlertRule("error_rate", ">", 0.1, minutes), s, at(100), at(120))
        assert b.fired_at == at(100 + buckets)
        assert b.lead_minutes == (20 - buckets) * 10
        assert b.false_alarms == 0


def test_a_long_false_alarm_counts_once_and_rates_are_per_week():
    values = [0.01] * 1008
    values[10:20] = [0.5] * 10
    values[500] = 0.5
    b = backtest(AlertRule("error_rate", ">", 0.1, 0), series(values + [0.9] * 3), at(1008), at(1010))
    assert b.false_alarms == 2
    assert b.false_alarms_per_week == pytest.approx(2.0)


def test_a_gap_ends_a_pending_alarm():
    b = backtest(AlertRule("error_rate", ">", 0.1, 10), series([0.0] * 50 + [0.2, None, 0.2, 0.2]), at(50), at(60))
    assert b.fired_at == at(54)


def test_short_history_gives_no_weekly_rate():
    assert backtest(AlertRule("error_rate", ">", 0.1, 0), series([0.0] * 5 + [1.0]), at(5), at(6)).false_alarms_per_week is None


def test_suggestion_catches_without_false_alarms_where_that_is_possible():
    rng = np.random.default_rng(0)
    s = series([*rng.normal(0.86, 0.01, 400), *rng.normal(0.78, 0.01, 30)])
    rule, b = suggest_rule(s, at(400), at(420))
    assert rule.op == "<"
    assert 0.78 < rule.threshold < 0.86
    assert b.false_alarms == 0
    assert b.lead_minutes >= 180


def test_spikes_in_health_are_answered_by_holding():
    values = [0.01] * 400
    for i in range(20, 400, 40):
        values[i] = 0.3
    rule, b = suggest_rule(series(values + [0.3] * 20), at(400), at(420))
    assert rule.minutes > 0
    assert b.false_alarms == 0


def test_no_rule_where_nothing_moved_or_nothing_is_known():
    assert suggest_rule(series([0.01] * 20), at(10), at(15)) is None
    assert suggest_rule(series([None] * 20), at(10), at(15)) is None
    assert suggest_rule(series([0.1] * 20), at(0), at(15)) is None


@given(st.lists(st.one_of(st.none(), st.floats(0, 1)), min_size=4, max_size=60), st.integers(1, 50))
@settings(max_examples=100, deadline=None)
def test_whatever_it_suggests_fires_after_the_onset(values, k):
    k = min(k, len(values) - 1)
    found = suggest_rule(series(values), at(k), at(len(values)))
    if found is not None:
        assert found[1].fired_at > at(k)
        assert backtest(found[0], series(values), at(k), at(len(values))) == found[1]
