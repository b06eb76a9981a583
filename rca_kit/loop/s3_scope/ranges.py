"""Ranges and values of features that carry a change when no segment column does: `motor_current >= 33.9`."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import narwhals as nw

from rca_kit.aggregates.leaves import Leaves
from rca_kit.aggregates.rows import as_number
from rca_kit.findings.scope import Scope, Segment
from rca_kit.loop.reading.names import public
from rca_kit.loop.reading.picture import Picture
from rca_kit.loop.s3_scope.clumped import clumps_of
from rca_kit.loop.s3_scope.rest import rest_of
from rca_kit.loop.s3_scope.search import Badness, leaves, look_for, measure_of, segments_of
from rca_kit.sources.collect import collect
from rca_kit.stats.segments import Counts, Means

# A feature's values grade nearly every outcome (a score is made of them), so a range counts only where it holds practically the
# whole change, or all of it but what chance moves outside, and is not most of the traffic.
IMPACT_LEAST, TRAFFIC_MOST = 0.9, 0.6
DRIFT_MOST = 0.25  # change per row outside, as part of that inside
STILL = math.log(0.05)  # log chance from which the rest stood still
SURE_Q = 1e-4
BAND = math.sqrt(3.0)  # standard deviations from the middle of a uniform spread to its ends


def among_features(
    picture: Picture, frame: nw.LazyFrame[Any], bad: Badness | None, metric: str, but: Collection[str]
) -> Scope | None:
    """Name the one feature, `but` those, whose range or values hold the whole change; None where there is none.

    Features that moved themselves are left out: which rows have which value is then no matter of before and after.
    """
    if bad is None:
        return None
    c = picture.aggregates.plan.columns
    moved = {s.column for n, s in picture.series.items() if s.family in ("input", "nulls") and picture.moves[n].moved}
    columns = [f for f in c.features if f not in but and f not in moved and not bad.name.startswith(f"{f} ")]
    best: tuple[float, Segment] | None = None
    clumps: float | None = None
    for column in columns:
        table = leaves(frame, picture, [column], bad)
        if table is None:
            continue
        clumps = clumps_of(frame, picture, bad.row) if clumps is None else clumps
        measure = measure_of(table, bad, clumps)
        result = look_for(table, measure, bad.direction, max_depth=1)
        named = segments_of(result, table)
        if len(named) != 1 or (named[0].q_value or 0.0) > SURE_Q:
            continue
        s = named[0]
        if (s.share_of_traffic or 1.0) <= TRAFFIC_MOST and _alone(table, measure, s):
            gain = result.found[0].score
            if best is None or gain > best[0]:
                best = gain, s
    return Scope(is_global=False, segments=(best[1],), metric=public(metric)) if best else None


def _alone(table: Leaves, measure: Counts | Means, segment: Segment) -> bool:
    """Whether a range holds the whole change; where rows are few, chance alone moves the rest a little."""
    if (segment.share_of_impact or 0.0) >= IMPACT_LEAST:
        return True
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
