"""Series and readings that are made up: a grid of days, counts, quantiles, and what a metric changed by."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from rca_kit.aggregates.grid import TimeGrid
from rca_kit.findings.signal import MetricReading
from rca_kit.loop.reading.detect import (
    Move,
    scan_all,
)
from rca_kit.loop.reading.series import Series
from rca_kit.stats import metrics
from rca_kit.stats.metrics import Estimate
from rca_kit.stats.rates import Z95

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
ERROR = 0.01  # of a reading


def grid(days: float) -> TimeGrid:
    return TimeGrid.over(MONDAY, MONDAY + timedelta(days=days))


def series(name: str, family: str, k: Any, n: Any, over: TimeGrid, column: str | None = None, coarse: bool = False) -> Series:
    sums = (np.asarray(k, float), np.asarray(n, float))
    return Series(name, family, None, over, coarse, sums, metrics.rate, counts=True, column=column)


def counted(name: str, family: str, rate: Any, over: TimeGrid, seed: int, per: int = 40, column: str | None = None) -> Series:
    """A rate by fine bucket, `rate(hours since the start)`."""
    hours = np.arange(over.n) * over.width_s / 3600
    n = np.full(over.n, per)
    return series(name, family, np.random.default_rng(seed).binomial(n, rate(hours)), n, over, column)


def moves_of(*made: Series, over: TimeGrid) -> dict[str, Move]:
    return scan_all(made, over, over.time(over.n), ())


def quantile(name: str, value: Any, over: TimeGrid, seed: int) -> Series:
    """A series whose coarse value is known to a twentieth of itself."""
    rng = np.random.default_rng(seed)
    ms = value * np.exp(rng.normal(0, 0.05, value.size))
    return Series(name, "service", "lower", over, True, (ms, np.full(ms.size, 40.0)),
                  lambda x, n: Estimate(x, np.full(x.shape, 0.05) * x, n), log=True)


def reading(metric: str, change: float, moved: bool) -> MetricReading:
    interval = (change - Z95 * ERROR, change + Z95 * ERROR)
    return MetricReading(metric, 0.3, 0.3 + change, change, interval, 5000, 900, 0.01, moved, None)
