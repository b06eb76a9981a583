"""Unattended runs: a template through papermill, and a report whatever happens on the way.

`run_investigation` is the door. In a template, `walk` takes the seven steps one by one and notes how far it came.
"""

from __future__ import annotations

from rca_kit.run.investigation import RunResult, run_investigation
from rca_kit.run.state import keep_page
from rca_kit.run.tables import before_and_after, case_facts
from rca_kit.run.walk import walk

__all__ = ["RunResult", "before_and_after", "case_facts", "keep_page", "run_investigation", "walk"]
