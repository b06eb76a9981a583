"""A component's metric moved, which has no rows: the entry of the change that did it says whom it was made for."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

import rca_kit

from . import made
from .test_told_twice import ROLES, with_ids


def aged(folder: Path, scope: str, kind: str = "upstream_notice", component: str = "meteo-feed") -> Path:
    with_ids().drop("u").write_parquet(folder / "p.parquet")
    times = [made.T0 + timedelta(minutes=5 * i) for i in range(made.DAYS * 288)]
    age = [300.0 + max((t - made.ONSET).total_seconds(), 0.0) for t in times]
    metrics = pl.DataFrame({"time": times, "component": "meteo-feed", "metric": "feature_age_s", "value": age})
    metrics.write_parquet(folder / "m.parquet")
    when = (made.ONSET + timedelta(minutes=2)).isoformat()
    (folder / "changes.csv").write_text(
        "id,time,kind,component,description,scope,version_from,version_to\n"
        f'c1,{when},{kind},{component},"{component}: feed does not advance",{scope},,\n', encoding="utf-8")
    (folder / "incident.yaml").write_text(
        f"id: A\ntitle: t\ndetected_at: {(made.ALERT + timedelta(hours=12)).isoformat()}\n"
        "signal: {source: alert, metric: 'freshness:meteo-feed'}\n"
        f"tables: {{predictions: p.parquet, service_metrics: m.parquet, changes: changes.csv}}\n{ROLES}", encoding="utf-8")
    return folder


@pytest.mark.parametrize(("scope", "where"), [
    ("country=DE", [{"country": "DE"}]), ("device=ios|web;country=FR", [{"device": ["ios", "web"], "country": "FR"}]),
    ("", []), ("country=Ruritania", []), ("no such column=DE", []), ("age=old", [])])
def test_the_entry_says_whom_it_was_made_for(tmp_path: Path, scope: str, where: list[dict[str, object]]) -> None:
    found = rca_kit.investigate(aged(tmp_path, scope))
    assert found.verdict == "incident"
    assert found.suspects.items[0].change_id == "c1"
    assert [s.where for s in found.scope.segments] == where


def test_an_entry_about_something_else_says_nothing(tmp_path: Path) -> None:
    found = rca_kit.investigate(aged(tmp_path, "country=DE", "code_deploy", "help-pages"))
    assert found.suspects.items[0].change_id != "c1"
    assert not found.scope.segments
