"""The seven steps one by one, for a notebook: each shows its finding and notes how far the run came."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

from rca_kit.errors import RcaKitError, RunFailed
from rca_kit.findings.base import Finding
from rca_kit.findings.investigation import STEPS, Investigation
from rca_kit.run.state import BUDGET, Recorder
from rca_kit.views.report.draft import FIELD_OF_STEP

Investigate = Callable[..., Investigation]


class Walk:
    """Takes the seven steps in order; made by `walk`.

    Each method does its step and those before it, once, and gives the finding.
    """

    def __init__(self, folder: str | Path, engine: str, investigate: Investigate | None, recorder: Recorder) -> None:
        self._folder = folder
        self._recorder = recorder
        self._found: dict[str, Finding] = {}
        self._whole: Investigation | None = None
        self._at = ""
        self._left: set[str] = set()
        self._steps = _steps(folder, engine, investigate, self._enter)

    def signal(self) -> Finding:
        """Do step 1: say whether the alert is real, and what else moved."""
        return self._take("signal")

    def symptom(self) -> Finding:
        """Do step 2: say since when, how much, in which shape."""
        return self._take("symptom")

    def scope(self) -> Finding:
        """Do step 3: say for whom."""
        return self._take("scope")

    def suspects(self) -> Finding:
        """Do step 4: weigh what speaks for and against each possible cause."""
        return self._take("suspects")

    def samples(self) -> Finding:
        """Do step 5: lay bad rows beside their nearest healthy twins."""
        return self._take("samples")

    def simulate(self) -> Finding:
        """Do step 6: try whether one targeted change removes it."""
        return self._take("simulate")

    def settle(self) -> Finding:
        """Do step 7: say what to do, how to verify it, and what prevents the next one."""
        return self._take("settle")

    def finish(self) -> Investigation:
        """Give the whole investigation.

        Raises
        ------
        RunFailed
            When the steps did not end with one.
        """
        for step in STEPS:
            self._take(step)
        if self._whole is None:
            for _, value in self._steps:
                self._accept(value)
        if self._whole is None:
            raise RunFailed("the seven steps ended without an investigation")
        return self._whole

    def _take(self, step: str) -> Finding:
        for wanted in STEPS[: STEPS.index(step) + 1]:
            if wanted in self._found:
                continue
            self._enter(wanted)
            try:
                while wanted not in self._found:
                    name, value = next(self._steps)
                    if name in STEPS:
                        self._found[name] = value
                        self._recorder.keep(name, value)
                    else:
                        self._accept(value)
            except Exception as problem:
                self._recorder.note(self._at, "failed", error=_said(problem), bad_input=_bad_input(problem))
                raise
            self._leave(wanted)
        return self._found[step]

    def _enter(self, step: str) -> None:
        """Note that a step begins; the loop may be ahead of the notebook, and never goes back."""
        if step not in STEPS or (self._at and STEPS.index(step) <= STEPS.index(self._at)):
            return
        if self._at:
            self._leave(self._at)
        self._at = step
        self._recorder.note(step, "started")

    def _leave(self, step: str) -> None:
        if step not in self._left:
            self._left.add(step)
            self._recorder.note(step, "done")

    def _accept(self, value: Any) -> None:
        if isinstance(value, Investigation):
            self._whole = value
            self._recorder.keep("investigation", value)
            self._recorder.keep("warnings", value.warnings)
        else:
            self._recorder.keep("case", value)


def walk(case: str | Path, engine: str = "polars", investigate: Investigate | None = None) -> Walk:
    """Begin the seven steps of one case.

    Parameters
    ----------
    case : str or Path
        The case folder.
    engine : str
        polars, duckdb or spark.
    investigate : callable, optional
        What does the work, ``investigate(folder, engine=...) -> Investigation``; the kit's own when not given.

    Returns
    -------
    Walk

    Examples
    --------
    >>> from rca_kit.views.example import example
    >>> w = walk("anywhere", investigate=lambda folder, engine: example())
    >>> w.scope().is_global
    False
    >>> w.finish().verdict
    'incident'
    """
    return Walk(case, engine, investigate, Recorder.from_environment())


def _steps(
    folder: str | Path, engine: str, investigate: Investigate | None, enter: Callable[[str], None]
) -> Iterator[tuple[str, Any]]:
    """Yield ("case", facts), then each step's name and finding, then ("investigation", all of it)."""
    if investigate is None:
        inv = yield from _own_steps(folder, engine, enter)
    else:
        inv = investigate(folder, engine=engine)
    yield "case", inv.case
    for step in STEPS:
        yield step, getattr(inv, FIELD_OF_STEP[step])
    yield "investigation", inv


def _own_steps(folder: str | Path, engine: str, enter: Callable[[str], None]) -> Generator[tuple[str, Any], None, Investigation]:
    """Do the kit's own loop in its two halves, so that steps 1 to 4 are kept when a later one fails."""
    loop = importlib.import_module("rca_kit.loop.investigate")
    seconds = os.environ.get(BUDGET)
    budget = importlib.import_module("rca_kit.loop.reading.budget").Budget(float(seconds)) if seconds else None
    opened = importlib.import_module("rca_kit.sources").open_case(folder, engine=engine)
    prepared = loop.prepare(budget.thinned(opened) if budget else opened)
    half = loop.work(prepared, loop.picture_of(prepared), enter)
    yield "case", loop.case_facts(opened, half.changes)
    for step in STEPS[:4]:
        yield step, getattr(half, step)
    inv: Investigation = loop.finish(prepared, half, enter, budget)
    return inv


def _said(problem: BaseException) -> str:
    text = str(problem) or type(problem).__name__
    return text if isinstance(problem, RcaKitError) else f"{type(problem).__name__}: {text}"


def _bad_input(problem: BaseException) -> dict[str, str | None] | None:
    """Give what is needed to raise the same error again in the parent process."""
    if not isinstance(problem, RcaKitError) or problem.exit_code != RcaKitError.exit_code:
        return None
    return {k: getattr(problem, k) for k in ("message", "file", "column", "found", "expected", "hint")}
