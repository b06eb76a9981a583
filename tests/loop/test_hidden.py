"""A value that nobody had before, in the last hours of a long log: too few requests for the whole to show them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import rca_kit

from . import made
from .test_told_twice import ROLES, with_ids

LATE = made.END - timedelta(hours=1)


def case(folder: Path, share: float, metric: str, seed: int = 0) -> Path:
    rng = np.random.default_rng([seed, 5])
    frame = with_ids(rows=40_000, seed=seed)
    late = (pl.col("ts") >= LATE) & (pl.Series(rng.random(frame.height)) < share)
    frame = frame.with_columns(country=pl.when(late).then(pl.lit("Pilot 7")).otherwise("country"))
    frame.drop("u").write_parquet(folder / "p.parquet")
    (folder / "incident.yaml").write_text(
        f"id: A\ntitle: t\ndetected_at: {(LATE + timedelta(minutes=50)).isoformat()}\n"
        f"signal: {{source: alert, metric: '{metric}'}}\n"
        f"tables: {{predictions: p.parquet}}\n{ROLES}", encoding="utf-8")
    return folder


@pytest.mark.parametrize("seed", range(3))
def test_a_new_value_of_the_column_asked_about_is_found_in_the_last_hours(tmp_path: Path, seed: int) -> None:
    found = rca_kit.investigate(case(tmp_path, 0.1, "psi:country", seed=seed))
    assert found.verdict == "benign_shift"
    assert [s.where for s in found.scope.segments] == [{"country": "Pilot 7"}]
    assert found.symptom.onset is not None and abs(found.symptom.onset - LATE) <= timedelta(hours=1)
    assert found.symptom.before == 0.0 and (found.symptom.after or 0.0) > 0.02


@pytest.mark.parametrize("seed", range(6))
def test_values_that_were_always_there_are_no_news(tmp_path: Path, seed: int) -> None:
    assert rca_kit.investigate(case(tmp_path, 0.0, "psi:country", seed=seed)).verdict == "no_change"
