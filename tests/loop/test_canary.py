"""A new version for a few requests: it is held against the others at the same time, as the whole does not show it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import rca_kit
from rca_kit.loop.s4_suspects.beside import worse_beside
from rca_kit.loop.s4_suspects.clue import Clue
from rca_kit.loop.s4_suspects.spread import of_one_kind

from . import made
from .test_told_twice import case, with_ids


def canary(worse: float, seed: int) -> pl.DataFrame:
    """One request in twenty is answered by v2 from the onset on; `worse`: with less than all inputs."""
    rng = np.random.default_rng([seed, 6])
    frame = with_ids(rows=24_000, seed=seed)
    new = made.AFTER & (pl.col("u") * 7919 % 1 < 0.05)
    score = pl.col("score").clip(0.001, 0.999)
    odds = (score / (1 - score)).log() * (1 - 0.4 * (worse > 0)) + worse * pl.Series(rng.normal(size=frame.height))
    frame = frame.with_columns(
        version=pl.when(new).then(pl.lit("v2")).otherwise(pl.lit("v1")),
        score=pl.when(new).then(1 / (1 + (-odds).exp())).otherwise("score"))
    return frame.with_columns(decision=(pl.col("score") >= 0.4).cast(pl.Int64))


@pytest.mark.parametrize("seed", range(4))
def test_a_canary_that_answers_worse_than_the_others_is_found_and_dated_by_its_first_requests(tmp_path: Path, seed: int) -> None:
    found = rca_kit.investigate(case(tmp_path, canary(2.5, seed), "log_loss", alert=timedelta(hours=10)))
    assert found.verdict == "incident"
    assert found.suspects.items[0].subject == "model:v2"
    assert [s.where for s in found.scope.segments] == [{"version": "v2"}]
    assert found.symptom.onset is not None and abs(found.symptom.onset - made.ONSET) <= timedelta(hours=1)


@pytest.mark.parametrize("seed", range(6))
def test_a_canary_that_answers_as_well_is_none(tmp_path: Path, seed: int) -> None:
    assert rca_kit.investigate(case(tmp_path, canary(0.0, seed), "log_loss", alert=timedelta(hours=10))).verdict != "incident"


@pytest.mark.parametrize(("z", "by_lot", "other_scores", "told"), [
    (4.5, 1.0, False, True), (4.5, 0.0, False, False), (6.5, 0.0, False, True), (3.5, 1.0, False, False), (3.5, 0.0, True, True)])
def test_whom_it_serves_may_differ_unless_a_lot_chose_them(z: float, by_lot: float, other_scores: bool, told: bool) -> None:
    clue = Clue("version", "model:v2", "version", "v2", 0.8, facts={"side_by_side_z": z, "by_lot": by_lot})
    assert bool(worse_beside([clue], {"model:v2"} if other_scores else ())) is told


@pytest.mark.parametrize("n", [120, 3000])
def test_groups_that_a_lot_drew_are_of_one_kind(n: int) -> None:
    """Chance alone tells hardly any of twenty draws apart; a client that only some have does."""
    rng = np.random.default_rng(n)
    alike = []
    for _ in range(20):
        mine, others = (pl.DataFrame({"device": rng.choice(["a", "b", "c"], size)}) for size in (n, 9000))
        alike.append(of_one_kind(mine, others, ["device", "no column"]))
    assert sum(alike) >= 18
    assert not of_one_kind(pl.DataFrame({"device": rng.choice(["a", "b"], n)}), others, ["device"])
