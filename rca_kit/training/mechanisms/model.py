"""The same inputs give worse outputs: new weights, calibration, thresholds that ship with the model."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from rca_kit.training.mechanisms.base import (
    Mechanism,
    anywhere,
    decides,
    has_store_feature,
    kpi_metric,
    level,
    quality_metric,
    scored,
)
from rca_kit.training.plan import Plan
from rca_kit.training.rows import Mask, Rows, model_eta
from rca_kit.training.world import World

TEXTS = (
    "deploy {v}",
    "{v} to production",
    "promote {v} (retrained on last quarter)",
    "release model {v}: more features, better offline",
    "rollout {v}",
)


def _deploy(p: Plan, bad: Callable[[Rows, Mask], None], everyone: bool = True) -> str:
    """Roll a new version out to the dose's share of all rows; `bad(rows, mask)` is what it does wrong."""
    new, old = p.world.next_version, p.world.version
    p.versions.append(new)
    stairs = p.shape[0] != "step"

    def act(r: Rows) -> None:
        mask = r.rng.random(r.n) < r.dose
        r.version = np.where(mask, 1, 0)
        bad(r, mask if everyone else mask & r.scope())

    p.on("model", act)
    p.guilty(
        "model_deploy",
        p.world.server,
        [t.format(v=new) for t in TEXTS] + ([f"canary of {new}"] if stairs else []),
        versions=(old, new) if p.chance(0.8) else ("", ""),
        tell_scope=0,
    )
    return f"model:{new}"


def _worse(p: Plan, noise: float) -> Callable[[Rows, Mask], None]:
    """Make bad weights: the old ones shrunk and mixed with noise of `noise` times the signal."""
    bad = {
        n: w * p.rng.choice([-0.3, 0, 0.4, 1], size=w.shape) + noise * p.rng.normal(size=w.shape) / np.sqrt(len(p.weights))
        for n, w in p.model_weights.items()
    }

    def act(r: Rows, mask: Mask) -> None:
        r.score_eta = np.where(mask[:, None], model_eta(r.plan, r.n, r.served, bad), r.score_eta)

    return act


def bad_weights(p: Plan) -> None:
    """Deploy badly trained weights."""
    p.scope(p.quality_need(), single=0, pair=0)
    subject = _deploy(p, _worse(p, 0.8))
    p.alert(quality_metric(p), kpi_metric(p))
    p.say("model", subject, "roll back to the previous version", "the new version's weights are bad")


def canary(p: Plan) -> None:
    """Roll a bad version out in stages."""
    new = p.world.next_version
    p.scope(p.quality_need(), single=0, pair=0)
    step = p.span * p.between(0.04, 0.09)
    p.stairs(
        [(0, 0.05), (step, 0.2), (2 * step, 0.5)]
        if p.chance(0.6)
        else [(0, 0.1)]
        if p.chance(0.4)
        else [(0, 0.05), (step, 0.25), (2 * step, 1.0)]
    )
    subject = _deploy(p, _worse(p, 0.8))
    p.where, p.scope_share = [{p.world.names.model_version: new}], 0.2
    p.alert(quality_metric(p), kpi_metric(p))
    p.say("model", subject, "stop the canary, route all to the previous version", "the canary's weights are bad")


def segment_regression(p: Plan) -> None:
    """Deploy a version that is bad for one segment only."""
    p.scope(0.8 * p.quality_need(), single=1.0)
    subject = _deploy(p, _worse(p, 0.9), everyone=False)
    p.alert(quality_metric(p), kpi_metric(p))
    p.say("model", subject, "roll back, or route the segment to the previous version", "the new version is bad for one segment")


def miscalibrated(p: Plan) -> None:
    """Deploy a version that is off by a constant."""
    shift = p.pick((-1, 1)) * p.between(0.7, 1.3)
    p.scope(0.25 * p.quality_need(), single=0, pair=0)

    def act(r: Rows, mask: Mask) -> None:
        r.score_eta = r.score_eta + mask[:, None] * shift * (
            1.0 if len(r.plan.world.classes) == 0 else np.arange(len(r.plan.world.classes)) / 2
        )

    subject = _deploy(p, act)
    p.alert(
        *{"regression": ("bias", "mae"), "multiclass": ("accuracy", "calibration_error")}.get(
            p.world.task, ("calibration_error", "score_mean", "log_loss")
        )
    )
    p.say("model", subject, "roll back, or recalibrate", "the new version is biased")


def overconfident(p: Plan) -> None:
    """Deploy a version that is too sure of itself: same order, wrong probabilities."""
    heat = p.between(2.0, 3.0)
    p.scope(0.6 * p.quality_need(), single=0, pair=0)

    def act(r: Rows, mask: Mask) -> None:
        r.score_eta = np.where(mask[:, None], r.score_eta * heat, r.score_eta)

    subject = _deploy(p, act)
    p.alert("log_loss", "calibration_error")
    p.say("model", subject, "roll back, or scale the temperature", "the new version is over-confident")


def threshold_ships(p: Plan) -> None:
    """Deploy a version that brings its own threshold: scores alike, decisions moved."""
    factor = p.pick((0.5, 0.6, 1.5, 1.8))
    to = min(p.world.threshold * factor, 0.95)
    p.scope(250, single=0, pair=0)
    p.on("decide", lambda r: setattr(r, "threshold", np.where(r.version == 1, to, r.threshold)))
    subject = _deploy(p, lambda r, m: None)
    p.alert("positive_rate", "precision", "recall", kpi_metric(p))
    p.say(
        "model",
        subject,
        "roll back, or restore the threshold",
        "the new version ships another threshold",
        also=("config",),
        subjects=("threshold",),
    )


def heavy_model(p: Plan) -> None:
    """Deploy a version that is much slower."""
    stage = max((s for s in p.world.stages if s.component not in p.world.vendors), key=lambda s: s.ms)
    factor = p.between(3, 6)
    p.scope(50, single=0, pair=0)
    subject = _deploy(p, lambda r, m: None)
    p.on(
        "service",
        lambda r: r.stages.__setitem__(stage.name, np.where(r.version == 1, r.stages[stage.name] * factor, r.stages[stage.name])),
    )
    p.metric(p.world.server, "cpu_utilization", level(0.78))
    p.alert("latency_p95", "latency_p99")
    p.say(
        "model",
        subject,
        "roll back the version",
        "the new version is slower",
        also=("code",),
        subjects=(f"stage:{stage.name}", f"component:{p.world.server}"),
    )


def _probabilities(w: World) -> bool:
    return scored(w) or w.task == "multiclass"


FAMILY = (
    Mechanism("bad-weights", "model", bad_weights),
    Mechanism("canary", "model", canary),
    Mechanism(
        "segment-regression", "model", segment_regression, lambda w: (anywhere(w) and has_store_feature(w)) or w.task != "ranking"
    ),
    Mechanism("miscalibrated", "model", miscalibrated),
    Mechanism("overconfident", "model", overconfident, _probabilities),
    Mechanism("threshold-ships", "model", threshold_ships, decides),
    Mechanism("heavy-model", "model", heavy_model),
)
