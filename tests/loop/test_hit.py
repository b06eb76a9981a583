"""Who is hit, where the whole shows little: the segment that an entry names, and a range behind a value that holds some of it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import rca_kit

from . import made

HOUR = timedelta(hours=1)


def case(folder: Path, flipped: float, seed: int, entry_after: float = 0.5, scope: str = "device=ios;shop=s3") -> Path:
    """Twelve shops; in one of them, on one device, a part of the labels is the other way round since the onset."""
    frame, rng = made.log(rows=30_000, seed=seed), np.random.default_rng([seed, 9])
    frame = frame.with_columns(pl.Series("shop", rng.choice([f"s{i}" for i in range(12)], frame.height)))
    here = made.AFTER & (pl.col("shop") == "s3") & (pl.col("device") == "ios") & (pl.col("score") > 0.5) & (pl.col("u") < flipped)
    frame = frame.with_columns(pl.when(here).then(0).otherwise(pl.col("label")).alias("label"))
    folder.mkdir()
    frame.drop("u").write_parquet(folder / "p.parquet")
    at = (made.ONSET + entry_after * HOUR).isoformat()
    (folder / "c.csv").write_text(
        f"id,time,kind,component,description,scope,version_from,version_to\nc1,{at},other,market,strike reported,{scope},,\n",
        encoding="utf-8")
    (folder / "incident.yaml").write_text(
        f"id: A\ntitle: t\ndetected_at: {made.END.isoformat()}\n"
        "signal: {source: alert, metric: log_loss, summary: something is off}\n"
        "tables: {predictions: p.parquet, changes: c.csv}\n"
        "roles: {time: ts, score: score, label: label, decision: decision, error: error, latency_ms: latency_ms, "
        "model_version: version, kpi: {clicked: higher}, segments: [device, country, shop], features: [amount, age, city]}\n",
        encoding="utf-8")
    return folder


@pytest.mark.parametrize("seed", range(2))
def test_the_segment_that_an_entry_names_is_looked_at(seed: int, tmp_path: Path) -> None:
    found = rca_kit.investigate(case(tmp_path / "case", 0.85, seed))
    assert found.verdict == "incident"
    assert [s.where for s in found.scope.segments] == [{"device": "ios", "shop": "s3"}]
    assert found.symptom.onset is not None
    assert abs(found.symptom.onset - made.ONSET) <= 3 * HOUR
    assert found.suspects.items[0].change_id == "c1"


@pytest.mark.parametrize("seed", range(4))
def test_an_entry_that_names_a_segment_where_all_is_well_changes_nothing(seed: int, tmp_path: Path) -> None:
    assert rca_kit.investigate(case(tmp_path / "case", 0.0, seed)).verdict == "no_change"


@pytest.mark.parametrize("seed", range(2))
def test_a_range_that_holds_all_of_a_fall_is_named_before_a_value_that_holds_some(seed: int, tmp_path: Path) -> None:
    """Labels of whoever is sixty or older turn; six in ten of these come by one kiosk, and three in ten of the others."""
    folder = case(tmp_path / "case", 0.0, seed, scope="")
    frame, rng = made.log(rows=30_000, seed=seed), np.random.default_rng([seed, 3])
    by_kiosk = rng.random(frame.height) < np.where(frame["age"].to_numpy() >= 60, 0.6, 0.3)
    turned = made.AFTER & (pl.col("age") >= 60) & (pl.col("u") < 0.5)
    label = pl.when(turned).then(1 - pl.col("label")).otherwise(pl.col("label")).alias("label")
    frame = frame.with_columns(pl.Series("shop", np.where(by_kiosk, "kiosk", "web")), label)
    frame.drop("u").write_parquet(folder / "p.parquet")
    found = rca_kit.investigate(folder)
    assert found.verdict == "incident"
    (segment,) = found.scope.segments
    assert set(segment.where) == {"age"}
    assert 57 <= segment.where["age"]["ge"] <= 63
