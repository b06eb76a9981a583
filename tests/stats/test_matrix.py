"""Columns without a value."""

from __future__ import annotations

import numpy as np
import polars as pl
from sklearn.ensemble import HistGradientBoostingRegressor

from rca_kit.loop.s6_simulate.surrogate import fit_surrogate
from rca_kit.stats.matrix import without_empty


def test_trees_fit_beside_a_column_without_a_value():
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.normal(size=400), np.full(400, np.nan)])
    model = HistGradientBoostingRegressor(max_iter=20).fit(without_empty(x), x[:, 0])
    assert np.corrcoef(model.predict(x), x[:, 0])[0, 1] > 0.9


def test_a_surrogate_is_fitted_beside_a_column_that_is_empty():
    x = np.random.default_rng(1).normal(size=3000)
    frame = pl.DataFrame({"x": x, "empty": pl.Series([None] * 3000, dtype=pl.Float64)})
    made = fit_surrogate(frame, 1 / (1 + np.exp(-x)), ["x", "empty"])
    assert made is not None
    assert made.fidelity > 0.9
