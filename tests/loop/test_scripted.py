"""Scripts that all ask with the same number, on top of the others; and the same number filled in where others stood."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

import rca_kit

from . import made
from .test_told_twice import case, with_ids


def asked(on_top: bool, everywhere: bool, seed: int) -> pl.DataFrame:
    """From the onset on, many requests of the web, or of all devices, say `amount = 12.34` and are negatives.

    They come on top of the others, or are some of those that come anyway.
    """
    rng = np.random.default_rng([seed, 8])
    frame = with_ids(rows=20_000, seed=seed)
    hit = made.AFTER & ((pl.col("device") == "web") | pl.lit(everywhere)) & (pl.col("u") < (0.2 if everywhere else 0.5))
    odd = frame.filter(hit).with_columns(pl.col("id") + "s", amount=pl.lit(12.34), label=0)
    rest = frame if on_top else frame.filter(~hit)
    frame = pl.concat([rest, odd.select(rest.columns).cast(dict(rest.schema))]).sort("ts")
    heeds = 1 / (1 + np.exp(-0.8 * (np.log(frame["amount"].to_numpy()) - 3) - 0.03 * (frame["age"].to_numpy() - 50)))
    score = np.clip(heeds + rng.normal(0, 0.02, frame.height), 0.001, 0.999)
    return frame.with_columns(score=pl.Series(score), decision=pl.Series((score >= 0.4).astype(int)))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("on_top", "everywhere", "category", "subject"), [
    (True, False, "external", "traffic"), (False, False, None, "feature:amount"), (False, True, None, "feature:amount")])
def test_who_came_on_top_with_one_number_is_told_from_a_number_filled_in(
    tmp_path: Path, on_top: bool, everywhere: bool, category: str | None, subject: str, seed: int
) -> None:
    found = rca_kit.investigate(case(tmp_path, asked(on_top, everywhere, seed), "log_loss"))
    first = found.suspects.items[0]
    assert found.verdict == "incident"
    assert first.subject in ((subject, "population") if on_top else (subject,))
    assert first.category == category if category else first.category != "external"
    if on_top:
        assert [s.where for s in found.scope.segments] == [{"device": "web"}]
