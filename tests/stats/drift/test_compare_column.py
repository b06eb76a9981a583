"""One column, then a table of columns: verdicts on counts alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rca_kit.errors import BadInput
from rca_kit.stats.drift import OTHER, ColumnStats, compare_column, decide, lone_column
from rca_kit.stats.drift.pair import make_pair, normal_scores, quantile_groups, season_weights

EDGES = np.linspace(-4, 4, 127)
K = 50


def number(x, name="x", missing=0, phase=None, blocks=K):
    block = np.arange(len(x)) * blocks // len(x)
    cell = np.searchsorted(EDGES, x, side="right")
    counts = np.bincount(block * 128 + cell, minlength=blocks * 128).reshape(blocks, 128)
    return ColumnStats.number(name, EDGES, counts, np.full(blocks, missing // blocks), phase=phase, sums=np.array([x.sum()]),
                              squares=np.array([x @ x]), minimum=x.min(), maximum=x.max(), dtype="Float64")


def test_a_shift_is_found_and_sized():
    rng = np.random.default_rng(0)
    change = compare_column(number(rng.normal(size=4000)), number(rng.normal(0.3, 1, 4000)))
    assert change.changed
    assert change.effect == pytest.approx(0.3, abs=0.06)
    assert change.mean_change_low < 0.3 < change.mean_change_high
    assert "moved up" in change.reason
    assert change.psi == pytest.approx(0.09, abs=0.05)


def test_a_tiny_certain_shift_is_negligible():
    p = np.full(128, 1e6)
    b, a = ColumnStats.number("x", EDGES, p), ColumnStats.number("x", EDGES, p * np.linspace(0.99, 1.01, 128))
    change = compare_column(b, a)
    assert not change.changed
    assert change.negligible
    assert change.q_value < 1e-6
    assert change.reason.startswith("negligible")


def test_nulls_spread_range_and_single_values():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=4000), rng.normal(size=4000)
    assert "nulls" in compare_column(number(x, missing=20), number(y, missing=200)).reason
    assert "spread" in compare_column(number(x), number(y * 1.5)).reason
    spiked = np.where(rng.random(4000) < 0.05, 0.0, y)
    assert compare_column(number(x), number(spiked)).changed
    assert compare_column(number(np.clip(x, -2, 2)), number(y)).out_of_range > 0.02


def test_categories():
    b = ColumnStats.category("c", ("a", "b", OTHER), [500, 480, 20])
    assert not compare_column(b, ColumnStats.category("c", ("a", "b", OTHER), [505, 478, 17])).changed
    found = compare_column(b, ColumnStats.category("c", ("a", "b", "new", OTHER), [400, 480, 100, 20]))
    assert found.changed
    assert found.kind == "category"
    assert found.largest_cell in ("a", "(other)", "b")
    gone = compare_column(ColumnStats.category("c", ("a", "b"), [500, 500]), ColumnStats.category("c", ("a",), [1000]))
    assert gone.changed
    assert gone.vanished_values == ("b",)


def test_autocorrelated_columns_stay_quiet_where_independent_tests_would_not():
    rng = np.random.default_rng(2)
    wave = np.repeat(np.cumsum(rng.normal(size=80)) * 0.3, 100)
    x = wave + rng.normal(size=8000) * 0.5
    blind = compare_column(number(x[:4000], blocks=1), number(x[4000:], blocks=1))
    seeing = compare_column(number(x[:4000]), number(x[4000:]))
    assert blind.changed
    assert not seeing.changed
    assert seeing.inflation > 5


def test_season_is_taken_out_of_the_baseline():
    rng = np.random.default_rng(3)
    hours = np.arange(24 * 5)
    def rows(h, shift):
        return np.concatenate([rng.normal(1.5 * np.sin(2 * np.pi * k / 24) + shift, 1, 80) for k in h])
    before, same, moved = rows(hours[:96], 0), rows(hours[96:100], 0), rows(hours[96:100], 1.0)
    args = {"phase": hours[:96] % 24, "blocks": 96}
    quiet = compare_column(number(before, **args), number(same, phase=hours[96:100] % 24, blocks=4))
    loud = compare_column(number(before, **args), number(moved, phase=hours[96:100] % 24, blocks=4))
    assert quiet.seasonal
    assert not quiet.changed
    assert loud.changed
    assert not compare_column(number(before, **args), number(moved, phase=hours[96:100] % 24, blocks=4), season=False).seasonal


def test_season_weights_refuse_unknown_hours():
    rows = np.array([50.0])
    assert season_weights(np.array([1]), np.array([2]), rows, rows) is None


def test_types_rows_and_presence():
    n, c = ColumnStats.number("x", [0.0], [5, 5], dtype="Float64"), ColumnStats.category("x", ("a",), [10], dtype="String")
    assert "type changed from Float64 to String" in compare_column(n, c).reason
    empty = ColumnStats.number("x", [0.0], [0, 0])
    assert "no rows after" in compare_column(n, empty).reason
    all_null = ColumnStats.number("x", [0.0], [0, 0], missing=10)
    assert compare_column(n, all_null).changed
    assert lone_column(n, is_new=True).reason == "column is new"
    assert lone_column(n, is_new=False).changed
    with pytest.raises(BadInput, match="same edges"):
        compare_column(n, ColumnStats.number("x", [1.0], [5, 5]))
    with pytest.raises(BadInput, match="do not fit"):
        ColumnStats.number("x", [0.0, 1.0], [5, 5])
    with pytest.raises(BadInput, match="unknown kind"):
        ColumnStats("x", "colour", n.counts, n.missing)


def test_decide_corrects_over_columns():
    rng = np.random.default_rng(4)
    changes = [compare_column(number(rng.normal(size=2000), f"c{i}"), number(rng.normal(size=2000), f"c{i}"), judge=False)
               for i in range(30)]
    judged = decide(changes)
    assert not any(c.changed for c in judged)
    assert all(c.q_value >= c.p_value - 1e-12 for c in judged)
    assert all("no change beyond chance" in c.reason for c in judged)
    assert decide([]) == []


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 60), min_size=4, max_size=9).filter(lambda x: sum(x) > 10))
def test_a_column_compared_with_itself_never_changes(counts):
    side = ColumnStats.category("c", tuple(map(str, range(len(counts)))), counts)
    edges = np.arange(1.0, len(counts))
    assert not compare_column(side, side).changed
    same = ColumnStats.number("x", edges, counts)
    change = compare_column(same, same)
    assert not change.changed
    assert change.ks == 0
    assert change.psi == 0


def test_scores_and_groups():
    pooled = np.array([5.0, 10.0, 5.0])
    assert normal_scores(pooled) @ pooled == pytest.approx(0)
    group = quantile_groups(np.full(100, 10.0), 16)
    assert (np.diff(group) >= 0).all()
    assert group.max() == 15
    pair = make_pair(ColumnStats.category("c", ("a", OTHER), [5, 5]), ColumnStats.category("c", ("a", "b"), [5, 5]))
    assert pair.labels == ("a", OTHER)
    assert pair.after.sum() == 10
