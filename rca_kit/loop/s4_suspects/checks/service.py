"""Checks of the running service: stages, error types, components' own metrics."""

from __future__ import annotations

import re

import numpy as np
import polars as pl

from rca_kit.aggregates.cube import BUCKET, VALUE
from rca_kit.aggregates.rows import NO_ERROR
from rca_kit.loop.s4_suspects.clue import Clue, Outcome
from rca_kit.loop.s4_suspects.room import Room, as_clues, numbers
from rca_kit.stats.rates import rank_z, rate_z

FAILED_LEAST, FAILED_Z = 8, 4.0  # failed requests, and their rank z against those that succeed, that tell where they fail
MOST_ADDED, ADDED_Z = 0.5, 6.0  # part of the time added to requests that a stage must take to be the slow one; standard errors
STAGE_LEAST = 0.15  # log ratio (about 16 %) by which a stage must slow down
# words in metric names, and what kind of trouble their move is
AS_TRAFFIC = 0.2  # difference of log growth up to which a counter goes with the requests
DROPPED = ("drop", "discard", "lost", "dead_letter", "deadletter", "undelivered", "unwritten")
UNITS = ("rows", "records", "messages", "events", "samples", "documents", "points")  # of what a job writes
METRIC_KINDS = (
    ("other", ("dns", "resolver", "name_lookup")),
    ("cache", ("cache", "hit", "miss")),
    ("stale", ("age", "lag", "fresh", "stale", "delay")),
    ("restart", ("restart", "crash", "oom", "evict")),
    ("rows", ("rows", "records", "ingested", "imported", "loaded", "written", "documents", "partitions")),
    ("memory", ("memory", "mem", "heap", "rss", "gc")),
    ("saturation", ("cpu", "gpu", "util", "queue", "load", "thread", "pool", "connection", "disk", "iops", "saturation")),
    ("timeout", ("timeout", "error", "fail", "5xx", "reject", "unavailable")),
    ("requests", ("request", "rps", "qps", "throughput")),
)


def stages(room: Room) -> Outcome:
    """Which stage of the request slowed down."""
    title, c = "Latency by stage", room.columns
    if not c.stages:
        return Outcome("stage_latency", title, "infra", "free", not_applicable="no per-stage latencies")
    slowed = []
    for stage in c.stages:
        r = room.readings.get(f"stage:{stage}")
        if r is None or not r.moved or not r.before or not r.after or r.after <= 0:
            continue
        ratio = float(np.log(r.after / r.before))
        if ratio >= STAGE_LEAST:
            slowed.append((stage, r, r.after - r.before, ratio))
    total = sum(s[2] for s in slowed) or 1.0
    clues = [
        Clue(
            "stage_latency",
            f"stage:{stage}",
            "slow",
            f"{stage}: p95 {r.before:.0f} -> {r.after:.0f} ms",
            room.strength(f"stage:{stage}") * (added / total) ** 0.5,
            room.onset(f"log:{stage}"),
            None,
            added / total,
            facts={"ratio": ratio, "part": added / total},
        )
        for stage, r, added, ratio in slowed
    ]
    clues = clues or _added(room)
    return Outcome("stage_latency", title, "infra", "free", as_clues(clues), "no stage slowed down")


def _added(room: Room) -> list[Clue]:
    """The stage in which most of the time added to the mean request is spent: a few slow ones need not move its percentile."""
    c = room.columns
    if c.latency is None or not any(room.readings[n].worse for n in room.moved("service") if n != "error_rate"):
        return []
    whole = _gain(room, c.latency)
    gains = {stage: _gain(room, stage) for stage in c.stages}
    stage = max(gains, key=lambda s: gains[s][0])
    (gain, z), part = gains[stage], gains[stage][0] / whole[0] if whole[0] > 0 else 0.0
    if part < MOST_ADDED or z < ADDED_Z:
        return []
    text = f"{stage}: {gain:+.1f} ms for the mean request, {min(part, 1.0):.0%} of what was added"
    return [Clue("stage_latency", f"stage:{stage}", "slow", text, float(z / (z + ADDED_Z)), None, None, min(part, 1.0))]


def _gain(room: Room, column: str) -> tuple[float, float]:
    """Change of a duration's mean, the longest thousandth cut off, and its z."""
    b, a = (x[np.isfinite(x)] for x in (numbers(room.before, column), numbers(room.after, column)))
    if min(b.size, a.size) < FAILED_LEAST:
        return 0.0, 0.0
    top = float(np.quantile(a, 0.999))
    b, a = np.minimum(b, top), np.minimum(a, top)
    error = float(np.sqrt(b.var() / b.size + a.var() / a.size))
    return float(a.mean() - b.mean()), float(a.mean() - b.mean()) / max(error, 1e-12)


def errors(room: Room) -> Outcome:
    """Which error types are new or more frequent."""
    title, c = "Error types", room.columns
    if c.error is None:
        return Outcome("error_types", title, "infra", "free", not_applicable="no error column")
    cube = room.picture.aggregates.cubes["errors"].frame.drop_nulls(VALUE)
    error_rate = room.picture.series["error_rate"]
    weights = [error_rate.coarse_weights(w) for w in (room.picture.before, room.picture.after)]
    slowed = _slowed(room)
    n = error_rate.coarse_sum(1)
    nb, na = (float((n * w).sum()) for w in weights)
    clues = []
    for (kind,), part in cube.group_by(VALUE, maintain_order=True):
        at, k = part[BUCKET].to_numpy(), part["n"].to_numpy()
        kb, ka = (float((k * w[at]).sum()) for w in weights)
        z = rate_z(kb, nb, ka, na) / max(room.picture.noise.get("error_rate", 1.0), 1.0)
        if z > 5 and ka / max(na, 1) > 1.3 * kb / max(nb, 1) and ka >= 10:
            stage = failing_stage(room, str(kind))
            sign = _error_kind(str(kind))
            clues.append(
                Clue(
                    "error_types",
                    f"stage:{stage}" if stage else "component:",
                    f"error:{'cut_short' if sign == 'timeout' and not slowed else sign}",
                    f"error {kind!r}: {kb / max(nb, 1):.2%} -> {ka / max(na, 1):.2%} of requests"
                    + (f", with {stage} longer than in requests that succeed" if stage else "")
                    + (", though nothing is slower than before" if sign == "timeout" and not slowed else ""),
                    float(z / (z + 5)),
                    None,
                    float(ka / max(na, 1)),
                    _part_of_failures(room, ka / max(na, 1) - kb / max(nb, 1)),
                    {"column": c.error, "op": "in", "values": [str(kind)]},
                    {"kind_share": ka},
                )
            )
    return Outcome("error_types", title, "infra", "free", as_clues(clues), "no error type became more frequent")


def _part_of_failures(room: Room, gain: float) -> float | None:
    """Part of the rise of the error rate that one kind of error is; None where another metric is the symptom."""
    whole = room.readings["error_rate"].change
    return float(min(gain / whole, 1.0)) if room.main == "error_rate" and whole is not None and whole > 0 else None


def _slowed(room: Room) -> bool:
    """Whether anything takes longer than before; a call cut short takes less."""
    return any(room.readings[n].worse for n in (*room.moved("stage"), *(n for n in room.moved("service") if n != "error_rate")))


def failing_stage(room: Room, kind: str) -> str | None:
    """Stage in which requests with one error stay longer than those that succeed: there they fail."""
    c = room.columns
    assert c.error is not None
    failed = (room.after[c.error].cast(pl.String) == kind).fill_null(False)
    fine = room.after.filter(room.after[c.error].is_null() | room.after[c.error].cast(pl.String).is_in(list(NO_ERROR)))
    best: tuple[float, str] | None = None
    for stage in c.stages:
        x, y = (v[np.isfinite(v)] for v in (numbers(room.after.filter(failed), stage), numbers(fine, stage)))
        if min(x.size, y.size) < FAILED_LEAST or np.median(x) < (1 + STAGE_LEAST) * np.median(y):
            continue
        z = rank_z(y, x)
        if z > FAILED_Z and (best is None or z > best[0]):
            best = (z, stage)
    return best[1] if best else None


# words in the names of errors, also as teams in other languages write them; the first that fits tells
ERROR_WORDS = (
    ("timeout", ("timeout", "time_out", "time out", "timed", "deadline", "tijdslim", "zeitüber", "zeitlimit", "délai")),
    ("timeout", ("tempo lim", "tempo_lim", "tempo scad", "tiempo", "przekrocz", "zaman aş", "vypršel", "aikakat")),
    ("limit", ("quota", "rate_limit", "ratelimit", "limit", "throttl", "429", "too_many")),
    ("timeout", ("time", "slow")),
    ("down", ("refused", "reset", "connect", "conn_", "unreachable", "no_healthy", "broken pipe", "eof", "unavailable")),
    ("memory", ("memory", "oom", "killed", "restart", "crash", "speicher", "geheugen", "mémoire", "memoria", "pamię", "bellek")),
    ("upstream", ("upstream", "dependency", "supplier", "vendor", "partner", "third", "api", "502", "503", "504", "gateway")),
    ("code", ("value", "type", "key", "parse", "schema", "decode", "serial", "assert", "null", "valid", "index")),
)


HTTP_KINDS = {  # what a status code alone tells
    **dict.fromkeys((408, 499, 524), "timeout"), **dict.fromkeys((429, 509), "limit"),
    **dict.fromkeys((424, 502, 503, 504), "upstream"), **dict.fromkeys((400, 405, 415, 422, 500, 501), "code"), 507: "memory",
}  # fmt: skip


def _error_kind(name: str) -> str:
    text = name.lower().replace("runtime", "")
    status = re.fullmatch(r"(?:http|status|code)?[\W_]*([45]\d\d)", text.strip())
    if status is not None and int(status[1]) in HTTP_KINDS:
        return HTTP_KINDS[int(status[1])]
    for kind, words in ERROR_WORDS:
        if any(w in text for w in words):
            return kind
    return "other"


def components(room: Room) -> Outcome:
    """Service metrics that moved with the symptom: scores before and after, as in BARO (arXiv 2405.09330), with their onset."""
    title = "Service metrics of components"
    names = [n for n, s in room.picture.series.items() if s.family == "component"]
    if not names:
        return Outcome("service_metrics", title, "infra", "free", not_applicable="no service_metrics table")
    clues = []
    slowed = _slowed(room)
    for name in room.moved("component"):
        _, component, metric = name.split(":", 2)
        r = room.readings[name]
        kind = metric_kind(metric)
        if r.before is None or r.after is None or r.worse is False:
            continue
        if kind == "timeout" and not slowed and room.columns.stages:
            kind = "cut_short"
        if kind in ("rows", "other") and _follows_traffic(room, r.before, r.after):
            kind = "requests"
        onset = room.onset(name)
        facts = {"relative": abs(r.after - r.before) / (abs(r.before) + 1e-9)}
        if counts_lost(metric):
            kind, facts["dropped"] = "rows", r.after - r.before
        clues.append(
            Clue(
                "service_metrics",
                f"component:{component}",
                f"metric:{kind}",
                f"{component} {metric}: {r.before:.4g} -> {r.after:.4g}",
                room.strength(name),
                onset,
                facts=facts,
            )
        )
    return Outcome(
        "service_metrics", title, "infra", "free", as_clues(clues), "no component's metric moved for the worse with it"
    )


def _follows_traffic(room: Room, before: float, after: float) -> bool:
    """Whether a counter grew or fell as the requests did."""
    volume = room.readings.get("volume")
    if volume is None or not volume.moved or not volume.before or not volume.after or before <= 0 or after <= 0:
        return False
    return bool(abs(np.log(after / before) - np.log(volume.after / volume.before)) <= AS_TRAFFIC)


def counts_lost(metric: str) -> bool:
    """Whether a metric counts rows that are lost on the way, by its name.

    Examples
    --------
    >>> counts_lost("dropped_records"), counts_lost("records_written"), counts_lost("dropped_connections")
    (True, False, False)
    """
    text = metric.lower()
    return any(w in text for w in DROPPED) and any(w in text for w in UNITS)


def metric_kind(metric: str) -> str:
    """Kind of trouble a service metric tells of, from its name."""
    text = metric.lower()
    return next((kind for kind, words in METRIC_KINDS if any(w in text for w in words)), "other")
