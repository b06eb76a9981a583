"""What follows the load: faults that bite in busy hours, and services that are a little slower in them as they ever were."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from rca_kit.aggregates.grid import TimeGrid
from rca_kit.loop.reading import detect
from rca_kit.loop.reading.derived import _level
from rca_kit.loop.reading.detect import Move, scan_all
from rca_kit.loop.reading.load import MOST_BUSY_TAIL, busy_since, courses, smooth
from rca_kit.loop.reading.onset import joint_onset, loaded_onset
from rca_kit.loop.reading.series import Series, _count
from rca_kit.stats import metrics
from rca_kit.stats.metrics import Estimate
from rca_kit.stats.stepscan import step_scan

from . import made
from .made_series import quantile


def busy_log(since: float, course: Any, seed: int, days: float = 5.0, rare: bool = False) -> tuple[TimeGrid, Series, Series]:
    """Traffic of days with a course, and failures that follow it from some hour on."""
    rng, grid = np.random.default_rng(seed), TimeGrid.over(made.T0, made.T0 + timedelta(days=days))
    hours = np.arange(grid.n) * grid.width_s / 3600
    wave = 1 + 0.9 * np.sin(2 * np.pi * (hours - 9) / 24)
    n = rng.poisson(60 * wave)
    usual = 0.004 if rare else 0.03
    k = rng.binomial(n, np.clip(usual + np.where(hours >= since, course(wave), 0.0), 0, 1))
    sums = (k.astype(float), n.astype(float))
    errors = Series("error_rate", "service", "lower", grid, False, sums, metrics.rate, counts=True)
    return grid, errors, Series("volume", "volume", None, grid, False, (n.astype(float),), _count, log=True)


def quota(wave: np.ndarray) -> np.ndarray:
    return 0.25 * np.clip(wave - 1.3, 0, None)


@pytest.mark.parametrize("rare", [False, True])
def test_what_bites_in_busy_hours_begins_with_the_first_of_them(rare: bool) -> None:
    """Set at two in the night of the fourth day; the load passes the limit at half past ten."""
    off = []
    for seed in range(8):
        grid, errors, volume = busy_log(74.0, quota, seed, rare=rare)
        found = scan_all([errors, volume], grid, grid.time(grid.n), ("error_rate",))
        assert found["error_rate"].moved
        onset = joint_onset([found["error_rate"]], grid, found.values())
        off.append(onset.index * grid.width_s / 3600 - 82.3)
    assert abs(float(np.median(off))) <= 1.0
    assert max(np.abs(off)) <= 3.0


def test_a_step_and_a_slow_rise_do_not_follow_the_load() -> None:
    for course, since in ((lambda w: np.full(w.size, 0.1), 66.0), (lambda w: np.linspace(-1.2, 0.8, w.size).clip(0) * 0.2, 60.0)):
        for seed in range(4):
            grid, errors, volume = busy_log(since, course, seed)
            found = scan_all([errors, volume], grid, grid.time(grid.n), ("error_rate",))
            assert loaded_onset([found["error_rate"]], found.values(), grid) is None


def test_the_load_is_smoothed_over_three_buckets() -> None:
    assert smooth(np.array([3.0, 0.0, 6.0])).tolist() == [2.0, 3.0, 4.0]


def latency_log(seed: int, fault: float = 1.0, queue: float = 0.12, busy: float = 3.0) -> dict[str, Move]:
    """Two quiet days and a busy one, on which requests wait a little longer; from noon on it, perhaps, for another reason."""
    rng, grid = np.random.default_rng(seed), TimeGrid.over(made.T0, made.T0 + timedelta(days=3))
    hours = np.arange(grid.n) * grid.width_s / 3600
    wave = (1 + 0.8 * np.sin(2 * np.pi * (hours - 9) / 24)) * np.where(hours >= 48, busy, 1.0)
    n = rng.poisson(20 * wave)
    coarse = np.add.reduceat(n, np.arange(0, grid.n, grid.coarse))
    load = coarse / coarse.max()
    at = np.arange(grid.n_coarse) * grid.coarse_s / 3600
    ms = 140 * np.exp(queue * load + rng.normal(0, 0.04, grid.n_coarse)) * np.where(at >= 60, fault, 1.0)
    latency = Series("latency_p95", "service", "lower", grid, True, (ms, np.maximum(coarse, 1.0)),
                     lambda x, n: Estimate(x, np.full(x.shape, 0.04) * x, n), log=True)
    volume = Series("volume", "volume", None, grid, False, (n.astype(float),), _count, log=True)
    return scan_all([latency, volume], grid, grid.time(grid.n), ("latency_p95",))


def test_a_busy_day_on_which_requests_wait_a_little_is_no_fault() -> None:
    found = [latency_log(seed)["latency_p95"] for seed in range(20)]
    assert sum(m.moved for m in found) <= 3
    assert sum(m.excused for m in found) >= 15, "told, and excused by the load"


@pytest.mark.parametrize("fault", [1.25, 1.6])
def test_a_fault_on_a_busy_day_is_seen(fault: float) -> None:
    found = [latency_log(seed, fault)["latency_p95"] for seed in range(10)]
    assert sum(m.moved for m in found) >= 9


def test_far_longer_waits_are_a_fault_though_the_load_tells_them() -> None:
    """More load than the service bears is an incident, whoever brought it."""
    found = [latency_log(seed, queue=0.9, busy=6.0)["latency_p95"] for seed in range(10)]
    assert sum(m.moved for m in found) >= 9


def test_more_requests_are_not_excused_by_longer_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detect, "as_ever", lambda *_: True)
    told = {n: replace(m, moved=True) for n, m in latency_log(1, fault=1.15, busy=1.25).items()}
    assert abs(told["volume"].fit.height) < MOST_BUSY_TAIL
    judged = detect._busy_as_ever(told, told["volume"].series.grid)
    assert judged["latency_p95"].excused and not judged["latency_p95"].moved
    assert judged["volume"].moved and not judged["volume"].excused


@pytest.mark.parametrize("fault", [0.0, 0.15])
def test_a_component_that_works_for_the_load_as_ever_did_not_move(fault: float) -> None:
    """Its processor follows the requests; on the busy day it has more to do, and from noon on perhaps for another reason."""
    moved = []
    for seed in range(8):
        told = latency_log(seed, busy=1.6)
        volume, grid = told["volume"].series, told["volume"].series.grid
        rng, load = np.random.default_rng([seed, 2]), volume.coarse_sum(0)
        at = np.arange(grid.n_coarse) * grid.coarse_s / 3600
        cpu = 0.2 + 0.3 * load / load.max() + rng.normal(0, 0.01, load.size) + fault * (at >= 60)
        sums = (cpu, cpu**2, np.ones(load.size))
        used = Series("service:ranker:cpu", "component", "lower", grid, True, sums, _level, column="ranker")
        judged = scan_all([used], grid, grid.time(grid.n), ())["service:ranker:cpu"]
        found = detect._busy_as_ever({"volume": replace(told["volume"], moved=False), used.name: judged}, grid)[used.name]
        moved.append(found.moved)
        kept = detect._busy_as_ever({"volume": replace(told["volume"], moved=True), used.name: judged}, grid)[used.name]
        assert kept.moved == judged.moved, "where the load moved, its component may be what it hurts"
    assert sum(moved) >= 7 if fault else sum(moved) <= 1


def test_no_load_has_no_course() -> None:
    assert courses(np.zeros(5)).shape == (0, 5)
    assert (courses(np.arange(1.0, 9.0)) <= 1.0 + 1e-12).all()


@pytest.mark.parametrize(("days", "excused"), [(2.5, True), (3.5, False)])
def test_a_season_that_was_seen_twice_is_no_rival_to_the_load(
    monkeypatch: pytest.MonkeyPatch, days: float, excused: bool
) -> None:
    """With effects of hours a step tells a wait better than the load does, which without either tells it as well."""
    grid = TimeGrid.over(made.T0, made.T0 + timedelta(days=days))
    monkeypatch.setattr(detect, "as_ever", lambda value, error, scan, load, phase, day: phase is None)
    at = np.arange(grid.n_coarse)
    wait = quantile("latency_p95", 100 * np.exp(0.1 * (at > at.size // 2)), grid, 3)
    volume = Series("volume", "volume", None, grid, False, (np.full(grid.n, 50.0),), _count, log=True)
    told = scan_all([wait, volume], grid, grid.time(grid.n), ("latency_p95",))
    assert told["latency_p95"].scan.best is not None and told["latency_p95"].excused is excused


@pytest.mark.parametrize("seed", range(12))
def test_bursts_that_meet_a_busy_moment_do_not_follow_the_load(seed: int) -> None:
    """Ten minutes of failures in each seventy since the evening, while traffic wanders down to a trickle."""
    rng, at = np.random.default_rng(seed), np.arange(300)
    wander = np.exp(np.convolve(rng.normal(0, 1, 305), np.ones(6) / 6**0.5, "valid") * 0.3)
    load = np.maximum((np.where(at < 228, 100 + 350 * np.sin(np.pi * at / 216).clip(0), 70) * wander).round(), 5)
    value = rng.binomial(load.astype(int), np.where((at >= 232) & (at % 14 < 2), 0.35, 0.01)) / load
    error = np.sqrt(0.02 / load)
    assert busy_since(value, error, step_scan(value, error, first=30), load, None, None) is None
