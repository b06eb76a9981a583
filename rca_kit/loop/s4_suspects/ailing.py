"""Parts of a service that are ill where the alert is about it, and the whole hardly shows it yet."""

from __future__ import annotations

import math

from rca_kit.findings.signal import MetricReading
from rca_kit.loop.reading.detect import Move
from rca_kit.loop.s4_suspects.checks.service import metric_kind
from rca_kit.loop.s4_suspects.room import Room

ABOUT, NAMES = ("service", "stage", "component"), ("latency", "error_rate")  # what alerts about the service are about
MUCH_SLOWER = 1.5  # times as long as before from which a stage alone tells of a slow service
SLOWER = 1.2  # ... where all requests together take longer
LITTLE, LONGER = math.log(1.02), math.log(1.1)  # by which these must, with a component in trouble and without
KNOWN_Z, KNOWN_P = 4.0, 1e-3  # standard errors, and chance, of a change since a moment that a stage and a component tell
FAILING = ("timeout", "restart")  # kinds of metrics that count failures of a component
FAILS, FAILS_Z = 3.0, 10.0  # times as many of these as before, and their z, from which these alone tell


def ailing(room: Room) -> list[str]:
    """Names of stages or components that are ill, of the surest kind there is; none where the alert is about something else."""
    picture = room.picture
    asked = picture.series[picture.alert].family if picture.alert in picture.series else ""
    if asked not in ABOUT and not picture.alert.startswith(NAMES):
        return []
    slow, parts = ([(n, room.readings[n]) for n in room.moved(family)] for family in ("stage", "component"))
    much = [n for n, r in slow if _times(r) >= MUCH_SLOWER]
    failing = [
        n for n, r in parts
        if r.worse and metric_kind(n.rpartition(":")[2]) in FAILING and _times(r) >= FAILS
        and abs(picture.moves[n].fit.z) >= FAILS_Z
    ]
    if much or failing:
        return much or failing
    slower, trouble = [n for n, r in slow if _times(r) >= SLOWER], any(r.worse for _, r in parts)
    whole = picture.moves.get("log:latency")  # which few requests move, in whatever percentile they are
    if whole is not None and whole.moved and whole.fit.height >= (LITTLE if trouble else LONGER):
        return slower
    return slower if trouble and (_longer(room, whole) or _surely(room)) else []


def _longer(room: Room, whole: Move | None) -> bool:
    """Whether all requests together take longer since the moment that something else tells."""
    if whole is None or whole.scan.best is None or whole.fit.height < LITTLE:
        return False
    return whole.z_at(room.picture.start) >= KNOWN_Z


def _surely(room: Room) -> bool:
    """Whether what the alert is about is worse since that moment, by what matters."""
    told = room.readings.get(room.picture.alert)
    if told is None or not told.worse or told.p_value is None or told.p_value > KNOWN_P:
        return False
    return room.picture.matters(told.metric, told.before or 0.0, told.change or 0.0)


def _times(reading: MetricReading) -> float:
    """Times of before that a reading is after; infinite where there was nothing before."""
    before, after = reading.before or 0.0, reading.after or 0.0
    return after / before if before > 0 else math.inf if after > 0 else 0.0
