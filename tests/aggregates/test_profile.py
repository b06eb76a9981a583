"""Profiles: right against brute force, alike on every engine, mergeable, and kept whole by a file."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta

import narwhals as nw
import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rca_kit.aggregates.profile import TableProfile, season_grain
from rca_kit.aggregates.profile_file import is_profile
from rca_kit.aggregates.profile_grid import CELLS, DAY, BlockPlan, NumberGrid
from rca_kit.aggregates.profile_parts import NAMED, OTHER, Distinct
from rca_kit.aggregates.profile_scan import find_time, scan_profile
from rca_kit.errors import BadInput
from rca_kit.sources.frames import to_lazy

N = 3000


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    rng = np.random.default_rng(0)
    seconds = np.sort(rng.integers(0, 2 * 86400, N))
    code = rng.integers(0, 9, N)
    return pl.DataFrame({
        "ts": [datetime(2026, 3, 1, tzinfo=UTC) + timedelta(seconds=int(s)) for s in seconds],
        "amount": rng.lognormal(0, 1, N), "code": code, "device": rng.choice(["iOS", "android", "web"], N),
        "vip": rng.random(N) < 0.2,
    }).with_columns(
        amount=pl.when(pl.col("code") == 3).then(None).otherwise(pl.col("amount")),
        device=pl.when(pl.col("code") == 5).then(None).otherwise(pl.col("device")),
        ts=pl.col("ts").dt.replace_time_zone(None),
    ).with_columns(priced_at=pl.col("ts") - pl.duration(seconds=pl.col("code") * 60))


def as_engine(table: pl.DataFrame, engine: str, tmp_path):
    if engine == "polars":
        return table
    if engine == "lazy":
        return table.lazy()
    if engine == "pandas":
        return table.to_pandas()
    if engine == "pyarrow":
        return table.to_arrow()
    if engine == "parquet":
        table[:1000].write_parquet(tmp_path / "p1.parquet")
        table[1000:].write_parquet(tmp_path / "p2.parquet")
        return [str(tmp_path / "p1.parquet"), str(tmp_path / "p2.parquet")]
    duckdb = pytest.importorskip("duckdb")
    return duckdb.sql("select * from table_")


@pytest.mark.parametrize("engine", ["polars", "lazy", "pandas", "pyarrow", "parquet", "duckdb"])
def test_every_engine_gives_the_same_profile(table, engine, tmp_path):
    expected = scan_profile(to_lazy(table))
    table_ = table  # noqa: F841  DuckDB finds it by name
    if engine == "duckdb":
        duckdb = pytest.importorskip("duckdb")
        given_table = duckdb.sql("select * from table_")
    else:
        given_table = as_engine(table, engine, tmp_path)
    found = scan_profile(to_lazy(given_table), like=expected)
    assert found.names == expected.names
    assert found.rows == N
    assert found.blocks == expected.blocks
    assert np.array_equal(found.block_rows, expected.block_rows)
    for name in expected.names:
        a, b = expected[name], found[name]
        assert np.array_equal(a.counts, b.counts), name
        assert np.array_equal(a.missing, b.missing), name
        assert (a.kind, a.labels, a.minimum, a.maximum, a.nan, a.infinite) == (b.kind, b.labels, b.minimum, b.maximum, b.nan,
                                                                                b.infinite), name
        assert b.total == pytest.approx(a.total, rel=1e-9, abs=1e-6)
        assert b.squares == pytest.approx(a.squares, rel=1e-9)


def test_sums_against_brute_force(table):
    found = scan_profile(to_lazy(table))["amount"]
    x = table["amount"].drop_nulls().to_numpy()
    assert found.missing.sum() == table["amount"].null_count()
    assert found.finite == len(x)
    assert found.total + found.finite * found.grid.center == pytest.approx(x.sum())
    assert found.squares == pytest.approx(((x - found.grid.center) ** 2).sum())
    assert (found.minimum, found.maximum) == (x.min(), x.max())
    assert found.repeats == (x[1:] == x[:-1]).sum()
    assert found.falls == (x[1:] < x[:-1]).sum()
    cells = np.bincount(np.searchsorted(found.grid.edges(), x, side="right"), minlength=CELLS)
    assert np.abs(cells - found.counts.sum(0)).sum() <= 2  # a value on an edge may round either way


def test_nan_and_infinity_are_told_apart_from_nulls():
    frame = pl.DataFrame({"x": [1.0, None, float("nan"), float("inf"), -float("inf"), 2.0]})
    found = scan_profile(to_lazy(frame))["x"]
    assert (found.missing.sum(), found.nan, found.infinite, found.finite) == (2, 1, 2, 2)
    assert (found.minimum, found.maximum) == (1.0, 2.0)
    assert found.counts.sum() == 4


def test_grid_covers_everything_without_gaps():
    grid = NumberGrid(10.0, 2.0)
    edges = grid.edges()
    assert len(edges) == CELLS - 1
    assert (np.diff(edges) > 0).all()
    x = np.concatenate([np.linspace(-1e9, 1e9, 1001), np.linspace(0, 20, 2001)])
    assert np.mean(grid.cell(x) != np.searchsorted(edges, x, side="right")) < 0.002
    assert NumberGrid.of(np.array([np.nan, np.inf])).scale == 1.0
    assert NumberGrid.of(np.full(10, 7.0)).scale > 0


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_merge_laws(data):
    rows = data.draw(st.integers(30, 200))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    seconds = np.sort(rng.integers(0, 86400, rows)).astype("int64") * 1_000_000
    frame = pl.DataFrame({"t": pl.Series(seconds).cast(pl.Datetime("us")), "x": rng.normal(size=rows),
                          "k": rng.integers(0, 5, rows), "c": rng.choice(["a", "b", "c"], rows)})
    whole = scan_profile(nw.from_native(frame.lazy()))
    cut = sorted(data.draw(st.lists(st.integers(5, rows - 5), min_size=2, max_size=2)))
    assume(cut[0] < cut[1])
    pieces = (frame[: cut[0]], frame[cut[0] : cut[1]], frame[cut[1] :])
    a, b, c = (scan_profile(nw.from_native(f.lazy()), like=whole) for f in pieces)
    same(a.merge(b).merge(c), a.merge(b.merge(c)))
    same(a.merge(b), b.merge(a))
    same(a.merge(b).merge(c), whole, seams=True)


def same(left: TableProfile, right: TableProfile, *, seams: bool = False) -> None:
    assert (left.rows, left.blocks) == (right.rows, right.blocks)
    assert (left.first_time, left.last_time) == (right.first_time, right.last_time)
    for x, y in zip(left.columns, right.columns, strict=True):
        assert np.array_equal(x.counts, y.counts)
        assert np.array_equal(x.missing, y.missing)
        assert x.total == pytest.approx(y.total, abs=1e-9)
        assert x.squares == pytest.approx(y.squares)
        assert x.distinct_count == y.distinct_count
        assert (x.labels, x.minimum, x.maximum, x.finite) == (y.labels, y.minimum, y.maximum, y.finite)
        assert x.pairs == pytest.approx(y.pairs, abs=3 if seams else 0)


def test_profiles_of_other_plans_do_not_merge(table):
    a, b = scan_profile(to_lazy(table)), scan_profile(to_lazy(table.with_columns(amount=pl.col("amount") * 7)))
    with pytest.raises(BadInput, match="different plans"):
        a.merge(b)
    with pytest.raises(BadInput, match="different plans"):
        a.merge(replace(b, columns=b.columns[:2]))


def test_a_file_keeps_everything(table, tmp_path):
    profile = scan_profile(to_lazy(table))
    path = profile.save(tmp_path / "before.profile")
    assert is_profile(path)
    again = TableProfile.load(path)
    same(profile, again)
    for a, b in zip(profile.columns, again.columns, strict=True):
        for f in fields(a):
            if f.name not in ("counts", "missing", "distinct"):
                assert getattr(a, f.name) == getattr(b, f.name)
    (tmp_path / "broken.profile").write_bytes(path.read_bytes()[:200])
    assert not is_profile(tmp_path / "broken.profile")
    for name in ("broken.profile", "nothing.profile"):
        with pytest.raises(BadInput):
            TableProfile.load(tmp_path / name)
    with pytest.raises(BadInput, match="cannot write"):
        profile.save(tmp_path / "no" / "where.profile")


def test_many_and_too_many_categories():
    rng = np.random.default_rng(1)
    ids = pl.DataFrame({"id": [f"u{i}" for i in rng.integers(0, 10**9, 20_000)],
                        "city": [f"c{i}" for i in rng.zipf(1.3, 20_000) % 5000]})
    found = scan_profile(to_lazy(ids))
    assert found["id"].labels == (OTHER,)
    assert found["id"].distinct_count == pytest.approx(20_000, rel=0.05)
    assert len(found["city"].labels) == NAMED + 1
    assert found["city"].rows == 20_000


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 60_000), st.integers(0, 5))
def test_distinct_is_close_and_does_not_depend_on_the_order(count, seed):
    rng = np.random.default_rng(seed)
    hashes = rng.integers(0, 2**64, count, dtype=np.uint64)
    one, two = Distinct(), Distinct()
    one.add(np.concatenate([hashes, hashes[: count // 2]]))
    two.add(hashes[::-1].copy())
    assert one.count == pytest.approx(count, rel=0.1)
    assert one.merge(two).count == two.merge(one).count
    if count > 100:
        assert one.repeated == pytest.approx(1 / 3, abs=0.06)
        assert two.repeated == 0


def test_time_axis_and_blocks():
    t = nw.Datetime("us")
    assert find_time({"a": nw.Int64(), "ts": t, "labelled_at": t}, None) == "ts"
    assert find_time({"a": t, "b": t}, None) is None
    assert find_time({"when_it_was": t}, None) == "when_it_was"
    with pytest.raises(BadInput, match="missing"):
        find_time({"a": t}, "b")
    week, day = BlockPlan.of_time("t", 0, 7 * DAY - 1), BlockPlan.of_time("t", 7 * DAY, 8 * DAY - 1)
    assert DAY % week.width == 0
    assert week.count <= 200
    assert season_grain(week, day) == (3_600_000_000, False)
    assert season_grain(BlockPlan.of_rows(100), day) is None
    assert season_grain(BlockPlan.of_time("t", 0, 21 * DAY), day)[1]
    rows = BlockPlan.of_rows(2000)
    assert rows.block(np.array([0, 1999])).tolist() == [0, rows.count - 1]


def test_unsorted_rows_give_the_same_blocks(table):
    shuffled = table.sample(fraction=1.0, shuffle=True, seed=1)
    plan = scan_profile(to_lazy(table))
    found = scan_profile(to_lazy(shuffled), like=plan)
    assert np.array_equal(found["amount"].counts, plan["amount"].counts)


def test_numbers_and_dates_as_times(table):
    for how in (pl.col("ts").dt.epoch("s"), pl.col("ts").dt.epoch("ms"), pl.col("ts").dt.to_string("%Y-%m-%dT%H:%M:%SZ")):
        found = scan_profile(to_lazy(table.with_columns(ts=how)), time="ts")
        assert found.first_time == int(table["ts"].min().replace(tzinfo=UTC).timestamp()) * 1_000_000
    gaps = table.with_columns(ts=pl.when(pl.col("code") == 1).then(None).otherwise(pl.col("ts")))
    assert scan_profile(to_lazy(gaps))["ts"].missing.sum() == (table["code"] == 1).sum()


def test_empty_and_odd_tables():
    empty = scan_profile(to_lazy(pl.DataFrame({"a": [], "b": []}, schema={"a": pl.Float64, "b": pl.String})))
    assert empty.rows == 0
    odd = pl.DataFrame({"l": [[1], None], "n": [None, None], "d": [b"x", None]})
    found = scan_profile(to_lazy(odd))
    assert found["l"].missing.sum() == 1
    assert found["n"].missing.sum() == 2
    with pytest.raises(BadInput, match="missing"):
        scan_profile(to_lazy(odd), ["nope"])
