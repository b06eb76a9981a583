"""Rows drawn from a log come in one order, whatever order the engine gives them in."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from rca_kit.sources.draw import settled


@pytest.mark.parametrize("first", [(), ("t",), ("t", "h")])
@pytest.mark.parametrize("distinct", [3, 10**9])
def test_rows_are_sorted_by_all_columns_as_soon_as_the_first_agree(first: tuple[str, ...], distinct: int) -> None:
    rng = np.random.default_rng(1)
    n = 500
    rows = pl.DataFrame({
        "x": rng.integers(0, 4, n), "t": rng.integers(0, distinct, n), "h": rng.integers(0, 4, n), "s": rng.choice([*"abc"], n),
    }).with_columns(t=pl.when(pl.col("x") < 3).then("t"), f=pl.lit([1]))
    others = [c for c in ("x", "t", "h", "s") if c not in first]
    expected = rows.sort([*first, *others], nulls_last=True, maintain_order=True)
    for seed in range(3):
        assert settled(rows.sample(fraction=1, shuffle=True, seed=seed), *first).equals(expected)


def test_no_rows_and_one_row_stay() -> None:
    row = pl.DataFrame({"t": [None], "x": [1]}, schema={"t": pl.Int64, "x": pl.Int64})
    assert settled(row, "t").equals(row)
    assert settled(row.clear(), "t").equals(row.clear())
