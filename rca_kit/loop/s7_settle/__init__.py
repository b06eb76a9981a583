"""Step 7, Settle: how bad, what to do now, how to verify it, and what prevents the next one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rca_kit.findings.investigation import CaseFacts
from rca_kit.findings.samples import Samples
from rca_kit.findings.scope import Scope
from rca_kit.findings.settlement import Settlement
from rca_kit.findings.signal import Signal
from rca_kit.findings.simulation import Simulation
from rca_kit.findings.suspects import Suspects
from rca_kit.findings.symptom import Symptom
from rca_kit.loop.s7_settle.actions import actions
from rca_kit.loop.s7_settle.checklists import checklists, found_items
from rca_kit.loop.s7_settle.decisions import load_table, mitigations
from rca_kit.loop.s7_settle.facts import Facts, plain_slos
from rca_kit.loop.s7_settle.fmea import fmea
from rca_kit.loop.s7_settle.proposals import propose
from rca_kit.loop.s7_settle.severity import severity
from rca_kit.loop.s7_settle.unknowns import really_found, unknowns
from rca_kit.loop.s7_settle.whys import check_whys, draft_whys

__all__ = ["check_whys", "settle"]


def settle(
    case: CaseFacts,
    signal: Signal,
    symptom: Symptom,
    scope: Scope,
    suspects: Suspects,
    samples: Samples,
    simulation: Simulation,
    slos: Any = None,
    *,
    decision_table: str | Path | None = None,
) -> Settlement:
    """Settle a case from the findings of steps 1 to 6. Nothing is computed from data here.

    Parameters
    ----------
    slos : mapping, optional
        Targets by metric: ``{"auc": {"min": 0.84}}``; the case's own when left out.
    decision_table : path, optional
        A team's YAML over the kit's decision table; see `decisions.load_table`.

    Returns
    -------
    Settlement

    Raises
    ------
    BadInput
        When the team's decision table cannot be used.
    """
    facts = Facts(case, signal, symptom, scope, suspects, samples, simulation, plain_slos(slos or case.slos))
    grade = severity(facts)
    moves = mitigations(facts, grade.level, load_table(decision_table))
    guards = propose(facts)
    whys = draft_whys(facts)
    todo = actions(facts, guards)
    return Settlement(
        severity=grade,
        mitigations=moves,
        guardrails=guards,
        whys=whys,
        checklist=checklists(facts, moves, guards, whys, todo),
        actions=todo,
        fmea=fmea(facts, grade),
        unknowns=unknowns(facts),
        really_found=really_found(facts, found_items(facts, guards)),
    )
