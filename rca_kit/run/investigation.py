"""One unattended run: check, execute, report, and put it all in place in one move."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rca_kit.errors import BadInput, RunFailed
from rca_kit.findings.investigation import Investigation
from rca_kit.run import outputs
from rca_kit.run.kernel import execute
from rca_kit.run.place import numbered, settle, used, workplace
from rca_kit.run.progress import Progress
from rca_kit.run.state import RunState, read_state
from rca_kit.run.templates import check_parameters, find_template, read_parameters
from rca_kit.views.report.draft import RunFacts, StepState

EXIT_DONE, EXIT_PARTIAL = 0, 4
OWN_PARAMETERS = ("case",)  # set by the run itself
DEFAULT_TEMPLATE = "7s_investigation"


@dataclass(frozen=True)
class RunResult:
    """Where a run's files lie and how it went; `exit_code` is 0 or 4 (stopped part-way, the report says where)."""

    out_dir: Path
    exit_code: int
    steps: tuple[StepState, ...] = ()
    failure: str = ""
    investigation: Investigation | None = None

    @property
    def report(self) -> Path:
        """The HTML report."""
        return self.out_dir / "report.html"


def run_investigation(
    folder: str | Path,
    out: str | Path | None = None,
    template: str = DEFAULT_TEMPLATE,
    parameters: Mapping[str, Any] | None = None,
    static: bool = False,
    engine: str = "polars",
    *,
    budget: float | None = None,
    clock: datetime | None = None,
    number_used: bool = False,
    progress: bool | None = None,
) -> RunResult:
    """Run a template on a case and leave report, summary, notebook and findings.

    Parameters
    ----------
    folder : str or Path
        The case.
    out : str or Path, optional
        Where the files go; ``folder/runs/<UTC time>`` when not given. Earlier results are never overwritten: a folder that
        holds something is refused, or numbered (``out-2``) with `number_used`.
    template : str
        A template's name, or a path to a notebook of one's own.
    parameters : mapping, optional
        Further parameters of the template; unknown or ill-typed ones are refused before anything runs.
    static : bool
        Pictures only, without plotly.
    engine : str
        What scans the tables.
    budget : float, optional
        Seconds that the steps may take; see `rca_kit.investigate`.
    clock : datetime, optional
        The report's time; now when not given (or SOURCE_DATE_EPOCH from the environment).
    number_used : bool
        See `out`.
    progress : bool, optional
        Show progress on stderr; when not given, if that is a terminal.

    Returns
    -------
    RunResult

    Raises
    ------
    BadInput
        For a case, template, parameter or place that cannot be used; nothing was written then.
    RunFailed
        When the results cannot be written, because the disk is full for example; findings and report are then kept in a
        temporary folder, if that has room, and the message says where.

    Examples
    --------
    >>> run_investigation("data/samples/quiet-day", out="somewhere").exit_code  # doctest: +SKIP
    0
    """
    case = Path(folder)
    if not case.is_dir():
        raise BadInput("there is no such case folder", file=str(case), expected="a folder with an incident.yaml")
    notebook = find_template(template)
    clock = (clock or _now()).astimezone(UTC)
    checked = _parameters(notebook, case, parameters or {}, static=static, engine=engine)
    started = datetime.now(UTC)
    target = _target(case, out, started, number_used=number_used)
    work = workplace(target)
    try:
        with tempfile.TemporaryDirectory(prefix="rca-kit-") as private:
            state_folder = Path(private)
            executed = state_folder / "notebook.ipynb"  # not in the place of the results: a full disk there must not stop the run
            with Progress(state_folder, show=progress):
                failure = execute(notebook, executed, checked, state_folder, budget)
            state = read_state(state_folder, died=failure)
            no_room = _copied(executed, work / executed.name)
        if state.bad_input is not None and all(s.state != "done" for s in state.steps):
            raise state.bad_input
        failure = state.error or failure
        facts = RunFacts(
            clock,
            outputs.shown_parameters(checked, case),
            outputs.versions(),
            outputs.again(template, parameters or {}, static, engine),
            notebook.stem,
            state.steps,
            _stopped(failure, state),
        )
        exit_code = EXIT_PARTIAL if failure or facts.failure else EXIT_DONE
        try:
            if no_room is not None:
                raise no_room
            outputs.write(
                work, state, facts, case=case, target=target, static=static, exit_code=exit_code, started=started,
                parameters=checked,
            )
            final = settle(work, target, always_number=number_used or out is None)
        except OSError as problem:
            raise _not_written(problem, target, outputs.rescue(state, facts, target.name)) from None
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
    return RunResult(final, exit_code, state.steps, facts.failure, state.investigation)


def _copied(source: Path, target: Path) -> OSError | None:
    try:
        if source.is_file():
            shutil.copyfile(source, target)
    except OSError as problem:
        return problem
    return None


def _not_written(problem: OSError, target: Path, rescued: Path | None) -> RunFailed:
    saved = f"; what was found is in {rescued}" if rescued else ""
    return RunFailed("the results cannot be written", file=str(target), found=problem.strerror or str(problem),
                     hint=f"make room or name another folder with --out, and run again{saved}")


def _stopped(failure: str, state: RunState) -> str:
    if not failure:
        return ""
    broken = next((i for i, s in enumerate(state.steps, 1) if s.state == "failed"), None)
    where = f"The run stopped in step {broken}, {state.steps[broken - 1].step.capitalize()}: " if broken else "The run stopped: "
    return where + failure


def _now() -> datetime:
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    return datetime.fromtimestamp(int(epoch), UTC) if epoch.isdigit() else datetime.now(UTC).replace(microsecond=0)


def _parameters(notebook: Path, case: Path, given: Mapping[str, Any], *, static: bool, engine: str) -> dict[str, Any]:
    """Check everything before anything runs."""
    for name in OWN_PARAMETERS:
        if name in given:
            raise BadInput(f"parameter `{name}` is set by the run itself", hint="name the case folder as the first argument")
    known = read_parameters(notebook)
    if "case" not in known:
        raise BadInput("takes no `case`", file=str(notebook), expected="a parameter `case: str` in the cell tagged `parameters`")
    own = {"case": str(case.resolve()), "engine": engine, "static": static}
    return check_parameters(notebook, {**{k: v for k, v in own.items() if k in known}, **given})


def _target(case: Path, out: str | Path | None, started: datetime, *, number_used: bool) -> Path:
    if out is None:
        return numbered(case / "runs" / f"{started:%Y%m%dT%H%M%SZ}")
    target = Path(out)
    if target.exists() and not target.is_dir():
        raise BadInput("is a file, not a folder", file=str(target), hint="name a folder that does not exist yet")
    if used(target):
        if number_used:
            return numbered(target)
        raise BadInput(
            "already holds something; earlier runs are never overwritten",
            file=str(target),
            expected="a folder that is empty or does not exist yet",
            hint="name another one, or leave --out away",
        )
    return target
