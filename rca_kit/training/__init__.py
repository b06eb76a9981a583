"""Sample incidents, their generator, answer keys, scoring and training sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rca_kit.training.incident import list_mechanisms, make_incident
from rca_kit.training.keys import Key
from rca_kit.training.scoring import CaseScore, score_case

if TYPE_CHECKING:
    from rca_kit.training.sessions import list_sessions, score_session, start_session, take_hint
    from rca_kit.training.workbook import Drill, open_drill

# these bring the whole loop with them, which a generator of incidents does not need
_LAZY = {
    "list_sessions": "sessions",
    "start_session": "sessions",
    "score_session": "sessions",
    "take_hint": "sessions",
    "Drill": "workbook",
    "open_drill": "workbook",
}

__all__ = [
    "CaseScore",
    "Drill",
    "Key",
    "list_mechanisms",
    "list_sessions",
    "make_incident",
    "open_drill",
    "score_case",
    "score_session",
    "start_session",
    "take_hint",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
