"""Scope where rows come in clumps, where a segment is only the worst of all, and where values that came carry the change."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from rca_kit.findings.scope import Scope
from rca_kit.loop.reading.picture import look
from rca_kit.loop.s3_scope.arrived import brings_change
from rca_kit.loop.s3_scope.hurt import HURT_Q
from rca_kit.loop.s3_scope.ranges import among_features
from rca_kit.loop.s3_scope.search import badness_of, flow_scope, leaves, look_for, measure_of, scope, segments_of
from rca_kit.sources import to_lazy
from rca_kit.stats.clumps import design_effect

from . import made

WEB = pl.col("device") == "web"


def scoped(frame: pl.DataFrame, metric: str, whole: float = 0.0) -> Scope:
    picture, lazy = look(*made.sums(frame), (metric,), made.ALERT, None), to_lazy(frame)
    bad = badness_of(picture, metric, dict(lazy.collect_schema()))
    return scope(picture, lazy, bad, metric, ["device", "country"], whole=whole)


@pytest.mark.parametrize("size", [1, 2, 8, 20])
def test_the_design_effect_is_how_much_wider_a_mean_lies(size: int) -> None:
    rng = np.random.default_rng(size)
    means = [np.repeat(rng.normal(size=200), size).mean() for _ in range(2000)]
    wider = float(np.var(means)) * 200 * size
    assert design_effect(np.repeat(rng.normal(size=40_000 // size), size)) == pytest.approx(wider, rel=0.15)


def test_clumps_of_many_sizes_weigh_by_their_squares() -> None:
    rng = np.random.default_rng(4)
    sizes = rng.integers(1, 12, 8000)
    found = design_effect(np.repeat((rng.random(8000) < 0.1).astype(float), sizes))
    assert found == pytest.approx(float((sizes**2).sum() / sizes.sum()), rel=0.1)


def test_independent_rows_count_for_one_each_though_rare_trending_or_skewed() -> None:
    hour = np.linspace(0, 6 * np.pi, 20_000)
    found = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        found += [
            design_effect((rng.random(20_000) < 0.004).astype(float)),
            design_effect((rng.random(20_000) < 0.1 + 0.08 * np.sin(hour)).astype(float)),
            design_effect(rng.lognormal(0, 1, 20_000) * (1.5 + np.sin(hour))),
        ]
    assert max(found) < 1.5
    assert np.mean(np.array(found) > 1.0) <= 0.05


def searches(seed: int, slower: float = 1.0) -> pl.DataFrame:
    """A log of searches: eight rows each, within as many milliseconds, that share the time it took and who asked."""
    one = made.log(rows=3000, seed=seed).with_columns(
        latency_ms=pl.when(made.AFTER & WEB).then(pl.col("latency_ms") * slower).otherwise("latency_ms"))
    return one.select(pl.all().repeat_by(8).explode()).with_columns(
        ts=pl.col("ts") + pl.duration(milliseconds=pl.int_range(pl.len()) % 8)).sort("ts")


def test_rows_of_one_search_do_not_hurt_a_segment_eight_times_as_surely() -> None:
    counted, clumped = 0, 0
    for seed in range(20):
        frame = searches(seed)
        picture, lazy = look(*made.sums(frame), ("latency_p95",), made.ALERT, None), to_lazy(frame)
        bad = badness_of(picture, "latency_p95", dict(lazy.collect_schema()))
        assert bad is not None
        table = leaves(lazy, picture, ["device", "country"], bad)
        assert table is not None
        naive = segments_of(look_for(table, measure_of(table, bad), bad.direction), table)
        counted += any((s.q_value or 1.0) < 0.01 for s in naive)
        clumped += bool(scope(picture, lazy, bad, "latency_p95", ["device", "country"]).segments)
    assert counted >= 3  # the danger is there
    assert clumped == 0


def test_a_segment_whose_searches_got_slow_is_still_found_in_rows() -> None:
    frame = searches(1, slower=3.0)
    found = scoped(frame, "latency_p95").segments
    assert [s.where for s in found] == [{"device": "web"}]
    assert (found[0].q_value or 1.0) < HURT_Q
    rows = frame.filter(made.AFTER & WEB).height
    assert 0.2 * rows < (found[0].n_after or 0) <= rows * 1.01 and (found[0].n_after or 0) > rows / 4


def spoilt(part: dict[str, float]) -> pl.DataFrame:
    """Scores that are off for a part of each device's requests after the onset."""
    hit = pl.col("u") < pl.col("device").replace_strict(part, return_dtype=pl.Float64)
    return made.log(rows=30_000).with_columns(
        score=pl.when(made.AFTER & hit).then(1 - pl.col("score")).otherwise(pl.col("score")))


def test_what_hits_everybody_and_some_harder_is_whole() -> None:
    everybody = spoilt({"android": 0.3, "ios": 0.3, "web": 0.9})
    assert [s.where for s in scoped(everybody, "log_loss").segments] == [{"device": "web"}]
    harder = scoped(everybody, "log_loss", whole=0.3)
    assert harder.is_global and not harder.segments
    only = scoped(spoilt({"android": 0.0, "ios": 0.0, "web": 0.9}), "log_loss", whole=0.3)
    assert [s.where for s in only.segments] == [{"device": "web"}]


def ranged(frame: pl.DataFrame) -> dict[str, Any] | None:
    frame = frame.with_columns(decision=(pl.col("score") >= 0.4).cast(pl.Int64)).drop("u")  # it would tell who was hit
    picture, lazy = look(*made.sums(frame), ("accuracy",), made.ALERT, None), to_lazy(frame)
    bad = badness_of(picture, "accuracy", dict(lazy.collect_schema()))
    found = among_features(picture, lazy, bad, "accuracy", ["device", "country"])
    return found.segments[0].where if found else None


def test_a_range_is_named_though_few_rows_outside_move_by_chance() -> None:
    young, named = pl.col("age") < 36, []
    for seed in range(10):
        wrong = pl.when(made.AFTER & young).then(1 - pl.col("score")).otherwise(pl.col("score"))
        named.append(ranged(made.log(rows=6000, seed=seed).with_columns(score=wrong)))
    borders = [w["age"]["lt"] for w in named if w is not None and set(w) == {"age"} and set(w["age"]) == {"lt"}]
    assert len(borders) >= 7
    assert np.median(borders) == pytest.approx(36, abs=2)


@pytest.mark.parametrize("rows", [6000, 20_000])
def test_no_range_is_named_when_all_were_hit(rows: int) -> None:
    everybody = pl.when(made.AFTER & (pl.col("u") < 0.5)).then(1 - pl.col("score")).otherwise(pl.col("score"))
    named = [ranged(made.log(rows=rows, seed=seed).with_columns(score=everybody)) for seed in range(10)]
    assert named == [None] * 10


def newcomers(badly: bool, share: float = 0.2) -> pl.DataFrame:
    """A country whose requests are hardly there before and many after, on top of the others, all of them scored badly or none."""
    new = pl.col("u") < pl.when(made.AFTER).then(share).otherwise(share * 0.02)
    kept = made.AFTER | (pl.col("u") < 0.02 * share) | (pl.col("u") >= share)
    frame = made.log(rows=25_000).filter(kept).with_columns(country=pl.when(new).then(pl.lit("VN")).otherwise("country"))
    wrong = pl.when(pl.col("country") == "VN").then(1 - pl.col("score")).otherwise(pl.col("score"))
    return frame.with_columns(score=wrong) if badly else frame


def brought(frame: pl.DataFrame, value: str) -> bool:
    picture, lazy = look(*made.sums(frame), ("log_loss",), made.ALERT, None), to_lazy(frame)
    bad = badness_of(picture, "log_loss", dict(lazy.collect_schema()))
    assert bad is not None
    return brings_change(picture, lazy, bad, "country", value)


def test_a_value_that_came_and_does_badly_brings_the_change() -> None:
    assert brought(newcomers(badly=True), "VN")
    assert not brought(newcomers(badly=True), "DE")
    assert not brought(newcomers(badly=False), "VN")
    assert not brought(newcomers(badly=True), "nowhere")


def test_a_value_that_others_turned_into_did_not_come() -> None:
    turned = made.AFTER & (pl.col("u") < 0.2)  # as many requests as ever: an outcome, say, that is read as a segment
    frame = made.log(rows=20_000).with_columns(
        country=pl.when(turned | (pl.col("u") < 0.004)).then(pl.lit("VN")).otherwise("country"))
    wrong = pl.when(pl.col("country") == "VN").then(1 - pl.col("score")).otherwise(pl.col("score"))
    assert not brought(frame.with_columns(score=wrong), "VN")


def test_what_everybody_lost_is_not_brought_by_who_came() -> None:
    everybody = newcomers(badly=False).with_columns(made.FAULTS["scores"])
    assert not brought(everybody, "VN")


def flowing(frame: pl.DataFrame, columns: list[str]) -> list[dict[str, Any]]:
    picture = look(*made.sums(frame), ("volume",), made.ALERT, None)
    return [s.where for s in flow_scope(picture, to_lazy(frame), columns, "increase").segments]


def test_a_surge_is_named_though_most_combinations_hold_a_request_or_two() -> None:
    rng = np.random.default_rng(7)
    many = {f"c{i}": rng.integers(0, 6, 26_000).astype(str) for i in range(6)}
    frame = made.log(rows=26_000).with_columns(**{k: pl.Series(v) for k, v in many.items()})
    kept = frame.filter((pl.col("c0") != "3") | made.AFTER | (pl.col("u") < 0.1))
    columns = ["device", "country", *many]
    assert flowing(kept, columns) == [{"c0": "3"}]
    assert flowing(frame, columns) == []
