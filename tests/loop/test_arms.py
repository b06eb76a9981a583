"""An experiment that begins with the symptom: its arms have no rows of before, and by lot they have what all had."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import rca_kit
from rca_kit.aggregates.leaves import Leaves
from rca_kit.loop.s3_scope.arms import with_lots_drawn

from . import made
from .test_guests import older
from .test_told_twice import ROLES, with_ids

NAMES = ("bad_n_before", "bad_n_after")


def table(column: str, before_in_arm: float, rng: np.random.Generator) -> tuple[Leaves, np.ndarray]:
    """Leaves of two columns, country and arm; and the rows: country, arm (0 none), side, badness."""
    n = 4000
    side = np.repeat([0, 1], n // 2)
    arm = np.where(side == 1, rng.choice([1, 2], n, p=[0.75, 0.25]), np.where(rng.random(n) < before_in_arm, 1, 0))
    country = rng.choice(3, n, p=[0.5, 0.3, 0.2])
    bad = (rng.random(n) < 0.1 + 0.1 * country + 0.3 * (arm == 2)).astype(float)
    rows = np.column_stack([country, arm, side, bad])
    codes = np.array([[c, a] for c in range(3) for a in range(3)], np.int32)
    def total(of: Sequence[float] | np.ndarray, at: int) -> np.ndarray:
        return np.array([np.sum(np.asarray(of)[(country == c) & (arm == a) & (side == at)]) for c, a in codes], float)
    ones = np.ones(n)
    sums = {"bad_before": total(bad, 0), "bad_after": total(bad, 1), NAMES[0]: total(ones, 0), NAMES[1]: total(ones, 1)}
    return Leaves(("country", column), (("de", "fr", "it"), (None, "control", "treatment")), (False, False), codes, sums, n), rows


def test_each_arm_had_before_what_all_had_in_its_share() -> None:
    leaves, rows = table("exp.arm", 0.0, np.random.default_rng(1))
    drawn = with_lots_drawn(leaves, *NAMES)
    after = rows[rows[:, 2] == 1]
    share = {a: float((after[:, 1] == a).mean()) for a in (1, 2)}
    before = rows[rows[:, 2] == 0]
    for (country, arm), n, bad in zip(drawn.codes, drawn.sums[NAMES[0]], drawn.sums["bad_before"], strict=True):
        there = before[before[:, 0] == country]
        assert n == pytest.approx(share.get(int(arm), 0.0) * len(there))
        assert bad == pytest.approx(share.get(int(arm), 0.0) * there[:, 3].sum())
    for name, total in leaves.sums.items():
        assert drawn.sums[name].sum() == pytest.approx(total.sum())
    assert len(np.unique(drawn.codes, axis=0)) == len(drawn.codes)


@pytest.mark.parametrize(("column", "before_in_arm"), [("city", 0.0), ("exp.arm", 0.5)])
def test_what_is_no_lot_or_was_drawn_before_is_left_alone(column: str, before_in_arm: float) -> None:
    leaves, _ = table(column, before_in_arm, np.random.default_rng(2))
    assert with_lots_drawn(leaves, *NAMES) is leaves


def experiment(folder: Path, frame: pl.DataFrame, metric: str, alert: timedelta = timedelta(0)) -> Any:
    """What is found in a log with a column of arms; decisions are cut anew."""
    frame.with_columns(decision=(pl.col("score") >= 0.4).cast(pl.Int64)).drop("u").write_parquet(folder / "p.parquet")
    (folder / "incident.yaml").write_text(
        f"id: A\ntitle: t\ndetected_at: {(made.ALERT + alert).isoformat()}\nsignal: {{source: alert, metric: '{metric}'}}\n"
        f"tables: {{predictions: p.parquet}}\n{ROLES.replace('[device, country]', '[device, country, arm]')}", encoding="utf-8")
    return rca_kit.investigate(folder)


@pytest.mark.parametrize(("noise", "targeted", "verdict"), [
    (1.5, False, "incident"), (0.0, False, "benign_shift"), (0.0, True, "benign_shift")])
@pytest.mark.parametrize("control", [True, False])
def test_a_new_arm_is_held_against_those_whom_the_lot_left(
    tmp_path: Path, noise: float, targeted: bool, verdict: str, control: bool
) -> None:
    """One in twelve is scored with less than all inputs; or nothing is otherwise; or it is a device that is always harder."""
    rng = np.random.default_rng(3)
    frame, harder = with_ids(rows=24_000), (pl.col("device") == "web") & pl.lit(targeted)
    frame = frame.with_columns(score=pl.when(harder).then(pl.col("u") * 0.2 + 0.4).otherwise("score"))
    treated = made.AFTER & ((pl.col("device") == "web") if targeted else (pl.col("u") * 7919 % 1 < 0.08))
    odds = (pl.col("score") / (1 - pl.col("score"))).log() * 0.6 + noise * pl.Series(rng.normal(size=frame.height))
    others = pl.lit("control") if control else pl.lit(None)
    frame = frame.with_columns(
        arm=pl.when(treated).then(pl.lit("treat")).when(made.AFTER).then(others),
        score=pl.when(treated & pl.lit(noise > 0)).then(1 / (1 + (-odds).exp())).otherwise("score"))
    assert experiment(tmp_path, frame, "psi:arm").verdict == verdict


@pytest.mark.parametrize("noise", [1.7, 0.0])
def test_a_harmless_drift_hours_before_does_not_date_an_arm_that_does_worse(tmp_path: Path, noise: float) -> None:
    """Older persons come, whom scores and labels know; nine hours later an experiment begins, of whom one arm is scored amiss."""
    rng = np.random.default_rng(3)
    begun = pl.col("ts") >= made.ONSET + timedelta(hours=9)
    frame = older(0.6, 0.0).drop("clicked")
    treated = begun & (pl.col("u") * 7919 % 1 < 0.1)
    odds = (pl.col("score") / (1 - pl.col("score"))).log() + noise * pl.Series(rng.normal(size=frame.height))
    frame = frame.with_columns(
        arm=pl.when(treated).then(pl.lit("treat")).when(begun).then(pl.lit("control")),
        score=pl.when(treated).then(1 / (1 + (-odds).exp())).otherwise("score"))
    found = experiment(tmp_path, frame, "log_loss", timedelta(hours=12))
    assert found.verdict == ("incident" if noise else "benign_shift")
    if noise:
        assert found.suspects.items[0].subject == "routing"
        assert [s.where for s in found.scope.segments] == [{"arm": "treat"}]
        assert found.symptom.onset is not None
        assert abs(found.symptom.onset - made.ONSET - timedelta(hours=9)) <= timedelta(hours=1)


@pytest.mark.parametrize("noise", [2.0, 0.0])
def test_an_arm_that_some_were_in_before_and_is_opened_to_more_is_asked_too(tmp_path: Path, noise: float) -> None:
    rng = np.random.default_rng(5)
    frame = with_ids(24_000)
    treated = pl.col("u") * 7919 % 1 < pl.when(made.AFTER).then(0.2).otherwise(0.02)
    odds = (pl.col("score") / (1 - pl.col("score"))).log() + noise * pl.Series(rng.normal(size=frame.height))
    frame = frame.with_columns(
        arm=pl.when(treated).then(pl.lit("treat")).otherwise(pl.lit("control")),
        score=pl.when(treated).then(1 / (1 + (-odds).exp())).otherwise("score"))
    found = experiment(tmp_path, frame, "auc", timedelta(hours=9))
    assert found.verdict == ("incident" if noise else "benign_shift")
    if noise:
        first = found.suspects.items[0]
        assert (first.category, first.subject) == ("config", "routing")
        assert any("answers there are worse than in the others" in e.says for e in first.evidence)
        assert [s.where for s in found.scope.segments] == [{"arm": "treat"}]
