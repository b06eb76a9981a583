"""The narwhals boundary: the only door to files, frames and engines."""

from __future__ import annotations

from rca_kit.sources.frames import TableKind, kind_of, to_lazy

__all__ = ["TableKind", "kind_of", "to_lazy"]
