"""Read a case once: columns by role, a plan from a sample, the sums, the series, the picture."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl

from rca_kit.aggregates.grid import TimeGrid
from rca_kit.aggregates.kept import KEPT, Kept
from rca_kit.aggregates.plan import Columns
from rca_kit.aggregates.saved import Saved, common_grid
from rca_kit.aggregates.scan import Aggregates, scan
from rca_kit.case.decisions import NOTHING, Decisions, read_decisions
from rca_kit.case.journal import Journal
from rca_kit.findings.base import Window
from rca_kit.findings.investigation import CaseFacts, ChangeRecord, TableFacts, UnitValue
from rca_kit.loop.progress import Report
from rca_kit.loop.reading.arrivals import Ripeness, come_by, known_by_delay
from rca_kit.loop.reading.derived import component_series, share_series
from rca_kit.loop.reading.names import psi_series, series_for
from rca_kit.loop.reading.picture import Picture, look
from rca_kit.loop.reading.plan import columns_of, plan_of
from rca_kit.loop.reading.sampling import sample_rows
from rca_kit.loop.reading.saving import aggregate_case, even_limits, sum_and_keep
from rca_kit.loop.reading.series import Series, metric_series
from rca_kit.loop.s7_settle.decisions import team_table
from rca_kit.sources import OpenCase
from rca_kit.sources.collect import collect
from rca_kit.sources.columns import EAGER_ROWS
from rca_kit.stats.threads import one_thread

DELAY_ROWS = 40_000  # sampled rows that tell how labels come
ASKED_ROWS = 600_000  # rows of a larger log that later questions are asked of: some hundred megabytes of thirty columns


@dataclass(frozen=True)
class Prepared:
    """A case read once: its aggregates, its series, and the frame that later questions are asked of.

    `kept` is set when that frame holds only some rows of the log; `share` then tells how many of those before and after, once
    `focused`; `readable` whether the rest can be read again. `decision_table` is the team's own, where there is one.
    """

    case: OpenCase
    columns: Columns
    frame: nw.LazyFrame[Any]
    aggregates: Aggregates
    series: dict[str, Series]
    decisions: Decisions = NOTHING
    kept: Kept | None = None
    share: tuple[float, float] = (1.0, 1.0)
    readable: bool = True
    decision_table: Path | None = None

    @property
    def at_hand(self) -> bool:
        """Whether the rows are read by this process: another engine would scan a whole table for each question about a number."""
        return isinstance(self.frame.to_native(), pl.LazyFrame)


def prepare(opened: OpenCase, report: Report | None = None) -> Prepared:
    """Plan the sums from a sample, take them in one scan, make the series; `report` is told of rows read."""
    table = team_table(opened.case.folder)  # told before an hour of scanning, not after
    return replace(_prepared(opened, report), decision_table=table)


def _prepared(opened: OpenCase, report: Report | None) -> Prepared:
    if opened.saved:
        return _with_series(from_saved(opened, report))
    columns, frame = columns_of(opened), opened.predictions
    grid = TimeGrid.over(*opened.time_range)
    streamed = isinstance(frame.to_native(), pl.LazyFrame)
    if streamed and opened.row_count <= EAGER_ROWS:
        everything = collect(frame)
        if not everything[columns.time].is_sorted():
            everything = everything.sort(columns.time, maintain_order=True)
        frame = nw.from_native(everything.lazy())
    plan = plan_of(opened, columns, grid, frame)
    if streamed and opened.row_count > EAGER_ROWS:
        limits = even_limits(grid, opened.row_count, ASKED_ROWS)
        aggregates, kept = sum_and_keep(opened, plan, limits, report)
        rows = nw.from_native(kept.frame.drop(KEPT).lazy())
        return _with_series(Prepared(opened, columns, rows, aggregates, {}, kept=kept))
    return _with_series(Prepared(opened, columns, frame, scan(frame, plan), {}))


def from_saved(opened: OpenCase, report: Report | None = None) -> Prepared:
    """A case whose log is here as aggregates: merged, on the grid its rows would have got. Newer rows are summed alike."""
    parts = [Saved.of(archive, name) for name, archive in opened.saved]
    if opened.newer is not None:
        parts.append(aggregate_case(opened.newer, parts[0], ASKED_ROWS, report=report))
    whole = reduce(Saved.merge, parts)
    grid = common_grid(*opened.time_range, whole.aggregates.plan.grid)
    whole = whole.on(grid) if grid else whole
    rows = nw.from_native(whole.kept.frame.drop(KEPT).lazy())
    return Prepared(opened, whole.aggregates.plan.columns, rows, whole.aggregates, {}, kept=whole.kept, readable=False)


def _with_series(prepared: Prepared) -> Prepared:
    series = metric_series(prepared.aggregates)
    series |= {s.name: s for s in share_series(prepared.aggregates)}
    metrics = prepared.case.service_metrics
    if metrics is not None:
        series |= {s.name: s for s in component_series(metrics, prepared.aggregates.plan.grid)}
    decisions = read_decisions(Journal(prepared.case.case.folder).entries())
    return replace(prepared, series=series, decisions=decisions)


@one_thread
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
    alerts = (name, *psi)
    return look(prepared.aggregates, prepared.series, alerts, incident.detected_at, given, ripeness(prepared))  # type: ignore[arg-type]


def ripeness(prepared: Prepared) -> Ripeness:
    """How late labels come, where a column says when each came."""
    c, at, grid = prepared.columns, prepared.case.roles.label_time, prepared.aggregates.plan.grid
    schema = prepared.frame.collect_schema()
    if at is None or c.label is None or not {at, c.label} <= set(schema) or not isinstance(schema[at], nw.Datetime):
        return Ripeness()
    there = float(prepared.aggregates.cubes["time"].dense("n", grid.n).sum())
    if prepared.kept is not None:
        there = float(prepared.kept.frame.height)
    whole = Window(grid.origin, grid.time(grid.n))
    wanted = [at, c.label, *([c.score] if c.score is not None and c.score in schema else [])]
    rows = sample_rows(prepared.frame, c.time, whole, wanted, DELAY_ROWS, there)
    asked, came = (rows[n].dt.epoch("s").cast(pl.Float64).fill_null(np.nan).to_numpy() for n in (c.time, at))
    now = float(np.nanmax(np.concatenate([asked, came])))
    middles = grid.origin.timestamp() + (np.arange(grid.n_coarse, dtype=np.float64) + 0.5) * grid.coarse_s
    due = come_by(came - asked, now - asked, now - middles)
    if prepared.aggregates.plan.label_kind == "class":
        return Ripeness(due=due)
    positive = c.positive.get(c.label)
    y = (pl.col(c.label) == positive if positive is not None else pl.col(c.label)).cast(pl.Float64, strict=False)
    if c.score in rows.columns and prepared.aggregates.plan.label_kind == "number":  # whose errors are what must be alike
        y = y - pl.col(c.score).cast(pl.Float64, strict=False)
    label = rows.select(y.fill_null(np.nan)).to_series().to_numpy()
    age = known_by_delay(came - asked, label, now - asked)
    if age is None:
        return Ripeness(due=due)
    return Ripeness(int(np.clip((now - age - grid.origin.timestamp()) // grid.coarse_s, 1, grid.n_coarse)), due)


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
