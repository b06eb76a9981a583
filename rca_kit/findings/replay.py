"""Golden-set replay: two versions on known labelled samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rca_kit.findings.base import Finding, Interval, NotApplicable
from rca_kit.findings.scope import Segment
from rca_kit.findings.shadow import Effect, NamedRows


@dataclass(frozen=True)
class FlipExample:
    """One sample whose decision changed."""

    id: str
    label: Any
    previous: Any
    current: Any


@dataclass(frozen=True)
class ReplayFlips:
    """Decisions that changed between the versions: right to wrong, wrong to right, and between two wrong classes.

    With repeats, the counts are means over repeats, and `own_previous` and `own_current` are the shares of decisions that each
    version changes by itself; `excess` is the share of flips beyond that, with its interval. `p_value` is McNemar's.
    """

    right_to_wrong: float
    wrong_to_right: float
    wrong_to_wrong: float
    share: float
    own_previous: float | None
    own_current: float | None
    excess: float
    interval: Interval
    p_value: float
    n: int
    lost: tuple[FlipExample, ...] = ()
    gained: tuple[FlipExample, ...] = ()

    @property
    def count(self) -> float:
        """All decisions that changed."""
        return self.right_to_wrong + self.wrong_to_right + self.wrong_to_wrong


@dataclass(frozen=True)
class FeatureDifference:
    """One feature as each version was given it.

    `share_different` is the share of rows whose values differ, None when the rows cannot be matched; `relation` names what
    was found, like "current = 1000 x previous".
    """

    name: str
    null_rate_previous: float | None
    null_rate_current: float | None
    psi: float | None
    share_different: float | None
    dtype_previous: str
    dtype_current: str
    relation: str = ""
    changed: bool = False


@dataclass(frozen=True)
class CalibrationPoint:
    """One bin of a reliability diagram: mean probability, share of positives, its interval, rows."""

    version: str
    probability: float
    positives: float
    interval: Interval
    n: int


@dataclass(frozen=True)
class ReplayErrors:
    """Samples without an answer, counted and never scored: by version, by reason, with some of their ids."""

    current: int
    previous: int
    reasons: tuple[tuple[str, str, int], ...] = ()  # (version, reason, samples), most frequent first
    examples: tuple[tuple[str, str, str], ...] = ()  # (version, id, reason)
    unlabelled: int = 0
    duplicates: int = 0

    @property
    def count(self) -> int:
        """Failures of both versions."""
        return self.current + self.previous

    def __len__(self) -> int:
        return self.count

    def __bool__(self) -> bool:
        return self.count > 0


@dataclass(frozen=True, repr=False)
class Replay(Finding):
    """Whether the current version is worse than the previous one on the golden set.

    Differences are current less previous. `deciders` are the metrics that make the verdict.
    """

    next_call = "`.metrics`, `.flips`, `.features`, `.errors`, `.frame()`"

    verdict: str
    because: str
    task: str
    samples: int
    metrics: NamedRows[Effect]
    deciders: tuple[str, ...]
    flips: ReplayFlips | NotApplicable
    segments: tuple[Segment, ...]
    singles: tuple[Segment, ...]
    calibration: tuple[CalibrationPoint, ...]
    features: NamedRows[FeatureDifference]
    parity: NamedRows[FeatureDifference]
    errors: ReplayErrors
    needed_samples: int | None = None
    noise: tuple[float | None, float | None] = (None, None)  # s.d. of a score between repeats: previous, current
    health: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def says(self) -> str:
        """Say the verdict and why."""
        return f"{self.verdict}. {self.because}"

    def rows(self) -> list[dict[str, Any]]:
        """One row per metric."""
        return [
            {"metric": e.metric, "previous": e.first, "current": e.second, "difference": e.estimate, "low": e.interval[0],
             "high": e.interval[1], "margin": e.margin, "p_value": e.p_value, "state": e.state, "worse": e.worse,
             "decides": e.metric in self.deciders, "needed_samples": e.needed}
            for e in self.metrics
        ]


@dataclass(frozen=True, repr=False)
class FourWay(Finding):
    """Old and new model on old and new data: what the loss of a metric comes from.

    `cells` has the metric of (model, data) for each of the four; `model`, `data` and `interaction` add up to `total`.
    """

    next_call = "`.frame()`"

    metric: str
    verdict: str  # model | data | both | interaction | none
    because: str
    cells: tuple[tuple[str, str, float, Interval, int], ...]
    model: Effect
    data: Effect
    interaction: Effect
    total: Effect

    def says(self) -> str:
        """Say which of them carries the loss."""
        return f"{self.verdict}. {self.because}"

    def rows(self) -> list[dict[str, Any]]:
        """One row per combination."""
        return [{"model": m, "data": d, self.metric: v, "low": i[0], "high": i[1], "samples": n} for m, d, v, i, n in self.cells]


@dataclass(frozen=True)
class HealthCheck:
    """One look at a golden set: `status` is fine, weak or not_applicable."""

    name: str
    status: str
    says: str


@dataclass(frozen=True, repr=False)
class GoldenHealth(Finding):
    """Whether a golden set can carry a verdict."""

    next_call = "`.frame()`"

    checks: NamedRows[HealthCheck]

    @property
    def fine(self) -> bool:
        """Whether no check found a weakness."""
        return all(c.status != "weak" for c in self.checks)

    def says(self) -> str:
        """Name the weaknesses."""
        weak = [c.says for c in self.checks if c.status == "weak"]
        return "; ".join(weak) + "." if weak else "No weakness found."

    def rows(self) -> list[dict[str, Any]]:
        """One row per check."""
        return [{"check": c.name, "status": c.status, "says": c.says} for c in self.checks]
