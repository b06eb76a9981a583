"""The requests of a version as a scope, where others served beside it."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import narwhals as nw
import numpy as np

from rca_kit.aggregates.rows import as_number, as_text
from rca_kit.findings.scope import Scope, Segment
from rca_kit.loop.reading.birth import birth
from rca_kit.loop.reading.picture import Picture
from rca_kit.loop.reading.prepare import Prepared
from rca_kit.loop.s3_scope.conditions import in_own_type, where_expression
from rca_kit.loop.s3_scope.ranges import among_features
from rca_kit.loop.s3_scope.search import Badness, badness_of, dimensions, scope
from rca_kit.loop.s4_suspects.clue import Clue, Outcome
from rca_kit.sources.collect import collect

WHOLE_VERSION = 0.95  # share at which a version is all traffic
OUTSIDE_MOST = 0.5  # part of a version's harm outside its worst segments from which all of its requests are hit, some harder
SAME_SCORE = 0.1  # spreads by which the mean score of the requests that a fault spares may move, and log of their spread
LOSSES = ("log_loss", "mae", "accuracy")  # metrics of what each request got wrong, where the main one tells of a part of them
FIRST_DUE = 5.0  # requests that a version would have had before its first one, at its share: of chance less than 1 % have none
SPARED = 0.1  # part of what a version's requests show that those of the others may show too


def came_to_stay(picture: Picture, clue: Clue) -> int:
    """Fine bucket since when a version answers requests and does not stop; somebody may have tried it before."""
    where, first = clue.where or {}, clue.onset or 0
    move = picture.moves.get(f"share:{where.get('column')}={where['values'][0]}")
    if move is None:
        return first
    k, n = (move.series.coarse_sum(i) for i in (0, 1))
    born = birth(k, n, max(first // picture.grid.coarse, 1))
    return max(born.index * picture.grid.coarse, first) if born is not None else first


def served_all_along(picture: Picture, clue: Clue, until: int) -> bool:
    """Whether a version answered so few requests until a fine bucket that its first one came as soon as it could in this log."""
    where = clue.where or {}
    move = picture.moves.get(f"share:{where.get('column')}={where['values'][0]}")
    if move is None:
        return False
    k, n = (move.series.coarse_sum(i)[: until // picture.grid.coarse] for i in (0, 1))
    if not (k > 0).any():
        return False
    first = int(np.argmax(k > 0))
    return float(k[first:].sum() / n[first:].sum() * n[:first].sum()) < FIRST_DUE


def share_since_first(prepared: Prepared, picture: Picture, clue: Clue) -> float:
    """Share of the requests that a version answered, of those since its first ones: it may have come in stages."""
    assert clue.where is not None
    time, of_version = nw.col(picture.aggregates.plan.columns.time), as_text(clue.where["column"]) == clue.where["values"][0]
    after = picture.windows[1]
    since = min(after.start, picture.grid.time(came_to_stay(picture, clue)))
    served = prepared.frame.filter((time >= since) & (time < after.end)).select(of_version.cast(nw.Int64).mean().alias("v"))
    return float(collect(served)["v"][0] or 0.0)


def only_of_version(prepared: Prepared, picture: Picture, outcomes: tuple[Outcome, ...], bad: Badness) -> Segment | None:
    """The version whose requests alone show a mark, while others served beside it."""
    time, (before, after) = nw.col(picture.aggregates.plan.columns.time), picture.windows
    schema = dict(prepared.frame.collect_schema())
    for clue in (c for o in outcomes for c in o.clues if c.signature == "version" and c.where):
        assert clue.where is not None
        column, version = clue.where["column"], clue.where["values"][0]
        share = share_since_first(prepared, picture, clue)
        if share >= WHOLE_VERSION:
            continue
        own = as_text(column) == version
        was, new, old = (
            float(collect(prepared.frame.filter(rows).select(bad.row.cast(nw.Float64).mean().alias("b")))["b"][0] or 0.0)
            for rows in (
                (time >= before.start) & (time < before.end),
                (time >= after.start) & (time < after.end) & own,
                (time >= after.start) & (time < after.end) & ~own,
            )
        )
        if new > was and old - was <= SPARED * (new - was):
            where = {column: in_own_type(version, schema[column])}
            return Segment(where=where, share_of_traffic=share, share_of_impact=1.0)
    return None


def version_scope(prepared: Prepared, picture: Picture, clue: Clue, main: Scope, metric: str) -> Scope:
    """Scope of a version that does worse: its own requests, or the segments of them that carry it."""
    assert clue.where is not None
    column, version = clue.where["column"], clue.where["values"][0]
    time, of_version = nw.col(picture.aggregates.plan.columns.time), as_text(column) == version
    before = picture.windows[0]
    share = share_since_first(prepared, picture, clue)
    own = prepared.frame.filter(((time >= before.start) & (time < before.end)) | of_version)
    schema, columns = dict(own.collect_schema()), dimensions(prepared.aggregates.plan)
    bad = badness_of(picture, metric, schema)
    inside = scope(picture, own, bad, metric, columns, whole=OUTSIDE_MOST)
    for told in (metric, *LOSSES) if inside.is_global else ():  # a version may fail on a range or value of what it is fed
        if told not in picture.series:
            continue
        named = among_features(picture, own, badness_of(picture, told, schema), metric, columns, few=True)
        if named is not None and _others_score_alike(own, picture, named.segments[0].where):
            inside = named
            break
    if share >= WHOLE_VERSION:
        return replace(inside, metric=main.metric, singles=main.singles)
    where = {column: in_own_type(version, schema[column])}
    segments = tuple(replace(s, where={**s.where, **where}, aliases=()) for s in inside.segments)
    whole = Segment(where=where, share_of_traffic=share, share_of_impact=1.0)
    return replace(main, is_global=False, segments=segments or (whole,), because="")


def _others_score_alike(frame: nw.LazyFrame[Any], picture: Picture, where: dict[str, Any]) -> bool:
    """Whether requests outside a segment score as they did before: else all are hit, and the segment only feels it most."""
    c = picture.aggregates.plan.columns
    if c.score is None:
        return True
    schema, (before, after) = dict(frame.collect_schema()), picture.windows
    time, x = nw.col(c.time), as_number(c.score, schema[c.score])
    sides = [
        collect(
            frame.filter(~where_expression(where, schema) & (time >= w.start) & (time < w.end)).select(
                x.mean().alias("mean"), x.std().alias("sd")
            )
        )
        for w in (before, after)
    ]
    (m0, s0), (m1, s1) = ((d["mean"][0], d["sd"][0]) for d in sides)
    if m0 is None or m1 is None or not s0 or not s1:
        return True
    return abs(m1 - m0) <= SAME_SCORE * s0 and abs(math.log(s1 / s0)) <= SAME_SCORE
