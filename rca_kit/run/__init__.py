"""Unattended runs: a template through papermill, and a report whatever happens on the way.

`run_investigation` is the door. In a template, `walk` takes the seven steps one by one and notes how far it came.
"""

from __future__ import annotations

from rca_kit.run.investigation import RunResult, run_investigation
from rca_kit.run.walk import walk

__all__ = ["RunResult", "run_investigation", "walk"]
