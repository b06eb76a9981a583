"""Run one notebook through papermill, on this very interpreter, whatever kernels are or are not installed."""

from __future__ import annotations

import importlib
import logging
import os
import re
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rca_kit.run.state import BUDGET, ENVIRONMENT

START_SECONDS = 120  # a cold machine needs that for the kernel's imports; papermill's default of 60 is too short in CI
SOCKET_PATH_BYTES = 103  # what a Unix socket's address holds on the narrowest system (macOS; Linux has 107)
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def execute(template: Path, output: Path, parameters: Mapping[str, Any], state: Path, budget: float | None = None) -> str:
    """Execute a template and write the notebook with its outputs.

    Parameters
    ----------
    template, output : Path
        Notebook to run, notebook to write; it is written even when a cell fails or the kernel dies.
    parameters : mapping
        Checked values.
    state : Path
        Private folder where the kernel notes its steps.
    budget : float, optional
        Seconds that the steps may take.

    Returns
    -------
    str
        Why the run stopped; empty when all cells ran.
    """
    papermill = importlib.import_module("papermill")
    logging.getLogger("papermill").setLevel(logging.CRITICAL)  # what goes wrong is told by our own words
    try:
        with warnings.catch_warnings():
            # the template's own metadata and the kernel's event loop are not the user's to mend
            warnings.simplefilter("ignore")
            papermill.execute_notebook(
                str(template),
                str(output),
                parameters=dict(parameters),
                kernel_name="python3",
                language="python",
                progress_bar=False,
                start_timeout=START_SECONDS,
                kernel_manager_class=_manager_class(state, budget),
            )
    except KeyboardInterrupt:
        return "it was interrupted"
    except papermill.PapermillExecutionError as problem:
        return f"{problem.ename}: {_ANSI.sub('', str(problem.evalue))}".rstrip(": ")
    except Exception as problem:
        return _kernel_trouble(problem)
    return ""


def _kernel_trouble(problem: Exception) -> str:
    name = type(problem).__name__
    if name == "DeadKernelError":
        return "the notebook's kernel died (out of memory is the most frequent reason)"
    return f"{name}: {problem}"


def _manager_class(state: Path, budget: float | None) -> Any:
    """Make a kernel manager whose kernel is this interpreter: no kernelspec has to be installed for that."""
    jupyter = importlib.import_module("jupyter_client")
    spec = jupyter.kernelspec.KernelSpec(
        # what goes wrong in a cell is told by papermill; the launcher's own log is about its being stopped
        argv=[sys.executable, "-m", "ipykernel_launcher", "--log-level=CRITICAL", "-f", "{connection_file}"],
        display_name="Python 3",
        language="python",
        env={ENVIRONMENT: str(state), BUDGET: "" if budget is None else str(budget)},
    )

    class OwnKernel(jupyter.AsyncKernelManager):  # type: ignore[misc, name-defined]
        """A kernel on `sys.executable`, its connection file in the run's private folder."""

        def __init__(self, **traits: Any) -> None:
            super().__init__(connection_file=str(state / "kernel.json"), **_sockets(state / "kernel"), **traits)
            self._kernel_spec = spec

    return OwnKernel


def _sockets(below: Path) -> dict[str, str]:
    """Have the kernel listen in the private folder: no open port, no other user can connect.

    Where the system has no such sockets, or the path is too long for one, it is Jupyter's own way: a local port and a key.
    """
    longest = len(os.fsencode(f"{below}-0"))
    return {} if sys.platform == "win32" or longest > SOCKET_PATH_BYTES else {"transport": "ipc", "ip": str(below)}
