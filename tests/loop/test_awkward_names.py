"""Columns that are called as tables of counts like to call theirs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import rca_kit

from . import made
from .test_told_twice import with_ids

NAMES = ("n", "count", "len", "value", "rows", "proportion", "key", "index", "hit", "again", "bucket", "sum", "literal")


def investigated(folder: Path, names: tuple[str, str, str, str], frame: pl.DataFrame) -> Any:
    one, two, category, number = names
    frame = frame.rename({"device": one, "country": two, "city": category, "amount": number}).drop("u").sort("ts")
    frame.write_parquet(folder / "p.parquet")
    (folder / "incident.yaml").write_text(
        f"id: A\ntitle: t\ndetected_at: {made.ALERT.isoformat()}\nsignal: {{source: alert, metric: 'psi:{two}'}}\n"
        "tables: {predictions: p.parquet}\nroles: {time: ts, request_id: id, score: score, label: label, decision: decision, "
        f"error: error, latency_ms: latency_ms, model_version: version, segments: ['{one}', '{two}'], "
        f"features: ['{number}', age, '{category}']}}\n", encoding="utf-8")
    return rca_kit.investigate(folder)


@pytest.mark.parametrize("shift", [0, 1, 2, 3])
@pytest.mark.parametrize(("fault", "verdict"), [
    ("nulls", "incident"), ("scores android", "incident"), ("newcomers", "benign_shift")])
def test_a_column_may_be_called_like_a_count(tmp_path: Path, shift: int, fault: str, verdict: str) -> None:
    frame = with_ids(6000).with_columns(made.FAULTS.get(fault, []))
    if fault == "newcomers":
        came = made.AFTER & (pl.col("u") < 0.3)
        frame = frame.with_columns(country=pl.when(came).then(pl.lit("ZZ")).otherwise(pl.col("country")))
    names = (*NAMES[shift:4], *NAMES[:shift])
    found = investigated(tmp_path, names, frame)  # type: ignore[arg-type]
    assert found.verdict == found.to_dict()["verdict"] == verdict
    if fault == "scores android":
        assert [s.where for s in found.scope.segments] == [{names[0]: "android"}]


def test_tables_with_such_columns_are_compared_and_kept(tmp_path: Path) -> None:
    def table(seed: int) -> pl.DataFrame:
        rng = np.random.default_rng(seed)
        texts = {f"{n}": rng.choice(["p", "q", "r"], 3000, p=[0.5, 0.3, 0.2] if seed else [0.2, 0.3, 0.5]) for n in NAMES}
        return pl.DataFrame({**texts, **{f"{n} 2": rng.normal(size=3000) for n in NAMES}})

    compared = rca_kit.compare(table(0), table(1))
    assert {c.column for c in compared.columns if c.changed} == set(NAMES)
    rca_kit.profile(table(0)).save(tmp_path / "kept")
    assert (tmp_path / "kept").stat().st_size > 0
