"""What a new release does to values and names: another unit beside the others, other names for all values."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from rca_kit.aggregates.plan import Columns
from rca_kit.loop.s4_suspects.checks.categories import _one_for_one
from rca_kit.loop.s4_suspects.checks.releases import of_a_release
from rca_kit.loop.s4_suspects.surrogate import fit_gap
from rca_kit.loop.s4_suspects.units import unit_apart

ROWS = 4000


def price(rng: np.random.Generator, rows: int = ROWS) -> np.ndarray:
    return rng.lognormal(4, 0.8, rows).round(2)


@pytest.mark.parametrize(("factor", "unit"), [
    (0.45, "1/2.205 of"), (2.54, "x2.54"), (0.3048, "1/3.281 of"), (10.0, "x10"), (1.0, None), (1.7, None), (0.7, None)])
def test_two_groups_differ_by_a_unit_only_where_a_unit_has_that_factor(factor: float, unit: str | None) -> None:
    rng = np.random.default_rng(1)
    assert unit_apart(price(rng), (price(rng) * factor).round(4)) == unit


def test_who_differs_by_nature_differs_in_shape() -> None:
    rng = np.random.default_rng(2)
    assert unit_apart(price(rng), rng.lognormal(4 + np.log(2.54), 1.1, ROWS)) is None
    assert unit_apart(price(rng), rng.gamma(2, 40, ROWS) * 2.54) is None


def test_alike_groups_are_not_apart_in_hundreds_of_draws() -> None:
    rng = np.random.default_rng(3)
    assert not any(unit_apart(price(rng, 800), price(rng, 800)) for _ in range(300))


def room(new: str, factor: float) -> Any:
    rng = np.random.default_rng(5)
    before = pl.DataFrame({"app": rng.choice(["5.12.0", "5.13.1"], ROWS), "price": price(rng)})
    app = rng.choice(["5.12.0", "5.13.1", new], ROWS, p=[0.3, 0.3, 0.4])
    after = pl.DataFrame({"app": app, "price": price(rng) * np.where(app == new, factor, 1.0)})
    return SimpleNamespace(before=before, after=after, columns=Columns("ts", "binary", features=("price",), segments=("app",)))


@pytest.mark.parametrize(("new", "factor", "told"), [
    ("5.14.0", 0.4536, True), ("5.14.0", 1.0, False), ("partner", 0.4536, False), ("5.13.1", 0.4536, False)])
def test_a_release_that_is_new_is_asked_for_its_unit(new: str, factor: float, told: bool) -> None:
    """Another market may have smaller prices; a release is numbered like the others. One that was there is seen elsewhere."""
    r = room(new, factor)
    found = of_a_release(r, "price", r.after["price"].to_numpy())
    assert (found is not None) is told
    if found is not None:
        clue, _, rows = found
        assert clue.signature == "unit" and clue.where == {"column": "price", "op": "segment", "segment": {"app": new}}
        assert rows.sum() == (r.after["app"] == new).sum()


@pytest.mark.parametrize(("fresh", "expected"), [
    ({"10": 520, "20": 310, "30": 160}, True),  # all requests
    ({"10": 260, "20": 155, "30": 80}, True),  # half of them
    ({"10": 170, "20": 170, "30": 170}, False),  # as many, and of other shares: others came
    ({"10": 400}, False), ({"10": 300, "20": 200}, False)])
def test_a_new_name_for_each_old_one_is_told_by_their_shares(fresh: dict[str, int], expected: bool) -> None:
    old, rest = {"PA": 5200, "AP": 3150, "LAT": 1600}, 1000 - sum(fresh.values())
    now = {v: round(n * rest / 9950) for v, n in old.items()} | fresh
    assert _one_for_one(old, now, fresh) is expected


def test_hours_of_which_a_fit_saw_a_few_minutes_are_not_asked() -> None:
    """Scores rise with the hour; the log before ends at ten past ten in the evening, the log after begins there."""
    rng = np.random.default_rng(7)
    def side(hours: np.ndarray) -> tuple[pl.DataFrame, np.ndarray]:
        x = rng.normal(size=hours.size)
        frame = pl.DataFrame({"hour": hours, "x": x})
        return frame, x + 0.02 * (hours - 12.0) ** 2 + rng.normal(0, 0.05, hours.size)

    early, late = np.repeat(np.arange(3, 22), 600), np.full(2000, 22)
    before, given = side(np.concatenate([early, np.full(60, 22)]).astype(float))
    again, same = side(np.concatenate([early[::3], late]).astype(float))
    gap = fit_gap(before, again, ["hour", "x"], given, same)
    assert gap is not None and gap.strength < 0.3
    other = fit_gap(before, again, ["hour", "x"], given, np.where(again["hour"].to_numpy() < 22, same + 0.3, same))
    assert other is not None and other.strength >= 0.5, "another scorer is still seen by the hours that are known"
