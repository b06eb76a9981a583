"""The segment that an alert names in its own words: where the whole shows nothing, it is looked at by itself."""

from __future__ import annotations

import math
import re
from collections.abc import Container, Iterable, Mapping

import narwhals as nw
import numpy as np

from rca_kit.findings.scope import Segment
from rca_kit.loop.reading.arrivals import as_known
from rca_kit.loop.reading.detect import Move, scan_all
from rca_kit.loop.reading.names import series_for
from rca_kit.loop.reading.onset import JointOnset, joint_onset
from rca_kit.loop.reading.picture import Picture
from rca_kit.loop.reading.prepare import Prepared
from rca_kit.loop.s3_scope.conditions import where_expression
from rca_kit.loop.s3_scope.hurt import Hurt
from rca_kit.loop.s3_scope.levels import series_inside
from rca_kit.loop.s4_suspects.verdict import told_by
from rca_kit.sources.collect import collect

ALERTED_P = 1e-4  # chance at which the alerted metric moved there: whoever wrote the alert has looked at many segments

SLOWER = 1.3  # times as slow: less comes of a busy hour, and somewhere it always does
LOSSES = ("log_loss", "mae", "accuracy")  # of each request, by task
ROWS_LEAST = 30  # rows a side: where to look is known


def named_in(text: str, values: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """Columns and values that a text names as `column=value` or `column: value`; of values that fit the longest.

    Examples
    --------
    >>> named_in("AUC fell for Channel=Broker web, region = Sued", {"channel": ["Broker", "Broker web"], "region": ["Sued"]})
    {'channel': 'Broker web', 'region': 'Sued'}
    """
    out = {}
    for column, known in values.items():
        for value in sorted(map(str, known), key=len, reverse=True):
            if re.search(rf"(?<!\w){re.escape(column)}\s*[=:]\s*[\"']?{re.escape(value)}(?!\w)", text, re.IGNORECASE):
                out[column] = value
                break
    return out


def alerted_inside(prepared: Prepared, picture: Picture, text: str) -> tuple[Hurt, JointOnset] | None:
    """The fall of an outcome inside the segment that the alert names, and when it began.

    The outcome is the alerted one, or the loss per request that stands for it; where more or fewer requests came, any loss.
    None where the alert names no segment, where the whole shows it anyway, or where outcomes held still inside it.
    """
    name = series_for(picture.alert, picture.series) or picture.alert
    # scores that all lie on one side of the truth tell of few requests what losses leave open
    leaning = ("bias",) if name in picture.series and picture.series[name].family == "quality" else ()
    told = [n for n in (*witnesses(name, picture.series), *leaning) if n in picture.moves and not picture.moves[n].moved]
    if not told:
        return None
    cubes, plan = prepared.aggregates.cubes, picture.aggregates.plan
    known = {
        c: [v for v in cubes[f"segment:{c}"].by_value("n", picture.grid.n_coarse) if v is not None]
        for c in plan.columns.segments
        if f"segment:{c}" in cubes
    }
    where = named_in(text, known)
    if not where:
        return None
    rows = prepared.frame.filter(where_expression(dict(where), dict(prepared.frame.collect_schema())))
    series = as_known(series_inside(rows, plan), picture.known)
    moves = scan_all(series.values(), picture.grid, picture.detected_at, tuple(told))
    move = next((moves[n] for n in told if n in moves and _worse_inside(moves[n])), None)
    if move is None:
        return None
    seen, at = move.observed, np.arange(move.observed.n.size)
    levels, counts = [], []
    for side in (at < move.fit.start, at >= move.fit.start):
        ok = side & np.isfinite(seen.value) & (seen.n > 0)
        if not ok.any():
            return None
        levels.append(float(np.average(seen.value[ok], weights=seen.n[ok])))
        counts.append(int(seen.n[ok].sum()))
    if min(counts) < ROWS_LEAST:
        return None
    onset = joint_onset([move], picture.grid, moves.values())
    after = nw.col(prepared.columns.time) >= picture.grid.time(onset.index)
    here, all_of_them = (float(collect(f.filter(after).select(nw.len().alias("n")))["n"][0]) for f in (rows, prepared.frame))
    share, (before, now) = here / max(all_of_them, 1.0), levels
    segment = Segment(dict(where), share, before, now, 1.0, n_before=counts[0], n_after=counts[1], in_metric=True)
    return Hurt(move.series.name, segment, onset.index), onset


def witnesses(name: str, known: Container[str]) -> tuple[str, ...]:
    """The outcomes that bear out an alert about a metric, the metric itself first.

    Examples
    --------
    >>> witnesses("calibration_error", {"log_loss"}), witnesses("volume", {"mae"}), witnesses("error_rate", {"log_loss"})
    (('calibration_error', 'log_loss'), ('mae',), ('error_rate',))
    """
    if name == "volume":  # more requests, or fewer, are no harm by themselves
        return tuple(n for n in LOSSES if n in known)
    return tuple(dict.fromkeys((name, told_by(name, known))))


def _worse_inside(move: Move) -> bool:
    if not move.moved or move.scan.log_p > math.log(ALERTED_P) or move.worsened is not True:
        return False
    return not move.series.log or abs(move.fit.height) >= math.log(SLOWER)
