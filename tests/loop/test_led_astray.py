"""An input that no score depends on moves hours before a fault: it dates nothing."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from rca_kit.loop.relaid import led_astray


@pytest.mark.parametrize(("lead", "used", "worse", "astray"), [
    ("mean:size", False, True, ("mean:size",)), ("mean:size", True, True, ()),
    ("auc", False, True, ()), ("mean:size", False, False, ())])
def test_only_inputs_that_no_score_heeds_and_that_date_the_fault_are_left_out(
    monkeypatch: pytest.MonkeyPatch, lead: str, used: bool, worse: bool, astray: tuple[str, ...]
) -> None:
    rng = np.random.default_rng(5)
    size = rng.normal(size=6000)
    score = 0.5 + 0.1 * rng.normal(size=6000) + (0.1 * size if used else 0.0)
    anchor: Any = SimpleNamespace(series=SimpleNamespace(name="auc", family="quality", column=None))
    beside: Any = SimpleNamespace(series=SimpleNamespace(name="mean:size", family="input", column="size"))
    picture: Any = SimpleNamespace(onset=SimpleNamespace(lead=lead), group=(anchor, beside), anchor=anchor, alert="auc")
    room: Any = SimpleNamespace(
        before=pl.DataFrame({"size": size, "score": score}), columns=SimpleNamespace(score="score", decision=None, task="binary"))
    monkeypatch.setattr("rca_kit.loop.relaid.got_worse", lambda _: ["auc"] if worse else [])
    assert led_astray(picture, room) == astray
    alone: Any = SimpleNamespace(onset=SimpleNamespace(lead=lead), group=(beside,), anchor=beside, alert="auc")
    assert led_astray(alone, room) == astray  # it hid the fault itself
    alone.alert = "psi:size"  # unless it is what somebody asked about
    assert led_astray(alone, room) == ()
    assert led_astray(SimpleNamespace(onset=None, group=(anchor, beside), alert="auc"), room) == ()  # type: ignore[arg-type]
