"""DuckDB files, relations and all samples by DuckDB; more data than memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl
import pytest
import yaml

import rca_kit
from rca_kit.aggregates.grid import TimeGrid
from rca_kit.aggregates.plan import Columns, make_plan
from rca_kit.aggregates.scan import scan
from rca_kit.errors import BadInput
from rca_kit.sources import columns, open_case, to_lazy
from rca_kit.sources.columns import SAMPLE_ROWS

from .same import differences

duckdb = pytest.importorskip("duckdb")
SAMPLES = Path(__file__).resolve().parents[2] / "data" / "samples"
SLUG = "auc-drop-null-feature"
SLUGS = sorted(p.name for p in SAMPLES.iterdir() if (p / "incident.yaml").is_file())
FEW = (SLUG, "quiet-day", "latency-embedding", "prompt-injection")  # a binary, a quiet, a service and a text case


def log_file(folder: Path, *statements: str) -> Path:
    path = folder / "log.duckdb"
    with duckdb.connect(str(path)) as c:
        c.execute(f"create table predictions as select * from read_parquet('{SAMPLES / SLUG / 'predictions.parquet'}')")
        for statement in statements:
            c.execute(statement)
    return path


@pytest.mark.parametrize("slug", [pytest.param(s, marks=() if s in FEW else pytest.mark.slow) for s in SLUGS])
def test_samples_give_the_same_findings_by_duckdb(slug: str) -> None:
    found, expected = rca_kit.investigate(SAMPLES / slug, engine="duckdb"), rca_kit.investigate(SAMPLES / slug)
    assert list(differences(found.to_dict(), expected.to_dict())) == []


@pytest.mark.parametrize("spec", [
    {"duckdb": "log.duckdb", "table": "predictions"}, {"duckdb": "log.duckdb", "sql": "select * from predictions"},
    {"path": "log.duckdb"}, "log.duckdb",
])
def test_a_duckdb_file_is_asked_where_it_is(spec: Any, sample_copy: Any) -> None:
    folder = sample_copy(SLUG, spec)
    log_file(folder)
    opened = open_case(folder)
    assert opened.engine == "duckdb"
    assert opened.row_count == 64_427
    assert opened.tables[0].files[0].startswith("log.duckdb: ")
    assert len(opened.tables[0].sha256) == 64


def test_a_duckdb_table_gives_the_findings_of_the_file(sample_copy: Any) -> None:
    folder = sample_copy(SLUG, {"duckdb": "log.duckdb", "table": "predictions"})
    log_file(folder)
    assert list(differences(rca_kit.investigate(folder).to_dict(), rca_kit.investigate(SAMPLES / SLUG).to_dict())) == []


@pytest.fixture
def collected(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Rows that leave DuckDB, result by result; ways out other than the one of narwhals fail."""
    rows: list[int] = []
    leave = nw.LazyFrame.collect

    def counted(self: Any, *given: Any, **named: Any) -> Any:
        out = leave(self, *given, **named)
        if not self.implementation.is_polars():
            rows.append(len(out))
        return out

    monkeypatch.setattr(nw.LazyFrame, "collect", counted)
    return rows


def test_nothing_but_sums_and_samples_leaves_duckdb(sample_copy: Any, collected: list[int]) -> None:
    """A log three times as long as what is looked at whole; errors rise on android at the end."""
    rows = 3 * SAMPLE_ROWS
    roles = {"time": "ts", "request_id": "request_id", "score": "score", "label": "label", "error": "error",
             "segments": ["device"], "features": ["amount"]}
    folder = sample_copy(SLUG, {"duckdb": "big.duckdb", "table": "predictions"}, roles=roles, slos=None, redact=None, models=None,
                         task="binary", detected_at="2026-03-03T18:30:00Z", signal={"metric": "error_rate"})
    with duckdb.connect(str(folder / "big.duckdb")) as c:
        c.execute(f"""create table predictions as select
            timestamptz '2026-03-01 00:00:00+00' + to_microseconds(i * {240_000_000_000 // rows}) as ts, i as request_id,
            (hash(i) % 10007) / 10007.0::double as score, (hash(i + 1) % 10 = 0)::int as label,
            ['ios', 'android', 'web'][1 + (hash(i + 2) % 3)::int] as device, (hash(i + 3) % 1000) / 10.0::double as amount,
            case when i > {rows * 7 // 8} and hash(i + 2) % 3 = 1 and hash(i + 4) % 4 = 0 then 'timeout' end as error
            from range({rows}) t(i)""")
    found = rca_kit.investigate(folder).to_dict()
    assert found["scope"]["segments"][0]["where"] == {"device": "android"}
    assert 40_000 < max(collected) <= 75_000  # the draws; clumps are looked for in as many rows
    assert len(collected) <= 40
    assert sum(collected) <= 500_000  # and no more of a hundred million rows


def test_a_log_of_files_is_not_read_into_memory_for_another_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[int] = []
    leave, leave_all = pl.LazyFrame.collect, pl.collect_all

    def counted(self: Any, *given: Any, **named: Any) -> Any:
        out = leave(self, *given, **named)
        held.append(out.height)
        return out

    def counted_all(*given: Any, **named: Any) -> Any:
        out = leave_all(*given, **named)
        held.extend(frame.height for frame in out)
        return out

    monkeypatch.setattr(pl.LazyFrame, "collect", counted)
    monkeypatch.setattr(pl, "collect_all", counted_all)
    monkeypatch.setattr(columns, "SAMPLE_ROWS", 5_000)
    assert open_case(SAMPLES / SLUG, engine="duckdb").row_count == 64_427
    assert max(held) <= 20_000  # the other tables show their first rows
    open_case(SAMPLES / SLUG)
    assert max(held) == 64_427  # what Polars reads fits in memory, and is read once


def test_a_comparison_fetches_no_more_of_a_log_four_times_as_long(collected: list[int]) -> None:
    def table(rows: int, seed: int) -> Any:
        c = duckdb.connect()
        return c.sql(f"""select
            timestamptz '2026-03-01 00:00:00+00' + to_microseconds((i * {86_400_000_000 // rows})::bigint) as ts,
            (hash(i + {seed}) % 100003) / 100003.0 as score, sqrt(hash(i + {seed + 1}) % 10007) as amount,
            ['ios', 'android', 'web'][1 + (hash(i + {seed + 2}) % 3)::int] as device from range({rows}) t(i)""")

    fetched = []
    for rows in (50_000, 200_000):
        collected.clear()
        found = rca_kit.compare(table(rows, 1), table(rows, 10**7))
        assert found.changed == ()
        fetched.append(sum(collected))
    assert fetched[1] <= 1.5 * fetched[0]


@pytest.mark.parametrize(("spec", "says"), [
    ({"duckdb": "lok.duckdb", "table": "predictions"}, "did you mean `log.duckdb`"),
    ({"duckdb": "log.duckdb", "table": "prediction"}, "did you mean `predictions`"),
    ({"duckdb": "log.duckdb"}, "which table"),
    ({"duckdb": "log.duckdb", "sql": "select nothing from predictions"}, "nothing"),
    ({"duckdb": "log.duckdb", "sql": "select ts::varchar as ts, score from predictions"}, "CAST(ts AS TIMESTAMP"),
    ({"duckdb": "broken.duckdb", "table": "predictions"}, "cannot be read by DuckDB"),
])
def test_what_cannot_be_used_is_said(spec: Any, says: str, sample_copy: Any) -> None:
    folder = sample_copy(SLUG, spec, roles={"time": "ts"}, slos=None, redact=None)
    log_file(folder, "create table other as select 1 as a")
    (folder / "broken.duckdb").write_bytes(b"x" * 20_000)
    with pytest.raises(BadInput) as error:
        open_case(folder)
    assert says in str(error.value)


@pytest.mark.slow
def test_a_log_larger_than_the_memory_it_may_use_is_summed(tmp_path: Path, sample_copy: Any) -> None:
    """4M rows are some 250 MB of columns; DuckDB gets 150 MB."""
    roles = {"time": "ts", "request_id": "request_id", "score": "score", "label": "is_fraud", "segments": ["device"],
             "features": ["amount"]}
    spec = {"duckdb": "big.duckdb", "table": "predictions", "memory_limit": "150MB"}
    folder = sample_copy(SLUG, spec, roles=roles, slos=None, redact=None)
    rows = 4_000_000
    with duckdb.connect(str(folder / "big.duckdb")) as c:
        c.execute("set preserve_insertion_order = false")
        c.execute("set threads = 1")
        c.execute(f"""create table predictions as select
            timestamptz '2026-03-01 00:00:00+00' + to_microseconds(i * 43200) as ts, i as request_id,
            (hash(i) % 100000) / 100000.0 as score, hash(i + 1) % 10 = 0 as is_fraud,
            md5(i::varchar) as session, ['ios', 'android', 'web'][1 + (hash(i + 2) % 3)::int] as device,
            (hash(i + 3) % 1000)::double as amount from range({rows}) t(i)""")
    assert (folder / "big.duckdb").stat().st_size > 150_000_000
    opened = open_case(folder)
    assert opened.row_count == rows
    from rca_kit.loop.reading.prepare import prepare

    aggregates = prepare(opened).aggregates
    assert aggregates.cubes["time"].frame["n"].sum() == rows
    assert aggregates.cubes["segment:device"].frame["n"].sum() == rows


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_findings_on_a_log_larger_than_memory_are_those_of_polars(sample_copy: Any) -> None:
    """1.5M rows with three columns of hashes are a file of 88 MB; DuckDB gets 80 MB. Errors rise on android at the end."""
    roles = {"time": "ts", "request_id": "request_id", "score": "score", "label": "label", "error": "error",
             "segments": ["device", "country"], "features": ["amount"]}
    told = {"roles": roles, "slos": None, "redact": None, "models": None, "task": "binary", "signal": {"metric": "error_rate"},
            "detected_at": "2026-03-03T18:30:00Z"}
    folder = sample_copy(SLUG, {"duckdb": "big.duckdb", "table": "predictions", "memory_limit": "80MB"}, **told)
    rows = 1_500_000
    with duckdb.connect(str(folder / "big.duckdb")) as c:
        c.execute("set preserve_insertion_order = false")
        c.execute("set threads = 1")
        c.execute(f"""create table predictions as select
            timestamptz '2026-03-01 00:00:00+00' + to_microseconds(i * 160000) as ts, i as request_id,
            (hash(i) % 100000) / 100000.0 as score, (hash(i + 1) % 10 = 0)::int as label,
            md5(i::varchar) as session, md5((i + 1)::varchar) as visitor, md5((i + 2)::varchar) as trace,
            ['ios', 'android', 'web'][1 + (hash(i + 2) % 3)::int] as device,
            ['DE', 'FR', 'IT', 'ES'][1 + (hash(i + 5) % 4)::int] as country, (hash(i + 3) % 1000)::double as amount,
            case when i > 1350000 and hash(i + 2) % 3 = 1 and hash(i + 4) % 4 = 0 then 'timeout' end as error
            from range({rows}) t(i)""")
        c.execute(f"copy predictions to '{folder / 'log.parquet'}' (format parquet)")
    assert (folder / "big.duckdb").stat().st_size > 80_000_000
    found = rca_kit.investigate(folder).to_dict()
    assert found["verdict"] == "incident"
    assert found["scope"]["segments"][0]["where"] == {"device": "android"}
    text = (folder / "incident.yaml").read_text()
    spec = yaml.safe_load(text)
    spec["tables"]["predictions"] = "log.parquet"
    (folder / "incident.yaml").write_text(yaml.safe_dump(spec))
    assert list(differences(found, rca_kit.investigate(folder).to_dict())) == []


def test_a_relation_is_taken_where_tables_are() -> None:
    rows = pl.read_parquet(SAMPLES / SLUG / "predictions.parquet")
    half = rows.height // 2
    connection = duckdb.connect()
    connection.register("log", rows.to_arrow())
    sides = [connection.sql(f"select * from log where ts {op} '{rows['ts'][half]}'") for op in ("<", ">=")]
    cut = rows["ts"][half]
    found = rca_kit.compare(*sides).frame()
    expected = rca_kit.compare(rows.filter(pl.col("ts") < cut), rows.filter(pl.col("ts") >= cut)).frame()
    assert found["column"].to_list() == expected["column"].to_list()
    assert found["changed"].to_list() == expected["changed"].to_list()


def test_aggregates_of_a_relation_equal_those_of_its_rows() -> None:
    first, last = (pl.datetime(2026, 3, day, time_zone="UTC") for day in (1, 2))
    rows = pl.select(t=pl.datetime_range(first, last, "1m")).with_columns(d=pl.int_range(pl.len()) % 3)
    plan = make_plan(Columns("t", "binary", segments=("d",)), TimeGrid.over(rows["t"][0], rows["t"][-1]), rows)
    connection = duckdb.connect()
    connection.register("log", rows.to_arrow())
    found, expected = (scan(to_lazy(f), plan) for f in (connection.table("log"), rows))
    assert found.cubes["segment:d"].frame.equals(expected.cubes["segment:d"].frame)


def test_all_columns_together_are_compared_on_a_draw_of_the_table_not_on_its_beginning(monkeypatch: Any) -> None:
    """The first rows of either side are alike; what changed lies further on."""
    monkeypatch.setattr("rca_kit.loop.compare.deep.SAMPLED", 3_000)
    rng = np.random.default_rng(0)
    n = 12_000
    sides = [pl.DataFrame({"x": rng.normal(size=n), "y": rng.normal(size=n), "g": rng.integers(0, 3, n)}) for _ in range(2)]
    sides[1] = sides[1].with_columns(y=pl.when(pl.int_range(n) > 4_000).then(pl.col("x") + 0.3 * pl.col("y")).otherwise("y"))
    connection = duckdb.connect()
    relations = []
    for i, side in enumerate(sides):
        connection.register(f"side{i}", side.to_arrow())
        relations.append(connection.table(f"side{i}"))
    found, again = (rca_kit.compare(*relations, multivariate=True) for _ in range(2))
    assert found.classifier is not None and found.classifier.differs
    assert [(r.first, r.second) for r in found.relations] == [("x", "y")]
    assert found.classifier == again.classifier
