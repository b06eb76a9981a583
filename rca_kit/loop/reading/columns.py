"""Columns before and after, from the cubes: the bridge between aggregates and the drift statistics."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rca_kit.aggregates.cube import BUCKET, VALUE
from rca_kit.aggregates.plan import OTHER as OTHER_VALUES
from rca_kit.aggregates.plan import FeaturePlan
from rca_kit.loop.reading.picture import Picture
from rca_kit.stats.drift import OTHER, ColumnChange, ColumnStats, compare_column, decide

Floats = NDArray[np.float64]
DAY_S = 86400
LEVEL = 0.005  # stricter than for a table alone: much else is looked at beside the columns


def compare_columns(picture: Picture) -> dict[str, ColumnChange]:
    """Compare every feature before and after the onset, season-aware and corrected over all columns."""
    grid = picture.grid
    blocks_b, blocks_a = _blocks(picture)
    if blocks_b.size < 1 or blocks_a.size < 1:
        return {}
    phase = (grid.seconds(coarse=True) % DAY_S) // 3600 if grid.coarse_s <= 3600 and picture.windows[0].seconds >= DAY_S else None
    if phase is not None:
        finer = phase + 24 * grid.weekend(coarse=True)
        if np.isin(finer[blocks_a], finer[blocks_b]).all():
            phase = finer
    out = []
    for plan in picture.aggregates.plan.features:
        sides = [_stats(picture, plan, b, phase) for b in (blocks_b, blocks_a)]
        if min(s.rows for s in sides) > 0:
            out.append(compare_column(*sides, judge=False))
    return {c.column: c for c in decide(out, level=LEVEL)}


def _blocks(picture: Picture) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Coarse buckets that lie wholly in each window."""
    grid = picture.grid
    whole = np.arange(grid.n_coarse)
    edges = [(grid.index(w.start) / grid.coarse, grid.index(w.end) / grid.coarse) for w in picture.windows]
    return tuple(whole[(whole >= np.ceil(a)) & (whole + 1 <= np.ceil(b))] for a, b in edges)


def _stats(picture: Picture, plan: FeaturePlan, blocks: NDArray[np.int64], phase: NDArray[np.int64] | None) -> ColumnStats:
    a, grid = picture.aggregates, picture.grid
    frame = a.cubes[f"feature:{plan.column}"].frame
    present = frame.drop_nulls(VALUE)
    index = {int(b): i for i, b in enumerate(blocks)}
    hours = phase[blocks] if phase is not None else None
    if plan.numeric:
        counts = np.zeros((grid.n_coarse, len(plan.edges) + 1), np.int64)
        counts[present[BUCKET].to_numpy(), present[VALUE].to_numpy()] = present["n"].to_numpy()
        missing = _missing(frame, grid.n_coarse)
        i = next(i for i, f in enumerate(a.plan.features) if f.column == plan.column)
        time = a.cubes["time"]
        sums, squares = (_coarse(time.dense(f"feature{i}_{x}", grid.n), grid.coarse)[blocks] for x in ("s", "ss"))
        return ColumnStats.number(
            plan.column, np.array(plan.edges), counts[blocks], missing[blocks], phase=hours, sums=sums, squares=squares
        )
    labels = sorted(v for v in present[VALUE].unique().to_list() if v != OTHER_VALUES)
    code = {v: i for i, v in enumerate([*labels, OTHER_VALUES])}
    table = np.zeros((len(index), len(code)), np.int64)
    for b, v, n in present.select(BUCKET, VALUE, "n").iter_rows():
        if b in index:
            table[index[b], code[v]] += n
    names = (*labels, OTHER)
    return ColumnStats.category(plan.column, names, table, _missing(frame, grid.n_coarse)[blocks], phase=hours)


def _missing(frame: object, n: int) -> NDArray[np.int64]:
    import polars as pl

    assert isinstance(frame, pl.DataFrame)
    out = np.zeros(n, np.int64)
    gone = frame.filter(pl.col(VALUE).is_null())
    out[gone[BUCKET].to_numpy()] = gone["n"].to_numpy()
    return out


def _coarse(x: Floats, factor: int) -> Floats:
    pad = -x.size % factor
    return np.asarray(np.concatenate([x, np.zeros(pad)]).reshape(-1, factor).sum(1))
