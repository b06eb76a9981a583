"""The seven steps in order: a case folder in, an Investigation out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rca_kit.findings.investigation import Investigation
from rca_kit.findings.samples import Samples
from rca_kit.findings.simulation import Simulation
from rca_kit.loop.decided import decided, tagged
from rca_kit.loop.progress import Report
from rca_kit.loop.reading.budget import Budget
from rca_kit.loop.reading.prepare import Prepared, case_facts, picture_of, prepare
from rca_kit.loop.s3_scope.explore import Explorer
from rca_kit.loop.s3_scope.levels import in_metric
from rca_kit.loop.work import Progress, work
from rca_kit.loop.worked import Worked
from rca_kit.sources import OpenCase, open_case
from rca_kit.stats.threads import one_thread


def investigate(
    case: str | Path | OpenCase,
    engine: str = "polars",
    progress: Progress | None = None,
    budget: float | None = None,
    rows: Report | None = None,
) -> Investigation:
    """Walk the 7S loop on an incident folder.

    Parameters
    ----------
    case : path or OpenCase
        The case folder.
    engine : {"polars", "duckdb", "spark"}
        What reads and sums the tables.
    progress : callable, optional
        Called with the name of each step as it begins.
    budget : float, optional
        Seconds that it may take, about: a log too large for them is read in part, and the findings' warnings say what that
        costs. Reading a log takes its time even so.
    rows : callable, optional
        Told of the rows of a large log as they are read, and of the time left.

    Returns
    -------
    Investigation
        The seven findings; ``.to_dict()`` is findings.json.

    Raises
    ------
    BadInput
        When the case cannot be used; the message names file, column, what was found and what was expected.

    Examples
    --------
    >>> investigate("no/such/case")
    Traceback (most recent call last):
    ...
    rca_kit.errors.BadInput: ...
    """
    say = progress or (lambda _: None)
    say("read")
    opened = case if isinstance(case, OpenCase) else open_case(case, engine=engine)
    limit = Budget(budget) if budget is not None else None
    prepared = prepare(limit.thinned(opened) if limit else opened, rows)
    worked = work(prepared, picture_of(prepared), say)
    if limit is not None:
        worked = replace(worked, suspects=limit.careful(worked.suspects))
    return finish(prepared, worked, say, limit)


@one_thread
def finish(
    prepared: Prepared, worked: Worked, say: Progress = lambda _: None, budget: Budget | None = None
) -> Investigation:
    """Do steps 5 to 7, and put the whole together."""
    from rca_kit.loop.s5_samples.pull import pull_samples
    from rca_kit.loop.s6_simulate.simulate import simulate_case
    from rca_kit.loop.s7_settle import settle

    opened = prepared.case
    w = replace(worked, scope=in_metric(worked.scope, worked.prepared, worked.picture, worked.symptom.metric))
    say("samples")
    if w.suspects.verdict == "no_change":
        samples = Samples((), (), (), (), "", 0, "nothing happened")
    else:
        samples = pull_samples(
            w.prepared.frame,
            opened.roles,
            opened.positive,
            opened.task,
            w.picture.windows,
            w.scope,
            w.suspects,
            tuple(opened.case.incident.redact or ()),
            metric=w.symptom.metric,
        )
        samples = replace(samples, population=round(samples.population / w.prepared.share[1]))
    say("simulate")
    samples = tagged(samples, prepared.decisions)
    if budget is not None and budget.spent:
        simulation = Simulation((), (budget.left_out("simulation"),))
    else:
        simulation = simulate_case(opened, w.room.before, w.room.after, w.symptom, w.suspects, w.scope.segments)
    say("settle")
    facts = case_facts(opened, w.changes)
    settlement = settle(
        facts, w.signal, w.symptom, w.scope, w.suspects, samples, simulation, facts.slos, decision_table=prepared.decision_table
    )
    settlement = decided(settlement, prepared.decisions)
    return Investigation(
        facts,
        w.signal,
        w.symptom,
        w.scope,
        w.suspects,
        samples,
        simulation,
        settlement,
        tuple(dict.fromkeys((*opened.warnings, *w.signal.notes, *(budget.notes(w.suspects.verdict) if budget else ())))),
        Explorer(opened.predictions, w.picture, w.symptom.metric),
    )
