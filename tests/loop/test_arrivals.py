"""Labels on their way: what comes late is not lost, and what was lost before it is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rca_kit.loop.reading import arrivals
from rca_kit.loop.reading.arrivals import as_due, as_known, come_by, known_by_delay, known_until, lost_since, still_arriving
from rca_kit.loop.reading.picture import _late
from rca_kit.stats.stepscan import step_scan

from .made_series import grid, moves_of, series


@pytest.mark.parametrize(("tail", "expected"), [
    (np.linspace(0.9, 0.1, 40), True), (np.full(40, 0.05), False), (np.full(40, 0.5), False), (np.full(40, 0.99), False),
])
def test_labels_on_their_way_are_told_from_labels_lost(tail: Any, expected: bool) -> None:
    share = np.concatenate([np.full(60, 0.96), tail]) + np.random.default_rng(0).normal(0, 0.01, 100)
    scan = step_scan(share, np.full(100, 0.01), first=10, last=95)
    assert still_arriving(share, scan) == expected


def arriving(lost: float, since: int, job: int = 1) -> Any:
    """Share of labels of 120 hours, of which every third comes a day later than the one before; a part is lost since an hour."""
    age = np.arange(120, 0, -1) // job * job
    return 0.95 * (1 - np.exp(-((age / 14.0) ** 1.5))) * np.where(np.arange(120) < since, 1.0, 1 - lost)


@pytest.mark.parametrize(("lost", "since", "job", "expected"), [
    (0.0, 120, 1, False), (0.0, 120, 6, False), (0.3, 60, 1, True), (0.3, 40, 1, True), (0.5, 75, 1, True)])
def test_labels_lost_at_once_are_seen_before_those_on_their_way(lost: float, since: int, job: int, expected: bool) -> None:
    over = grid(5)
    for seed in range(10):
        rng = np.random.default_rng(seed)
        n = np.full(over.n, 50.0)
        share = arriving(lost, since, job)[np.minimum(np.arange(over.n) * over.width_s // 3600, 119)]
        arrived = series("label_share", "labels", rng.binomial(50, share), n, over, "y")
        found = moves_of(arrived, over=over)["label_share"]
        assert found.moved is expected
        assert not expected or abs(found.fit.start - since * over.n_coarse / 120) <= 2


@pytest.mark.parametrize("late", [True, False])
@pytest.mark.parametrize(("flipped", "moved"), [(0.0, False), (0.6, True)])
def test_positive_labels_that_come_late_are_no_fall_of_their_rate(flipped: float, moved: bool, late: bool) -> None:
    """`late`: positive labels take a day, negative ones come at once; `flipped`: part of the positive ones lost since hour 48."""
    over, told = grid(5), []
    hour = np.arange(over.n) * over.width_s / 3600
    come = 1 - np.exp(-((np.maximum(120 - hour, 0) / 12.0) ** 1.5)) if late else 1.0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        fraud = rng.binomial(60, 0.25, over.n)
        there = rng.binomial(fraud, come)
        labelled = there + rng.binomial(60 - fraud, 0.98)
        positive = there - rng.binomial(there, np.where(hour >= 48, flipped, 0.0))
        right = rng.binomial(positive, 0.7)
        arrived = series("label_share", "labels", labelled, np.full(over.n, 60), over, "y")
        rate = series("label_rate", "labels", positive, labelled, over, "y")
        precision = replace(series("precision", "quality", right, np.maximum(labelled // 4, right + 1), over), good="higher")
        given = {s.name: s for s in (arrived, rate, precision)}
        known = known_until(given)
        assert late or known is None
        moves = moves_of(*as_known(given, known).values(), over=over)
        told.append(moves["label_rate"].moved or moves["precision"].moved)
    assert np.mean(told) >= 0.9 if moved else np.mean(told) <= 0.1


DAY = 86400.0


@pytest.mark.parametrize(("slower", "expected"), [(6.0, True), (3.0, True), (1.0, False)])
def test_how_long_labels_of_one_kind_are_missing_is_told_by_old_rows(slower: float, expected: bool) -> None:
    """Against brute force: the age at which a tenth of the slower kind's lead in waiting is left."""
    told = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        y = (rng.random(6000) < 0.2).astype(float)
        delay = rng.exponential(3600 * np.where(y > 0, slower, 1.0))
        told.append(known_by_delay(delay, y, rng.uniform(3, 9, 6000) * DAY))
    if not expected:
        assert all(t is None for t in told)
        return
    ages = np.linspace(0, 3600 * 40, 4000)
    come = [1 - np.exp(-ages / 3600 / s) for s in (slower, 1.0)]
    rate = 0.2 * come[0] / np.maximum(0.2 * come[0] + 0.8 * come[1], 1e-12)
    truth = ages[np.flatnonzero(np.abs(rate - 0.2) / 0.4 > 0.05)[-1]]
    assert all(t is not None and 0.6 * truth <= t <= 1.4 * truth for t in told)


def test_delays_that_a_short_log_cannot_hold_tell_nothing() -> None:
    rng = np.random.default_rng(3)
    y, age = (rng.random(6000) < 0.2).astype(float), rng.uniform(0, 2, 6000) * DAY
    delay = rng.exponential(DAY * np.where(y > 0, 3.0, 1.0))
    delay[delay > age] = np.nan
    assert known_by_delay(delay, y, age) is None
    assert known_by_delay(delay[:500], y[:500], age[:500]) is None


@pytest.mark.parametrize(("lost", "since", "job"), [(0.0, 999, 1), (0.0, 999, 24), (0.5, 200, 1), (0.2, 190, 1), (0.6, 215, 1)])
def test_labels_lost_among_those_on_their_way_jump_where_the_others_fall_off_smoothly(lost: float, since: int, job: int) -> None:
    """240 half hours; labels come within some hours or, with `job`, once a day; a part is lost from a bucket on."""
    age = np.arange(240, 0, -1) // job * job
    share = 0.98 * (1 - np.exp(-((age / 20.0) ** 1.4))) * np.where(np.arange(240) < since, 1.0, 1 - lost)
    found = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        n = rng.poisson(220 * (1 + 0.5 * np.sin(np.arange(240) / 48 * 2 * np.pi)))
        found.append(lost_since(rng.binomial(n, share) / np.maximum(n, 1), n.astype(float), 19, 236))
    if not lost:
        assert not any(found)
    else:
        assert sum(f is not None and abs(f[0] - since) <= 1 for f in found) >= 27


def test_a_jump_is_that_of_two_lines_fitted_by_least_squares() -> None:
    rng = np.random.default_rng(4)
    x, w = rng.random(40), rng.integers(5, 50, 40).astype(float)
    jump, error, level = arrivals._jumps(x, w, 6)
    at = 17
    ends = []
    for part, here in ((slice(at - 6, at), np.arange(-6, 0) + 0.5), (slice(at, at + 6), np.arange(6) + 0.5)):
        _, end = np.polyfit(here, x[part], 1, w=np.sqrt(w[part]))
        ends.append(end)
    assert jump[at] == pytest.approx(ends[0] - ends[1])
    assert level[at] == pytest.approx(ends[1])
    assert error[at] > 0 and error[3] == 0


@pytest.mark.parametrize(("per", "lost", "moved"), [(60, 0.5, True), (60, 0.0, False), (4, 0.0, False)])
def test_a_loss_shortly_before_the_log_ends_is_seen_and_the_thin_labels_of_the_last_hours_are_none(
    per: int, lost: float, moved: bool
) -> None:
    """Four days of half hours; labels come within three hours, and from five hours before the end half of them do not."""
    over, found = grid(4.0), []
    hours = np.arange(over.n) * over.width_s / 3600
    age = np.maximum(96 - hours, 0.0)
    share = 0.99 * (1 - np.exp(-age / (1.5 if per > 10 else 9.0))) * np.where(hours >= 91, 1 - lost, 1.0)
    for seed in range(20):
        n = np.random.default_rng(seed).poisson(np.full(over.n, per / 4 * over.width_s / 450))
        k = np.random.default_rng(100 + seed).binomial(n, share)
        move = moves_of(series("label_share", "labels", k, n, over, "y"), over=over)["label_share"]
        found.append(move.moved and abs(move.fit.start * over.coarse_s / 3600 - 91) <= 1)
        assert moved or not move.moved
    assert sum(found) >= 16 if moved else not any(found)


def test_labels_that_got_fewer_all_along_are_on_their_way() -> None:
    """A day's log of which few labels have come: of each three hours a third of those of the three before, and none at last."""
    hour = np.arange(300) / 12.5
    for part in (0.06, 0.3):
        for seed in range(6):
            seen = np.random.default_rng(seed).binomial(170, part * np.exp(-hour / 3) * (hour < 15)) / 170
            scan = step_scan(seen, np.full(300, 0.015), first=20, last=290)
            assert scan.best is not None and still_arriving(seen, scan)
    held = np.where(np.arange(300) < 90, 0.08, 0.0) + np.random.default_rng(0).normal(0, 0.005, 300)
    assert not still_arriving(held, step_scan(held, np.full(300, 0.005), first=20, last=290)), "lost at once"


def few_requests(rng: Any, lost: float) -> tuple[Any, Any]:
    """Share of labels per half an hour of a log of five days with two requests in each, and requests; labels take two hours."""
    age = (np.arange(240, 0, -1) - 0.5) / 2
    n = rng.poisson(2.0, 240).astype(float)
    p = 0.95 * -np.expm1(-age / 2) * np.where(age < 12, 1 - lost, 1.0)
    return np.where(n > 0, rng.binomial(n.astype(int), p) / np.maximum(n, 1), np.nan), n


def test_labels_that_are_late_are_told_from_lost_ones_by_their_delays() -> None:
    age = (np.arange(240, 0, -1) - 0.5) / 2
    rng = np.random.default_rng(1)
    asked = rng.uniform(0, 120 * 3600, 1000)
    delay = np.where((took := rng.exponential(7200, 1000)) < asked, took, np.nan)
    due = come_by(delay, asked, age * 3600)
    assert due is not None
    assert np.abs(due + np.expm1(-age / 2)).max() < 0.06  # Kolmogorov's bound for some 500 old rows
    late = [as_due(*few_requests(np.random.default_rng(s), 0.0), due, 240 - 4 * (1 + s % 4)) for s in range(200)]
    lost = [as_due(*few_requests(np.random.default_rng(s), 0.7), due, 216) for s in range(200)]
    assert np.mean(late) >= 0.99
    assert np.mean(lost) <= 0.01


def test_too_few_delays_tell_nothing() -> None:
    assert come_by(np.full(50, 9.0), np.full(50, 900.0), np.array([5.0])) is None
    assert come_by(np.full(400, np.nan), np.full(400, 900.0), np.array([5.0])) is None


@pytest.mark.parametrize(("lost", "late"), [(0.0, True), (0.8, False)])
def test_a_fall_that_delays_explain_is_no_move(lost: float, late: bool) -> None:
    over = grid(5)
    age = (np.arange(over.n, 0, -1) - 0.5) * over.width_s / 3600
    come = -np.expm1(-age / 3)
    rng = np.random.default_rng(2)
    n = np.full(over.n, 1.0)
    share = 0.97 * come * np.where(age < 10, 1 - lost, 1.0)
    found = moves_of(series("label_share", "labels", rng.binomial(1, share), n, over, "y"), over=over)["label_share"]
    coarse = come.reshape(-1, over.coarse).mean(1)
    assert _late(replace(found, moved=True), coarse) is late
    assert not _late(replace(found, moved=False), coarse)
