from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sk

from rca_kit.stats import rowmetrics as rm
from rca_kit.stats.distances import edit_distance, ranking_distance
from rca_kit.stats.paired_segments import find_carriers
from rca_kit.stats.quantile_pairs import median_interval, tail_difference
from rca_kit.stats.shapley import shapley


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    p = rng.beta(2, 3, 1500)
    y = (rng.random(1500) < p).astype(float)
    return y, np.clip(p + rng.normal(0, 0.1, 1500), 0.01, 0.99).round(2)


def test_values_as_scikit_learn(data):
    y, p = data
    d = (p >= 0.5).astype(float)
    got = rm.decision_metrics(y, d)
    assert got["precision"].value == pytest.approx(sk.precision_score(y, d))
    assert got["recall"].value == pytest.approx(sk.recall_score(y, d))
    assert got["f1"].value == pytest.approx(sk.f1_score(y, d))
    assert got["accuracy"].value == pytest.approx(sk.accuracy_score(y, d))
    assert rm.log_losses(y, p).mean() == pytest.approx(sk.log_loss(y, p))
    weight = np.arange(len(y)) % 3.0
    assert rm.average_precision(y, p, weight) == pytest.approx(sk.average_precision_score(y, p, sample_weight=weight))
    assert rm.average_precision_metric(y, p).value == pytest.approx(sk.average_precision_score(y, p))
    assert rm.rmse(y, p).value == pytest.approx(sk.root_mean_squared_error(y, p))
    assert rm.calibration_metric(y, p).value == pytest.approx(rm.calibration_error(y, p))


@pytest.mark.parametrize("name", ["precision", "recall", "f1", "auc", "rmse"])
def test_influence_gives_the_bootstrap_error(data, name):
    y, p = data
    of = {"auc": lambda y, p: rm.auc(y, p), "rmse": lambda y, p: rm.rmse(y, p)}.get(
        name, lambda y, p: rm.decision_metrics(y, p >= 0.5)[name])
    whole = of(y, p)
    assert abs(whole.influence.mean()) < 1e-9
    rng = np.random.default_rng(1)
    draws = [of(y[i], p[i]).value for i in (rng.integers(0, len(y), len(y)) for _ in range(300))]
    assert np.std(whole.influence) / np.sqrt(len(y)) == pytest.approx(np.std(draws), rel=0.15)


def test_average_precision_leans_on_rows_as_its_derivative_by_their_weights(data):
    y, p = (x[:300] for x in data)
    found = rm.average_precision_metric(y, p)
    n, step = len(y), 1e-6
    slopes = np.empty(n)
    for i in range(n):
        weight = np.ones(n)
        weight[i] += step
        slopes[i] = n * (sk.average_precision_score(y, p, sample_weight=weight) - found.value) / step
    for side in (y == 1, y == 0):  # less the class means, which its share of positives alone would move
        shift = slopes[side] - found.influence[side]
        assert np.ptp(shift) < 1e-3
    assert abs(found.influence[y == 1].mean()) < 1e-9
    assert abs(found.influence[y == 0].mean()) < 1e-9


def test_average_precision_has_the_error_of_a_bootstrap_by_class(data):
    y, p = data
    q = np.clip(p + np.random.default_rng(5).normal(0, 0.15, len(p)), 0, 1)
    first, second = rm.average_precision_metric(y, p), rm.average_precision_metric(y, q)
    rng = np.random.default_rng(1)
    sides = [np.flatnonzero(y == v) for v in (0, 1)]
    draws = []
    for _ in range(300):
        rows = np.concatenate([rng.choice(side, len(side)) for side in sides])
        draws.append([sk.average_precision_score(y[rows], x[rows]) for x in (p, q)])
    one, both = np.std(np.asarray(draws)[:, 0]), np.std(np.diff(draws, axis=1))
    assert np.std(first.influence) / np.sqrt(len(y)) == pytest.approx(one, rel=0.15)
    assert np.std(second.influence - first.influence) / np.sqrt(len(y)) == pytest.approx(both, rel=0.15)


def test_average_precision_without_or_with_nothing_but_positives():
    assert np.isnan(rm.average_precision_metric([0, 0], np.array([0.1, 0.2])).value)
    assert rm.average_precision_metric([1, 1], np.array([0.1, 0.2])).value == 1.0


def test_edit_distance_by_the_textbook():
    def table(a, b):
        row = list(range(len(b) + 1))
        for i, x in enumerate(a, 1):
            new = [i]
            for j, y in enumerate(b, 1):
                new.append(min(row[j] + 1, new[-1] + 1, row[j - 1] + (x != y)))
            row = new
        return row[-1]

    rng = np.random.default_rng(0)
    for _ in range(500):
        a, b = ("".join(rng.choice(list("abc"), rng.integers(0, 12))) for _ in range(2))
        assert edit_distance(a, b) == table(a, b)


def test_ranking_distance_weighs_the_top():
    assert ranking_distance([1, 2, 3, 4], [2, 1, 3, 4]) > ranking_distance([1, 2, 3, 4], [1, 2, 4, 3]) > 0


def test_carriers_explain_away_parents():
    rng = np.random.default_rng(0)
    a, b, c = (rng.integers(0, k, 8000) for k in (4, 3, 6))
    x = rng.normal(0, 0.1, 8000) + 0.1 * ((a == 2) & (b == 1))
    assert [s.key for s in find_carriers(x, [a, b, c], [4, 3, 6]).carriers] == [((0, 2), (1, 1))]
    x = rng.normal(0, 0.1, 8000) + 0.05
    got = find_carriers(x, [a, b, c], [4, 3, 6])
    assert got.everywhere
    assert not got.carriers
    x = rng.normal(0, 0.1, 8000) + 0.1 * (a == 1) - 0.1 * (b == 2)
    assert {s.key for s in find_carriers(x, [a, b, c], [4, 3, 6]).carriers} == {((0, 1),), ((1, 2),)}


def test_carriers_stay_quiet_on_noise():
    named = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        codes = [rng.integers(0, k, 1500) for k in (3, 8, 12)]
        named += bool(find_carriers(rng.standard_t(4, 1500), codes, [3, 8, 12], alpha=0.01).carriers)
    assert named <= 7


def test_median_and_tail_intervals_cover():
    missed = [0, 0]
    for seed in range(200):
        rng = np.random.default_rng(seed)
        a, b = rng.gamma(3, 10, 400), rng.gamma(3, 10, 400)
        _, low, high = median_interval(b - a)
        missed[0] += not low <= 0 <= high
        _, low, high = tail_difference(a, b, draws=100, seed=seed)
        missed[1] += not low <= 0 <= high
    assert max(missed) <= 21


def test_shapley_shares_add_up_exact_and_sampled():
    worth = {f"f{i}": i for i in range(8)}

    def of(some):
        return float(sum(worth[s] for s in some)) + (9.0 if {"f1", "f2", "f3"} <= some else 0.0)

    exact = {s.name: s.value for s in shapley(["f0", "f1", "f2", "f3"], of)}
    assert exact == pytest.approx({"f0": 0, "f1": 4, "f2": 5, "f3": 6})
    sampled = shapley(list(worth), of)
    assert sum(s.value for s in sampled) == pytest.approx(of(frozenset(worth)))
    assert abs(next(s for s in sampled if s.name == "f1").value - 4) < 2
    assert any(s.error > 0 for s in sampled)


def test_weighted_auc_equals_scikit_learn_and_its_influence_is_the_derivative() -> None:
    rng = np.random.default_rng(5)
    y, p, w = rng.random(400) < 0.3, rng.random(400).round(2), rng.random(400) * 3
    got = rm.weighted_auc(y, p, w)
    assert got.value == pytest.approx(sk.roc_auc_score(y, p, sample_weight=w))
    plain, same = rm.auc(y, p), rm.weighted_auc(y, p, np.ones(400))
    assert same.value == pytest.approx(plain.value)
    assert same.influence == pytest.approx(plain.influence, rel=0.02)
    for i in range(5):  # leaving weight out of a row moves the value by its influence
        less = w.copy()
        less[i] *= 1 - 1e-4
        slope = (got.value - rm.weighted_auc(y, p, less).value) / 1e-4 * 400
        assert got.influence[i] == pytest.approx(slope, rel=0.01, abs=1e-3)
    assert np.isnan(rm.weighted_auc(y, p, np.where(y, 0.0, 1.0)).value)
