"""Resources: saturation, timeouts, crashes, cold starts, a broken zone."""

from __future__ import annotations

import numpy as np

from rca_kit.training.mechanisms.base import (
    Mechanism,
    has_store_feature,
    has_zone,
    level,
    nullify,
    own_stage,
    plus,
    quality_metric,
    times,
)
from rca_kit.training.plan import Plan
from rca_kit.training.rows import Rows

UNLOGGED = 0.3  # machines fail without telling anybody more often than people do


def _infra(p: Plan, component: str, texts: list[str]) -> None:
    p.guilty("infra_change", component, texts, lead=(0, 8), unlogged=UNLOGGED)


def saturation(p: Plan) -> None:
    """Run out of CPU: everything is slow, some time out."""
    p.scope(60, single=0, pair=0)
    factor, errors = p.between(1.9, 3.5), p.between(0.01, 0.06)
    if p.chance(0.3):
        p.ramp(p.between(1, 5))
    own = [s.name for s in p.world.stages if s.component not in p.world.vendors]

    def slow(r: Rows) -> None:
        for n in own:
            r.stages[n] = r.stages[n] * (1 + (factor - 1) * r.dose * r.rng.gamma(4, 0.25, r.n))
        r.error = np.where(r.rng.random(r.n) < errors * r.dose, 0, r.error)

    p.on("service", slow)
    p.metric(p.world.server, "cpu_utilization", level(0.97))
    p.metric(p.world.server, "timeouts", plus(6))
    p.metric(p.world.gateway, "queue_depth", plus(40))
    _infra(
        p,
        p.world.server,
        ["smaller instance type to save cost", "min replicas 8 -> 4", "node pool upgrade", "CPU limit aligned with request"],
    )
    p.alert("latency_p95", "latency_p99", "error_rate")
    p.say("infra", f"component:{p.world.server}", "scale out, throttle", f"{p.world.server} is saturated")


def broken_zone(p: Plan) -> None:
    """Fail in one zone."""
    p.scope(250, only=(p.world.zone,), single=1)
    zone = str(p.where[0][p.world.zone]) if p.where else None
    errors = p.between(0.1, 0.4)

    def fail(r: Rows) -> None:
        hit = r.hit()
        r.error = np.where(hit & (r.rng.random(r.n) < errors), r.rng.integers(0, 2, r.n), r.error)
        for s in r.plan.world.stages:
            r.stages[s.name] = np.where(hit, r.stages[s.name] * 1.8, r.stages[s.name])

    p.on("service", fail)
    p.metric(p.world.server, "timeouts", plus(9), zone)
    p.metric(p.world.server, "restarts", plus(0.3), zone)
    _infra(p, p.world.server, [f"node drain in {zone}", "switch firmware", "subnet change", f"new hosts in {zone}"])
    p.alert("error_rate", "latency_p95")
    p.say(
        "infra", f"component:{p.world.server}", "take the zone out of rotation", f"zone {zone} is broken", subjects=("traffic",)
    )


def cold_starts(p: Plan) -> None:
    """Let new instances load the model on the first request."""
    share = p.between(0.06, 0.15)
    p.scope(40 / share, single=0, pair=0)
    wait = sum(s.ms for s in p.world.stages) * p.between(8, 20)
    stage = p.world.stages[-1].name
    p.on("service", lambda r: r.stages.__setitem__(stage, r.stages[stage] + r.hit(share) * wait * r.rng.uniform(0.6, 1.4, r.n)))
    p.metric(p.world.server, "restarts", plus(1.2))
    p.metric(p.world.server, "memory_mb", lambda v, d, rng: v + d * rng.normal(0, 700, len(v)))
    _infra(
        p,
        p.world.server,
        ["scale-to-zero enabled", "autoscaler: shorter idle time", "spot instances for the scorer", "warm pool removed"],
    )
    p.alert("latency_p99", "latency_p95")
    p.say("infra", f"component:{p.world.server}", "keep instances warm", "cold starts", also=("config",))


def cache_down(p: Plan) -> None:
    """Lose the cache: fetches go to the slow path."""
    stage = next((s for s in p.world.stages if s.component == p.world.store), p.world.stages[0])
    p.scope(60, single=0, pair=0)
    factor = p.between(3, 8)

    def slow(r: Rows) -> None:
        miss = r.hit(0.85)
        r.stages[stage.name] = np.where(miss, r.stages[stage.name] * factor, r.stages[stage.name])

    p.on("service", slow)
    p.metric(p.world.cache, "cache_hit_rate", level(0.12))
    p.metric(p.world.store, "cpu_utilization", level(0.85))
    _infra(
        p,
        p.world.cache,
        [f"{p.world.cache} failover test", "cache node replaced", "eviction policy, new cluster", f"{p.world.cache} resized"],
    )
    p.alert("latency_p95", "latency_p50")
    p.say(
        "infra",
        f"component:{p.world.cache}",
        "restore the cache, throttle",
        f"{p.world.cache} is down",
        subjects=(f"stage:{stage.name}",),
    )


def store_outage(p: Plan) -> None:
    """Time out on feature fetches: missing values, errors, slow requests."""
    names = p.features(source="store")
    share, errors = p.between(0.2, 0.6), p.between(0.02, 0.1)
    stage = next((s for s in p.world.stages if s.component == p.world.store), p.world.stages[0])
    p.scope(40 / share, single=0.3, only=(p.world.zone,) if p.world.zone and p.chance(0.3) else ())
    p.on("inputs", nullify(names, share))

    def slow(r: Rows) -> None:
        lost = np.isnan(r.served[names[0]]) if r.served[names[0]].dtype.kind == "f" else r.served[names[0]] < 0
        hit = lost & r.scope() & (r.dose > 0)
        r.stages[stage.name] = np.where(hit, r.stages[stage.name] * 8 + 60, r.stages[stage.name])
        r.error = np.where(hit & (r.rng.random(r.n) < errors / share), 0, r.error)

    p.on("service", slow)
    p.metric(p.world.store, "timeouts", plus(12))
    p.metric(p.world.store, "cpu_utilization", level(0.96))
    _infra(
        p, p.world.store, [f"{p.world.store}: storage migration", "replica rebuild", "connection pool moved", "disk type changed"]
    )
    p.alert("error_rate", "latency_p95", quality_metric(p), f"null_rate:{names[0]}")
    p.say(
        "infra",
        f"component:{p.world.store}",
        "serve cached features, open the circuit breaker",
        f"{p.world.store} times out",
        subjects=(f"stage:{stage.name}", *(f"feature:{n}" for n in names)),
    )


def crash_loop(p: Plan) -> None:
    """Crash and restart again and again."""
    errors = p.between(0.05, 0.2)
    p.scope(20 / errors, single=0, pair=0)
    p.on(
        "service",
        lambda r: setattr(r, "error", np.where(r.rng.random(r.n) < errors * r.dose, len(r.plan.world.errors) - 1, r.error)),
    )
    p.metric(p.world.server, "restarts", plus(3))
    p.metric(p.world.server, "memory_mb", times(1.5))
    _infra(
        p, p.world.server, ["memory limit 8 GiB -> 4 GiB", "new base image on the nodes", "driver update", "kernel live patch"]
    )
    p.alert("error_rate")
    p.say("infra", f"component:{p.world.server}", "undo the limit, restart", f"{p.world.server} crashes in a loop")


def network(p: Plan) -> None:
    """Lose packets on the way to a stage: a slow tail, retries."""
    stage = own_stage(p)
    share = p.between(0.1, 0.3)
    p.scope(40 / share, single=0.3)
    wait = p.between(4, 8) * sum(s.ms for s in p.world.stages)

    def slow(r: Rows) -> None:
        hit = r.hit(share)
        r.stages[stage.name] = r.stages[stage.name] + hit * wait * r.rng.uniform(0.8, 1.2, r.n)
        r.error = np.where(hit & (r.rng.random(r.n) < 0.15), 0, r.error)

    p.on("service", slow)
    p.metric(stage.component, "timeouts", plus(10))
    p.metric(p.world.gateway, "queue_depth", plus(8))
    _infra(p, "network", ["firewall rule order", "new load balancer", "MTU aligned between the clusters", "DNS resolver moved"])
    p.alert("latency_p99", "latency_p95", "error_rate")
    p.say(
        "infra",
        f"stage:{stage.name}",
        "undo the network change",
        "packets are lost",
        subjects=("component:network", f"component:{stage.component}"),
    )


FAMILY = (
    Mechanism("saturation", "infra", saturation),
    Mechanism("broken-zone", "infra", broken_zone, has_zone),
    Mechanism("cold-starts", "infra", cold_starts),
    Mechanism("cache-down", "infra", cache_down),
    Mechanism("store-outage", "infra", store_outage, has_store_feature),
    Mechanism("crash-loop", "infra", crash_loop),
    Mechanism("network", "infra", network),
)
