"""rca_kit: root-cause analysis for machine-learning services, by hand in JupyterLab or unattended.

Intervals are half-open and times are UTC, everywhere.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rca_kit.loop.compare.compare import compare, profile
    from rca_kit.loop.investigate import investigate
    from rca_kit.loop.s3_scope.localize import localize
    from rca_kit.loop.versions.replay import replay
    from rca_kit.loop.versions.shadow import compare_shadow
    from rca_kit.run.explore import explore
    from rca_kit.stats.changepoint import find_changes

__version__ = "0.1.0"

_HOME = {
    "investigate": "rca_kit.loop.investigate",
    "find_changes": "rca_kit.stats.changepoint",
    "localize": "rca_kit.loop.s3_scope.localize",
    "compare": "rca_kit.loop.compare.compare",
    "profile": "rca_kit.loop.compare.compare",
    "replay": "rca_kit.loop.versions.replay",
    "compare_shadow": "rca_kit.loop.versions.shadow",
    "explore": "rca_kit.run.explore",
}

__all__ = ["compare", "compare_shadow", "explore", "find_changes", "investigate", "localize", "profile", "replay"]


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used: importing the package stays fast and pulls in no engine."""
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module 'rca_kit' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
