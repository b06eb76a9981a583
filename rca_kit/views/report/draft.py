"""What the report is made from besides the findings: how the run went, and what a broken run left behind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from rca_kit.findings.investigation import STEPS, CaseFacts, Investigation
from rca_kit.findings.samples import Samples
from rca_kit.findings.scope import Scope
from rca_kit.findings.settlement import Settlement
from rca_kit.findings.signal import Signal
from rca_kit.findings.simulation import Simulation
from rca_kit.findings.suspects import Suspects
from rca_kit.findings.symptom import Symptom

JournalEntry = Mapping[str, Any]
"""One line of the case's journal: `time` (datetime or ISO text), `text`, and optionally `kind` and `who`."""


@dataclass(frozen=True)
class StepState:
    """How one S went: `state` is done, failed or skipped; `detail` says why it failed or was skipped."""

    step: str
    state: str
    detail: str = ""


@dataclass(frozen=True)
class RunFacts:
    """What the appendix tells about the run. Nothing here may differ between two runs of one case at one clock.

    Parameters
    ----------
    generated_at : datetime, optional
        The clock of the report.
    parameters : mapping
        Template parameters as given, without machine paths.
    versions : mapping
        Package name -> version.
    again : str
        The command that makes this report again.
    template : str
        Which notebook was run.
    steps : sequence of StepState
        Empty when all went well.
    failure : str
        Why the run stopped; empty when it did not.
    """

    generated_at: datetime | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    again: str = ""
    template: str = "7s_investigation"
    steps: tuple[StepState, ...] = ()
    failure: str = ""


@dataclass(frozen=True)
class Draft:
    """The findings of a run that stopped part-way; None for each step that was not reached.

    Examples
    --------
    >>> Draft().verdict
    'not_known'
    """

    case: CaseFacts | None = None
    signal: Signal | None = None
    symptom: Symptom | None = None
    scope: Scope | None = None
    suspects: Suspects | None = None
    samples: Samples | None = None
    simulation: Simulation | None = None
    settlement: Settlement | None = None
    warnings: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """The verdict, if the run came as far as the suspects."""
        return self.suspects.verdict if self.suspects else "not_known"


FIELD_OF_STEP = dict(zip(STEPS, ("signal", "symptom", "scope", "suspects", "samples", "simulation", "settlement"), strict=True))


def as_draft(inv: Investigation | Draft) -> Draft:
    """Give one shape for whole and broken runs, so that the page has one way of asking.

    Examples
    --------
    >>> from rca_kit.views.example import example
    >>> as_draft(example()).verdict
    'incident'
    """
    if isinstance(inv, Draft):
        return inv
    return Draft(
        inv.case, inv.signal, inv.symptom, inv.scope, inv.suspects, inv.samples, inv.simulation, inv.settlement, inv.warnings
    )


def step_states(draft: Draft, steps: Sequence[StepState] = ()) -> tuple[StepState, ...]:
    """Give a state for each of the seven steps: as recorded, else from what is there.

    Examples
    --------
    >>> [s.state for s in step_states(Draft())]
    ['skipped', 'skipped', 'skipped', 'skipped', 'skipped', 'skipped', 'skipped']
    """
    known = {s.step: s for s in steps}
    return tuple(
        known.get(step) or StepState(step, "done" if getattr(draft, FIELD_OF_STEP[step]) is not None else "skipped")
        for step in STEPS
    )
