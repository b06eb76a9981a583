"""Alerts that do not hold up: noise, season, low volume, labels that are merely late."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from rca_kit.training.mechanisms.base import Mechanism, kpi_metric, quality_metric
from rca_kit.training.noise import quiet_deploy
from rca_kit.training.plan import Plan


def _nothing(p: Plan, summary: str) -> None:
    p.need, p.scope_share = 30, 1.0
    p.onset = p.span * 0.85
    if p.chance(0.4):
        quiet_deploy(p)
    p.say(None, None, "none; tune the alert", summary, "no_change")


def noise(p: Plan) -> None:
    """Fire on chance."""
    feature = p.heavy("num")
    p.alert(quality_metric(p), kpi_metric(p), "score_mean", "latency_p95", "error_rate", f"psi:{feature}", f"null_rate:{feature}")
    _nothing(p, "chance")


def seasonal_dip(p: Plan) -> None:
    """Fire in the night or at the weekend, when volume is low and the mix another."""
    p.day_amp = p.between(0.55, 0.8)
    p.span = max(p.span, 96.0)
    trough = int(p.rng.integers(2, 5))
    p.start += timedelta(hours=(trough - (p.start.hour + p.span)) % 24)
    p.alert("volume", kpi_metric(p), "score_mean", "latency_p50")
    _nothing(p, "the usual dip of that hour")


def low_volume(p: Plan) -> None:
    """Fire on a figure made of few requests."""
    if not p.fixed_rows:
        p.n = int(p.rng.integers(1_500, 7_000))
    p.alert(quality_metric(p), kpi_metric(p), "precision" if p.world.task == "binary" else quality_metric(p))
    _nothing(p, "few requests, wide chance")


def late_labels(p: Plan) -> None:
    """Fire because labels of the last hours have not arrived yet."""
    p.world = replace(p.world, label_lag_hours=p.world.label_lag_hours * 3 + 3)
    p.alert(quality_metric(p), f"null_rate:{p.world.names.label}")
    _nothing(p, "labels are late, as always")


def busy_day(p: Plan) -> None:
    """Fire on a day with many innocent deploys."""
    from rca_kit.training.noise import decoys

    p.alert(quality_metric(p), kpi_metric(p), "error_rate", "latency_p99")
    _nothing(p, "chance, on a day of many deploys")
    decoys(p)


FAMILY = (
    Mechanism("noise-alert", "no_change", noise),
    Mechanism("seasonal-dip", "no_change", seasonal_dip),
    Mechanism("low-volume", "no_change", low_volume),
    Mechanism("late-labels", "no_change", late_labels),
    Mechanism("busy-day", "no_change", busy_day),
)
