"""Whose requests got worse, end to end: beside growing traffic, under a new name, and since a rollout's first rows."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

import rca_kit

from . import made

ROLES = ("roles: {time: ts, score: score, label: label, decision: decision, error: error, latency_ms: latency_ms, "
         "model_version: version, kpi: {clicked: higher}, segments: [device, country, city], "
         "features: [amount, age, city]}\n")


def found(frame: pl.DataFrame, folder: Path, metric: str = "log_loss", alert: datetime = made.ALERT) -> rca_kit.Findings:
    frame.drop("u").write_parquet(folder / "p.parquet")
    (folder / "incident.yaml").write_text(
        f"id: A\ntitle: t\ndetected_at: {alert.isoformat()}\nsignal: {{source: alert, metric: '{metric}'}}\n"
        "tables: {predictions: p.parquet}\n" + ROLES, encoding="utf-8")
    return rca_kit.investigate(folder)


def test_a_segment_that_grew_and_got_worse_is_the_scope(tmp_path: Path) -> None:
    busy = (pl.col("city") != "Rome") | made.AFTER | (pl.col("u") < 0.6)
    changed = made.AFTER & (pl.col("city") == "Rome")
    frame = made.log(rows=30_000).filter(busy).with_columns(
        label=pl.when(changed).then(1 - pl.col("label")).otherwise(pl.col("label")))  # the world changed its mind in one city
    seen = found(frame, tmp_path)
    assert seen.verdict == "incident"
    assert [s.where for s in seen.scope.segments] == [{"city": "Rome"}]


def test_the_rows_of_a_value_that_was_renamed_are_the_scope(tmp_path: Path) -> None:
    renamed = made.AFTER & (pl.col("city") == "Rome")
    frame = made.log(rows=30_000).with_columns(
        city=pl.when(renamed).then(pl.lit("Rome/x")).otherwise(pl.col("city")),
        score=pl.when(renamed).then(1 - pl.col("score")).otherwise(pl.col("score")))
    seen = found(frame, tmp_path)
    assert seen.verdict == "incident"
    assert [s.where for s in seen.scope.segments] == [{"city": "Rome/x"}]


def test_a_rollout_is_dated_by_its_first_rows(tmp_path: Path) -> None:
    late = made.ONSET + timedelta(hours=6)
    part = pl.when(pl.col("ts") < made.ONSET).then(0.0).when(pl.col("ts") < late).then(0.06).otherwise(1.0)
    hit = pl.col("u") < part
    frame = made.log(rows=40_000).with_columns(
        amount=pl.when(hit).then(pl.col("amount") * 1000).otherwise(pl.col("amount")),
        score=pl.when(hit).then(pl.lit(0.97)).otherwise(pl.col("score")))
    seen = found(frame, tmp_path, alert=late + timedelta(hours=3))
    assert seen.symptom.onset is not None
    assert abs(seen.symptom.onset - made.ONSET) <= timedelta(hours=1.5)


@pytest.mark.parametrize(("bad", "seeds"), [(True, (0,)), (False, (1, 2, 3))])
def test_a_canary_that_does_worse_beside_the_others_is_an_incident(tmp_path: Path, bad: bool, seeds: tuple[int, ...]) -> None:
    canary = made.AFTER & (pl.col("u") < 0.1)
    for seed in seeds:
        folder = tmp_path / str(seed)
        folder.mkdir()
        frame = made.log(rows=30_000, seed=seed).with_columns(version=pl.when(canary).then(pl.lit("v2")).otherwise(pl.lit("v1")))
        wrong = pl.when(canary & (pl.col("score") > 0.35)).then(pl.col("score") * 0.5).otherwise(pl.col("score"))
        seen = found(frame.with_columns(score=wrong) if bad else frame, folder, "kpi:clicked")
        assert (seen.verdict == "incident") is bad
        if bad:
            assert [s.where for s in seen.scope.segments] == [{"version": "v2"}]
            assert seen.suspects.items[0].subject == "model:v2"
