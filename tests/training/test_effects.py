"""The planted faults act mechanically: what should fall falls, what should hold holds."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from rca_kit.training.incident import make_plan
from rca_kit.training.rows import Rows, simulate


def _split(r: Rows) -> tuple[np.ndarray, np.ndarray]:
    known = (r.t + r.label_lag <= r.plan.end) & (r.error < 0) & r.scope()
    return known & (r.t < r.plan.onset), known & (r.t >= r.plan.onset)


def _auc(r: Rows, m: np.ndarray) -> float:
    return float(roc_auc_score(r.label[m], r.score[m]))


@pytest.mark.parametrize("mechanism", ["bad-weights", "stale-feature", "concept-drift", "labels-flipped"])
def test_auc_falls(mechanism: str) -> None:
    r = simulate(make_plan(50, mechanism, "ads", rows=80_000))
    before, after = _split(r)
    assert _auc(r, after) < _auc(r, before) - 0.03


@pytest.mark.parametrize("mechanism", ["campaign", "mix-shift", "input-drift", "noise-alert", "simpson"])
def test_outcomes_hold_inside_segments_when_the_shift_is_benign(mechanism: str) -> None:
    r = simulate(make_plan(51, mechanism, "ads", rows=80_000))
    before, after = _split(r)
    assert abs(_auc(r, after) - _auc(r, before)) < 0.05
    for k in r.plan.world.kpis:
        a, b = r.kpis[k.name][before], r.kpis[k.name][after]
        z = (b.mean() - a.mean()) / np.sqrt(a.var() / len(a) + b.var() / len(b))
        assert abs(z) < 4


@pytest.mark.parametrize("mechanism", ["saturation", "cache-down", "expensive-call", "cold-starts"])
def test_latency_rises_and_quality_holds(mechanism: str) -> None:
    r = simulate(make_plan(52, mechanism, "feed", rows=60_000))
    before, after = _split(r)
    assert np.percentile(r.latency[after], 99) > 1.3 * np.percentile(r.latency[before], 99)
    assert abs(_auc(r, after) - _auc(r, before)) < 0.08


def test_overconfidence_keeps_the_order_and_spoils_the_probabilities() -> None:
    r = simulate(make_plan(53, "overconfident", "fraud", rows=80_000))
    before, after = _split(r)
    assert abs(_auc(r, after) - _auc(r, before)) < 0.04

    def log_loss(m: np.ndarray) -> float:
        p = np.clip(r.score[m], 1e-6, 1 - 1e-6)
        return float(-np.mean(r.label[m] * np.log(p) + (1 - r.label[m]) * np.log(1 - p)))

    assert log_loss(after) > 1.3 * log_loss(before)


def test_model_is_calibrated_before_the_onset() -> None:
    for world in ("fraud", "ads", "chat", "credit"):
        r = simulate(make_plan(54, "noise-alert", world, rows=60_000))
        assert r.score.mean() == pytest.approx(r.label.mean(), rel=0.12), world


def test_duplicates_and_losses_change_the_volume() -> None:
    doubled = simulate(make_plan(55, "duplicates", rows=30_000))
    assert len(doubled.keep) > doubled.n
    lost = simulate(make_plan(55, "lost-rows", rows=30_000))
    assert len(lost.keep) < lost.n
