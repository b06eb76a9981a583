"""The plan of one incident: everything drawn by chance before the first row exists.

A mechanism fills a plan: it picks a scope, hooks into the phases of `rows.simulate`, and states the answer. Rows are then
made from the plan, in one part or many, so a log of any size tells the same story. Times are hours since the log's start.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from rca_kit.training.names import rename_map
from rca_kit.training.world import Array, Cat, Num, World

if TYPE_CHECKING:
    from rca_kit.training.rows import Rows

PHASES = ("population", "truth", "inputs", "model", "decide", "service", "kpi", "labels", "rows")
Hook = Callable[["Rows"], None]
MetricHook = Callable[[Array, Array, np.random.Generator], Array]
AFTER_CAP = 0.4  # the log after the onset is at most this share of the span, so that a baseline remains
EVIDENCE = 4.0  # the log after the onset holds at least this many times the rows a careful person would need
GRID_HOURS = 1 / 60


@dataclass
class Change:
    """A change-log entry to be: minutes are relative to the onset."""

    minutes: float
    kind: str
    component: str
    description: str
    scope: str = ""
    version_from: str = ""
    version_to: str = ""
    guilty: bool = False
    logged: bool = True


@dataclass
class Extra:
    """More traffic than usual after the onset: `share` of the normal volume, with forced segments and shifted inputs."""

    share: float
    where: dict[str, str]
    shift: dict[str, float] = field(default_factory=dict)


@dataclass
class Answer:
    """What the key will say, in canonical column names."""

    verdict: str = "incident"
    category: str | None = None
    subject: str | None = None
    categories_ok: tuple[str, ...] = ()
    subjects_ok: tuple[str, ...] = ()
    mitigation: str = ""
    summary: str = ""


class Plan:
    """A mutable draft; `rows.simulate` and `write` read it."""

    def __init__(
        self, world: World, seed: int, rng: np.random.Generator, rows: int | None, mechanism: str, plain: bool = False
    ) -> None:
        self.world, self.seed, self.rng, self.mechanism = world, seed, rng, mechanism
        self.fixed_rows = rows is not None
        self.n = rows or int(
            rng.choice(
                [rng.integers(6_000, 20_000), rng.integers(25_000, 60_000), rng.integers(70_000, 150_000)], p=[0.12, 0.28, 0.6]
            )
        )
        self.span = float(rng.choice([3, 4, 5, 6, 7, 8, 10, 12, 14])) * 24
        self.start = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(hours=int(rng.integers(0, 24 * 540)))
        self.onset = self.span * 0.8
        self.detected = self.end = self.span
        self.shape: tuple[Any, ...] = ("step",)
        self.where: list[dict[str, Any]] = []
        self.scope_share = 1.0
        self.need, self.uses_labels = 50.0, False
        self.tolerance = 30
        self.hooks: dict[str, list[Hook]] = {p: [] for p in PHASES}
        self.metric_hooks: list[tuple[str, str, MetricHook, str | None]] = []
        self.extras: list[Extra] = []
        self.changes: list[Change] = []
        self.answer = Answer()
        self.harmless: list[str] = []
        self.signal: tuple[str, str] = ("", "")
        self.day_amp, self.week_amp = float(rng.uniform(0.3, 0.7)), float(rng.uniform(-0.25, 0.15))
        self.columns: list[Num | Cat] = list(world.columns)
        more: list[str] = [] if plain else list(rng.permutation(list(world.extra)))[: int(rng.integers(0, len(world.extra) + 1))]
        for name in more:
            shape = str(rng.choice(["normal", "lognormal", "unit"]))
            source = str(rng.choice(["request", "store", *world.vendors]))
            self.columns.append(
                Num(
                    str(name),
                    shape,
                    float(rng.uniform(-1, 2)),
                    float(rng.uniform(0.4, 1)),
                    float(rng.uniform(-0.1, 0.1)),
                    source,
                    float(rng.choice([0, 0.002, 0.01])),
                )
            )
        self.levels = {c.name: list(c.levels) for c in self.columns if isinstance(c, Cat)}
        self.versions = [world.version]
        self.rename: dict[str, str] = {} if plain else rename_map(self, rng)
        self._draw_process()

    # ---- the true process and the model trained on it

    def _draw_process(self) -> None:
        rng, world = self.rng, self.world
        k = max(len(world.classes), 1)
        self.weights: dict[str, Array] = {}
        self.effects: dict[str, Array] = {}
        self.links: dict[str, tuple[str, Array]] = {}
        total = 0.0
        cats = [c for c in self.columns if isinstance(c, Cat)]
        for c in self.columns:
            direction = rng.normal(size=k) if k > 1 else np.ones(1)
            direction = direction / np.sqrt((direction**2).mean())
            if isinstance(c, Num):
                self.weights[c.name] = c.weight * rng.uniform(0.85, 1.2) * direction
                total += float((self.weights[c.name] ** 2).mean())
                if c.shape != "hour" and cats:
                    by = cats[int(rng.integers(len(cats)))]
                    self.links[c.name] = (by.name, rng.normal(0, 0.15, len(by.levels)))
            else:
                effect = rng.normal(size=(len(c.levels), k))
                p = c.shares()
                effect -= (p[:, None] * effect).sum(0)
                sd = np.sqrt((p[:, None] * effect**2).sum(0).mean()) or 1.0
                self.effects[c.name] = effect * c.spread / sd
                total += c.spread**2
        self.scale = world.signal / np.sqrt(total)
        self.model_weights = {n: w * (1 + rng.normal(0, 0.06, w.shape)) for n, w in self.weights.items()}
        self.attenuate = 1 / np.sqrt(1 + 0.346 * world.unseen**2)
        sample = rng.normal(0, np.hypot(world.signal, world.unseen), 8192)
        low, high = -12.0, 12.0
        for _ in range(50):
            mid = (low + high) / 2
            low, high = (mid, high) if (1 / (1 + np.exp(-(sample + mid)))).mean() < world.base else (low, mid)
        self.intercept = low
        probs = world.class_probs or (1.0,)
        self.class_intercept = np.log(np.array(probs))

    # ---- what mechanisms call

    def on(self, phase: str, hook: Hook) -> None:
        """Run `hook` on the rows in a phase."""
        self.hooks[phase].append(hook)

    def metric(self, component: str, metric: str, hook: MetricHook, zone: str | None = None) -> None:
        """Let `hook(values, dose, rng)` change a service metric, of one zone if given."""
        self.metric_hooks.append((component, metric, hook, zone))

    def chance(self, p: float) -> bool:
        """Draw an event of probability p."""
        return bool(self.rng.random() < p)

    def pick(self, options: Sequence[Any]) -> Any:
        """One of the options."""
        return options[int(self.rng.integers(len(options)))]

    def between(self, low: float, high: float) -> float:
        """Uniform draw."""
        return float(self.rng.uniform(low, high))

    def weight_of(self, name: str) -> float:
        """How much a feature matters to the model, as a share of the signal's sd."""
        if name in self.effects:
            column = self.column(name)
            assert isinstance(column, Cat)
            return float(column.spread / self.world.signal * self.scale)
        return float(np.sqrt((self.weights[name] ** 2).mean()) / self.world.signal * self.scale)

    def column(self, name: str) -> Num | Cat:
        """Find a column by canonical name."""
        return next(c for c in self.columns if c.name == name)

    def features(self, kind: str = "", source: str = "", least: float = 0.0) -> list[str]:
        """Model inputs by kind (num, cat), source (``vendor`` means any vendor) and least weight, heaviest first."""
        out = []
        for c in self.columns:
            if (isinstance(c, Cat) and not c.feature) or (isinstance(c, Num) and c.shape == "hour"):
                continue
            if kind and (kind == "num") != isinstance(c, Num):
                continue
            if source and c.source != source and not (source == "vendor" and c.source in self.world.vendors):
                continue
            if self.weight_of(c.name) >= least:
                out.append(c.name)
        return sorted(out, key=lambda n: -self.weight_of(n))

    def heavy(self, kind: str = "", source: str = "", top: int = 4) -> str:
        """One of the features that matter most."""
        names = self.features(kind, source)
        return str(self.pick(names[:top])) if names else str(self.pick(self.features()[:top]))

    def quality_need(self) -> float:
        """Rows needed to see a clear fall of the quality metric: 250 of the rarer label, or 150 estimates."""
        self.uses_labels = True
        if self.world.task in ("regression", "multiclass"):
            return 200.0
        return 250.0 / min(self.world.base, 1 - self.world.base)

    def scope(self, need: float, single: float = 0.5, pair: float = 0.12, only: Sequence[str] = (), least: float = 0.06) -> None:
        """Choose the traffic that is hit, large enough for `need` rows to gather within the span."""
        self.need = need
        cap_hours = self.span * AFTER_CAP * 0.8
        if not self.fixed_rows:
            self.n = int(min(160_000, max(self.n, 1.3 * EVIDENCE * need * self.span / cap_hours)))
        floor = max(EVIDENCE * need * self.span / (self.n * cap_hours), least)
        choices: list[tuple[dict[str, Any], float]] = []
        segments = [s for s in self.world.segments if not only or s.name in only]
        for s in segments:
            choices += [({s.name: v}, float(p)) for v, p in zip(s.levels, s.shares(), strict=True) if floor <= p <= 0.65]
        pairs = [
            ({**a, **b}, pa * pb)
            for i, (a, pa) in enumerate(choices)
            for b, pb in choices[i + 1 :]
            if set(a) != set(b) and pa * pb >= floor
        ]
        draw = self.rng.random()
        if pairs and draw < pair:
            self.where, self.scope_share = self._one(pairs)
        elif choices and (draw < pair + single or only):
            self.where, self.scope_share = self._one(choices)
        else:
            self.where, self.scope_share = [], 1.0

    def _one(self, choices: list[tuple[dict[str, Any], float]]) -> tuple[list[dict[str, Any]], float]:
        where, share = choices[int(self.rng.integers(len(choices)))]
        return [where], share

    def guilty(
        self,
        kind: str,
        component: str,
        texts: Sequence[str],
        lead: tuple[float, float] = (0, 5),
        tell_scope: float = 0.4,
        versions: tuple[str, str] = ("", ""),
        unlogged: float = 0.2,
        late: float = 0.15,
    ) -> None:
        """Log the change that did it, or forget to (`unlogged`), or log it 5-90 minutes late (`late`)."""
        minutes = -self.between(*lead)
        if self.chance(late):
            minutes = self.between(5, 90)
        scope = (
            ";".join(f"{k}={v}" for w in self.where for k, v in w.items() if isinstance(v, str))
            if self.chance(tell_scope)
            else ""
        )
        self.changes.append(
            Change(
                minutes, kind, component, str(self.pick(texts)), scope, *versions, guilty=True, logged=not self.chance(unlogged)
            )
        )

    def say(
        self,
        category: str | None,
        subject: str | None,
        mitigation: str,
        summary: str = "",
        verdict: str = "incident",
        also: tuple[str, ...] = (),
        subjects: tuple[str, ...] = (),
    ) -> None:
        """State the answer: category, subject (canonical column names), mitigation."""
        self.answer = Answer(verdict, category, subject, also, subjects, mitigation, summary)

    def alert(self, *metrics: str) -> None:
        """Say which metric's alert fired: one of these."""
        self.signal = (str(self.pick([m for m in metrics if m])), "")

    # ---- time

    def ramp(self, hours: float) -> None:
        """Let the effect grow linearly over some hours."""
        self.shape = ("ramp", hours)

    def stairs(self, steps: Sequence[tuple[float, float]]) -> None:
        """Let the effect grow in steps of (hours after the onset, dose)."""
        self.shape = ("stairs", tuple(steps))

    def dose(self, t: Array) -> Array:
        """Strength of the effect at times t (hours since start), 0..1."""
        since = t - self.onset
        if self.shape[0] == "ramp":
            return np.asarray(np.clip(since / self.shape[1], 0, 1), float)
        if self.shape[0] == "stairs":
            out = np.zeros_like(since)
            for hours, dose in self.shape[1]:
                out = np.where(since >= hours, dose, out)
            return out
        return (since >= 0).astype(float)

    def settle_times(self) -> None:
        """Fix onset, alert and end so that there is a baseline before and enough evidence after."""
        rate = self.n / self.span
        gather = self.need / (rate * max(self.scope_share, 0.02))
        if self.shape[0] == "ramp":
            gather += 0.25 * self.shape[1]
        if self.shape[0] == "stairs":
            gather = gather / max(self.shape[1][0][1], 0.05) * 0.5
        lag = 1.5 * self.world.label_lag_hours if self.uses_labels else 0.0
        most = self.span * AFTER_CAP
        after = min(max(self.between(1.2, 9), EVIDENCE * gather + lag), most)
        if self.shape[0] in ("ramp", "stairs"):
            length = self.shape[1] if self.shape[0] == "ramp" else self.shape[1][-1][0]
            after = min(max(after, 1.3 * length), most)
        self.detected = self.span - self.between(0, 0.6)
        self.end = self.span
        self.onset = round((self.detected - after) * 60) / 60
        self.detected = max(self.detected, self.onset + 0.3)
        self.tolerance = int(np.clip(5 * np.ceil((15 + 60 * 1.2 * gather) / 5), 20, 180))

    def load(self, t: Array) -> Array:
        """Relative request rate at times t: day, week; mean about 1."""
        hour = (self.start.hour + self.start.minute / 60 + t) % 24
        day = (self.start.weekday() + (self.start.hour + t) / 24) % 7
        daily = 1 + self.day_amp * np.sin((hour - 8) / 24 * 2 * np.pi)
        return np.asarray(daily * (1 + self.week_amp * (day >= 5)), float)

    def at(self, hours: float) -> datetime:
        """Clock time of an hour since the start."""
        return self.start + timedelta(seconds=round(hours * 3600))
