"""A world whose odds moved against labels that are wrong: a likelihood ratio of explanations with one parameter each."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import binom

from rca_kit.stats.labelshift import world_or_labels

RATE = np.array([0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.65, 0.8, 0.95])
ROWS = np.full(10, 150.0)


def odds(p: np.ndarray, b: float) -> np.ndarray:
    return 1 / (1 + (1 - p) / p * np.exp(-b))


WORLDS = {"more": lambda p: odds(p, 1.0), "fewer": lambda p: odds(p, -1.0)}
FAULTS = {
    "lost": lambda p: 0.5 * p, "set by default": lambda p: 0.3 + 0.7 * p, "turned": lambda p: 0.2 * (1 - p) + 0.8 * p,
    "shuffled": lambda p: 0.4 * p.mean() + 0.6 * p,
}


def drawn(p: np.ndarray, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).binomial(ROWS.astype(int), p).astype(float)


@pytest.mark.parametrize("name", [*WORLDS, *FAULTS])
def test_it_is_the_ratio_of_the_best_likelihoods(name: str) -> None:
    k = drawn({**WORLDS, **FAULTS}[name](RATE), 3)

    def best(q: object, low: float, high: float) -> float:
        def loss(t: float) -> float:
            return -float(binom.logpmf(k, ROWS, np.clip(q(t), 1e-4, 1 - 1e-4)).sum())  # type: ignore[operator]
        return -float(minimize_scalar(loss, bounds=(low, high), method="bounded").fun)

    world = best(lambda t: odds(RATE, t), -4, 4)
    wrong = max(
        best(lambda t: (1 - t) * RATE, 0, 1), best(lambda t: t + (1 - t) * RATE, 0, 1),
        best(lambda t: t * (1 - RATE) + (1 - t) * RATE, 0, 0.5), best(lambda t: t * RATE.mean() + (1 - t) * RATE, 0, 1))
    assert world_or_labels(RATE, k, ROWS) == pytest.approx(world - wrong, abs=0.2)


def test_worlds_and_wrong_labels_are_told_apart() -> None:
    for make in WORLDS.values():
        assert np.mean([world_or_labels(RATE, drawn(make(RATE), s), ROWS) >= 5 for s in range(40)]) >= 0.95
    for make in (*FAULTS.values(), lambda p: p):
        assert np.mean([world_or_labels(RATE, drawn(make(RATE), s), ROWS) >= 5 for s in range(40)]) <= 0.025
