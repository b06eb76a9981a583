"""Kinds of change are named when they are there, and not otherwise."""

from __future__ import annotations

import numpy as np
import pytest

from rca_kit.stats.drift import OTHER, ColumnStats
from rca_kit.stats.drift.patterns import new_and_vanished, permuted, plain_form, renamed, stuck, unit_factor

EDGES = np.linspace(0.05, 60, 500)


def number(x, **more):
    counts = np.bincount(np.searchsorted(EDGES, x, side="right"), minlength=501)
    return ColumnStats.number("x", EDGES, counts, sums=np.array([x.sum()]), squares=np.array([x @ x]), minimum=x.min(),
                              maximum=x.max(), **more)


@pytest.mark.parametrize(("change", "expected"), [
    (lambda x: x * 1000, "x1000"), (lambda x: x * 0.01, "x0.01"), (lambda x: x / 60, "x0.01667"), (np.log, "log"),
    (lambda x: -x, "x-1"), (lambda x: (x - x.mean()) / x.std(), "standardised"), (lambda x: x, None), (lambda x: x + 1.0, None),
    (lambda x: x * 1.25, None),
])
def test_unit_factor(change, expected):
    rng = np.random.default_rng(0)
    x, y = rng.gamma(9, 1.0, 4000) + 0.5, rng.gamma(9, 1.0, 4000) + 0.5
    assert unit_factor(number(x), number(change(y))) == expected


def test_renamed_needs_a_value_that_left_and_one_that_came():
    labels = ("iOS", "android", "ios", OTHER)
    assert renamed(labels, np.array([500, 500, 0, 0.0]), np.array([0, 480, 520, 0.0])) == (("iOS", "ios"),)
    assert renamed(labels, np.array([500, 500, 0, 0.0]), np.array([510, 480, 0, 10.0])) == ()
    both = ("a b", "A-B", "x")  # two spellings side by side from the start are not a rename
    assert renamed(both, np.array([50, 50, 100.0]), np.array([48, 52, 100.0])) == ()
    assert plain_form("***") == "***"


def test_permuted_only_when_it_explains_all():
    b, labels = np.array([700.0, 200.0, 100.0]), ("0", "1", "2")
    assert dict(permuted(labels, b, np.array([100.0, 690.0, 210.0]))) == {"0": "1", "1": "2", "2": "0"}
    assert permuted(labels, b, np.array([690.0, 210.0, 100.0])) == ()
    assert permuted(labels, b, np.array([333.0, 333.0, 334.0])) == ()


def test_new_and_vanished_ask_for_enough_rows():
    labels = ("a", "b", "c", "d")
    new, gone = new_and_vanished(labels, np.array([9000, 0, 500, 2.0]), np.array([900, 40, 0, 0.0]))
    assert (new, gone) == (("b",), ("c",))


def test_stuck():
    x, y = ColumnStats.number("x", [0.0], [5, 5], distinct=10, repeats=0.0), ColumnStats.number("x", [0.0], [0, 9], distinct=1)
    assert stuck(x, y) == ("constant",)
    assert stuck(x, ColumnStats.number("x", [0.0], [5, 5], distinct=4, repeats=0.8)) == ("frozen",)
    assert stuck(x, x) == ()
