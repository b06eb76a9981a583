"""The kit's own findings of a case, whatever people wrote into its journal: what a group is compared with."""

from __future__ import annotations

from dataclasses import replace

from rca_kit.case.decisions import NOTHING
from rca_kit.findings.investigation import Investigation
from rca_kit.loop.investigate import finish
from rca_kit.loop.reading.prepare import picture_of, prepare
from rca_kit.loop.work import work
from rca_kit.loop.worked import Worked
from rca_kit.sources import OpenCase


def kit_alone(opened: OpenCase) -> tuple[Worked, Investigation]:
    """Investigate without the decisions of people: a group's own marks must not come back to it as the kit's opinion."""
    prepared = replace(prepare(opened), decisions=NOTHING)
    worked = work(prepared, picture_of(prepared))
    return worked, finish(prepared, worked)
