"""Ranges and values of features that carry a change when no segment column does: `motor_current >= 33.9`."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import narwhals as nw
import numpy as np

from rca_kit.aggregates.leaves import Leaves
from rca_kit.aggregates.plan import Columns
from rca_kit.aggregates.rows import as_number
from rca_kit.findings.scope import Scope, Segment
from rca_kit.loop.reading.names import public
from rca_kit.loop.reading.picture import Picture
from rca_kit.loop.s3_scope.clumped import clumps_of
from rca_kit.loop.s3_scope.localize import as_segment
from rca_kit.loop.s3_scope.rest import rest_of
from rca_kit.loop.s3_scope.search import Badness, leaves, look_for, measure_of, segments_of
from rca_kit.sources.collect import collect
from rca_kit.stats.segments import Counts, Means
from rca_kit.stats.segments.evidence import sum_columns
from rca_kit.stats.segments.found import Found

# A feature's values grade nearly every outcome (a score is made of them), so a range counts only where it holds practically the
# whole change, or all of it but what chance moves outside, and is not most of the traffic; a wide one, if the rest stood still.
IMPACT_LEAST, TRAFFIC_MOST, WIDE_MOST = 0.9, 0.6, 0.75
DRIFT_MOST = 0.25  # change per row outside, as part of that inside
STILL = math.log(0.05)  # log chance from which the rest stood still
SURE_Q = 1e-4
BINS = 20  # of a numeric feature: fine enough for a border, each with rows enough to move
MOST_OTHERS = 12  # numbers without a role that are asked
THERE_BEFORE = 30  # rows that a range must have had before: those of a running number are new, and tell the time
BAND = math.sqrt(3.0)  # standard deviations from the middle of a uniform spread to its ends


def among_features(
    picture: Picture, frame: nw.LazyFrame[Any], bad: Badness | None, metric: str, but: Collection[str], *, few: bool = False
) -> Scope | None:
    """Name the one feature, `but` those, whose range or values hold the whole change; None where there is none.

    Of `few` rows it must hold practically all, and the others stand still: either alone is soon true of few.

    Features that moved themselves are left out: which rows have which value is then no matter of before and after.
    """
    if bad is None:
        return None
    c = picture.aggregates.plan.columns
    moved = {s.column for n, s in picture.series.items() if s.family in ("input", "nulls") and picture.moves[n].moved}
    known = [f for f in c.features if f not in but and f not in moved]
    columns = [f for f in (*known, *_without_role(frame, c, but)) if not bad.name.startswith(f"{f} ")]
    best: tuple[float, Segment] | None = None
    clumps: float | None = None
    for column in columns:
        table = leaves(frame, picture, [column], bad, bins=BINS)
        if table is None:
            continue
        clumps = clumps_of(frame, picture, bad.row) if clumps is None else clumps
        measure = measure_of(table, bad, clumps)
        if isinstance(table.values[0][0], dict):
            found = best_range(table, measure, bad.direction)
        else:
            result = look_for(table, measure, bad.direction, max_depth=1)
            found = (result.found[0].score, segments_of(result, table)) if result.found else None
        if found is None or len(found[1]) != 1 or (found[1][0].q_value or 0.0) > SURE_Q:
            continue
        gain, (s,) = found
        most = WIDE_MOST if _still(table, measure, s) else TRAFFIC_MOST
        narrow = (s.share_of_traffic or 1.0) <= most and (s.n_before or 0) >= THERE_BEFORE
        if narrow and _alone(table, measure, s, few) and (best is None or gain > best[0]):
            best = gain, s
    return Scope(is_global=False, segments=(best[1],), metric=public(metric)) if best else None


def _without_role(frame: nw.LazyFrame[Any], c: Columns, but: Collection[str]) -> list[str]:
    """Name numbers of the log that nobody gave a role, and that an incident may lie in all the same."""
    used = {*c.needed(), *but}
    found = [n for n, dtype in frame.collect_schema().items() if n not in used and dtype.is_numeric()]
    return found[:MOST_OTHERS]


def best_range(table: Leaves, measure: Counts | Means, direction: str) -> tuple[float, tuple[Segment, ...]] | None:
    """Scan all unbroken runs of a numeric column's bins for the one whose shared effect fits best, with its evidence.

    Bins that a border cuts through moved by half: alone they prove little, beside the others they do.
    """
    fitted = measure.fitted(table.codes, table.cardinalities)
    evidence, parts, weight = fitted.evidence(direction), fitted.parts(), fitted.weight()
    codes, known = table.codes[:, 0], sum(isinstance(v, dict) for v in table.values[0])
    each = evidence.by_group(codes, None, table.cardinalities[0])
    gains = np.vstack([np.zeros(len(evidence.effects)), np.cumsum(each, axis=0)])
    runs = [(i, j) for i in range(known) for j in range(i + 1, known + 1) if j - i < known]
    if not runs:
        return None
    score = [float((gains[j] - gains[i]).max()) for i, j in runs]
    low, high = runs[int(np.argmax(score))]
    inside = (codes >= low) & (codes < high)
    own, rest = sum_columns(parts, inside), sum_columns(parts, ~inside)
    moved, impact = fitted.contrast(own, rest, fitted.unrest(~inside)), fitted.impact()
    found = Found(
        ((0, tuple(range(low, high))),),
        max(score),
        float(weight[inside].sum() / max(weight.sum(), 1e-300)),
        float(impact[inside].sum() / (impact.sum() or 1.0)),
        moved.before,
        moved.after,
        moved.interval,
        math.exp(min(moved.log_p + math.log(len(runs)), 0.0)),
        moved.n_before,
        moved.n_after,
    )
    return (found.score, (as_segment(found, table),)) if found.score > 0 else None


def _alone(table: Leaves, measure: Counts | Means, segment: Segment, few: bool) -> bool:
    """Whether a range holds the whole change; chance alone may move the rest a little."""
    whole = (segment.share_of_impact or 0.0) >= IMPACT_LEAST
    if whole != few:
        return whole
    return _still(table, measure, segment)


def _still(table: Leaves, measure: Counts | Means, segment: Segment) -> bool:
    """Whether the rows outside a range did not move."""
    rest = rest_of(table, measure, [segment])
    return abs(rest.drift) <= DRIFT_MOST and rest.log_p >= STILL


def between_cuts(
    picture: Picture, frame: nw.LazyFrame[Any], bad: Badness, score: str, schema: Mapping[str, Any]
) -> Badness:
    """Ask only the rows whose score lies between the old cut and the new: there a moved threshold marks all rows or none.

    Without it every feature that the score is made of would seem to draw a border.
    """
    time, after = nw.col(picture.aggregates.plan.columns.time), picture.windows[1]
    x = as_number(score, schema[score])
    own = frame.filter((time >= after.start) & (time < after.end) & (bad.row == 1)).select(x.alias("x"))
    found = collect(own.select(nw.col("x").mean().alias("mean"), nw.col("x").std().alias("sd")))
    middle, spread = found["mean"][0], found["sd"][0]
    if middle is None or spread is None or not spread > 0:
        return bad
    inside = (x >= middle - BAND * spread) & (x <= middle + BAND * spread)
    return replace(bad, row=nw.when(inside).then(bad.row))
