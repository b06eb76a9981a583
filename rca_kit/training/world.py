"""What a service is made of: features, segments, stages, components, outcomes. Worlds are values; chance enters in `plan`."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Z_LIMIT = 4.0  # a trained model saturates outside the range it has seen; four sigmas is where ours does


@dataclass(frozen=True)
class Num:
    """A numeric input. `shape` says how a standard normal z becomes the value; the model reads it back as z.

    Shapes: normal ``a + b z``, lognormal ``exp(a + b z)``, unit (0..1) ``sigmoid(a + b z)``, count ``Poisson(exp(a + b z))``,
    hour (hour of the day, of the request's time).
    """

    name: str
    shape: str = "normal"
    a: float = 0.0
    b: float = 1.0
    weight: float = 0.3
    source: str = "request"
    null: float = 0.0
    digits: int = 3
    daily: float = 0.0

    def value(self, z: Array, rng: np.random.Generator) -> Array:
        """Values from standard normal z, shape (n,)."""
        line = self.a + self.b * z
        if self.shape == "lognormal":
            return np.asarray(np.round(np.exp(np.minimum(line, 30)), self.digits), float)
        if self.shape == "unit":
            return np.asarray(np.round(1 / (1 + np.exp(-line)), self.digits), float)
        if self.shape == "count":
            return rng.poisson(np.exp(np.minimum(line, 12))).astype(float)
        return np.asarray(np.round(line, self.digits), float)

    def standard(self, x: Array) -> Array:
        """Give what the model makes of served values: z in -4..4, 0 (the mean) where missing."""
        with np.errstate(all="ignore"):
            if self.shape == "lognormal":
                z = (np.log(np.maximum(x, 1e-12)) - self.a) / self.b
            elif self.shape == "unit":
                inside = np.clip(x, 1e-6, 1 - 1e-6)
                z = (np.log(inside / (1 - inside)) - self.a) / self.b
            elif self.shape == "count":
                mean = np.exp(self.a + self.b**2 / 2)
                spread = np.sqrt(self.b**2 + 1 / max(mean, 0.3))
                z = (np.log(np.maximum(x, 0) + 0.5) - np.log(mean + 0.2)) / spread
            elif self.shape == "hour":
                z = np.sin((x - 9) / 24 * 2 * np.pi) * 1.4
            else:
                z = (x - self.a) / self.b
        return np.where(np.isnan(z), 0.0, np.clip(z, -Z_LIMIT, Z_LIMIT))


@dataclass(frozen=True)
class Cat:
    """A categorical column: a segment to slice by, a model input, or both. `spread` is the sd of its effect on the model."""

    name: str
    levels: tuple[str, ...]
    probs: tuple[float, ...] = ()
    spread: float = 0.3
    source: str = "request"
    null: float = 0.0
    feature: bool = True
    segment: bool = False
    daily: float = 0.0

    def shares(self) -> Array:
        """Probabilities of the levels; a falling series when none are given."""
        p = np.array(self.probs) if self.probs else 1.0 / (np.arange(len(self.levels)) + 1.5)
        return np.asarray(p / p.sum(), float)


@dataclass(frozen=True)
class Stage:
    """One step of answering a request: typical latency, its log-sd, and the component it runs on."""

    name: str
    ms: float
    component: str
    sigma: float = 0.35


@dataclass(frozen=True)
class Kpi:
    """A business outcome per request: `base` when the model is right, `gain` how much a wrong answer moves it."""

    name: str
    good: str
    base: float
    gain: float


@dataclass(frozen=True)
class Names:
    """What this service calls the columns every service has. An empty name means it does not log that."""

    time: str = "ts"
    request_id: str = "request_id"
    score: str = "score"
    decision: str = "decision"
    label: str = "label"
    label_time: str = ""
    model_version: str = "model_version"
    error: str = "error_type"
    latency: str = "latency_ms"


@dataclass(frozen=True)
class World:
    """One service: how requests look, what is true about them, how they are answered."""

    name: str
    service: str
    task: str
    columns: tuple[Num | Cat, ...]
    names: Names
    stages: tuple[Stage, ...]
    kpis: tuple[Kpi, ...]
    server: str = "model-server"
    store: str = "feature-store"
    cache: str = "redis"
    pipeline: str = "feature-pipeline"
    labeler: str = "label-job"
    gateway: str = "api-gateway"
    vendors: tuple[str, ...] = ()
    version: str = "v3"
    next_version: str = "v4"
    base: float = 0.1
    signal: float = 1.6
    unseen: float = 0.5
    threshold: float = 0.5
    decision_classes: tuple[str, str] | None = None
    positive_is_low: bool = False
    classes: tuple[str, ...] = ()
    class_probs: tuple[float, ...] = ()
    scale: tuple[float, float, float] = (3.0, 0.4, 0.15)  # regression: log level, log spread, log noise
    label_lag_hours: float = 1.0
    zone: str = ""
    platform: str = ""
    errors: tuple[str, ...] = ("timeout", "internal", "bad_request")
    error_rate: float = 0.004
    text: bool = False
    gpu: bool = False
    extra: tuple[str, ...] = ()
    words: dict[str, str] = field(default_factory=dict)

    def column(self, name: str) -> Num | Cat:
        """Find a column by name; KeyError when there is none."""
        for c in self.columns:
            if c.name == name:
                return c
        raise KeyError(name)

    @property
    def segments(self) -> tuple[Cat, ...]:
        """The columns to slice by."""
        return tuple(c for c in self.columns if isinstance(c, Cat) and c.segment)

    @property
    def features(self) -> tuple[Num | Cat, ...]:
        """The model's inputs."""
        return tuple(c for c in self.columns if isinstance(c, Num) or c.feature)
