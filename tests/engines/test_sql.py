"""PostgreSQL sums where the rows are, SQLite is streamed; credentials show nowhere."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import narwhals as nw
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import rca_kit
from rca_kit.aggregates.grid import TimeGrid
from rca_kit.aggregates.plan import Columns, make_plan
from rca_kit.aggregates.scan import scan
from rca_kit.errors import BadInput, RcaKitError, RunFailed
from rca_kit.sources import open_case, to_lazy
from rca_kit.sources.collect import collect
from rca_kit.sources.files import Scanned
from rca_kit.sources.native import Native
from rca_kit.sources.sql import open_sql

from .same import differences
from .servers import PASSWORD, DroppingProxy, Postgres, postgres

SAMPLES = Path(__file__).resolve().parents[2] / "data" / "samples"
SLUG = "auc-drop-null-feature"
psycopg = pytest.importorskip("psycopg")
pytest.importorskip("ibis")


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres() as running:
        running.load("log", pl.read_parquet(SAMPLES / SLUG / "predictions.parquet"))
        yield running


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RCA_TEST_PASSWORD", PASSWORD)


def query(server: Postgres, sql: str = "select * from log", **more: Any) -> dict[str, Any]:
    return {"sql": sql, "uri": server.uri, **more}


def run_cli(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    whole = {**os.environ, "RCA_TEST_PASSWORD": PASSWORD, "POLARS_MAX_THREADS": "1", **env}
    return subprocess.run([sys.executable, "-m", "rca_kit", *words], capture_output=True, text=True, env=whole, timeout=280)


def files_with(folder: Path, text: str) -> list[str]:
    return [str(p) for p in folder.rglob("*") if p.is_file() and text.encode() in p.read_bytes()]


def test_a_query_gives_the_findings_of_the_file(server: Postgres, sample_copy: Any) -> None:
    folder = sample_copy(SLUG, query(server))
    found, expected = rca_kit.investigate(folder).to_dict(), rca_kit.investigate(SAMPLES / SLUG).to_dict()
    assert list(differences(found, expected)) == []


def test_pushed_down_sums_equal_those_of_the_rows(server: Postgres) -> None:
    rows = pl.read_parquet(SAMPLES / SLUG / "predictions.parquet").sort("ts").head(1_500)
    server.load("few", rows)
    native = open_sql(query(server, "select * from few", push_down=True), "incident.yaml: tables.predictions")
    assert isinstance(native, Native)
    columns = Columns("ts", "binary", score="score", segments=("os",), features=("amount", "device_type"))
    plan = make_plan(columns, TimeGrid.over(rows["ts"][0], rows["ts"][-1]), rows)
    found, expected = scan(native.frame, plan), scan(to_lazy(rows), plan)
    for name, cube in expected.cubes.items():
        assert_frame_equal(found.cubes[name].frame, cube.frame, rel_tol=1e-9, abs_tol=1e-9)


def test_a_query_is_streamed_in_batches(server: Postgres, sample_copy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from rca_kit.sources import sql

    monkeypatch.setattr(sql, "BATCH_ROWS", 10_000)
    scanned = open_sql(query(server), "incident.yaml: tables.predictions")
    assert isinstance(scanned, Scanned)
    expected = pl.read_parquet(SAMPLES / SLUG / "predictions.parquet")
    assert_frame_equal(scanned.frame.collect(), expected, check_dtypes=False, check_row_order=False)


def test_the_query_is_shown_and_the_password_is_not(server: Postgres, sample_copy: Any) -> None:
    folder = sample_copy(SLUG, query(server))
    checked = run_cli("check", str(folder))
    assert checked.returncode == 0, checked.stderr
    assert "select * from log" in checked.stdout
    done = run_cli("investigate", str(folder), "--out", str(folder / "out"), "--static")
    assert done.returncode == 0, done.stderr
    assert "select * from log" in (folder / "out" / "report.html").read_text()
    for text in (checked.stdout, checked.stderr, done.stdout, done.stderr):
        assert PASSWORD not in text
    assert files_with(folder, PASSWORD) == []
    assert (folder / "out" / "notebook.ipynb").is_file()


@pytest.mark.parametrize("case", ["wrong password", "nobody listens", "bad query", "no such table", "write", "unset"])
def test_what_fails_says_why_and_shows_no_secret(case: str, server: Postgres, sample_copy: Any,
                                                 monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from rca_kit.cli import main

    spec, secret = query(server), PASSWORD
    if case == "wrong password":
        secret = "wr0ng-password-here"
        monkeypatch.setenv("RCA_TEST_PASSWORD", secret)
    elif case == "nobody listens":
        spec["uri"] = server.through(9)
    elif case == "unset":
        monkeypatch.delenv("RCA_TEST_PASSWORD")
    else:
        spec["sql"] = {"bad query": "selekt 1", "no such table": "select * from nothing_here",
                       "write": "with gone as (delete from log returning *) select * from gone"}[case]
    folder = sample_copy(SLUG, spec)
    monkeypatch.setattr(sys, "argv", ["rca-kit", "findings", str(folder)])
    with pytest.raises(SystemExit) as stop:
        sys.exit(main())
    told = capsys.readouterr()
    assert stop.value.code == 2
    assert "error:" in told.err
    assert "Traceback" not in told.err
    assert secret not in told.err + told.out
    expected = {"wrong password": "authentication", "nobody listens": "refused", "bad query": "syntax", "write": "",
                "no such table": "nothing_here", "unset": "RCA_TEST_PASSWORD"}[case]
    assert expected in told.err
    with server.connect() as c:
        assert c.execute("select count(*) from log").fetchone()[0] > 1000


def test_a_password_in_the_uri_is_refused_and_not_repeated() -> None:
    for uri in ("postgresql://kit:hunter2secret@db/log", "postgresql://db/log?user=a&password=hunter2secret"):
        with pytest.raises(BadInput) as error:
            open_sql({"sql": "select 1", "uri": uri}, "incident.yaml: tables.predictions")
        assert "hunter2secret" not in str(error.value)
        assert "${PG_PASSWORD}" in str(error.value)


def test_a_secrets_file_gives_what_the_environment_lacks(
    server: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RCA_TEST_PASSWORD")
    (tmp_path / "secrets").write_text(f"# mine\nexport RCA_TEST_PASSWORD='{PASSWORD}'\n")
    monkeypatch.setenv("RCA_KIT_SECRETS", str(tmp_path / "secrets"))
    native = open_sql(query(server, "select 1 as a"), "incident.yaml")
    assert native.label == "postgresql://127.0.0.1/postgres: select 1 as a"


def test_a_connection_that_ends_between_steps_is_said(server: Postgres) -> None:
    native = open_sql(query(server, push_down=True), "incident.yaml")
    assert isinstance(native, Native)
    with server.connect() as admin:
        admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'rca-kit'")
    with pytest.raises(RunFailed) as error:
        collect(native.frame.select(nw.len()))
    assert "stopped answering" in str(error.value)
    assert PASSWORD not in str(error.value)


def test_a_connection_dropped_half_way_leaves_a_partial_report(server: Postgres, sample_copy: Any) -> None:
    proxy = DroppingProxy(server.port, b"FETCH")
    folder = sample_copy(SLUG, {"sql": "select * from log", "uri": server.through(proxy.port)})
    earlier = folder / "runs" / "earlier"
    earlier.mkdir(parents=True)
    (earlier / "report.html").write_text("what was found before")
    done = run_cli("investigate", str(folder), "--out", str(folder / "runs" / "now"))
    assert proxy.dropped >= 1
    assert done.returncode == 4, done.stdout + done.stderr
    assert "stopped answering" in (folder / "runs" / "now" / "report.html").read_text()
    assert (earlier / "report.html").read_text() == "what was found before"
    assert "Traceback" not in done.stderr
    assert PASSWORD not in done.stdout + done.stderr
    assert files_with(folder, PASSWORD) == []
    found = run_cli("findings", str(folder))
    proxy.close()
    assert found.returncode == 4
    assert found.stdout == ""


def test_sqlite_is_streamed_in_batches(tmp_path: Path, sample_copy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from rca_kit.sources import sql

    monkeypatch.setattr(sql, "BATCH_ROWS", 5_000)
    log = pl.read_parquet(SAMPLES / SLUG / "predictions.parquet")
    text = log.with_columns(pl.col(c).dt.to_string("iso:strict") for c, t in log.schema.items() if t.is_temporal())
    with sqlite3.connect(tmp_path / "log.db") as c:
        c.execute("create table log (" + ", ".join(f'"{n}"' for n in text.columns) + ")")
        c.executemany("insert into log values (" + ",".join("?" * text.width) + ")", text.iter_rows())
    c.close()
    spec = {"sql": "select * from log", "uri": f"sqlite:///{tmp_path / 'log.db'}"}
    opened = open_case(sample_copy(SLUG, spec))
    assert opened.row_count == log.height
    assert opened.tables[0].files == ("log.db: select * from log",)
    with pytest.raises(RcaKitError, match="no such table"):
        open_sql({**spec, "sql": "select * from nowhere"}, "incident.yaml")
