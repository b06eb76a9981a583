from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rca_kit.aggregates.grid import TimeGrid
from rca_kit.aggregates.plan import (
    LATENCY_RANGE_MS,
    LATENCY_RATIO,
    MAX_CATEGORIES,
    TOP_K,
    Columns,
    latency_values,
    make_plan,
    quantile_edges,
)

from .conftest import T0, make_log, plan_of


@given(x=arrays(float, st.integers(0, 200), elements=st.floats(-1e6, 1e6) | st.just(float("nan")) | st.just(float("inf"))),
       bins=st.integers(2, 64))
@settings(max_examples=100, deadline=None)
def test_edges_ascend_and_there_are_no_more_bins_than_asked(x: np.ndarray, bins: int) -> None:
    edges = np.array(quantile_edges(x, bins))
    assert edges.size <= bins - 1
    assert np.isfinite(edges).all()
    assert (np.diff(edges) >= 0).all()


def test_few_values_get_a_bin_each() -> None:
    edges = quantile_edges(np.array([3.0, 1.0, 2.0, 2.0]), 20)
    assert np.searchsorted(edges, [1.0, 2.0, 3.0], side="right").tolist() == [0, 1, 2]


def test_heavy_tails_do_not_collapse_into_one_bin() -> None:
    x = np.random.default_rng(0).pareto(0.7, 20_000)
    index = np.searchsorted(quantile_edges(x, 20), x, side="right")
    shares = np.bincount(index, minlength=20) / x.size
    assert shares.max() < 0.06


def test_latency_bins_are_right_within_half_their_ratio() -> None:
    v = latency_values()
    assert v[0] > LATENCY_RANGE_MS[0]
    assert v[-1] > LATENCY_RANGE_MS[1] / LATENCY_RATIO
    x = np.random.default_rng(0).uniform(1, 1e5, 1000)
    nearest = v[np.abs(np.log(v)[None] - np.log(x)[:, None]).argmin(1)]
    assert (np.abs(np.log(nearest / x)) <= np.log(LATENCY_RATIO) / 2 + 1e-9).all()


def test_many_values_keep_the_most_frequent_by_name() -> None:
    counts = {f"v{i:04d}": 1 + (1000 - i) // 10 for i in range(MAX_CATEGORIES + 100)}
    sample = pl.DataFrame({"t": [T0] * sum(counts.values()), "c": [v for v, n in counts.items() for _ in range(n)]},
                          schema_overrides={"t": pl.Datetime("us", "UTC")})
    plan = make_plan(Columns(time="t", task="binary", segments=("c",)), TimeGrid.over(T0, T0 + timedelta(hours=1)), sample)
    keep = plan.segments[0].keep
    assert keep is not None
    assert len(keep) == TOP_K
    assert set(keep) == {f"v{i:04d}" for i in range(TOP_K)}


def test_few_values_are_all_kept_with_their_own_type() -> None:
    plan = plan_of(make_log(500))
    tier = next(s for s in plan.segments if s.column == "user.tier")
    assert tier.keep is None
    assert tier.values == {"1": 1, "2": 2, "3": 3}


@pytest.mark.parametrize(("values", "expected"), [([0.1, 0.9, None], True), ([0.1, 1.2], False), ([-0.1, 0.4], False)])
def test_a_score_is_a_probability_when_it_stays_in_the_unit_interval(values: list[float | None], expected: bool) -> None:
    sample = pl.DataFrame({"t": [T0] * len(values), "s": values}, schema_overrides={"t": pl.Datetime("us", "UTC")})
    plan = make_plan(Columns(time="t", task="binary", score="s"), TimeGrid.over(T0, T0 + timedelta(hours=1)), sample)
    assert plan.score_is_probability is expected


@pytest.mark.parametrize("label_kind", ["bool", "int", "string"])
def test_labels_of_any_type_are_binary_when_a_positive_value_is_known(label_kind: str) -> None:
    assert plan_of(make_log(300, label_kind), label_kind).label_kind == "binary"


@pytest.mark.parametrize(("decision", "positive", "kind"), [
    ("late", {"late": 1}, "binary"), ("late", {"late": "yes"}, "binary"), ("estimate", {}, "none")])
def test_an_estimate_may_be_cut_to_a_decision_of_two_values(decision: str, positive: dict, kind: str) -> None:
    late = [1, 0, 1, 0] if positive.get("late") == 1 else ["yes", "no", "no", "yes"]
    sample = pl.DataFrame({"t": [T0] * 4, "minutes": [31.0, 8.5, 40.0, 12.0], "truth": [30.0, 9.0, 38.0, 15.0], "late": late,
                           "estimate": [31.0, 8.5, 40.0, 12.0]})
    columns = Columns(time="t", task="regression", score="minutes", label="truth", decision=decision, positive=positive)
    plan = make_plan(columns, TimeGrid.over(T0, T0 + timedelta(hours=1)), sample)
    assert (plan.decision_kind, plan.label_kind) == (kind, "number")
