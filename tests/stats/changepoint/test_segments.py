"""The partition against all partitions, and lines against numpy."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rca_kit.stats.changepoint.segments import NODES, Cost, LineSums, describe_lines, partition, visible_steps


def sums_of(y, weight=None):
    return LineSums.of(y, np.arange(len(y), dtype=float), np.ones(len(y)) if weight is None else weight)


def total(cost, cuts, n):
    return sum(float(cost(a, b)) for a, b in pairwise((0, *cuts, n)))


@given(seed=st.integers(0, 10_000), level=st.floats(0.2, 3), line=st.floats(0.2, 4), shortest=st.integers(1, 4))
@settings(max_examples=20, deadline=None)
def test_no_partition_is_cheaper(seed, level, line, shortest):
    n = 11
    rng = np.random.default_rng(seed)
    cost = Cost(sums_of(rng.normal(size=n).cumsum()), level, line)
    allowed = [c for k in range(n) for c in combinations(range(1, n), k) if min(np.diff((0, *c, n))) >= shortest]
    best = min(total(cost, c, n) for c in allowed)
    found = partition(cost, n, shortest)
    assert min(np.diff((0, *found, n))) >= shortest
    assert total(cost, found, n) == pytest.approx(best, abs=1e-9)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_residual_sums_equal_polyfit(seed):
    rng = np.random.default_rng(seed)
    y, weight = rng.normal(size=30).cumsum() + 5, rng.uniform(0.2, 2, 30)
    sums = sums_of(y, weight)
    a, b = sorted(rng.choice(31, 2, replace=False))
    if b - a < 3:
        b, a = 30, 0
    t = np.arange(a, b)
    fit = np.polyval(np.polyfit(t, y[a:b], 1, w=np.sqrt(weight[a:b])), t)
    assert float(sums.rss(a, b)) == pytest.approx(float(weight[a:b] @ (y[a:b] - fit) ** 2), rel=1e-6, abs=1e-8)
    mean = np.average(y[a:b], weights=weight[a:b])
    assert float(sums.rss_level(a, b)) == pytest.approx(float(weight[a:b] @ (y[a:b] - mean) ** 2), rel=1e-6, abs=1e-8)


def test_long_series_are_cut_exactly_though_searched_on_a_grid():
    n = 5 * NODES + 3
    rng = np.random.default_rng(2)
    y = np.where(np.arange(n) < 701, 0.0, 5.0) + 0.1 * rng.normal(size=n)
    assert describe_lines(y, np.arange(n, dtype=float), np.ones(n)) == (701,)


def test_a_kink_is_found_and_a_straight_line_has_none():
    t = np.arange(80.0)
    rng = np.random.default_rng(3)
    noise = 0.3 * rng.normal(size=80)
    assert describe_lines(0.5 * t + noise, t, np.ones(80)) == ()
    (cut,) = describe_lines(np.maximum(t - 40, 0) + noise, t, np.ones(80))
    assert abs(cut - 40) <= 5


def test_of_many_steps_the_visible_ones_are_kept():
    rng = np.random.default_rng(4)
    t = np.arange(400)
    y = 10.0 * ((t >= 100) & (t < 250)) + 0.3 * (t >= 180) + 0.2 * (t >= 320) + 0.1 * rng.normal(size=400)
    ones, at = np.ones(400), t.astype(float)
    assert visible_steps(y, at, ones, (100, 180, 250, 320), y) == (100, 250)
    assert visible_steps(y, at, ones, (), y) == ()
