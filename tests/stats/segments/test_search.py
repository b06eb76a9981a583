from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rca_kit.errors import BadInput
from rca_kit.stats.segments import Counts, Means, Totals, search
from rca_kit.stats.segments import counts as counts_module
from rca_kit.stats.segments.cells import build
from rca_kit.stats.segments.found import members


def grid(*shape):
    return np.indices(shape).reshape(len(shape), -1).T


def incident(codes, conditions, factor, rng, n=2000, rate=0.03):
    """Counts in which one segment's rate is multiplied."""
    size = len(codes)
    n0, n1 = rng.poisson(n, size).astype(float), rng.poisson(n, size).astype(float)
    inside = members(codes, conditions)
    k0 = rng.binomial(n0.astype(int), rate).astype(float)
    k1 = rng.binomial(n1.astype(int), np.where(inside, rate * factor, rate)).astype(float)
    return Counts(k0, n0, k1, n1)


@pytest.mark.parametrize("conditions", [((0, (1,)),), ((0, (2,)), (2, (1,))), ((0, (0,)), (1, (3,)), (2, (0,)))])
def test_finds_planted_segment_of_any_depth(conditions):
    rng = np.random.default_rng(3)
    codes = grid(3, 4, 3)
    found = search(codes, (3, 4, 3), incident(codes, conditions, 5.0, rng)).found
    assert [f.conditions for f in found] == [conditions]
    assert found[0].q_value < 1e-6
    assert found[0].share_of_impact == pytest.approx(1.0, abs=0.25)
    assert found[0].before < found[0].after
    low, high = found[0].interval
    assert low <= found[0].after - found[0].before <= high


@pytest.mark.parametrize("run", [(4, 5, 6, 7), (0, 1, 2), (7, 8, 9)])
def test_a_range_is_found_though_broad_values_gather_more_than_any_part_of_it(run):
    rng = np.random.default_rng(7)
    shape = (2, 3, 2, 10)
    codes, conditions = grid(*shape), ((3, run),)
    found = search(codes, shape, incident(codes, conditions, 4.0, rng, n=400), ordered=(False, False, False, True)).found
    assert [f.conditions for f in found] == [conditions]
    narrow = ((0, (1,)), (3, run))
    found = search(codes, shape, incident(codes, narrow, 4.0, rng, n=400), ordered=(False, False, False, True)).found
    assert [f.conditions for f in found] == [narrow]


def test_ranges_stay_quiet_when_nothing_moved():
    reports = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        codes = grid(3, 10, 12)
        nothing = incident(codes, (), 1.0, rng, n=80)
        reports += bool(search(codes, (3, 10, 12), nothing, ordered=(False, True, True), alpha=0.02).found)
    assert reports <= 8


def test_two_segments_are_found_one_after_the_other():
    rng = np.random.default_rng(4)
    codes = grid(4, 4, 3)
    inside = members(codes, ((0, (1,)), (1, (2,)))) | members(codes, ((0, (3,)), (2, (0,))))
    n = np.full(len(codes), 3000.0)
    k0 = rng.binomial(3000, 0.02, len(codes)).astype(float)
    k1 = rng.binomial(3000, np.where(inside, 0.1, 0.02)).astype(float)
    found = search(codes, (4, 4, 3), Counts(k0, n, k1, n)).found
    assert {f.conditions for f in found} == {((0, (1,)), (1, (2,))), ((0, (3,)), (2, (0,)))}


def test_everything_alike_is_global_and_no_segment():
    rng = np.random.default_rng(5)
    codes = grid(4, 3)
    n = np.full(12, 5000.0)
    result = search(codes, (4, 3), Counts(rng.binomial(5000, 0.02, 12) * 1.0, n, rng.binomial(5000, 0.06, 12) * 1.0, n))
    assert result.found == () and result.is_global
    assert result.total_p_value < 1e-6


def test_nothing_moved_is_neither():
    rng = np.random.default_rng(6)
    codes = grid(4, 3)
    n = np.full(12, 5000.0)
    result = search(codes, (4, 3), Counts(rng.binomial(5000, 0.02, 12) * 1.0, n, rng.binomial(5000, 0.02, 12) * 1.0, n))
    assert result.found == () and not result.is_global
    assert "nothing" in result.because


def test_mix_alone_is_no_incident():
    """The overall rate rises because traffic moves to the worse half; no rate changes."""
    codes = grid(2, 5)
    rate = np.where(codes[:, 0] == 0, 0.02, 0.2)
    n0 = np.where(codes[:, 0] == 0, 9000.0, 1000.0)
    n1 = np.where(codes[:, 0] == 0, 1000.0, 9000.0)
    rng = np.random.default_rng(7)
    k0, k1 = (rng.binomial(n.astype(int), rate) * 1.0 for n in (n0, n1))
    result = search(codes, (2, 5), Counts(k0, n0, k1, n1))
    assert result.found == () and not result.is_global


def test_new_value_with_high_rate_is_found_and_small_one_is_not():
    codes = grid(3, 4)
    new = codes[:, 0] == 2
    n0 = np.where(new, 0.0, 4000.0)
    k0 = np.where(new, 0.0, 80.0)
    n1 = np.full(12, 2000.0)
    k1 = np.where(new, 600.0, 40.0)
    assert [f.conditions for f in search(codes, (3, 4), Counts(k0, n0, k1, n1)).found] == [((0, (2,)),)]
    lone = new & (codes[:, 1] == 0)
    tiny = np.where(lone, 1.0, np.where(new, 0.0, 2000.0))
    few = np.where(lone, 1.0, np.where(new, 0.0, 40.0))
    assert search(codes, (3, 4), Counts(k0, n0, few, tiny)).found == ()


def test_vanished_segment_does_no_harm():
    codes = grid(3, 4)
    gone = codes[:, 0] == 2
    n1 = np.where(gone, 0.0, 4000.0)
    k1 = np.where(codes[:, 0] == 1, 400.0, 80.0) * (n1 > 0)
    result = search(codes, (3, 4), Counts(np.full(12, 80.0), np.full(12, 4000.0), k1, n1))
    assert [f.conditions for f in result.found] == [((0, (1,)),)]


def test_much_more_traffic_before_than_after():
    rng = np.random.default_rng(8)
    codes = grid(3, 4)
    bad = codes[:, 1] == 2
    n0, n1 = np.full(12, 500_000.0), np.full(12, 400.0)
    k0 = rng.binomial(500_000, 0.02, 12) * 1.0
    k1 = rng.binomial(400, np.where(bad, 0.15, 0.02)) * 1.0
    assert [f.conditions for f in search(codes, (3, 4), Counts(k0, n0, k1, n1)).found] == [((1, (2,)),)]


def test_equal_rows_take_the_shorter_name_and_keep_the_other_as_alias():
    rng = np.random.default_rng(9)
    base = grid(3, 4)
    codes = np.column_stack([base, np.where(base[:, 0] == 1, 1, 0)])
    result = search(codes, (3, 4, 2), incident(codes, ((0, (1,)),), 5.0, rng))
    assert [f.conditions for f in result.found] == [((0, (1,)),)]
    assert ((2, (1,)),) in result.found[0].aliases


def test_totals_find_a_single_leaf_and_a_large_segment():
    rng = np.random.default_rng(10)
    codes = grid(10, 10, 10)
    value = rng.weibull(0.7, 1000) * 100
    real = value * (1 + rng.normal(0, 0.03, 1000))
    single = members(codes, ((0, (3,)), (1, (4,)), (2, (5,))))
    large = members(codes, ((0, (7,)),))
    real[single] = value[single] * 0.3
    real[large] = value[large] * 0.8
    found = search(codes, (10, 10, 10), Totals(real, value)).found
    assert {f.conditions for f in found} == {((0, (7,)),), ((0, (3,)), (1, (4,)), (2, (5,)))}


def test_totals_find_segments_when_most_leaves_moved():
    rng = np.random.default_rng(11)
    codes = grid(5, 8, 10)
    value = rng.weibull(0.7, 400) * 100
    real = value * (1 + rng.normal(0, 0.05, 400))
    for code in (0, 2, 4):
        real[codes[:, 0] == code] *= 0.5
    found = search(codes, (5, 8, 10), Totals(real, value)).found
    assert {f.conditions for f in found} == {((0, (0,)),), ((0, (2,)),), ((0, (4,)),)}


def test_totals_of_counts_stay_quiet_on_poisson_noise():
    reports = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        codes = grid(4, 5, 6)
        rate = rng.lognormal(1.0, 1.5, 120)
        reports += bool(search(codes, (4, 5, 6), Totals(rng.poisson(rate) * 1.0, rate)).found)
    assert reports <= 2


def test_means_find_the_slow_segment():
    rng = np.random.default_rng(12)
    codes = grid(4, 5)
    n = np.full(20, 400.0)
    before = rng.normal(100, 30 / 20, 20)
    after = rng.normal(100, 30 / 20, 20) + np.where((codes[:, 0] == 2) & (codes[:, 1] == 1), 25, 0)
    measure = Means(before * n, (before**2 + 900) * n, n, after * n, (after**2 + 900) * n, n)
    result = search(codes, (4, 5), measure)
    assert [f.conditions for f in result.found] == [((0, (2,)), (1, (1,)))]
    assert result.found[0].after - result.found[0].before == pytest.approx(25, abs=6)


def test_means_stay_quiet():
    reports = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        codes = grid(4, 5, 3)
        n0, n1 = rng.poisson(200, 60) * 1.0, rng.poisson(80, 60) * 1.0
        level = rng.normal(100, 10, 60)
        before, after = level + rng.normal(0, 30, 60) / np.sqrt(n0), level + rng.normal(0, 30, 60) / np.sqrt(n1)
        reports += bool(search(codes, (4, 5, 3), Means(before * n0, (before**2 + 900) * n0, n0, after * n1,
                                                       (after**2 + 900) * n1, n1)).found)
    assert reports <= 3


def test_counts_stay_quiet_with_and_without_overdispersion():
    reports = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        codes = grid(4, 5, 3)
        n0, n1 = rng.poisson(rng.gamma(0.5, 2000, 60)) * 1.0, rng.poisson(rng.gamma(0.5, 700, 60)) * 1.0
        rate = np.clip(0.02 * np.exp(rng.normal(0, 0.8, 60)), 0, 1)
        extra = 0.1 if seed % 2 else 0.0
        k0, k1 = (rng.binomial(n.astype(int), np.clip(rate * np.exp(rng.normal(0, extra, 60)), 0, 1)) * 1.0 for n in (n0, n1))
        reports += bool(search(codes, (4, 5, 3), Counts(k0, n0, k1, n1)).found)
    assert reports <= 3


def brute_force(codes, measure, max_depth):
    """Gains of every segment, summed leaf by leaf, without any pruning."""
    evidence = measure.evidence("either")
    out = {}
    for depth in range(1, max_depth + 1):
        for dims in itertools.combinations(range(codes.shape[1]), depth):
            for values in {tuple(row) for row in codes[:, dims]}:
                conditions = tuple((d, (int(v),)) for d, v in zip(dims, values, strict=True))
                out[conditions] = evidence.gains[members(codes, conditions)].sum(axis=0).max()
    return out


@given(st.integers(0, 10_000), st.sampled_from(["counts", "totals"]))
@settings(max_examples=15, deadline=None)
def test_pruned_board_holds_every_segment_that_brute_force_puts_above_the_floor(seed, kind):
    rng = np.random.default_rng(seed)
    codes = grid(3, 3, 2)[rng.permutation(18)[:14]]
    if kind == "counts":
        n = np.full(14, 300.0)
        measure = Counts(rng.binomial(300, 0.05, 14) * 1.0, n, rng.binomial(300, rng.uniform(0.02, 0.3, 14)) * 1.0, n)
    else:
        measure = Totals(rng.uniform(1, 100, 14), rng.uniform(1, 100, 14))
    measure = measure.fitted(codes, (3, 3, 2))
    board = build(codes, (3, 3, 2), measure.evidence("either"), measure.weight(), 3, 4.0, 0.0)
    got = {c.conditions(r): c.sums[r].max() for c in board.cuboids for r in range(len(c.keys))}
    truth = brute_force(codes, measure, 3)
    assert board.looked_at == len(truth)
    for conditions, gain in truth.items():
        if gain >= 4.0:
            assert got[conditions] == pytest.approx(gain, rel=1e-6, abs=1e-4)


def test_first_segment_is_the_brute_force_maximum():
    rng = np.random.default_rng(21)
    codes = grid(3, 3, 2)
    measure = incident(codes, ((1, (2,)), (2, (0,))), 4.0, rng).fitted(codes, (3, 3, 2))
    truth = brute_force(codes, measure, 3)
    best = max(truth, key=lambda c: truth[c] - 0.01 * len(c))
    assert search(codes, (3, 3, 2), measure).found[0].conditions == best


def where_sets(result, names):
    return {frozenset((names[d], v) for d, v in f.conditions) for f in result.found}


@given(st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_order_of_rows_and_columns_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    codes = grid(4, 3, 3)
    measure = incident(codes, ((0, (1,)), (1, (2,))), 3.0, rng, n=500)
    plain = search(codes, (4, 3, 3), measure)
    order, columns = rng.permutation(36), rng.permutation(3)
    moved = Counts(measure.k_before[order], measure.n_before[order], measure.k_after[order], measure.n_after[order])
    other = search(codes[order][:, columns], tuple((4, 3, 3)[c] for c in columns), moved)
    assert where_sets(plain, "abc") == where_sets(other, [("a", "b", "c")[c] for c in columns])


@given(st.integers(0, 10_000), st.floats(1e-3, 1e5))
@settings(max_examples=15, deadline=None)
def test_scale_of_totals_does_not_matter(seed, scale):
    rng = np.random.default_rng(seed)
    codes = grid(5, 5, 5)
    value = rng.weibull(0.8, 125) * 100
    real = value * (1 + rng.normal(0, 0.05, 125)) * np.where(codes[:, 0] == 2, 0.6, 1.0)
    plain = search(codes, (5, 5, 5), Totals(real, value))
    scaled = search(codes, (5, 5, 5), Totals(real * scale, value * scale))
    assert [f.conditions for f in plain.found] == [f.conditions for f in scaled.found]
    assert plain.found


def test_scale_of_counted_totals_does_not_matter():
    rng = np.random.default_rng(2)
    codes = grid(5, 5)
    rate = rng.uniform(50, 500, 25)
    real = rng.poisson(rate * np.where(codes[:, 0] == 1, 0.5, 1.0)) * 1.0
    plain, doubled = (search(codes, (5, 5), Totals(real * s, rate * s)).found for s in (1.0, 2.5))
    assert [f.conditions for f in plain] == [f.conditions for f in doubled] == [((0, (1,)),)]


def test_thin_leaves_of_large_tables_give_the_same_answer(monkeypatch):
    rng = np.random.default_rng(13)
    codes = grid(6, 5, 4, 5, 6)
    measure = incident(codes, ((0, (2,)), (3, (1,))), 6.0, rng, n=8, rate=0.05)
    small = search(codes, (6, 5, 4, 5, 6), measure)
    monkeypatch.setattr(counts_module, "MANY_LEAVES", 100)
    large = search(codes, (6, 5, 4, 5, 6), measure)
    assert [f.conditions for f in large.found] == [f.conditions for f in small.found] == [((0, (2,)), (3, (1,)))]
    assert large.looked_at == small.looked_at
    assert large.found[0].score == pytest.approx(small.found[0].score, rel=0.05)


def test_neighbouring_ranges_are_joined():
    rng = np.random.default_rng(14)
    codes = grid(8, 4)
    measure = incident(codes, ((0, (3, 4, 5)),), 4.0, rng)
    result = search(codes, (8, 4), measure, ordered=(True, False))
    assert [f.conditions for f in result.found] == [((0, (3, 4, 5)),)]


def test_values_are_joined_only_when_asked():
    rng = np.random.default_rng(15)
    codes = grid(8, 4)
    measure = incident(codes, ((0, (1, 6)),), 4.0, rng)
    assert [f.conditions for f in search(codes, (8, 4), measure, merge=True).found] == [((0, (1, 6)),)]
    apart = search(codes, (8, 4), measure).found
    assert {f.conditions for f in apart} == {((0, (1,)),), ((0, (6,)),)}


def test_stability_is_high_for_a_clear_segment():
    rng = np.random.default_rng(16)
    codes = grid(4, 4, 3)
    result = search(codes, (4, 4, 3), incident(codes, ((0, (1,)),), 5.0, rng), resamples=20)
    assert result.found[0].stability > 0.7


def test_direction_is_respected():
    rng = np.random.default_rng(17)
    codes = grid(4, 4)
    measure = incident(codes, ((0, (1,)),), 5.0, rng)
    assert search(codes, (4, 4), measure, direction="decrease").found == ()
    assert search(codes, (4, 4), measure, direction="increase").found


def test_bad_arguments_are_named():
    codes = grid(2, 2)
    measure = Totals(np.ones(4), np.ones(4))
    with pytest.raises(BadInput, match="direction"):
        search(codes, (2, 2), measure, direction="up")
    with pytest.raises(BadInput, match="cardinalities"):
        search(codes, (2,), measure)
    with pytest.raises(BadInput, match="negative"):
        Counts(np.array([-1.0]), np.ones(1), np.ones(1), np.ones(1))
    with pytest.raises(BadInput, match="length"):
        Totals(np.ones(3), np.ones(2))


def test_empty_tables_answer():
    empty = np.zeros((0, 2), dtype=int)
    none = np.zeros(0)
    for measure in (Counts(none, none, none, none), Totals(none, none), Means(none, none, none, none, none, none)):
        result = search(empty, (0, 0), measure)
        assert result.found == () and not result.is_global
    assert search(np.zeros((3, 0), dtype=int), (), Totals(np.ones(3), np.ones(3))).found == ()


def test_constant_and_zero_tables_answer():
    codes = grid(3, 3)
    for a, e in ((np.zeros(9), np.zeros(9)), (np.ones(9), np.ones(9)), (np.zeros(9), np.ones(9))):
        assert search(codes, (3, 3), Totals(a, e)).found == ()
    zero = np.zeros(9)
    assert search(codes, (3, 3), Counts(zero, np.full(9, 100.0), zero, np.full(9, 100.0))).found == ()


def two_of_three(part: float):
    """Events by three values, one large hit, one a good quarter as large hit by `part` as much, one not at all."""
    n0, n1 = np.array([25505.0, 7588, 17911]), np.array([7048.0, 2016, 4825])
    k0, k1 = np.round(n0 * 0.003), np.round(n1 * np.array([0.26, 0.003 + part * 0.257, 0.003]))
    return search(np.arange(3)[:, None], (3,), Counts(k0, n0, k1, n1), max_depth=1, direction="increase")


def test_a_smaller_value_hit_as_hard_is_named_beside_the_large_one():
    assert [f.conditions for f in two_of_three(1.0).found] == [((0, (0,)),), ((0, (1,)),)]
    assert [f.conditions for f in two_of_three(0.3).found] == [((0, (0,)),)]
