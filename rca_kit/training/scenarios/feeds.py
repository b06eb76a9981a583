"""Feeds and shops: values that silently stop, suppliers that return nothing, mix, and a fault that looks like drift."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rca_kit.training.mechanisms.base import growing, nullify, plus
from rca_kit.training.plan import Extra, Plan
from rca_kit.training.rows import Rows
from rca_kit.training.scenarios.base import Scenario, change
from rca_kit.training.scenarios.ranking import CTR, SLO
from rca_kit.training.world import Cat, Kpi, Names, Num, Stage

FEED = replace(
    CTR,
    name="sample-feed",
    service="recommendations",
    task="ranking",
    columns=(
        Cat("country", ("US", "GB", "ES", "MX", "JP"), (0.36, 0.2, 0.16, 0.16, 0.12), 0.1, segment=True),
        Cat(
            "user_shard",
            ("s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9"),
            (0.1,) * 10,
            0,
            segment=True,
            feature=False,
        ),
        Cat("surface", ("app", "web", "tv"), (0.5, 0.3, 0.2), 0.25, segment=True),
        Num("taste_match", "normal", 0, 1, 1.0, "store", null=0.004),
        Num("recent_genre", "unit", 0, 1, 0.7, "store", null=0.004),
        Num("item_quality", "unit", 0.3, 0.8, 0.5, "scores-api", null=0.003),
        Num("item_trend", "normal", 0, 1, 0.6, "scores-api", null=0.003),
        Num("age_days", "lognormal", 2.4, 0.9, -0.3, digits=1),
    ),
    names=Names(score="relevance", decision="", label="played"),
    stages=(Stage("retrieve_ms", 30, "candidates"), Stage("scores_ms", 24, "scores-api"), Stage("rank_ms", 18, "ranker")),
    kpis=(Kpi("finished", "higher", 0.35, 0.3), Kpi("skipped", "lower", 0.1, 0.3)),
    vendors=("scores-api",),
    store="taste-store",
    pipeline="taste-job",
    labeler="playback-join",
    base=0.25,
    signal=1.5,
    platform="surface",
)


def silent_recommendation(p: Plan) -> None:
    """Give users of three shards generic items: their features were not written."""
    p.where, p.scope_share = [{"user_shard": ["s2", "s5", "s8"]}], 0.3

    def generic(r: Rows) -> None:
        hit = r.hit()
        r.served["taste_match"] = np.where(hit, 0.0, r.served["taste_match"])
        r.served["recent_genre"] = np.where(hit, 0.5, r.served["recent_genre"])

    p.on("inputs", generic)
    p.metric("taste-job", "feature_age_s", growing(3600))
    change(p, -60 * 11, "code_deploy", "ranker", "unit test clean-up")
    change(
        p,
        -8,
        "data_pipeline",
        "taste-job",
        "run timed out waiting for the events export; 7 of 10 partitions written",
        guilty=True,
    )
    change(p, 50, "experiment", "web-ui", "poster size test")
    p.signal = ("kpi:finished", p.signal[1])
    p.say(
        "data",
        "component:taste-job",
        "backfill the three partitions; alert on freshness",
        "the feature job timed out and three shards got defaults",
        also=("upstream",),
        subjects=("feature:taste_match", "feature:recent_genre"),
    )


def recommender_nulls(p: Plan) -> None:
    """Get nulls from the third-party scores for a fifth of the requests."""
    p.on("inputs", nullify(["item_quality", "item_trend"], 0.2))
    p.metric("scores-api", "timeouts", plus(5))
    change(p, -60 * 3, "model_deploy", "ranker", "routine refresh", versions=("r31", "r31"))
    change(p, 40, "upstream_notice", "scores-api", "degraded responses for part of the customers, investigating", guilty=True)
    change(p, -25, "flag_change", "web-ui", "dark theme to 100%")
    p.signal = ("null_rate:item_quality", p.signal[1])
    p.say(
        "upstream",
        "component:scores-api",
        "circuit breaker, rule-based fallback",
        "the third-party model API returns null for a fifth of the requests",
        subjects=("feature:item_quality", "feature:item_trend"),
    )


def simpson(p: Plan) -> None:
    """Bring traffic of the weakest segment: the overall figure falls, no segment's does."""
    codes = p.levels["acquired"]
    p.effects["acquired"] = np.array([[0.35], [0.25], [-1.5]])
    value = codes[2]
    p.where, p.scope_share = [{"acquired": value}], 0.5
    p.extras.append(Extra(0.9, {"acquired": value}))
    change(p, -30, "campaign", "marketing", "reach campaign bought on a display network", "acquired=display", guilty=True)
    change(p, -60 * 2, "model_deploy", "ranker", "weekly refresh", versions=("r31", "r31"))
    change(p, 60, "code_deploy", "web-ui", "new footer")
    p.signal = ("score_mean", p.signal[1])
    p.say(
        "external",
        "population",
        "no rollback; report by segment",
        "traffic moved to a segment with a low rate; no segment fell",
        "benign_shift",
        subjects=("traffic", "feature:acquired"),
    )


def desktop_auc(p: Plan) -> None:
    """Send a wrong city from the desktop client while a content campaign runs."""
    p.where, p.scope_share = [{"device": "desktop"}], 0.32
    p.uses_labels = True
    p.effects["feature_city"] = np.array([[1.4], [0.5], [-0.6], [-1.2], [0.3]]) * 1.1
    order = np.array([3, 2, 0, 4, 1])

    def wrong(r: Rows) -> None:
        x = r.served["feature_city"]
        r.served["feature_city"] = np.where(r.hit(0.8) & (x >= 0), order[np.maximum(x, 0)], x)

    p.on("inputs", wrong)
    change(p, -3, "code_deploy", "web-client", "4.12: shared geo dictionary for desktop", "device=desktop", guilty=True)
    change(p, -75, "campaign", "marketing", "city guides campaign started")
    change(p, -60 * 30, "config_change", "api-gateway", "log retention")
    p.signal = ("auc", p.signal[1])
    p.say(
        "code",
        "feature:feature_city",
        "roll back the desktop client",
        "desktop sends city codes of another dictionary; the campaign is innocent",
        also=("data",),
    )


CITY = replace(
    CTR,
    name="sample-city",
    service="content-ranking",
    columns=tuple(
        Cat("feature_city", ("Berlin", "Hamburg", "Munich", "Cologne", "Leipzig"), (0.3, 0.22, 0.2, 0.16, 0.12), 0.9)
        if c.name == "demographic"
        else c
        for c in CTR.columns
    ),
    vendors=(),
)
SIMPSON = replace(
    CTR,
    name="sample-mix",
    service="shop-ranking",
    columns=(
        *CTR.columns[1:3],
        Cat("acquired", ("search", "direct", "display"), (0.5, 0.35, 0.15), 0.6, segment=True),
        *CTR.columns[4:],
    ),
    vendors=(),
)
SCENARIOS = (
    Scenario(
        "silent-recommendation",
        "INC-2083",
        "Fewer finished titles, service is up",
        "no errors, latency normal",
        FEED,
        silent_recommendation,
        topic="silent failures, freshness",
        difficulty=2,
        minutes=45,
        rows=61_000,
        after_hours=8,
        tolerance=45,
    ),
    Scenario(
        "recommender-nulls",
        "INC-2091",
        "Null scores from the item API",
        "null rate 20 %",
        FEED,
        recommender_nulls,
        topic="suppliers, nulls",
        difficulty=1,
        minutes=30,
        rows=54_000,
        after_hours=5,
        tolerance=20,
    ),
    Scenario(
        "simpson-mix",
        "INC-2118",
        "Mean predicted rate fell",
        "overall score and click rate down",
        SIMPSON,
        simpson,
        topic="mix and rate",
        difficulty=3,
        minutes=45,
        rows=54_000,
        after_hours=9,
        tolerance=60,
    ),
    Scenario(
        "desktop-auc-city",
        "INC-2087",
        "AUC -7 % on desktop",
        "PSI(feature_city) high, latency fine, content campaign running",
        CITY,
        desktop_auc,
        topic="drift or fault, by segment",
        difficulty=3,
        minutes=60,
        rows=64_000,
        after_hours=16,
        tolerance=90,
        slos=SLO,
    ),
)
