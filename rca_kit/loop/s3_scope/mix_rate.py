"""How much of an outcome's change is mix, how much is rate, at the same hours before and after."""

from __future__ import annotations

from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from rca_kit.aggregates.coding import Leaves
from rca_kit.aggregates.grid import DAY_S
from rca_kit.aggregates.leaves import leaves
from rca_kit.aggregates.rows import as_text, bucket
from rca_kit.findings.scope import MixRate
from rca_kit.loop.reading.picture import Picture
from rca_kit.loop.reading.prepare import Prepared
from rca_kit.loop.s3_scope.search import Badness, badness_of, dimensions
from rca_kit.stats.mixrate import decompose

NOVEL, NOVEL_SHARE = 0.005, 0.02  # share before below which a value is new; share after at which new values matter
HOUR_S = 3600
BESIDE = " & "  # joins the names of two columns, and of their values
SUM, ROWS, SQUARES = "sum", "rows", "squares"  # of the row measure, all weighted


def mix_and_rate(
    prepared: Prepared, picture: Picture, metric: str, by_ranges: tuple[str, ...] = ()
) -> tuple[MixRate, ...]:
    """Split the change of a metric's row measure into mix and rate, over each segment column and each column of `by_ranges`.

    A number is cut into ranges; each of these columns is looked at by itself and within the values of each segment column.

    Rows before are weighted to the hours of after, as all readings are: a segment that is worse in the evening is no worse
    after because the log ends in an evening. A metric inside one segment (`segment:accuracy|country=AT`) is split over the
    other columns, by that segment's rows.
    """
    frame, columns = prepared.frame, dimensions(prepared.aggregates.plan)
    if metric.startswith("segment:"):
        inside, value = picture.series[metric].column or "", metric.partition("|")[2].partition("=")[2]
        metric = metric.removeprefix("segment:").partition("|")[0]
        frame, columns = frame.filter(as_text(inside) == value), [c for c in columns if c != inside]
    columns = [*columns, *(c for c in by_ranges if c not in columns)]
    bad = badness_of(picture, metric, dict(frame.collect_schema()))
    if bad is None or not columns:
        return ()
    before, after = picture.windows
    table = leaves(
        frame, columns, measures=_weighted(frame, picture, bad), time=picture.aggregates.plan.columns.time,
        windows=((before.start, before.end), (after.start, after.end)),
    )
    if not len(table.codes):
        return ()
    sums = {(kind, side): table.sums[f"{kind}_{side}"] for kind in (SUM, ROWS, SQUARES) for side in ("before", "after")}
    n = max(sum(float(sums[ROWS, w].sum()) for w in ("before", "after")), 1.0)
    mean, square = (sum(float(sums[kind, w].sum()) for w in ("before", "after")) / n for kind in (SUM, SQUARES))
    variance = None if bad.binary else max(square - mean**2, 0.0)
    out = []
    for over in _splits(columns, by_ranges):
        group, names = _groups(table, [columns.index(c) for c in over])
        b0, n0, b1, n1 = (
            np.bincount(group, sums[kind, w], len(names)).astype(float) for w in ("before", "after") for kind in (SUM, ROWS)
        )
        novel = float(n1[n0 < NOVEL * n0.sum() / (1 if len(over) == 1 else len(names))].sum() / max(n1.sum(), 1.0))
        if novel > NOVEL_SHARE or min(n0.sum(), n1.sum()) <= 0:  # what was never seen before has no rate of its own to hold
            continue
        d = decompose(b0, n0, b1, n1, variance)
        parts = zip(names, d.mix_parts.tolist(), d.rate_parts.tolist(), strict=True)
        out.append(MixRate(BESIDE.join(over), d.total, d.mix, d.rate, d.simpson, tuple(parts), d.rate_interval))
    return tuple(out)


def _splits(columns: list[str], by_ranges: tuple[str, ...]) -> list[tuple[str, ...]]:
    """What the change is split over: each column, and each segment column together with each that is cut into ranges."""
    segments = [c for c in columns if c not in by_ranges]
    return [*((c,) for c in columns), *((s, c) for s in segments for c in by_ranges)]


def _groups(table: Leaves, at: list[int]) -> tuple[NDArray[np.intp], list[str]]:
    """Group of each leaf by the columns at these places, shape (leaves,), and the groups' names."""
    if len(at) == 1:
        return table.codes[:, at[0]].astype(np.intp), [str(v) for v in table.values[at[0]]]
    cells, group = np.unique(table.codes[:, at], axis=0, return_inverse=True)
    named = [BESIDE.join(str(table.values[i][k]) for i, k in zip(at, cell, strict=True)) for cell in cells]
    return group.reshape(-1).astype(np.intp), named


def _weighted(frame: nw.LazyFrame[Any], picture: Picture, bad: Badness) -> dict[str, nw.Expr]:
    """The row measure, rows and squares, each times the weight of the row's hour."""
    weight, value = _weight(frame, picture), bad.row.cast(nw.Float64)
    known = nw.when(~value.is_null()).then(weight)
    return {SUM: value * weight, ROWS: known, SQUARES: value * value * weight}


def _weight(frame: nw.LazyFrame[Any], picture: Picture) -> nw.Expr:
    """Weight of a row: 1 after; before that of its hour, scaled so that the rows count as many as they tell (Kish 1965)."""
    grid = picture.grid
    if not picture.matched:
        return nw.lit(1.0)
    rows = picture.aggregates.cubes["time"].dense("n", grid.n)
    weights = picture.before * float((picture.before * rows).sum()) / max(float((picture.before**2 * rows).sum()), 1e-12)
    width = max(grid.width_s, HOUR_S)
    slots: NDArray[np.int64] = grid.weekend() * DAY_S + grid.seconds() % DAY_S // width
    known = weights > 0
    by_slot = dict(zip(slots[known].tolist(), weights[known].tolist(), strict=True))
    seconds = bucket(frame, picture.aggregates.plan) * grid.width_s + int(grid.origin.timestamp())
    weekend = (((seconds + grid.ahead_s) // DAY_S + 3) % 7 >= 5).cast(nw.Int64)
    slot = weekend * DAY_S + seconds % DAY_S // width
    own = sum((nw.when(slot == s).then(nw.lit(w)).otherwise(nw.lit(0.0)) for s, w in by_slot.items()), nw.lit(0.0))
    after = nw.col(picture.aggregates.plan.columns.time) >= picture.windows[1].start
    return nw.when(after).then(nw.lit(1.0)).otherwise(own)
