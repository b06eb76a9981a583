"""Rows that come in clumps, against the variance of their mean over many logs."""

from __future__ import annotations

import numpy as np
import pytest

from rca_kit.stats.clumps import rows_per_spell, rows_per_value


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


def wandering(rng: np.random.Generator, hours: int, spell: int, part: float, season: float) -> tuple[np.ndarray, np.ndarray]:
    """Values of 40 rows an hour, of whose variance a `part` wanders from spell to spell; and their seconds."""
    at = np.sort(rng.uniform(0, hours, 40 * hours))
    level = rng.normal(size=hours // spell + 1)[(at // spell).astype(int)]
    x = np.sqrt(part) * level + np.sqrt(1 - part) * rng.normal(size=at.size) + season * np.sin(2 * np.pi * at / 24)
    return x, at * 3600.0


@pytest.mark.parametrize(("hours", "season"), [(30, 0.0), (30, 1.0), (96, 0.0), (96, 1.0), (336, 1.0)])
def test_rows_that_keep_to_the_hour_of_the_day_have_no_spells(hours: int, season: float) -> None:
    rng = np.random.default_rng(hours)
    told = [rows_per_spell(*wandering(rng, hours, 6, 0.0, season)) for _ in range(200)]
    assert np.mean(np.array(told) > 1.0) <= 0.01


@pytest.mark.parametrize(("hours", "spell", "part"), [(96, 6, 0.1), (336, 6, 0.05), (336, 3, 0.1)])
def test_the_rows_per_spell_is_that_of_the_mean(hours: int, spell: int, part: float) -> None:
    rng = np.random.default_rng(spell)
    drawn = [wandering(rng, hours, spell, part, 0.0) for _ in range(600)]
    truth = np.var([x.mean() for x, _ in drawn]) * drawn[0][0].size
    assert np.median([rows_per_spell(x, s) for x, s in drawn[:200]]) == pytest.approx(truth, rel=0.3)
