"""From a plan to rows: traffic, inputs, truth, model, decision, service, outcomes, in that order, mechanically."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rca_kit.training import texts
from rca_kit.training.plan import Plan
from rca_kit.training.world import Array, Cat, Num

Codes = NDArray[np.int64]
Mask = NDArray[np.bool_]
MINUTES_PER_HOUR = 60
TIMEOUT_FACTOR = 6.0  # a request that times out has waited about this many usual latencies


class Rows:
    """The columns of one part of the log, as arrays; -1 is a missing code, NaN a missing number."""

    def __init__(self, plan: Plan, start: float, end: float, rng: np.random.Generator, part: int) -> None:
        self.plan, self.rng, self.part = plan, rng, part
        self.t, self.extra = _times(plan, start, end, rng)
        self.n = len(self.t)
        self.dose = plan.dose(self.t)
        self.load = plan.load(self.t)
        self.clean: dict[str, NDArray[Any]] = {}
        self.served: dict[str, NDArray[Any]] = {}
        self.eta: Array = np.zeros((self.n, 1))
        self.score_eta: Array = self.eta
        self.clean_eta: Array = self.eta
        self.label: Array = np.zeros(self.n)
        self.score: Array = np.zeros(self.n)
        self.decision: Array = np.zeros(self.n)
        self.threshold: Array = np.full(self.n, plan.world.threshold)
        self.version: Codes = np.zeros(self.n, np.int64)
        self.stages: dict[str, Array] = {}
        self.latency: Array = np.zeros(self.n)
        self.error: Codes = np.full(self.n, -1, np.int64)
        self.kpis: dict[str, Array] = {}
        self.moved: Mask = np.zeros(self.n, bool)
        self.extra_ms: Array = np.zeros(self.n)
        self.label_lag: Array = np.zeros(self.n)
        self.extra_harm: Array = np.zeros(self.n)
        self.keep: Codes = np.arange(self.n)
        self.texts = texts.Texts(self.n)
        self.mids: Codes = np.arange(self.n)

    def scope(self) -> Mask:
        """Rows in the plan's scope, whatever the time."""
        return self.inside(self.plan.where)

    def inside(self, where: list[dict[str, Any]]) -> Mask:
        """Rows in any of the segments; all rows when there are none."""
        if not where:
            return np.ones(self.n, bool)
        out = np.zeros(self.n, bool)
        for w in where:
            m = np.ones(self.n, bool)
            for name, value in w.items():
                if name == self.plan.world.names.model_version:
                    m &= self.version == self.plan.versions.index(value)
                else:
                    values = value if isinstance(value, list) else [value]
                    m &= np.isin(self.clean[name], [self.plan.levels[name].index(v) for v in values])
            out |= m
        return out

    def hit(self, share: float = 1.0) -> Mask:
        """Rows of the scope that the fault reaches: a random `share` times the dose."""
        return self.scope() & (self.rng.random(self.n) < share * self.dose)

    def after(self) -> Mask:
        """Rows since the onset."""
        return self.t >= self.plan.onset

    def level(self, column: str, name: str) -> int:
        """Code of a category, which is added when new."""
        levels = self.plan.levels[column]
        if name not in levels:
            levels.append(name)
        return levels.index(name)

    def run(self, phase: str) -> None:
        """Let the mechanism's hooks of a phase act."""
        for hook in self.plan.hooks[phase]:
            hook(self)


def _times(plan: Plan, start: float, end: float, rng: np.random.Generator) -> tuple[Array, Codes]:
    """Request times in [start, end), sorted, and for each the number of the extra traffic it belongs to (-1: usual)."""
    edges = np.linspace(start, end, max(2, int((end - start) * MINUTES_PER_HOUR) + 1))
    mids = (edges[1:] + edges[:-1]) / 2
    whole = np.linspace(0, plan.end, 2000)
    per_hour = plan.n / plan.end / plan.load(whole).mean()
    width = edges[1] - edges[0]
    times, kinds = [], []
    for kind in range(-1, len(plan.extras)):
        rate = per_hour * plan.load(mids) * width
        if kind >= 0:
            rate = rate * plan.extras[kind].share * plan.dose(mids)
        counts = rng.poisson(rate)
        t = np.repeat(edges[:-1], counts) + rng.random(counts.sum()) * width
        times.append(t)
        kinds.append(np.full(len(t), kind, np.int64))
    t, k = np.concatenate(times), np.concatenate(kinds)
    order = np.argsort(t, kind="stable")
    return t[order], k[order]


def _inputs(r: Rows) -> None:
    plan, rng = r.plan, r.rng
    day = np.sin((r.plan.start.hour + r.t - 10) / 24 * 2 * np.pi)
    for c in plan.columns:
        if isinstance(c, Cat):
            codes = np.searchsorted(np.cumsum(c.shares())[:-1], rng.random(r.n), side="right")
            if c.daily:
                codes = np.where(rng.random(r.n) < c.daily * np.maximum(day, 0) * 0.5, 0, codes)
            for i, extra in enumerate(plan.extras):
                if c.name in extra.where:
                    codes = np.where(r.extra == i, r.level(c.name, extra.where[c.name]), codes)
            r.clean[c.name] = codes
    for c in plan.columns:
        if isinstance(c, Num):
            if c.shape == "hour":
                hour = (plan.start.hour + plan.start.minute / 60 + r.t) % 24
                r.clean[c.name] = np.floor(hour)
                continue
            z = rng.normal(size=r.n) + c.daily * day
            if c.name in plan.links:
                by, shift = plan.links[c.name]
                z = z + np.append(shift, [0.0] * 8)[r.clean[by]]
            for i, extra in enumerate(plan.extras):
                if c.name in extra.shift:
                    z = z + (r.extra == i) * extra.shift[c.name]
            r.clean[c.name] = c.value(z, rng)


def model_eta(plan: Plan, n: int, columns: dict[str, NDArray[Any]], weights: dict[str, Array]) -> Array:
    """Linear predictor (n, K) of n given inputs: what is missing or unknown counts as average."""
    k = max(len(plan.world.classes), 1)
    out = np.zeros((n, k))
    for c in plan.columns:
        x = columns[c.name]
        if isinstance(c, Num):
            out += c.standard(x)[:, None] * weights[c.name]
        elif c.spread:
            table = plan.effects[c.name]
            known = (x >= 0) & (x < len(table))
            out += np.where(known[:, None], table[np.where(known, x, 0)], 0.0)
    return np.asarray(out * plan.scale, float)


def _outcomes(r: Rows) -> None:
    """Labels from the true process; scores from the model on what it was served."""
    plan, world, rng = r.plan, r.plan.world, r.rng
    clean_score = model_eta(plan, r.n, r.clean, plan.model_weights)
    r.clean_eta = clean_score
    r.score_eta = model_eta(plan, r.n, r.served, plan.model_weights)
    r.run("model")
    if world.task == "regression":
        level, spread, noise = world.scale
        r.score = np.exp(level + spread * r.score_eta[:, 0])
        r.label = np.exp(level + spread * r.eta[:, 0] + noise * rng.normal(size=r.n))
        r.score, r.label = np.round(r.score, 2), np.round(r.label, 1)
    elif world.task == "multiclass":
        p = _softmax(r.eta + plan.class_intercept)
        r.label = (p.cumsum(1) < rng.random(r.n)[:, None]).sum(1).clip(0, p.shape[1] - 1).astype(float)
        q = _softmax(r.score_eta + plan.class_intercept)
        r.decision, r.score = q.argmax(1).astype(float), np.round(q.max(1), 5)
    else:
        harm = np.clip(np.abs(r.score_eta - clean_score)[:, 0] / world.signal, 0, 1.5) if world.task == "ranking" else 0.0
        eta = r.eta[:, 0] + plan.intercept + world.unseen * rng.normal(size=r.n) - 0.8 * harm
        r.label = (rng.random(r.n) < 1 / (1 + np.exp(-eta))).astype(float)
        r.score = np.round(1 / (1 + np.exp(-(r.score_eta[:, 0] + plan.intercept) * plan.attenuate)), 5)
    r.run("decide")
    if world.task not in ("regression", "multiclass"):
        r.decision = (r.score >= r.threshold).astype(float)


def _softmax(x: Array) -> Array:
    e = np.exp(x - x.max(1, keepdims=True))
    return np.asarray(e / e.sum(1, keepdims=True), float)


def _service(r: Rows) -> None:
    world, rng = r.plan.world, r.rng
    for s in world.stages:
        r.stages[s.name] = s.ms * np.exp(s.sigma * rng.normal(size=r.n)) * (1 + 0.12 * (r.load - 1))
    usual = sum(s.ms for s in world.stages)
    fails = rng.random(r.n) < world.error_rate
    r.error[fails] = rng.integers(0, len(world.errors), fails.sum())
    r.run("service")
    timed_out = r.error == 0
    r.latency = sum(r.stages.values()) + r.extra_ms + usual * 0.08 * np.exp(0.4 * rng.normal(size=r.n))
    slow = np.maximum(r.latency, usual * TIMEOUT_FACTOR * rng.uniform(0.95, 1.05, r.n))
    r.latency = np.asarray(np.round(np.where(timed_out, slow, r.latency), 1), float)


def _kpis(r: Rows) -> None:
    world, rng = r.plan.world, r.rng
    if world.task == "regression":
        miss = np.clip(np.abs(np.log(np.maximum(r.score, 1e-9) / np.maximum(r.label, 1e-9))) / (4 * world.scale[2]), 0, 1)
    elif world.task == "multiclass":
        miss = (r.decision != r.label).astype(float)
    else:
        regret = np.clip(np.abs(r.score_eta - r.clean_eta)[:, 0] / world.signal, 0, 1)
        miss = regret if world.task == "ranking" else np.maximum((r.decision != r.label) * 0.7, regret * 0.5)
    usual = sum(s.ms for s in world.stages)
    slow = np.clip((r.latency / usual - 2) / 6, 0, 1) * 0.4
    miss = np.clip(np.maximum(miss, slow) + r.extra_harm, 0, 1)
    for k in world.kpis:
        fails = np.where(r.error >= 0, 1.0, miss)
        p = k.base - k.gain * fails if k.good == "higher" else k.base + k.gain * fails
        r.kpis[k.name] = (rng.random(r.n) < np.clip(p, 0, 1)).astype(float)


def simulate(plan: Plan, start: float = 0.0, end: float | None = None, part: int = 0) -> Rows:
    """Make the rows of [start, end) hours; the same plan and part give the same rows."""
    digest = hashlib.blake2b(f"{plan.seed}/{plan.mechanism}/{part}".encode(), digest_size=8).digest()
    rng = np.random.default_rng(int.from_bytes(digest, "little"))
    r = Rows(plan, start, plan.end if end is None else end, rng, part)
    _inputs(r)
    r.run("population")
    r.eta = model_eta(plan, r.n, r.clean, plan.weights)
    r.run("truth")
    for c in plan.columns:
        x = r.clean[c.name].copy()
        if c.null:
            lost = rng.random(r.n) < c.null
            x[lost] = np.nan if isinstance(c, Num) else -1
        r.served[c.name] = x
    r.run("inputs")
    _outcomes(r)
    _service(r)
    _kpis(r)
    r.run("kpi")
    r.label_lag = rng.gamma(1.6, plan.world.label_lag_hours / 1.6, r.n)
    if plan.world.text:
        texts.fill(r)
    r.run("labels")
    r.run("rows")
    return r
