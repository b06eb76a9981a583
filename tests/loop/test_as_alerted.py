"""The hours that an alert says it is about are looked at where nothing else tells when."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

import rca_kit
from rca_kit.loop import relaid
from rca_kit.loop.relaid import as_alerted

from . import made


@pytest.mark.parametrize(("summary", "hours"), [
    ("log loss 0.4 -> 0.5 (last 9.4 h against the log before)", 9.4), ("PSI of 0.3 over the past 90 minutes", 1.5),
    ("Over the last 2 days it fell", 48.0), ("in the last 2,5 hrs", 2.5), ("last week was quiet", None),
    ("the last 30 requests", None),
    ("of the last 100 h", None), ("the last 99999999999999999999 h", None), ("the last 9999 days", None),
    ("fell by 3 h", None), ("", None)])
def test_the_hours_that_an_alert_names(summary: str, hours: float | None) -> None:
    picture = made.picture()
    found = as_alerted(picture, summary)
    if hours is None:
        assert found is None
    else:
        assert found is not None and found.onset is not None
        began = picture.grid.time(found.onset.index)
        assert abs(began - (made.ALERT - timedelta(hours=hours))) <= timedelta(seconds=picture.grid.width_s)
        assert found.windows[1].start == began


def half_a_day(folder: Path, noise: float, seed: int, told: str) -> Path:
    """Twelve hours with a ramp of traffic; for the last seven, part of the labels of one pair of values are a coin's."""
    rng, rows = np.random.default_rng(seed), 14_000
    hour, x = np.sort(12 * np.sqrt(rng.random(rows))), rng.normal(size=(rows, 2))
    spoken, device = rng.choice(["en", "de", "fr"], rows), rng.choice(["phone", "web", "room"], rows)
    true = 1 / (1 + np.exp(-(x @ np.array([1.5, 1.0]))))
    hit = (hour >= 5) & (spoken == "en") & (device == "phone") & (rng.random(rows) < noise)
    label = np.where(hit, rng.random(rows) < 0.5, rng.random(rows) < true).astype(int)
    start = made.T0 + timedelta(hours=6)
    pl.DataFrame({
        "ts": [start + timedelta(hours=float(h)) for h in hour], "score": true, "label": label, "spoken": spoken,
        "device": device, "a": x[:, 0], "b": x[:, 1]}).write_parquet(folder / "p.parquet")
    (folder / "incident.yaml").write_text(
        f"id: H\ntitle: t\ndetected_at: {(start + timedelta(hours=11.9)).isoformat()}\nsignal: {{source: alert, "
        f"metric: log_loss, summary: '{told}'}}\ntables: {{predictions: p.parquet}}\nroles: {{time: ts, score: score, "
        "label: label, segments: [spoken, device], features: [a, b]}\n", encoding="utf-8")
    return folder


@pytest.mark.parametrize(("noise", "told", "verdict"), [
    (0.6, "log loss 0.45 -> 0.5 (last 7 h)", "incident"), (0.0, "log loss 0.45 -> 0.47 (last 7 h)", "no_change")])
def test_a_pair_of_values_is_found_in_the_hours_that_are_told(tmp_path: Path, noise: float, told: str, verdict: str) -> None:
    for seed in (1, 2, 3):
        folder = tmp_path / str(seed)
        folder.mkdir()
        found = rca_kit.investigate(half_a_day(folder, noise, seed, told))
        assert found.verdict == verdict
        if noise:
            assert [s.where for s in found.scope.segments] == [{"spoken": "en", "device": "phone"}]


@pytest.mark.parametrize(("alert", "worse", "told"), [
    ("error_rate", ["latency_p95"], False), ("error_rate", ["error_rate"], True), ("auc", ["log_loss"], True),
    ("auc", ["kpi:clicked"], False), ("latency_p95", ["latency_p50"], True), ("latency_p95", ["error_rate"], False),
    ("kpi:clicked", ["kpi:clicked"], True), ("psi:amount", ["auc"], True)])
def test_in_the_hours_that_are_told_only_what_they_are_told_of_counts(
    monkeypatch: pytest.MonkeyPatch, alert: str, worse: list[str], told: bool
) -> None:
    families = {"error_rate": "service", "latency_p95": "service", "latency_p50": "service", "auc": "quality",
                "log_loss": "quality", "kpi:clicked": "kpi"}
    room: Any = SimpleNamespace(picture=SimpleNamespace(
        alert=alert, series={n: SimpleNamespace(family=f) for n, f in families.items()}))
    monkeypatch.setattr(relaid, "got_worse", lambda _: worse)
    assert relaid.says_so(room) is told
