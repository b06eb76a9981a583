"""What to sum of a case: roles in plain form, and bin edges and kept values from a sample of its rows."""

from __future__ import annotations

from typing import Any

import narwhals as nw

from rca_kit.aggregates.grid import TimeGrid
from rca_kit.aggregates.plan import Columns, Plan, make_plan
from rca_kit.errors import BadInput
from rca_kit.findings.base import Window
from rca_kit.loop.reading.sampling import sample_rows
from rca_kit.sources import OpenCase
from rca_kit.sources.columns import EAGER_ROWS

PLAN_ROWS = 50_000  # rows that bin edges and kept values are taken from


def plan_of(opened: OpenCase, columns: Columns, grid: TimeGrid, frame: nw.LazyFrame[Any] | None = None) -> Plan:
    """Fix edges and kept values; every engine takes the same rows, so that they are the same.

    A log too large for memory is not read once more for it: the rows that its columns were told from serve.
    """
    needed = list(dict.fromkeys([*columns.needed(), *([opened.roles.request_id] if opened.roles.request_id else [])]))
    if opened.sample is not None and opened.row_count > EAGER_ROWS:
        sample = opened.sample.select(needed).gather_every(max(opened.sample.height // PLAN_ROWS, 1))
    else:
        window = Window(opened.time_range[0], grid.time(grid.n))
        source = opened.predictions if frame is None else frame
        sample = sample_rows(source, columns.time, window, needed, PLAN_ROWS, opened.row_count)
    if sample.height == 0:
        raise BadInput("the prediction log holds no usable row", file=str(opened.case.folder / "incident.yaml"))
    return make_plan(columns, grid, sample)


def columns_of(opened: OpenCase) -> Columns:
    """Roles in plain form."""
    r = opened.roles
    segments = tuple(dict.fromkeys([*r.segments, *([r.model_version] if r.model_version else [])]))
    return Columns(
        time=r.time,
        task=opened.task,
        score=r.score,
        decision=r.decision,
        label=r.label,
        error=r.error,
        latency=r.latency_ms,
        model_version=r.model_version,
        stages=tuple(r.stages),
        kpis=dict(r.kpi),
        segments=segments,
        features=tuple(r.features),
        positive=dict(opened.positive),
    )
