"""Decisions that follow another cut of the score than they did: few requests, at once, and exactly dated."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from rca_kit.aggregates.grid import TimeGrid
from rca_kit.aggregates.plan import Columns, make_plan
from rca_kit.aggregates.scan import scan
from rca_kit.loop.reading.detect import scan_all
from rca_kit.loop.reading.plan import cut_of
from rca_kit.loop.reading.series import metric_series
from rca_kit.sources import to_lazy

T0 = datetime(2026, 3, 2, tzinfo=UTC)
COLUMNS = Columns("ts", "binary", score="score", decision="blocked", segments=("market",), positive={"blocked": 1})


def made(cut: float, rows: int = 20_000, days: float = 4.0, overruled: float = 0.0, seed: int = 1) -> pl.DataFrame:
    """Few scores are high; after three quarters of the time decisions are cut at `cut` in place of 0.3."""
    rng = np.random.default_rng(seed)
    at = np.sort(rng.random(rows)) * days
    score = rng.beta(1, 12, rows)
    decided = score >= np.where(at < 0.75 * days, 0.3, cut)
    decided ^= rng.random(rows) < overruled
    return pl.DataFrame({
        "ts": [T0 + timedelta(days=float(d)) for d in at],
        "score": score,
        "blocked": decided.astype(int),
        "market": rng.choice(["de", "fr"], rows),
    }, schema_overrides={"ts": pl.Datetime("us", "UTC")})


def moved(log: pl.DataFrame, days: float = 4.0) -> tuple[bool, float]:
    """Whether decisions were seen to leave the cut, and the hours by which the onset is late."""
    grid = TimeGrid.over(T0, T0 + timedelta(days=days))
    plan = replace(make_plan(COLUMNS, grid, log), cut=cut_of(COLUMNS, log))
    series = metric_series(scan(to_lazy(log), plan))
    move = scan_all(series.values(), grid, T0 + timedelta(days=days), ())["off_threshold"]
    start = move.fit.start * grid.coarse_s / 3600 if move.moved else np.nan
    return move.moved, start - 18 * days


@pytest.mark.parametrize(("cut", "overruled"), [(0.45, 0.0), (0.2, 0.0), (0.5, 0.003)])
def test_a_moved_threshold_is_seen_where_few_decisions_are_positive(cut: float, overruled: float) -> None:
    found, late = moved(made(cut, overruled=overruled))
    assert found
    assert abs(late) <= 2


def test_decisions_that_are_cut_as_ever_do_not_move() -> None:
    assert sum(moved(made(0.3, 6000, overruled=o, seed=s))[0] for s in range(20) for o in (0.0, 0.003, 0.006)) == 0


def test_the_cut_is_that_of_the_early_rows_in_whatever_order_they_come() -> None:
    log = made(0.6).sample(fraction=1.0, shuffle=True, seed=2)
    cut = cut_of(COLUMNS, log)
    assert cut == (pytest.approx(0.3, abs=0.01), True)


@pytest.mark.parametrize("why", ["chance", "rare", "few"])
def test_decisions_that_no_cut_explains_have_none(why: str) -> None:
    log = made(0.3, 300 if why == "few" else 5000)
    rng = np.random.default_rng(4)
    if why == "chance":
        log = log.with_columns(blocked=pl.Series(rng.integers(0, 2, log.height)))
    if why == "rare":  # so rare that answering no to all is hardly wrong
        log = log.with_columns(blocked=pl.Series((rng.random(log.height) < 0.01).astype(int)))
    assert cut_of(COLUMNS, log) is None
