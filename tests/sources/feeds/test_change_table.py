"""Changes are added to whatever a case has as its change log; what stands there stays."""

from __future__ import annotations

import csv
import gzip
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))
from cli_helpers import run
from test_bad_input import write

from rca_kit.case.changes import Change
from rca_kit.case.incident import load_case
from rca_kit.errors import BadInput
from rca_kit.sources import change_table
from rca_kit.sources.change_table import add_changes
from rca_kit.sources.tables import read_change_log

AT = datetime(2026, 3, 1, 4, 30, tzinfo=UTC)
NEW = Change("git-1", AT, "code_deploy", "api", "=cmd|' /C calc'!A0, \"quoted\"", "", "a", "b", "https://example.org/1")
OLD = [{"id": "c-1", "time": "2026-03-01T03:00:00Z", "kind": "flag_change", "component": "web", "description": "on, for all"},
       {"id": "git-0", "time": "2026-03-01T03:30:00Z", "kind": "other", "component": "", "description": "as I wrote it"}]


def case(tmp_path, **tables):
    write(tmp_path)
    path = tmp_path / "incident.yaml"
    if tables:
        text = path.read_text()
        assert "predictions:" in text
        import yaml

        data = yaml.safe_load(text)
        data["tables"].update(tables)
        path.write_text(yaml.safe_dump(data))
    return load_case(tmp_path)


def read(tmp_path):
    return read_change_log(load_case(tmp_path))[0]


def test_a_case_without_a_change_log_gets_one_and_keeps_its_text(tmp_path):
    case(tmp_path)
    (tmp_path / "incident.yaml").write_text(
        "# mine\nid: T-1\ntitle: 'é: #1'\ndetected_at: 2026-03-01T05:00:00Z\ntables:\n"
        "    # the log\n    predictions: p.parquet  # all\nslos: {}\n", encoding="utf-8")
    added = add_changes(load_case(tmp_path), [NEW])
    assert added.named and [c.id for c in added.changes] == ["git-1"]
    text = (tmp_path / "incident.yaml").read_text(encoding="utf-8")
    assert text.startswith("# mine\n") and "# the log" in text and "# all" in text and "    changes: changes.csv\n" in text
    [got] = read(tmp_path)
    assert (got.id, got.time, got.kind, got.version_to, got.link) == ("git-1", AT, "code_deploy", "b", "https://example.org/1")
    assert got.description == "'=cmd|' /C calc'!A0, \"quoted\""  # no spreadsheet runs it


@pytest.mark.parametrize("text", [
    "{id: T-1, title: t, detected_at: 2026-03-01T05:00:00Z, tables: {predictions: p.parquet}}",
    "id: T-1\ntitle: t\ndetected_at: 2026-03-01T05:00:00Z\ntables: {predictions: p.parquet}\nslos:\n",
    "id: T-1\ntitle: t\ndetected_at: 2026-03-01T05:00:00Z\ntables:\n  changes:\n  predictions: p.parquet\n",
    "id: T-1\ntitle: t\ndetected_at: 2026-03-01T05:00:00Z\ntables:\n  predictions: p.parquet\n  changes: null\n",
    "id: T-1\ntitle: t\ndetected_at: 2026-03-01T05:00:00Z\ntables:\n  predictions: p.parquet\n  changes:",
])
def test_any_way_to_write_tables_is_understood(text, tmp_path):
    case(tmp_path)
    (tmp_path / "incident.yaml").write_text(text)
    add_changes(load_case(tmp_path), [NEW])
    incident = load_case(tmp_path).incident
    assert incident.tables.changes == "changes.csv" and incident.tables.predictions == "p.parquet"


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_csv_keeps_every_byte_that_stood_there(newline, delimiter, tmp_path):
    with (tmp_path / "log.csv").open("w", newline="") as stream:
        names = ["Time", "id", "kind", "component", "description", "version_from", "version_to", "link", "ticket"]
        writer = csv.DictWriter(stream, names, delimiter=delimiter, lineterminator=newline)
        writer.writeheader()
        writer.writerows({**{k: r[k] for k in r if k != "time"}, "Time": r["time"], "ticket": "T-7"} for r in OLD)
    before = (tmp_path / "log.csv").read_bytes()
    opened = case(tmp_path, changes="log.csv")
    again = Change("git-0", AT, "code_deploy", "api", "what the tool says")
    added = add_changes(opened, [again, NEW, NEW])
    after = (tmp_path / "log.csv").read_bytes()
    assert after.startswith(before) and after.count(newline.encode()) == 4
    assert [c.id for c in added.changes] == ["git-1"] and added.known == 1
    assert [(c.id, c.description[:5]) for c in read(tmp_path)] == [("c-1", "on, f"), ("git-0", "as I "), ("git-1", "'=cmd")]
    add_changes(load_case(tmp_path), [NEW])
    assert (tmp_path / "log.csv").read_bytes() == after  # a second time adds nothing


def test_a_csv_without_a_last_newline_and_without_all_columns(tmp_path):
    (tmp_path / "log.csv").write_text("id,time,what\nc-1,2026-03-01 03:00,\"a, b\"")
    add_changes(case(tmp_path, changes="log.csv"), [NEW])
    got = read(tmp_path)
    assert [(c.id, c.component) for c in got] == [("c-1", ""), ("git-1", "api")]
    with (tmp_path / "log.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert rows[0]["what"] == "a, b" and rows[0]["time"] == "2026-03-01 03:00" and rows[1]["version_to"] == "b"


@pytest.mark.parametrize("times", ["text", "us", "ms-utc", "zone", "date"])
@pytest.mark.parametrize("name", ["log.parquet", "log.arrow"])
def test_typed_tables_keep_their_types(name, times, tmp_path):
    frame = pl.DataFrame(OLD).with_columns(extra=pl.Series([1, 2]))
    stamp = pl.col("time").str.to_datetime("%Y-%m-%dT%H:%M:%SZ")
    frame = frame.with_columns({
        "text": pl.col("time"), "us": stamp, "ms-utc": stamp.dt.replace_time_zone("UTC").dt.cast_time_unit("ms"),
        "zone": stamp.dt.replace_time_zone("UTC").dt.convert_time_zone("Europe/Berlin"), "date": stamp.dt.date(),
    }[times].alias("time"))
    (frame.write_parquet if name.endswith("parquet") else frame.write_ipc)(tmp_path / name)
    add_changes(case(tmp_path, changes=name), [NEW])
    got = read(tmp_path)
    assert [(c.id, c.time) for c in got][-1] == ("git-1", AT) and len(got) == 3
    held = pl.read_parquet(tmp_path / name) if name.endswith("parquet") else pl.read_ipc(tmp_path / name)
    assert held["extra"].to_list() == [1, 2, None]
    if times not in ("date",):
        assert held.head(2).select(frame.columns).equals(frame)


@pytest.mark.parametrize("name", ["log.jsonl", "log.jsonl.gz", "log.csv.gz"])
def test_json_lines_and_packed_files(name, tmp_path):
    lines = "\n".join(json.dumps(r) for r in OLD)
    raw = (lines if "jsonl" in name else pl.DataFrame(OLD).write_csv()).encode()
    (tmp_path / name).write_bytes(gzip.compress(raw) if name.endswith("gz") else raw)
    add_changes(case(tmp_path, changes=name), [NEW])
    assert [c.id for c in read(tmp_path)] == ["c-1", "git-0", "git-1"]


def test_parts_are_looked_through_and_the_last_one_grows(tmp_path):
    for part, row in zip(("a", "b"), OLD, strict=True):
        pl.DataFrame([row]).write_csv(tmp_path / f"log-{part}.csv")
    added = add_changes(case(tmp_path, changes="log-*.csv"), [Change("c-1", AT, "other"), Change("new", AT, "other", "x", "y")])
    assert added.path.name == "log-b.csv" and added.known == 1 and [c.id for c in added.changes] == ["new"]


def test_a_failed_write_leaves_what_was_there(tmp_path, monkeypatch):
    (tmp_path / "log.csv").write_text("id,time,kind,component,description,version_from,version_to,link\n")
    opened = case(tmp_path, changes="log.csv")
    before = (tmp_path / "log.csv").read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(BadInput, match="No space left"):
        add_changes(opened, [NEW])
    assert (tmp_path / "log.csv").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_a_log_in_a_database_or_an_unnamed_file_is_refused(tmp_path):
    opened = case(tmp_path, changes={"duckdb": "x.duckdb", "table": "t"})
    with pytest.raises(BadInput, match="is no file"):
        add_changes(opened, [NEW])
    other = tmp_path / "other"
    other.mkdir()
    opened = case(other)
    (other / "changes.csv").write_text("id\n")
    with pytest.raises(BadInput, match="does not name it"):
        add_changes(opened, [NEW])
    assert (other / "changes.csv").read_text() == "id\n"


def test_the_command_adds_says_and_asks_for_no_more_than_the_span(tmp_path, monkeypatch, capsys):
    case(tmp_path)
    rows = [{"id": i, "sha": "abcdef0123456789", "ref": "main", "task": "deploy", "environment": "production",
             "created_at": at, "url": "https://api.github.com/repos/o/fraud/deployments/1"}
            for i, at in enumerate(("2026-02-01T00:00:00Z", "2026-03-01T04:00:00Z", "2026-03-05T00:00:00Z"))]
    (tmp_path / "d.json").write_text(json.dumps(rows))
    source = f"github-deployments:{tmp_path}/d.json"
    ran = run(monkeypatch, capsys, "changes", tmp_path, "--from", source)
    assert ran.code == 0, ran.err
    assert "code_deploy     fraud: deploy main to production" in ran.out and "1 changes from 2026-02-15" in ran.out
    ran = run(monkeypatch, capsys, "changes", tmp_path, "--from", source, "--since", "2026-01-01")
    assert ran.code == 0 and "1 were there already" in ran.out
    assert [c.id for c in read(tmp_path)] == ["github-0", "github-1"]
    ran = run(monkeypatch, capsys, "changes", tmp_path, "--from", "nowhere")
    assert ran.code == 2 and "no such kind of source" in ran.err


def test_nothing_new_writes_nothing(tmp_path):
    opened = case(tmp_path)
    before = (tmp_path / "incident.yaml").read_bytes()
    assert add_changes(opened, []).named is False
    assert not (tmp_path / "changes.csv").exists() and (tmp_path / "incident.yaml").read_bytes() == before
    assert change_table.NEW_FILE == "changes.csv"
