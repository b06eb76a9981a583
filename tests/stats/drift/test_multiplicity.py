"""Multiplicity: oracles from statsmodels and scipy, and error rates under the null."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from rca_kit.stats.drift.multiplicity import benjamini_hochberg, combine, holm, step_down

p_lists = st.lists(st.floats(0, 1), min_size=1, max_size=30)


@settings(max_examples=50, deadline=None)
@given(p_lists)
def test_oracles(p):
    assert benjamini_hochberg(p) == pytest.approx(multipletests(p, method="fdr_bh")[1])
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1])
    # statsmodels' fdr_gbs is the same step-down rule
    q = 0.05
    ours = step_down(p) <= q
    m, order = len(p), np.argsort(p)
    bar = np.arange(1, m + 1) * q / (m + 1 - np.arange(1, m + 1) * (1 - q))
    below = np.asarray(p)[order] <= bar + 1e-15
    rejected = m if below.all() else int(np.argmin(below))
    assert abs(int(ours.sum()) - rejected) <= int(np.any(np.isclose(np.asarray(p)[order], bar)))


def test_a_quiet_table_is_flagged_as_rarely_as_promised():
    rng = np.random.default_rng(0)
    flagged = np.mean([np.any(step_down(rng.uniform(size=20)) <= 0.05) for _ in range(2000)])
    assert 0.03 < flagged < 0.065


def test_false_discoveries_are_controlled_beside_true_ones():
    rng = np.random.default_rng(1)
    shares = []
    for _ in range(400):
        p = np.concatenate([rng.uniform(size=10), rng.uniform(size=10) * 1e-5])
        found = step_down(p) <= 0.05
        shares.append(found[:10].sum() / max(found.sum(), 1))
    assert np.mean(shares) < 0.06


def test_combine_spends_shares():
    assert combine([0.01, 0.01], [0.5, 0.5]) == pytest.approx(0.02)
    assert combine([0.01], [0.1]) == pytest.approx(0.01)
    assert combine([], []) == 1.0
