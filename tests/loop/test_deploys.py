"""What the main metric did at each logged change: the right one shows a jump, a day-old innocent one does not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import numpy as np

from rca_kit.aggregates.grid import TimeGrid
from rca_kit.loop.reading.deploys import deploy_effects
from rca_kit.loop.s2_symptom import shown


def picture(seed: int = 1):
    start = datetime(2026, 3, 1, tzinfo=UTC)
    grid = TimeGrid.over(start, start + timedelta(days=7))
    n = grid.n_coarse
    rng = np.random.default_rng(seed)
    onset = start + timedelta(days=6)
    at = grid.index(onset) // grid.coarse
    value = 0.86 + rng.normal(0, 0.02, n) - 0.2 * (np.arange(n) >= at)
    seen = SimpleNamespace(value=value, error=np.full(n, 0.02))
    series = {"auc": SimpleNamespace(detection=lambda: seen)}
    return SimpleNamespace(grid=grid, series=series), start, onset


def test_the_jump_is_told_at_its_change_and_not_a_day_before():
    innocent, covered = [], 0
    for seed in range(12):
        drawn, _, onset = picture(seed)
        early, guilty = deploy_effects(drawn, "auc", [("early", onset - timedelta(hours=30)), ("guilty", onset)])
        assert guilty.p_value < 1e-6
        covered += guilty.level_interval[0] < -0.2 < guilty.level_interval[1]
        innocent.append(early.p_value)
        low, high = early.level_interval
        assert (early.p_value < 0.05) == (not low < 0 < high)  # the p-value is that of the interval beside it
    assert sum(p < 0.05 for p in innocent) <= 2 and covered >= 9


def test_a_drift_is_drawn_as_what_its_series_holds():
    assert shown("share:model_version=v2") == "share of v2 in model_version"
    assert shown("share:a=b=c") == "share of b=c in a" and shown("mean:x") == "mean of x" and shown("latency_p95") == ""
