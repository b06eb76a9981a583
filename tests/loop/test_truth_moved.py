"""An input drifts and labels differ: whether the truth moved by itself, or wrong values only make it seem so."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from rca_kit.aggregates.plan import Columns
from rca_kit.loop.s4_suspects.checks.concept import truth_moved
from rca_kit.loop.s4_suspects.clue import Clue, Outcome
from rca_kit.loop.s4_suspects.hypotheses import Scene, hypotheses
from rca_kit.loop.s4_suspects.ledger import score

ROWS = 5000
NAMES = ("f0", "f1", "f2", "f3")


def room(world: float, wrong: float, seed: int, task: str = "binary") -> Any:
    """`world`: log odds by which the truth moved; `wrong`: what is added to the served values of f0."""
    frames = []
    for after in (False, True):
        rng = np.random.default_rng([seed, int(after)])
        x = rng.normal(size=(ROWS, 4))
        odds = x @ np.array([1.2, 0.8, -0.6, 0.4]) + (world if after else 0.0)
        y = (rng.random(ROWS) < 1 / (1 + np.exp(-odds))).astype(float)
        x[:, 0] += wrong if after else 0.0
        frames.append(pl.DataFrame({**{n: x[:, i] for i, n in enumerate(NAMES)}, "y": y}))
    plan = SimpleNamespace(label_kind="binary")
    return SimpleNamespace(before=frames[0], after=frames[1], picture=SimpleNamespace(aggregates=SimpleNamespace(plan=plan)),
                           columns=Columns("ts", task, label="y", features=NAMES))


def asked(r: Any, signature: str = "alone", **facts: float) -> float:
    moved = Clue("x", "feature:f0", signature, "f0 moved", 0.7, facts=facts)
    clues = (Clue("concept", "population", "concept", "labels differ", 0.7), moved)
    (told,) = truth_moved(r, (Outcome("concept", "t", "external", "free", clues),))
    return told.clues[0].facts.get("apart", 0.0)


@pytest.mark.parametrize("task", ["binary", "text"])
def test_a_truth_that_moved_is_told_by_the_other_inputs(task: str) -> None:
    """Power: a third of a log odd, with wrong values beside it or none."""
    for wrong in (0.0, 0.6):
        found = [asked(room(-0.35, wrong, seed, task)) for seed in range(10)]
        assert sum(x == (1.0 if task == "binary" else 0.5) for x in found) >= 9


def test_wrong_values_alone_leave_the_truth_where_it_was() -> None:
    """False alarms: of sixty none that weighs, though labels differ from what the values that are served meant."""
    told = [asked(room(0.0, wrong, seed)) for wrong in (0.3, 0.8, -1.5) for seed in range(20)]
    assert max(told) < 0.25
    assert np.mean(told) < 0.01


def test_an_input_that_is_surely_broken_is_not_asked() -> None:
    assert asked(room(-0.35, 0.6, 0), "frozen") == 0.0
    assert asked(room(-0.35, 0.6, 0), "drift") == 1.0


def test_an_input_that_labels_follow_less_may_be_right_too() -> None:
    assert asked(room(-0.35, 0.6, 0), "stale", labels=1.0) == 1.0
    assert asked(room(-0.35, 0.6, 0), "stale") == 0.0  # other columns say that its values are old


def test_a_truth_that_may_have_moved_tells_a_part() -> None:
    """Half of what is surely seen: the witness is heard by as much as it is sure."""
    told = [asked(room(-0.16, 0.6, seed)) for seed in range(20)]
    assert sum(0.0 < x < 1.0 for x in told) >= 8
    assert max(told) < 1.0


def test_a_world_that_surely_changed_is_suspected_before_values() -> None:
    def odds(apart: float) -> float:
        facts = {"apart": apart} if apart else {}
        clues = [Clue("concept", "population", "concept", "labels differ", 0.7, facts=facts),
                 Clue("alone", "feature:f0", "alone", "f0 moved alone", 0.7)]
        found = hypotheses(clues, [], Scene("quality", 10, (), features=NAMES))
        best = {s: max(score(h) for h in found if h.subject == s and (h.category == "external") is (s == "population"))
                for s in ("population", "feature:f0")}
        return best["population"] - best["feature:f0"]

    assert odds(1.0) > odds(0.5) > odds(0.0)
    assert odds(1.0) > 1.0


def test_an_input_that_moves_with_the_symptom_speaks_for_a_world_that_moved_as_well() -> None:
    def odds(began: int) -> float:
        clues = [Clue("concept", "population", "concept", "labels differ", 0.7, facts={"apart": 1.0}),
                 Clue("alone", "feature:f0", "alone", "f0 moved alone", 0.7, onset=began)]
        found = hypotheses(clues, [], Scene("quality", 100, (), features=NAMES))
        return max(score(h) for h in found if h.subject == "population")

    assert odds(101) > odds(160) == odds(40)
