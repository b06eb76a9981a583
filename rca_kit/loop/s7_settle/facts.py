"""What the settlement rests on: the earlier steps' findings, read once into plain facts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rca_kit.findings.investigation import CaseFacts, ChangeRecord
from rca_kit.findings.samples import Samples
from rca_kit.findings.scope import Scope, describe_where
from rca_kit.findings.signal import MetricReading, Signal
from rca_kit.findings.simulation import Simulation
from rca_kit.findings.suspects import Suspect, Suspects
from rca_kit.findings.symptom import Symptom

FAMILIES: dict[str, tuple[str, ...]] = {
    "quality": (
        "auc",
        "average_precision",
        "accuracy",
        "precision",
        "recall",
        "f1",
        "log_loss",
        "calibration_error",
        "mae",
        "rmse",
        "bias",
    ),
    "latency": ("latency_p50", "latency_p95", "latency_p99"),
    "errors": ("error_rate",),
    "volume": ("volume",),
    "kpi": ("kpi",),
    "data": ("null_rate", "freshness", "psi"),
    "output": ("score_mean", "positive_rate"),
}
DEPLOYS = (
    "model_deploy",
    "code_deploy",
    "config_change",
    "flag_change",
    "experiment",
    "data_pipeline",
    "schema_change",
    "infra_change",
)
"""Kinds of change that somebody made here and can take back."""

UPSTREAM_DUTY = ("upstream_notice",)


@dataclass(frozen=True)
class Breach:
    """A metric outside its SLO: `limit` is the target and `by` how far beyond, in the metric's units."""

    metric: str
    value: float
    limit: float
    side: str
    before_too: bool

    def __str__(self) -> str:
        return f"{self.metric} {'below' if self.side == 'min' else 'above'} its SLO {number(self.metric, self.limit)}"


@dataclass(frozen=True)
class Facts:
    """Findings of steps 1 to 6 with the few derived facts that several parts of the settlement ask for."""

    case: CaseFacts
    signal: Signal
    symptom: Symptom
    scope: Scope
    suspects: Suspects
    samples: Samples
    simulation: Simulation
    slos: Mapping[str, Mapping[str, float]]

    @property
    def verdict(self) -> str:
        """incident, benign_shift or no_change."""
        return self.suspects.verdict

    @property
    def metric(self) -> str:
        """The main metric."""
        return self.symptom.metric or self.signal.metric

    @property
    def family(self) -> str:
        """Kind of the main metric; see `FAMILIES`."""
        return family_of(self.metric)

    @property
    def first(self) -> Suspect | None:
        """The first suspect."""
        return self.suspects.items[0] if self.suspects.items else None

    @property
    def share(self) -> float:
        """Share of requests in the affected segments, 0 to 1; 1 when all traffic is affected."""
        shares = [s.share_of_traffic for s in self.scope.segments if s.share_of_traffic is not None]
        if self.scope.segments and shares:
            return min(1.0, sum(shares))
        return 1.0 if self.verdict != "no_change" else 0.0

    @property
    def where(self) -> str:
        """Who is affected, in words."""
        if self.scope.segments:
            return "; or ".join(describe_where(s.where) for s in self.scope.segments)
        return "all traffic"

    def readings(self) -> dict[str, MetricReading]:
        """All metrics by name, the alerted one first."""
        listed = ([self.signal.reading] if self.signal.reading else []) + list(self.signal.others)
        return {r.metric: r for r in listed}

    def change_of(self, suspect: Suspect | None) -> ChangeRecord | None:
        """Give the logged change that a suspect names."""
        if suspect is None or suspect.change_id is None:
            return None
        return next((c for c in self.case.changes if c.id == suspect.change_id), None)

    def breaches(self) -> tuple[Breach, ...]:
        """Metrics outside their SLO after the onset, those that kept it before first."""
        found = []
        readings = self.readings()
        for metric, slo in self.slos.items():
            after, before = self._values(metric, readings.get(metric))
            if after is None:
                continue
            for side in ("min", "max"):
                limit = slo.get(side)
                if limit is not None and _outside(after, limit, side):
                    found.append(Breach(metric, after, limit, side, before is not None and _outside(before, limit, side)))
        return tuple(sorted(found, key=lambda b: (b.before_too, b.metric)))

    def _values(self, metric: str, reading: MetricReading | None) -> tuple[float | None, float | None]:
        if metric == self.symptom.metric and self.symptom.after is not None:
            return self.symptom.after, self.symptom.before
        return (reading.after, reading.before) if reading else (None, None)


def plain_slos(slos: Any) -> dict[str, dict[str, float]]:
    """Read SLOs as the case gives them (mappings, or objects with `min` and `max`) into one form.

    Examples
    --------
    >>> plain_slos({"auc": {"min": 0.84, "max": None}})
    {'auc': {'min': 0.84}}
    """
    out: dict[str, dict[str, float]] = {}
    for metric, slo in (slos or {}).items():
        sides = {side: slo.get(side) if isinstance(slo, Mapping) else getattr(slo, side, None) for side in ("min", "max")}
        out[str(metric)] = {side: float(limit) for side, limit in sides.items() if limit is not None}
    return out


def family_of(metric: str) -> str:
    """Kind of a metric.

    Examples
    --------
    >>> family_of("latency_p95"), family_of("null_rate:x"), family_of("own_metric")
    ('latency', 'data', 'other')
    """
    name = metric.partition(":")[0]
    return next((family for family, names in FAMILIES.items() if name in names), "other")


def number(metric: str, value: float | None) -> str:
    """Write a metric's value: shares as per cent, latency in ms.

    Examples
    --------
    >>> number("error_rate", 0.041), number("latency_p95", 912.3), number("auc", 0.7789), number("auc", None)
    ('4.1%', '912 ms', '0.779', 'not known')
    """
    if value is None or value != value:
        return "not known"
    name = metric.partition(":")[0]
    if name.startswith("latency"):
        return f"{value:,.0f} ms"
    if name in ("error_rate", "null_rate", "positive_rate"):
        return f"{100 * value:.3g}%"
    return f"{value:.3g}"


def clock(when: datetime) -> str:
    """Write a time to the minute.

    Examples
    --------
    >>> clock(datetime(2026, 3, 1, 12, 30, tzinfo=UTC))
    '2026-03-01 12:30 UTC'
    """
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def span(minutes: float) -> str:
    """Write a duration in at most two units.

    Examples
    --------
    >>> span(45), span(585), span(600), span(1875), span(27_400)
    ('45 min', '9 h 45 min', '10 h', '1 d 7 h', '19 d')
    """
    whole = max(round(minutes), 0)
    parts = [(whole // 1440, "d"), (whole // 60 % 24, "h"), (whole % 60 if whole < 1440 else 0, "min")]
    return " ".join([f"{n} {unit}" for n, unit in parts if n][:2]) or "0 min"


def _outside(value: float, limit: float, side: str) -> bool:
    return value < limit if side == "min" else value > limit
