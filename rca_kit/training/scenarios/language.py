"""Language services: injected prompts, a broken translation, over-confidence, a tokenizer that leaks and cuts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rca_kit.training.mechanisms.base import plus
from rca_kit.training.plan import Plan
from rca_kit.training.rows import Rows
from rca_kit.training.scenarios.base import Scenario, change
from rca_kit.training.world import Array, Cat, Kpi, Names, Num, Stage, World

ASSISTANT = World(
    name="sample-assistant",
    service="help-assistant",
    task="text",
    columns=(
        Cat("language", ("en", "de", "fr", "es"), (0.5, 0.2, 0.16, 0.14), 0.1, segment=True),
        Cat("channel", ("web", "app", "api"), (0.5, 0.35, 0.15), 0.1, segment=True),
        Cat("intent", ("billing", "login", "howto", "bug", "cancel"), (0.25, 0.2, 0.3, 0.17, 0.08), 0.4, segment=True),
        Num("prompt_tokens", "lognormal", 3.6, 0.5, -0.4, digits=0),
        Num("retrieval_score", "unit", 0.6, 0.8, 1.0, "kb"),
        Num("translation_quality", "unit", 1.5, 0.8, 0.6, "translate-api", null=0.004),
        Num("turn", "count", 0.5, 0.6, -0.3),
    ),
    names=Names(score="confidence", decision="auto_answered", label="helpful"),
    stages=(Stage("translate_ms", 60, "translate-api"), Stage("retrieve_ms", 80, "kb"), Stage("generate_ms", 620, "llm")),
    kpis=(Kpi("resolved", "higher", 0.8, 0.4), Kpi("escalated", "lower", 0.06, 0.4)),
    server="llm",
    store="kb",
    pipeline="kb-sync",
    labeler="feedback-export",
    vendors=("translate-api",),
    version="a12",
    next_version="a13",
    base=0.68,
    signal=1.5,
    unseen=0.4,
    threshold=0.6,
    label_lag_hours=0.8,
    errors=("timeout", "truncated", "upstream_5xx"),
    text=True,
    gpu=True,
    platform="channel",
)


def prompt_injection(p: Plan) -> None:
    """Get a family of injected prompts on the public channel."""
    p.where, p.scope_share = [{"channel": "web"}], 0.5

    def mark(r: Rows) -> None:
        r.texts.injected = r.hit(0.16)
        r.clean["prompt_tokens"] = np.where(r.texts.injected, np.round(r.clean["prompt_tokens"] * 2.2), r.clean["prompt_tokens"])

    def harm(r: Rows) -> None:
        r.texts.toxic = r.texts.injected & (r.rng.random(r.n) < 0.7)
        r.label = np.where(r.texts.toxic, 0, r.label)

    def toxic(r: Rows) -> None:
        background = r.rng.random(r.n) < 0.004
        r.kpis["toxic"] = (r.texts.toxic | background).astype(float)

    p.on("population", mark)
    p.on("decide", harm)
    p.on("kpi", toxic)
    change(p, -60 * 10, "model_deploy", "llm", "quantised weights, offline equal", versions=("a12", "a12"))
    change(p, -40, "config_change", "llm", "tone of voice: friendlier greeting")
    change(p, 25, "other", "security", "jailbreak recipe for assistants like ours shared on a forum", guilty=True)
    p.signal = ("kpi:toxic", p.signal[1])
    p.say(
        "external",
        "population",
        "stricter moderation, block risky tools; relax only after the red-team set passes",
        "a family of injected prompts passes the filter",
        also=("config", "code"),
        subjects=("traffic", "feature:prompt", "feature:prompt_tokens"),
    )


def translation(p: Plan) -> None:
    """Break the translation's schema; the chatbot waits, then the help desk fills up."""
    p.where, p.scope_share = [{"language": ["de", "fr", "es"]}], 0.5

    def unread(r: Rows) -> None:
        r.served["translation_quality"] = np.where(r.hit(0.9), np.nan, r.served["translation_quality"])

    def wait(r: Rows) -> None:
        hit = r.scope() & (r.t >= r.plan.onset + 0.4)
        r.stages["translate_ms"] = np.where(hit, r.stages["translate_ms"] * 6, r.stages["translate_ms"])
        r.error = np.where(hit & (r.rng.random(r.n) < 0.12), 0, r.error)
        r.extra_harm = r.extra_harm + (r.scope() & (r.t >= r.plan.onset + 1.2)) * 0.5

    p.on("inputs", unread)
    p.on("service", wait)
    p.metric("translate-api", "timeouts", plus(4))
    p.metric("api-gateway", "queue_depth", lambda v, d, rng: v + 25 * (np.cumsum(d) > 14))
    change(p, -20, "schema_change", "translate-api", "response v3: `quality` moved into `meta.score`", guilty=True)
    change(p, -60 * 5, "code_deploy", "web-ui", "help widget, new icon")
    change(p, 35, "infra_change", "llm", "two replicas added by on-call")
    p.signal = ("error_rate", p.signal[1])
    p.say(
        "upstream",
        "component:translate-api",
        "pin the API version, parse both schemas; contract test",
        "the supplier's schema changed; translations degrade, the chatbot times out, the help desk fills",
        also=("code",),
        subjects=("feature:translation_quality", "stage:translate_ms"),
    )


def overconfident(p: Plan) -> None:
    """Drift subtly: requests look familiar, and are not."""
    p.uses_labels = True
    p.ramp(6.0)

    def population(r: Rows) -> None:
        r.moved = r.rng.random(r.n) < 0.65 * r.dose
        x = r.clean["retrieval_score"]
        r.clean["retrieval_score"] = np.where(r.moved, np.round(1 - (1 - x) * 0.6, 3), x)

    def truth(r: Rows) -> None:
        c = r.plan.column("retrieval_score")
        assert isinstance(c, Num)
        part = c.standard(r.clean["retrieval_score"])[:, None] * r.plan.weights["retrieval_score"] * r.plan.scale
        r.eta = r.eta - r.moved[:, None] * (0.95 * part + 0.5)

    p.on("population", population)
    p.on("truth", truth)
    change(p, -60 * 14, "code_deploy", "web-ui", "new tooltip for admins")
    change(p, 60 * 3, "data_pipeline", "warehouse", "weekly vacuum")
    change(p, -60 * 2, "infra_change", "monitoring", "moved dashboards")
    p.signal = ("calibration_error", p.signal[1])
    p.say(
        "external",
        "population",
        "rule-based fallback over 0.9 confidence; recalibrate on recent data",
        "documents of the new product look like the old ones and answer other questions; nobody logged it",
        also=("data",),
        subjects=("feature:retrieval_score",),
    )


def tokenizer(p: Plan) -> None:
    """Upgrade a library: texts are cut, memory grows, the server restarts."""
    period = 2.0

    def cut(r: Rows) -> None:
        hit = r.hit(0.55)
        r.texts.keep_chars[hit] = 48
        r.served["prompt_tokens"] = np.where(hit, np.minimum(r.served["prompt_tokens"], 32), r.served["prompt_tokens"])

    def hurt(r: Rows) -> None:
        hit = r.texts.keep_chars < 10_000
        r.label = np.where(hit & (r.rng.random(r.n) < 0.4), 0, r.label)
        r.extra_harm = r.extra_harm + hit * 0.35

    def crash(r: Rows) -> None:
        f = np.maximum(r.t - r.plan.onset, 0) / period % 1
        r.stages["generate_ms"] = r.stages["generate_ms"] * (1 + 1.3 * f**2 * (r.dose > 0))
        r.error = np.where((r.dose > 0) & (f > 0.94) & (r.rng.random(r.n) < 0.5), 2, r.error)

    def memory(v: Array, dose: Array, rng: np.random.Generator) -> Array:
        return np.asarray(v + (dose > 0) * 6000 * ((np.cumsum(dose > 0) * 5 / 60 / period) % 1), float)

    def restarts(v: Array, dose: Array, rng: np.random.Generator) -> Array:
        f = (np.cumsum(dose > 0) * 5 / 60 / period) % 1
        return np.asarray(v + 2.0 * ((dose > 0) & (np.diff(f, prepend=0) < -0.5)), float)

    p.on("inputs", cut)
    p.on("decide", hurt)
    p.on("service", crash)
    p.metric("llm", "memory_mb", memory)
    p.metric("llm", "restarts", restarts)
    change(p, -5, "code_deploy", "llm", "a12.3: tokenizers 0.19 -> 0.21", guilty=True)
    change(p, -60 * 9, "upstream_notice", "translate-api", "planned maintenance next week announced")
    change(p, 90, "config_change", "llm", "log level info")
    p.signal = ("kpi:resolved", p.signal[1])
    p.say(
        "code",
        "component:llm",
        "roll back the library; memory canary in CI",
        "a library upgrade cuts texts and leaks memory",
        also=("infra",),
        subjects=("feature:prompt_tokens", "feature:response", "stage:generate_ms"),
    )


TOXIC = replace(ASSISTANT, name="sample-toxic", kpis=(*ASSISTANT.kpis, Kpi("toxic", "lower", 0.004, 0)))

SCENARIOS = (
    Scenario(
        "prompt-injection",
        "INC-2078",
        "Toxic answers above the SLO",
        "toxic rate 0.4 % -> 6 %",
        TOXIC,
        prompt_injection,
        topic="LLM safety",
        difficulty=2,
        minutes=45,
        rows=36_000,
        after_hours=7,
        tolerance=45,
        slos={"kpi:toxic": {"max": 0.01}},
    ),
    Scenario(
        "translation-cascade",
        "INC-2095",
        "Chatbot time-outs, help desk backlog",
        "three services complain within two hours",
        ASSISTANT,
        translation,
        topic="cascade over services",
        difficulty=3,
        minutes=60,
        rows=36_000,
        after_hours=5,
        tolerance=30,
        slos={"error_rate": {"max": 0.01}},
    ),
    Scenario(
        "overconfident-nlp",
        "INC-2110",
        "Sure and wrong",
        "agents report confident wrong answers",
        ASSISTANT,
        overconfident,
        topic="calibration, slow start",
        difficulty=3,
        minutes=60,
        rows=43_000,
        days=7,
        after_hours=30,
        tolerance=180,
        more={"source": "user_report"},
    ),
    Scenario(
        "tokenizer-memory-leak",
        "INC-2112",
        "Answers are cut off, pods restart",
        "memory climbs and falls, answers end mid-sentence",
        ASSISTANT,
        tokenizer,
        topic="memory, truncated texts",
        difficulty=2,
        minutes=45,
        rows=36_000,
        after_hours=9,
        tolerance=45,
    ),
)
