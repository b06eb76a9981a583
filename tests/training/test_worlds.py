from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rca_kit.errors import BadInput
from rca_kit.training.world import Cat, Num
from rca_kit.training.worlds import WORLDS, get_world


def test_every_world_names_columns_once() -> None:
    for w in WORLDS.values():
        n = w.names
        common = [n.time, n.request_id, n.score, n.decision, n.label, n.label_time, n.model_version, n.error, n.latency]
        names = (
            [c.name for c in w.columns]
            + [c for c in common if c]
            + [s.name for s in w.stages]
            + [k.name for k in w.kpis]
            + list(w.extra)
        )
        assert len(names) == len(set(names)), w.name


def test_every_world_has_segments_and_vendors_that_supply_something() -> None:
    for w in WORLDS.values():
        assert len(w.segments) >= 2, w.name
        supplied = {c.source for c in w.columns} | {s.component for s in w.stages}
        assert set(w.vendors) <= supplied, w.name


def test_tasks_are_varied() -> None:
    assert {w.task for w in WORLDS.values()} == {"binary", "multiclass", "regression", "ranking", "text"}
    assert len(WORLDS) >= 7


def test_unknown_world_is_refused_with_a_hint() -> None:
    with pytest.raises(BadInput, match="did you mean `fraud`"):
        get_world("frauds")


@given(st.sampled_from(["normal", "lognormal", "unit"]), st.floats(-2, 3), st.floats(0.2, 1.5), st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_the_model_reads_back_the_z_that_made_the_value(shape: str, a: float, b: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    column = Num("x", shape, a, b, digits=9)
    z = rng.normal(size=50).clip(-2.5, 2.5)
    assert np.allclose(column.standard(column.value(z, rng)), z, atol=1e-3)


def test_missing_counts_as_average_and_extremes_saturate() -> None:
    column = Num("x", "lognormal", 3, 0.5)
    z = column.standard(np.array([np.nan, 1e12, -5.0]))
    assert z.tolist() == [0.0, 4.0, -4.0]


def test_shares_sum_to_one() -> None:
    assert Cat("c", ("a", "b", "c")).shares().sum() == pytest.approx(1)
