"""JupyterLab on a notebook that is bound to a case."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

from rca_kit.case.bundled import bundled
from rca_kit.errors import BadInput, MissingExtra, did_you_mean

# the first that comes with this version; the guided notebooks are written around their own samples
PREFERRED = ("explore_case", "explore", "7s_investigation")
BOUND = re.compile(r"^(case(?:\s*:\s*str)?\s*=\s*).*?(\s*#.*)?$", re.MULTILINE)

SAMPLE = re.compile(r"^from rca_kit\.case\.bundled import practice\n+", re.MULTILINE)


def lay_notebook(folder: Path, name: str = "") -> Path:
    """Copy a notebook into the case's `notebooks` folder, bound to the case; an existing copy is left as it is.

    Parameters
    ----------
    folder : Path
        The case folder.
    name : str, optional
        A bundled notebook or template by name, or a path; the interactive one when not given.

    Raises
    ------
    BadInput
        When there is no such notebook, or it cannot be written.
    """
    source = _find(name)
    target = folder / "notebooks" / source.name
    if target.exists():
        return target
    try:
        book = json.loads(source.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BadInput(f"is not a notebook: {error}", file=str(source)) from None
    for cell in book.get("cells", []):
        if cell.get("cell_type") == "code":
            code = "".join(cell["source"])
            # the notebook lies in DIR/notebooks, so the case is one step up wherever the folder is moved
            bound = BOUND.sub(lambda m: f'{m.group(1)}".."{m.group(2) or ""}', code, count=1)
            bound = SAMPLE.sub("", bound)  # the bundled sample that the guided form works on
            if bound != code:
                cell["source"] = bound.splitlines(keepends=True)
                break
    _write(target, book)
    return target


def start_lab(notebook: Path, *, port: int = 0, browser: bool = True, app: bool = False) -> int:
    """Start JupyterLab on a notebook and wait for its end; give its exit code.

    Parameters
    ----------
    notebook : Path
        ``DIR/notebooks/NAME.ipynb``; DIR is what is served.
    port : int
        A free one when 0.
    browser : bool
        Open a browser.
    app : bool
        Start Voila instead, which shows the notebook without its code.

    Raises
    ------
    MissingExtra
        When JupyterLab, or Voila, is not installed.
    """
    from importlib.util import find_spec

    module = "voila" if app else "jupyterlab"
    if find_spec(module) is None:
        raise MissingExtra(f"`{module}` is not installed", hint="pip install 'rca-kit[app]'" if app else "pip install jupyterlab")
    root = notebook.parent.parent.resolve()
    command = [sys.executable, "-m", module]
    opened = notebook.resolve()
    # not as an argument, which the server looks for where the command was given; and the address that it prints opens it
    page = f"/lab/tree/{quote(opened.relative_to(root).as_posix())}"
    command += [str(opened)] if app else [f"--ServerApp.root_dir={root}", f"--LabApp.default_url={page}"]
    # JupyterLab would ask another host for newer versions of itself; nothing leaves this machine
    command += [] if app else ["--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    command += [f"--port={port}"] if port else []
    command += [] if browser else ["--no-browser"]
    # Jupyter refuses to run as root, which in a container everybody is; it listens on this machine only
    command += ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 and not app else []
    environment = {**os.environ, "RCA_KIT_SERVED": str(root)}  # lets the notebook link to reports it writes
    process = subprocess.Popen(command, env=environment)  # noqa: S603 - our own interpreter, no shell
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())  # who ends this ends the server too
    try:
        return process.wait()
    except KeyboardInterrupt:
        process.terminate()
        return process.wait()


def _find(name: str) -> Path:
    if name and Path(name).suffix == ".ipynb" and Path(name).is_file():
        return Path(name)
    folders = [folder for kind in ("templates", "notebooks") for folder in reversed(bundled(kind))]
    known = {p.stem: p for folder in folders for p in folder.glob("*.ipynb")}
    wanted = name or next((n for n in PREFERRED if n in known), "")
    if wanted in known:
        return known[wanted]
    raise BadInput("there is no such notebook", found=name or None, expected="one of " + ", ".join(sorted(known)),
                   hint=did_you_mean(name, known))


def _write(target: Path, book: Any) -> None:
    try:
        target.parent.mkdir(exist_ok=True)
        with target.open("x", encoding="utf-8") as stream:
            json.dump(book, stream, indent=1, ensure_ascii=False)
            stream.write("\n")
    except FileExistsError:
        return
    except OSError as error:
        raise BadInput(f"cannot be written: {error.strerror}", file=str(target)) from None
