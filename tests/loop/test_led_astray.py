"""An input that no score depends on moves hours before a fault: it dates nothing."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

import rca_kit
from rca_kit.loop.relaid import led_astray

from . import made
from .test_told_twice import case, with_ids


@pytest.mark.parametrize(("lead", "used", "astray"), [
    ("mean:size", False, ("mean:size",)), ("mean:size", True, ()), ("auc", False, ())])
def test_only_inputs_that_no_score_heeds_and_that_date_the_fault_are_left_out(
    lead: str, used: bool, astray: tuple[str, ...]
) -> None:
    rng = np.random.default_rng(5)
    size = rng.normal(size=6000)
    score = 0.5 + 0.1 * rng.normal(size=6000) + (0.1 * size if used else 0.0)
    anchor: Any = SimpleNamespace(series=SimpleNamespace(name="auc", family="quality", column=None))
    beside: Any = SimpleNamespace(series=SimpleNamespace(name="mean:size", family="input", column="size"))
    picture: Any = SimpleNamespace(onset=SimpleNamespace(lead=lead), group=(anchor, beside), anchor=anchor, alert="auc")
    room: Any = SimpleNamespace(
        before=pl.DataFrame({"size": size, "score": score}), columns=SimpleNamespace(score="score", decision=None, task="binary"))
    assert led_astray(picture, room) == astray
    alone: Any = SimpleNamespace(onset=SimpleNamespace(lead=lead), group=(beside,), anchor=beside, alert="auc")
    assert led_astray(alone, room) == astray  # it hid the fault itself
    alone.alert = "psi:size"  # unless it is what somebody asked about
    assert led_astray(alone, room) == ()
    assert led_astray(SimpleNamespace(onset=None, group=(anchor, beside), alert="auc"), room) == ()  # type: ignore[arg-type]


MOVED, FAULT = made.T0 + timedelta(days=2, hours=5), made.T0 + timedelta(days=3)


@pytest.mark.parametrize("off", [0.3, 0.4, 0.0])
def test_a_drift_that_hurts_nobody_does_not_hide_a_version_that_scores_otherwise(tmp_path: Path, off: float) -> None:
    rng = np.random.default_rng(4)
    frame = with_ids(rows=16_000)
    new = pl.col("ts") >= FAULT
    score = pl.col("score").clip(0.001, 0.999)
    more = off * (pl.col("country") == "DE")  # so little that the whole hardly shows it
    frame = frame.with_columns(
        age=pl.Series(rng.normal(40, 10, frame.height)) + 15 * (pl.col("ts") >= MOVED),  # what no score and no label heeds
        version=pl.when(new).then(pl.lit("v2")).otherwise(pl.lit("v1")),
        score=pl.when(new).then(1 / (1 + (-(score / (1 - score)).log() - more).exp())).otherwise(score),
    ).with_columns(decision=(pl.col("score") >= 0.4).cast(pl.Int64))
    found = rca_kit.investigate(case(tmp_path, frame, "kpi:clicked", alert=timedelta(hours=4)))
    assert found.verdict == ("incident" if off else "benign_shift")
    if off:
        assert found.symptom.onset is not None and abs(found.symptom.onset - FAULT) < timedelta(hours=1)
        assert found.suspects.items[0].subject == "model:v2"


def test_a_bias_that_went_away_does_not_date_what_somebody_asked_about(tmp_path: Path) -> None:
    """Some positives were not known as such until the second day; on the fourth more requests come from the web."""
    unknown = (pl.col("ts") < made.T0 + timedelta(days=1, hours=8)) & (pl.col("u") * 6131 % 1 < 0.12)
    frame = with_ids(rows=30_000)
    more = with_ids(rows=30_000, seed=1).filter(made.AFTER & (pl.col("device") == "web") & (pl.col("u") < 0.6))
    frame = pl.concat([frame, more.with_columns(pl.col("id") + "m")]).sort("ts")
    frame = frame.with_columns(label=pl.when(unknown).then(0).otherwise("label"))
    found = rca_kit.investigate(case(tmp_path, frame, "psi:device", alert=timedelta(hours=1)))
    assert found.verdict == "benign_shift"
    assert found.symptom.onset is not None and abs(found.symptom.onset - made.ONSET) <= timedelta(hours=1)
    assert [s.where for s in found.scope.segments] == [{"device": "web"}]
