"""Other guests in a range of a number: a KPI that falls because they came, and one that falls because values are wrong."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import rca_kit

from . import made
from .test_told_twice import ROLES, with_ids

KPI = ROLES.replace("segments:", "kpi: {clicked: higher}, segments:")
INVITED = "senior programme: everybody whose age is over 50 is invited"


def logit(age: pl.Expr) -> pl.Expr:
    return 0.8 * (pl.col("amount").log() - 3) + 0.06 * (age - 50)


def older(came: float, wrong: float, seed: int = 0) -> pl.DataFrame:
    """From the onset on, of those under 50 a part `came` stays away and others come; or `wrong` years are added to ages served.

    Who is positive, or is answered so, clicks less.
    """
    rng = np.random.default_rng([seed, 9])
    frame = with_ids(rows=40_000, seed=seed)
    more = with_ids(rows=40_000, seed=seed + 1).filter(made.AFTER & (pl.col("age") > 50) & (pl.col("u") < came))
    frame = pl.concat([frame, more.with_columns(pl.col("id") + "b")]).filter(
        ~(made.AFTER & (pl.col("age") < 50) & (pl.col("u") < came))).sort("ts")
    n = frame.height
    frame = frame.with_columns(label=(pl.Series(rng.random(n)) < 1 / (1 + (-logit(pl.col("age"))).exp())).cast(pl.Int64))
    frame = frame.with_columns(pl.when(made.AFTER).then(pl.col("age") + wrong).otherwise("age").alias("age"))
    frame = frame.with_columns(score=1 / (1 + (-logit(pl.col("age")) - 0.2 * pl.Series(rng.normal(size=n))).exp()))
    frame = frame.with_columns(decision=(pl.col("score") >= 0.4).cast(pl.Int64))
    clicks = pl.Series(rng.random(n)) < 0.6 - 0.2 * pl.col("label") - 0.3 * pl.col("decision")
    return frame.with_columns(clicked=clicks.cast(pl.Int64))


def verdict(folder: Path, frame: pl.DataFrame, entry: str = "", roles: str = KPI, kind: str = "campaign") -> str:
    frame.drop("u").write_parquet(folder / "p.parquet")
    when = (made.ONSET - timedelta(minutes=3)).isoformat()
    head, line = "id,time,kind,component,description,scope,version_from,version_to\n", f'c1,{when},{kind},,"{entry}",,,\n'
    (folder / "changes.csv").write_text(head + line * bool(entry), encoding="utf-8")
    (folder / "incident.yaml").write_text(
        f"id: A\ntitle: t\ndetected_at: {made.ALERT.isoformat()}\nsignal: {{source: alert, metric: 'psi:age'}}\n"
        f"tables: {{predictions: p.parquet, changes: changes.csv}}\n{roles}", encoding="utf-8")
    return str(rca_kit.investigate(folder).verdict)


@pytest.mark.parametrize(("seed", "expected"), [(0, "benign_shift"), (1, "benign_shift"), (3, "benign_shift"), (2, "incident")])
def test_a_kpi_that_falls_as_labels_and_scores_go_along_is_a_matter_of_who_came(
    tmp_path: Path, seed: int, expected: str
) -> None:
    """Unless the model tells them apart less well (in the last draw its AUC falls too): then it serves them worse."""
    assert verdict(tmp_path, older(0.6, 0.0, seed)) == expected


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("entry", ["", "newsletter for friends of the house"])
def test_a_kpi_that_falls_by_wrong_values_is_an_incident(tmp_path: Path, seed: int, entry: str) -> None:
    assert verdict(tmp_path, older(0.0, 12.0, seed), entry) == "incident"


def test_guests_that_fare_worse_than_their_like_are_an_incident(tmp_path: Path) -> None:
    frame = older(0.6, 0.0)
    lost = made.AFTER & (pl.col("u") * 7919 % 1 < 0.35)
    assert verdict(tmp_path, frame.with_columns(pl.when(lost).then(0).otherwise("clicked").alias("clicked"))) == "incident"


@pytest.mark.parametrize("roles", [ROLES, KPI])
@pytest.mark.parametrize(("entry", "kind", "expected"), [
    (INVITED, "campaign", "benign_shift"), ("", "campaign", "incident"), (INVITED, "code_deploy", "incident")])
def test_without_labels_an_invitation_tells_who_came(tmp_path: Path, entry: str, kind: str, expected: str, roles: str) -> None:
    frame = older(0.6, 0.0).drop("label", *(["clicked"] if roles == ROLES else []))
    assert verdict(tmp_path, frame, entry, roles.replace("label: label, ", ""), kind) == expected
