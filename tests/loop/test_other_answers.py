"""Models that choose among classes: other answers to the same requests are told from another world."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from rca_kit.aggregates.plan import Columns
from rca_kit.loop.s4_suspects.checks.model import _other_answers
from rca_kit.loop.s4_suspects.clue import Clue
from rca_kit.loop.s4_suspects.explained import explained_away

TEAMS = np.array(["billing", "login", "returns"])
COLUMNS = Columns("ts", "multiclass", score="conf", decision="queue", label="final", features=("a", "b"))


def side(seed: int, turn: float = 0.0, moved: float = 0.0, rows: int = 6000) -> pl.DataFrame:
    """Requests answered by where two numbers lie; `turn` rotates what is answered, `moved` shifts who asks."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(moved, 1, rows), rng.normal(size=rows)
    angle = np.arctan2(b, a) + turn + rng.normal(0, 0.15, rows)
    queue = TEAMS[((angle + np.pi) // (2 * np.pi / 3)).astype(int) % 3]
    return pl.DataFrame({"a": a, "b": b, "conf": rng.uniform(0.4, 1, rows), "queue": queue})


def told(before: pl.DataFrame, after: pl.DataFrame, columns: Columns = COLUMNS) -> Clue | None:
    inputs = ["psi:a"] if abs(float(after["a"].mean()) - float(before["a"].mean())) > 0.1 else []  # type: ignore[arg-type]
    room: Any = SimpleNamespace(
        before=before, after=after, columns=columns, compared={}, clocks=(), inside={}, moved=lambda *_: inputs)
    return _other_answers(room)


def test_other_answers_to_the_same_requests_are_seen() -> None:
    found = [told(side(s), side(100 + s, turn=0.5)) for s in range(6)]
    assert all(c is not None and c.signature == "score_function" and c.subject == "model:" for c in found)


@pytest.mark.parametrize("moved", [0.0, 0.5])
def test_the_same_answers_are_no_other_model_whoever_asks(moved: float) -> None:
    assert sum(told(side(s), side(100 + s, moved=moved)) is not None for s in range(20)) <= 1


def test_only_a_choice_among_classes_is_asked() -> None:
    binary = Columns("ts", "binary", score="conf", decision="queue", features=("a", "b"))
    assert told(side(1), side(2, turn=1.0), binary) is None


def test_other_answers_explain_mistakes_and_the_world_need_not() -> None:
    answers = Clue("score_function", "model:", "score_function", "other answers", 0.9, facts={"answers": 1.0})
    world = Clue("concept", "population", "concept", "labels differ", 0.8)
    assert explained_away([answers, world]) == [answers]
    scores = Clue("score_function", "model:", "score_function", "other scores", 0.9)
    assert world in explained_away([scores, world])


@pytest.mark.parametrize("other", [False, True])
def test_one_score_for_all_says_nothing_of_how_the_others_were_scored(other: bool) -> None:
    from rca_kit.loop.s4_suspects.checks.model import scoring
    from rca_kit.loop.s4_suspects.checks.recorded import outputs

    rng, frames = np.random.default_rng(4), []
    for after in (False, True):
        x = rng.normal(size=(4000, 3))
        score = 1 / (1 + np.exp(-(x @ ([0.2, 1.0, -0.5] if other and after else [1.0, 0.5, -0.5]))))
        if after:
            score[rng.random(4000) < 0.3] = 0.5
        frames.append(pl.DataFrame({"a": x[:, 0], "b": x[:, 1], "c": x[:, 2], "s": score}))
    columns = Columns("ts", "binary", score="s", features=("a", "b", "c"))
    room: Any = SimpleNamespace(
        before=frames[0], after=frames[1], columns=columns, compared={}, clocks=(), inside={}, moved=lambda *_: [], readings={})
    assert [c.signature for c in outputs(room).clues] == ["fallback"]
    assert [c.signature for c in scoring(room).clues] == (["score_function"] if other else [])


@pytest.mark.parametrize(("cut", "noise", "told"), [(0.7, 0.0, True), (0.566, 0.0, False), (0.7, 0.2, False)])
def test_an_outcome_that_follows_a_cut_of_the_score_tells_that_it_was_moved(cut: float, noise: float, told: bool) -> None:
    from rca_kit.loop.s4_suspects.checks.cuts import threshold

    rng, frames = np.random.default_rng(5), []
    for at in (0.566, cut):
        score = rng.beta(3, 2, 4000)
        routed = np.where(rng.random(4000) < noise, rng.random(4000) < 0.5, score >= at).astype(int)
        frames.append(pl.DataFrame({"s": score, "routed": routed, "seldom": (rng.random(4000) < 0.02).astype(int)}))
    columns = Columns(
        "ts", "multiclass", score="s", kpis={"seldom": "higher", "routed": "higher"}, positive={"routed": 1, "seldom": 1})
    room: Any = SimpleNamespace(before=frames[0], after=frames[1], columns=columns)
    found = threshold(room)
    assert [c.says for c in found.clues] == (["routed was cut at 0.566, now at 0.7"] if told else [])


@pytest.mark.parametrize(("cut", "noise", "told"), [(0.3, 0.0, False), (0.255, 0.0, True), (0.255, 0.05, False)])
def test_some_decisions_off_a_cut_that_nothing_broke_before_tell_that_it_moved(cut: float, noise: float, told: bool) -> None:
    """A dozen of six hundred rows: enough where decisions follow the cut without exception, too few where some never did."""
    from rca_kit.loop.s4_suspects.checks.cuts import threshold

    rng = np.random.default_rng(5)
    frames = []
    for n, at in ((1200, 0.3), (600, cut)):
        s = rng.beta(1.0, 12.0, n)
        d = np.where(rng.random(n) < noise, rng.random(n) < 0.5, s >= at)
        frames.append(pl.DataFrame({"s": s, "d": d.astype(int)}))
    columns = Columns("ts", "binary", score="s", decision="d", positive={"d": 1})
    found = threshold(SimpleNamespace(before=frames[0], after=frames[1], columns=columns))
    assert (found.status == "found") is told


@pytest.mark.parametrize("alone", [True, False])
def test_requests_that_failed_have_no_score_whoever_failed(alone: bool) -> None:
    """`alone`: scores are missing of answered requests too."""
    from rca_kit.loop.s4_suspects.checks.recorded import outputs

    frames = []
    for rate in (0.002, 0.05):
        rng = np.random.default_rng(int(rate * 1000))
        error = rng.random(4000) < rate
        missing = error | (rng.random(4000) < (rate if alone else 0.002))
        s = np.where(missing, np.nan, rng.random(4000))
        frames.append(pl.DataFrame({"s": s, "e": np.where(error, "Timeout", "")}).with_columns(pl.col("s").fill_nan(None)))
    reading = SimpleNamespace(moved=True, change=0.05, before=0.004, after=0.1 if alone else 0.05)
    room: Any = SimpleNamespace(
        before=frames[0], after=frames[1], columns=Columns("ts", "binary", score="s", error="e"),
        readings={"null_rate:s": reading}, strength=lambda _: 0.9, onset=lambda _: None)
    assert [c.signature for c in outputs(room).clues] == (["score_nulls"] if alone else [])
