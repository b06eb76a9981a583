from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rca_kit.loop.s5_samples.twins import Field, differs, gower, make_fields, nearest

cell = st.one_of(st.none(), st.floats(-100, 100))
word = st.sampled_from([None, "a", "b", "c"])


def brute(rows, pool, fields):
    out = np.zeros((rows.height, pool.height))
    for i, a in enumerate(rows.to_dicts()):
        for j, b in enumerate(pool.to_dicts()):
            parts = []
            for f in fields:
                x, y = a[f.column], b[f.column]
                if x is None or y is None:
                    parts.append(float((x is None) != (y is None)))
                elif f.scale is None:
                    parts.append(float(x != y))
                else:
                    parts.append(min(abs(x - y) / f.scale, 1.0))
            out[i, j] = sum(f.weight * p for f, p in zip(fields, parts, strict=True)) / sum(f.weight for f in fields)
    return out


@given(st.lists(st.tuples(cell, word), min_size=1, max_size=4), st.lists(st.tuples(cell, word), min_size=1, max_size=8))
@settings(max_examples=80, deadline=None)
def test_gower_is_the_written_out_sum(a, b):
    schema = {"x": pl.Float64, "c": pl.String}
    rows, pool = (pl.DataFrame({"x": [r[0] for r in t], "c": [r[1] for r in t]}, schema=schema) for t in (a, b))
    fields = (Field("x", 7.0), Field("c", None, 2.0))
    assert gower(rows, pool, fields) == pytest.approx(brute(rows, pool, fields))


def test_hours_go_round_the_clock():
    one = pl.DataFrame({"c": ["a"]})
    d = gower(one, pl.DataFrame({"c": ["a", "a"]}), (Field("c", None),), (np.array([23.5]), np.array([0.5, 11.5])))
    assert d[0].tolist() == pytest.approx([1 / 12 / 2, 1.0 / 2])


def test_robust_range_is_not_ruled_by_one_outlier():
    field, = make_fields(pl.DataFrame({"x": [*map(float, range(100)), 1e9]}), ["x"])
    assert field.scale < 100


def test_nearest_shares_out_and_starts_again_when_all_are_taken():
    index, distance = nearest(np.array([[0.1, 0.2], [0.1, 0.3], [0.5, 0.4]]))
    assert index.tolist() == [0, 1, 1]
    assert distance.tolist() == [0.1, 0.3, 0.4]


def test_differs_by_what_matters():
    assert not differs(None, None, 1.0)
    assert differs(None, 1.0, 1.0)
    assert not differs(10.0, 10.5, 10.0)
    assert differs(10.0, 12.0, 10.0)
    assert not differs(float("nan"), None, 1.0)
