"""Two conditions together: a segment that grew only where it meets another value, or is hit only in a range of a number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import narwhals as nw
import numpy as np

from rca_kit.findings.scope import Segment
from rca_kit.loop.reading.picture import Picture
from rca_kit.loop.s3_scope.conditions import in_own_type, where_expression
from rca_kit.loop.s3_scope.ranges import among_features
from rca_kit.loop.s3_scope.search import MARK, WINDOWS, Badness, leaves

HELD_LEAST = 0.85  # part of a value's growth that the pair must hold
GREW_LEAST, REST_MOST = 1.5, 1.25  # times its usual requests that the pair has; that the value has without it
ROWS_LEAST = 100  # requests of the pair after; a handful soon hold all of a growth


def hit_in_a_range(
    picture: Picture,
    frame: nw.LazyFrame[Any],
    columns: Sequence[str],
    segment: Segment,
    marks: Sequence[Badness | None],
    metric: str,
) -> Segment:
    """Add to an affected value the range of a number that holds all of its change, by the first of `marks` that shows one.

    Inside the range lies practically the whole change, and the value's other requests stand still.
    """
    if len(segment.where) != 1 or any(isinstance(v, dict) for v in segment.where.values()):
        return segment
    rows = frame.filter(where_expression(segment.where, dict(frame.collect_schema())))
    for bad in marks:
        named = among_features(picture, rows, bad, metric, columns, few=True) if bad is not None else None
        if named is not None and all(isinstance(v, dict) for v in named.segments[0].where.values()):
            inner = named.segments[0]
            part = (segment.share_of_traffic or 0.0) * (inner.share_of_traffic or 0.0)
            return replace(inner, where={**segment.where, **inner.where}, share_of_traffic=part or None, share_of_impact=None)
    return segment


def grown_together(picture: Picture, frame: nw.LazyFrame[Any], columns: Sequence[str], segment: Segment) -> Segment:
    """Add to a grown segment the one value of another column that it grew with; where it grew by itself it stays as it is."""
    if len(segment.where) != 1:
        return segment
    ((column, value),) = segment.where.items()
    if isinstance(value, (list, dict)) or column not in columns:
        return segment
    schema = dict(frame.collect_schema())
    best: tuple[float, Segment] | None = None
    for other in columns:
        table = leaves(frame, picture, [column, other], None) if other != column else None
        if table is None or str(value) not in [str(v) for v in table.values[0]]:
            continue
        mine = table.codes[:, 0] == [str(v) for v in table.values[0]].index(str(value))
        size, sums = len(table.values[1]), [table.sums[f"{MARK}_{w}"] for w in WINDOWS]
        was, now = (np.asarray(np.bincount(table.codes[mine, 1], n[mine], size), float) for n in sums)
        was *= float(sums[1][~mine].sum() / max(sums[0][~mine].sum(), 1.0))  # as the requests without the value went
        growth = now - was
        i = int(np.argmax(growth))
        held = float(growth[i] / growth.sum()) if growth.sum() > 0 else 0.0
        rest = float((now.sum() - now[i]) / max(was.sum() - was[i], 1.0))
        told = now[i] >= max(GREW_LEAST * was[i], ROWS_LEAST) and held >= HELD_LEAST and rest <= REST_MOST and (now > 0).sum() > 1
        name = table.values[1][i]
        if told and isinstance(name, str) and (best is None or held > best[0]):
            best = held, replace(segment, where={**segment.where, other: in_own_type(name, schema[other])})
    return best[1] if best else segment
