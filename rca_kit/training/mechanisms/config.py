"""Thresholds, routing, feature-store keys and TTL, toggles, limits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rca_kit.training.mechanisms.base import (
    Mechanism,
    decides,
    growing,
    has_store_feature,
    has_vendor_feature,
    kpi_metric,
    level,
    nullify,
    plus,
    quality_metric,
    stale,
)
from rca_kit.training.mechanisms.model import _worse
from rca_kit.training.plan import Plan
from rca_kit.training.rows import Rows
from rca_kit.training.world import Num


def threshold(p: Plan) -> None:
    """Move the decision threshold: scores alike, decisions not."""
    to = min(p.world.threshold * p.pick((0.45, 0.6, 1.5, 1.9)), 0.95)
    p.scope(250, single=0.4)
    p.on("decide", lambda r: setattr(r, "threshold", np.where(r.hit(), to, r.threshold)))
    p.guilty(
        "config_change",
        p.world.server,
        [
            f"cut-off {p.world.threshold:g} -> {to:.3g}",
            "policy parameters of the new quarter",
            "risk appetite adjusted",
            "threshold tuned on last week",
        ],
    )
    p.alert("positive_rate", "precision", "recall", kpi_metric(p))
    p.say("config", "threshold", "restore the threshold", f"threshold {p.world.threshold:g} -> {to:.3g}")


def routing(p: Plan) -> None:
    """Route a share of the traffic to a weak variant."""
    weak = p.pick((p.world.version + "-lite", p.world.version + "-exp", "baseline", "fallback-1"))
    share = p.between(0.2, 0.5)
    p.scope(p.quality_need() / share, single=0, pair=0)
    p.versions.append(weak)
    bad = _worse(p, 0.7)

    def route(r: Rows) -> None:
        hit = r.rng.random(r.n) < share * r.dose
        r.version = np.where(hit, 1, 0)
        bad(r, hit)

    p.on("model", route)
    p.guilty(
        str(p.pick(("experiment", "flag_change", "config_change"))),
        str(p.pick(("router", "experiment-platform", p.world.gateway))),
        [
            "traffic split updated",
            f"A/B test: {weak} at {share:.0%}",
            "ramp experiment arm B",
            "cost experiment on the ranking path",
        ],
    )
    p.where, p.scope_share = [{p.world.names.model_version: weak}], share
    p.alert(quality_metric(p), kpi_metric(p))
    p.say(
        "config",
        "routing",
        "set the split back",
        f"{share:.0%} of the traffic goes to {weak}",
        subjects=(f"model:{weak}",),
        also=("model",),
    )


def store_key(p: Plan) -> None:
    """Read features by a key in which nobody writes: misses, hence nulls."""
    names = p.features(source="store")
    chosen = names if p.chance(0.5) else names[:1]
    share = p.between(0.15, 0.8)
    p.scope(50 / share)
    p.on("inputs", nullify(chosen, share))
    p.metric(p.world.store, "cache_hit_rate", level(1 - share * p.scope_share))
    p.guilty(
        "config_change",
        p.world.store,
        ["key template user:{id} -> u/{id}", "namespace v2 for lookups", "TTL 24h -> 15m", "read from the new table"],
    )
    p.alert(quality_metric(p), f"null_rate:{chosen[0]}", kpi_metric(p))
    p.say(
        "config",
        f"component:{p.world.store}",
        "restore the key or TTL",
        "lookups miss",
        subjects=tuple(f"feature:{n}" for n in chosen),
    )


def ttl_long(p: Plan) -> None:
    """Keep features in the cache for far too long: stale values, many hits."""
    names = p.features(source="store")[:3]
    p.scope(0.5 * p.quality_need(), single=0, pair=0)
    p.ramp(p.between(1, 5))
    for n in names:
        p.on("inputs", stale(n, 0.95))
    p.metric(p.world.store, "cache_hit_rate", level(0.999))
    p.metric(p.world.pipeline, "feature_age_s", growing(3000))
    p.guilty(
        "config_change",
        p.world.store,
        ["cache TTL 10m -> 7d to save cost", "expiry moved to the default", "TTL unit is minutes now"],
    )
    p.alert(quality_metric(p), kpi_metric(p), f"freshness:{p.world.pipeline}")
    p.say(
        "config",
        f"component:{p.world.store}",
        "restore the TTL, flush the cache",
        "features are served stale",
        also=("data",),
        subjects=(f"component:{p.world.pipeline}", *(f"feature:{n}" for n in names)),
    )


def toggle(p: Plan) -> None:
    """Switch a feature off: all missing, or a constant."""
    name = p.heavy()
    p.scope(50, single=0.3)
    constant = p.chance(0.4) and isinstance(p.column(name), Num)
    p.on(
        "inputs",
        (lambda r: r.served.__setitem__(name, np.where(r.hit(), 0.0, r.served[name]))) if constant else nullify([name], 1.0),
    )
    p.guilty(
        "flag_change",
        str(p.pick(("flags", p.world.server, "remote-config"))),
        [f"use_{name}: true -> false", "disable legacy lookups", f"flag clean-up: {name}", "privacy toggle for the region"],
    )
    p.alert(quality_metric(p), f"null_rate:{name}" if not constant else f"psi:{name}")
    p.say("config", f"feature:{name}", "switch the flag back", f"{name} is switched off")


def rate_limit(p: Plan) -> None:
    """Refuse requests over a new limit."""
    share = p.between(0.06, 0.25)
    p.scope(30 / share, single=0.4)
    at = len(p.world.errors)
    p.world = replace(p.world, errors=(*p.world.errors, "quota_exceeded"))

    def refuse(r: Rows) -> None:
        hit = r.hit(share)
        r.error = np.where(hit, at, r.error)
        for s in r.plan.world.stages:
            r.stages[s.name] = np.where(hit, r.stages[s.name] * 0.05, r.stages[s.name])

    p.on("service", refuse)
    p.guilty(
        "config_change",
        p.world.gateway,
        ["quota per client 200 -> 50 rps", "abuse protection: new limits", "limits moved to the gateway"],
    )
    p.alert("error_rate", kpi_metric(p))
    p.say("config", f"component:{p.world.gateway}", "raise the limit", "requests are refused by a limit")


def tight_timeout(p: Plan) -> None:
    """Give a supplier's call too little time: its values go missing, latency even falls."""
    vendor = p.pick([v for v in p.world.vendors if any(c.source == v for c in p.world.features)])
    names = p.features(source=vendor)
    share = p.between(0.25, 0.6)
    p.scope(50 / share, single=0, pair=0)
    p.on("inputs", nullify(names, share))
    stage = next((s for s in p.world.stages if s.component == vendor), None)
    if stage:
        cap = stage.ms * 1.0
        p.on(
            "service",
            lambda r: r.stages.__setitem__(
                stage.name, np.where(r.dose > 0, np.minimum(r.stages[stage.name], cap), r.stages[stage.name])
            ),
        )
    p.metric(vendor, "timeouts", plus(share * 20))
    p.guilty(
        "config_change",
        p.world.server,
        [f"{vendor} client timeout 500 ms -> 40 ms", "stricter latency budget", "client defaults unified"],
    )
    p.alert(quality_metric(p), f"null_rate:{names[0]}")
    p.say(
        "config",
        f"component:{vendor}",
        "restore the time-out",
        f"calls to {vendor} are cut off",
        also=("upstream",),
        subjects=(*(f"feature:{n}" for n in names), f"component:{p.world.server}"),
    )


FAMILY = (
    Mechanism("threshold", "config", threshold, decides),
    Mechanism("routing", "config", routing),
    Mechanism("store-key", "config", store_key, has_store_feature),
    Mechanism("ttl-long", "config", ttl_long, has_store_feature),
    Mechanism("toggle", "config", toggle),
    Mechanism("rate-limit", "config", rate_limit),
    Mechanism("tight-timeout", "config", tight_timeout, has_vendor_feature),
)
