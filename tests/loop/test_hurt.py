"""Outcomes that got worse in one segment: what a segment's own series says of it."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from rca_kit.aggregates.grid import TimeGrid
from rca_kit.aggregates.plan import make_plan
from rca_kit.aggregates.scan import scan
from rca_kit.findings.scope import Segment
from rca_kit.loop.reading.series import metric_series
from rca_kit.loop.s3_scope.hurt import stands_out
from rca_kit.sources import to_lazy

from . import made


def decided(wrong: Any, seed: int) -> pl.DataFrame:
    """A quiet log in which a part of the decisions on android is wrong, by hour; elsewhere one in ten is."""
    rows = made.log(seed=seed)
    rng = np.random.default_rng(seed)
    hours = (rows["ts"] - made.T0).dt.total_seconds().to_numpy() / 3600
    share = np.where((rows["device"] == "android").to_numpy(), wrong(hours, rng), 0.1)
    label = rows["label"].to_numpy()
    return rows.with_columns(decision=pl.Series(np.where(rng.random(rows.height) < share, 1 - label, label)))


def wanders(hours: Any, rng: np.random.Generator) -> Any:
    """Up and down, three hours each."""
    return np.clip(0.2 + 0.1 * rng.choice([-1, 1], 40), 0, 1)[(hours // 3).astype(int)]


@pytest.mark.parametrize(("wrong", "expected"), [
    (lambda hours, rng: np.where(hours >= 78, 0.4, 0.1), 10),  # since the onset
    (wanders, 0),
])
def test_a_segment_that_wanders_does_not_stand_out(wrong: Any, expected: int) -> None:
    told = []
    for seed in range(10):
        frame = decided(wrong, seed)
        picture = made.look(*made.sums(frame), ("accuracy",), made.ALERT)
        prepared: Any = SimpleNamespace(frame=to_lazy(frame))
        told.append(stands_out(prepared, picture, Segment({"device": "android"}), "accuracy"))
    assert abs(sum(told) - expected) <= 1
    assert stands_out(prepared, picture, Segment({"device": "android"}), "no such metric")


@pytest.mark.parametrize(("off", "expected"), [(0.25, 8), (0.0, 0)])
def test_scores_off_the_truth_stand_out_where_a_ranking_hardly_shows_it(off: float, expected: int) -> None:
    told = []
    for seed in range(8):
        rows = made.log(seed=seed)
        hit = ((rows["device"] == "android") & (rows["ts"] >= made.ONSET)).to_numpy()
        low = rows["score"].to_numpy() * (1 - off * hit)  # in the same order
        frame = rows.with_columns(score=pl.Series(low))
        picture = made.look(*made.sums(frame), ("auc",), made.ALERT)
        prepared: Any = SimpleNamespace(frame=to_lazy(frame))
        told.append(stands_out(prepared, picture, Segment({"device": "android"}), "auc"))
    assert abs(sum(told) - expected) <= 1


@pytest.mark.parametrize(("rest", "android", "expected"), [
    (lambda hour: 0.1, lambda hour: np.where(hour >= 6, 0.32, 0.1), 10),  # in the middle of half a day
    (lambda hour: 0.1 + 0.02 * hour, lambda hour: 0.1 + 0.025 * hour, 0),  # a course of the day that all have
    (lambda hour: 0.1, lambda hour: 0.1, 0),
])
def test_half_a_day_shows_what_a_segment_alone_does(rest: Any, android: Any, expected: int) -> None:
    """A wave of 24 hours looks like a step in half of it: the other requests have the same hours."""
    told = []
    for seed in range(10):
        rng, rows = np.random.default_rng(seed), made.log(seed=seed)
        start = made.END - timedelta(hours=12)
        hour = np.sort(rng.uniform(0, 12, rows.height))
        hit = (rows["device"] == "android").to_numpy() & (rows["country"] == rows["country"][0]).to_numpy()
        wrong = rng.random(rows.height) < np.where(hit, android(hour), rest(hour))
        label = rows["label"].to_numpy()
        at = pl.Series([start + timedelta(hours=float(h)) for h in hour])
        frame = rows.with_columns(ts=at, decision=pl.Series(np.where(wrong, 1 - label, label)))
        summed = scan(to_lazy(frame), make_plan(made.COLUMNS, TimeGrid.over(start, made.END), frame))
        picture = made.look(summed, metric_series(summed), ("accuracy",), made.END - timedelta(minutes=10))
        prepared: Any = SimpleNamespace(frame=to_lazy(frame))
        where = {"device": "android", "country": rows["country"][0]}
        told.append(stands_out(prepared, picture, Segment(where), "accuracy"))
    assert abs(sum(told) - expected) <= 1
