"""Aggregates of parts add up to the aggregates of the whole, in any order and any grouping."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from rca_kit.aggregates.cube import Cube
from rca_kit.aggregates.scan import Aggregates, scan
from rca_kit.sources import to_lazy

from .conftest import make_log, plan_of

LOG = make_log(300, seed=3)
PLAN = plan_of(LOG)
CUTS = st.lists(st.integers(0, 2), min_size=LOG.height, max_size=LOG.height)


def same(a: Aggregates, b: Aggregates) -> None:
    assert list(a.cubes) == list(b.cubes)
    for name in a.cubes:
        assert_frame_equal(a.cubes[name].frame, b.cubes[name].frame, rel_tol=1e-9, abs_tol=1e-9)


def parts(cut: list[int]) -> list[Aggregates]:
    where = pl.Series(cut)
    return [scan(to_lazy(LOG.filter(where == k)), PLAN) for k in range(3)]


@given(cut=CUTS)
@settings(max_examples=8, deadline=None)
def test_parts_add_up_to_the_whole_in_any_order(cut: list[int]) -> None:
    a, b, c = parts(cut)
    whole = scan(to_lazy(LOG), PLAN)
    same(a.merge(b).merge(c), whole)
    same(a.merge(b.merge(c)), whole)
    same(c.merge(a).merge(b), whole)


def test_an_empty_part_changes_nothing() -> None:
    whole, nothing = scan(to_lazy(LOG), PLAN), scan(to_lazy(LOG.clear()), PLAN)
    same(whole.merge(nothing), whole)
    same(nothing.merge(whole), whole)


def test_aggregates_of_different_plans_do_not_merge() -> None:
    other = plan_of(make_log(300, seed=4))
    with pytest.raises(ValueError, match="plans"):
        scan(to_lazy(LOG), PLAN).merge(scan(to_lazy(LOG), other))


ROW = st.tuples(st.sampled_from(["a", "b", "é", None]), st.integers(0, 3), st.integers(0, 10**9), st.integers(-99, 99))
ROWS = st.lists(ROW, max_size=30)


def cube(rows: list[tuple[str | None, int, int, int]]) -> Cube:
    frame = pl.DataFrame(rows, schema={"v": pl.String, "b": pl.Int64, "n": pl.Int64, "x": pl.Float64}, orient="row")
    return Cube.of(("b", "v"), frame.group_by("b", "v").agg(pl.col("n", "x").sum()))


@given(a=ROWS, b=ROWS, c=ROWS)
@settings(max_examples=60, deadline=None)
def test_cubes_form_a_commutative_monoid(a: list, b: list, c: list) -> None:
    x, y, z = cube(a), cube(b), cube(c)
    assert_frame_equal(x.merge(y).frame, y.merge(x).frame)
    assert_frame_equal(x.merge(y).merge(z).frame, x.merge(y.merge(z)).frame)
    assert_frame_equal(x.merge(y).frame, cube([*a, *b]).frame)
    assert_frame_equal(x.merge(cube([])).frame, x.frame)


def test_a_cube_holds_no_key_twice_and_is_sorted() -> None:
    c = cube([("b", 1, 2, 0), ("a", 1, 3, 0), ("a", 0, 4, 0), (None, 0, 5, 0)]).merge(cube([("a", 1, 1, 0)]))
    assert c.frame.select("b", "v", "n").rows() == [(0, "a", 4), (0, None, 5), (1, "a", 4), (1, "b", 2)]
