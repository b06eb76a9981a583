"""Since when a memory fills up."""

from __future__ import annotations

import numpy as np
import pytest

from rca_kit.loop.reading.filling import rising_since
from rca_kit.loop.refine import _filled


def leak(since: int, slope: float, seed: int, size: int = 120, noise: float = 1.0, full: float = np.inf) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.minimum(100 + rng.normal(0, noise, size) + slope * np.clip(np.arange(size) - since, 0, None), full)


@pytest.mark.parametrize(("since", "slope"), [(80, 1.0), (60, 3.0), (100, 4.0)])
def test_the_start_of_a_leak_is_found_with_an_honest_interval(since: int, slope: float) -> None:
    found = [rising_since(leak(since, slope, seed)) for seed in range(60)]
    starts = [f for f in found if f is not None]
    assert len(starts) == 60
    assert np.quantile([abs(f[1] - since) for f in starts], 0.9) <= 4 / slope + 1
    assert np.mean([f[0] <= since <= f[2] for f in starts]) >= 0.8


def test_a_memory_that_wanders_or_follows_the_day_leaks_nothing() -> None:
    day = 5 * np.sin(np.arange(120) * 2 * np.pi / 48)
    calm = [rising_since(leak(200, 0.0, seed)) for seed in range(100)]
    daily = [rising_since(leak(200, 0.0, seed) + day) for seed in range(100)]
    assert all(f is None for f in calm)
    assert sum(f is not None for f in daily) <= 5


def test_what_is_full_rises_no_more_and_gaps_are_no_matter() -> None:
    level = leak(60, 3.0, 1, full=160.0)
    level[[10, 30, 65]] = np.nan
    found = rising_since(level)
    assert found is not None and abs(found[1] - 60) <= 3
    assert rising_since(np.full(120, 5.0)) is None
    assert rising_since(np.full(8, np.nan)) is None


def test_the_start_is_that_of_the_best_line_of_all() -> None:
    level = leak(70, 2.0, 3)
    at = np.arange(level.size, dtype=float)

    def left(start: int) -> float:
        design = np.column_stack([np.ones(level.size), np.clip(at - start, 0, None)])
        return float(np.linalg.lstsq(design, level, rcond=None)[1][0])

    found = rising_since(level)
    assert found is not None and found[1] == min(range(6, level.size - 3), key=left)


@pytest.mark.parametrize(("top", "expected"), [(150.0, True), (165.0, True), (400.0, False)])
def test_what_rose_a_little_before_it_jumped_did_not_fill_up(top: float, expected: bool) -> None:
    level = np.concatenate([np.full(50, 100.0), np.linspace(100, 150, 50), np.full(30, top)])
    level[[10, 70, 110]] = np.nan
    assert _filled(level, 50, 100) is expected
