from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import polars as pl
import pytest

import rca_kit
from rca_kit.errors import BadInput
from rca_kit.findings.segments import Segments

START = datetime(2026, 3, 1)
BEFORE = (START, START + timedelta(hours=6))
AFTER = (START + timedelta(hours=6), START + timedelta(hours=8))


def leaf_table(seed=1, factor=5.0):
    rng = np.random.default_rng(seed)
    rows = [(d, c, v) for d in ("ios", "web", "tv") for c in ("AT", "DE", "FR", None) for v in (1, 2)]
    frame = pl.DataFrame(rows, schema={"device": pl.String, "country": pl.String, "version": pl.Int64}, orient="row")
    n0, n1 = rng.poisson(4000, len(rows)), rng.poisson(2000, len(rows))
    bad = (frame["device"] == "web").to_numpy() & (frame["version"] == 2).to_numpy()
    return frame.with_columns(n_before=n0, k_before=rng.binomial(n0, 0.03), n_after=n1,
                              k_after=rng.binomial(n1, np.where(bad, 0.03 * factor, 0.03)))


RATIO = {"actual": ("k_after", "n_after"), "expected": ("k_before", "n_before")}
DIMENSIONS = ["device", "country", "version"]


def request_log(rows=40_000, seed=2):
    rng = np.random.default_rng(seed)
    ts = rng.integers(0, 8 * 3600, rows)
    age = rng.uniform(15, 80, rows)
    device = rng.choice(["ios", "web", "tv"], rows)
    after = ts >= 6 * 3600
    hit = after & (age >= 28.0) & (age < 41.5) & (device == "ios")
    return pl.DataFrame({
        "ts": [START + timedelta(seconds=int(s)) for s in ts], "age": age, "device": device,
        "country": pl.Series(rng.choice(["AT", "DE"], rows)).set(pl.Series(rng.random(rows) < 0.1), None),
        "failed": rng.random(rows) < np.where(hit, 0.3, 0.03), "ms": rng.exponential(100, rows) + np.where(hit, 150, 0)})


@pytest.mark.parametrize("convert", [lambda t: t, lambda t: t.lazy(), lambda t: t.to_pandas(), lambda t: t.to_arrow()],
                         ids=["polars", "lazy", "pandas", "arrow"])
def test_leaf_table_of_any_kind(convert):
    found = rca_kit.localize(convert(leaf_table()), DIMENSIONS, **RATIO)
    assert [s.where for s in found] == [{"device": "web", "version": 2}]
    assert not found.is_global and found[0].q_value < 1e-6


def test_a_path_works(tmp_path):
    leaf_table().write_parquet(tmp_path / "t.parquet")
    assert [s.where for s in rca_kit.localize(tmp_path / "t.parquet", DIMENSIONS, **RATIO)] == [{"device": "web", "version": 2}]


def test_duckdb_relation_works():
    duckdb = pytest.importorskip("duckdb")
    relation = duckdb.from_arrow(leaf_table().to_arrow())
    assert [s.where for s in rca_kit.localize(relation, DIMENSIONS, **RATIO)] == [{"device": "web", "version": 2}]


def test_answer_is_a_list_a_frame_and_words():
    found = rca_kit.localize(leaf_table(), DIMENSIONS, **RATIO)
    assert isinstance(found, Segments) and len(found) == 1 and found[0] in found and list(found) == [found[0]]
    frame = found.frame()
    assert frame["found"].sum() == 1 and frame.height > 5
    assert "device = web and version = 2" in found.says() and "of the change" in repr(found)
    assert found.to_dict()["segments"][0]["where"] == {"device": "web", "version": 2}


def test_missing_value_is_a_segment():
    table = leaf_table(factor=1.0).with_columns(
        k_after=pl.when(pl.col("country").is_null()).then(pl.col("n_after") * 0.2).otherwise(pl.col("k_after")))
    assert [s.where for s in rca_kit.localize(table, DIMENSIONS, **RATIO)] == [{"country": None}]


def test_additive_totals_find_each_segment():
    rng = np.random.default_rng(5)
    codes = np.indices((10, 8, 6)).reshape(3, -1).T
    value = rng.weibull(0.7, len(codes)) * 100
    table = pl.DataFrame({c: [f"{c}{v}" for v in codes[:, i]] for i, c in enumerate("abc")})
    hit = (codes[:, 0] == 3) | ((codes[:, 1] == 5) & (codes[:, 2] == 1))
    table = table.with_columns(real=value * (1 + rng.normal(0, 0.05, len(codes))) * np.where(hit, 0.6, 1.0), predict=value)
    found = rca_kit.localize(table, ["a", "b", "c"], actual="real", expected="predict")
    assert {tuple(s.where.items()) for s in found} == {(("a", "a3"),), (("b", "b5"), ("c", "c1"))}


def test_splitting_leaves_does_not_matter():
    table = leaf_table().with_columns(pl.col("k_before", "n_before", "k_after", "n_after").cast(pl.Float64))
    measures = pl.col("k_before", "n_before", "k_after", "n_after")
    halves = pl.concat([table.with_columns(measures * share) for share in (0.25, 0.75)])
    plain, split = (rca_kit.localize(t, DIMENSIONS, max_depth=3, **RATIO) for t in (table, halves))
    assert [s.where for s in plain] == [s.where for s in split]
    assert plain[0].score == pytest.approx(split[0].score)


def test_order_of_rows_and_dimensions_does_not_matter():
    table = leaf_table()
    other = table.sample(fraction=1.0, shuffle=True, seed=3).select(reversed(table.columns))
    a = rca_kit.localize(table, DIMENSIONS, **RATIO)
    b = rca_kit.localize(other, DIMENSIONS[::-1], **RATIO)
    assert a.to_dict() == b.to_dict()


def test_log_with_windows_finds_a_range_joined_from_bins():
    found = rca_kit.localize(request_log(), ["age", "device", "country"], actual="failed", time="ts", windows=(BEFORE, AFTER))
    assert len(found) == 1 and set(found[0].where) == {"age", "device"} and found[0].where["device"] == "ios"
    low, high = found[0].where["age"]["ge"], found[0].where["age"]["lt"]
    assert low == pytest.approx(28, abs=7) and high == pytest.approx(41.5, abs=7)
    assert found.max_depth == 3


def test_log_mean():
    found = rca_kit.localize(request_log(), ["device", "country"], actual="ms", time="ts", windows=(BEFORE, AFTER))
    assert [s.where for s in found] == [{"device": "ios"}]


def test_values_joined_on_request():
    table = leaf_table(factor=1.0).with_columns(
        k_after=pl.when(pl.col("country").is_in(["AT", "FR"])).then(pl.col("n_after") * 0.15).otherwise(pl.col("k_after")))
    found = rca_kit.localize(table, DIMENSIONS, merge=True, **RATIO)
    assert [s.where for s in found] == [{"country": ["AT", "FR"]}]


def test_everything_alike_is_global():
    table = leaf_table(factor=1.0).with_columns(k_after=pl.col("k_after") * 3)
    found = rca_kit.localize(table, DIMENSIONS, **RATIO)
    assert not found and found.is_global and "alike" in found.says()


def test_quiet_tables_stay_quiet():
    reports = sum(bool(rca_kit.localize(leaf_table(seed, 1.0), DIMENSIONS, resamples=0, **RATIO)) for seed in range(60))
    assert reports <= 2


def test_a_rise_comes_before_a_larger_fall():
    fell = (pl.col("country") == "FR") & (pl.col("device") == "tv")
    table = leaf_table(factor=3.0).with_columns(
        k_before=pl.when(fell).then(pl.col("n_before") * 0.5).otherwise(pl.col("k_before")),
        k_after=pl.when(fell).then(pl.col("n_after") * 0.1).otherwise(pl.col("k_after")))
    assert [s.where for s in rca_kit.localize(table, DIMENSIONS, **RATIO)] == [{"device": "web", "version": 2}]
    fallen = rca_kit.localize(table, DIMENSIONS, direction="decrease", **RATIO)
    assert [s.where for s in fallen] == [{"country": "FR", "device": "tv"}]


def test_dimensions_default_to_all_other_columns():
    assert [s.where for s in rca_kit.localize(leaf_table(), **RATIO)] == [{"device": "web", "version": 2}]


def test_wrong_calls_are_explained():
    table = leaf_table()
    with pytest.raises(BadInput, match="did you mean `k_after`"):
        rca_kit.localize(table, DIMENSIONS, actual=("k_aftr", "n_after"), expected=("k_before", "n_before"))
    with pytest.raises(BadInput, match="same number"):
        rca_kit.localize(table, DIMENSIONS, actual=("k_after", "n_after"), expected="k_before")
    with pytest.raises(BadInput, match="not numeric"):
        rca_kit.localize(table, ["version"], actual="device", expected="k_before")
    with pytest.raises(BadInput, match="both dimension and measure"):
        rca_kit.localize(table, ["device", "k_after"], **RATIO)
    with pytest.raises(BadInput, match="no table"):
        rca_kit.localize(17, DIMENSIONS, **RATIO)


def test_odd_column_names_and_empty_table():
    table = leaf_table().rename({"device": "Gerät (Typ).x", "k_after": "k after"})
    found = rca_kit.localize(table, ["Gerät (Typ).x", "country", "version"], actual=("k after", "n_after"),
                             expected=("k_before", "n_before"))
    assert [s.where for s in found] == [{"Gerät (Typ).x": "web", "version": 2}]
    assert not rca_kit.localize(table.clear(), ["country"], actual="k after", expected="k_before")


def test_pandas_nan_and_object_columns():
    frame = pd.DataFrame({"d": ["x", "x", "y", "y", np.nan, np.nan], "e": ["p", "q"] * 3, "k1": [10, 11, 90, 95, 9, 10],
                          "n1": [1000] * 6, "k0": [10, 9, 11, 10, 10, 11], "n0": [1000] * 6})
    assert [s.where for s in rca_kit.localize(frame, ["d", "e"], actual=("k1", "n1"), expected=("k0", "n0"))] == [{"d": "y"}]


def test_swapped_counts_are_refused():
    table = pl.DataFrame({"d": ["x", "y"], "k0": [1.0, 2.0], "n0": [10.0, 10.0], "k1": [3.0, 2.0], "n1": [10.0, 10.0]})
    with pytest.raises(BadInput, match="more events than requests"):
        rca_kit.localize(table, ["d"], actual=("n1", "k1"), expected=("n0", "k0"))


def wide_log(rows=60_000, seed=4):
    """Requests of 3,000 merchants, of which forty make half; the device fails for one of the large and for the tail."""
    rng = np.random.default_rng(seed)
    large = rng.random(rows) < 0.5
    merchant = np.where(large, rng.integers(0, 40, rows), rng.integers(40, 3000, rows))
    after = rng.integers(0, 8 * 3600, rows)
    return pl.DataFrame({
        "ts": [START + timedelta(seconds=int(s)) for s in after], "merchant": pl.Series(merchant).cast(pl.String),
        "device": rng.choice(["ios", "web"], rows), "late": after >= 6 * 3600, "u": rng.random(rows)})


@pytest.mark.parametrize(("hurt", "expected"), [(pl.col("merchant") == "7", {"merchant": "7"}),
                                                (pl.col("device") == "web", {"device": "web"})])
def test_a_column_of_thousands_of_values_is_told_by_its_frequent_ones(hurt, expected):
    log = wide_log().with_columns(failed=pl.col("u") < pl.when(hurt & pl.col("late")).then(0.3).otherwise(0.03))
    found = rca_kit.localize(log, ["merchant", "device"], actual="failed", time="ts", windows=(BEFORE, AFTER))
    assert [s.where for s in found] == [expected]


def test_a_child_is_named_only_when_it_beats_its_parent():
    """All of web fails alike: its versions and countries are no segments of their own."""
    rng = np.random.default_rng(6)
    table = leaf_table(factor=1.0)
    rate = pl.when(pl.col("device") == "web").then(0.12).otherwise(0.03)
    hit = table.select(rate=rate)["rate"].to_numpy()
    alike = table.with_columns(k_after=rng.binomial(table["n_after"].to_numpy(), hit))
    assert [s.where for s in rca_kit.localize(alike, DIMENSIONS, **RATIO)] == [{"device": "web"}]
    # and where one version alone carries it, the child is named and not the parent
    assert [s.where for s in rca_kit.localize(leaf_table(), DIMENSIONS, **RATIO)] == [{"device": "web", "version": 2}]


def test_a_segment_is_told_in_full():
    (s,) = rca_kit.localize(leaf_table(), DIMENSIONS, **RATIO)
    assert s.share_of_traffic == pytest.approx(1 / 6, abs=0.02)
    assert s.share_of_impact > 0.9
    assert s.before == pytest.approx(0.03, abs=0.006)
    assert s.after == pytest.approx(0.15, abs=0.012)
    assert s.change_interval[0] < s.after - s.before < s.change_interval[1]
    assert s.change_interval[0] > 0.1
    assert s.stability == pytest.approx(1.0, abs=0.1)
