"""The narwhals boundary: the only door to files, frames and engines."""

from __future__ import annotations

from rca_kit.sources.frames import TableKind, kind_of, to_lazy
from rca_kit.sources.open import OpenCase, open_case

__all__ = ["OpenCase", "TableKind", "kind_of", "open_case", "to_lazy"]
