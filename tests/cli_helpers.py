"""Run the command line inside the test's process."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

from rca_kit.cli import aggregates, feeds, gates, train  # noqa: F401 - they add their commands
from rca_kit.cli.app import app
from rca_kit.cli.console import guarded


@dataclass(frozen=True)
class Ran:
    """What a command left."""

    code: int
    out: str
    err: str


def run(monkeypatch: Any, capsys: Any, *args: object) -> Ran:
    """Run `rca-kit` with arguments."""
    monkeypatch.setattr(sys, "argv", ["rca-kit", *map(str, args)])
    code = guarded(app)
    text = capsys.readouterr()
    return Ran(code, text.out, text.err)
