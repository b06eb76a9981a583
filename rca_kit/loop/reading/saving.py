"""Aggregates of a case for keeping: summed on a grid that merges with any longer one, with some rows."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl

from rca_kit.aggregates.grid import TimeGrid
from rca_kit.aggregates.hashing import HASH_PRIME
from rca_kit.aggregates.kept import KEPT, Kept, Limits, chosen, coarse_buckets
from rca_kit.aggregates.plan import Columns, Plan
from rca_kit.aggregates.saved import Saved
from rca_kit.aggregates.scan import Aggregates, scan
from rca_kit.errors import BadInput, did_you_mean
from rca_kit.loop.progress import Meter, Report
from rca_kit.loop.reading.plan import columns_of, plan_of
from rca_kit.sources import OpenCase, open_case
from rca_kit.sources.collect import collect
from rca_kit.sources.log import UNSEEN
from rca_kit.sources.saved import roles_of, summaries

ROWS_KEPT = 24_000  # rows a file keeps: a few megabytes of thirty columns
RECENT = timedelta(hours=12)  # half of them from this long before the alert to as long after: an incident lasts hours, a log days
MOST_TEXTS = 4  # columns of prose that are kept: the checks of texts and the samples read no more


class Keeper:
    """Keeps rows of the batches it is shown, by hash, at most a set share of each stretch of time."""

    def __init__(self, columns: Columns, grid: TimeGrid, limits: Limits, meter: Meter) -> None:
        self.columns, self.grid, self.limits, self.meter = columns, grid, limits, meter
        self.parts: list[pl.DataFrame] = []

    def __call__(self, batch: pl.DataFrame) -> None:
        """Keep what is chosen of one batch."""
        rows = chosen(nw.from_native(batch.lazy()), self.columns, int(self.limits.max())).to_native().collect()
        at = coarse_buckets(rows[self.columns.time], self.grid)
        self.parts.append(rows.filter(pl.Series(rows[KEPT].to_numpy() < self.limits[at])))
        self.meter.add(batch.height)

    def kept(self) -> Kept:
        """All rows kept so far."""
        return Kept.of(self.parts, self.limits, self.columns.time, self.grid)


def even_limits(grid: TimeGrid, rows: int, wanted: int) -> Limits:
    """Limits that keep about so many rows at one rate."""
    return np.full(grid.n_coarse, HASH_PRIME if rows <= wanted else max(int(HASH_PRIME * wanted / rows), 1))


def recent_limits(grid: TimeGrid, rows: int, wanted: int, alert: datetime) -> Limits:
    """Limits that keep half the wanted rows near the alert and half elsewhere, as if traffic were even."""
    if rows <= wanted:
        return np.full(grid.n_coarse, HASH_PRIME)
    times = grid.times(coarse=True)
    near = np.array([alert - RECENT <= t <= alert + RECENT for t in times])
    share = max(float(near.mean()), 1 / grid.n_coarse)
    half = wanted / 2 / rows
    rates = np.where(near, half / share, half / max(1 - share, 1 / grid.n_coarse))
    return np.asarray(np.clip(rates * HASH_PRIME, 1, HASH_PRIME), dtype=np.int64)


def kept_columns(opened: OpenCase, columns: Columns) -> list[str]:
    """Columns worth keeping of a row: those of the sums, ids, and some prose."""
    r = opened.roles
    prose = [c.name for c in opened.columns if c.kind == "text"][:MOST_TEXTS]
    known = opened.predictions.collect_schema().names()
    return [c for c in dict.fromkeys((*columns.needed(), r.request_id, r.label_time, *prose)) if c in known]


def sum_and_keep(opened: OpenCase, plan: Plan, limits: Limits, report: Report | None = None) -> tuple[Aggregates, Kept]:
    """Sum a log and keep rows of it, in one pass where the engine is Polars."""
    frame, columns = opened.predictions, plan.columns
    keeper, also = Keeper(columns, plan.grid, limits, Meter("rows", opened.row_count, report)), kept_columns(opened, columns)
    aggregates = scan(frame, plan, also, keeper)
    if not isinstance(frame.to_native(), pl.LazyFrame):
        picked = chosen(frame.select(*[nw.col(c) for c in also]), columns, int(limits.max()))
        keeper.parts.append(collect(picked))
    return aggregates, keeper.kept()


def aggregate_case(
    case: str | Path | OpenCase, like: str | Path | Saved | None = None, rows: int = ROWS_KEPT, engine: str = "polars",
    report: Report | None = None,
) -> Saved:
    """Sum the log of a case for keeping.

    Parameters
    ----------
    case : path or OpenCase
        The case folder. Its log must be here as rows.
    like : path or Saved, optional
        Earlier aggregates whose roles, bins and kept values are used again, so that both merge.
    rows : int
        About how many rows to keep with the sums.
    engine : {"polars", "duckdb", "spark"}
        What reads and sums the log.
    report : callable, optional
        Told of rows read and time left.

    Returns
    -------
    Saved
        ``.save(path)`` writes it, ``.merge(other)`` adds other days or regions.

    Raises
    ------
    BadInput
        When the case cannot be used, or lacks a column of `like`.
    """
    opened = case if isinstance(case, OpenCase) else open_case(case, engine=engine)
    if opened.saved:
        raise BadInput("this case's log is here as aggregates already", file=str(opened.case.folder / "incident.yaml"),
                       hint="rca-kit merge puts several files of aggregates together")
    first, last = opened.time_range
    grid = TimeGrid.mergeable(first, last)
    if like is None:
        plan = plan_of(opened, columns_of(opened), grid)
        about = {"roles": opened.roles.to_dict(), "inferred": opened.roles.inferred, "positive": opened.positive,
                 "task": opened.task}
    else:
        base = like if isinstance(like, Saved) else Saved.load(like)
        plan = replace(base.aggregates.plan, grid=grid)
        about = {k: base.log[k] for k in ("roles", "inferred", "positive", "task")}
        opened = replace(opened, roles=roles_of(base.log))
        _check_columns(opened, plan.columns.needed(), base.name)
    limits = recent_limits(grid, opened.row_count, rows, opened.case.incident.detected_at)
    aggregates, kept = sum_and_keep(opened, plan, limits, report)
    files = next((list(t.files) for t in opened.tables if t.name == "predictions"), [])
    log: dict[str, Any] = {"rows": opened.row_count, "first": first, "last": last, "columns": summaries(opened.columns),
                           "warnings": [w for w in opened.warnings if UNSEEN not in w], "files": files, **about}
    return Saved(aggregates, kept, log, opened.case.incident.id)


def _check_columns(opened: OpenCase, needed: list[str], base: str) -> None:
    known = opened.predictions.collect_schema().names()
    for column in needed:
        if column not in known:
            raise BadInput(f"the column is missing; {base} was summed with it", column=column, found=", ".join(known[:30]),
                           hint=did_you_mean(column, known))
