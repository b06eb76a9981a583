"""Service metrics in long form, reacting to load and to the fault."""

from __future__ import annotations

from typing import Any

import numpy as np

from rca_kit.training.plan import Plan
from rca_kit.training.world import Array

STEP_MINUTES = 5


def series(plan: Plan) -> list[tuple[str, str, str | None, Array, Array]]:
    """All series as (component, metric, zone, hours, values)."""
    rng = np.random.default_rng([plan.seed, 77])
    world = plan.world
    t = np.arange(0, plan.end, STEP_MINUTES / 60)
    load = plan.load(t)
    dose = plan.dose(t)
    for e in plan.extras:
        load = load * (1 + e.share * dose)
    per_step = plan.n / plan.end / plan.load(t).mean() * STEP_MINUTES / 60
    zones: list[str | None] = [None]
    if world.zone:
        zones = list(next(s for s in world.segments if s.name == world.zone).levels)
    out: list[tuple[str, str, str | None, Array, Array]] = []

    def add(component: str, metric: str, values: Array, low: float = 0.0, high: float = np.inf, zone: str | None = None) -> None:
        for c, m, hook, z in plan.metric_hooks:
            if c == component and m == metric and (z is None or z == zone):
                values = hook(values, dose, rng)
        out.append((component, metric, zone, t, np.clip(values, low, high)))

    share = 1 / len(zones)
    for z in zones:
        add(world.server, "cpu_utilization", 0.38 + 0.14 * (load - 1) + _wander(rng, len(t), 0.02), high=1, zone=z)
        add(world.server, "memory_mb", 2600 + _wander(rng, len(t), 30), zone=z)
        add(world.server, "requests", rng.poisson(per_step * load * share).astype(float), zone=z)
        add(world.server, "restarts", (rng.random(len(t)) < 0.0008).astype(float), zone=z)
        add(world.server, "timeouts", rng.poisson(0.05 * np.maximum(load, 0)).astype(float), zone=z)
    if world.gpu:
        add(world.server, "gpu_utilization", 0.5 + 0.15 * (load - 1) + _wander(rng, len(t), 0.02), high=1)
    add(world.gateway, "queue_depth", np.maximum(0, 2 * load + _wander(rng, len(t), 0.5)))
    add(world.gateway, "requests", rng.poisson(per_step * load).astype(float))
    add(world.cache, "cache_hit_rate", 0.93 + _wander(rng, len(t), 0.004), high=1)
    add(world.cache, "memory_mb", 800 + _wander(rng, len(t), 8))
    add(world.store, "cache_hit_rate", 0.975 + _wander(rng, len(t), 0.002), high=1)
    add(world.store, "timeouts", rng.poisson(0.1 * np.maximum(load, 0)).astype(float))
    add(world.store, "cpu_utilization", 0.3 + 0.1 * (load - 1) + _wander(rng, len(t), 0.015), high=1)
    period = float(rng.choice([1.0, 3.0, 6.0])) * 3600
    add(world.pipeline, "feature_age_s", (t * 3600 + rng.integers(0, 3600)) % period + 120 + 20 * rng.normal(size=len(t)))
    for c in sorted({s.component for s in world.stages} - {world.server, world.store, *world.vendors}):
        add(c, "cpu_utilization", 0.35 + 0.1 * (load - 1) + _wander(rng, len(t), 0.015), high=1)
        add(c, "timeouts", rng.poisson(0.06 * np.maximum(load, 0)).astype(float))
    for v in world.vendors:
        add(v, "timeouts", rng.poisson(0.08 * np.maximum(load, 0)).astype(float))
        add(v, "feature_age_s", np.abs(45 + 12 * rng.normal(size=len(t))))
    return out


def rows(plan: Plan) -> dict[str, list[Any] | Array]:
    """Give the long table's columns: hours, component, metric, value, zone."""
    hours, component, metric, zone, value = [], [], [], [], []
    for c, m, z, t, v in series(plan):
        hours.append(t)
        value.append(np.round(v, 4))
        component += [c] * len(t)
        metric += [m] * len(t)
        zone += [z] * len(t)
    return {
        "hours": np.concatenate(hours),
        "component": component,
        "metric": metric,
        "zone": zone,
        "value": np.concatenate(value),
    }


def _wander(rng: np.random.Generator, n: int, sd: float) -> Array:
    """Autocorrelated noise (AR 0.7) of standard deviation sd."""
    e = rng.normal(0, sd * np.sqrt(1 - 0.49), n)
    out = np.empty(n)
    last = 0.0
    for i in range(n):
        last = 0.7 * last + e[i]
        out[i] = last
    return out
