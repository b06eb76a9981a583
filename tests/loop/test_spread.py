"""An input that moved as much where nobody was hurt is not what hurts."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from rca_kit.findings.scope import Segment
from rca_kit.loop.s4_suspects.clue import Clue
from rca_kit.loop.s4_suspects.hypotheses import Scene, hypotheses
from rca_kit.loop.s4_suspects.ledger import charges, score
from rca_kit.loop.s4_suspects.spread import moved_elsewhere, of_one_kind, total_variation

ROWS = 3000
HIT = (Segment({"site": "b"}, 0.4, 1.0),)


def room(inside: float, outside: float, seed: int = 0) -> Any:
    """By how much a number moved, and what part of a text's values became others, in site b and elsewhere."""
    frames = []
    for after in (False, True):
        rng = np.random.default_rng([seed, after])
        site = np.where(rng.random(ROWS) < 0.4, "b", "a")
        by = np.where(site == "b", inside, outside) * after
        name = np.where(rng.random(ROWS) < by, "x", rng.choice(["x", "y", "z"], ROWS))
        frames.append(pl.DataFrame({"site": site, "n": rng.normal(size=ROWS) + by, "t": name}))
    return SimpleNamespace(before=frames[0], after=frames[1])


@pytest.mark.parametrize("column", ["n", "t"])
@pytest.mark.parametrize(("inside", "outside", "expected"), [
    (0.4, 0.4, True), (0.5, 0.0, False), (0.6, 0.2, False), (0.0, 0.0, False)])
def test_an_input_that_moved_as_much_elsewhere_is_told(column: str, inside: float, outside: float, expected: bool) -> None:
    clue = Clue("drift", f"feature:{column}", "drift", "it moved", 0.6)
    told = [bool(moved_elsewhere(room(inside, outside, seed), [clue], HIT)) for seed in range(10)]
    assert sum(told) == (10 if expected else 0)


def test_only_drifts_and_only_of_a_part_are_asked() -> None:
    moved = room(0.4, 0.4)
    assert not moved_elsewhere(moved, [Clue("drift", "feature:n", "drift", "it moved", 0.6)], ())
    assert not moved_elsewhere(moved, [Clue("nulls", "feature:n", "nulls", "missing", 0.6)], HIT)
    assert not moved_elsewhere(moved, [Clue("drift", "feature:gone", "drift", "it moved", 0.6)], HIT)


def test_it_is_accused_less() -> None:
    clue = Clue("drift", "feature:n", "drift", "it moved", 0.6)

    def odds(abroad: frozenset[str]) -> float:
        found = hypotheses([clue], [], Scene("quality", 10, HIT, features=("n",), abroad=abroad))
        return max(score(h) for h in found if h.subject == "feature:n")

    assert odds(frozenset()) - odds(frozenset({"feature:n"})) == pytest.approx(1.5)


@pytest.mark.parametrize(("column", "first"), [("exp.arm", "routing"), ("site", "feature:n")])
def test_who_was_drawn_by_lot_is_given_something_else(column: str, first: str) -> None:
    clues = [Clue("drift", "feature:n", "drift", "it moved", 0.6), Clue("alone", "feature:n", "alone", "alone", 0.6)]
    found = hypotheses(clues, [], Scene("quality", 10, (Segment({column: "b"}, 0.4, 1.0),), features=("n",)))
    assert charges(found)[0].best.subject == first


def test_values_missing_in_an_arm_alone_are_still_what_it_is_about() -> None:
    clue = Clue("null_rate", "feature:n", "nulls", "missing", 0.95, share=0.4, harm=1.0)
    found = hypotheses([clue], [], Scene("quality", 10, (Segment({"exp.arm": "b"}, 0.4, 1.0),), features=("n",)))
    assert charges(found)[0].best.subject == "feature:n"


@pytest.mark.parametrize("seed", range(5))
def test_the_total_variation_is_that_of_all_shares_missing_ones_among_them(seed: int) -> None:
    """Oracle: shares counted one by one; the error of each by simulation of two draws from the same shares."""
    rng = np.random.default_rng(seed)
    mixes = ((400, [0.4, 0.3, 0.1, 0.2]), (300, [0.2, 0.2, 0.2, 0.4]))
    was, now = (pl.Series(rng.choice(["a", "b", "c", None], n, p=p).tolist()) for n, p in mixes)
    shares = [{v: sum(x == v for x in s.to_list()) / s.len() for v in ("a", "b", "c", None)} for s in (was, now)]
    found, chance = total_variation(was, now)
    assert found == pytest.approx(sum(abs(shares[1][v] - shares[0][v]) for v in shares[0]) / 2)
    pooled = [(shares[0][v] * 400 + shares[1][v] * 300) / 700 for v in shares[0]]
    drawn = rng.multinomial(400, pooled, 4000) / 400 - rng.multinomial(300, pooled, 4000) / 300
    assert chance == pytest.approx(drawn.std(axis=0).sum() / 2, rel=0.05)


def test_columns_with_missing_values_that_did_not_move_have_not_moved_elsewhere() -> None:
    clue, still = Clue("drift", "feature:t", "drift", "it moved", 0.6), room(0.4, 0.0)
    for side in ("before", "after"):
        frame = getattr(still, side)
        setattr(still, side, frame.with_columns(t=pl.when(pl.int_range(pl.len()) % 2 == 0).then(None).otherwise("t")))
    assert not moved_elsewhere(still, [clue], HIT)


def test_without_a_segment_nothing_tells_that_a_lot_chose() -> None:
    frame = pl.DataFrame({"device": ["a", "b"] * 500})
    assert of_one_kind(frame, frame, ["device"])
    assert not of_one_kind(frame, frame, []) and not of_one_kind(frame, frame, ["no such column"])
