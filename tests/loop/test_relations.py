"""What goes together: features with each other, scores with features, a version with those beside it."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from rca_kit.aggregates.plan import Columns
from rca_kit.loop.s4_suspects.checks.model import _scores_alone
from rca_kit.loop.s4_suspects.checks.recorded import _bound
from rca_kit.loop.s4_suspects.checks.relations import relations
from rca_kit.loop.s4_suspects.clue import Clue, Outcome
from rca_kit.loop.s4_suspects.explained import explained_away
from rca_kit.loop.s4_suspects.surrogate import fit_gap
from rca_kit.loop.s4_suspects.verdict import decide


@pytest.mark.parametrize(("change", "effect", "mix", "told"), [
    (-0.3, 0.0, [], True), (-0.3, 0.4, [], False), (-0.3, 0.0, ["share:a"], False), (-0.02, 0.0, [], False)])
def test_scores_that_moved_alone_accuse_the_scorer(change: float, effect: float, mix: list[str], told: bool) -> None:
    rng = np.random.default_rng(1)
    reading = SimpleNamespace(moved=True, change=change, before=0.8, after=0.8 + change)
    room: Any = SimpleNamespace(
        readings={"score_mean": reading}, columns=Columns("ts", "multiclass", score="s"), clocks=(), onset=lambda _: 7, inside={},
        before=pl.DataFrame({"s": np.clip(rng.normal(0.8, 0.15, 2000), 0, 1)}), moved=lambda *families: mix,
        compared={"x": SimpleNamespace(changed=effect > 0, effect=effect)})
    clue = _scores_alone(room)
    assert (clue is not None) is told
    if clue is not None:
        assert clue.signature == "score_function" and clue.subject == "model:" and clue.strength > 0.8


@pytest.mark.parametrize(("share", "off", "expected"), [
    (0.1, True, "v2"), (0.5, True, "v2"), (0.9, True, "v2"), (0.5, False, None)])
def test_the_version_whose_scores_are_other_is_told_from_those_beside_it(share: float, off: bool, expected: str | None) -> None:
    rng = np.random.default_rng(8)
    frames, scores = [], []
    for side in range(2):
        x = rng.normal(size=(6000, 3))
        new = (rng.random(6000) < share) & (side == 1)
        weights = np.where(new[:, None] & off, [-0.5, 1.0, 0.2], [1.0, 0.5, 0.2])
        scores.append((x * weights).sum(1) + rng.normal(size=6000) * 0.3)
        frames.append(pl.DataFrame({"a": x[:, 0], "b": x[:, 1], "c": x[:, 2], "v": np.where(new, "v2", "v1")}))
    gap = fit_gap(*frames, ["a", "b", "c"], *scores, groups="v")
    whole = fit_gap(*frames, ["a", "b", "c"], *scores)
    assert gap is not None and whole is not None and gap.odd == expected
    assert gap.strength > 0.9 if off else gap == whole and gap.strength < 0.3


@pytest.mark.parametrize(("others", "told"), [(180, "v2"), (100, None)])
def test_a_few_rows_of_the_others_show_that_these_are_fine(others: int, told: str | None) -> None:
    rng = np.random.default_rng(10)
    x = rng.normal(size=(8000, 2))
    row = np.arange(8000)
    version = np.where(row < 6000, rng.choice(["v1", "v2"], 8000), np.where(row < 8000 - others, "v2", "v1"))
    off = (version == "v2") & (row >= 6000)
    y = (x * np.where(off[:, None], [-0.5, 1.0], [1.0, 0.5])).sum(1) + rng.normal(size=8000) * 0.3
    frame = pl.DataFrame({"a": x[:, 0], "b": x[:, 1], "v": version})
    gap = fit_gap(frame[:6000], frame[6000:], ["a", "b"], y[:6000], y[6000:], groups="v")
    assert gap is not None and gap.odd == told


def test_what_only_one_version_shows_is_no_changed_world() -> None:
    own = Clue("score_function", "model:v2", "score_function", "s", 0.8, where={"column": "v", "op": "in", "values": ["v2"]})
    world = Clue("concept", "population", "concept", "c", 0.8)
    assert explained_away([own, world]) == [own]
    assert explained_away([replace(own, where=None), world]) == [replace(own, where=None), world]


def test_versions_that_score_alike_are_not_told_apart() -> None:
    rng = np.random.default_rng(9)
    for _ in range(10):
        x = rng.normal(size=(4000, 2))
        y = x.sum(1) + rng.normal(size=4000)
        frame = pl.DataFrame({"a": x[:, 0], "b": x[:, 1], "v": rng.choice(["v1", "v2", "v3"], 4000)})
        gap = fit_gap(frame[:2000], frame[2000:], ["a", "b"], y[:2000], y[2000:], groups="v")
        assert gap is not None and gap.odd is None


@pytest.mark.parametrize(("cut", "told"), [("clip", True), ("constant", False), ("low", True)])
def test_scores_that_end_at_a_bound_were_cut_off(cut: str, told: bool) -> None:
    rng = np.random.default_rng(2)
    before, after = rng.beta(2, 5, 3000), rng.beta(2, 5, 3000)
    bound = 0.4 if cut != "low" else 0.1
    low = cut == "low"
    beyond = after < bound if low else after > bound
    served = np.where(beyond if cut != "constant" else rng.random(3000) < 0.3, bound, after)
    share = float((served == bound).mean())
    assert bool(_bound(bound, served, before, share)) is told


@pytest.mark.parametrize(("z", "odd", "verdict"), [
    (7.0, 0.0, "incident"), (4.0, 0.9, "incident"), (4.0, 0.0, "no_change"), (1.0, 0.9, "no_change")])
def test_a_canary_is_an_incident_where_it_does_worse_or_scores_otherwise_too(z: float, odd: float, verdict: str) -> None:
    where = {"column": "v", "op": "in", "values": ["v2"]}
    clues = [Clue("version", "model:v2", "version", "new", 0.5, facts={"side_by_side_z": z})]
    if odd:
        clues.append(Clue("score_function", "model:v2", "score_function", "other scores", odd, where=where))
    picture = SimpleNamespace(alert="auc", onset=None, matched=True, anchor=None, moves={}, series={})
    room: Any = SimpleNamespace(readings={}, picture=picture, moved=lambda *families: [], main="auc", compared={})
    assert decide(room, (Outcome("version", "t", "model", "free", tuple(clues)),)).verdict == verdict


@pytest.mark.parametrize(("stale", "psi", "told"), [(True, 0.0, True), (False, 0.0, True), (False, 0.5, False)])
def test_a_category_whose_mix_moved_brought_others_and_is_not_stale(stale: bool, psi: float, told: bool) -> None:
    rng = np.random.default_rng(3)
    def rows(others: int) -> pl.DataFrame:
        shop = rng.choice(["a", "b", "c"], 4000, p=[0.5, 0.3, 0.2])
        stock = rng.normal(size=4000) + np.select([shop == "a", shop == "b"], [0.0, 0.6], 1.2)
        shop = np.where(np.arange(4000) < others, "c", shop)
        shop = rng.permutation(shop) if stale and others else shop
        return pl.DataFrame({"shop": shop, "stock": stock, "x": rng.normal(size=4000)})
    room: Any = SimpleNamespace(
        before=rows(0), after=rows(1 if stale else 3000), compared={"shop": SimpleNamespace(psi=psi)}, inside={}, clocks=(),
        clumps={},
        readings={}, picture=SimpleNamespace(moves={}, aggregates=SimpleNamespace(plan=SimpleNamespace(label_kind="binary"))),
        moved=lambda *_: [], columns=Columns("ts", "binary", features=("shop", "stock", "x")))
    assert bool(relations(room).clues) is told


def test_two_levels_that_wander_are_few_pairs() -> None:
    rng = np.random.default_rng(6)
    def rows(goes: float) -> pl.DataFrame:
        wind = np.repeat(rng.normal(size=150), 20)
        price = goes * wind + np.repeat(rng.normal(size=150), 20)
        return pl.DataFrame({"wind": wind, "price": price + rng.normal(size=3000) / 9, "x": rng.normal(size=3000)})
    said = []
    for clumps in ({}, {"wind": 100.0, "price": 100.0}):
        room: Any = SimpleNamespace(
            before=rows(0.5), after=rows(0.0), compared={}, inside={}, clocks=(), clumps=clumps,
            readings={}, picture=SimpleNamespace(moves={}, aggregates=SimpleNamespace(plan=SimpleNamespace(label_kind="binary"))),
            moved=lambda *_: [], columns=Columns("ts", "binary", features=("wind", "price", "x")))
        said.append(bool(relations(room).clues))
    assert said == [True, False]


@pytest.mark.parametrize(("weight", "psi", "told"), [(0.3, 0.0, True), (0.3, 0.4, False), (3.0, 0.4, True)])
def test_numbers_that_drifted_and_went_along_a_little_only_are_not_stale(weight: float, psi: float, told: bool) -> None:
    rng = np.random.default_rng(5)
    def rows(goes: float) -> pl.DataFrame:
        size = rng.normal(size=6000)
        return pl.DataFrame({"size": size, "price": goes * size + rng.normal(size=6000), "x": rng.normal(size=6000)})
    moved = SimpleNamespace(psi=psi)
    room: Any = SimpleNamespace(
        before=rows(weight), after=rows(0.0), compared={"price": moved, "size": moved}, inside={}, clocks=(), clumps={},
        readings={}, picture=SimpleNamespace(moves={}, aggregates=SimpleNamespace(plan=SimpleNamespace(label_kind="binary"))),
        moved=lambda *_: [], columns=Columns("ts", "binary", features=("size", "price", "x")))
    assert bool(relations(room).clues) is told
