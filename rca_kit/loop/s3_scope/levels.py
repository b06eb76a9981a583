"""The symptom's metric inside each reported segment, before and after.

The search works on something that stands for the metric row by row (a loss, a slow request); people want the metric itself.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import narwhals as nw
import numpy as np

from rca_kit.aggregates.plan import Plan
from rca_kit.aggregates.scan import Aggregates, sums_of
from rca_kit.findings.scope import Scope, Segment
from rca_kit.loop.reading.names import series_for
from rca_kit.loop.reading.picture import Picture
from rca_kit.loop.reading.prepare import Prepared
from rca_kit.loop.reading.series import Series, metric_series
from rca_kit.loop.s3_scope.conditions import where_expression
from rca_kit.stats.rates import difference

MOST_SEGMENTS = 8  # each is one more pass over the rows at hand; reports name three
WHOLE_FAMILIES = ("volume", "mix", "input")  # of the traffic as a whole: inside a segment they would say something else


def in_metric(scope: Scope, prepared: Prepared, picture: Picture, metric: str) -> Scope:
    """Give each reported segment the metric's own value before and after, where the metric exists inside a segment.

    Segments for which it does not (an AUC without both labels, a change of traffic) keep what the search measured.
    """
    if not scope.segments or not metric:
        return scope
    schema = dict(prepared.frame.collect_schema())
    first, rest = scope.segments[:MOST_SEGMENTS], scope.segments[MOST_SEGMENTS:]
    told = tuple(_told(s, prepared.frame, schema, picture, metric) for s in first)
    return replace(scope, segments=(*told, *rest), metric=metric)


def _told(segment: Segment, frame: nw.LazyFrame[Any], schema: dict[str, Any], picture: Picture, metric: str) -> Segment:
    plan = picture.aggregates.plan
    named = metric.partition(":")[2]
    plan = replace(plan, features=tuple(f for f in plan.features if f.column == named))
    series = series_inside(frame.filter(where_expression(segment.where, schema)), plan)
    name = series_for(metric, series)
    if name is None or series[name].family in WHOLE_FAMILIES:
        return segment
    b, a = (series[name].over(w) for w in (picture.before, picture.after))
    if not (np.isfinite(b.value) and np.isfinite(a.value)):
        return segment
    d = difference(b.value, b.error, a.value, a.error, picture.noise.get(name, 1.0))
    interval = (d.low, d.high) if np.isfinite(d.low) else None
    return replace(segment, before=float(b.value), after=float(a.value), change_interval=interval, in_metric=True)


def series_inside(frame: nw.LazyFrame[Any], plan: Plan) -> dict[str, Series]:
    """Metrics over time of the rows given, without their columns' own series."""
    plan = replace(plan, segments=())
    needed = frame.select(*[nw.col(c) for c in plan.columns.needed()])
    return metric_series(Aggregates(plan, sums_of(needed, plan, outcomes_only=True)))
