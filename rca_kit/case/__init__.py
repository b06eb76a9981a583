"""The incident case: incident.yaml, the roles of its columns and their inference, the journal."""

from __future__ import annotations

from rca_kit.case.changes import Change
from rca_kit.case.columns import ColumnSummary
from rca_kit.case.incident import Case, Incident, load_case
from rca_kit.case.roles import Roles

__all__ = ["Case", "Change", "ColumnSummary", "Incident", "Roles", "load_case"]
