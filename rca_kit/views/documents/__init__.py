"""Documents beside the report: post-mortem, runbook, data check, tabletop drill, deprecation plan."""

from __future__ import annotations

from rca_kit.views.documents.data_check import data_check
from rca_kit.views.documents.debrief import debrief
from rca_kit.views.documents.deprecation import deprecation_plan
from rca_kit.views.documents.page import Page
from rca_kit.views.documents.post_mortem import post_mortem
from rca_kit.views.documents.runbook import runbook
from rca_kit.views.documents.tabletop import injects, tabletop
from rca_kit.views.documents.tabletop_session import TabletopSession
from rca_kit.views.documents.timeline_file import read_timeline

__all__ = [
    "Page",
    "TabletopSession",
    "data_check",
    "debrief",
    "deprecation_plan",
    "injects",
    "post_mortem",
    "read_timeline",
    "runbook",
    "tabletop",
]
