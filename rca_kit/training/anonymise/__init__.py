"""Make an anonymised training session of a real, solved case."""

from __future__ import annotations

from rca_kit.training.anonymise.from_case import Anonymised, drill_from_case

__all__ = ["Anonymised", "drill_from_case"]
