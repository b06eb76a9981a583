"""The narrow form of a mechanism, and moves that several families share."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rca_kit.training.plan import MetricHook, Plan
from rca_kit.training.rows import Rows
from rca_kit.training.world import Array, Cat, Num, Stage, World


def anywhere(_: World) -> bool:
    """Every world fits."""
    return True


def scored(world: World) -> bool:
    """Worlds with a probability as score and a 0/1 label."""
    return world.task in ("binary", "text", "ranking")


def decides(world: World) -> bool:
    """Worlds that threshold their score."""
    return world.task in ("binary", "text") and bool(world.names.decision)


def has_zone(world: World) -> bool:
    """Worlds that log where a request was served."""
    return bool(world.zone)


def has_vendor_feature(world: World) -> bool:
    """Worlds with inputs from a supplier."""
    return any(c.source in world.vendors for c in world.features)


def has_store_feature(world: World) -> bool:
    """Worlds with inputs from a feature store."""
    return any(c.source == "store" for c in world.features)


def is_text(world: World) -> bool:
    """Worlds of prompts and responses."""
    return world.text


@dataclass(frozen=True)
class Mechanism:
    """A named way to fail; `category` is the suspect category, or the verdict for what is not an incident."""

    name: str
    category: str
    fill: Callable[[Plan], None]
    fits: Callable[[World], bool] = anywhere


def nullify(names: list[str], share: float) -> Callable[[Rows], None]:
    """Lose a share of the values of some columns, together."""

    def hook(r: Rows) -> None:
        lost = r.hit(share)
        for n in names:
            column = r.plan.column(n)
            r.served[n] = np.where(lost, np.nan if isinstance(column, Num) else -1, r.served[n])

    return hook


def level(to: float, share: float = 1.0) -> MetricHook:
    """Move a service metric to a level, by the dose; noise stays."""

    def hook(v: Array, dose: Array, rng: np.random.Generator) -> Array:
        d = dose * share
        return np.asarray(v * (1 - d) + d * (to + (v - v.mean()) * 0.5), float)

    return hook


def times(factor: float) -> MetricHook:
    """Multiply a service metric, by the dose."""
    return lambda v, dose, rng: v * (1 + (factor - 1) * dose)


def plus(amount: float) -> MetricHook:
    """Add to a service metric, Poisson when it is a count, by the dose."""
    return lambda v, dose, rng: v + rng.poisson(amount * dose)


def growing(per_hour: float) -> MetricHook:
    """Let an age grow from the onset on: nobody refreshes."""

    def hook(v: Array, dose: Array, rng: np.random.Generator) -> Array:
        late = np.cumsum(dose > 0)
        start = v[np.argmax(dose > 0)] if late[-1] else 0.0
        return np.where(late > 0, start + late * per_hour * 300 / 3600, v)

    return hook


def stale(name: str, share: float) -> Callable[[Rows], None]:
    """Serve yesterday's values: right distribution, wrong row."""

    def hook(r: Rows) -> None:
        rows = np.flatnonzero(r.hit(share))
        r.served[name][rows] = r.served[name][r.rng.permutation(rows)] if len(rows) else []

    return hook


def quality_metric(plan: Plan) -> str:
    """Name a quality metric this task has."""
    return {"binary": "auc", "text": "auc", "ranking": "auc", "regression": "mae", "multiclass": "accuracy"}[plan.world.task]


def own_stage(plan: Plan) -> Stage:
    """One of the stages that run on our side: a supplier's stage would make it the supplier's fault to all appearance."""
    stages = [s for s in plan.world.stages if s.component not in plan.world.vendors]
    return stages[int(plan.rng.integers(len(stages)))]


def fresh_level(plan: Plan, segment: Cat) -> str:
    """Think of a value the segment has not had: the next number, or a plausible newcomer."""
    last = segment.levels[-1]
    tail = re.search(r"(\d+)$", last)
    if tail:
        return last[: tail.start()] + str(int(tail.group(1)) + 1)
    return str(plan.pick(("beta", "new", "other", "pilot")))


def kpi_metric(plan: Plan) -> str:
    """Name the metric of the main KPI."""
    return f"kpi:{plan.world.kpis[0].name}"
