"""Card fraud: null feature, threshold, canary, feature-store outage."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rca_kit.training.mechanisms.base import level, nullify, plus
from rca_kit.training.mechanisms.model import _worse
from rca_kit.training.plan import Plan
from rca_kit.training.rows import Rows
from rca_kit.training.scenarios.base import Scenario, change
from rca_kit.training.world import Cat, Kpi, Names, Num, Stage, World

FRAUD = World(
    name="sample-fraud",
    service="fraud-scoring",
    task="binary",
    columns=(
        Cat("country", ("DE", "FR", "GB", "NL", "PL"), (0.32, 0.24, 0.2, 0.14, 0.1), 0.15, segment=True),
        Cat("os", ("android", "ios", "web"), (0.38, 0.3, 0.32), 0.1, segment=True, feature=False),
        Cat("app_version", ("7.9", "8.0", "8.1"), (0.2, 0.5, 0.3), 0, segment=True, feature=False),
        Cat("device_type", ("phone", "tablet", "desktop", "emulator"), (0.55, 0.13, 0.28, 0.04), 1.15, "store", 0.005),
        Num("amount", "lognormal", 3.6, 0.8, 0.7, digits=2),
        Num("tx_24h", "count", 0.6, 0.7, 0.55, "store", null=0.004),
        Num("account_age_days", "lognormal", 5.4, 1.0, -0.6, "store", null=0.004, digits=0),
        Num("merchant_risk", "unit", -1.4, 1.0, 0.8, digits=3),
        Num("distance_km", "lognormal", 2.4, 1.3, 0.35, digits=1),
        Num("hour_of_day", "hour", weight=-0.15),
        Cat("payment_method", ("card", "wallet", "transfer"), (0.6, 0.3, 0.1), 0.3),
    ),
    names=Names(decision="blocked", label="is_fraud", label_time="labelled_at"),
    stages=(Stage("fetch_ms", 16, "feature-store"), Stage("rules_ms", 8, "rules-engine"), Stage("score_ms", 11, "fraud-model")),
    kpis=(Kpi("chargeback", "lower", 0.01, 0.4), Kpi("completed", "higher", 0.93, 0.4)),
    server="fraud-model",
    store="feature-store",
    cache="feature-cache",
    pipeline="feature-pipeline",
    labeler="chargeback-loader",
    version="v2",
    next_version="v3",
    base=0.12,
    signal=1.95,
    unseen=0.4,
    threshold=0.35,
    label_lag_hours=0.7,
    error_rate=0.004,
    platform="os",
)


def auc_drop(p: Plan) -> None:
    """Read device_type by a new key that Android clients do not write yet."""
    p.where, p.scope_share = [{"os": "android"}], 0.38
    p.uses_labels = True
    p.on("inputs", nullify(["device_type"], 0.46))
    p.versions.append("v3")
    deployed = p.onset - 25 / 60

    def act(r: Rows) -> None:
        r.version = (r.t >= deployed).astype(np.int64)
        # missing device types were rare and harmless in training: the model takes them for the safest kind there is
        r.score_eta = r.score_eta - 3.4 * ((r.served["device_type"] < 0) & (r.dose > 0))[:, None]

    p.on("model", act)
    p.metric("feature-store", "cache_hit_rate", level(0.81))
    change(p, -60 * 30, "infra_change", "monitoring", "dashboards moved to the new cluster")
    change(p, -60 * 7, "campaign", "marketing", "newsletter to existing customers", "country=FR")
    change(p, -25, "model_deploy", "fraud-model", "deploy v3", versions=("v2", "v3"))
    change(p, -2, "config_change", "feature-store", "read keys switched to device/{id}/type (was device:{id})", guilty=True)
    change(p, 35, "code_deploy", "api-gateway", "access log format")
    p.signal = ("auc", p.signal[1])
    p.say(
        "config",
        "feature:device_type",
        "roll back the key format, or read the old key as fallback",
        "reads use a new key, Android clients still write the old one; lookups miss and device_type goes null",
        also=("data",),
        subjects=("component:feature-store",),
    )


def threshold_change(p: Plan) -> None:
    """Raise the cut-off for new users: precision up, recall and conversions down for them alone."""
    p.where, p.scope_share = [{"tenure": "new"}], 0.3
    p.on("decide", lambda r: setattr(r, "threshold", np.where(r.hit(), 0.62, r.threshold)))

    def only_approved(r: Rows) -> None:
        r.kpis["completed"] = r.kpis["completed"] * ((r.decision == 1) | (r.rng.random(r.n) < 0.1))

    p.on("kpi", only_approved)
    change(p, -60 * 20, "code_deploy", "web-ui", "new onboarding texts")
    change(p, -4, "config_change", "policy-service", "approval cut-off 0.40 -> 0.62 for first-time applicants", guilty=True)
    change(p, -90, "infra_change", "api-gateway", "renewed certificate")
    change(p, 60 * 2, "experiment", "web-ui", "button colour test, 50/50")
    p.signal = ("kpi:completed", p.signal[1])
    p.say(
        "config",
        "threshold",
        "restore the threshold for new users",
        "the approval threshold for new users went from 0.40 to 0.62",
    )


def canary(p: Plan) -> None:
    """Send 5 % to a bad model."""
    p.versions.append("v3")
    bad = _worse(p, 0.9)
    p.where, p.scope_share = [{"model_version": "v3"}], 0.05
    p.stairs([(0, 0.05), (20, 0.25)])
    p.uses_labels = True

    def act(r: Rows) -> None:
        mask = r.rng.random(r.n) < r.dose
        r.version = mask.astype(np.int64)
        bad(r, mask)

    p.on("model", act)
    slow = "score_ms"
    p.on("service", lambda r: r.stages.__setitem__(slow, r.stages[slow] + 55.0 * (r.version == 1)))
    change(p, -60 * 9, "data_pipeline", "warehouse", "weekly vacuum")
    change(p, -3, "model_deploy", "fraud-model", "canary of v3 at 5%", versions=("v2", "v3"), guilty=True)
    change(p, 20 * 60 - 2, "model_deploy", "fraud-model", "v3 canary 5% -> 25%", versions=("v2", "v3"), guilty=True)
    change(p, 60 * 5, "config_change", "api-gateway", "log retention 30 days")
    p.signal = ("precision", p.signal[1])
    p.say(
        "model",
        "model:v3",
        "stop the canary: precision -5 % or p99 +50 ms for 5 minutes rolls back",
        "the canary's weights are bad",
    )


def store_outage(p: Plan) -> None:
    """Let the feature store time out: slow, 5xx, default features."""
    names = ["tx_24h", "account_age_days", "device_type"]
    p.on("inputs", nullify(names, 0.35))

    def slow(r: Rows) -> None:
        lost = np.isnan(r.served["tx_24h"]) & (r.dose > 0)
        r.stages["fetch_ms"] = np.where(r.dose > 0, r.stages["fetch_ms"] * 1.6, r.stages["fetch_ms"])
        r.stages["fetch_ms"] = np.where(lost, r.stages["fetch_ms"] + 55, r.stages["fetch_ms"])
        r.error = np.where(lost & (r.rng.random(r.n) < 0.16), r.rng.integers(0, 2, r.n), r.error)

    p.on("service", slow)
    p.metric("feature-store", "timeouts", plus(25))
    p.metric("feature-store", "cpu_utilization", level(0.97))
    p.metric("fraud-model", "timeouts", plus(6))
    change(p, -60 * 26, "model_deploy", "fraud-model", "nothing changed but the base image", versions=("v2", "v2"))
    change(p, -6, "infra_change", "feature-store", "storage nodes moved to the new disk class, rolling", guilty=True)
    change(p, 25, "config_change", "api-gateway", "rotate API keys")
    p.signal = ("latency_p95", p.signal[1])
    p.say(
        "infra",
        "component:feature-store",
        "serve cached features or defaults, open the circuit breaker",
        "the feature store times out after its disks were moved",
        also=("upstream",),
        subjects=("stage:fetch_ms", *(f"feature:{n}" for n in names)),
    )


LENDING = replace(
    FRAUD,
    name="sample-onboarding",
    service="trial-approval",
    columns=(
        Cat("country", ("DE", "FR", "GB", "NL", "PL"), (0.3, 0.24, 0.2, 0.16, 0.1), 0.15, segment=True),
        Cat("tenure", ("new", "established"), (0.3, 0.7), 0.25, segment=True),
        Cat("device", ("mobile", "desktop", "tablet"), (0.55, 0.35, 0.1), 0.1, segment=True),
        Num("income_k", "lognormal", 3.6, 0.4, 0.7, digits=1),
        Num("visits_30d", "count", 1.2, 0.6, 0.6),
        Num("profile_filled", "unit", 0.5, 1, 0.7),
        Num("mail_score", "normal", 0.5, 0.2, 0.5),
        Num("referrals", "count", -0.5, 0.8, 0.3),
        Cat("source", ("ads", "organic", "partner"), (0.4, 0.4, 0.2), 0.3),
    ),
    names=Names(decision="approved", label="good_customer"),
    kpis=(Kpi("completed", "higher", 0.85, 0.6), Kpi("complaint", "lower", 0.02, 0.1)),
    server="approval-model",
    version="v5",
    next_version="v6",
    base=0.42,
    signal=1.6,
    threshold=0.4,
    platform="device",
)


def _models(current: str, previous: str) -> dict[str, dict[str, str]]:
    module = "rca_kit.training.replay_models"
    return {"current": {"python": f"{module}:{current}"}, "previous": {"python": f"{module}:{previous}"}}


SCENARIOS = (
    Scenario(
        "auc-drop-null-feature",
        "INC-2041",
        "Fraud AUC fell after v3",
        "AUC 0.86 -> 0.78 within 30 minutes of deploying v3",
        FRAUD,
        auc_drop,
        topic="feature store, nulls",
        difficulty=2,
        minutes=45,
        rows=64_000,
        days=6,
        after_hours=10,
        tolerance=30,
        slos={"auc": {"min": 0.84}, "latency_p95": {"max": 120}},
        golden=2500,
        more={"models": _models("fraud_new_key", "fraud_old_key")},
    ),
    Scenario(
        "threshold-change",
        "INC-2057",
        "Conversions of new users fell",
        "precision up, recall down, fewer completed sign-ups",
        LENDING,
        threshold_change,
        topic="thresholds, business metrics",
        difficulty=2,
        minutes=45,
        rows=46_000,
        days=6,
        after_hours=9,
        tolerance=45,
        fmt="csv.gz",
        slos={"kpi:completed": {"min": 0.35}},
        golden=2000,
        more={"models": _models("sign_up", "sign_up")},
    ),
    Scenario(
        "fraud-canary",
        "INC-2102",
        "Precision of the v3 canary",
        "precision -5 % and p99 +50 ms on the canary",
        FRAUD,
        canary,
        topic="canary, model versions",
        difficulty=2,
        minutes=45,
        rows=75_000,
        days=6,
        after_hours=36,
        tolerance=120,
        slos={"precision": {"min": 0.4}, "latency_p99": {"max": 150}},
        shadow=5000,
    ),
    Scenario(
        "feature-store-outage",
        "INC-2075",
        "Scoring is slow and fails",
        "p95 doubled, 5xx from the model service",
        FRAUD,
        store_outage,
        topic="latency and errors, dependencies",
        difficulty=1,
        minutes=30,
        rows=54_000,
        after_hours=3,
        tolerance=20,
        slos={"error_rate": {"max": 0.01}, "latency_p95": {"max": 90}},
    ),
)
