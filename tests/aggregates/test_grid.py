from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rca_kit.aggregates.grid import MAX_COARSE_BUCKETS, MAX_FINE_BUCKETS, TimeGrid
from rca_kit.findings.base import Window

T0 = datetime(2026, 3, 1, 7, 13, 21, tzinfo=UTC)
SPANS = st.integers(0, 3 * 365 * 86400)


@given(offset=st.integers(0, 10**8), span=SPANS)
@settings(max_examples=150, deadline=None)
def test_a_grid_covers_its_log_and_stays_small(offset: int, span: int) -> None:
    first = T0 + timedelta(seconds=offset)
    last = first + timedelta(seconds=span)
    g = TimeGrid.over(first, last)
    assert g.origin <= first < g.time(g.n)
    assert last < g.time(g.n)
    assert g.n <= MAX_FINE_BUCKETS + 2 * g.coarse
    assert g.n_coarse <= MAX_COARSE_BUCKETS + 2
    assert g.origin.timestamp() % g.coarse_s == 0, "aligned to the epoch, so that grids of several days merge"
    assert g.index(first) < g.coarse or g.n <= g.coarse


@given(span=st.integers(1, 90 * 86400), share=st.floats(0, 1))
@settings(max_examples=100, deadline=None)
def test_index_is_the_inverse_of_time(span: int, share: float) -> None:
    g = TimeGrid.over(T0, T0 + timedelta(seconds=span))
    i = int(share * (g.n - 1))
    assert g.index(g.time(i)) == i
    assert g.index(g.time(i) + timedelta(seconds=g.width_s - 1e-3)) == i


def test_times_outside_are_clipped() -> None:
    g = TimeGrid.over(T0, T0 + timedelta(days=1))
    assert g.index(T0 - timedelta(days=9)) == 0
    assert g.index(T0 + timedelta(days=9)) == g.n


def test_windows_are_half_open() -> None:
    g = TimeGrid.over(T0, T0 + timedelta(days=1))
    w = Window(g.time(3), g.time(7))
    assert np.flatnonzero(g.inside(w)).tolist() == [3, 4, 5, 6]


@pytest.mark.parametrize(("span", "least"), [(timedelta(minutes=5), 1), (timedelta(days=7), 60), (timedelta(days=400), 3600)])
def test_short_logs_get_seconds_and_long_ones_hours(span: timedelta, least: int) -> None:
    g = TimeGrid.over(T0, T0 + span)
    assert g.width_s >= least
    assert g.width_s <= span.total_seconds()


def test_phase_repeats_every_day_and_period_counts_it() -> None:
    g = TimeGrid.over(T0, T0 + timedelta(days=7))
    period, phase = g.period(), g.phase(coarse=True)
    assert period == 86400 // g.coarse_s
    assert (phase[:-period] == phase[period:]).all()
    assert set(phase) == set(range(period))
    assert TimeGrid.over(T0, T0 + timedelta(days=4000)).period() is None


def test_one_instant_is_one_bucket() -> None:
    g = TimeGrid.over(T0, T0)
    assert g.n >= 1
    assert g.n_coarse == 1
