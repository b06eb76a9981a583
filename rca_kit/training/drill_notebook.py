"""The notebook of a session: the bundled template, bound to the session's folder."""

from __future__ import annotations

from pathlib import Path

from rca_kit.case.bundled import bundled
from rca_kit.errors import BadInput

TEMPLATE = "drill.ipynb"
UNBOUND, BOUND = 'case: str = \\"\\"', 'case: str = \\"..\\"'  # as JSON writes them; the notebook lies in DIR/notebooks


def write_notebook(folder: Path) -> Path:
    """Copy the template into the session's `notebooks` folder, bound to the session."""
    source = next((f / TEMPLATE for f in bundled("templates") if (f / TEMPLATE).is_file()), None)
    if source is None:
        raise BadInput("the template of training sessions is missing", file=TEMPLATE, hint="install the kit again")
    target = folder / "notebooks" / TEMPLATE
    target.parent.mkdir(exist_ok=True)
    target.write_text(source.read_text(encoding="utf-8").replace(UNBOUND, BOUND, 1), encoding="utf-8")
    return target
