from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import approx_fprime
from scipy.special import softmax as scipy_softmax

from rca_kit.stats.logit import Choice, fit, log_likelihood, softmax


def choices(rng: np.random.Generator, weights: np.ndarray, cases: int, several: bool = False) -> list[Choice]:
    out = []
    for _ in range(cases):
        x = rng.normal(size=(rng.integers(2, 6), weights.size))
        right = np.zeros(x.shape[0], bool)
        right[rng.choice(x.shape[0], p=softmax(x @ weights))] = True
        if several:
            right[0] = True
        out.append(Choice(x, right))
    return out


@given(s=arrays(float, st.integers(1, 12), elements=st.floats(-800, 800)))
@settings(max_examples=60, deadline=None)
def test_softmax_equals_scipy_and_sums_to_one(s: np.ndarray) -> None:
    assert softmax(s) == pytest.approx(scipy_softmax(s))
    assert softmax(s).sum() == pytest.approx(1.0)


@pytest.mark.parametrize("several", [False, True])
def test_gradient_equals_finite_differences(several: bool) -> None:
    rng = np.random.default_rng(0)
    cases = choices(rng, np.array([1.0, -0.5, 0.2]), 20, several)
    w = rng.normal(size=3)
    numeric = approx_fprime(w, lambda v: log_likelihood(v, cases)[0], 1e-7)
    assert log_likelihood(w, cases)[1] == pytest.approx(numeric, abs=1e-4)


def test_one_weight_against_its_closed_form() -> None:
    # 30 of 40 choose the alternative with the evidence: log odds ln 3, without a ridge
    x = np.array([[1.0], [0.0]])
    cases = [Choice(x, np.array([i < 30, i >= 30])) for i in range(40)]
    assert fit(cases, np.zeros(1), 1e-9)[0] == pytest.approx(np.log(3), abs=1e-4)


def test_two_alternatives_equal_logistic_regression() -> None:
    import statsmodels.api as sm

    rng = np.random.default_rng(3)
    x = rng.normal(size=(300, 2))
    y = rng.random(300) < 1 / (1 + np.exp(-x @ np.array([0.8, -1.2])))
    cases = [Choice(np.vstack([row, np.zeros(2)]), np.array([yes, not yes])) for row, yes in zip(x, y, strict=True)]
    assert fit(cases, np.zeros(2), 1e-9) == pytest.approx(sm.Logit(y.astype(float), x).fit(disp=0).params, abs=1e-3)


def test_weights_are_found_again() -> None:
    truth = np.array([1.5, -1.0, 0.0])
    found = fit(choices(np.random.default_rng(1), truth, 800), np.zeros(3), 0.1)
    assert found == pytest.approx(truth, abs=0.25)


def test_a_strong_ridge_keeps_the_prior_and_works_per_weight() -> None:
    cases = choices(np.random.default_rng(2), np.array([2.0, 2.0]), 50)
    prior = np.array([0.3, -0.3])
    assert fit(cases, prior, 1e6) == pytest.approx(prior, abs=1e-3)
    one = fit(cases, prior, np.array([1e6, 0.1]))
    assert one[0] == pytest.approx(0.3, abs=1e-3)
    assert one[1] > 1


def test_no_cases_give_the_prior() -> None:
    assert fit([], np.array([0.7]), 1.0).tolist() == [0.7]
