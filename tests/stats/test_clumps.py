"""Rows that come in clumps, against the variance of their mean over many logs."""

from __future__ import annotations

import numpy as np
import pytest

from rca_kit.stats.clumps import rows_per_value


@pytest.mark.parametrize("size", [1, 2, 5, 8])
def test_the_rows_per_value_is_that_of_the_mean(size: int) -> None:
    rng = np.random.default_rng(size)
    means = [np.repeat(rng.normal(size=400 // size), size).mean() for _ in range(4000)]
    truth = np.var(means) * (400 // size * size)  # of independent rows: 1
    values = np.repeat(rng.normal(size=400 // size), size)
    codes = np.unique(values, return_inverse=True)[1]
    seconds = np.arange(codes.size) // size * 45.0
    assert rows_per_value(codes, seconds) == pytest.approx(truth, rel=0.1)


def test_neighbours_that_are_alike_by_chance_are_no_clump() -> None:
    rng = np.random.default_rng(3)
    for kinds in (2, 5, 50):
        assert rows_per_value(rng.integers(0, kinds, 20_000), np.arange(20_000) * 0.01) == pytest.approx(1.0, abs=0.06)
    far = np.repeat(np.arange(500), 4)  # one person who comes back each minute is four visits
    assert rows_per_value(far, np.arange(2000) * 60.0) == 1.0
