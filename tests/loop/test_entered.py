"""A component's metric moved, which has no rows: the entry of the change that did it says whom it was made for."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

import rca_kit
from rca_kit.findings.scope import Scope
from rca_kit.loop.s3_scope.told import as_entered
from rca_kit.sources import to_lazy

from . import made
from .test_told_twice import ROLES, with_ids


def aged(folder: Path, scope: str, kind: str = "upstream_notice", component: str = "meteo-feed") -> Path:
    with_ids().drop("u").with_columns(seats=pl.lit(4)).write_parquet(folder / "p.parquet")
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
    ("", []), ("country=Ruritania", []), ("no such column=DE", []), ("age=old", []), ("device=ios|palm", []),
    ("version=v1|70.0", []), ("seats=4|many", [])])
def test_the_entry_says_whom_it_was_made_for(tmp_path: Path, scope: str, where: list[dict[str, object]]) -> None:
    found = rca_kit.investigate(aged(tmp_path, scope))
    assert found.verdict == "incident"
    assert found.suspects.items[0].change_id == "c1"
    assert [s.where for s in found.scope.segments] == where


def test_an_entry_about_something_else_says_nothing(tmp_path: Path) -> None:
    found = rca_kit.investigate(aged(tmp_path, "country=DE", "code_deploy", "help-pages"))
    assert found.suspects.items[0].change_id != "c1"
    assert not found.scope.segments


@pytest.mark.parametrize(("declared", "kept"), [(None, False), ((), True), (({"country": "FR"},), True)])
def test_what_a_person_declared_stays(declared: object, kept: bool) -> None:
    """Also all traffic: nobody is overruled by an entry of the change log."""
    whole = Scope(is_global=True, segments=(), metric="feed.feature_age_s", because="")
    prepared: Any = SimpleNamespace(frame=to_lazy(made.log()), decisions=SimpleNamespace(scope=declared))
    leading: Any = SimpleNamespace(items=(SimpleNamespace(change_id="c1", probability=0.95),))
    told = as_entered(prepared, whole, leading, (made.change(scope="country=DE"),), has_rows=False)
    assert (told is whole) is kept
    assert kept or [s.where for s in told.segments] == [{"country": "DE"}]
