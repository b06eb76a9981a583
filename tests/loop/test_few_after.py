"""What a shift of values shows in some fifty rows after: nothing when nothing happened, and what never was so before."""

from __future__ import annotations

import numpy as np
import pytest

from rca_kit.loop.s4_suspects.checks.values import _filled, _out_of_range
from rca_kit.loop.s4_suspects.units import FEW_AFTER, converted

ROWS = 60


def before(rng: np.random.Generator, kind: str, rows: int) -> np.ndarray:
    """Amounts with a heavy tail, temperatures, or small counts."""
    drawn = {"amounts": rng.lognormal(3, 1, rows), "degrees": rng.normal(12, 6, rows), "counts": rng.poisson(4, rows)}
    return np.asarray(drawn[kind], float)


@pytest.mark.parametrize("kind", ["amounts", "degrees", "counts"])
def test_fifty_rows_of_the_same_show_nothing(kind: str) -> None:
    told = 0
    for seed in range(400):
        rng = np.random.default_rng(seed)
        x, y = before(rng, kind, 3000), before(rng, kind, ROWS)
        told += any(found is not None for found in (_out_of_range("x", x, y), _filled("x", x, y), converted("x", x, y)))
    assert told == 0


@pytest.mark.parametrize(("change", "signature"), [("far", "range"), ("unit", "unit"), ("default", "default")])
def test_what_never_was_so_before_shows_in_fifty_rows(change: str, signature: str) -> None:
    told = 0
    for seed in range(50):
        rng = np.random.default_rng(seed)
        x, y = before(rng, "amounts", 3000), before(rng, "amounts", ROWS)
        if change == "far":
            y[: ROWS // 2] += 5000
            found = _out_of_range("x", x, y)
        elif change == "unit":
            found = converted("x", x, y * 1000)
        else:
            y[: ROWS // 2] = 20.0
            found = _filled("x", x, y)
        told += found is not None and found[0].signature == signature
    assert told >= 45


def test_fewer_rows_say_nothing() -> None:
    rng = np.random.default_rng(1)
    x, y = before(rng, "amounts", 3000), before(rng, "amounts", FEW_AFTER - 1) * 1000
    assert _out_of_range("x", x, y) is None and converted("x", x, y) is None and _filled("x", x, np.full(y.size, 20.0)) is None
