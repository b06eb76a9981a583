"""Weights exchanged in place: no version tells of them, the change log and the scores do."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import rca_kit
from rca_kit.findings.investigation import ChangeRecord
from rca_kit.loop.relaid import MOST_DEPLOYS, at_deploys

from . import made

START, REFRESH = made.T0 + timedelta(hours=6), 8.0


def half_a_day(folder: Path, other: bool, harm: float, seed: int) -> Path:
    """Twelve hours with a busy noon; since `REFRESH` scores are of other weights, or not, and the KPI is lower by `harm`."""
    rng, rows = np.random.default_rng(seed), 20_000
    hour, x = np.sort(rng.uniform(0, 12, rows)), rng.normal(size=(rows, 4))
    since = hour >= REFRESH
    old, new = np.array([1.2, 0.8, -0.6, 0.3]), np.array([0.1, -0.4, -1.2, 0.9])
    score = 1 / (1 + np.exp(-(x @ old if not other else np.where(since, x @ new, x @ old))))
    usual = 0.5 + 0.06 * np.sin(hour / 24 * 2 * np.pi)
    pl.DataFrame({
        "ts": [START + timedelta(hours=float(h)) for h in hour], "score": score, "version": "v1",
        "accepted": (rng.random(rows) < usual - harm * since).astype(int), **{f"f{i}": x[:, i] for i in range(4)},
    }).write_parquet(folder / "p.parquet")
    (folder / "changes.csv").write_text(
        "id,time,kind,component,description,scope,version_from,version_to\n"
        f"c1,{(START + timedelta(hours=REFRESH)).isoformat()},model_deploy,ranker,weights refreshed in place,,,\n",
        encoding="utf-8")
    (folder / "incident.yaml").write_text(
        f"id: H\ntitle: t\ndetected_at: {(START + timedelta(hours=11.5)).isoformat()}\n"
        "signal: {source: alert, metric: 'kpi:accepted'}\ntables: {predictions: p.parquet, changes: changes.csv}\n"
        "roles: {time: ts, score: score, model_version: version, "
        "kpi: {accepted: higher}, features: [f0, f1, f2, f3]}\n", encoding="utf-8")
    return folder


@pytest.mark.parametrize(("other", "harm", "verdict"), [(True, 0.07, "incident"), (False, 0.0, "no_change")])
def test_weights_exchanged_in_place_are_found_at_their_entry(tmp_path: Path, other: bool, harm: float, verdict: str) -> None:
    for seed in range(3):
        folder = tmp_path / str(seed)
        folder.mkdir()
        found = rca_kit.investigate(half_a_day(folder, other, harm, seed))
        assert found.verdict == verdict
        if other:
            assert found.suspects.items[0].change_id == "c1"
            late = found.symptom.onset - START - timedelta(hours=REFRESH)  # type: ignore[operator]
            assert abs(late) <= timedelta(minutes=15)


def test_a_deploy_that_a_version_tells_of_is_looked_at_there() -> None:
    picture = made.picture()
    seen = {n.partition("=")[2] for n, m in picture.moves.items() if m.series.family == "version"}

    def deploy(version: str, kind: str = "model_deploy", hours: float = 50.0) -> ChangeRecord:
        return ChangeRecord("c", made.T0 + timedelta(hours=hours), kind, "ranker", "", version_to=version)

    assert seen
    assert at_deploys(picture, (deploy(""),)) and at_deploys(picture, (deploy("not in the log"),))
    for other in (deploy(min(seen)), deploy("", "code_deploy"), deploy("", hours=2.0), deploy("", hours=95.0)):
        assert not at_deploys(picture, (other,))
    assert len(at_deploys(picture, tuple(deploy("", hours=40.0 + i) for i in range(5)))) == MOST_DEPLOYS
