"""A feature that moved in one segment only, for an alert about its drift that the whole does not bear out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import narwhals as nw
import numpy as np

from rca_kit.aggregates.cube import BUCKET, VALUE, Cube
from rca_kit.aggregates.rows import as_number, as_text, bucket
from rca_kit.loop.reading.derived import MAX_VALUES, MIN_SHARE
from rca_kit.loop.reading.detect import scan_all
from rca_kit.loop.reading.onset import joint_onset
from rca_kit.loop.reading.picture import Picture
from rca_kit.loop.reading.prepare import Prepared
from rca_kit.loop.reading.series import Series
from rca_kit.loop.relaid import laid
from rca_kit.sources.collect import collect
from rca_kit.stats import metrics


def drifted_inside(prepared: Prepared, picture: Picture) -> Picture | None:
    """The picture laid where the alerted feature moved inside one common segment value; None where it did in none.

    Corrected for all values looked at. The columns' own comparison says then what moved, and the search for the scope where.
    """
    asked = picture.series.get(picture.alert)
    if asked is None or asked.family != "input" or picture.moves[picture.alert].moved:
        return None
    inner = list(_means(prepared, picture, str(asked.column)))
    moves = scan_all(inner, picture.grid, picture.detected_at, ()) if inner else {}
    first = max((m for m in moves.values() if m.moved), key=lambda m: (abs(m.fit.z), m.series.name), default=None)
    return replace(laid(picture, joint_onset([first], picture.grid)), anchor=None, group=()) if first is not None else None


def _means(prepared: Prepared, picture: Picture, column: str) -> Iterator[Series]:
    """Means over time of a numeric column inside each common value of each segment, one pass per segment column."""
    plan, frame, grid = picture.aggregates.plan, prepared.frame, picture.grid
    x = as_number(column, dict(frame.collect_schema())[column])
    for segment in plan.segments:
        if segment.keep is not None or segment.column == column:
            continue
        rows = frame.select(
            (bucket(frame, plan) // grid.coarse).cast(nw.Int64).alias(BUCKET), as_text(segment.column).alias(VALUE),
            x.alias("x"), (x * x).alias("xx"), (~x.is_null()).cast(nw.Int64).alias("n"))
        table = collect(rows.group_by(BUCKET, VALUE).agg(nw.col("x").sum(), nw.col("xx").sum(), nw.col("n").sum()))
        cube = Cube.of((BUCKET, VALUE), table)
        sums = [cube.by_value(s, grid.n_coarse) for s in ("x", "xx", "n")]
        total = {v: float(n.sum()) for v, n in sums[2].items() if v is not None}
        common = sorted(total, key=lambda v: (-total[v], str(v)))[:MAX_VALUES]
        for value in common:
            if total[value] >= MIN_SHARE * np.sum(list(total.values())):
                name = f"mean:{column}|{segment.column}={value}"
                yield Series(name, "input", None, grid, True, tuple(s[value] for s in sums), metrics.mean, column=segment.column)
