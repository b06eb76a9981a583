"""Trees on bins against scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.tree import DecisionTreeRegressor

from rca_kit.stats.trees import BINS, Bins, boost, grow

RNG = np.random.default_rng(3)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_tree_on_few_values_equals_scikit_learn_s(depth: int, weighted: bool) -> None:
    x = RNG.integers(0, 12, (600, 4)).astype(float)
    y = (x[:, 0] > 5) * 2.0 + (x[:, 1] > 3) * x[:, 2] + RNG.normal(size=600)
    weight = RNG.random(600) + 0.5 if weighted else None
    bins = Bins.fit(x)
    tree = grow(bins, bins.codes(x), y, weight, depth=depth, leaves=2**depth, least=15)
    theirs = DecisionTreeRegressor(max_depth=depth, min_samples_leaf=15, random_state=0).fit(x, y, sample_weight=weight)
    assert tree.value[tree.leaf(bins.codes(x))] == pytest.approx(theirs.predict(x))


def test_the_fewest_leaves_are_those_that_tell_most() -> None:
    x = np.column_stack([np.repeat([0.0, 1.0], 200), np.tile([0.0, 1.0], 200)])
    y = x[:, 0] * 10 + x[:, 0] * x[:, 1] * 4 + (1 - x[:, 0]) * x[:, 1]
    bins = Bins.fit(x)
    tree = grow(bins, bins.codes(x), y, depth=3, leaves=3, least=5)
    assert sorted(np.unique(tree.value[tree.leaf(bins.codes(x))]).tolist()) == [0.5, 10.0, 14.0]


def test_no_leaf_is_smaller_than_asked_and_a_constant_has_no_split() -> None:
    x = RNG.normal(size=(300, 3))
    bins = Bins.fit(x)
    codes = bins.codes(x)
    leaf = grow(bins, codes, x[:, 0] ** 3, depth=5, leaves=32, least=25).leaf(codes)
    assert np.unique(leaf, return_counts=True)[1].min() >= 25
    assert len(np.unique(leaf)) > 4
    assert grow(bins, codes, np.ones(300), depth=3, leaves=8, least=1).feature[0] == -1


def test_missing_values_go_to_the_side_that_they_are_like() -> None:
    x = np.concatenate([np.zeros(100), np.ones(100), np.full(100, np.nan)])[:, None]
    for of_missing in (0.0, 1.0, 9.0):
        y = np.concatenate([np.zeros(100), np.ones(100), np.full(100, of_missing)])
        bins = Bins.fit(x)
        tree = grow(bins, bins.codes(x), y, depth=2, leaves=4, least=5)
        assert tree.value[tree.leaf(bins.codes(x))] == pytest.approx(y)


def test_categories_are_grouped_by_what_they_mean() -> None:
    codes = RNG.integers(0, 20, 2000)
    y = np.isin(codes, [1, 4, 7, 13]) * 1.0
    bins = Bins.fit(codes[:, None].astype(float), [True])
    once = grow(bins, bins.codes(codes[:, None].astype(float)), y, depth=1, leaves=2, least=5)
    assert once.value[once.leaf(bins.codes(codes[:, None].astype(float)))] == pytest.approx(y)
    unseen = bins.codes(np.array([[25.0], [40.0], [-1.0], [np.nan]]))
    assert unseen.ravel().tolist() == [25, BINS, BINS, BINS]


def rows(n: int) -> tuple[np.ndarray, np.ndarray, list[bool]]:
    x = RNG.normal(size=(n, 12))
    x[:, 3] = RNG.integers(0, 10, n)
    x[RNG.random(n) < 0.1, 4] = np.nan
    x[:, 11] = np.nan
    effect = np.linspace(-1, 1, 10)[[3, 1, 4, 9, 5, 2, 6, 0, 8, 7]]
    y = x[:, 0] + np.sin(2 * x[:, 1]) + np.where(np.isnan(x[:, 4]), -1, x[:, 4]) + 2 * effect[x[:, 3].astype(int)]
    return x, y + x[:, 5] * x[:, 6] + 0.3 * RNG.normal(size=n), [j == 3 for j in range(12)]


def test_boosting_explains_unseen_rows_about_as_well_as_scikit_learn() -> None:
    x, y, kinds = rows(6000)
    ours = boost(x[:4000], y[:4000], kinds, rounds=60, rate=0.18, leaves=24)
    theirs = HistGradientBoostingRegressor(
        max_iter=60, learning_rate=0.18, max_leaf_nodes=24, min_samples_leaf=20, categorical_features=kinds, early_stopping=False,
        random_state=0).fit(np.where(np.isnan(x[:4000]).all(0), 0, x[:4000]), y[:4000])
    left = [1 - np.mean((m.predict(x[4000:]) - y[4000:]) ** 2) / y[4000:].var() for m in (ours, theirs)]
    assert left[0] > 0.9 * left[1]
    assert left[0] > 0.8


def test_the_same_rows_give_the_same_bits() -> None:
    x, y, kinds = rows(2000)
    assert (boost(x, y, kinds, rounds=10).predict(x) == boost(x, y, kinds, rounds=10).predict(x)).all()


def test_nothing_to_explain_gives_the_mean() -> None:
    assert boost(np.zeros((50, 2)), np.arange(50.0), rounds=5).predict(np.ones((3, 2))).tolist() == [24.5] * 3
