from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pytest

from rca_kit.aggregates import coding, leaves
from rca_kit.errors import BadInput
from rca_kit.sources import to_lazy

START = datetime(2026, 3, 1)
WINDOWS = ((START, START + timedelta(hours=2)), (START + timedelta(hours=3), START + timedelta(hours=4)))


def log(rows=3000, seed=0):
    rng = np.random.default_rng(seed)
    return pl.DataFrame({
        "ts": [START + timedelta(seconds=int(s)) for s in rng.integers(0, 5 * 3600, rows)],
        "device": pl.Series(rng.choice(["ios", "web", "tv"], rows)).set(pl.Series(rng.random(rows) < 0.05), None),
        "vip": rng.random(rows) < 0.3,
        "age": pl.Series(rng.normal(40, 12, rows)).set(pl.Series(rng.random(rows) < 0.02), None),
        "level": rng.integers(1, 4, rows),
        "failed": rng.random(rows) < 0.1,
        "ms": pl.Series(rng.exponential(100, rows)).set(pl.Series(rng.random(rows) < 0.1), None),
    })


def duck(frame):
    import duckdb

    return duckdb.from_arrow(frame.to_arrow())


ENGINES = {"polars": lambda f: f, "lazy": lambda f: f.lazy(), "pandas": lambda f: f.to_pandas(), "arrow": lambda f: f.to_arrow(),
           "duckdb": duck}


def as_table(cells):
    """Leaves as a dict from conditions to sums, so that engines can be compared."""
    out = {}
    for i, row in enumerate(cells.codes):
        key = tuple(str(cells.values[d][c]) for d, c in enumerate(row))
        out[key] = {name: round(float(v[i]), 6) for name, v in cells.sums.items()}
    return out


@pytest.mark.parametrize("engine", list(ENGINES))
def test_every_engine_gives_the_same_leaves(engine):
    frame = log()
    got = leaves.leaves(to_lazy(ENGINES[engine](frame)), ["device", "vip", "level"], measures={"failed": "failed", "ms": "ms"},
                        time="ts", windows=WINDOWS, squares=True)
    before = frame.filter((pl.col("ts") >= WINDOWS[0][0]) & (pl.col("ts") < WINDOWS[0][1]))
    after = frame.filter((pl.col("ts") >= WINDOWS[1][0]) & (pl.col("ts") < WINDOWS[1][1]))
    assert got.rows == before.height + after.height
    assert got.sums["failed_before"].sum() == before["failed"].sum()
    assert got.sums["failed_n_after"].sum() == after.height
    assert got.sums["ms_n_before"].sum() == before["ms"].count()
    assert got.sums["ms_sq_after"].sum() == pytest.approx((after["ms"] ** 2).sum())
    reference = leaves.leaves(nw.from_native(frame.lazy()), ["device", "vip", "level"], time="ts", windows=WINDOWS, squares=True,
                              measures={"failed": "failed", "ms": "ms"})
    table, other = as_table(got), as_table(reference)
    assert table.keys() == other.keys()
    for key in table:
        assert table[key] == pytest.approx(other[key], rel=1e-6, abs=1e-6)


def test_packed_and_plain_group_by_agree(monkeypatch):
    frame = nw.from_native(log().lazy())
    measures = {"failed": "failed", "n": nw.lit(1)}
    packed = leaves.leaves(frame, ["device", "age", "vip"], measures=measures)
    monkeypatch.setattr(leaves, "can_pack", lambda codings: False)
    plain = leaves.leaves(frame, ["device", "age", "vip"], measures=measures)
    assert as_table(packed) == as_table(plain)


def test_missing_is_a_value_and_comes_last():
    cells = leaves.leaves(nw.from_native(log().lazy()), ["device"], measures={"failed": "failed"})
    assert cells.values == (("ios", "tv", "web", None),)
    assert cells.cardinalities == (4,)


def test_numbers_are_cut_into_ranges_that_hold_all_rows():
    frame = log()
    cells = leaves.leaves(nw.from_native(frame.lazy()), ["age"], measures={"n": nw.lit(1)})
    assert cells.ordered == (True,)
    ranges = cells.values[0]
    assert ranges[0].keys() == {"lt"} and ranges[-2].keys() == {"ge"} and ranges[-1] is None
    for i, r in enumerate(ranges[:-1]):
        inside = frame.filter((pl.col("age") >= r.get("ge", -1e9)) & (pl.col("age") < r.get("lt", 1e9))).height
        assert cells.sums["n"][cells.codes[:, 0] == i].sum() == inside
    assert all(a["lt"] == b["ge"] for a, b in pairwise(ranges[:-1]))


def test_many_values_keep_the_frequent_ones_and_fold_the_rest():
    frame = pl.DataFrame({"user": ["big"] * 50 + [f"u{i}" for i in range(200)], "k": 1})
    cells = leaves.leaves(nw.from_native(frame.lazy()), ["user"], measures={"k": "k"}, top=5)
    assert len(cells.values[0]) == 6 and "big" in cells.values[0] and leaves.OTHER in cells.values[0]
    assert cells.sums["k"].sum() == 250


def test_nan_is_missing_and_does_not_spoil_sums():
    frame = pl.DataFrame({"x": [1.0, float("nan"), None, 1.0], "k": [1.0, 2.0, 4.0, float("nan")]})
    cells = leaves.leaves(nw.from_native(frame.lazy()), ["x"], measures={"k": "k"})
    assert cells.values == ((1.0, None),)
    assert np.isfinite(cells.sums["k"]).all()


def test_large_tables_see_values_that_only_come_late(monkeypatch):
    monkeypatch.setattr(coding, "SAMPLE_ROWS", 100)
    frame = pl.DataFrame({"v": ["old"] * 5000 + ["new"] * 3, "x": np.arange(5003.0)})
    cells = leaves.leaves(nw.from_native(frame.lazy()), ["v", "x"], measures={"n": nw.lit(1)})
    assert set(cells.values[0]) == {"old", "new"}
    assert cells.sums["n"].sum() == 5003


def test_order_of_rows_does_not_matter():
    frame = log()
    shuffled = frame.sample(fraction=1.0, shuffle=True, seed=1)
    a, b = (leaves.leaves(nw.from_native(f.lazy()), ["device", "vip"], measures={"failed": "failed"}) for f in (frame, shuffled))
    assert (a.codes == b.codes).all() and (a.sums["failed"] == b.sums["failed"]).all()


def test_no_dimension_and_no_rows_answer():
    frame = log()
    alone = leaves.leaves(nw.from_native(frame.lazy()), [], measures={"failed": "failed"})
    assert alone.sums["failed"].tolist() == [frame["failed"].sum()]
    empty = leaves.leaves(nw.from_native(frame.clear().lazy()), ["device"], measures={"failed": "failed"})
    assert len(empty.codes) == 0 and empty.rows == 0


def test_missing_columns_are_named():
    with pytest.raises(BadInput, match="did you mean `device`"):
        leaves.leaves(nw.from_native(log().lazy()), ["devise"], measures={"failed": "failed"})
    with pytest.raises(BadInput, match="time"):
        leaves.leaves(nw.from_native(log().lazy()), ["device"], measures={"failed": "failed"}, windows=WINDOWS)


def test_times_with_zone_work():
    frame = log().with_columns(pl.col("ts").dt.replace_time_zone("UTC"))
    windows = tuple(tuple(t.replace(tzinfo=UTC) for t in w) for w in WINDOWS)
    assert leaves.leaves(nw.from_native(frame.lazy()), ["device"], measures={"f": "failed"}, time="ts", windows=windows).rows > 0


def test_pandas_categories_and_integers_keep_their_values():
    frame = pd.DataFrame({"c": pd.Categorical(["b", "a", "b"]), "i": [3, 1, 3], "k": [1, 1, 1]})
    cells = leaves.leaves(to_lazy(frame), ["c", "i"], measures={"k": "k"})
    assert cells.values == (("a", "b"), (1, 3))
