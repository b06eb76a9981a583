"""Read a case once: columns by role, a plan from a sample, the sums, the series, the picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import narwhals as nw
import polars as pl

from rca_kit.aggregates.grid import TimeGrid
from rca_kit.aggregates.plan import Columns, make_plan
from rca_kit.aggregates.scan import Aggregates, scan
from rca_kit.case.decisions import NOTHING, Decisions, read_decisions
from rca_kit.case.journal import Journal
from rca_kit.errors import BadInput
from rca_kit.findings.base import Window
from rca_kit.findings.investigation import CaseFacts, ChangeRecord, TableFacts, UnitValue
from rca_kit.loop.reading.derived import component_series, share_series
from rca_kit.loop.reading.names import psi_series, series_for
from rca_kit.loop.reading.picture import Picture, look
from rca_kit.loop.reading.sampling import sample_rows
from rca_kit.loop.reading.series import Series, metric_series
from rca_kit.sources import OpenCase
from rca_kit.sources.collect import collect

PLAN_ROWS = 50_000  # rows that bin edges and kept values are taken from
EAGER_ROWS = 3_000_000  # up to here the needed columns fit in memory many times over, and are read once instead of thrice


@dataclass(frozen=True)
class Prepared:
    """A case read once: its aggregates, its series, and the frame that later questions are asked of."""

    case: OpenCase
    columns: Columns
    frame: nw.LazyFrame[Any]
    aggregates: Aggregates
    series: dict[str, Series]
    decisions: Decisions = NOTHING


def prepare(opened: OpenCase) -> Prepared:
    """Plan the sums from a sample, take them in one scan, make the series."""
    columns = columns_of(opened)
    frame = opened.predictions
    first, last = opened.time_range
    grid = TimeGrid.over(first, last)
    needed = list(dict.fromkeys([*columns.needed(), *([opened.roles.request_id] if opened.roles.request_id else [])]))
    native = frame.to_native()
    if isinstance(native, pl.LazyFrame) and opened.row_count <= EAGER_ROWS:
        everything = collect(frame).sort(columns.time, maintain_order=True)
        frame = nw.from_native(everything.lazy())
    # drawn alike in every engine, so that edges and kept values are the same
    sample = sample_rows(frame, columns.time, Window(first, grid.time(grid.n)), needed, PLAN_ROWS, opened.row_count)
    if sample.height == 0:
        raise BadInput("the prediction log holds no usable row", file=str(opened.case.folder / "incident.yaml"))
    plan = make_plan(columns, grid, sample)
    aggregates = scan(frame, plan)
    series = metric_series(aggregates)
    series |= {s.name: s for s in share_series(aggregates)}
    if opened.service_metrics is not None:
        series |= {s.name: s for s in component_series(opened.service_metrics, grid)}
    return Prepared(opened, columns, frame, aggregates, series, read_decisions(Journal(opened.case.folder).entries()))


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


def picture_of(prepared: Prepared) -> Picture:
    """Scan all series for changes and lay the windows."""
    incident = prepared.case.case.incident
    given = None
    if incident.windows is not None:
        given = tuple(Window(*w) for w in (incident.windows.before, incident.windows.after))
    if prepared.decisions.windows is not None:  # a person brushed them in the notebook, knowing what the file says
        given = tuple(Window(*w) for w in prepared.decisions.windows)
    name = series_for(incident.signal.metric or "", prepared.series) or (incident.signal.metric or "")
    psi = psi_series(incident.signal.metric or "", prepared.series)
    return look(prepared.aggregates, prepared.series, (name, *psi), incident.detected_at, given)  # type: ignore[arg-type]


def case_facts(opened: OpenCase, changes: tuple[ChangeRecord, ...]) -> CaseFacts:
    """What was investigated, for the findings and the report."""
    incident = opened.case.incident
    slos = {k: {n: v for n, v in (("min", s.min), ("max", s.max)) if v is not None} for k, s in (incident.slos or {}).items()}
    return CaseFacts(
        case_id=incident.id,
        title=incident.title,
        service=incident.service or "",
        detected_at=incident.detected_at,
        summary=incident.signal.summary,
        task=opened.task,
        roles=opened.roles.to_dict(),
        inferred=dict(opened.roles.inferred),
        tables=tuple(TableFacts(t.name, tuple(t.files), t.rows, t.columns, t.sha256 or "") for t in opened.tables),
        changes=changes,
        slos=slos or None,
        impact=tuple(UnitValue(i.kpi, i.value_per_unit, i.currency) for i in incident.impact),
    )
