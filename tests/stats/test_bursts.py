"""Bursts of one fault in a series: found when they come back, left alone when they always did, and none made up."""

from __future__ import annotations

import numpy as np
import pytest

from rca_kit.stats.bursts import BURST_CLEAR, around_a_gap, burst_like, from_first_to_last
from rca_kit.stats.stepscan import StepScan, step_scan

ONE = np.ones(240)
Spans = tuple[tuple[int, int], ...]


def noisy(spans: Spans, height: float = 6.0, seed: int = 0) -> np.ndarray:
    y = np.random.default_rng(seed).normal(0, 1, ONE.size)
    for a, b in spans:
        y[a:b] += height
    return y


def whole(y: np.ndarray, apart: int | None = None) -> StepScan:
    return from_first_to_last(y, ONE, ONE, step_scan(y, ONE, first=20), ONE.size, apart)


@pytest.mark.parametrize(("spans", "expected"), [
    (((120, 130), (150, 160), (180, 190)), (120, 190)),
    (((120, 130), (150, 163)), (120, 163)),  # the longest, which the scan finds, is the last
    (((120, 130),), (120, 130)),
    (((30, 40), (80, 90), (130, 140), (180, 190)), None),  # as often before as after: the series' way
])
def test_a_change_that_came_back_lasts_from_the_first_to_the_last(spans: Spans, expected: tuple[int, int] | None) -> None:
    for seed in range(10):
        y = noisy(spans, seed=seed)
        scan, found = step_scan(y, ONE, first=20), whole(y)
        if expected is None:
            assert found.best == scan.best
            continue
        assert found.best is not None and found.kind == "box"
        assert abs(found.best.start - expected[0]) <= 1 and abs(found.best.end - expected[1]) <= 1


def test_bursts_far_apart_are_two_stories() -> None:
    y = noisy(((100, 110), (200, 212)))
    near, far = whole(y, apart=100).best, whole(y, apart=50).best
    assert near is not None and far is not None
    assert abs(near.start - 100) <= 1 and abs(far.start - 200) <= 1


def test_a_burst_of_another_height_is_another_story() -> None:
    y = noisy(((100, 110),), height=30.0)
    y[150:160] += 5.0  # a sixth of it
    assert burst_like(y, ONE, ONE, step_scan(y, ONE, first=20), 110, 240) is None


def test_none_is_made_up() -> None:
    """False alarms: one burst in white noise gets no second one in five hundred logs."""
    made = 0
    for seed in range(500):
        y = noisy(((120, 130),), height=5.0, seed=seed)
        scan = step_scan(y, ONE, first=20)
        made += scan.kind == "box" and from_first_to_last(y, ONE, ONE, scan, ONE.size) is not scan
    assert made <= 1


def test_the_clearest_stretch_is_that_of_trying_all() -> None:
    for seed in range(5):
        y = noisy(((100, 112), (150, 158), (190, 200)), seed=seed)
        scan = step_scan(y, ONE, first=20)
        fit = scan.best
        assert fit is not None and scan.kind == "box"
        x = y - scan.season
        calm = np.median(x[: fit.start])
        height = x[fit.start : fit.end].mean() - calm
        gains = np.clip((height * (x - calm) - height**2 / 2) / max(scan.phi, 1.0) ** 2, -10, 10)
        tried = {(a, b): gains[a:b].sum() for a in range(fit.end, 240) for b in range(a + 1, 241)}
        best = max(tried, key=lambda s: tried[s]) if tried else (0, 0)
        found = burst_like(y, ONE, ONE, scan, fit.end, 240)
        assert (found == best) if tried.get(best, 0.0) >= BURST_CLEAR and best[1] - best[0] >= 2 else found is None


def test_what_is_there_most_of_the_time_begins_before_its_first_pause() -> None:
    """Off for ten buckets of thirty: its pauses stand out, and lead back to what was calm."""
    for seed in range(10):
        y = noisy(((120, 140), (150, 170), (180, 200), (210, 230)), seed=seed)
        scan = step_scan(y, ONE, first=20)
        pause = StepScan(scan.step, type(scan.step)(140, 150, -6.0, 0.3, -19.0), None, "box", -100.0, *_rest(scan))  # type: ignore[misc]
        told = around_a_gap(y, ONE, ONE, pause)
        assert told.box is not None and told.box.height > 0
        assert (abs(told.box.start - 120) <= 1, told.box.end) == (True, 140)
        found = from_first_to_last(y, ONE, ONE, pause, 240).best
        assert found is not None and abs(found.start - 120) <= 1 and found.end >= 229


def test_a_fall_below_what_was_calm_is_no_pause() -> None:
    y = noisy(((150, 160),), height=-6.0)
    scan = step_scan(y, ONE, first=20)
    assert scan.kind == "box" and around_a_gap(y, ONE, ONE, scan) is scan


def _rest(scan: StepScan) -> tuple[object, ...]:
    return scan.profile, scan.rho, scan.phi, np.zeros(240)
