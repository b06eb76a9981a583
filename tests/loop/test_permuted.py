"""Values that change places, at once or little by little."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from rca_kit.aggregates.plan import Columns
from rca_kit.loop.s4_suspects.checks.permuted import (
    kept_labels,
    permuted,
    permuted_among_new,
    permuted_partly,
    permuted_with_labels,
    whose_place,
)

SHARES = {"18-24": 0.22, "25-34": 0.30, "35-49": 0.28, "50+": 0.20}
N = 12_000


def counts(shares: np.ndarray, rng: np.random.Generator) -> dict[str, int]:
    drawn = rng.multinomial(N, shares / shares.sum())
    return {v: int(k) for v, k in zip(SHARES, drawn, strict=True)}


def room(gradual: bool = True) -> Any:
    return SimpleNamespace(
        picture=SimpleNamespace(onset=SimpleNamespace(gradual=gradual)), columns=SimpleNamespace(label=None))


@pytest.mark.parametrize("part", [0.4, 0.7, 1.0])
def test_codes_that_are_refreshed_one_by_one_are_told_before_they_are_through(part: float) -> None:
    rng, p = np.random.default_rng(3), np.array(list(SHARES.values()))
    swapped = p[[2, 3, 0, 1]]
    found = [permuted_partly(room(), "age", counts(p, rng), counts(p + part * (swapped - p), rng)) for _ in range(20)]
    told = [c for c in found if c is not None]
    assert len(told) >= 15
    assert all(c.signature == "permuted" and c.subject == "feature:age" for c in told)
    assert "50+ -> 25-34" in told[0].says
    assert f"{part:.0%}"[0] in told[0].says.split(", ")[-1]


def test_a_change_at_once_is_left_to_the_exact_comparison() -> None:
    rng, p = np.random.default_rng(4), np.array([0.5, 0.3, 0.15, 0.05])
    before, after = counts(p, rng), counts(p[[2, 3, 0, 1]], rng)
    assert permuted_partly(room(gradual=False), "age", before, after) is None
    exact = permuted("age", before, after)
    assert exact is not None and exact.strength > 0.7


def test_few_drifts_go_that_way_by_chance() -> None:
    rng, p = np.random.default_rng(5), np.array(list(SHARES.values()))
    told = 0
    for _ in range(200):
        drift = rng.normal(size=4) * 0.06
        after = counts(np.maximum(p + drift - drift.mean(), 0.02), rng)
        told += permuted_partly(room(), "age", counts(p, rng), after) is not None
    assert told <= 30, "one in ten to seven"


def test_no_drift_is_no_permutation() -> None:
    rng, p = np.random.default_rng(6), np.array(list(SHARES.values()))
    assert all(permuted_partly(room(), "age", counts(p, rng), counts(p, rng)) is None for _ in range(200))


AGES, RATES = list(SHARES), np.array([0.1, 0.2, 0.35, 0.5])


def labelled(rng: np.random.Generator, order: list[int], drift: float) -> Any:
    """Rows before, and after a drift of who comes; the values that are written after are those at the places of `order`."""
    frames = []
    for after in (False, True):
        p = np.array(list(SHARES.values())) * (np.exp(rng.normal(0, drift, 4)) if after else 1.0)
        true = rng.choice(4, N, p=p / p.sum())
        y = (rng.random(N) < RATES[true]).astype(float)
        written = np.array(order)[true] if after else true
        frames.append(pl.DataFrame({"age": np.array(AGES)[written], "y": y}))
    columns = Columns("ts", "binary", label="y", positive={"y": 1.0})
    told: Any = SimpleNamespace(before=frames[0], after=frames[1], columns=columns)
    nb, na = ({str(k): int(n) for k, n in f["age"].value_counts().iter_rows()} for f in frames)
    return permuted_with_labels(told, "age", nb, na)


def test_labels_bear_witness_of_values_that_changed_places_while_others_came() -> None:
    found = [labelled(np.random.default_rng(s), [1, 3, 0, 2], 0.06) for s in range(30)]
    told = [c for c in found if c is not None]
    assert len(told) >= 20
    assert all(c.signature == "permuted" and "18-24 -> 25-34" in c.says for c in told)


def test_three_values_in_a_ring_are_told_by_their_labels() -> None:
    """There are only five other ways to order three shares: shares alone say nothing, labels do."""
    told = 0
    for seed in range(30):
        rng = np.random.default_rng(seed)
        frames = []
        for order in ([0, 1, 2], [1, 2, 0]):
            true = rng.choice(3, N, p=[0.30, 0.45, 0.25])
            y = (rng.random(N) < np.array([0.1, 0.3, 0.5])[true]).astype(float)
            frames.append(pl.DataFrame({"grade": np.array(["A", "B", "C"])[np.array(order)[true]], "y": y}))
        seen: Any = SimpleNamespace(
            before=frames[0], after=frames[1], columns=Columns("ts", "binary", label="y", positive={"y": 1.0}))
        nb, na = ({str(k): int(n) for k, n in f["grade"].value_counts().iter_rows()} for f in frames)
        clue = permuted_with_labels(seen, "grade", nb, na)
        told += clue is not None and "A -> B" in clue.says and "C -> A" in clue.says
    assert told == 30


def test_who_comes_brings_his_own_labels_and_has_changed_no_codes() -> None:
    assert not any(labelled(np.random.default_rng(s), [0, 1, 2, 3], 0.5) for s in range(100))


@pytest.mark.parametrize(("codes", "kept"), [(False, True), (True, False)])
def test_labels_that_stayed_with_their_values_speak_against_a_permutation(codes: bool, kept: bool) -> None:
    """The shares of two values change places: by who comes, or by how they are written."""
    values = np.array(["A", "B", "C", "D"])
    for seed in range(20):
        rng, frames = np.random.default_rng(seed), []
        for p in ([0.1, 0.2, 0.3, 0.4], [0.3, 0.2, 0.1, 0.4]):
            true = rng.choice(4, N, p=[0.1, 0.2, 0.3, 0.4] if codes else p)
            y = (rng.random(N) < np.array([0.1, 0.2, 0.35, 0.5])[true]).astype(float)
            swapped = len(frames) == 1 and codes
            frames.append(pl.DataFrame({"kind": values[np.array([2, 1, 0, 3])[true] if swapped else true], "y": y}))
        seen: Any = SimpleNamespace(
            before=frames[0], after=frames[1], columns=Columns("ts", "binary", label="y", positive={"y": 1.0}))
        nb, na = ({str(k): int(n) for k, n in f["kind"].value_counts().iter_rows()} for f in frames)
        was = whose_place(nb, na)
        assert was.tolist() == [2, 1, 0, 3]
        assert kept_labels(seen, "kind", nb, was) is kept


def test_labels_that_fit_neither_bear_no_witness() -> None:
    """Clicks depend on what is shown to whom: where that went wrong, labels are neither the value's own nor the other's."""
    rng = np.random.default_rng(8)
    shares, own, other = np.array([0.22, 0.3, 0.28, 0.2]), np.array([0.18, 0.11, 0.33, 0.11]), np.array([0.17, 0.09, 0.22, 0.09])
    swapped = shares[[2, 3, 0, 1]]
    for labels, kept in ((own, True), (other, False)):
        frames = []
        for p, rate in ((shares, own), (0.5 * shares + 0.5 * swapped, labels)):
            code = rng.choice(4, N, p=p)
            frames.append(pl.DataFrame({"age": np.array(list(SHARES))[code], "y": (rng.random(N) < rate[code]).astype(float)}))
        columns = Columns("ts", "binary", label="y", positive={"y": 1})
        seen: Any = SimpleNamespace(before=frames[0], after=frames[1], columns=columns)
        nb = {str(k): int(n) for k, n in frames[0]["age"].value_counts().iter_rows()}
        assert kept_labels(seen, "age", nb, np.array([2, 3, 0, 1]), 0.5) is kept


@dataclass
class Rows:
    """What `permuted_among_new` asks of a room."""

    before: pl.DataFrame
    after: pl.DataFrame
    columns: Columns
    harm: Any = None


def with_a_new_client(others: str, seed: int) -> Any:
    """Codes of four values; of a new client they are permuted, or its people differ, or all went along."""
    rng, rows = np.random.default_rng(seed), 4000
    usual, moved = np.array([0.5, 0.27, 0.15, 0.08]), np.array([0.08, 0.5, 0.27, 0.15])
    came = rng.dirichlet(8 * usual)
    new = rng.random(rows) < 0.4
    codes = [rng.choice(4, rows, p=p) for p in (usual, usual, came if others == "guests" else moved)]
    after = np.where(new | (others == "all"), codes[2], codes[1])
    site = rng.choice(["a", "b"], rows)
    sides = ((site, codes[0]), (np.where(new, "n", site), after))
    frames = [pl.DataFrame({"site": s, "v": [f"c{i}" for i in v]}) for s, v in sides]
    return Rows(*frames, Columns("ts", "binary", segments=("site",), features=("v",)), lambda *_: 0.9)


def test_codes_of_a_new_client_alone_may_have_changed_places() -> None:
    def told(others: str) -> int:
        return sum(permuted_among_new(with_a_new_client(others, seed), "v") is not None for seed in range(20))

    assert told("stayed") >= 16  # the shares must fit as chance lets them
    assert told("guests") == 0
    assert told("all") == 0
    found = permuted_among_new(with_a_new_client("stayed", 2), "v")
    assert found is not None and found.where == {"column": "v", "op": "segment", "segment": {"site": "n"}} and found.harm == 0.9
