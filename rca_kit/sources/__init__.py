"""The narwhals boundary: the only door to files, frames and engines."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from rca_kit.sources.frames import TableKind, kind_of, to_lazy

if TYPE_CHECKING:
    from rca_kit.sources.open import OpenCase, open_case

__all__ = ["OpenCase", "TableKind", "kind_of", "open_case", "to_lazy"]


def __getattr__(name: str) -> Any:
    """Load what opens a case when it is first used: who compares two frames need not pay for reading YAML."""
    if name in ("OpenCase", "open_case"):
        return getattr(importlib.import_module("rca_kit.sources.open"), name)
    raise AttributeError(f"module 'rca_kit.sources' has no attribute {name!r}")
