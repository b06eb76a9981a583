"""What a caller of `find_changes` sees."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rca_kit
from rca_kit.errors import BadInput
from rca_kit.stats.changepoint import ChangePoints, find_changes, onset_interval, shape_of


def noisy_step(seed: int = 0, n: int = 200, at: int = 120, size: float = 3.0):
    return np.random.default_rng(seed).normal(size=n) + size * (np.arange(n) >= at)


def test_step_is_told_in_full():
    found = find_changes(noisy_step())
    assert isinstance(found, ChangePoints)
    (change,) = found
    assert abs(change.index - 120) <= 2
    assert change.interval[0] <= 120 < change.interval[1]
    assert (change.shape, change.kind, change.direction) == ("step", "mean", "up")
    assert change.before == pytest.approx(0, abs=0.4)
    assert change.after == pytest.approx(3, abs=0.4)
    assert change.p_value < 1e-6
    assert found.indices == (change.index,)
    assert found.intervals == (change.interval,)
    assert len(found.before) == len(found.after) == len(found.p_values) == len(found.shapes) == len(found.kinds) == 1
    assert found[0] is change
    assert str(change.index) in repr(found)
    assert rca_kit.find_changes is find_changes


@pytest.mark.parametrize("container", [list, tuple, np.asarray, pd.Series, pl.Series, lambda v: np.asarray(v, dtype=np.float32)])
def test_any_container(container):
    values = noisy_step().round(3).tolist()
    assert find_changes(container(values)).indices == find_changes(values).indices


def test_integers_ties_and_nullable_columns():
    y = np.repeat([0, 1, 0, 0, 3, 4, 3, 3], 10)
    assert 35 <= find_changes(y)[0].index <= 41
    assert len(find_changes(pl.Series([1.0, None] * 20))) == 0


@pytest.mark.parametrize("values", [[], [1.0], [1.0, 2.0, 9.0], [np.nan] * 50, [5.0] * 100, [0] * 30, [np.nan, *[2.5] * 40]])
def test_nothing_to_find_is_said_so(values):
    found = find_changes(values)
    assert len(found) == 0
    assert not found
    assert found.note
    assert found.note in found.says()
    assert found.n == len(values)


def test_noise_free_step():
    assert find_changes([0.0] * 20 + [1.0] * 20).indices == (20,)
    assert find_changes([1e9] * 20 + [1e9 + 1] * 20).indices == (20,)


@pytest.mark.parametrize(("arguments", "says"), [
    ({"values": [1.0, np.inf, 2.0]}, "infinite"),
    ({"values": [[1.0, 2.0]]}, "one-dimensional"),
    ({"values": ["a", "b"]}, "numbers"),
    ({"values": [0.1] * 20, "trials": [5] * 19}, "length"),
    ({"values": [2.0] * 20, "trials": [5] * 20}, "rates"),
    ({"values": [0.2] * 20, "trials": [-5] * 20}, "negative"),
    ({"values": [0.2] * 20, "trials": [5] * 20, "standard_errors": [1] * 20}, "not both"),
    ({"values": [0.2] * 20, "standard_errors": [-1] * 20}, "negative"),
    ({"values": [0.2] * 3, "times": [0, 2, 1]}, "increase"),
    ({"values": [0.2] * 3, "times": [0, np.nan, 1]}, "missing"),
    ({"values": noisy_step(), "period": 2.5}, "whole number"),
    ({"values": noisy_step(), "period": -3}, "whole number"),
])
def test_bad_input_is_refused_by_name(arguments, says):
    with pytest.raises(BadInput, match=says):
        find_changes(**arguments)


def test_missing_buckets_keep_their_place():
    y = noisy_step(1)
    y[[3, 50, 51, 52, 118, 119]] = np.nan
    (change,) = find_changes(y)
    assert 118 <= change.index <= 122
    assert change.interval[0] <= 120


def test_empty_buckets_of_a_rate_count_as_missing():
    rng = np.random.default_rng(3)
    trials = rng.integers(50, 500, 200)
    rate = rng.binomial(trials, np.where(np.arange(200) < 90, 0.05, 0.12)) / trials
    trials[[10, 95]] = 0
    rate[[10, 95]] = np.nan
    (change,) = find_changes(rate, trials=trials)
    assert abs(change.index - 90) <= 6
    assert change.before == pytest.approx(0.05, abs=0.01)
    assert change.after == pytest.approx(0.12, abs=0.015)


def test_small_buckets_weigh_little():
    rng = np.random.default_rng(4)
    trials = np.where(np.arange(150) % 3 == 0, 5, 2000)
    rate = rng.binomial(trials, 0.05) / trials
    rate[60:63] = [1.0, 0.05, 0.05]  # 5 of 5 in one tiny bucket is odd, yet no change of the rate
    found = find_changes(rate, trials=trials)
    assert all(s == "spike" for s in found.shapes)


def test_known_standard_errors_count():
    rng = np.random.default_rng(5)
    se = np.where(np.arange(120) < 60, 0.1, 2.0)
    y = se * rng.normal(size=120) + 1.0 * (np.arange(120) >= 30)
    assert find_changes(y, standard_errors=se).indices[0] == 30


def test_uneven_times_are_gaps():
    y = noisy_step(6)
    keep = np.sort(np.random.default_rng(6).choice(200, 140, replace=False))
    found = find_changes(y[keep], times=keep)
    assert abs(keep[found.indices[0]] - 120) <= 3
    stamps = np.datetime64("2026-01-01") + keep.astype("timedelta64[h]")
    assert find_changes(y[keep], times=stamps).indices == found.indices


@pytest.mark.parametrize("period", [None, 24])
def test_season_is_taken_out_and_reported(period):
    rng = np.random.default_rng(7)
    t = np.arange(336)
    y = 3 * np.sin(t * np.pi / 12) + rng.normal(size=336)
    assert len(find_changes(y, period=period)) == 0
    found = find_changes(y + 1.5 * (t >= 200), period=period)
    assert found.period == 24
    assert any(abs(i - 200) <= 16 for i in found.indices)
    assert any(low <= 200 < high for low, high in found.intervals)


def test_week_and_day_together():
    rng = np.random.default_rng(8)
    t = np.arange(28 * 24)
    y = 2 * np.sin(t * np.pi / 12) - 1.5 * ((t // 24) % 7 >= 5) + rng.normal(size=len(t))
    assert len(find_changes(y)) == 0
    assert len(find_changes(y, period=168)) == 0
    assert any(abs(i - 400) <= 20 for i in find_changes(y + 1.5 * (t >= 400)).indices)


def test_spike_ramp_spread_and_staircase_are_named():
    rng = np.random.default_rng(9)
    t = np.arange(300)
    e = rng.normal(size=300)
    spike = find_changes(e + 6 * ((t >= 150) & (t < 156)))
    assert spike.indices == (150, 156)
    assert spike.shapes == ("spike", "spike")
    single = find_changes(e + 9 * (t == 99))
    assert single.indices == (99, 100)
    newest = find_changes(e + 9 * (t == 299))
    assert newest.indices == (299,)
    ramp = find_changes(e + 6 * np.clip((t - 100) / 100, 0, 1))
    assert ramp.shapes == ("ramp",)
    assert ramp.kinds == ("slope",)
    assert abs(ramp.indices[0] - 100) <= 15
    spread = find_changes(e * np.where(t < 150, 1, 3))
    assert spread.kinds == ("variance",)
    assert abs(spread.indices[0] - 150) <= 15
    assert spread.after[0] / spread.before[0] == pytest.approx(3, rel=0.3)
    stairs = find_changes(e + 8 * (t >= 60) + 8 * (t >= 140) + 8 * (t >= 220))
    assert stairs.shapes == ("staircase",) * 3
    assert stairs.indices == (60, 140, 220)  # evenly spaced, yet no season
    assert stairs.period is None


def test_shape_in_one_word():
    rng = np.random.default_rng(10)
    e = rng.normal(size=240)
    t = np.arange(240)
    assert shape_of(e) is None
    assert shape_of(e + 4 * (t > 100)) == "step"
    assert shape_of(e + 5 * np.sin(t * np.pi / 12)) == "season"
    leak = np.where(t < 80, 0, ((t - 80) % 53) * 0.6)
    assert shape_of(e + leak) == "sawtooth"


def test_onset_interval_of_a_known_step():
    low, high = onset_interval(noisy_step(11, size=1.0))
    assert low <= 120 < high
    assert high - low < 60
    narrow = onset_interval(noisy_step(11, size=6.0))
    assert narrow == (120, 121)


@given(seed=st.integers(0, 500), scale=st.sampled_from([1e-9, 0.5, 1e6]), shift=st.sampled_from([-1e3, 0.0, 7.0]))
@settings(max_examples=15, deadline=None)
def test_units_do_not_matter(seed, scale, shift):
    y = noisy_step(seed, size=2.0)
    plain, moved = find_changes(y), find_changes(scale * (y + shift))
    assert plain.indices == moved.indices
    assert plain.intervals == moved.intervals
    assert moved.before == pytest.approx(scale * (np.array(plain.before) + (shift if "mean" in plain.kinds else 0)), rel=1e-3)


@given(seed=st.integers(0, 500))
@settings(max_examples=10, deadline=None)
def test_upside_down_is_the_same(seed):
    y = noisy_step(seed, size=2.0)
    assert find_changes(y).indices == find_changes(-y).indices


@given(st.lists(st.one_of(st.just(float("nan")), st.integers(-3, 3).map(float), st.floats(-1e6, 1e6)), max_size=60))
@settings(max_examples=60, deadline=None)
def test_never_fails_and_keeps_its_promises(values):
    found = find_changes(values)
    assert list(found.indices) == sorted(found.indices)
    for c in found:
        assert 0 <= c.interval[0] <= c.index < c.interval[1] <= len(values)
        assert 0 < c.index < len(values)
        assert np.isfinite([c.before, c.after, c.p_value]).all()
        assert 0 <= c.p_value <= 1
    assert found == find_changes(values)


def test_quiet_series_stay_quiet():
    reports = 0
    for seed in range(25):
        rng = np.random.default_rng(seed)
        e = rng.normal(size=300)
        for t in range(1, 300):
            e[t] += 0.5 * e[t - 1]
        reports += len(find_changes(e)) > 0
        reports += len(find_changes(rng.standard_t(3, size=300))) > 0
    assert reports <= 6  # 50 series at 3%: more than 6 has chance 0.1%


def test_small_steps_are_seen_under_noise_that_persists():
    hits = 0
    for seed in range(20):
        e = np.random.default_rng(seed).normal(size=300)
        for t in range(1, 300):
            e[t] = 0.5 * e[t - 1] + np.sqrt(0.75) * e[t]
        hits += any(abs(i - 150) <= 15 for i in find_changes(e + 2 * (np.arange(300) >= 150)).indices)
    assert hits >= 16


def test_times_may_be_datetimes():
    values = np.r_[np.zeros(20), np.full(20, 5.0)] + np.random.default_rng(5).normal(size=40)
    when = [datetime(2026, 3, 1, tzinfo=UTC) + timedelta(minutes=5 * i) for i in range(40)]
    assert find_changes(values, times=when).indices == find_changes(values).indices == (20,)
    with pytest.raises(BadInput, match="increase"):
        find_changes(values, times=when[::-1])
    with pytest.raises(BadInput, match="numbers"):
        find_changes(values, times=["noon"] * 40)


def test_values_too_large_to_square_are_refused():
    with pytest.raises(BadInput, match="too large"):
        find_changes([1e300, 1.0] * 30)


def test_straight_line_that_wanders_a_little_is_told_by_its_breaks_only():
    t, quiet, jumps, kinks = np.arange(800), 0, [], []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        y = 100 + 0.2 * t + 0.03 * np.cumsum(rng.normal(size=800)) + 0.1 * np.sin(2 * np.pi * t / 12)
        quiet += len(find_changes(y)) == 0
        jumps.append(500 in find_changes(y + 2 * (t >= 500)).indices)
        kinks.append(any(abs(i - 500) <= 10 for i in find_changes(y + 0.1 * np.clip(t - 500, 0, None)).indices))
    assert quiet == 6
    assert all(jumps)
    assert all(kinks)


@pytest.mark.parametrize(
    ("period", "cycles", "slope", "persistence"), [(24, 28, 1.0, 0.0), (24, 28, 0.2, 0.99), (12, 17, 1.0, 0.6)]
)
def test_season_on_a_slope_leaves_no_steps_a_period_apart(period, cycles, slope, persistence):
    t = np.arange(period * cycles)
    season = 2 * np.sin(2 * np.pi * t / period)
    found, stepped = [], []
    for seed in range(4):
        noise = 0.3 * np.random.default_rng(seed).normal(size=len(t))
        for i in range(1, len(t)):
            noise[i] += persistence * noise[i - 1]
        y = slope * t + season + noise * (0.1 if persistence > 0.9 else 1)
        found.append(len(find_changes(y)))
        at = period * cycles // 2
        stepped.append(find_changes(y + 12 * (t >= at)).indices == (at,))
    assert sum(found) <= 1
    assert all(stepped)


@pytest.mark.parametrize("levels", [(0.0, 0.1, 0.5, 1.0), (0.0, 0.05, 0.3, 0.6), (0.0, 0.02, 0.0, 0.02)])
def test_rates_that_are_nought_or_one_for_a_while(levels):
    rng = np.random.default_rng(8)
    p = np.repeat(levels, 48)
    n = rng.poisson(200, p.size)
    found = find_changes(rng.binomial(n, p) / n, trials=n)
    assert [min(abs(i - at) for i in found.indices) <= 1 for at in (48, 96, 144)] == [True] * 3
