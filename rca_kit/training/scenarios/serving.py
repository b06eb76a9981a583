"""Serving: a slow embedding, garbage collection, and normalisation on phones; a camera's firmware."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rca_kit.training.mechanisms.base import level, plus
from rca_kit.training.plan import Plan
from rca_kit.training.rows import Rows
from rca_kit.training.scenarios.base import Scenario, change
from rca_kit.training.world import Array, Cat, Kpi, Names, Num, Stage, World

SEARCH = World(
    name="sample-search",
    service="product-search",
    task="binary",
    columns=(
        Cat("country", ("DE", "AT", "CH", "PL"), (0.5, 0.2, 0.18, 0.12), 0.1, segment=True),
        Cat("text_embedding", ("on", "off"), (0.35, 0.65), 0.1, segment=True),
        Cat("device", ("mobile", "desktop", "tablet"), (0.55, 0.35, 0.1), 0.15, segment=True),
        Num("query_chars", "lognormal", 2.8, 0.5, 0.3, digits=0),
        Num("text_match", "unit", 0.4, 0.9, 0.9),
        Num("popularity", "lognormal", 4, 1, 0.6, "store", digits=0),
        Num("feature_price", "lognormal", 3.4, 0.7, -0.6, digits=2),
        Num("stock_days", "count", 1.8, 0.5, 0.2, "store"),
        Cat("category", ("shoes", "home", "toys", "books"), (0.35, 0.3, 0.2, 0.15), 0.4),
    ),
    names=Names(decision="shown_top", label="clicked"),
    stages=(Stage("fetch_ms", 34, "feature-store"), Stage("embed_ms", 20, "embedder"), Stage("score_ms", 24, "search-model")),
    kpis=(Kpi("added_to_cart", "higher", 0.3, 0.15),),
    server="search-model",
    vendors=(),
    version="s8",
    next_version="s9",
    base=0.25,
    signal=1.5,
    threshold=0.3,
    label_lag_hours=0.4,
    error_rate=0.007,
    errors=("timeout", "out_of_memory", "bad_request"),
    gpu=True,
    platform="device",
)


def latency_embedding(p: Plan) -> None:
    """Compute a text embedding per request on the CPU, weights loaded on the first request."""
    p.where, p.scope_share = [{"text_embedding": "on"}], 0.35

    def slow(r: Rows) -> None:
        hit = r.hit()
        wait = 500 * np.exp(0.45 * r.rng.normal(size=r.n)) * (1 + 0.5 * (r.load - 1))
        first = (r.t - r.plan.onset < 0.2) * 2500 * (r.rng.random(r.n) < 0.15)
        r.stages["embed_ms"] = np.where(hit, r.stages["embed_ms"] + wait + first, r.stages["embed_ms"])
        r.error = np.where(hit & (r.rng.random(r.n) < 0.11), 0, r.error)

    p.on("service", slow)
    p.metric("search-model", "cpu_utilization", level(0.95))
    p.metric("search-model", "gpu_utilization", level(0.04))
    p.metric("search-model", "memory_mb", lambda v, d, rng: v + 500 * (d > 0))
    p.metric("search-model", "timeouts", plus(9))
    change(p, -60 * 22, "data_pipeline", "warehouse", "backfill of the finance mart")
    change(
        p, -4, "code_deploy", "search-model", "4.7.0: text embedding of the query as a feature", "text_embedding=on", guilty=True
    )
    change(p, -55, "config_change", "api-gateway", "raise log retention")
    p.signal = ("latency_p95", p.signal[1])
    p.say(
        "code",
        "stage:embed_ms",
        "switch the feature off; preload, micro-batch, scale, stage time-out",
        "an unbatched embedding runs on the live path",
        also=("infra",),
        subjects=("component:search-model", "component:embedder"),
    )


def normalization(p: Plan) -> None:
    """Scale feature_price with other statistics in the mobile app."""
    p.where, p.scope_share = [{"device": "mobile"}], 0.55

    def rescale(r: Rows) -> None:
        x = r.served["feature_price"]
        r.served["feature_price"] = np.where(r.hit(), np.round(x * 2.1, 2), x)

    p.on("inputs", rescale)
    change(
        p, -5, "code_deploy", "mobile-app", "feature preparation: normalise prices on the device", "device=mobile", guilty=True
    )
    change(p, -60 * 6, "campaign", "marketing", "loyalty mailing")
    change(p, 30, "infra_change", "api-gateway", "scaled from 6 to 8 replicas")
    p.signal = ("psi:feature_price", p.signal[1])
    p.say(
        "code",
        "feature:feature_price",
        "roll back the client's normalisation",
        "prices are normalised differently in training and on phones",
    )


def gc_storm(p: Plan) -> None:
    """Allocate per item of a bundle; a campaign later brings bundles."""
    p.where, p.scope_share = [{"basket_kind": "bundle"}], 0.15
    surge = p.onset + 3.0
    code = p.levels["basket_kind"].index("bundle")

    def campaign(r: Rows) -> None:
        more = (r.t >= surge) & (r.rng.random(r.n) < 0.22)
        r.clean["basket_kind"] = np.where(more, code, r.clean["basket_kind"])

    def pause(r: Rows) -> None:
        hit = r.hit(0.8)
        wait = r.rng.gamma(3, 130, r.n) * np.where(r.t >= surge, 1.5, 1.0)
        r.stages["score_ms"] = np.where(hit, r.stages["score_ms"] + wait, r.stages["score_ms"])
        r.error = np.where(hit & (r.rng.random(r.n) < 0.02), 0, r.error)

    def heap(v: Array, dose: Array, rng: np.random.Generator) -> Array:
        steps = np.cumsum(dose > 0)
        return np.asarray(v + (dose > 0) * (steps % 6) * 260.0, float)

    p.on("population", campaign)
    p.on("service", pause)
    p.metric("search-model", "memory_mb", heap)
    p.metric("search-model", "cpu_utilization", level(0.7))
    change(p, -3, "code_deploy", "search-model", "2.31.4: copy basket items before scoring", guilty=True)
    change(p, 3 * 60 - 5, "campaign", "marketing", "bundle weeks: three for two", "basket_kind=bundle")
    change(p, -60 * 12, "infra_change", "monitoring", "new exporter version")
    p.signal = ("latency_p99", p.signal[1])
    p.say(
        "code",
        "component:search-model",
        "roll back the release; alert on GC pauses",
        "a small change allocates per bundle item; the campaign only brings more bundles",
        also=("infra",),
        subjects=("stage:score_ms",),
    )


JVM = replace(
    SEARCH,
    name="sample-jvm",
    service="basket-scoring",
    columns=tuple(
        Cat("basket_kind", ("single", "multi", "bundle"), (0.5, 0.35, 0.15), 0.1, segment=True)
        if c.name == "text_embedding"
        else c
        for c in SEARCH.columns
    ),
    stages=(Stage("fetch_ms", 22, "feature-store"), Stage("score_ms", 30, "search-model")),
    gpu=False,
    error_rate=0.003,
)
PHONE = replace(
    SEARCH,
    name="sample-phone",
    service="conversion-model",
    columns=tuple(c for c in SEARCH.columns if c.name != "text_embedding"),
    kpis=(Kpi("converted", "higher", 0.3, 0.2),),
    error_rate=0.003,
    gpu=False,
)
CAMERA = World(
    name="sample-camera",
    service="shelf-camera",
    task="multiclass",
    columns=(
        Cat("site", ("north", "south", "east"), (0.4, 0.35, 0.25), 0, segment=True, feature=False),
        Cat("firmware", ("4.8", "4.9"), (0.4, 0.6), 0, segment=True, feature=False),
        Cat("lens", ("wide", "tele"), (0.7, 0.3), 0.1, segment=True),
        Num("brightness", "normal", 120, 20, 0.7, "camera", digits=1),
        Num("saturation", "normal", 90, 15, 0.8, "camera", digits=1),
        Num("sharpness", "lognormal", 1.2, 0.4, 0.5, "camera"),
        Num("edge_density", "unit", 0, 0.8, 0.7, "camera"),
        Num("object_area", "lognormal", 3, 0.6, 0.8, digits=1),
    ),
    names=Names(score="confidence", decision="predicted", label="true_class"),
    stages=(Stage("decode_ms", 14, "decoder"), Stage("infer_ms", 38, "classifier")),
    kpis=(Kpi("restock_miss", "lower", 0.04, 0.3),),
    server="classifier",
    store="frame-store",
    vendors=("camera",),
    version="net-4",
    next_version="net-5",
    classes=("full", "low", "empty", "misplaced"),
    class_probs=(0.5, 0.25, 0.15, 0.1),
    signal=2.4,
    label_lag_hours=0.8,
    gpu=True,
    platform="firmware",
)


def camera(p: Plan) -> None:
    """Let the camera maker's firmware deliver brighter, flatter pictures."""
    p.levels["firmware"].append("5.0")
    p.where, p.scope_share = [{"firmware": "5.0"}], 0.3
    p.uses_labels = True

    def flash(r: Rows) -> None:
        r.clean["firmware"] = np.where(r.rng.random(r.n) < 0.3 * r.dose, 2, r.clean["firmware"])

    def flatten(r: Rows) -> None:
        hit = r.clean["firmware"] == 2
        r.served["brightness"] = np.where(hit, np.round(r.served["brightness"] * 0.4 + 105, 1), r.served["brightness"])
        r.served["saturation"] = np.where(hit, np.round(r.served["saturation"] * 0.5 + 20, 1), r.served["saturation"])
        r.served["sharpness"] = np.where(hit, np.round(r.served["sharpness"] * 0.45, 3), r.served["sharpness"])

    p.on("population", flash)
    p.on("inputs", flatten)
    change(p, -12, "upstream_notice", "camera", "maker ships firmware 5.0 over the air", guilty=True)
    change(p, -60 * 8, "model_deploy", "classifier", "same weights, new container", versions=("net-4", "net-4"))
    change(p, 60 * 2, "config_change", "api-gateway", "structured logs")
    p.signal = ("accuracy", p.signal[1])
    p.say(
        "upstream",
        "component:camera",
        "hold the firmware; shadow the old model on the new pictures",
        "the maker's firmware delivers other pictures",
        also=("external",),
        subjects=("feature:brightness", "feature:saturation", "feature:sharpness", "population", "feature:firmware"),
    )


SCENARIOS = (
    Scenario(
        "latency-embedding",
        "INC-2044",
        "Search is slow",
        "p95 120 -> 900 ms, errors 0.7 % -> 4 %",
        SEARCH,
        latency_embedding,
        topic="latency, load",
        difficulty=1,
        minutes=30,
        rows=61_000,
        after_hours=3,
        tolerance=20,
        slos={"latency_p95": {"max": 300}, "error_rate": {"max": 0.01}},
        shadow=3000,
    ),
    Scenario(
        "normalization-change-mobile",
        "INC-2080",
        "PSI of feature_price over 0.2",
        "PSI(feature_price) 0.32, latency and errors normal, conversion lower on mobile",
        PHONE,
        normalization,
        topic="train/serve parity",
        difficulty=2,
        minutes=45,
        rows=72_000,
        after_hours=2.5,
        tolerance=30,
        slos={"latency_p95": {"max": 300}},
    ),
    Scenario(
        "jvm-gc-storm",
        "INC-2106",
        "Latency spikes",
        "p99 up five-fold, in waves",
        JVM,
        gc_storm,
        topic="correlation and cause",
        difficulty=3,
        minutes=60,
        rows=57_000,
        after_hours=7,
        tolerance=45,
    ),
    Scenario(
        "image-accuracy-camera",
        "INC-2114",
        "Shelf classifier is often wrong",
        "accuracy lower since yesterday",
        CAMERA,
        camera,
        topic="data or model",
        difficulty=2,
        minutes=45,
        rows=54_000,
        after_hours=14,
        tolerance=60,
        slos={"accuracy": {"min": 0.6}},
    ),
)
