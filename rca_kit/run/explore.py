"""Open a case in the notebook: its session, the explorers over it, and the report that they write."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from rca_kit.findings.investigation import STEPS
from rca_kit.loop.session import Session
from rca_kit.run import outputs
from rca_kit.run.place import numbered, settle, workplace
from rca_kit.run.state import RunState
from rca_kit.views.report.draft import RunFacts, StepState, as_draft
from rca_kit.views.widgets.app import Explore
from rca_kit.views.widgets.settle import Written

SERVED = "RCA_KIT_SERVED"  # set by `rca-kit lab`: the folder that JupyterLab serves, so that the notebook can link to a report


def explore(case: str | Path, engine: str = "polars", author: str | None = None) -> Explore:
    """Work a case by hand: all explorers over one session, every decision kept in the case's journal.

    Parameters
    ----------
    case : str or Path
        The case folder.
    engine : {"polars", "duckdb", "spark"}
        What reads and sums the tables.
    author : str, optional
        Who decides, as the journal has it; the login name when not given.

    Returns
    -------
    Explore
        Shows itself in a notebook; ``.onset``, ``.scope``, ``.data``, ``.suspects``, ``.samples``, ``.replay`` and ``.settle``
        show one step each, and ``.investigation`` holds the findings.

    Raises
    ------
    BadInput
        When the case cannot be used.

    Examples
    --------
    >>> import rca_kit
    >>> rca_kit.explore("no/such/case")
    Traceback (most recent call last):
    ...
    rca_kit.errors.BadInput: ...
    """
    return Explore(Session(case, engine=engine, author=author), write)


def write(session: Session, say: Callable[[str], None] = lambda _: None) -> Written:
    """Write report, summary and findings of a session into ``runs/<time>`` of its case, as an unattended run would.

    Parameters
    ----------
    session : Session
    say : callable, optional
        Told the name of each step.
    """
    started = datetime.now(UTC)
    inv = session.investigation(say)
    say("report")
    target = numbered(session.folder / "runs" / f"{started:%Y%m%dT%H%M%SZ}")
    work = workplace(target)
    try:
        steps = tuple(StepState(s, "done") for s in STEPS)
        state = RunState(as_draft(inv), steps, {}, inv)
        again = outputs.again("7s_investigation", {}, False, session.prepared.case.engine)
        clock = started.replace(microsecond=0)
        facts = RunFacts(clock, {"case": session.folder.resolve().name}, outputs.versions(), again, "notebook", steps)
        outputs.write(
            work, state, facts, case=session.folder, target=target, static=False, exit_code=0, started=started, parameters={}
        )
        final = settle(work, target, always_number=True)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
    return Written(final / "report.html", _served(final / "report.html"))


def _served(report: Path) -> str:
    """Path of a file below the folder that Jupyter serves, empty where that is not known."""
    root = os.environ.get(SERVED)
    try:
        return report.resolve().relative_to(Path(root).resolve()).as_posix() if root else ""
    except ValueError:
        return ""
