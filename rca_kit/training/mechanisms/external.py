"""The world moved and our system did not: behaviour, attacks, newcomers, surges."""

from __future__ import annotations

import numpy as np

from rca_kit.training.mechanisms.base import Mechanism, fresh_level, is_text, kpi_metric, level, plus, quality_metric
from rca_kit.training.plan import Extra, Plan
from rca_kit.training.rows import Rows
from rca_kit.training.world import Num

CALENDAR_UNLOGGED = 0.2


def _ranking_harm(r: Rows) -> float:
    """How much more often a ranked list disappoints people whose taste the model has not learnt."""
    return 0.25 if r.plan.world.task == "ranking" else 0.0


def concept_drift(p: Plan) -> None:
    """Change the relation between inputs and truth, as after a holiday: inputs move a little, labels a lot."""
    p.scope(p.quality_need(), single=0.3)
    if p.chance(0.4):
        p.ramp(p.between(4, 14))
    turned = p.features("num")[:4]
    signs = {n: p.between(-0.3, 0.5) for n in turned}
    moved = p.heavy("num")
    shift = p.pick((-1, 1)) * p.between(0.3, 0.6)

    def population(r: Rows) -> None:
        c = r.plan.column(moved)
        assert isinstance(c, Num)
        r.moved = r.hit()
        r.clean[moved] = np.where(r.moved, c.value(c.standard(r.clean[moved]) + shift, r.rng), r.clean[moved])

    def truth(r: Rows) -> None:
        for n in turned:
            c = r.plan.column(n)
            assert isinstance(c, Num)
            part = c.standard(r.clean[n])[:, None] * r.plan.weights[n] * r.plan.scale
            r.eta = r.eta + r.moved[:, None] * (signs[n] - 1) * part
        r.extra_harm = r.extra_harm + _ranking_harm(r) * r.moved

    p.on("population", population)
    p.on("truth", truth)
    p.guilty(
        "calendar",
        "",
        ["public holiday", "start of the holidays", "national strike", "big match on Saturday", "new law in force"],
        lead=(0, 60),
        unlogged=CALENDAR_UNLOGGED,
    )
    p.alert(quality_metric(p), kpi_metric(p))
    p.say(
        "external",
        "population",
        "route part to a robust fallback, retrain on recent data",
        "behaviour changed",
        subjects=(f"feature:{moved}", *(f"feature:{n}" for n in turned)),
    )


def attack(p: Plan) -> None:
    """Flood one segment with requests the model has not learnt: new population, volume, misses."""
    p.scope(0.3 * p.quality_need(), single=1.0)
    while len(p.where) == 0 or len(p.where[0]) != 1:
        s = p.pick(p.world.segments)
        p.where = [{s.name: str(p.pick(s.levels))}]
    ((name, value),) = p.where[0].items()
    share = p.between(0.25, 0.7)
    odd = p.features("num")[:3]
    # the flood looks harmless to the model: its inputs say the opposite of its labels
    shift = {n: -float(np.sign(p.weights[n][0])) * p.between(0.5, 1.0) for n in odd}
    p.extras.append(Extra(share, {name: str(value)}, shift))
    p.scope_share = share / (1 + share)
    p.on(
        "truth",
        lambda r: setattr(
            r,
            "eta",
            r.eta + (r.extra >= 0)[:, None] * 3.2 * (1 if r.plan.world.task != "multiclass" else np.eye(r.eta.shape[1])[1] * 1.4),
        ),
    )
    p.guilty(
        "other",
        "security",
        ["reports of scripted sign-ups", "partner reports bot traffic", "spike seen by the SOC"],
        lead=(0, 5),
        late=0.7,
        unlogged=0.5,
    )
    p.alert("volume", quality_metric(p), kpi_metric(p))
    p.say(
        "external", "traffic", "throttle and block the segment's flood", "an attack floods one segment", subjects=("population",)
    )


def new_population(p: Plan) -> None:
    """Open a market the model has not seen: a new category, in which it is often wrong."""
    s = p.pick([s for s in p.world.segments if len(s.levels) >= 3])
    new = fresh_level(p, s)
    p.scope(0.4 * p.quality_need(), single=0, pair=0)
    share = p.between(0.15, 0.4)
    p.where, p.scope_share = [{s.name: new}], share / (1 + share)
    p.levels[s.name].append(new)
    numeric = p.features("num")[:4]
    p.extras.append(Extra(share, {s.name: new}, {n: p.between(-0.8, 0.8) for n in numeric}))
    flips = {n: p.between(-1, 0) for n in numeric}

    def truth(r: Rows) -> None:
        for n in numeric:
            c = r.plan.column(n)
            assert isinstance(c, Num)
            part = c.standard(r.clean[n])[:, None] * r.plan.weights[n] * r.plan.scale
            r.eta = r.eta + (r.extra >= 0)[:, None] * (flips[n] - 1) * part
        r.extra_harm = r.extra_harm + _ranking_harm(r) * (r.extra >= 0)

    p.on("truth", truth)
    p.guilty(
        "campaign",
        "marketing",
        [f"launch of {new}", "new market opened", f"partner {new} goes live"],
        lead=(0, 90),
        tell_scope=0.5,
    )
    p.alert(quality_metric(p), "volume", kpi_metric(p))
    p.say(
        "external",
        "population",
        "rules or fallback for the newcomers, label and retrain",
        "a population the model has never seen",
        subjects=("traffic", f"feature:{s.name}"),
    )


def overload(p: Plan) -> None:
    """Get more traffic than the service can bear."""
    p.scope(60, single=0, pair=0)
    s = p.pick(p.world.segments)
    value = str(p.pick(s.levels))
    share = p.between(0.8, 1.6)
    p.extras.append(Extra(share, {s.name: value}))

    def slow(r: Rows) -> None:
        for st in r.plan.world.stages:
            r.stages[st.name] = r.stages[st.name] * (1 + r.dose * r.rng.gamma(4, 0.35, r.n))
        r.error = np.where(r.rng.random(r.n) < 0.03 * r.dose, 0, r.error)

    p.on("service", slow)
    p.metric(p.world.server, "cpu_utilization", level(0.96))
    p.metric(p.world.gateway, "queue_depth", plus(35))
    p.metric(p.world.server, "timeouts", plus(5))
    p.guilty("campaign", "marketing", ["TV spot", "flash sale", "featured in the app store", "push to all users"], lead=(0, 20))
    p.alert("latency_p95", "error_rate", "volume")
    p.say(
        "external",
        "traffic",
        "scale out, throttle the surge",
        "more traffic than capacity",
        also=("infra",),
        subjects=("population", f"component:{p.world.server}"),
    )


def prompt_injection(p: Plan) -> None:
    """Get injected prompts that make the assistant misbehave."""
    p.scope(0.2 * p.quality_need(), single=0.6, pair=0)
    share = p.between(0.15, 0.4)

    def mark(r: Rows) -> None:
        r.texts.injected = r.hit(share)
        r.clean["prompt_tokens"] = np.where(r.texts.injected, np.round(r.clean["prompt_tokens"] * 2.5), r.clean["prompt_tokens"])

    def harm(r: Rows) -> None:
        r.texts.toxic = r.texts.injected & (r.rng.random(r.n) < 0.6)
        r.label = np.where(r.texts.toxic & (r.rng.random(r.n) < 0.9), 0, r.label)
        r.extra_harm = r.extra_harm + r.texts.injected * 0.6

    p.on("population", mark)
    p.on("decide", harm)
    p.guilty("other", "security", ["jailbreak prompts shared on a forum", "abuse report from a customer"], late=0.7, unlogged=0.5)
    p.alert(kpi_metric(p), quality_metric(p))
    p.say(
        "external",
        "population",
        "stricter filter, block the family of prompts",
        "injected prompts",
        subjects=("traffic", "feature:prompt", "feature:prompt_tokens"),
    )


FAMILY = (
    Mechanism("concept-drift", "external", concept_drift),
    Mechanism("attack", "external", attack, lambda w: w.task in ("binary", "text", "multiclass")),
    Mechanism("new-population", "external", new_population),
    Mechanism("overload", "external", overload),
    Mechanism("prompt-injection", "external", prompt_injection, is_text),
)
