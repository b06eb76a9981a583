"""A feature that moved in one segment only, for an alert about its drift that the whole does not bear out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import narwhals as nw
import numpy as np

from rca_kit.aggregates.cube import BUCKET, VALUE, Cube
from rca_kit.aggregates.rows import as_number, as_text, bin_index, bucket
from rca_kit.findings.scope import Segment
from rca_kit.loop.reading.derived import MAX_VALUES, MIN_SHARE
from rca_kit.loop.reading.detect import scan_all
from rca_kit.loop.reading.onset import joint_onset
from rca_kit.loop.reading.picture import Picture
from rca_kit.loop.reading.prepare import Prepared
from rca_kit.loop.reading.series import Series
from rca_kit.loop.relaid import laid
from rca_kit.loop.s3_scope.conditions import in_own_type
from rca_kit.sources.collect import collect
from rca_kit.stats import metrics

CLEARER = 1.25  # times the whole's z from which a segment tells it better


@dataclass(frozen=True)
class Drifted:
    """A feature that moved inside one segment: the segment, and the picture laid at the moment."""

    column: str
    segment: Segment
    picture: Picture

    def __str__(self) -> str:
        return f"{self.column} moved in {self.segment} more clearly than elsewhere"


def drifted_inside(prepared: Prepared, picture: Picture) -> Drifted | None:
    """The common segment value in which the alerted feature moved more clearly than in the whole; None where it did in none.

    What moves in all rows alike stands out most in all of them. Corrected for all values looked at.
    """
    asked = picture.series.get(picture.alert)
    if asked is None or asked.family != "input":
        return None
    column, inner = str(asked.column), {s.name: s for s in _ranks(prepared, picture, str(asked.column))}
    moved = [m for m in scan_all(inner.values(), picture.grid, picture.detected_at, ()).values() if m.moved] if inner else []
    first = max(moved, key=lambda m: (abs(m.fit.z), m.series.name), default=None)
    whole = picture.moves[picture.alert].scan.best
    if first is None or abs(first.fit.z) < CLEARER * abs(whole.z if whole is not None else 0.0):
        return None
    there = laid(picture, joint_onset([first], picture.grid))
    value = first.series.name.partition("|")[2].partition("=")[2]
    own = in_own_type(value, dict(prepared.frame.collect_schema())[str(first.series.column)])
    segment = Segment({str(first.series.column): own})
    return Drifted(column, segment, replace(there, anchor=None, group=()))


def _ranks(prepared: Prepared, picture: Picture, column: str) -> Iterator[Series]:
    """Mean rank over time of a numeric column inside each common value of each segment, one pass per segment column.

    Ranks by the plan's bins: amounts of money have tails that hide what most of them do.
    """
    plan, frame, grid = picture.aggregates.plan, prepared.frame, picture.grid
    edges = next((p.edges for p in plan.features if p.column == column), ())
    rank = bin_index(as_number(column, dict(frame.collect_schema())[column]), edges)
    for segment in plan.segments:
        if segment.keep is not None or segment.column in (column, plan.columns.model_version) or not edges:
            continue  # what a request holds is no matter of which version answers it
        rows = frame.select(
            (bucket(frame, plan) // grid.coarse).cast(nw.Int64).alias(BUCKET), as_text(segment.column).alias(VALUE),
            rank.alias("x"), (rank * rank).alias("xx"), (~rank.is_null()).cast(nw.Int64).alias("n"))
        table = collect(rows.group_by(BUCKET, VALUE).agg(nw.col("x").sum(), nw.col("xx").sum(), nw.col("n").sum()))
        cube = Cube.of((BUCKET, VALUE), table)
        sums = [cube.by_value(s, grid.n_coarse) for s in ("x", "xx", "n")]
        total = {v: float(n.sum()) for v, n in sums[2].items() if v is not None}
        common = sorted(total, key=lambda v: (-total[v], str(v)))[:MAX_VALUES]
        for value in common:
            if total[value] >= MIN_SHARE * np.sum(list(total.values())):
                name = f"rank:{column}|{segment.column}={value}"
                yield Series(name, "input", None, grid, True, tuple(s[value] for s in sums), metrics.mean, column=segment.column)
