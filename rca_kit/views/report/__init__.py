"""The report: one HTML file that opens with the network off and reads with scripts blocked."""

from __future__ import annotations

from rca_kit.views.report.draft import Draft, RunFacts, StepState
from rca_kit.views.report.render import extract_findings, render_report, write_report

__all__ = ["Draft", "RunFacts", "StepState", "extract_findings", "render_report", "write_report"]
