"""Requests of one segment that are lost, while those of the others come as before."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from rca_kit.loop.reading.columns import compare_columns
from rca_kit.loop.reading.picture import look
from rca_kit.loop.s4_suspects import Room
from rca_kit.loop.s4_suspects.checks import traffic
from rca_kit.loop.s4_suspects.checks.traffic import segment_volume

from . import made


def room(lost: float, seed: int) -> Room:
    """Every third request is android's; from the onset on a part of these is not in the log."""
    frame = made.log(rows=60_000, seed=seed)
    gone = np.random.default_rng([seed, 1]).random(frame.height) < lost
    frame = frame.filter(~(made.AFTER & (pl.col("device") == "android") & pl.Series(gone)))
    seen = look(*made.sums(frame), ("volume",), made.ALERT)
    before, after = (frame.filter((pl.col("ts") >= w.start) & (pl.col("ts") < w.end)) for w in seen.windows)
    return Room(seen, before, after, compare_columns(seen), ())


@pytest.mark.parametrize(("lost", "told"), [(0.0, False), (0.1, False), (0.36, True), (0.6, True)])
@pytest.mark.parametrize("seed", range(3))
def test_a_segment_that_lost_requests_is_told_from_one_that_has_a_few_less(lost: float, told: bool, seed: int) -> None:
    found = segment_volume(room(lost, seed))
    marked = [(c.signature, c.where["column"], c.where["values"]) for c in found.clues if c.where]
    assert marked == ([("segment_lost", "device", ["android"])] if told else [])


@pytest.mark.parametrize(("values", "told"), [(2, False), (3, True)])
def test_of_two_values_none_is_lost_where_after_has_other_days(monkeypatch: pytest.MonkeyPatch, values: int, told: bool) -> None:
    """Half as many come at the weekend; one other value cannot tell how many of these were moved to it."""
    volumes = {"r1": (2800.0, 400.0), "r2": (2700.0, 2000.0), "r3": (2700.0, 2000.0)}
    monkeypatch.setattr(traffic, "same_days", lambda _: False)
    monkeypatch.setattr(traffic, "_volumes", lambda *_: dict(list(volumes.items())[:values]))
    seen = room(0.0, 0)
    found = segment_volume(seen)
    assert bool([c for c in found.clues if c.signature == "segment_lost"]) is told


def test_what_two_values_lost_to_a_third_is_not_lost() -> None:
    moved = {"dfw": (11_300.0, 3600.0), "iad": (13_100.0, 3930.0), "sjc": (8200.0, 14_900.0)}
    assert all(traffic._handed_over(moved, v, 30.0) for v in ("dfw", "iad"))
    lost = {**moved, "sjc": (8200.0, 8100.0)}  # the third goes on as before
    assert not any(traffic._handed_over(lost, v, 30.0) for v in ("dfw", "iad"))
