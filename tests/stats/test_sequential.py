from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rca_kit.stats.sequential import Stream, confidence_sequence, first_alarm


def alarms(make, streams, n=10_000, every=100):
    return sum(first_alarm(confidence_sequence(make(np.random.default_rng(s), n), every)) is not None for s in range(streams))


def test_a_thousand_a_a_streams_peeked_at_each_hundred():
    assert alarms(lambda r, n: r.normal(0, 0.1, n) - r.normal(0, 0.1, n), 1000) <= 50


def test_finds_a_shift_of_half_a_standard_deviation():
    assert alarms(lambda r, n: r.normal(0.05, 0.1, n), 1000) >= 950


@pytest.mark.parametrize("make", [
    lambda r, n: r.standard_t(2.5, n),
    lambda r, n: r.binomial(1, 0.01, n) * 1.0 - r.binomial(1, 0.01, n),
    lambda r, n: r.exponential(1, n) - 1,
    lambda r, n: np.clip(r.beta(1, 20, n) + r.normal(0, 0.05, n), 0, 1) - np.clip(r.beta(1, 20, n) + r.normal(0, 0.05, n), 0, 1),
])
def test_other_shapes_looked_at_after_every_request(make):
    assert alarms(make, 200, n=4000, every=1) <= 20  # 5 % and three standard errors


@given(st.lists(st.floats(-10, 10), max_size=60), st.lists(st.floats(-10, 10), max_size=60))
@settings(max_examples=60, deadline=None)
def test_streams_merge(a, b):
    whole, parts = Stream().update(a + b), Stream().update(a).merge(Stream().update(b))
    assert whole.n == parts.n
    if whole.n > 1:
        assert whole.mean == pytest.approx(parts.mean, abs=1e-9)
        assert whole.variance == pytest.approx(parts.variance, rel=1e-6, abs=1e-9)
        assert whole.variance == pytest.approx(np.var(a + b, ddof=1), rel=1e-6, abs=1e-9)


def test_stream_and_sequence_agree():
    x = np.random.default_rng(0).normal(0.02, 0.1, 500)
    looks = confidence_sequence(x, every=250)
    assert Stream().update(x).interval() == (pytest.approx(looks[-1, 2]), pytest.approx(looks[-1, 3]))


def test_says_nothing_before_it_knows_the_noise():
    assert Stream().update([1.0] * 10).interval() == (-np.inf, np.inf)
    one_flip = np.zeros(500)
    one_flip[3] = 1
    assert Stream().update(one_flip).verdict(0.5) == "inconclusive"


def test_verdicts():
    rng = np.random.default_rng(0)
    assert Stream().update(rng.normal(0, 0.1, 20_000)).verdict(0.01) == "equivalent"
    assert Stream().update(rng.normal(0.05, 0.1, 2000)).verdict(0.01) == "different"
    assert Stream().update(rng.normal(0, 0.1, 100)).verdict(0.001) == "inconclusive"
