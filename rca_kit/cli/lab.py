"""JupyterLab on a notebook that is bound to a case."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from rca_kit.case.bundled import bundled
from rca_kit.errors import BadInput, MissingExtra, did_you_mean

# the first that comes with this version; the guided notebooks are written around their own samples
PREFERRED = ("explore_case", "explore", "7s_investigation")
BOUND = re.compile(r"^(case(?:\s*:\s*str)?\s*=\s*).*?(\s*#.*)?$", re.MULTILINE)


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
            if bound != code:
                cell["source"] = bound.splitlines(keepends=True)
                break
    _write(target, book)
    return target


def start_lab(notebook: Path, *, port: int = 0, browser: bool = True) -> int:
    """Start JupyterLab on a notebook and wait for its end; give its exit code.

    Raises
    ------
    MissingExtra
        When JupyterLab is not installed.
    """
    from importlib.util import find_spec

    if find_spec("jupyterlab") is None:
        raise MissingExtra("`jupyterlab` is not installed", hint="pip install jupyterlab")
    root = notebook.parent.parent
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={root.resolve()}"]
    command += [notebook.relative_to(root).as_posix()]
    command += [f"--port={port}"] if port else []
    command += [] if browser else ["--no-browser"]
    environment = {**os.environ, "RCA_KIT_SERVED": str(root.resolve())}  # lets the notebook link to reports it writes
    process = subprocess.Popen(command, env=environment)  # noqa: S603 - our own interpreter, no shell
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
