"""Broken cases: exit code 2, one clear message that names file and column, no traceback, nothing written."""

from __future__ import annotations

import gzip
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from cli_helpers import run

from rca_kit.sources import open_case

N = 400
START = datetime(2026, 3, 1, tzinfo=UTC)
YAML = """id: T-1
title: t
detected_at: 2026-03-01T06:00:00Z
tables: {{predictions: {file}}}
{extra}"""


def log(n: int = N) -> pl.DataFrame:
    rng = np.random.default_rng(3)
    score = rng.random(n).round(4)
    return pl.DataFrame(
        {
            "ts": [START + timedelta(minutes=i) for i in range(n)],
            "score": score,
            "label": (rng.random(n) < score).astype(int),
            "country": rng.choice(["DE", "FR"], n),
            "amount": rng.normal(size=n).round(3),
            "latency_ms": rng.exponential(30, n).round(2),
        }
    )


def write(folder: Path, extra: str = "", frame: pl.DataFrame | None = None, file: str = "p.csv") -> Path:
    frame = log() if frame is None else frame
    if file.endswith(".csv"):
        frame.write_csv(folder / file)
    else:
        frame.write_parquet(folder / file)
    (folder / "incident.yaml").write_text(YAML.format(file=file, extra=extra))
    return folder


def text(folder: Path, content: str) -> Path:
    write(folder)
    (folder / "incident.yaml").write_text(content)
    return folder


def truncated_parquet(d: Path) -> None:
    write(d, file="p.parquet")
    raw = (d / "p.parquet").read_bytes()
    (d / "p.parquet").write_bytes(raw[: len(raw) // 2])


def truncated_gzip(d: Path) -> None:
    write(d)
    raw = gzip.compress((d / "p.csv").read_bytes())
    (d / "p.csv.gz").write_bytes(raw[: len(raw) // 2])
    (d / "incident.yaml").write_text(YAML.format(file="p.csv.gz", extra=""))


def broken_arrow(d: Path) -> None:
    write(d)
    (d / "p.arrow").write_bytes(b"ARROW1\x00\x00 and then nothing of use")
    (d / "incident.yaml").write_text(YAML.format(file="p.arrow", extra=""))


def two_parts(d: Path, second: pl.DataFrame) -> None:
    log().write_parquet(d / "part-1.parquet")
    second.write_parquet(d / "part-2.parquet")
    (d / "incident.yaml").write_text(YAML.format(file="part-*.parquet", extra=""))


def jsonl(d: Path, content: str) -> None:
    (d / "p.jsonl").write_text(content)
    (d / "incident.yaml").write_text(YAML.format(file="p.jsonl", extra=""))


def raw_csv(d: Path, content: bytes) -> None:
    (d / "p.csv").write_bytes(content)
    (d / "incident.yaml").write_text(YAML.format(file="p.csv", extra=""))


def duplicate_parquet(d: Path) -> None:
    table = log().to_arrow()
    twice = pa.Table.from_arrays([*table.columns, table["score"]], names=[*table.column_names, "score"])
    pq.write_table(twice, d / "p.parquet")
    (d / "incident.yaml").write_text(YAML.format(file="p.parquet", extra=""))


def changes(d: Path, content: str) -> None:
    write(d)
    (d / "c.csv").write_text(content)
    (d / "incident.yaml").write_text(YAML.format(file="p.csv, changes: c.csv", extra=""))


def metrics(d: Path, content: str) -> None:
    write(d)
    (d / "m.csv").write_text(content)
    (d / "incident.yaml").write_text(YAML.format(file="p.csv, service_metrics: m.csv", extra=""))


def csv_text(**changed: object) -> pl.DataFrame:
    return log().with_columns(**changed)


BOMB = "a: &a [x, x]\nb: &b [*a, *a]\nid: T\ntitle: t\ndetected_at: 2026-03-01\ntables: {predictions: p.csv}\n"
CASES: dict[str, tuple[Callable[[Path], object], tuple[str, ...]]] = {
    "no incident.yaml": (lambda d: log().write_csv(d / "p.csv"), ("incident.yaml", "no such file", "rca-kit new")),
    "empty incident.yaml": (lambda d: text(d, ""), ("incident.yaml", "keys and values")),
    "incident.yaml is a list": (lambda d: text(d, "- a\n- b\n"), ("incident.yaml", "keys and values")),
    "broken YAML": (lambda d: text(d, "id: [1, 2\ntitle: t"), ("incident.yaml", "line")),
    "YAML tag": (lambda d: text(d, "id: !!python/object/apply:os.system ['echo hi']\n"), ("incident.yaml", "tag")),
    "YAML bomb": (lambda d: text(d, BOMB), ("incident.yaml", "aliases")),
    "YAML deeply nested": (lambda d: text(d, "a: " + "[" * 500 + "]" * 500), ("incident.yaml", "deeper")),
    "YAML too large": (lambda d: text(d, "# " + "x" * 1_100_000), ("incident.yaml", "too large")),
    "YAML duplicate key": (lambda d: text(d, "id: a\nid: b\n"), ("incident.yaml", "`id` stands twice")),
    "YAML not UTF-8": (
        lambda d: (write(d), (d / "incident.yaml").write_bytes("id: a\ntitle: Größe".encode("latin1"))),
        ("incident.yaml", "not UTF-8", "line 2"),
    ),
    "required keys missing": (
        lambda d: text(d, "id: a\n"),
        ("title: is required", "detected_at: is required", "tables: is required"),
    ),
    "unknown key": (lambda d: write(d, "signall: {metric: auc}"), ("signall", "unknown key", "did you mean `signal`?")),
    "unknown key inside roles": (lambda d: write(d, "roles: {scroe: score}"), ("roles.scroe", "did you mean `score`?")),
    "id with path separators": (
        lambda d: text(d, "id: ../x\ntitle: t\ndetected_at: 2026-03-01\ntables: {predictions: p.csv}"),
        ("incident.yaml", "id:", "letters"),
    ),
    "id of dots": (lambda d: text(d, "id: '..'\ntitle: t\ndetected_at: 2026-03-01\ntables: {predictions: p.csv}"), ("id:",)),
    "detected_at is no time": (
        lambda d: text(d, "id: a\ntitle: t\ndetected_at: soon\ntables: {predictions: p.csv}"),
        ("detected_at", "`soon` is not a time"),
    ),
    "unknown metric": (lambda d: write(d, "signal: {metric: acuracy}"), ("acuracy", "did you mean `accuracy`?")),
    "unknown metric in slos": (lambda d: write(d, "slos: {latency_p90: {max: 3}}"), ("latency_p90", "latency_p9")),
    "slo without bounds": (lambda d: write(d, "slos: {auc: {}}"), ("slos.auc", "min or max")),
    "kpi of no column": (lambda d: write(d, "signal: {metric: 'kpi:clickd'}"), ("clickd", "p.csv")),
    "windows overlap": (
        lambda d: write(
            d, "windows: {before: [2026-03-01, 2026-03-01T04:00:00Z], after: [2026-03-01T03:00:00Z, 2026-03-01T06:00:00Z]}"
        ),
        ("windows", "before"),
    ),
    "window outside the log": (
        lambda d: write(d, "windows: {before: [2025-03-01, 2025-03-02], after: [2026-03-01T03:00:00Z, 2026-03-01T06:00:00Z]}"),
        ("before", "holds no rows", "2026-03-01 00:00"),
    ),
    "unknown task": (lambda d: write(d, "task: classification"), ("task", "binary")),
    "table missing": (lambda d: (write(d), (d / "p.csv").rename(d / "pp.csv")), ("no such file", "did you mean `pp.csv`?")),
    "unknown format": (
        lambda d: (
            write(d),
            (d / "incident.yaml").write_text(YAML.format(file="p.xlsx", extra="")),
            (d / "p.xlsx").write_bytes(b"PK"),
        ),
        ("p.xlsx", "format", ".parquet"),
    ),
    "truncated Parquet": (truncated_parquet, ("p.parquet", "damaged or cut off")),
    "text named Parquet": (
        lambda d: (write(d, file="p.parquet"), (d / "p.parquet").write_text("a,b\n1,2\n")),
        ("p.parquet", "not a readable Parquet"),
    ),
    "truncated gzip": (truncated_gzip, ("p.csv.gz", "damaged or cut off")),
    "broken Arrow": (broken_arrow, ("p.arrow", "not a readable Arrow")),
    "wrong delimiter": (
        lambda d: raw_csv(d, b"ts^score\n2026-03-01^0.5\n2026-03-02^0.6\n"),
        ("p.csv", "no delimiter", "ts^score"),
    ),
    "binary data as CSV": (lambda d: raw_csv(d, b"a,b\n\x00\x01\x02,3\n"), ("p.csv", "binary")),
    "CSV not UTF-8": (
        lambda d: raw_csv(d, "ts,score,land\n2026-03-01,0.5,Köln\n".encode("latin1")),
        ("p.csv", "not UTF-8", "line 2"),
    ),
    "CSV UTF-16": (lambda d: raw_csv(d, "ts,score\n2026-03-01,0.5\n".encode("utf-16")), ("p.csv", "UTF-16")),
    "CSV without header": (lambda d: raw_csv(d, b"1772323200,0.5\n1772323260,0.6\n"), ("p.csv", "looks like data", "a header")),
    "ragged CSV": (
        lambda d: raw_csv(d, b"ts,score\n2026-03-01,0.5\n2026-03-02,0.6,7,8\n"),
        ("p.csv", "more fields than the header"),
    ),
    "empty file": (lambda d: raw_csv(d, b""), ("p.csv", "is empty")),
    "header only": (lambda d: raw_csv(d, b"ts,score,label\n"), ("p.csv", "too few rows", "0 rows")),
    "one row": (lambda d: write(d, frame=log(1)), ("p.csv", "too few rows", "1 rows")),
    "duplicate column in CSV": (
        lambda d: raw_csv(d, b"ts,score,score\n2026-03-01,1,2\n2026-03-02,1,2\n"),
        ("p.csv", "`score`", "2 times"),
    ),
    "duplicate column in Parquet": (duplicate_parquet, ("p.parquet", "duplicate column names")),
    "column missing": (lambda d: write(d, "roles: {score: scroe}"), ("p.csv", "`scroe`", "roles.score", "did you mean `score`?")),
    "segment missing": (lambda d: write(d, "roles: {segments: [coutry]}"), ("coutry", "did you mean `country`?")),
    "one column in two roles": (
        lambda d: write(d, "roles: {score: score, label: score}"),
        ("`score`", "roles.score", "roles.label"),
    ),
    "redact of no column": (lambda d: write(d, "redact: [emial]"), ("emial", "redact")),
    "time is no time": (lambda d: write(d, "roles: {time: country}"), ("`country`", "is no time")),
    "days and months alike": (
        lambda d: write(d, frame=csv_text(ts=pl.lit("02/03/2026 10:00")), extra="roles: {time: ts}"),
        ("`ts`", "days and months"),
    ),
    "no times at all": (lambda d: write(d, frame=log().drop("ts")), ("p.csv", "no column holds times", "roles.time")),
    "times all null": (
        lambda d: write(d, "roles: {time: ts}", csv_text(ts=pl.lit(None, dtype=pl.String)), "p.parquet"),
        ("`ts`", "time"),
    ),
    "all rows at one time": (lambda d: write(d, frame=csv_text(ts=pl.lit("2026-03-01T00:00:00Z"))), ("p.csv", "same time")),
    "alert before the data": (
        lambda d: text(d, "id: a\ntitle: t\ndetected_at: 2025-01-01\ntables: {predictions: p.csv}"),
        ("before the first row", "2026-03-01"),
    ),
    "text as score": (
        lambda d: write(d, "roles: {score: word}", csv_text(word=pl.lit("high"))),
        ("`word`", "must hold numbers", "high"),
    ),
    "text as latency": (
        lambda d: write(d, "roles: {latency_ms: word}", csv_text(word=pl.lit("fast"))),
        ("`word`", "must hold numbers"),
    ),
    "part with other columns": (
        lambda d: two_parts(d, log().rename({"score": "scores"})),
        ("part-2.parquet", "lacks score", "did you mean"),
    ),
    "part with another type": (
        lambda d: two_parts(d, log().with_columns(pl.col("amount").cast(pl.String))),
        ("part-2.parquet", "`amount`", "String"),
    ),
    "parts of different formats": (
        lambda d: (
            write(d),
            log().write_parquet(d / "p.parquet"),
            (d / "incident.yaml").write_text(YAML.format(file="[p.csv, p.parquet]", extra="")),
        ),
        ("different formats",),
    ),
    "JSONL with a broken line": (lambda d: jsonl(d, '{"ts": "2026-03-01", "score": 1}\n{"ts": \n'), ("p.jsonl", "line 2")),
    "JSON list as JSONL": (lambda d: jsonl(d, '[\n {"ts": 1}\n]\n'), ("p.jsonl", "JSON")),
    "change log without time": (lambda d: changes(d, "id,when,kind\nc1,2026-03-01,campaign\n"), ("c.csv", "`time`", "missing")),
    "change log without readable times": (lambda d: changes(d, "id,time,kind\nc1,yesterday,campaign\n"), ("c.csv", "time")),
    "service metrics misspelt": (
        lambda d: metrics(d, "time,component,metrik,value\n2026-03-01,a,b,1\n"),
        ("m.csv", "`metric`", "did you mean `metrik`?"),
    ),
    "service metrics of words": (
        lambda d: metrics(d, "time,component,metric,value\n2026-03-01,a,b,high\n"),
        ("m.csv", "`value`", "numbers"),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_bad_case_is_refused_with_one_clear_message(name, tmp_path, monkeypatch, capsys):
    make, expected = CASES[name]
    make(tmp_path)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    ran = run(monkeypatch, capsys, "check", tmp_path)
    assert ran.code == 2, ran
    assert ran.out == ""
    assert ran.err.startswith("error: ") and "Traceback" not in ran.err
    for part in expected:
        assert part in ran.err, (part, ran.err)
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before


def test_there_are_enough_of_them():
    assert len(CASES) >= 30


USABLE: dict[str, tuple[Callable[[Path], object], str]] = {
    "semicolons": (lambda d: raw_csv(d, log().write_csv(separator=";").encode()), "separated by `;`"),
    "decimal commas": (
        lambda d: raw_csv(
            d,
            log()
            .with_columns(pl.col("score").map_elements(lambda v: f"{v:.4f}".replace(".", ","), pl.String))
            .write_csv(separator=";")
            .encode(),
        ),
        "decimal comma",
    ),
    "junk in a numeric column": (
        lambda d: write(
            d,
            frame=csv_text(
                amount=pl.when(pl.int_range(N) % 50 == 3).then(pl.lit("oops")).otherwise(pl.col("amount").cast(pl.String))
            ),
        ),
        "8 of 400 values are no numbers (such as `oops`)",
    ),
    "all-null label": (
        lambda d: write(d, "roles: {label: label}", csv_text(label=pl.lit(None, pl.Int8)), "p.parquet"),
        "(label) is empty",
    ),
    "all-null score": (
        lambda d: write(d, "roles: {score: score}", csv_text(score=pl.lit(None, pl.Float64)), "p.parquet"),
        "(score) is empty",
    ),
    "constant score": (lambda d: write(d, "roles: {score: score}", csv_text(score=pl.lit(0.5))), "(score) has one value only"),
    "naive times": (lambda d: write(d, frame=csv_text(ts=pl.col("ts").dt.strftime("%Y-%m-%d %H:%M:%S"))), "taken as UTC"),
    "mixed time zones": (
        lambda d: write(
            d,
            frame=csv_text(
                ts=pl.when(pl.int_range(N) % 2 == 0)
                .then(pl.col("ts").dt.strftime("%Y-%m-%dT%H:%M:%S+00:00"))
                .otherwise(pl.col("ts").dt.offset_by("2h").dt.strftime("%Y-%m-%dT%H:%M:%S"))
            ),
        ),
        "50% of the times have no offset",
    ),
    "some times unreadable": (
        lambda d: write(
            d,
            frame=csv_text(
                ts=pl.when(pl.int_range(N) < 7).then(pl.lit("?")).otherwise(pl.col("ts").dt.strftime("%Y-%m-%dT%H:%M:%SZ"))
            ),
        ),
        "7 of 400 rows have no readable time",
    ),
    "alert after the data": (
        lambda d: text(d, "id: a\ntitle: t\ndetected_at: 2026-04-01\ntables: {predictions: p.csv}"),
        "before the alert",
    ),
    "nested columns": (
        lambda d: write(
            d,
            frame=csv_text(vector=pl.lit([[1, 2]]).list.first()).with_columns(
                pl.concat_list("score", "amount").alias("embedding")
            ),
            file="p.parquet",
        ),
        "left out: ",
    ),
    "unknown kind of change": (
        lambda d: changes(d, "id,time,kind,component,description\nc1,2026-03-01T01:00:00Z,rollout,a,b\n"),
        "taken as `other`: rollout",
    ),
    "two changes of one id": (
        lambda d: changes(d, "id,time,kind,component,description\n" + "c1,2026-03-01T01:00:00Z,other,a,b\n" * 2),
        "`c1` stands twice",
    ),
    "service metrics without rows": (lambda d: metrics(d, "time,component,metric,value\n"), "holds no rows"),
    "parts whose numbers widen": (
        lambda d: two_parts(d, log().with_columns(pl.col("label").cast(pl.Float64))),
        "were widened (label)",
    ),
}


@pytest.mark.parametrize("name", USABLE)
def test_case_usable_in_part_warns(name, tmp_path, monkeypatch, capsys):
    make, expected = USABLE[name]
    make(tmp_path)
    ran = run(monkeypatch, capsys, "check", tmp_path)
    assert ran.code == 0, ran
    warnings = [line for line in ran.out.splitlines() if line.startswith("warning: ")]
    assert any(expected in w for w in warnings), ran.out


def test_infinities_and_many_segment_values_open(tmp_path, monkeypatch, capsys):
    frame = log(20_000).with_columns(
        amount=pl.when(pl.int_range(20_000) % 100 == 0).then(float("inf")).otherwise("amount"),
        shop=("s" + (pl.int_range(20_000) % 10_000).cast(pl.String)),
    )
    write(tmp_path, frame=frame, file="p.parquet")
    ran = run(monkeypatch, capsys, "check", tmp_path)
    assert ran.code == 0 and "shop" not in next(line for line in ran.out.splitlines() if "segments" in line)
    assert "column `amount`: infinite values (200 seen) are taken as missing" in ran.out
    write(tmp_path, "roles: {segments: [shop]}", frame=frame, file="p.parquet")
    ran = run(monkeypatch, capsys, "check", tmp_path)
    assert ran.code == 0 and "segment `shop` has 10,000 values" in ran.out


def test_junk_among_zeros_and_ones_is_no_third_class(tmp_path):
    label = pl.when(pl.int_range(N) % 100 == 7).then(pl.lit("oops")).otherwise(pl.col("label").cast(pl.String))
    opened = open_case(write(tmp_path, frame=csv_text(label=label)))
    assert opened.task == "binary" and opened.roles.label == "label" and opened.positive["label"] == 1
    assert any("`label`: 4 of 400 values are no numbers (such as `oops`)" in w for w in opened.warnings)


def test_times_out_of_order_are_fine(tmp_path, monkeypatch, capsys):
    write(tmp_path, frame=log().sample(fraction=1, shuffle=True, seed=1))
    ran = run(monkeypatch, capsys, "check", tmp_path)
    assert ran.code == 0 and "no problems found" in ran.out


def test_unwritable_output_is_refused_before_any_work(tmp_path, monkeypatch, capsys):
    write(tmp_path)
    ran = run(monkeypatch, capsys, "findings", tmp_path, "--out", tmp_path / "missing" / "f.json")
    assert ran.code == 2 and "cannot be written" in ran.err
    ran = run(monkeypatch, capsys, "findings", tmp_path, "--out", tmp_path)
    assert ran.code == 2 and "is a folder" in ran.err
    if os.getuid():
        closed = tmp_path / "closed"
        closed.mkdir(mode=0o500)
        assert run(monkeypatch, capsys, "findings", tmp_path, "--out", closed / "f.json").code == 2


def test_unknown_engine(tmp_path, monkeypatch, capsys):
    write(tmp_path)
    ran = run(monkeypatch, capsys, "check", tmp_path, "--engine", "duckbd")
    assert ran.code == 2 and "did you mean `duckdb`?" in ran.err
