"""Checks of what is recorded of answers: labels lost or moved, scores that are missing or all the same."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rca_kit.loop.s4_suspects.clue import Clue, Outcome
from rca_kit.loop.s4_suspects.room import Room, as_clues, failed, numbers
from rca_kit.loop.s4_suspects.units import ROW_MIN, usable
from rca_kit.loop.s4_suspects.worst import odds_moved
from rca_kit.stats.rates import rate_z

Floats = NDArray[np.float64]

DUE = 0.9  # part of their usual share at which labels have come
CUT_OFF = 0.25  # part by which the share on a bound may differ from the share that lay beyond it
LOST_LEAST = 0.02  # points of share under which labels are a little late or a little rarer, as on some days they are
RATE_WANDERS = 0.08  # standard deviations of a label by which the rate of positive ones may wander for a day
STILL_MISSING_Z = 3.0  # standard errors by which more answered requests must be without a score
FALLBACK_LEAST = 0.04  # one score's gain of share; sharper scores round to 0 or 1 a little more often


def labels(room: Room) -> Outcome:
    """The label pipeline: labels lost, or labels that moved while scores and KPIs did not."""
    title, c = "Labels", room.columns
    if c.label is None and not c.kpis:
        return Outcome("labels", title, "data", "free", not_applicable="no label column")
    clues = []
    share = room.readings.get("label_share")
    if (
        share is not None
        and room.picture.moves["label_share"].moved
        and (share.change or 0) <= -LOST_LEAST
        and share.before is not None
        and share.after is not None
    ):
        clues.append(
            Clue(
                "label_share",
                "label",
                "labels_lost",
                f"labels present for {share.before:.0%} -> {share.after:.0%} of requests",
                room.strength("label_share"),
                room.onset("label_share"),
                abs(share.change or 0),
                where={"column": c.label, "op": "null"},
            )
        )
    for name, s in room.picture.series.items():
        r = room.readings.get(name)
        if s.family != "labels" or not name.startswith("null_rate:") or r is None or (r.change or 0) <= 0:
            continue
        if not r.moved or not room.picture.moves[name].moved:  # as with labels: what is on its way is not lost
            continue
        clues.append(
            Clue(
                "label_share",
                "label",
                "labels_lost",
                f"{s.column} missing in {r.before:.0%} -> {r.after:.0%} of requests",
                room.strength(name),
                room.onset(name),
                r.change,
                where={"column": s.column, "op": "null"},
            )
        )
    rate = room.readings.get("label_rate")
    score = room.readings.get("score_mean")
    kpis = [room.readings[n] for n in room.picture.series if room.picture.series[n].family == "kpi"]
    if rate is not None and rate.moved and rate.before is not None and rate.after is not None:
        spread = max(rate.before * (1 - rate.before), 0.0) ** 0.5
        steady = (score is None or not score.moved) and _holds_where_due(room, rate.change or 0.0)
        steady = steady and abs(rate.change or 0.0) >= RATE_WANDERS * spread
        bias = room.readings.get("bias")
        if bias is not None and not room.picture.matched:  # at night others come, and scores know a part of it
            steady = steady and bias.moved
        calm = room.business_calm is not False and not room.inside  # people who changed have other labels, rightly
        text = f"positive labels {rate.before:.2%} -> {rate.after:.2%}"
        text += ", while scores" + (" and KPIs" if kpis else "") + " stayed" if steady and calm else ""
        world = odds_moved(room)
        text += "; the odds of a positive moved alike for all scores: the world changed" if world else ""
        clues.append(
            Clue(
                "label_rate",
                "population" if world else "label",
                "concept" if world else "labels_moved" if steady and calm and kpis else "label_rate",
                text,
                room.strength("label_rate") * (1.0 if steady and calm else 0.5),
                room.onset("label_rate"),
                facts={"steady": float(steady), "calm": float(calm), "kpis": float(len(kpis))},
            )
        )
    return Outcome("labels", title, "data", "free", as_clues(clues), "labels arrive, and mean what they meant")


def _holds_where_due(room: Room, change: float) -> bool:
    """Whether the label rate differs as much where most labels have come: what comes first is not what comes last."""
    picture = room.picture
    share, rate = picture.series["label_share"], picture.series["label_rate"]
    seen = share.buckets(picture.grid.coarse).value
    usual = picture.level("label_share", picture.before).value
    due = np.repeat(np.nan_to_num(seen) >= DUE * usual, picture.grid.coarse)[: picture.grid.n]
    b, a, there = rate.over(picture.before), rate.over(picture.after * due), share.over(picture.after * due)
    if not np.isfinite(a.value) or not np.isfinite(there.value):
        return False
    open_ = max(1 - there.value / usual, 0.0)  # labels yet to come may all be of the other kind
    worst = a.value * (1 - open_) + (open_ if change < 0 else 0.0)
    return bool((worst - b.value) * np.sign(change) >= 2 * np.hypot(a.error, b.error))


def _bound(value: float, after: Floats, before: Floats, share: float) -> str:
    """What says that scores were cut off at a value: none lies beyond it, and about as many did before as lie on it now."""
    for side, beyond, was in (("above", after > value, before > value), ("below", after < value, before < value)):
        if not beyond.any() and abs(float(was.mean()) - share) <= CUT_OFF * share:
            return f"no score lies {side} {value:.4g}, where {was.mean():.0%} lay before: "
    return ""


def one_score(before: Floats, after: Floats) -> tuple[float, float, float, float] | None:
    """Give the score that many requests share and hardly any did before, its shares before and after, and z; None without one."""
    if min(after.size, before.size) <= ROW_MIN:
        return None
    values, counts = np.unique(after, return_counts=True)
    value, top = float(values[int(np.argmax(counts))]), float(counts.max() / after.size)
    was = float((before == value).mean())
    z = rate_z(was * before.size, before.size, top * after.size, after.size)
    return (value, was, top, z) if top - was > FALLBACK_LEAST and z > 6 and was < 0.2 * top else None


def _only_of_failed(room: Room) -> bool:
    """Whether requests that were answered have as many scores as before: those that failed have none, whoever failed."""
    c = room.columns
    if c.error is None or not {c.error} <= set(room.before.columns) & set(room.after.columns):
        return False
    missing = [np.isnan(numbers(f, c.score))[failed(f[c.error]) == 0] for f in (room.before, room.after)]
    (k0, n0), (k1, n1) = ((float(m.sum()), float(m.size)) for m in missing)
    return min(n0, n1) > 0 and rate_z(k0, n0, k1, n1) < STILL_MISSING_Z


def outputs(room: Room) -> Outcome:
    """Scores that are missing, constant, or moved."""
    title, c = "Scores and decisions", room.columns
    if c.score is None:
        return Outcome("outputs", title, "model", "free", not_applicable="no score column")
    clues = []
    name = f"null_rate:{c.score}"
    r = room.readings.get(name)
    lost = r is not None and r.moved and (r.change or 0) > 0 and not _only_of_failed(room)
    if lost and r is not None and r.before is not None and r.after is not None:
        clues.append(
            Clue(
                "score_nulls",
                "model:",
                "score_nulls",
                f"scores missing: {r.before:.1%} -> {r.after:.1%}",
                room.strength(name),
                room.onset(name),
                r.change,
                None,
                {"column": c.score, "op": "null"},
            )
        )
    b, a = (usable(numbers(f, c.score)) for f in (room.before, room.after))
    same = one_score(b, a)
    if same is not None:
        value, was, top, z = same
        where = {"column": c.score, "op": "equal", "value": value}
        text, strength = f"one score ({value:.4g}) for {top:.1%} of requests, {was:.1%} before", float(z / (z + 5))
        bound = _bound(value, a, b, top)
        subject, signature = ("threshold", "threshold") if bound else ("model:", "fallback")
        clues.append(Clue("score_constant", subject, signature, bound + text, strength, None, top - was, None, where))
    return Outcome("outputs", title, "model", "free", as_clues(clues), "scores are present and vary")
