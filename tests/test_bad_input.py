"""Broken cases: exit code 2, one clear message that names file and column, no traceback, nothing written."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from case_files import (
    YAML,
    broken_arrow,
    changes,
    csv_text,
    duplicate_parquet,
    jsonl,
    log,
    metrics,
    raw_csv,
    text,
    truncated_gzip,
    truncated_parquet,
    two_parts,
    write,
)
from cli_helpers import run

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
