"""Series beside the log's own metrics: shares of values in the traffic, and the service metrics of components."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl

from rca_kit.aggregates.grid import TimeGrid
from rca_kit.aggregates.scan import Aggregates
from rca_kit.loop.reading.series import Series
from rca_kit.sources.clock import epoch_us, micros
from rca_kit.sources.collect import collect
from rca_kit.stats import metrics

MAX_VALUES = 12  # values per column followed over time; rarer ones are left to the comparison before/after
MIN_SHARE = 0.01  # a value below one request in a hundred moves no overall metric
MAX_COMPONENT_SERIES = 200
LOWER_IS_BETTER = (
    "error",
    "timeout",
    "fail",
    "restart",
    "queue",
    "latency",
    "lag",
    "age",
    "5xx",
    "oom",
    "gc",
    "pause",
    "drop",
    "reject",
    "retry",
    "throttl",
    "duration",
    "_ms",
    "backlog",
    "stale",
    "miss",
    "crash",
    "cpu",
    "memory",
    "util",
)
HIGHER_IS_BETTER = ("hit", "success", "avail", "coverage", "replicas", "ready", "healthy", "uptime")


def share_series(a: Aggregates) -> Iterator[Series]:
    """Share of each common value of each segment and categorical feature, and of each model version."""
    grid = a.plan.grid
    version = a.plan.columns.model_version
    done = set()
    for kind, plans in (("segment", a.plan.segments), ("feature", a.plan.features)):
        for plan in plans:
            if plan.column in done or plan.keep is not None or (plan.numeric and kind == "feature"):
                continue
            done.add(plan.column)
            counts = a.cubes[f"{kind}:{plan.column}"].by_value("n", grid.n_coarse)
            counts.pop(None, None)
            total = sum(counts.values(), np.zeros(grid.n_coarse))
            ranked = sorted(counts, key=lambda v: (-counts[v].sum(), str(v)))
            ranked = [v for v in ranked if _notable(counts[v], total)][:MAX_VALUES]
            if len(counts) == 2 and plan.column != version:
                ranked = ranked[-1:]
            for value in ranked:
                family = "version" if plan.column == version else "mix"
                yield Series(
                    f"share:{plan.column}={value}",
                    family,
                    None,
                    grid,
                    True,
                    (counts[value], total),
                    metrics.rate,
                    column=plan.column,
                    counts=True,
                )


def _notable(k: Any, n: Any) -> bool:
    """Common overall, or common in the busiest quarter of its life (a value that is new)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(n > 0, k / n, 0.0)
    top = np.sort(share)[-max(share.size // 20, 3) :]
    return bool(k.sum() >= MIN_SHARE * n.sum() or top.mean() >= 5 * MIN_SHARE)


ROW_MEASURES = (("kpi:", None), ("error_rate", "error"), ("accuracy", "correct"), ("log_loss", "log_loss"), ("mae", "abs_error"))


def segment_series(a: Aggregates, series: dict[str, Series]) -> Iterator[Series]:
    """Outcomes inside each common segment value, for faults that the whole hides: `segment:<metric>|<column>=<value>`."""
    grid = a.plan.grid
    wanted = [n for n in series if n.startswith("kpi:") or n in ("error_rate", "accuracy", "log_loss", "mae")]
    for plan in a.plan.segments:
        cube = a.cubes[f"segment:{plan.column}"]
        if plan.column == a.plan.columns.model_version or plan.keep is not None:
            continue
        total = cube.by_value("n", grid.n_coarse)
        common = sorted((v for v in total if v is not None), key=lambda v: (-total[v].sum(), str(v)))[:MAX_VALUES]
        for metric in wanted:
            parent = series[metric]
            measure = metric if metric.startswith("kpi:") else dict(ROW_MEASURES)[metric]
            names = [f"{measure}_s", *([] if parent.counts else [f"{measure}_ss"]), "n" if measure == "error" else f"{measure}_n"]
            if not set(names) <= set(cube.frame.columns):
                continue
            parts = [cube.by_value(c, grid.n_coarse) for c in names]
            for value in common:
                if total[value].sum() >= MIN_SHARE * sum(t.sum() for t in total.values()):
                    yield Series(
                        f"segment:{metric}|{plan.column}={value}",
                        "segment",
                        parent.good,
                        grid,
                        True,
                        tuple(p[value] for p in parts),
                        parent.formula,
                        column=plan.column,
                        counts=parent.counts,
                    )


def direction_of(metric: str) -> str | None:
    """Which way a service metric is good, from its name."""
    name = metric.lower()
    if any(w in name for w in HIGHER_IS_BETTER):
        return "higher"
    return "lower" if any(w in name for w in LOWER_IS_BETTER) else None


def component_series(frame: nw.LazyFrame[Any], grid: TimeGrid) -> Iterator[Series]:
    """Give one series per component and metric, averaged over dimension columns, `service:<component>:<metric>`."""
    since = micros(frame, "time") - epoch_us(grid.origin)
    value = nw.when(nw.col("value").is_finite()).then(nw.col("value"))
    grouped = collect(
        frame.select(
            (since // (grid.width_s * 1_000_000)).cast(nw.Int64).alias("rk_bucket"),
            nw.col("component").cast(nw.String).alias("component"),
            nw.col("metric").cast(nw.String).alias("metric"),
            value.alias("rk_x"),
            (value * value).alias("rk_xx"),
            (~value.is_null()).cast(nw.Int64).alias("rk_n"),
        )
        .group_by("rk_bucket", "component", "metric")
        .agg(nw.col("rk_x").sum(), nw.col("rk_xx").sum(), nw.col("rk_n").sum())
    )
    inside = grouped.filter((pl.col("rk_bucket") >= 0) & (pl.col("rk_bucket") < grid.n)).sort("component", "metric", "rk_bucket")
    for i, ((component, metric), part) in enumerate(inside.group_by("component", "metric", maintain_order=True)):
        if i >= MAX_COMPONENT_SERIES:
            return
        at = part["rk_bucket"].to_numpy()
        sums = []
        for column in ("rk_x", "rk_xx", "rk_n"):
            dense = np.zeros(grid.n)
            dense[at] = part[column].fill_null(0).to_numpy()
            sums.append(dense)
        name = f"service:{component}:{metric}"
        yield Series(name, "component", direction_of(str(metric)), grid, False, tuple(sums), _level, column=str(component))


def _level(total: Any, squares: Any, n: Any) -> metrics.Estimate:
    """Mean of samples; with one sample a bucket the error is unknown, so the value's own scale stands in."""
    value, error, count = metrics.mean(total, squares, n)
    spread = float(np.nanstd(value)) if np.isfinite(value).any() else 0.0
    return metrics.Estimate(value, np.where(np.isfinite(error) & (error > 0), error, np.maximum(spread, 1e-9)), count)
