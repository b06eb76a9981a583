"""Rows that a component says it dropped: few of all, so that nothing else tells of them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import rca_kit

from . import made
from .test_told_twice import ROLES, with_ids


def dropping(folder: Path, metric: str, level: float, lost: float, seed: int) -> Path:
    rng = np.random.default_rng([seed, 4])
    hit = made.AFTER & (pl.col("device") == "android") & (pl.col("country") == "DE")
    frame = with_ids(rows=24_000, seed=seed).filter(~(hit & (pl.col("u") < lost)))
    frame.drop("u").write_parquet(folder / "p.parquet")
    times = [made.T0 + timedelta(minutes=5 * i) for i in range(made.DAYS * 288)]
    counted = [float(rng.poisson(level if t >= made.ONSET else 0.2)) for t in times]
    served = pl.DataFrame({"time": times, "component": "row-writer", "metric": metric, "value": counted})
    served.write_parquet(folder / "m.parquet")
    (folder / "incident.yaml").write_text(
        f"id: A\ntitle: t\ndetected_at: {(made.ALERT + timedelta(hours=9)).isoformat()}\n"
        f"signal: {{source: alert, metric: volume}}\ntables: {{predictions: p.parquet, service_metrics: m.parquet}}\n"
        + ROLES.replace("[device, country]", "[device, country, city]"), encoding="utf-8")
    return folder


@pytest.mark.parametrize("seed", range(3))
def test_rows_that_a_component_drops_are_lost_though_the_whole_hardly_shows_it(tmp_path: Path, seed: int) -> None:
    found = rca_kit.investigate(dropping(tmp_path, "dropped_records", 40.0, 0.5, seed))
    assert found.verdict == "incident"
    assert found.suspects.items[0].subject == "component:row-writer" and found.suspects.items[0].category == "data"
    assert [s.where for s in found.scope.segments] == [{"country": "DE", "device": "android"}]
    assert found.symptom.onset is not None and abs(found.symptom.onset - made.ONSET) <= timedelta(hours=1)


@pytest.mark.parametrize(("metric", "level", "lost"), [("dropped_records", 0.2, 0.0), ("open_files", 40.0, 0.0)])
def test_what_drops_no_more_than_before_or_counts_something_else_has_lost_nothing(
    tmp_path: Path, metric: str, level: float, lost: float
) -> None:
    assert rca_kit.investigate(dropping(tmp_path, metric, level, lost, 0)).verdict == "no_change"
