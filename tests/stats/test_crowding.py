"""A range that became more frequent: against brute force and statsmodels, in quiet columns, in drifts, and its power."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.special import ndtri
from scipy.stats import chi2_contingency

from rca_kit.stats.crowding import _best_range, _smooth_left, crowded

Floats = np.ndarray
KINDS: dict[str, Callable[[np.random.Generator, int], Floats]] = {
    "normal": lambda rng, n: rng.normal(size=n),
    "lognormal": lambda rng, n: rng.lognormal(0, 0.8, n),
    "uniform": lambda rng, n: rng.random(n),
    "gamma": lambda rng, n: rng.gamma(2, 1, n),
    "heavy": lambda rng, n: rng.standard_t(3, n),
    "whole": lambda rng, n: rng.poisson(30, n).astype(float),
}


def test_the_best_range_is_that_of_trying_all() -> None:
    rng = np.random.default_rng(2)
    for _ in range(20):
        k, n = rng.integers(5, 60, 8).astype(float), rng.integers(5, 60, 8).astype(float)
        n[3:6] *= 3
        best = (0.0, 0, 0)
        for i in range(8):
            for j in range(i + 1, 9):
                table = np.array([[k[i:j].sum(), n[i:j].sum()], [k.sum() - k[i:j].sum(), n.sum() - n[i:j].sum()]])
                if j - i == 8 or table[0, 1] / n.sum() <= table[0, 0] / k.sum():
                    continue
                gain = chi2_contingency(table, correction=False, lambda_="log-likelihood").statistic
                best = max(best, (float(gain), i, j))
        i, j, gain = _best_range(k, n)
        assert (i, j) == best[1:] or (i == 0 or j == 8)  # one border less, where it tells nothing
        assert gain <= best[0] + 1e-9
        assert gain >= 0.95 * best[0] - 8.0


def test_what_a_smooth_change_leaves_is_the_deviance_of_a_logistic_regression() -> None:
    rng = np.random.default_rng(3)
    k, n = rng.integers(20, 90, 30).astype(float), rng.integers(20, 90, 30).astype(float)
    m = k + n
    score = ndtri((np.cumsum(m) - m / 2) / m.sum())
    x = np.column_stack([score**d for d in range(4)])
    fitted = sm.GLM(np.column_stack([n, k]), x, family=sm.families.Binomial()).fit()
    assert _smooth_left(k, n) == pytest.approx(float(fitted.deviance), rel=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_found_in_quiet_columns(kind: str) -> None:
    rng = np.random.default_rng(5)
    assert not any(crowded(KINDS[kind](rng, 4000), KINDS[kind](rng, 4000)) for _ in range(100))


@pytest.mark.parametrize("kind", ["normal", "uniform", "gamma", "heavy", "whole"])
@pytest.mark.parametrize("sigmas", [0.1, 0.3, 0.6])
def test_a_column_that_moved_as_a_whole_has_no_such_range(kind: str, sigmas: float) -> None:
    rng, make = np.random.default_rng(7), KINDS[kind]
    assert not any(crowded(make(rng, 8000), make(rng, 8000) + sigmas * make(rng, 8000).std()) for _ in range(10))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("part", [0.7, 0.85])
def test_guests_of_one_range_are_found_with_their_border(kind: str, part: float) -> None:
    """Power: a fifth more requests, all of them from beyond a quantile."""
    rng, make, hits = np.random.default_rng(11), KINDS[kind], 0
    border = float(np.quantile(make(rng, 200_000), part))
    for _ in range(20):
        pool = make(rng, 60_000)
        found = crowded(make(rng, 8000), np.concatenate([make(rng, 8000), pool[pool >= border][:1600]]))
        if found is None or found.low is None:
            continue
        near = abs(float((pool < found.low).mean()) - float((pool < border).mean())) <= 0.05
        hits += near and found.after > found.before
    assert hits >= 18


def test_a_range_in_the_middle_has_two_borders() -> None:
    rng = np.random.default_rng(1)
    pool = rng.normal(50, 15, 60_000)
    guests = pool[(pool >= 40) & (pool < 50)][:2500]
    found = crowded(rng.normal(50, 15, 8000), np.concatenate([rng.normal(50, 15, 8000), guests]))
    assert found is not None and found.low is not None and found.high is not None
    assert found.low == pytest.approx(40, abs=1.5)
    assert found.high == pytest.approx(50, abs=1.5)


def test_too_few_values_tell_of_none() -> None:
    rng = np.random.default_rng(1)
    assert crowded(rng.normal(size=300), rng.normal(3, 1, 5000)) is None
    assert crowded(np.full(5000, np.nan), rng.normal(size=5000)) is None
