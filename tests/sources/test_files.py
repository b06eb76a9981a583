"""The same rows come out of every format, part and kind of frame."""

from __future__ import annotations

import gzip
from pathlib import Path

import duckdb
import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

from rca_kit.errors import BadInput, MissingExtra
from rca_kit.sources import files as files_module
from rca_kit.sources import kind_of, open_case, to_lazy
from rca_kit.sources import open as open_module
from rca_kit.sources.files import find, scan

FRAME = pl.DataFrame({"id": [1, 2, 3], "größe": [0.5, None, -1.25], "text": ["a,b", 'c"d', "NA"], "flag": [True, False, None]})


def save(frame: pl.DataFrame, path: Path) -> Path:
    kind = path.name.split(".", 1)[1]
    if kind == "parquet":
        frame.write_parquet(path)
    elif kind == "arrow":
        frame.write_ipc(path)
    else:
        plain = frame.write_csv() if "csv" in kind else frame.write_ndjson()
        path.write_bytes(gzip.compress(plain.encode()) if kind.endswith("gz") else plain.encode())
    return path


ALL = ["parquet", "arrow", "csv", "csv.gz", "jsonl", "jsonl.gz"]


@pytest.mark.parametrize("kind", ALL)
def test_every_format_gives_the_same_rows(kind, tmp_path):
    save(FRAME, tmp_path / f"t.{kind}")
    assert_frame_equal(scan(tmp_path, (f"t.{kind}",)).frame.collect(), FRAME)


@pytest.mark.parametrize("kind", ALL)
def test_columns_come_in_the_order_of_the_file(kind, tmp_path):
    wide = pl.DataFrame({f"c{(7 * i) % 40}": [i, i] for i in range(40)})
    save(wide, tmp_path / f"t.{kind}")
    assert scan(tmp_path, (f"t.{kind}",)).frame.collect_schema().names() == wide.columns


def test_keys_that_come_late_stand_last(tmp_path):
    lines = ['{"b": 1, "a": 2}', *['{"b": 1, "a": 2}'] * 400, '{"z": 1, "d": 3, "b": 1, "a": 2}']
    (tmp_path / "t.jsonl").write_text("\n".join(lines), encoding="utf-8")
    assert scan(tmp_path, ("t.jsonl",)).frame.collect_schema().names() == ["b", "a", "d", "z"]


@pytest.mark.parametrize("kind", ALL)
def test_parts_come_in_order(kind, tmp_path):
    for i in range(3):
        save(FRAME.slice(i, 1), tmp_path / f"part-{i}.{kind}")
    whole = scan(tmp_path, ("part-*." + kind,))
    assert whole.frame.collect()["id"].to_list() == [1, 2, 3]
    assert [f.name for f in whole.files] == [f"part-{i}.{kind}" for i in range(3)]


def test_a_folder_and_a_list_of_paths(tmp_path):
    (tmp_path / "log").mkdir()
    for i in range(2):
        save(FRAME, tmp_path / "log" / f"{i}.parquet")
    assert scan(tmp_path, ("log",)).frame.collect().height == 6
    assert scan(tmp_path, ("log/1.parquet", "log/0.parquet", "log/*.parquet")).frame.collect().height == 6


def test_a_name_with_glob_signs_is_taken_as_it_is(tmp_path):
    save(FRAME, tmp_path / "log [old].parquet")
    assert len(find(tmp_path, ("log [old].parquet",))) == 1


@pytest.mark.parametrize("kind", ["csv", "csv.gz", "jsonl"])
def test_large_text_is_turned_into_parquet_once(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(files_module, "EAGER_TEXT_BYTES", 10)
    monkeypatch.setattr(files_module, "INFER_ROWS", 5)
    many = pl.DataFrame({"n": [*map(str, range(50)), "late word"], "x": [i / 2 for i in range(51)]})
    save(many, tmp_path / f"t.{kind}")
    assert_frame_equal(scan(tmp_path, (f"t.{kind}",)).frame.collect(), many)


def test_widened_numbers_keep_their_values(tmp_path):
    save(pl.DataFrame({"n": [1, 2]}), tmp_path / "a.parquet")
    save(pl.DataFrame({"n": [2.5, None]}), tmp_path / "b.parquet")
    whole = scan(tmp_path, ("*.parquet",))
    assert whole.frame.collect()["n"].to_list() == [1.0, 2.0, 2.5, None]
    assert "widened" in whole.warnings[0]


def kinds() -> dict[str, object]:
    frame = pl.DataFrame({"a": [1.0, None, 3.0], "b": ["x", "y", None]})
    return {
        "polars": frame,
        "polars lazy": frame.lazy(),
        "pandas": pd.DataFrame({"a": [1.0, np.nan, 3.0], "b": ["x", "y", None]}),
        "pyarrow": frame.to_arrow(),
        "duckdb": duckdb.from_arrow(frame.to_arrow()),
        "narwhals": nw.from_native(frame),
    }


@pytest.mark.parametrize("name", ["polars", "polars lazy", "pandas", "pyarrow", "duckdb", "narwhals", "path"])
def test_any_table_becomes_the_same_lazy_frame(name, tmp_path):
    table = (
        save(pl.DataFrame({"a": [1.0, None, 3.0], "b": ["x", "y", None]}), tmp_path / "t.parquet")
        if name == "path"
        else kinds()[name]
    )
    lazy = to_lazy(table)
    assert isinstance(lazy, nw.LazyFrame)
    got = lazy.with_columns(nw.col("a") * 2).collect(backend="polars").to_polars()
    assert got["a"].to_list() == [2.0, None, 6.0] and got["b"].to_list() == ["x", "y", None]


@pytest.mark.parametrize(
    ("name", "library", "kind"),
    [
        ("polars", "polars", pl.DataFrame),
        ("pandas", "pandas", pd.DataFrame),
        ("pyarrow", "pyarrow", pa.Table),
        ("duckdb", "duckdb", pl.DataFrame),
    ],
)
def test_results_go_back_in_kind(name, library, kind):
    remembered = kind_of(kinds()[name])
    assert remembered.package == library
    assert isinstance(remembered.give_back(pl.DataFrame({"z": [1]})), kind)


def test_pandas_with_mixed_objects_and_numbered_columns():
    table = pd.DataFrame({0: ["a", 1, None], "t": pd.to_datetime(["2026-03-01", None, "2026-03-02"])})
    got = to_lazy(table).collect().to_polars()
    assert got["0"].to_list() == ["a", "1", None] and got["t"].null_count() == 1


@pytest.mark.parametrize("bad", [42, {"a": [1]}, object(), None])
def test_what_is_no_table(bad):
    with pytest.raises(BadInput, match="no table"):
        to_lazy(bad)


def test_duplicate_names_in_pandas():
    with pytest.raises(BadInput):
        to_lazy(pd.DataFrame([[1, 2]], columns=["a", "a"]))


def case(folder: Path) -> Path:
    rng = np.random.default_rng(1)
    n = 500
    score = rng.random(n)
    pl.DataFrame(
        {
            "ts": pl.datetime_range(pl.datetime(2026, 3, 1), pl.datetime(2026, 3, 1, 8, 19), "1m", eager=True),
            "score": score,
            "label": (rng.random(n) < score).astype(int),
            "país": rng.choice(["a", "b"], n),
        }
    ).write_parquet(folder / "p.parquet")
    (folder / "incident.yaml").write_text(
        "id: T\ntitle: t\ndetected_at: 2026-03-01T08:00:00Z\ntables: {predictions: p.parquet}\n"
    )
    return folder


def test_duckdb_gives_the_same_rows_as_polars(tmp_path):
    case(tmp_path)
    frames = {e: open_case(tmp_path, engine=e) for e in ("polars", "duckdb")}
    rows = {e: oc.predictions.collect(backend="polars").to_polars().sort("ts") for e, oc in frames.items()}
    assert frames["duckdb"].roles == frames["polars"].roles
    schema = frames["duckdb"].predictions.collect_schema()
    assert schema["ts"] == nw.Datetime("us", "UTC")
    assert_frame_equal(rows["duckdb"], rows["polars"])


def test_duckdb_reads_the_same_from_text(tmp_path):
    case(tmp_path)
    pl.read_parquet(tmp_path / "p.parquet").write_csv(tmp_path / "p.csv")
    (tmp_path / "incident.yaml").write_text("id: T\ntitle: t\ndetected_at: 2026-03-01T08:00:00Z\ntables: {predictions: p.csv}\n")
    frames = {e: open_case(tmp_path, engine=e).predictions for e in ("polars", "duckdb")}
    rows = {e: f.collect(backend="polars").to_polars().sort("ts") for e, f in frames.items()}
    assert_frame_equal(rows["duckdb"], rows["polars"])


def test_a_table_of_a_duckdb_file(tmp_path):
    case(tmp_path)
    with duckdb.connect(str(tmp_path / "log.duckdb")) as connection:
        connection.execute(f"CREATE TABLE served AS SELECT * FROM read_parquet('{tmp_path / 'p.parquet'}')")
    text = "id: T\ntitle: t\ndetected_at: 2026-03-01T08:00:00Z\ntables: {predictions: {duckdb: log.duckdb, table: NAME}}\n"
    (tmp_path / "incident.yaml").write_text(text.replace("NAME", "served"))
    assert open_case(tmp_path).row_count == 500
    (tmp_path / "incident.yaml").write_text(text.replace("NAME", "serve"))
    with pytest.raises(BadInput, match="did you mean `served`"):
        open_case(tmp_path)


def test_spark_is_an_extra(tmp_path):
    try:
        import pyspark  # noqa: F401
    except ImportError:
        with pytest.raises(MissingExtra, match="pyspark"):
            open_case(case(tmp_path), engine="spark")


def test_a_time_of_zero_is_a_missing_time(tmp_path):
    case(tmp_path)
    zone = pl.Datetime("us", "UTC")
    odd = pl.read_parquet(tmp_path / "p.parquet").with_columns(
        ts=pl.when(pl.int_range(500) % 250 == 0).then(pl.lit(0).cast(zone)).otherwise(pl.col("ts").dt.replace_time_zone("UTC")))
    odd.write_parquet(tmp_path / "p.parquet")
    opened = open_case(tmp_path)
    assert opened.time_range[0].year == 2026 and opened.row_count == 498
    assert any("2 of 500 rows have no readable time" in w for w in opened.warnings)


@pytest.mark.parametrize(
    ("good", "bad"), [(200, 503), (False, True), (0, 1), ("OK", "timeout"), ("none", "internal"), (None, "oom"), (0, 17)]
)
def test_a_request_that_went_well_has_no_error(good, bad, tmp_path):
    case(tmp_path)
    frame = pl.read_parquet(tmp_path / "p.parquet")
    values = [bad if i % 50 == 0 else good for i in range(500)]
    frame.with_columns(pl.Series("err", values)).write_parquet(tmp_path / "p.parquet")
    opened = open_case(tmp_path)
    assert opened.roles.error == "err"
    assert opened.predictions.collect(backend="polars")["err"].null_count() == 490
    assert opened.column("err").null_rate == pytest.approx(0.98)


def test_a_small_log_is_read_once_and_of_a_large_one_only_what_is_asked_for(tmp_path, monkeypatch):
    small = open_case(case(tmp_path)).predictions
    assert "Parquet" not in small.to_native().explain()
    monkeypatch.setattr(open_module, "EAGER_ROWS", 20)
    opened = open_case(case(tmp_path))
    assert_frame_equal(*(p.collect(backend="polars").to_native() for p in (opened.predictions, small)))
    plan = opened.predictions.select("score").to_native().explain()
    assert "PROJECT 1/" in plan or "PROJECT 2/" in plan  # only the needed columns are read from the file


def test_facts_of_the_tables(tmp_path):
    import hashlib

    (entry,) = open_case(case(tmp_path)).tables
    assert (entry.name, entry.files, entry.rows, entry.columns) == ("predictions", ("p.parquet",), 500, 4)
    assert entry.sha256 == hashlib.sha256((tmp_path / "p.parquet").read_bytes()).hexdigest()
