"""Show on a terminal which step a run is in; silent anywhere else."""

from __future__ import annotations

import importlib
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Any

from rca_kit.findings.investigation import STEPS
from rca_kit.run.state import read_events

LOOK_SECONDS = 0.2


class Progress:
    """While open, follows the events of a run in its private folder.

    Examples
    --------
    >>> with Progress(Path("."), show=False):
    ...     pass
    """

    def __init__(self, folder: Path, *, show: bool | None = None) -> None:
        self._folder = folder
        self._show = sys.stderr.isatty() if show is None else show
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Progress:
        if self._show:
            self._thread = threading.Thread(target=self._follow, daemon=True)
            self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=2)

    def _follow(self) -> None:
        progress: Any = importlib.import_module("rich.progress")
        console = importlib.import_module("rich.console").Console(stderr=True)
        columns = (
            progress.SpinnerColumn(),
            progress.TextColumn("{task.description}"),
            progress.BarColumn(bar_width=24),
            progress.TextColumn("{task.completed}/{task.total}"),
            progress.TimeElapsedColumn(),
        )
        with progress.Progress(*columns, console=console, transient=True) as bar:
            task = bar.add_task("starting the notebook", total=len(STEPS))
            while not self._stop.wait(LOOK_SECONDS):
                events = read_events(self._folder)
                done = {e["step"] for e in events if e["state"] == "done"}
                now = next((e["step"] for e in reversed(events) if e["state"] == "started"), "")
                words = f"{STEPS.index(now) + 1} {now.capitalize()}" if now in STEPS else "starting the notebook"
                bar.update(task, completed=len(done), description=words)
