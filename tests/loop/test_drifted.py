"""A drift that somebody was alerted of and that only one segment shows."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

import rca_kit
from rca_kit.aggregates.plan import Columns
from rca_kit.findings.scope import Scope
from rca_kit.loop.s3_scope.narrow import _crowded_range

from . import made


def case(folder: Path, shift: float, seed: int, shop: str = "s7") -> Path:
    """Twelve shops; in one of them the screens are wider from the onset on, which no score heeds."""
    frame, rng = made.log(rows=12_000, seed=seed), np.random.default_rng([seed, 1])
    shops = pl.Series("shop", rng.choice([f"s{i}" for i in range(12)], frame.height))
    here = made.AFTER & (pl.col("shop") == shop)
    wide = pl.when(here).then(pl.col("screen") + shift).otherwise(pl.col("screen")).alias("screen")
    frame = frame.with_columns(shops, pl.Series("screen", rng.normal(10, 1, frame.height))).with_columns(wide)
    folder.mkdir()
    frame.drop("u").write_parquet(folder / "p.parquet")
    (folder / "incident.yaml").write_text(
        f"id: A\ntitle: t\ndetected_at: {made.END.isoformat()}\n"
        "signal: {source: alert, metric: 'psi:screen', summary: PSI over its limit in one slice}\n"
        "tables: {predictions: p.parquet}\nroles: {time: ts, score: score, label: label, decision: decision, error: error, "
        "latency_ms: latency_ms, model_version: version, kpi: {clicked: higher}, segments: [device, country, shop], "
        "features: [amount, age, city, screen]}\n", encoding="utf-8")
    return folder


@pytest.mark.parametrize("seed", range(3))
def test_a_drift_in_one_segment_is_found_dated_and_harmless(seed: int, tmp_path: Path) -> None:
    found = rca_kit.investigate(case(tmp_path / "case", 1.2, seed))
    assert found.verdict == "benign_shift"
    assert found.symptom.onset is not None
    assert abs((found.symptom.onset - made.ONSET).total_seconds()) <= 2 * 3600
    assert [s.where for s in found.scope.segments] == [{"shop": "s7"}]


@pytest.mark.parametrize("seed", range(4))
def test_segments_that_did_not_drift_tell_of_none(seed: int, tmp_path: Path) -> None:
    assert rca_kit.investigate(case(tmp_path / "case", 0.0, seed)).verdict == "no_change"


@pytest.mark.parametrize("seed", range(2))
def test_guests_of_one_age_are_told_by_their_range(seed: int, tmp_path: Path) -> None:
    """A programme invites whoever is sixty or older: a third more requests come, as right as ever."""
    frame, more = made.log(rows=16_000, seed=seed), made.log(rows=60_000, seed=seed + 50)
    guests = more.filter(made.AFTER & (pl.col("age") >= 60)).head(1_400)
    folder = case(tmp_path / "case", 0.0, seed)
    pl.concat([frame, guests]).sort("ts").drop("u").write_parquet(folder / "p.parquet")
    yaml = (folder / "incident.yaml").read_text(encoding="utf-8").replace("psi:screen", "psi:age")
    yaml = yaml.replace(", shop]", "]").replace(", screen]", "]")
    (folder / "incident.yaml").write_text(yaml, encoding="utf-8")
    found = rca_kit.investigate(folder)
    assert found.verdict == "benign_shift"
    assert [s.where for s in found.scope.segments] == [{"age": {"ge": 60.0}}]


@pytest.mark.parametrize(("volume", "grew"), [(1.0, True), (1.3, True), (0.5, False)])
def test_a_range_that_is_left_over_where_others_are_missing_has_not_grown(volume: float, grew: bool) -> None:
    rng = np.random.default_rng(4)
    before, pool = rng.integers(18, 80, 8000), rng.integers(18, 80, 24_000)
    after = np.concatenate([pool[pool >= 60][:4000], pool[pool < 60][:4000]])
    reading = SimpleNamespace(before=100.0, after=100.0 * volume, moved=volume != 1.0)
    room: Any = SimpleNamespace(
        before=pl.DataFrame({"age": before}), after=pl.DataFrame({"age": after}), clocks=(), clumps={},
        readings={"volume": reading}, columns=Columns("ts", "binary", features=("age",)))
    whole = Scope(is_global=True, segments=(), metric="psi:age", because="not one segment's")
    found = _crowded_range(room, {"feature:age"}, "age", whole)
    assert [s.where for s in found.segments] == ([{"age": {"ge": 60.0}}] if grew else [])
