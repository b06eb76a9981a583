"""One column for a person to look at: how it was spread before and after, and how far it was from before at each time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from rca_kit.aggregates.cube import BUCKET, VALUE
from rca_kit.aggregates.plan import OTHER, FeaturePlan
from rca_kit.loop.reading.picture import Picture
from rca_kit.stats.drift.distances import psi

Floats = NDArray[np.float64]
MOST_BARS = 30  # of a histogram: categories beyond it are one bar
MOST_POINTS = 120  # of PSI over time
LEAST_ROWS = 50  # per point: fewer rows make a PSI of their own by chance


@dataclass(frozen=True)
class FeatureView:
    """One column over time. `before` and `after` are shares by label; `psi` is None where too few rows came."""

    column: str
    numeric: bool
    labels: tuple[str, ...]
    before: tuple[float, ...]
    after: tuple[float, ...]
    times: tuple[datetime, ...]
    psi: tuple[float | None, ...]
    null_rate: tuple[float | None, ...]
    rows: tuple[int, ...]


def feature_view(picture: Picture, column: str) -> FeatureView | None:
    """Look at one column; None when it is not among the summed ones."""
    plans = {p.column: p for p in picture.aggregates.plan.features}
    plan = plans.get(column)
    if plan is None:
        return None
    grid = picture.grid
    frame = picture.aggregates.cubes[f"feature:{column}"].frame
    labels, counts = _table(plan, frame, grid.n_coarse)
    weights = [_coarse_weights(w, grid.coarse, grid.n_coarse) for w in (picture.before, picture.after)]
    sides = [w @ counts for w in weights]
    if len(labels) - 1 > MOST_BARS and not plan.numeric:  # the last one is "missing"
        order = np.argsort(-(sides[0] + sides[1])[:-1], kind="stable")
        kept, rest = order[: MOST_BARS - 1], order[MOST_BARS - 1 :]
        counts = np.column_stack([counts[:, kept], counts[:, rest].sum(1), counts[:, -1]])
        labels = (*(labels[i] for i in kept), f"{len(rest)} others", "missing")
        sides = [w @ counts for w in weights]
    step = -(-grid.n_coarse // MOST_POINTS)
    parts = [counts[i : i + step].sum(0) for i in range(0, grid.n_coarse, step)]
    shares = [tuple((s / s.sum()).tolist()) if s.sum() > 0 else tuple(0.0 for _ in labels) for s in sides]
    return FeatureView(
        column,
        plan.numeric,
        labels,
        shares[0],
        shares[1],
        tuple(grid.time(i, coarse=True) for i in range(0, grid.n_coarse, step)),
        tuple(float(psi(sides[0], p)) if p.sum() >= LEAST_ROWS and sides[0].sum() > 0 else None for p in parts),
        tuple(float(p[-1] / p.sum()) if p.sum() > 0 else None for p in parts),
        tuple(int(p.sum()) for p in parts),
    )


def _table(plan: FeaturePlan, frame: pl.DataFrame, n: int) -> tuple[tuple[str, ...], Floats]:
    """Rows by coarse bucket and label, shape (n, labels); "missing" comes last."""
    present = frame.drop_nulls(VALUE)
    if plan.numeric:
        labels = [_range(plan.edges, i) for i in range(len(plan.edges) + 1)]
        code = present[VALUE].cast(pl.Int64).to_numpy()
    else:
        known = sorted(present[VALUE].unique().to_list(), key=lambda v: (v == OTHER, v))
        labels = ["other values" if v == OTHER else str(v) for v in known]
        index = {v: i for i, v in enumerate(known)}
        code = np.array([index[v] for v in present[VALUE].to_list()], dtype=np.int64)
    out = np.zeros((n, len(labels) + 1))
    np.add.at(out, (present[BUCKET].to_numpy(), code), present["n"].to_numpy())
    gone = frame.filter(pl.col(VALUE).is_null())
    out[gone[BUCKET].to_numpy(), -1] = gone["n"].to_numpy()
    return (*labels, "missing"), out


def _range(edges: tuple[float, ...], i: int) -> str:
    if not edges:
        return "any value"
    if i == 0:
        return f"< {edges[0]:.4g}"
    return f"≥ {edges[-1]:.4g}" if i == len(edges) else f"{edges[i - 1]:.4g} to {edges[i]:.4g}"


def _coarse_weights(fine: Floats, factor: int, n: int) -> Floats:
    padded = np.concatenate([fine, np.zeros(n * factor - fine.size)])
    return np.asarray(padded.reshape(n, factor).mean(1))
