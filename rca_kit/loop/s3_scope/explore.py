"""Slicing by hand: what `Investigation.slice` gives, with the metrics of the picked rows and the tables a person goes on with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl

from rca_kit.aggregates.leaves import Leaves
from rca_kit.aggregates.rows import outcome_columns
from rca_kit.errors import BadInput, did_you_mean
from rca_kit.findings.base import Finding
from rca_kit.findings.scope import describe_where
from rca_kit.findings.segments import Segments
from rca_kit.findings.slices import Slices
from rca_kit.loop.reading.names import public, series_for
from rca_kit.loop.reading.picture import Picture
from rca_kit.loop.s3_scope import slicing
from rca_kit.loop.s3_scope.localize import localize_leaves
from rca_kit.loop.s3_scope.search import MARK, Badness, badness_of, leaves, measure_of, usual_requests
from rca_kit.loop.s3_scope.slicing import Where
from rca_kit.stats.rates import Difference, difference
from rca_kit.stats.segments import Measure, Totals

PICKED, AFTER = "rk_picked", "rk_after"


@dataclass(frozen=True)
class Explorer:
    """The request log of one investigation with its two windows: hands out slices."""

    log: nw.LazyFrame[Any]
    picture: Picture
    metric: str

    def slice(self, where: Where | None = None, metric: str | None = None) -> Slice:
        """Pick the rows that meet a condition."""
        name = series_for(metric or self.metric, self.picture.series)
        if name is None:
            names = list(dict.fromkeys(public(n) for n, s in self.picture.series.items() if s.family != "helper"))
            raise BadInput("no such metric", found=str(metric), expected=", ".join(names), hint=did_you_mean(str(metric), names))
        condition = slicing.expression(self.log, where) if where else None
        return Slice(self, where or {}, name, self.log if condition is None else self.log.filter(condition), condition)


@dataclass(frozen=True, repr=False)
class Slice(Finding):
    """Some rows of the request log, before and after the onset, beside the rest.

    Attributes
    ----------
    where : str or dict
        Condition as typed, or a segment's conditions; empty for all rows.
    metric : str
        Whose change the tables tell; summed per row (an AUC falls where the log loss rises).
    requests : narwhals LazyFrame
        The rows themselves.
    """

    next_call = (
        "`.requests` for the rows; `.crosstab(a, b)`, `.drill_down()`, `.heat_map(a, b)`, `.waterfall(a)`, "
        "`.compare_with_rest()`, `.localize()`"
    )

    explorer: Explorer
    where: Where
    metric: str
    requests: nw.LazyFrame[Any]
    condition: nw.Expr | None = None

    @property
    def title(self) -> str:
        """The condition in words."""
        return self.where if isinstance(self.where, str) else describe_where(dict(self.where))

    def crosstab(self, rows: str, columns: str, *, value: str | None = None) -> Slices:
        """Count the requests crosswise over two columns, or average a value."""
        return slicing.crosstab(self.requests, rows, columns, value=value)

    def drill_down(self, where: dict[str, Any] | None = None, dimensions: Sequence[str] | None = None) -> Slices:
        """List every value below the slice, the one that carries most of the change first; `where` goes further down."""
        cells, measure = self._cells(dimensions)
        return slicing.drill_down(cells, measure, where)

    def heat_map(self, first: str, second: str) -> Slices:
        """Give the metric's change in every cell of two columns."""
        cells, measure = self._cells([first, second])
        return slicing.heat_map(cells, measure, first, second)

    def waterfall(self, dimension: str) -> Slices:
        """Walk from the metric before to the metric after, one step per value of a column, mix and rate apart."""
        cells, measure = self._cells([dimension])
        return slicing.waterfall(cells, measure, dimension)

    def compare_with_rest(self, columns: Sequence[str] | None = None, *, window: str = "after") -> Slices:
        """Rank every column by how much these rows differ in it from the rest; `window` is after, before or all."""
        if not self.where:
            raise BadInput("all rows are picked: there is no rest", hint="give slice() a condition")
        picture = self.explorer.picture
        windows = dict(zip(("before", "after"), picture.windows, strict=True))
        if window != "all" and window not in windows:
            raise BadInput("unknown window", found=window, expected="after, before or all")
        log, time = self.explorer.log, nw.col(picture.aggregates.plan.columns.time)
        if window in windows:
            log = log.filter((time >= windows[window].start) & (time < windows[window].end))
        return slicing.compare_with_rest(log, self.where, columns=columns)

    def localize(self, dimensions: Sequence[str] | None = None, *, max_depth: int | None = None) -> Segments:
        """Search inside the slice for the segments that carry its change."""
        cells, measure = self._cells(dimensions)
        bad = self._badness
        return localize_leaves(
            cells,
            measure,
            title=public(self.metric),
            max_depth=max_depth,
            direction=bad.direction if bad else "either",
        )

    @cached_property
    def _badness(self) -> Badness | None:
        return badness_of(self.explorer.picture, self.metric, dict(self.explorer.log.collect_schema()))

    def _cells(self, dimensions: Sequence[str] | None) -> tuple[Leaves, Measure]:
        picture, bad = self.explorer.picture, self._badness
        names = list(dimensions) if dimensions is not None else [p.column for p in picture.aggregates.plan.segments]
        if not names:
            raise BadInput("there is no column to slice by", hint="name columns, or give `segments` under roles")
        cells = leaves(self.requests, picture, names, bad)
        if cells is None:
            raise BadInput("no request before or after the onset meets the condition", found=self.title)
        if bad is not None:
            return cells, measure_of(cells, bad)
        # no measure per row: count requests, against what the same hours before would bring
        return cells, Totals(cells.sums[f"{MARK}_after"], cells.sums[f"{MARK}_before"] * usual_requests(picture))

    @cached_property
    def _table(self) -> tuple[dict[str, Any], ...]:
        """Every outcome before and after, for the slice and the rest, from one scan."""
        picture = self.explorer.picture
        schema, plan = dict(self.explorer.log.collect_schema()), picture.aggregates.plan
        measures = {k: e for k, e in outcome_columns(plan, schema).items() if k not in ("tp", "called")}
        bad = self._badness
        if bad is not None:
            measures = {f"row measure of {public(self.metric)}": bad.row, **measures}
        time, (before, after) = nw.col(plan.columns.time), picture.windows
        inside = [(time >= w.start) & (time < w.end) for w in (before, after)]
        keys = [nw.when(inside[1]).then(nw.lit(1)).otherwise(nw.lit(0)).alias(AFTER)]
        picked = nw.lit(True) if self.condition is None else self.condition
        keys.append(nw.when(picked).then(nw.lit(1)).otherwise(nw.lit(0)).alias(PICKED))
        values = [e.cast(nw.Float64).alias(f"m{i}") for i, e in enumerate(measures.values())]
        rows = self.explorer.log.filter(inside[0] | inside[1]).select(*keys, *values)
        names = [f"m{i}" for i in range(len(measures))]
        rows = rows.with_columns(*[(nw.col(m) * nw.col(m)).alias(f"{m}_ss") for m in names])
        sums = [nw.len().alias("n")]
        for m in names:
            sums += [nw.col(m).count().alias(f"{m}_n"), nw.col(m).sum().alias(f"{m}_s"), nw.col(f"{m}_ss").sum()]
        native = rows.group_by(AFTER, PICKED).agg(*sums).collect(backend="polars").to_native()
        return _side_by_side(native, list(measures))

    def rows(self) -> list[dict[str, Any]]:
        """One row per outcome: before and after with the change's 95 % interval, in the slice and in the rest."""
        return [dict(r) for r in self._table]

    def says(self) -> str:
        """Say how many requests were picked, and what became of the metric in them."""
        head, *rest = self._table
        share = head["n_after"] / max(head["n_after"] + head["rest_n_after"], 1)
        words = f"{self.title}: {head['n_after']:,.0f} requests after the onset ({share:.1%}), {head['n_before']:,.0f} before"
        row = rest[0] if rest and self._badness is not None else None
        if row is not None and row["before"] is not None and row["after"] is not None:
            words += f"; {row['measure']} {row['before']:.4g} -> {row['after']:.4g}"
            if row["rest_before"] is not None and row["rest_after"] is not None:
                words += f", the rest {row['rest_before']:.4g} -> {row['rest_after']:.4g}"
        return words + "."

    def to_dict(self) -> dict[str, Any]:
        """Plain form: the condition and the table."""
        return {"where": self.where, "metric": public(self.metric), "rows": self.rows()}


def _side_by_side(table: pl.DataFrame, names: list[str]) -> tuple[dict[str, Any], ...]:
    """Lay sums by window and side out as one row per measure."""

    def sums(column: str) -> list[float]:  # slice before, slice after, rest before, rest after
        out = []
        for picked, after in ((1, 0), (1, 1), (0, 0), (0, 1)):
            cell = table.filter((pl.col(AFTER) == after) & (pl.col(PICKED) == picked))[column]
            out.append(float(cell[0] or 0.0) if len(cell) else 0.0)
        return out

    counts = sums("n")
    out = [_row("requests", counts, [None] * 4, None)]
    for i, name in enumerate(names):
        n, s, ss = (np.array(sums(f"m{i}_{k}")) for k in ("n", "s", "ss"))
        mean = np.divide(s, n, out=np.full(4, np.nan), where=n > 0)
        error = np.sqrt(np.maximum(np.divide(ss, n, out=np.full(4, np.nan), where=n > 0) - mean**2, 0) / np.maximum(n - 1, 1))
        change = difference(mean[0], error[0], mean[1], error[1]) if min(n[0], n[1]) > 1 else None
        shown = [float(m) if np.isfinite(m) else None for m in mean]
        out.append(_row(name.replace("log:", "log of "), n.tolist(), shown, change))
    return tuple(out)


def _row(name: str, n: list[float], mean: list[float | None], change: Difference | None) -> dict[str, Any]:
    return {
        "measure": name,
        "before": mean[0],
        "after": mean[1],
        "low": change.low if change else None,
        "high": change.high if change else None,
        "rest_before": mean[2],
        "rest_after": mean[3],
        "n_before": int(n[0]),
        "n_after": int(n[1]),
        "rest_n_before": int(n[2]),
        "rest_n_after": int(n[3]),
    }
