"""Sample incidents, their generator, answer keys, scoring and drills."""

from __future__ import annotations

from rca_kit.training.incident import list_mechanisms, make_incident
from rca_kit.training.keys import Key
from rca_kit.training.scoring import CaseScore, score_case

__all__ = ["CaseScore", "Key", "list_mechanisms", "make_incident", "score_case"]
