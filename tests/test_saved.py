"""Aggregates in a file: equal to the rows they were made of, and parts of a log merge into the whole."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from rca_kit import investigate
from rca_kit.aggregates.saved import Saved
from rca_kit.case.bundled import sample
from rca_kit.errors import BadInput
from rca_kit.loop.reading.saving import aggregate_case
from rca_kit.sources import open_case

from .cli_helpers import run

SAMPLE = "auc-drop-null-feature"
ALL = 10**9  # rows to keep: all of them


@pytest.fixture(scope="module")
def log() -> pl.DataFrame:
    return pl.read_parquet(sorted(sample(SAMPLE).glob("predictions*.parquet"))).sort("ts")


def case_of(folder: Path, rows: pl.DataFrame | None, tables: str = "predictions: part.parquet") -> Path:
    """A case like the sample's, over some of its rows or over aggregates."""
    folder.mkdir()
    text = (sample(SAMPLE) / "incident.yaml").read_text(encoding="utf-8")
    lines = [f"  {tables}" if line.strip().startswith("predictions:") else line for line in text.splitlines()]
    (folder / "incident.yaml").write_text("\n".join(lines), encoding="utf-8")
    for file in sample(SAMPLE).iterdir():
        if file.is_file() and file.name != "incident.yaml" and not file.name.startswith("predictions"):
            (folder / file.name).write_bytes(file.read_bytes())
    if rows is not None:
        rows.write_parquet(folder / "part.parquet")
    return folder


@pytest.fixture(scope="module")
def parts(tmp_path_factory: Any, log: pl.DataFrame) -> tuple[Saved, Saved, Saved]:
    """Aggregates of the days before, of the last day, and of the whole under the same plan."""
    root = tmp_path_factory.mktemp("parts")
    cut = log["ts"].quantile(0.8)
    old, new = log.filter(pl.col("ts") < cut), log.filter(pl.col("ts") >= cut)
    base = aggregate_case(case_of(root / "old", old), rows=ALL)
    return base, aggregate_case(case_of(root / "new", new), base, ALL), aggregate_case(case_of(root / "all", log), base, ALL)


def same_sums(a: Saved, b: Saved) -> None:
    assert list(a.aggregates.cubes) == list(b.aggregates.cubes)
    for name, cube in a.aggregates.cubes.items():
        assert_frame_equal(cube.frame, b.aggregates.cubes[name].frame, rel_tol=1e-12, abs_tol=1e-9)


def test_parts_merge_into_the_whole(parts: tuple[Saved, Saved, Saved], tmp_path: Path) -> None:
    old, new, whole = parts
    merged = old.merge(new)
    grid = merged.aggregates.plan.grid
    same_sums(merged, whole.on(grid))
    assert_frame_equal(merged.kept.frame, whole.on(grid).kept.frame)
    same_sums(new.merge(old), merged)
    found = []
    for name, saved in (("merged", merged), ("whole", whole)):
        folder = case_of(tmp_path / name, None, "predictions: {aggregates: log.agg}")
        saved.save(folder / "log.agg")
        found.append(json.dumps(investigate(folder).to_dict()))
    assert found[0] == found[1]
    # several files are merged when the case is opened
    folder = case_of(tmp_path / "both", None, "predictions: {aggregates: [old.agg, new.agg]}")
    old.save(folder / "old.agg")
    new.save(folder / "new.agg")
    assert json.dumps(investigate(folder).to_dict()) == found[0]


@pytest.mark.parametrize("before_the_deploy", [True, False])
def test_aggregates_and_newer_rows_give_the_findings_of_the_whole_log(
    log: pl.DataFrame, tmp_path: Path, before_the_deploy: bool, monkeypatch: Any
) -> None:
    """A nightly job keeps the baseline, an incident reads its own hours: also where these hold a version never seen before."""
    cut = log.filter(pl.col("model_version") == "v3")["ts"].min() if before_the_deploy else log["ts"].quantile(0.9)
    base = aggregate_case(case_of(tmp_path / "old", log.filter(pl.col("ts") < cut)), rows=ALL)
    folder = case_of(tmp_path / "both", None, "predictions: {aggregates: night.agg, rows: new-*.parquet}")
    base.save(folder / "night.agg")
    # the file of the new hours begins before midnight: what the night has summed is not counted twice
    late = log.filter(pl.col("ts") >= cut - timedelta(minutes=40))
    late.filter(pl.int_range(pl.len()) % 2 == 0).write_parquet(folder / "new-1.parquet")
    late.filter(pl.int_range(pl.len()) % 2 == 1).write_parquet(folder / "new-2.parquet")
    opened = open_case(folder)
    assert opened.row_count == log.height
    assert opened.time_range == open_case(sample(SAMPLE)).time_range
    found = investigate(opened).to_dict()
    whole = case_of(tmp_path / "whole", None, "predictions: {aggregates: log.agg}")
    aggregate_case(case_of(tmp_path / "rows", log), base, ALL).save(whole / "log.agg")
    expected = investigate(whole).to_dict()
    assert any("left out" in w for w in found["warnings"])
    assert {k: v for k, v in found.items() if k != "warnings"} == {k: v for k, v in expected.items() if k != "warnings"}
    of_rows = investigate(tmp_path / "rows").to_dict()
    assert found["verdict"] == of_rows["verdict"]
    assert found["symptom"]["onset"] == of_rows["symptom"]["onset"]
    assert [s["where"] for s in found["scope"]["segments"]] == [s["where"] for s in of_rows["scope"]["segments"]]
    assert found["suspects"][0]["subject"] == of_rows["suspects"][0]["subject"]


def test_newer_rows_may_be_in_an_engine_and_need_the_columns_of_the_aggregates(log: pl.DataFrame, tmp_path: Path) -> None:
    duckdb = pytest.importorskip("duckdb")
    cut = log["ts"].quantile(0.9)
    base = aggregate_case(case_of(tmp_path / "old", log.filter(pl.col("ts") < cut)), rows=ALL)
    spec = "predictions: {aggregates: night.agg, rows: {duckdb: new.duckdb, table: log}}"
    folder = case_of(tmp_path / "both", None, spec)
    base.save(folder / "night.agg")
    with duckdb.connect(str(folder / "new.duckdb")) as connection:
        connection.register("arrived", log.filter(pl.col("ts") >= cut).to_arrow())
        connection.execute("create table log as select * from arrived")
    expected = investigate(case_of(tmp_path / "rows", log)).to_dict()
    found = investigate(folder).to_dict()
    assert (found["verdict"], found["symptom"]["onset"]) == (expected["verdict"], expected["symptom"]["onset"])
    assert found["suspects"][0]["subject"] == expected["suspects"][0]["subject"]
    with duckdb.connect(str(folder / "new.duckdb")) as connection:
        connection.execute("alter table log drop column device_type")
    with pytest.raises(BadInput, match="device_type"):
        investigate(folder)


def test_rows_that_are_all_summed_already_change_nothing(log: pl.DataFrame, tmp_path: Path) -> None:
    folder = case_of(tmp_path / "both", None, "predictions: {aggregates: night.agg, rows: part.parquet}")
    aggregate_case(case_of(tmp_path / "old", log), rows=ALL).save(folder / "night.agg")
    log.tail(5_000).write_parquet(folder / "part.parquet")
    opened = open_case(folder)
    assert opened.row_count == log.height and opened.newer is None
    assert any("5,000 of 5,000 rows beside the aggregates" in w for w in opened.warnings)


def test_what_else_stands_beside_aggregates_is_refused(log: pl.DataFrame, tmp_path: Path) -> None:
    folder = case_of(tmp_path / "both", log, "predictions: {aggregates: night.agg, path: part.parquet}")
    with pytest.raises(BadInput, match="under `rows`"):
        open_case(folder)


def test_findings_from_aggregates_with_all_rows_are_those_from_the_rows(log: pl.DataFrame, tmp_path: Path) -> None:
    expected = investigate(case_of(tmp_path / "rows", log)).to_dict()
    folder = case_of(tmp_path / "saved", None, "predictions: {aggregates: log.agg}")
    aggregate_case(tmp_path / "rows", rows=ALL).save(folder / "log.agg")
    assert investigate(folder).to_dict() == expected


def test_with_few_rows_kept_the_answer_stays_and_the_loss_is_said(
    log: pl.DataFrame, tmp_path: Path, monkeypatch: Any, capsys: Any
) -> None:
    rows = case_of(tmp_path / "rows", log)
    folder = case_of(tmp_path / "saved", None, "predictions: {aggregates: log.agg}")
    ran = run(monkeypatch, capsys, "aggregate", rows, "--out", folder / "log.agg", "--rows", 20_000)
    assert ran.code == 0, ran.err
    assert (folder / "log.agg").stat().st_size < 4_000_000
    ran = run(monkeypatch, capsys, "findings", folder)
    assert ran.code == 0, ran.err
    found = json.loads(ran.out)
    expected = investigate(rows).to_dict()
    assert found["verdict"] == expected["verdict"] == "incident"
    assert found["symptom"]["onset"] == expected["symptom"]["onset"]
    assert [s["where"] for s in found["scope"]["segments"]] == [s["where"] for s in expected["scope"]["segments"]]
    assert found["suspects"][0]["subject"] == expected["suspects"][0]["subject"]
    assert any("rows that were kept" in w for w in found["warnings"])


def test_the_file_is_the_same_bytes_each_time(parts: tuple[Saved, Saved, Saved], tmp_path: Path) -> None:
    a, b = parts[0].save(tmp_path / "a.agg"), Saved.load(parts[0].save(tmp_path / "b.agg")).save(tmp_path / "c.agg")
    assert a.read_bytes() == b.read_bytes()


def test_a_thinner_part_sets_the_rate_where_both_hold_rows(parts: tuple[Saved, Saved, Saved]) -> None:
    whole = parts[2]
    day = whole.kept
    thin = type(day).of([day.frame], day.limits // 4, day.time, day.grid)
    both = day.merge(thin)
    assert set(both.frame["rk_kept"].to_list()) == set(thin.frame["rk_kept"].to_list())
    assert 0.2 < thin.frame.height / day.frame.height < 0.3
    start, end = day.grid.time(0), day.grid.time(day.grid.n)
    assert thin.share(start, end) == pytest.approx(0.25)


def test_what_cannot_be_merged_is_refused(
    parts: tuple[Saved, Saved, Saved], log: pl.DataFrame, tmp_path: Path, monkeypatch: Any, capsys: Any
) -> None:
    other = aggregate_case(case_of(tmp_path / "other", log.filter(pl.col("ts") >= log["ts"].quantile(0.8))), rows=ALL)
    with pytest.raises(BadInput, match="cannot be merged"):
        parts[0].merge(other)
    parts[0].save(tmp_path / "a.agg")
    other.save(tmp_path / "b.agg")
    ran = run(monkeypatch, capsys, "merge", tmp_path / "a.agg", tmp_path / "b.agg", "--out", tmp_path / "c.agg")
    assert ran.code == 2
    assert "--like" in ran.err and not (tmp_path / "c.agg").exists()


@pytest.mark.parametrize("damage", ["cut", "text", "version", "missing"])
def test_a_file_that_is_none_is_refused(parts: tuple[Saved, Saved, Saved], tmp_path: Path, damage: str) -> None:
    file = parts[0].save(tmp_path / "a.agg")
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:2000])
    elif damage == "text":
        file.write_text("not a zip")
    elif damage == "missing":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes().replace(b'"version": 1', b'"version": 9', 1))
    with pytest.raises(BadInput) as caught:
        Saved.load(file)
    assert "a.agg" in str(caught.value)


def test_other_roles_in_the_case_are_refused(parts: tuple[Saved, Saved, Saved], tmp_path: Path) -> None:
    folder = case_of(tmp_path / "saved", None, "predictions: {aggregates: log.agg}")
    parts[0].save(folder / "log.agg")
    text = (folder / "incident.yaml").read_text(encoding="utf-8").replace("label: ", "label: not_")
    (folder / "incident.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(BadInput, match="other roles"):
        investigate(folder)
