"""Requests of one segment that are lost, while those of the others come as before."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from rca_kit.loop.reading.columns import compare_columns
from rca_kit.loop.reading.picture import look
from rca_kit.loop.s4_suspects import Room
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
