"""The scan of rare events against brute force, how often it speaks when nothing happens, and what it sees."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from rca_kit.stats.rarestep import rare_step


def log_likelihood(k: np.ndarray, n: np.ndarray) -> float:
    return float(stats.binom.logpmf(k, n, k.sum() / n.sum()).sum())


@pytest.mark.parametrize("seed", range(5))
def test_the_profile_is_the_likelihood_ratio_of_every_start(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = rng.integers(20, 200, 50).astype(float)
    k = rng.binomial(n.astype(int), np.where(np.arange(50) < 30, 0.002, 0.03)).astype(float)
    found = rare_step(k, n, first=3, last=47)
    ratio = [2 * (log_likelihood(k[:t], n[:t]) + log_likelihood(k[t:], n[t:]) - log_likelihood(k, n)) for t in range(3, 48)]
    assert found.profile[3:48] * found.phi**2 == pytest.approx(np.maximum(ratio, 0), abs=1e-6)
    assert not found.profile[:3].any()
    assert not found.profile[48:].any()
    assert found.step is not None
    assert found.step.height == pytest.approx(
        k[found.step.start :].sum() / n[found.step.start :].sum() - k[: found.step.start].sum() / n[: found.step.start].sum())


@pytest.mark.parametrize("rate", [0.0005, 0.01])
def test_it_is_silent_when_nothing_happens(rate: float) -> None:
    rng = np.random.default_rng(11)
    n = np.full(150, 100)
    p = np.exp([rare_step(rng.binomial(n, rate).astype(float), n.astype(float)).log_p for _ in range(1000)])
    for alpha in (0.05, 0.01):
        # one start is asked for each bucket, but starts next to each other say the same: the correction is on the safe side
        assert (p < alpha).mean() <= alpha + 3 * math.sqrt(alpha * (1 - alpha) / p.size)


def test_events_that_come_in_clumps_are_no_step() -> None:
    rng = np.random.default_rng(12)
    n = np.full(150, 100)
    told = 0
    for _ in range(300):
        k = np.where(rng.random(150) < 0.05, rng.binomial(n, 0.08), 0).astype(float)
        told += rare_step(k, n.astype(float)).log_p < math.log(1e-3)
    assert told <= 6


@pytest.mark.parametrize(("before", "after", "least"), [(0.0, 0.01, 0.95), (0.002, 0.015, 0.9)])
def test_a_few_rows_in_a_hundred_are_seen_and_dated(before: float, after: float, least: float) -> None:
    rng = np.random.default_rng(13)
    n, right = np.full(120, 100), 0
    for _ in range(200):
        k = np.concatenate([rng.binomial(n[:90], before), rng.binomial(n[90:], after)]).astype(float)
        found = rare_step(k, n.astype(float))
        right += found.log_p < math.log(1e-3) and found.step is not None and abs(found.step.start - 90) <= 5
    assert right / 200 >= least


def test_what_never_or_always_happens_has_no_step() -> None:
    n = np.full(30, 50.0)
    assert rare_step(np.zeros(30), n).best is None
    assert rare_step(n, n).best is None
    assert rare_step(np.zeros(30), np.zeros(30)).best is None
