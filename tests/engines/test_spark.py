"""Spark: the same findings as Polars, computed where the data are; one session for the suite."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import polars.selectors as cs
import pytest
from polars.testing import assert_frame_equal

import rca_kit
from rca_kit.errors import BadInput, RunFailed
from rca_kit.sources import open_case

from .same import differences

pytestmark = [pytest.mark.spark, pytest.mark.timeout(1200)]
SAMPLES = Path(__file__).resolve().parents[2] / "data" / "samples"
SLUG = "auc-drop-null-feature"
SLUGS = sorted(p.name for p in SAMPLES.iterdir() if (p / "incident.yaml").is_file())
FEW = (SLUG, "quiet-day", "latency-embedding", "prompt-injection")  # a binary, a quiet, a service and a text case
ROWS = 400_000


@pytest.mark.parametrize("slug", [pytest.param(s, marks=() if s in FEW else pytest.mark.slow) for s in SLUGS])
def test_samples_give_the_same_findings_by_spark(slug: str, spark: Any) -> None:
    found, expected = rca_kit.investigate(SAMPLES / slug, engine="spark"), rca_kit.investigate(SAMPLES / slug)
    assert list(differences(found.to_dict(), expected.to_dict())) == []


@pytest.fixture(scope="module")
def table(spark: Any) -> str:
    """A log of 400,000 rows that is made inside Spark; the scores of one device fall for the last hours."""
    log = spark.range(ROWS).selectExpr(
        "timestamp'2026-03-01 00:00:00' + make_dt_interval(0, 0, 0, id * 0.6) as ts", "id as request_id",
        "pmod(hash(id), 10007) / 10007.0 as score", "cast(pmod(hash(id, 1), 10) = 0 as int) as label",
        "element_at(array('ios', 'android', 'web'), pmod(hash(id, 2), 3) + 1) as device",
        "pmod(hash(id, 3), 1000) / 10.0 as `amount.eur`", "array(1, 2) as tags",
        "case when id > 350000 and pmod(hash(id, 2), 3) = 1 and pmod(hash(id, 4), 4) = 0 then 'timeout' end as error")
    spark.sql("create database if not exists logs")
    log.write.mode("overwrite").saveAsTable("logs.predictions")
    return "logs.predictions"


@pytest.fixture
def collected(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Rows that leave Spark, call by call; ways out other than Arrow fail."""
    from pyspark.sql.classic.dataframe import DataFrame

    rows: list[int] = []
    to_arrow = DataFrame.toArrow

    def counted(self: Any) -> Any:
        out = to_arrow(self)
        rows.append(out.num_rows)
        return out

    def never(*_: Any, **__: Any) -> Any:
        raise AssertionError("rows left Spark by another way")

    monkeypatch.setattr(DataFrame, "toArrow", counted)
    for other in ("toPandas", "toLocalIterator"):
        monkeypatch.setattr(DataFrame, other, never)
    return rows


def case_of(sample_copy: Any, table: str) -> Path:
    roles = {"time": "ts", "request_id": "request_id", "score": "score", "label": "label", "error": "error",
             "segments": ["device"], "features": ["amount.eur"]}
    return sample_copy(SLUG, {"spark": table}, roles=roles, slos=None, redact=None, models=None, task="binary",
                       detected_at="2026-03-03T18:30:00Z", signal={"metric": "error_rate"})


def test_nothing_but_sums_and_samples_leaves_spark(table: str, sample_copy: Any, collected: list[int]) -> None:
    found = rca_kit.investigate(case_of(sample_copy, table))
    assert found.to_dict()["symptom"]["onset"].startswith("2026-03-03T1")
    assert found.to_dict()["scope"]["segments"][0]["where"] == {"device": "android"}
    assert any("tags" in w for w in found.to_dict()["warnings"])
    # the sample for the roles, the sample for the plan, two windows for the checks, twins: 50,000 each at most
    assert max(collected) <= 75_000
    assert sum(collected) <= 500_000  # whatever the length of the log: DuckDB's test asks for the same of a longer one
    assert len(collected) <= 40


def test_a_table_gives_the_findings_of_the_file(spark: Any, sample_copy: Any) -> None:
    spark.read.parquet(str(SAMPLES / SLUG / "predictions.parquet")).createOrReplaceTempView("sample_log")
    folder = sample_copy(SLUG, {"spark": "sample_log"})
    opened = open_case(folder)
    assert opened.engine == "spark"
    assert opened.tables[0].files == ("spark: sample_log",)
    assert list(differences(rca_kit.investigate(opened).to_dict(), rca_kit.investigate(SAMPLES / SLUG).to_dict())) == []


def test_frames_are_taken_where_tables_are(spark: Any, collected: list[int]) -> None:
    some = ["ts", "country", "os", "amount", "merchant_risk", "score", "is_fraud"]  # Spark takes three jobs for each
    log = pl.read_parquet(SAMPLES / SLUG / "predictions.parquet", columns=some)
    cut = log["ts"][log.height // 2]
    sides = [log.filter(pl.col("ts") < cut), log.filter(pl.col("ts") >= cut)]
    frames = [spark.createDataFrame(s.to_arrow()) for s in sides]
    found, expected = rca_kit.compare(*frames), rca_kit.compare(*sides)
    key = ["column", "kind", "changed", "null_rate_before", "null_rate_after"]
    assert_frame_equal(found.frame().select(key).sort("column"), expected.frame().select(key).sort("column"), rel_tol=1e-9)
    assert max(collected) < 0.7 * min(s.height for s in sides)  # rows by block of time and cell, never the column
    n = pl.len().cast(pl.Int64)  # Spark takes no unsigned numbers
    grouped = sides[0].group_by("os", "country").agg(k0=n, n0=n * 20).join(
        sides[1].group_by("os", "country").agg(k1=n * 2, n1=n * 20), on=["os", "country"])
    wheres = [[s.where for s in rca_kit.localize(t, ["os", "country"], actual=("k1", "n1"), expected=("k0", "n0"))]
              for t in (grouped, spark.createDataFrame(grouped.to_arrow()))]
    assert wheres[0] == wheres[1]
    shadow = pl.DataFrame({"request_id": range(500), "primary": [i / 500 for i in range(500)]}).with_columns(
        candidate=pl.col("primary") * 0.9)
    verdicts = [rca_kit.compare_shadow(t).verdict for t in (shadow, spark.createDataFrame(shadow.to_arrow()))]
    assert verdicts[0] == verdicts[1]


@pytest.mark.parametrize(("name", "says"), [("logs.prediction", "there is no Spark table"), ("no such name", "Spark table")])
def test_a_table_that_is_not_there_is_said(name: str, says: str, spark: Any, sample_copy: Any) -> None:
    with pytest.raises(BadInput, match=says):
        open_case(sample_copy(SLUG, {"spark": name}))


def test_naive_times_are_utc_in_any_session(spark: Any, sample_copy: Any) -> None:
    spark.sql("select timestamp_ntz'2026-03-01 00:00:00' + make_dt_interval(0, 0, 0, id) as ts, id / 100.0 as score "
              "from range(100)").createOrReplaceTempView("naive")
    roles = {"time": "ts", "score": "score"}
    folder = sample_copy(SLUG, {"spark": "naive"}, roles=roles, slos=None, redact=None, task="regression")
    spark.conf.set("spark.sql.session.timeZone", "Asia/Kathmandu")
    try:
        first, last = open_case(folder).time_range
    finally:
        spark.conf.set("spark.sql.session.timeZone", "UTC")
    assert (first.isoformat(), last.isoformat()) == ("2026-03-01T00:00:00+00:00", "2026-03-01T00:01:39+00:00")


def test_files_that_vanish_half_way_are_said(spark: Any, sample_copy: Any, tmp_path: Path) -> None:
    folder = sample_copy(SLUG)
    in_us = pl.read_parquet(folder / "predictions.parquet").with_columns(cs.datetime().dt.cast_time_unit("us"))
    in_us.write_parquet(folder / "predictions.parquet")  # Spark reads the file itself where nothing has to be done to it
    opened = open_case(folder, engine="spark")
    (folder / "predictions.parquet").write_bytes((folder / "predictions.parquet").read_bytes()[:40_000])
    with pytest.raises(RunFailed, match="Spark stopped answering"):
        rca_kit.investigate(opened)
