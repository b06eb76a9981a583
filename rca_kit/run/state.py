"""How far a run came, on disk: written by the notebook's kernel as it goes, read by whoever started it.

The folder is private to one run and made by the parent process, so what is unpickled here was written by ourselves.
"""

from __future__ import annotations

import json
import os
import pickle
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rca_kit.errors import BadInput
from rca_kit.findings.investigation import STEPS, Investigation
from rca_kit.views.report.draft import FIELD_OF_STEP, Draft, StepState

ENVIRONMENT = "RCA_KIT_STATE"  # names the folder for the kernel; unset when a person runs the notebook by hand
BUDGET = "RCA_KIT_BUDGET"  # seconds that the steps may take, for the kernel; empty when there is no budget
EVENTS = "events.jsonl"
SKIPPED = "not reached: an earlier step stopped the run"


class Recorder:
    """Notes what happens to a folder, or nowhere when there is none.

    Examples
    --------
    >>> Recorder(None).note("signal", "done")
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    @classmethod
    def from_environment(cls) -> Recorder:
        """Take the folder that the parent process named."""
        folder = os.environ.get(ENVIRONMENT)
        return cls(Path(folder) if folder else None)

    def note(self, step: str, state: str, **more: Any) -> None:
        """Append one event; each is on disk before the next thing happens, for the kernel may die any time."""
        if self.folder is None:
            return
        line = json.dumps({"step": step, "state": state, "clock": time.time(), **more}) + "\n"
        with (self.folder / EVENTS).open("a", encoding="utf-8") as out:
            out.write(line)
            out.flush()
            os.fsync(out.fileno())

    def keep(self, name: str, value: Any) -> None:
        """Keep a finding; a half-written file never takes its name."""
        if self.folder is None:
            return
        beside = self.folder / f".{name}.part"
        beside.write_bytes(pickle.dumps(value))
        beside.replace(self.folder / f"{name}.pickle")


def keep_page(page: Any) -> Any:
    """Hand a document to the run, which makes report.html and summary.md of it; gives it back to be shown.

    Examples
    --------
    >>> keep_page("shown by a notebook that a person runs by hand")
    'shown by a notebook that a person runs by hand'
    """
    Recorder.from_environment().keep("page", page)
    return page


@dataclass(frozen=True)
class RunState:
    """What a run left: findings so far, state of each step, seconds per step, and the error that stopped it."""

    draft: Draft
    steps: tuple[StepState, ...]
    seconds: dict[str, float] = field(default_factory=dict)
    investigation: Investigation | None = None
    error: str = ""
    bad_input: BadInput | None = None
    page: Any = None


def read_events(folder: Path) -> list[dict[str, Any]]:
    """Read the events so far; a last line that was cut off is left out."""
    try:
        lines = (folder / EVENTS).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    out = []
    for line in lines:
        try:
            out.append(json.loads(line))
        except ValueError:
            continue
    return out


def read_state(folder: Path, *, died: str = "") -> RunState:
    """Read what a run left behind.

    Parameters
    ----------
    folder : Path
        The run's private folder.
    died : str
        Why the kernel ended, when it was not by an error of a step.

    Examples
    --------
    >>> import tempfile
    >>> [s.state for s in read_state(Path(tempfile.mkdtemp())).steps][:2]
    ['skipped', 'skipped']
    """
    events = read_events(folder)
    last: dict[str, dict[str, Any]] = {}
    begun: dict[str, float] = {}
    seconds: dict[str, float] = {}
    for event in events:
        step = event["step"]
        if event["state"] == "started":
            begun[step] = event["clock"]
        elif step in begun:
            seconds[step] = round(event["clock"] - begun[step], 3)
        last[step] = event
    parts = {FIELD_OF_STEP[s]: _load(folder, s) for s in STEPS}
    states = _where_it_stopped([_state(step, last.get(step), died) for step in STEPS], died)
    error = next((e.get("error", "") for e in events if e["state"] == "failed"), "")
    bad = next((e["bad_input"] for e in events if e.get("bad_input")), None)
    draft = Draft(case=_load(folder, "case"), warnings=_load(folder, "warnings") or (), **parts)
    return RunState(
        draft, states, seconds, _load(folder, "investigation"), error, BadInput(**bad) if bad else None, _load(folder, "page")
    )


def _state(step: str, event: dict[str, Any] | None, died: str) -> StepState:
    if event is None:
        return StepState(step, "skipped", SKIPPED)
    if event["state"] == "done":
        return StepState(step, "done")
    if event["state"] == "failed":
        return StepState(step, "failed", event.get("error", ""))
    return StepState(step, "failed", died or "it began and did not end")


def _where_it_stopped(states: list[StepState], died: str) -> tuple[StepState, ...]:
    """Put the failure of a run that ended between two steps on the next one; the rest were not reached."""
    if died and not any(s.state == "failed" for s in states):
        first = next((i for i, s in enumerate(states) if s.state == "skipped"), None)
        if first is not None:
            states[first] = StepState(states[first].step, "failed", died)
    return tuple(states)


def _load(folder: Path, name: str) -> Any:
    try:
        return pickle.loads((folder / f"{name}.pickle").read_bytes())  # noqa: S301 - our own file, see the module's docstring
    except OSError:
        return None
