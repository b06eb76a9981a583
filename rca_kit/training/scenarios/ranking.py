"""Ads: drift without harm, a quiet day, season, a slow decline."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from rca_kit.training.plan import Extra, Plan
from rca_kit.training.rows import Rows
from rca_kit.training.scenarios.base import Scenario, change
from rca_kit.training.world import Cat, Kpi, Names, Num, Stage, World

CTR = World(
    name="sample-ctr",
    service="ad-ctr",
    task="binary",
    columns=(
        Cat("country", ("US", "GB", "IN", "BR", "DE"), (0.38, 0.2, 0.12, 0.16, 0.14), 0.06, segment=True),
        Cat("device", ("mobile", "desktop", "tablet"), (0.58, 0.32, 0.1), 0.2, segment=True),
        Cat("slot", ("top", "side", "inline"), (0.3, 0.3, 0.4), 0.3, segment=True),
        Cat("demographic", ("18-24", "25-34", "35-49", "50+"), (0.22, 0.3, 0.28, 0.2), 0.75, "profile-api"),
        Num("user_ctr", "unit", -2.8, 0.7, 0.8, "store", null=0.005, digits=4),
        Num("ad_ctr", "unit", -2.9, 0.6, 0.7, "store", null=0.005, digits=4),
        Num("affinity", "normal", 0, 1, 0.6, "store"),
        Num("bid", "lognormal", 0.1, 0.5, 0.2, digits=3),
        Num("seen_today", "count", 0.5, 0.7, -0.4),
        Num("hour_of_day", "hour", weight=0.12),
    ),
    names=Names(score="pctr", decision="", label="clicked"),
    stages=(Stage("retrieve_ms", 15, "retrieval"), Stage("rank_ms", 12, "ranker")),
    kpis=(Kpi("converted", "higher", 0.12, 0.12), Kpi("hidden", "lower", 0.02, 0.06)),
    server="ranker",
    store="profile-store",
    cache="profile-cache",
    pipeline="ctr-features-job",
    labeler="click-join",
    vendors=("profile-api",),
    version="r31",
    next_version="r32",
    base=0.16,
    signal=1.4,
    unseen=0.4,
    threshold=0.2,
    label_lag_hours=0.3,
    platform="device",
)


def drift_kpi_stable(p: Plan) -> None:
    """Start a campaign in one country in the evening hours; every rate holds."""
    p.where, p.scope_share = [{"country": "IN"}], 0.35
    p.extras.append(Extra(0.38, {"country": "IN"}, {"bid": 0.4}))
    change(p, -60 * 5, "model_deploy", "ranker", "weekly refresh r31 -> r31, same data", versions=("r31", "r31"))
    change(p, -20, "campaign", "marketing", "Holi sale starts in India, TV and push", "country=IN", guilty=True)
    change(p, 45, "config_change", "api-gateway", "tracing header")
    p.signal = ("psi:country", p.signal[1])
    p.say(
        "external",
        "population",
        "no rollback; rolling baseline, business-aware thresholds",
        "a campaign brings users of one country; CTR, AUC and KPI hold in every segment",
        "benign_shift",
        subjects=("traffic", "feature:country"),
    )


def quiet_day(p: Plan) -> None:
    """Let chance fire an alert at low volume, near two innocent deploys."""
    change(p, -80, "model_deploy", "ranker", "scheduled refresh, offline metrics equal", versions=("r31", "r31"))
    change(p, 15, "code_deploy", "api-gateway", "bump TLS library")
    change(p, -60 * 28, "calendar", "", "end of quarter")
    p.signal = ("auc", p.signal[1])
    p.say(None, None, "none; alert on an interval, not on a point", "chance at low volume", "no_change")


def holiday(p: Plan) -> None:
    """Change behaviour after a holiday: inputs move, and what they mean moves too."""
    p.uses_labels = True
    turned = {"user_ctr": 0.3, "ad_ctr": 0.5, "affinity": 0.65}

    def population(r: Rows) -> None:
        c = r.plan.column("affinity")
        assert isinstance(c, Num)
        r.moved = r.dose > 0
        r.clean["affinity"] = np.where(r.moved, np.round(r.clean["affinity"] * 1.05 - 0.66, 3), r.clean["affinity"])

    def truth(r: Rows) -> None:
        for n, left in turned.items():
            c = r.plan.column(n)
            assert isinstance(c, Num)
            part = c.standard(r.clean[n])[:, None] * r.plan.weights[n] * r.plan.scale
            r.eta = r.eta + r.moved[:, None] * (left - 1) * part

    p.on("population", population)
    p.on("truth", truth)
    change(p, -60 * 16, "code_deploy", "web-ui", "copy test on the help page")
    change(p, -10, "calendar", "", "first working day after the public holiday", guilty=True)
    change(p, 60 * 3, "infra_change", "monitoring", "alert routing changed")
    p.signal = ("auc", p.signal[1])
    p.say(
        "external",
        "population",
        "route half to the last known good, segment rule, retrain on recent data",
        "after the holiday users behave differently",
        subjects=tuple(f"feature:{n}" for n in turned),
    )


def ctr_slow_decline(p: Plan) -> None:
    """Let a re-coded demographic spread for three weeks while caches expire."""
    p.ramp(21 * 24.0)
    order = np.array([2, 3, 0, 1])
    p.uses_labels = True

    def recode(r: Rows) -> None:
        x = r.served["demographic"]
        r.served["demographic"] = np.where(r.hit() & (x >= 0), order[np.maximum(x, 0)], x)

    def hurt(r: Rows) -> None:
        wrong = r.served["demographic"] != r.clean["demographic"]
        r.label = np.where(wrong & (r.rng.random(r.n) < 0.45), 0, r.label)

    p.on("inputs", recode)
    p.on("decide", hurt)
    change(p, -30, "upstream_notice", "profile-api", "age bands delivered as codes of the new catalogue", guilty=True)
    change(p, 60 * 24 * 6, "model_deploy", "ranker", "weekly refresh", versions=("r31", "r31"))
    change(p, 60 * 24 * 13, "campaign", "marketing", "newsletter")
    change(p, -60 * 24 * 5, "code_deploy", "ranker", "dependency bump")
    p.signal = ("kpi:converted", p.signal[1])
    p.say(
        "upstream",
        "feature:demographic",
        "map the new codes, flush the cache, contract test",
        "the demographic codes changed at the supplier and spread as caches refresh",
        also=("data", "code"),
        subjects=("component:profile-api",),
    )


SLO = {"auc": {"min": 0.72}}

SCENARIOS = (
    Scenario(
        "drift-kpi-stable",
        "INC-2049",
        "PSI of country over 0.2",
        "PSI(country) = 0.3, PSI(hour_of_day) up",
        CTR,
        drift_kpi_stable,
        topic="drift alerts",
        difficulty=1,
        minutes=30,
        rows=61_000,
        after_hours=8,
        tolerance=60,
        slos=SLO,
    ),
    Scenario(
        "quiet-day",
        "INC-2061",
        "AUC of the ad model below 0.7 for two hours",
        "AUC 0.80 -> 0.65",
        CTR,
        quiet_day,
        topic="false alarms, low volume",
        difficulty=1,
        minutes=30,
        rows=5_000,
        days=6,
        fmt="csv",
        seed=2068,
    ),
    Scenario(
        "holiday-drift",
        "INC-2070",
        "Online AUC fell after the holiday",
        "PSI 0.35 (threshold 0.2), AUC -5 points",
        replace(CTR, vendors=(), name="sample-holiday"),
        holiday,
        topic="season and behaviour",
        difficulty=2,
        minutes=45,
        rows=64_000,
        days=7,
        after_hours=30,
        tolerance=120,
        slos=SLO,
    ),
    Scenario(
        "ctr-slow-decline",
        "INC-2099",
        "Click rate sinks week by week",
        "noticed in the monthly review",
        CTR,
        ctr_slow_decline,
        topic="slow ramps",
        difficulty=3,
        minutes=60,
        rows=79_000,
        days=35,
        after_hours=21 * 24,
        tolerance=5 * 24 * 60,
        start=datetime(2026, 1, 12, 21, tzinfo=UTC),
        more={"source": "review"},
    ),
)
