"""Outcomes that got worse in one segment while the whole hides it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from rca_kit.aggregates.grid import DAY_S
from rca_kit.findings.base import Window
from rca_kit.findings.scope import Segment
from rca_kit.loop.reading.arrivals import as_known
from rca_kit.loop.reading.detect import Move, observe, scan_all, worse
from rca_kit.loop.reading.picture import Picture
from rca_kit.loop.reading.prepare import Prepared
from rca_kit.loop.s3_scope.conditions import where_expression
from rca_kit.loop.s3_scope.levels import series_inside
from rca_kit.loop.s3_scope.ranges import among_features
from rca_kit.loop.s3_scope.search import (
    MARK,
    Badness,
    badness_of,
    dimensions,
    leaves,
    look_for,
    scope,
    segments_of,
)
from rca_kit.loop.s3_scope.unrecorded import missing_since
from rca_kit.loop.s4_suspects.verdict import told_by
from rca_kit.stats.segments.counts import Counts
from rca_kit.stats.stepscan import SEASON_DAYS, step_scan

HURTING = ("quality", "kpi", "service", "stage", "labels")  # families whose fall in one segment hurts somebody
HURT_Q = 1e-5  # corrected chance at which a fall in one segment alone makes an incident
HURT_ROWS = 60  # rows a side; fewer are a handful of requests
HURT_SLOW = 2.0  # times as many slow or failed requests that a segment must have: a busy day makes all of them a little slower
LOST_LEAST = 0.1  # share of labels that must be missing beyond the others'
WITH_ALL = 0.5  # part of what a segment does that all requests do at the same time from which it is theirs
DUE = 0.7  # part of their usual share at which most labels are due


@dataclass(frozen=True)
class Hurt:
    """An outcome that got worse in one segment."""

    metric: str
    segment: Segment
    since: int | None = None  # fine bucket, where it is known better than the symptom's onset

    def __str__(self) -> str:
        s = self.segment
        by_row = "" if s.in_metric else " of its row measure"
        return f"{s}, {self.metric} got worse ({s.before:.4g} -> {s.after:.4g}{by_row})"


def hurt_segments(prepared: Prepared, picture: Picture, only: tuple[str, ...] = ()) -> tuple[Hurt, ...]:
    """Outcomes that got worse in one segment while the whole hides it: those asked for, or the alerted and one of each family."""
    names = [picture.alert] if picture.alert in picture.series else []
    for family in ("quality", "kpi", "service"):
        names += [n for n, s in picture.series.items() if s.family == family and n not in names][:1]
    names += [n for n in ("latency_p95", "label_share") if n in picture.series and n not in names]
    names += [n for n, s in picture.series.items() if s.family == "stage" and n not in names and picture.moves[n].moved]
    names = list(only) or names
    schema = dict(prepared.frame.collect_schema())
    out: list[Hurt] = []
    for name in names:
        bad = (
            badness_of(picture, name, schema) if picture.series[name].family in HURTING else None
        )
        if bad is None or bad.direction == "either":
            continue
        since = missing_since(picture, name) if records(picture, name) else None
        columns = dimensions(prepared.aggregates.plan)
        if records(picture, name):
            segments = _labels_missing(prepared, _starting(picture, name, since), bad, name)
        else:
            segments = scope(picture, prepared.frame, bad, name, columns).segments
        fed = picture.series[name].family == "quality" and prepared.at_hand  # what a version does not know, it may be fed
        if fed and not segments and _at_a_version(picture):
            ranged = among_features(picture, prepared.frame, bad, name, columns, few=True)
            segments = ranged.segments if ranged is not None else ()
        sure = [s for s in segments if (s.q_value or 1.0) < HURT_Q and min(s.n_before or 0, s.n_after or 0) >= HURT_ROWS]
        if picture.series[name].family in ("service", "stage"):
            sure = [s for s in sure if (s.after or 0.0) >= HURT_SLOW * (s.before or 0.0)]
        first = next((s for s in sure if records(picture, name) or stands_out(prepared, picture, s, name)), None)
        if first is not None:
            out.append(Hurt(name, first, None if since is None else since * picture.grid.coarse))
    return tuple(out)


def _at_a_version(picture: Picture) -> bool:
    """Whether the windows lie on either side of a model version's first requests."""
    lead = picture.series.get(picture.onset.lead) if picture.onset is not None else None
    return lead is not None and lead.family == "version"


def stands_out(prepared: Prepared, picture: Picture, segment: Segment, name: str) -> bool:
    """Whether the segment's own series of the metric got worse beyond how it wanders from hour to hour.

    Or that of its loss, request by request, or of its bias: they tell it more surely where few come in an hour.
    """
    rows = prepared.frame.filter(where_expression(segment.where, dict(prepared.frame.collect_schema())))
    inside = as_known(series_inside(rows, picture.aggregates.plan), picture.known)
    also = ("bias",) if name in picture.series and picture.series[name].family == "quality" else ()
    own = [inside[n] for n in dict.fromkeys((name, told_by(name, inside), *also)) if n in inside]

    def told(seasonal: bool) -> list[Move]:
        moves = [scan_all([s], picture.grid, picture.detected_at, (s.name,), seasonal=seasonal)[s.name] for s in own]
        return [m for m in moves if m.moved and worse(m.series, m.fit.height) is not False]

    short = picture.grid.n_coarse * picture.grid.coarse_s < SEASON_DAYS * DAY_S
    return not own or bool(told(True)) or (short and any(_beyond_the_whole(picture, m) for m in told(False)))


def _beyond_the_whole(picture: Picture, inside: Move) -> bool:
    """Whether all requests together moved less than half as much at the same time: hours, which no short log tells, move all."""
    whole = picture.series.get(inside.series.name)
    if whole is None or inside.scan.kind == "ramp":
        return False
    value, error, _ = observe(whole)
    at = step_scan(value, error, first=inside.fit.start, last=inside.fit.start).step
    return at is not None and at.height / inside.fit.height < WITH_ALL


def records(picture: Picture, name: str) -> bool:
    """Whether a series counts what is recorded at all (labels, business outcomes), which comes late by nature."""
    return name in picture.series and picture.series[name].family == "labels" and name != "label_rate"


def _labels_missing(prepared: Prepared, picture: Picture, bad: Badness, name: str) -> tuple[Segment, ...]:
    """Segments whose labels are missing more than the others' at the same time; late labels are late everywhere.

    Only where most labels have come: values that are frequent at certain hours are rare or frequent where labels are due yet.
    """
    due = _labels_due(picture, name)
    if due is None:
        return ()
    table = leaves(prepared.frame, due, dimensions(prepared.aggregates.plan), bad)
    n = table.sums[f"{MARK}_n_after"] if table is not None else np.zeros(0)
    if table is None or n.sum() == 0:
        return ()
    lost = table.sums[f"{MARK}_after"]
    usual = float(lost.sum() / n.sum())
    found = segments_of(look_for(table, Counts(usual * n, n, lost, n), bad.direction), table)
    most = max(float(lost.sum()), 1.0)
    return tuple(
        replace(s, share_of_impact=min(float(s.after or 0.0) * (s.n_after or 0) / most, 1.0))
        for s in found
        if (s.after or 0.0) - usual >= LOST_LEAST
    )


def _labels_due(picture: Picture, name: str) -> Picture | None:
    """The picture with an after window that ends where what is recorded falls away; None where it never was there."""
    value = picture.moves[name].observed.value
    share = value if name == "label_share" else 1 - value
    before = share[: picture.start][np.isfinite(share[: picture.start])]
    if not before.size:
        return None
    here = np.flatnonzero(share[picture.start :] >= DUE * float(np.median(before)))
    if not here.size:
        return None
    start, grid = picture.windows[1].start, picture.grid
    end = grid.time(min(picture.start + int(here[-1]) + 1, grid.n_coarse), coarse=True)
    return replace(picture, windows=(picture.windows[0], Window(start, max(end, start)))) if end > start else None


def _starting(picture: Picture, name: str, since: int | None) -> Picture:
    """The picture with windows on either side of a coarse bucket, or of a series' own best start where none is given."""
    fit = picture.moves[name].scan.best
    start = since if since is not None else fit.start if fit is not None else None
    if start is None:
        return picture
    at = picture.grid.time(start, coarse=True)
    return replace(picture, windows=(Window(picture.grid.origin, at), Window(at, picture.grid.time(picture.grid.n))))
