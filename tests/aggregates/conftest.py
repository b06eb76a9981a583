"""A request log with everything that is awkward in it, and the same log in every engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from rca_kit.aggregates.grid import TimeGrid
from rca_kit.aggregates.plan import Columns, Plan, make_plan

T0 = datetime(2026, 3, 1, tzinfo=UTC)
TIME, SCORE, LABEL, DECISION, ERROR, LATENCY = "at time", "scoré.v2", "is fraud?", "Decision", "err type", "total.ms"
STAGE, KPI, KPI_NUMBER = "stage 1/ms", "clicked", "basket $"
SEGMENTS = ("pays région", "user.tier", "beta", "größe")
FEATURES = ("amount, EUR", "größe", "pays région", "n.items", "constant", "all null")
LABEL_KINDS: dict[str, tuple[Any, Any]] = {"bool": (True, False), "int": (1, 0), "string": ("fraud", "fine")}


def make_log(rows: int, label_kind: str = "int", seed: int = 0) -> pl.DataFrame:
    """Nulls, NaN, infinities, zero and negative latencies, empty strings, accents, and labels of the kind asked for."""
    rng = np.random.default_rng(seed)
    yes, no = LABEL_KINDS[label_kind]

    def holes(values: list[Any], share: float, what: tuple[Any, ...] = (None,)) -> list[Any]:
        gone = rng.random(rows) < share
        return [what[i % len(what)] if g else v for i, (v, g) in enumerate(zip(values, gone, strict=True))]

    score = rng.beta(2, 4, rows)
    label = rng.random(rows) < score
    odd = (None, float("nan"), float("inf"), float("-inf"))
    return pl.DataFrame(
        {
            TIME: [T0 + timedelta(seconds=float(s)) for s in np.sort(rng.uniform(0, 6 * 3600, rows)).round(3)],
            SCORE: holes(score.tolist(), 0.05, odd),
            LABEL: holes([yes if v else no for v in label], 0.1),
            DECISION: holes((score > 0.4).tolist(), 0.03),
            ERROR: [("timeout", "", "none", None, "oom größe")[k] for k in rng.choice(5, rows, p=(0.05, 0.1, 0.1, 0.7, 0.05))],
            LATENCY: holes(rng.lognormal(4, 1, rows).tolist(), 0.06, (None, 0.0, -1.0, float("inf"), float("nan"))),
            STAGE: holes(rng.lognormal(2, 1, rows).tolist(), 0.02),
            KPI: holes(rng.integers(0, 2, rows).tolist(), 0.02),
            KPI_NUMBER: holes(rng.gamma(2, 10, rows).tolist(), 0.1, odd),
            "pays région": holes(rng.choice(["France", "Österreich", "", "日本"], rows).tolist(), 0.05),
            "user.tier": holes(rng.integers(1, 4, rows).tolist(), 0.05),
            "beta": holes((rng.random(rows) < 0.3).tolist(), 0.05),
            "größe": [f"g{k:03d}" for k in np.minimum(rng.geometric(0.01, rows), 400)],
            "amount, EUR": holes(rng.lognormal(3, 1, rows).tolist(), 0.08, odd),
            "n.items": holes(rng.integers(0, 5, rows).tolist(), 0.01),
            "constant": np.ones(rows),
            "all null": pl.Series([None] * rows, dtype=pl.Float64),
        },
        schema_overrides={TIME: pl.Datetime("us", "UTC"), "user.tier": pl.Int64, KPI: pl.Int64, SCORE: pl.Float64},
        infer_schema_length=None,
    )


def make_columns(label_kind: str = "int") -> Columns:
    """All roles of the log."""
    return Columns(
        time=TIME, task="binary", score=SCORE, decision=DECISION, label=LABEL, error=ERROR, latency=LATENCY, stages=(STAGE,),
        kpis={KPI: "higher", KPI_NUMBER: "higher"}, segments=SEGMENTS, features=FEATURES,
        positive={LABEL: LABEL_KINDS[label_kind][0], DECISION: True},
    )


def plan_of(log: pl.DataFrame, label_kind: str = "int", hours: float = 6.0) -> Plan:
    """Fix a plan for a span of hours from T0, whatever rows the log holds."""
    plan = make_plan(make_columns(label_kind), TimeGrid.over(T0, T0 + timedelta(hours=hours)), log)
    return replace(plan, cut=(0.3, True))


@pytest.fixture(params=["polars", "polars lazy", "pandas", "pyarrow", "duckdb", pytest.param("pyspark", marks=pytest.mark.spark)])
def engine(request: pytest.FixtureRequest) -> Callable[[pl.DataFrame], Any]:
    """Turn a Polars frame into the table of one engine."""
    name: str = request.param

    def convert(frame: pl.DataFrame) -> Any:
        if name == "polars lazy":
            return frame.lazy()
        if name == "pandas":  # whole numbers with holes keep their type only as pandas' own nullable integers
            whole = {c: "Int64" for c, t in frame.schema.items() if t.is_integer()}
            return frame.to_pandas().astype(whole)
        if name == "pyarrow":
            return frame.to_arrow()
        if name == "pyspark":
            return request.getfixturevalue("spark").createDataFrame(frame.to_arrow())
        if name == "duckdb":
            duckdb = pytest.importorskip("duckdb")
            connection = duckdb.connect()
            connection.register("log", frame.to_arrow())
            return connection.sql("select * from log")
        return frame

    return convert
