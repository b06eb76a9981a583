"""The command line: `rca-kit`. Importing it loads no engine; each command loads what it needs."""

from __future__ import annotations

from rca_kit.cli.app import main

__all__ = ["main"]
