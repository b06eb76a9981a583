"""Which change to investigate, and which series dates it: the alerted metric's, or one that tells of it more clearly."""

from __future__ import annotations

import math
from datetime import datetime

import numpy as np

from rca_kit.aggregates.grid import DAY_S, TimeGrid
from rca_kit.loop.reading.detect import OUTCOMES, SEASON_KNOWN, SHAKY, SHARED_DROP, SHARP_Z, Move, observe, season_for, worse
from rca_kit.stats.stepshapes import gradual_profile

STANDING = {
    "quality": 1.0,
    "service": 1.0,
    "kpi": 1.0,
    "output_nulls": 1.0,
    "nulls": 0.9,
    "stage": 0.8,
    "labels": 0.8,
    "cut": 0.8,
    "output": 0.7,
    "input": 0.7,
    "mix": 0.6,
    "volume": 0.5,
    "component": 0.4,
    "segment": 0.9,
}
MOST_EVIDENCE = 60.0  # nats; beyond this, more requests rather than a clearer symptom
LATENESS, LATE_HOURS = 6.0, 12.0  # nats per factor e of delay beyond half a day between a change and its alert
ODD_Z, STILL_CALM = 3.0, 0.5  # standard errors, and part of its later change, up to which an outcome was not worse yet
EDGE = 0.2  # part of the log in which little is known of what is usual: nothing there outdoes the alerted metric
SLOW_BEFORE_S = 6 * 3600  # seconds for which a service may be slow before requests fail
FAR_CLEARER, STILL_SEEN = 4.0, 0.6  # times a slow service's z from which a part of it dates it; part of its z that it has there
# times the z of the volume from which the share of a value dates what came or went; where hours were seen but twice
SHARE_CLEARER, SHARE_ENOUGH = 2.0, 0.75
# times the z of the anchor from which an outcome that rises since earlier dates it; z squared that it may lose by rising with it
RISE_CLEARER, RISE_DROP = 2.0, 15.0
CLEARER = 1.25  # times the z of the alerted metric from which another of its family dates the change
BESIDE = 3  # coarse buckets within which what the model is given and what it answers moved together
OUTDOES = 8.0  # z of an outcome from which it is what matters, though an input was asked about and moved more clearly later
CIRCUMSTANCES = ("component", "input", "mix", "version", "volume")  # families that say where to look, not that something is wrong
# smallest change worth a person's time: (absolute, relative to before); either is enough
MIN_EFFECT: dict[str, tuple[float, float]] = {
    "quality": (0.01, 0.05),
    "service": (0.01, 0.10),
    "kpi": (0.05, 0.03),
    "nulls": (0.005, 9.0),
    "output_nulls": (0.002, 9.0),
    "output": (0.05, 0.05),
    "cut": (0.003, 9.0),
    "labels": (0.03, 0.10),
    "input": (9e9, 0.03),
    "mix": (0.02, 9.0),
    "version": (0.01, 9.0),
    "volume": (9e9, 0.15),
    "stage": (9e9, 0.10),
    "component": (9e9, 0.10),
    "helper": (9e9, 9e9),
    "segment": (0.01, 0.05),
}


def choose_anchor(moves: dict[str, Move], alerts: tuple[str, ...], grid: TimeGrid, detected_at: datetime) -> Move | None:
    """Choose the change to investigate: the alerted metric's if it moved, else the one with most standing.

    Standing is evidence (nats, capped), discounted for families that are causes or circumstances rather than outcomes, less
    what it costs to explain why the alert came so long after.
    """
    alerted = [m for n in alerts if (m := moves.get(n)) is not None and m.moved]
    named = [m for m in alerted if worse(m.series, m.fit.height) is not False]
    if named:
        return min(named, key=lambda m: (m.scan.log_p, m.series.name))
    able = [
        m
        for m in moves.values()
        if m.moved and (m.series.name not in SHAKY or abs(m.fit.z) >= SHARP_Z) and m.series.family in STANDING and _suspicious(m)
    ]
    able = [m for m in able if m.series.family != "component"] or able  # a component is no symptom where anything else moved
    if any(m.series.family == "quality" for m in able):  # which tells of labels that are wrong too, and not of every day's course
        able = [m for m in able if m.series.name != "label_rate"]

    def standing(m: Move) -> float:
        hours = max((detected_at - grid.time(m.fit.start, coarse=True)).total_seconds() / 3600, 0.0)
        return STANDING[m.series.family] * min(-m.scan.log_p, MOST_EVIDENCE) - LATENESS * math.log1p(hours / LATE_HOURS)

    return max(able, key=lambda m: (standing(m), m.series.name), default=None)


def told_earlier(anchor: Move, moves: dict[str, Move]) -> Move:
    """The move that dates the change in the anchor's place, where another one tells of it earlier and more clearly.

    Half of the requests must be slow before the median is, a twentieth before the 95th percentile: of quantiles the one that
    stands out most; and a part of the service that got slower dates the whole, which waits for the load too. An outcome that got
    worse before the alerted input moved did so for another reason, and is what matters.
    """
    bias = moves.get("bias")  # a calibration error does not rise in proportion: small gaps are lost in its noise
    if anchor.series.name == "calibration_error" and bias is not None and bias.moved and abs(bias.fit.z) >= abs(anchor.fit.z):
        anchor = bias
    family, moved, able = anchor.series.family, [m for m in moves.values() if m.moved], []
    if anchor.series.name == "error_rate":
        return _clearest(_slow_before(anchor, moved), anchor)
    if anchor.series.quantile is not None:
        if parts := _slow_parts(anchor, moved):
            return _clearest(parts, anchor)
        able = _quantiles(anchor, moved)
    elif family in ("input", "mix", "volume"):
        able = [
            m for m in _apart(anchor, moved)
            if m.series.family in OUTCOMES and abs(m.fit.z) >= min(abs(anchor.fit.z), OUTDOES)
        ]
        if family == "volume" and not able:
            return _clearest(_shares(anchor, moved), anchor)
    elif family == "output":  # who comes, and what the model is given, is told by far more than a mean of its scores
        given = [m for m in moved if m.series.family in ("mix", "volume", "input")]
        near = [m for m in given if abs(m.fit.start - anchor.fit.start) <= BESIDE and abs(m.fit.z) >= CLEARER * abs(anchor.fit.z)]
        return _clearest(near, anchor)
    elif family == "quality":  # of several measures of the same mistakes the one that stands out most
        able = [m for m in _apart(anchor, moved) if m.series.family == family and abs(m.fit.z) >= CLEARER * abs(anchor.fit.z)]
    if slow := _risen(anchor, moved):
        return _clearest(slow, anchor)
    first = EDGE * anchor.series.grid.n_coarse
    return _clearest([m for m in able if first <= m.reach()[0] and m.reach()[1] < anchor.reach()[0]], anchor)


def _clearest(moves: list[Move], anchor: Move) -> Move:
    return max(moves, key=lambda m: (abs(m.fit.z), m.series.name), default=anchor)


def _apart(anchor: Move, moved: list[Move]) -> list[Move]:
    """What got worse, and is not as well explained by a step that began with the anchor."""
    return [
        m for m in moved
        if m.worsened is True and m.z_at(anchor.fit.start) ** 2 < float(m.scan.profile.max()) - SHARED_DROP
    ]


def _quantiles(anchor: Move, moved: list[Move]) -> list[Move]:
    """Other quantiles of the same time that moved the same way, and stand out more."""
    same = [m for m in moved if m.series.quantile is not None and m.series.column == anchor.series.column]
    return [m for m in same if (m.fit.height > 0) == (anchor.fit.height > 0) and abs(m.fit.z) > abs(anchor.fit.z)]


def _slow_parts(anchor: Move, moved: list[Move]) -> list[Move]:
    """Stages that got slower by far more clearly than the whole, which shows it too: it waits for the load."""
    start, z = anchor.reach()[0], abs(anchor.fit.z)
    if anchor.fit.height <= 0:
        return []
    parts = [m for m in moved if m.series.family == "stage" and m.fit.height > 0 and abs(m.fit.z) >= FAR_CLEARER * z]
    parts = [m for m in parts if anchor.z_at(m.fit.start) >= STILL_SEEN * z]
    return [m for m in parts if m.fit.start <= start or calm_between(m, start, m.fit.start)]


def _slow_before(anchor: Move, moved: list[Move]) -> list[Move]:
    """Times that grew by far more clearly than requests fail, within some hours before: few fail of those that take longer."""
    start, end = anchor.reach()
    slow = [m for m in moved if m.series.family == "service" and m.series.quantile is not None and m.fit.height > 0]
    slow = [m for m in slow if abs(m.fit.z) >= FAR_CLEARER * abs(anchor.fit.z) and m.fit.start <= end]
    return [m for m in slow if start - m.reach()[0] <= SLOW_BEFORE_S // anchor.series.grid.coarse_s]


def _shares(anchor: Move, moved: list[Move]) -> list[Move]:
    """Shares of values that moved clearly enough to date the traffic: more requests of one kind show there, whatever the hour."""
    grid = anchor.series.grid
    least = SHARE_CLEARER if grid.n_coarse * grid.coarse_s >= SEASON_KNOWN * DAY_S else SHARE_ENOUGH
    return [m for m in moved if m.series.family == "mix" and abs(m.fit.z) >= least * abs(anchor.fit.z)]


def _risen(anchor: Move, moved: list[Move]) -> list[Move]:
    """Measures of quality that get worse little by little, earlier and far more clearly than the anchor, which may have too."""
    if anchor.scan.kind != "step" or anchor.series.family not in ("quality", "kpi"):
        return []
    slow = [
        m for m in moved
        if m.scan.kind == "ramp" and m.series.family == "quality" and m.worsened is True
        and abs(m.fit.z) >= RISE_CLEARER * abs(anchor.fit.z) and m.reach()[1] < anchor.reach()[0]
    ]
    if not slow:
        return []
    value, error, _ = observe(anchor.series)
    phase, day = season_for(anchor.series, anchor.series.grid)
    rises = gradual_profile(value, error, anchor.scan, phase=phase, day=day)[:, -1]
    return [m for m in slow if rises[m.fit.start] >= float(anchor.scan.profile.max()) - RISE_DROP]


def _suspicious(move: Move) -> bool:
    """Whether a move may be the symptom: large enough, and for the worse or of a metric that has no good direction."""
    s, height = move.series, move.fit.height
    verdict = move.worsened
    if s.log and abs(height) < math.log1p(MIN_EFFECT[s.family][1]):
        return False
    return verdict is True or (verdict is None and s.family != "component")


def calm_between(outcome: Move, start: int, end: int) -> bool:
    """Whether an outcome did between two coarse buckets as it had done before, and not as it did later."""
    value, _, seen = observe(outcome.series)
    n = np.asarray(seen.n, float)
    x = value - outcome.scan.season
    ok = np.isfinite(x) & (n > 0)
    at = np.arange(x.size)
    parts = [ok & (at < start), ok & (at >= start) & (at < end), ok & (at >= end) & (at < max(outcome.fit.end, end + 1))]
    if not all(p.any() for p in parts):
        return not parts[1].any()
    before, between, later = (float(np.average(x[p], weights=n[p])) for p in parts)
    spread = np.sqrt(np.average((x[parts[0]] - before) ** 2, weights=n[parts[0]]))
    error = float(spread * np.sqrt(1 / parts[1].sum() + 1 / parts[0].sum()))
    rose, whole = between - before, later - before
    return rose * np.sign(whole) <= ODD_Z * error and abs(rose) <= STILL_CALM * abs(whole)
