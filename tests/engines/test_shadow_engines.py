"""Shadow tables that an engine holds: paired and counted there, a bounded and stated draw of requests fetched."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import rca_kit
from rca_kit.loop.versions.gates import shadow_case
from rca_kit.loop.versions.watch import watch_shadow
from rca_kit.sources import requests
from rca_kit.sources.collect import collect

from .servers import PASSWORD, Postgres, postgres

duckdb = pytest.importorskip("duckdb")
DRAWN = 5_000


def make(n: int = 40_000, shift: float = 0.0, seed: int = 0) -> pl.DataFrame:
    """Answers of alike versions but for `shift` on ios; one request in 50 comes twice, one in 25 has one answer only."""
    rng = np.random.default_rng(seed)
    base = rng.beta(2, 5, n)
    device = rng.choice(["ios", "android", "web"], n)
    t = pl.DataFrame({"request_id": [f"r{i}" for i in range(n)], "device": device,
                      "primary": base + rng.normal(0, 0.02, n), "secondary": base + rng.normal(0, 0.02, n),
                      "candidate": base + rng.normal(0, 0.02, n) + shift * (device == "ios")})
    t = t.with_columns(candidate=pl.when(pl.int_range(pl.len()) % 25 == 0).then(None).otherwise("candidate"))
    return pl.concat([t, t.filter(pl.int_range(pl.len()) % 50 == 1)])


def relation(frame: pl.DataFrame) -> Any:
    connection = duckdb.connect()
    connection.register("arrived", frame.to_arrow())
    connection.execute("create table shadow as select * from arrived order by hash(request_id)")
    return connection.table("shadow")


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Rows that leave the engine, call by call, with a draw small enough to be tested."""
    rows: list[int] = []

    def counted(frame: Any) -> pl.DataFrame:
        out = collect(frame)
        rows.append(out.height)
        return out

    monkeypatch.setattr(requests, "DRAWN", DRAWN)
    monkeypatch.setattr(requests, "collect", counted)
    return rows


@pytest.mark.parametrize(("shift", "verdict"), [(0.0, "equivalent"), (0.05, "different")])
def test_a_draw_in_duckdb_tells_what_the_whole_table_tells(shift: float, verdict: str, fetched: list[int]) -> None:
    table = make(shift=shift)
    drawn, whole = rca_kit.compare_shadow(relation(table)), rca_kit.compare_shadow(table)
    assert drawn.verdict == whole.verdict == verdict
    assert [s.where for s in drawn.segments] == [s.where for s in whole.segments] == ([{"device": "ios"}] if shift else [])
    assert max(fetched) < 1.2 * DRAWN
    note = drawn.notes[0]
    assert "the table holds 40,800 rows of 40,000 requests, 1,600 of them answered by one version only" in note
    assert "drawn by a hash of `request_id`" in note
    assert whole.pairing["unmatched"].count == 1600
    # a request comes with all its rows: doubled and unmatched ones are in the draw as they are in the table
    counts = drawn.pairing
    assert counts["duplicates"].count / counts["rows"].count == pytest.approx(800 / 40_800, rel=0.35)
    assert counts["unmatched"].count / counts["rows"].count == pytest.approx(1600 / 40_800, rel=0.35)
    assert fetched.count(1) == 2  # the number of rows, and the sums by request


def test_the_draw_is_the_same_each_time_and_independent_of_order(fetched: list[int]) -> None:
    table = make()
    first, second = (requests.fetch_requests(rca_kit.sources.to_lazy(relation(t)), "request_id", ("primary", "candidate"))[0]
                     for t in (table, table.reverse()))
    assert first.equals(second)
    assert len(fetched) == 6


def test_a_small_table_is_compared_whole(fetched: list[int]) -> None:
    table = make(3000)
    got = rca_kit.compare_shadow(relation(table))
    assert got.pairing["rows"].count == table.height
    assert not any("drawn" in n for n in got.notes)


def test_rows_without_ids_are_drawn_by_their_values(fetched: list[int]) -> None:
    table = make(shift=0.05).drop("request_id")
    connection = duckdb.connect()
    connection.register("shadow", table.to_arrow())
    got = rca_kit.compare_shadow(connection.table("shadow"))
    assert got.verdict == "different"
    assert max(fetched) < 1.2 * DRAWN
    nulls = make().with_columns(request_id=pl.lit(None, pl.String))
    assert len(rca_kit.compare_shadow(relation(nulls.with_columns(request_id=pl.lit(None, pl.String)))).pairing) > 0
    assert max(fetched) < 1.2 * DRAWN


def test_a_lazy_polars_table_is_held_whole_until_it_is_too_large(fetched: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    table = make()
    assert rca_kit.compare_shadow(table.lazy()).pairing["rows"].count == table.height
    monkeypatch.setattr(requests, "MAX_HELD", 10_000)
    got = rca_kit.compare_shadow(table.lazy())
    assert got.pairing["rows"].count == pytest.approx(DRAWN, rel=0.2)
    assert got.verdict == "equivalent"
    assert rca_kit.compare_shadow(table).pairing["rows"].count == table.height  # a frame that is held already


@pytest.mark.parametrize("spec", [{"duckdb": "shadow.duckdb", "table": "shadow"}, "shadow.duckdb"])
def test_the_shadow_table_of_a_case_stays_in_its_engine(spec: Any, sample_copy: Callable[..., Path], fetched: list[int]) -> None:
    tables = {"predictions": "predictions.parquet", "changes": "changes.csv", "shadow": spec}
    folder = sample_copy("auc-drop-null-feature", tables=tables)
    with duckdb.connect(str(folder / "shadow.duckdb")) as connection:
        connection.register("arrived", make(shift=0.05).to_arrow())
        connection.execute("create table shadow as select * from arrived")
    found, code = shadow_case(folder)
    assert (found.verdict, code) == ("different", 1)
    assert "the table holds 40,800 rows" in found.notes[0]
    assert max(fetched) < 1.2 * DRAWN


def test_a_live_watch_is_drawn_too_and_says_so(fetched: list[int]) -> None:
    n = 40_000
    table = make(n, shift=0.3).head(n).with_columns(time=pl.datetime(2026, 3, 1) + pl.duration(seconds=pl.int_range(n)))
    found = watch_shadow(relation(table), secondary="secondary")
    assert found.verdict == "different"
    assert "drawn by a hash" in found.says()
    assert [look.time for look in found.looks] == sorted(look.time for look in found.looks)


@pytest.fixture(scope="module")
def server():
    with postgres() as running:
        yield running


def test_postgresql_draws_the_same_requests(server: Postgres, fetched: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    from rca_kit.sources.sql import open_sql

    monkeypatch.setenv("RCA_TEST_PASSWORD", PASSWORD)
    table = make(20_000)
    server.load("shadow", table)
    native = open_sql({"sql": "select * from shadow", "uri": server.uri, "push_down": True}, "incident.yaml: tables.shadow")
    answers = ("primary", "candidate")
    there, note = requests.fetch_requests(native.frame, "request_id", answers)
    here, same = requests.fetch_requests(rca_kit.sources.to_lazy(relation(table)), "request_id", answers)
    assert set(there["request_id"]) == set(here["request_id"])
    assert there.height == here.height == pytest.approx(DRAWN, rel=0.2)
    assert note == same


@pytest.mark.spark
@pytest.mark.timeout(600)
def test_spark_draws_the_same_requests(spark: Any, fetched: list[int]) -> None:
    table = make(20_000, shift=0.05)
    frame = spark.createDataFrame(table.to_arrow())
    got = rca_kit.compare_shadow(frame)
    assert got.verdict == "different"
    assert max(fetched) < 1.2 * DRAWN
    there, _ = requests.fetch_requests(rca_kit.sources.to_lazy(frame), "request_id", ("primary", "candidate"))
    here, _ = requests.fetch_requests(rca_kit.sources.to_lazy(relation(table)), "request_id", ("primary", "candidate"))
    assert set(there["request_id"]) == set(here["request_id"])
