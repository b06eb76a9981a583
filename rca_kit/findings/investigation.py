"""The whole investigation: seven findings, and findings.json from them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from rca_kit.errors import BadInput
from rca_kit.findings.base import Finding, iso, plain
from rca_kit.findings.samples import Samples
from rca_kit.findings.scope import Scope
from rca_kit.findings.settlement import Settlement
from rca_kit.findings.signal import Signal
from rca_kit.findings.simulation import Simulation
from rca_kit.findings.slices import Slicer
from rca_kit.findings.suspects import Suspects
from rca_kit.findings.symptom import Symptom

SCHEMA_VERSION = 1
STEPS = ("signal", "symptom", "scope", "suspects", "samples", "simulate", "settle")


@dataclass(frozen=True)
class ChangeRecord:
    """One row of the change log, time in UTC."""

    id: str
    time: datetime
    kind: str
    component: str
    description: str
    scope: str = ""
    version_from: str = ""
    version_to: str = ""
    link: str = ""


@dataclass(frozen=True)
class TableFacts:
    """What one table of the case held: for the report's appendix."""

    name: str
    files: tuple[str, ...]
    rows: int | None
    columns: int
    sha256: str = ""


@dataclass(frozen=True)
class UnitValue:
    """What one unit of a KPI is worth."""

    kpi: str
    value_per_unit: float
    currency: str = ""


@dataclass(frozen=True)
class CaseFacts:
    """What was investigated."""

    case_id: str
    title: str
    service: str
    detected_at: datetime
    summary: str
    task: str
    roles: dict[str, Any]
    inferred: dict[str, str]  # role -> why this column
    tables: tuple[TableFacts, ...] = ()
    changes: tuple[ChangeRecord, ...] = ()
    slos: dict[str, dict[str, float]] | None = None
    impact: tuple[UnitValue, ...] = ()


@dataclass(frozen=True, repr=False)
class Investigation(Finding):
    """All seven steps of one case.

    Examples
    --------
    >>> import rca_kit
    >>> inv = rca_kit.investigate("data/samples/quiet-day")  # doctest: +SKIP
    >>> inv.suspects.verdict  # doctest: +SKIP
    'no_change'
    """

    next_call = "`.symptom`, `.scope`, `.suspects`; `.slice(\"country == 'DE'\")` for rows; `.to_dict()` for findings.json"

    case: CaseFacts
    signal: Signal
    symptom: Symptom
    scope: Scope
    suspects: Suspects
    samples: Samples
    simulation: Simulation
    settlement: Settlement
    warnings: tuple[str, ...] = ()
    slicer: Slicer | None = field(default=None, repr=False, compare=False)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the request log behind when the findings go to another process or to disk."""
        return {**self.__dict__, "slicer": None}

    def slice(self, where: str | dict[str, Any] | None = None, metric: str | None = None) -> Any:
        """Pick requests by hand.

        Parameters
        ----------
        where : str or dict, optional
            A typed condition such as ``"country == 'DE' and age < 25"``, or a segment's `where`; all requests when left out.
        metric : str, optional
            Whose change to tell; the symptom's when left out.

        Returns
        -------
        rca_kit.loop.s3_scope.explore.Slice
            The picked requests beside the rest, before and after; with `.requests`, `.crosstab(a, b)`, `.drill_down()`,
            `.heat_map(a, b)`, `.waterfall(a)`, `.compare_with_rest()` and `.localize()`.

        Raises
        ------
        BadInput
            When the condition cannot be read or names an unknown column, and when the investigation was not made by
            `rca_kit.investigate`, so that no log is at hand.

        Examples
        --------
        >>> import rca_kit
        >>> inv = rca_kit.investigate("data/samples/threshold-change")  # doctest: +SKIP
        >>> inv.slice("tenure == 'new'").compare_with_rest()  # doctest: +SKIP
        """
        if self.slicer is None:
            raise BadInput("this investigation has no request log at hand", hint="take the one that rca_kit.investigate() gives")
        return self.slicer.slice(where, metric)

    @property
    def verdict(self) -> str:
        """incident, benign_shift or no_change."""
        return self.suspects.verdict

    def says(self) -> str:
        """Say the answer in one paragraph."""
        return f"{self.verdict}. {self.symptom.says()} {self.scope.says()} {self.suspects.says()}"

    def rows(self) -> list[dict[str, Any]]:
        """One row per step with what it says."""
        parts = (self.signal, self.symptom, self.scope, self.suspects, self.samples, self.simulation, self.settlement)
        return [{"step": step, "says": part.says()} for step, part in zip(STEPS, parts, strict=True)]

    def to_dict(self) -> dict[str, Any]:
        """Give findings.json."""
        quiet = self.verdict == "no_change"
        s = self.symptom
        return {
            "schema_version": SCHEMA_VERSION,
            "case_id": self.case.case_id,
            "verdict": self.verdict,
            "verdict_because": self.suspects.verdict_because,
            "severity": {"level": self.settlement.severity.level, "because": list(self.settlement.severity.because)},
            "signal": {"metric": self.signal.metric, "holds": self.signal.holds, "because": self.signal.because},
            "symptom": {
                "metric": s.metric,
                "direction": None if quiet else s.direction,
                "shape": None if quiet else s.shape,
                "onset": None if quiet or s.onset is None else iso(s.onset),
                "onset_interval": None if quiet or s.onset_interval is None else [iso(t) for t in s.onset_interval],
                "before": plain(s.before), "after": plain(s.after), "change": plain(s.change),
                "change_interval": plain(s.change_interval), "p_value": plain(s.p_value),
                "also_changed": list(s.also_changed),
                "changes_inside_onset": list(s.changes_inside),
            },
            "scope": {
                "is_global": False if quiet else self.scope.is_global,
                "segments": [] if quiet else [x.to_dict() for x in self.scope.segments],
            },
            "suspects": [x.to_dict() for x in (*self.suspects.items, *self.suspects.excluded)],
            "categories": [plain(c) for c in self.suspects.categories],
            "mitigations": [plain(m) for m in self.settlement.mitigations],
            "guardrails": [plain(g) for g in self.settlement.guardrails],
            "warnings": list(self.warnings),
        }
