"""Incident, benign shift or no change: from what moved, and from whether it hurt."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import polars as pl

from rca_kit.findings.scope import MixRate
from rca_kit.loop.reading.names import in_order
from rca_kit.loop.reading.onset import appearance
from rca_kit.loop.s4_suspects.clue import Clue, Outcome
from rca_kit.loop.s4_suspects.room import Floats, Room, between_groups, numbers, row_loss
from rca_kit.stats.rates import Z95

OUTCOME_FAMILIES = ("quality", "service", "kpi", "output_nulls", "segment")
# data lost or corrupted on the way is an incident even before an outcome shows it
CORRUPTION = (
    "nulls",
    "default",
    "imputed",
    "clipped",
    "coarse",
    "swapped",
    "frozen",
    "stale",
    "range",
    "unit",
    "renamed",
    "permuted",
    "duplicates",
    "lost",
    "labels_lost",
    "labels_moved",
    "truncated",
    "clock",
    "segment_lost",
    "injected",
    "text_quality",
    "score_nulls",
    "fallback",
    "threshold",
)
CORRUPTION_LEAST = 0.55  # strength of such a clue
BORNE_ROWS, BORNE_OUT = 100, 0.25  # labelled rows a side; deviations by which their losses may be larger, with 95 % confidence
KNOWN_VALUE = 0.01  # share before from which a value is one of the column's own
GONE = 0.1  # part of its share on the other side that a name may have and be gone: some hours lie on the edge
SAME_SCORES = 0.15  # standard deviations by which the mean score of requests with a new name may differ, with 95 % confidence
FAINT = 0.3  # strength of a drift without an onset below which it is none
RECALIBRATED = 0.98  # share of requests from which another scale is one for all: where no score heeds the input, no harm
IDLE_ROWS, IDLE_BINS, IDLE_TIMES = 2000, 10, 3.0  # rows that tell it; groups of like value; times chance that they may explain
SHIFT_FAMILIES = ("mix", "input", "output")
BESIDE_Z = 6.0  # standard errors by which a new version does worse than the others at the same time; whom it serves may differ
ODD_BESIDE_Z = 3.0  # ... where it also gives other scores for the same features
LABELS_LEAST = 0.3  # share of labels that must be there for steady quality to mean something
WANDERS = 0.2  # sigmas that the mean of a feature may wander within days
SURGE = 1.6  # growth of traffic that no ordinary weekday explains
WEEKEND_EDGE, WEEKEND_PART = 8 * 3600, 0.6  # seconds around Saturday at which a weekend sets in; its part of the time since
STAYED_BEHIND = 20.0  # times likelier that the truth stayed than that it went with the scores: by chance once in 140 drifts
MIX_SHARE = 0.7  # part of an outcome's change that mix alone must explain for the change to be called a change of mix


STANDS_FOR = {
    "log_loss": ("auc", "average_precision", "calibration_error"),
    "accuracy": ("precision", "recall", "f1"),
    "mae": ("rmse",),
    "latency_p95": ("latency_p50", "latency_p99"),
}


@dataclass(frozen=True)
class Verdict:
    """The verdict with its reason in words."""

    verdict: str
    because: str


def decide(
    room: Room, outcomes: tuple[Outcome, ...], mix: dict[str, tuple[MixRate, ...]] | None = None, hurt: tuple[str, ...] = ()
) -> Verdict:
    """Decide from the outcomes' readings, the clues, the mix-rate split, and outcomes that fell in one segment (`hurt`)."""
    worse = got_worse(room)
    corrupt = [c for o in outcomes for c in o.clues if c.signature in CORRUPTION and c.strength >= CORRUPTION_LEAST]
    corrupt = [c for c in corrupt if not any(harmless(room, c) for harmless in HARMLESS)]
    shifted = [n for n in room.moved(*SHIFT_FAMILIES) if _notable(room, n)]
    volume = room.readings.get("volume")
    asked = room.picture.alert == "volume"
    if volume is not None and volume.moved and (asked or (volume.after or 0.0) >= SURGE * (volume.before or np.inf)):
        shifted.append("volume")
    if worse and not corrupt and _only_mix(worse, mix or {}):
        return Verdict(
            "benign_shift",
            f"{', '.join(in_order(worse)[:3])} moved because traffic moved between segments; inside them it did not",
        )
    if worse:
        return Verdict("incident", f"{', '.join(in_order(worse)[:4])} got worse, beyond chance and season")
    if corrupt:
        return Verdict("incident", f"data were lost or corrupted on the way ({_first(corrupt)}), though no outcome shows it yet")
    if hurt:
        return Verdict("incident", f"in one segment, {hurt[0]}, beyond chance")
    clues = [c for o in outcomes for c in o.clues]
    odd = {c.subject for c in clues if c.signature == "score_function" and c.where and c.strength >= CORRUPTION_LEAST}
    new = [(c, c.facts.get("side_by_side_z", 0.0)) for c in clues if c.signature == "version"]
    beside = [c for c, z in new if z >= BESIDE_Z or (z >= ODD_BESIDE_Z and c.subject in odd)]
    if beside:
        return Verdict("incident", f"{_first(beside)}: too few of all requests for the whole to show it")
    alone = [c for o in outcomes for c in o.clues if c.signature == "alone"]
    if alone and room.moved("output") and not _quality_known(room):
        return Verdict("incident", f"{_first(alone)}, and the scores moved with it")
    rescaled = any(c.signature == "rescaled" and c.strength >= CORRUPTION_LEAST for o in outcomes for c in o.clues)
    behind = stayed_behind(room, 1.0 if rescaled else STAYED_BEHIND)
    if behind:
        return Verdict("incident", behind)
    grew = ("segment_surge",) if room.picture.matched else ()  # else the hours themselves may differ, and a segment has its own
    drifted = [c for o in outcomes for c in o.clues if c.signature in ("drift", "mix", "new_category", "lull", *grew)]
    if room.picture.onset is None:  # nothing began anywhere: what hardly differs between two stretches of time is no shift
        drifted = [c for c in drifted if c.signature != "drift" or c.strength >= FAINT]
    if (shifted or drifted) and all(c.signature == "mix" for c in drifted) and _first_weekend(room):
        return Verdict("no_change", "who comes, and how many, changed as the first weekend of the log began or ended")
    if (shifted or drifted) and not _passed(room):
        what = ", ".join(in_order(shifted)[:3]) or _first(drifted)
        return Verdict("benign_shift", f"inputs or traffic moved ({what}), outcomes did not")
    return Verdict("no_change", "nothing moved beyond chance and season")


def _notable(room: Room, name: str) -> bool:
    """Whether a shift is one that somebody asked about, or begins at an onset and is no mere wandering of a feature's mean."""
    picture = room.picture
    if name == picture.alert:
        return True
    if picture.onset is None and not picture.moves[name].moved:
        return False
    change = room.compared.get(picture.series[name].column or "")
    reading = room.readings[name]
    if picture.series[name].family != "input" or change is None or not change.spread_before:
        return True
    return abs((reading.after or 0.0) - (reading.before or 0.0)) >= WANDERS * change.spread_before


def _passed(room: Room) -> bool:
    """Whether all there is was a passing rise or fall of inputs, over before an alert that was about something else."""
    anchor, picture = room.picture.anchor, room.picture
    if anchor is None or anchor.scan.kind != "box" or anchor.series.family not in SHIFT_FAMILIES:
        return False
    return anchor.series.name != picture.alert and anchor.fit.end < picture.grid.index(picture.detected_at) // picture.grid.coarse


def _first_weekend(room: Room) -> bool:
    """Whether traffic or its mix moved as the first weekend (or working days) of the log began: nothing tells what is usual."""
    picture = room.picture
    anchor, grid = picture.anchor, picture.grid
    if anchor is None or anchor.series.family not in ("volume", "mix") or appearance(anchor) is not None:
        return False
    start = picture.onset.index // grid.coarse if picture.onset is not None else anchor.fit.start
    off, edge = grid.weekend(coarse=True), int(WEEKEND_EDGE // grid.coarse_s)
    end = min(anchor.fit.end if anchor.scan.kind == "box" else grid.n_coarse, grid.index(picture.detected_at) // grid.coarse + 1)
    for kind in (off, ~off):
        earlier = kind[: max(start - edge, 0)]
        began = bool(kind[max(start - edge, 0) : start + edge + 1].any()) and bool(earlier.size) and not earlier.any()
        if began and end > start and float(kind[start:end].mean()) >= WEEKEND_PART:
            return True
    return False


def _quality_known(room: Room) -> bool:
    """Whether enough labels have arrived after the onset to have shown harm."""
    r = room.readings.get("label_share")
    return r is not None and (r.after or 0.0) >= LABELS_LEAST


def stayed_behind(room: Room, least: float) -> str:
    """In words, that the scores moved and the truth did not follow; empty when it did or cannot be told.

    One question of its own, so it needs no correction for all that was looked at: is the change of the bias (score less truth)
    that of the mean score, as when only the scores moved, or none, as when the world moved with them? Answered by the ratio of
    the two likelihoods, which must be `least`.
    """
    score, told = room.readings.get("score_mean"), alone_or_along(room)
    if score is None or told is None or told < math.log(least):
        return ""
    return f"the mean score moved ({score.before:.3g} -> {score.after:.3g}), and the outcomes did not follow: the scores are off"


def alone_or_along(room: Room) -> float | None:
    """Log of how much likelier it is that the scores moved alone than that the truth went along; None where it is not told."""
    score, bias = room.readings.get("score_mean"), room.readings.get("bias")
    if score is None or bias is None or not score.moved or not score.change or bias.change is None or bias.interval is None:
        return None
    error = (bias.interval[1] - bias.interval[0]) / (2 * Z95)
    return float((bias.change**2 - (bias.change - score.change) ** 2) / (2 * error**2)) if error > 0 else None


def recalibrated(room: Room, clue: Clue) -> bool:
    """Whether an input has another scale in all requests (in a part of them it is a mistake), and nobody minds.

    No score heeds it, or the truth went along with the scores: then what it measures has grown.
    """
    if clue.signature != "unit" or (clue.share or 0.0) < RECALIBRATED:
        return False
    told = alone_or_along(room)
    return (told is not None and told <= -math.log(STAYED_BEHIND)) or idle(room, clue.subject.partition(":")[2])


def unheeded(room: Room, clue: Clue) -> bool:
    """Whether values of an input that no score heeded lie elsewhere, and their requests score like the others.

    A value that stands for a missing one was rare before; one that many requests had is an answer like any other.
    """
    where, score = clue.where or {}, room.columns.score
    column = str(where.get("column"))
    if clue.signature not in ("range", "default") or score is None or where.get("segment") or not idle(room, column):
        return False
    x, was = numbers(room.after, column), numbers(room.before, column)
    if where.get("op") == "outside":
        marked = (x < where["low"]) | (x > where["high"])
    elif where.get("op") == "equal" and float((was == where["value"]).mean()) >= KNOWN_VALUE:
        marked = x == where["value"]
    else:
        return False
    y = numbers(room.after, score)
    return alike(y[marked & np.isfinite(y)], y[~marked & np.isfinite(y)])


def borne_out(room: Room, clue: Clue) -> bool:
    """Whether labels bear out values that lie elsewhere: the requests that hold them are answered no worse than others before.

    Asked of values out of range and of conversions that a drift may pass for; x 1000 is a mistake however little it hurts.
    """
    c, where, plan = room.columns, clue.where or {}, room.picture.aggregates.plan
    odd = clue.signature == "range" or (clue.signature == "unit" and clue.facts.get("odd"))
    if not odd or where.get("op") != "outside" or c.label is None or c.score is None:
        return False
    sides = []
    for frame in (room.before, room.after):
        inside = np.ones(frame.height, bool)
        for name, value in where.get("segment", {}).items():
            inside &= (frame[name].cast(pl.String) == value).fill_null(False).to_numpy()
        if frame is room.after:
            x = numbers(frame, where["column"])
            outside = (x < where["low"]) | (x > where["high"])
            inside &= outside if clue.signature == "range" or not where.get("segment") else np.isfinite(x)
        loss = row_loss(frame, c, plan, "", "quality")
        if loss is None:
            return False
        sides.append(loss[inside & np.isfinite(loss)])
    b, a = sides
    if min(a.size, b.size) < BORNE_ROWS or not b.std() > 0:
        return False
    worse = (float(a.mean() - b.mean()) + Z95 * float(np.sqrt(a.var() / a.size + b.var() / b.size))) / float(b.std())
    return worse <= BORNE_OUT


def alike(a: Floats, b: Floats) -> bool:
    """Whether the means of two sets of scores differ by no more than `SAME_SCORES` standard deviations, with 95 % confidence."""
    if min(a.size, b.size) < 2 or not (spread := float(np.concatenate([a, b]).std())) > 0:
        return False
    return abs(float(a.mean() - b.mean())) / spread + Z95 * float(np.sqrt(1 / a.size + 1 / b.size)) <= SAME_SCORES


def in_name_only(room: Room, clue: Clue) -> bool:
    """Whether some values have other names and the scores of their requests are those of before: no model heeds the name.

    Where most values of a column do, it is no name that somebody changed, but how all of them are written.
    """
    column, score = clue.subject.partition(":")[2], room.columns.score
    if clue.signature != "renamed" or score is None or score == column:
        return False
    if not {column, score} <= set(room.before.columns) & set(room.after.columns):
        return False
    sides = []
    for frame, other in ((room.before, room.after), (room.after, room.before)):
        own, else_ = frame[column].cast(pl.String), other[column].cast(pl.String)
        counts = {v: n / own.len() for v, n in own.drop_nulls().value_counts().iter_rows()}
        there = {v: n / else_.len() for v, n in else_.drop_nulls().value_counts().iter_rows()}
        names = [v for v, part in counts.items() if there.get(v, 0.0) <= GONE * part]
        if len(names) > len(counts) / 2:
            return False
        y = numbers(frame, score)
        sides.append(y[own.is_in(names).fill_null(False).to_numpy() & np.isfinite(y)])
    return alike(*sides)


HARMLESS = (recalibrated, in_name_only, unheeded, borne_out)  # what looks corrupted, and nobody minds


def idle(room: Room, column: str) -> bool:
    """Whether scores did not depend on a column before: groups of like value explain no more of their variance than by chance."""
    score = room.columns.score
    if score is None or column not in room.before.columns or score not in room.before.columns or column == score:
        return False
    y = numbers(room.before, score)
    ok = np.isfinite(y)
    if ok.sum() < IDLE_ROWS or y[ok].std() == 0:
        return False
    code = room.before[column].rank("dense").fill_null(0).to_numpy()[ok]
    group = np.searchsorted(np.quantile(code, np.linspace(0, 1, IDLE_BINS + 1)[1:-1]), code, side="right")
    return between_groups(y[ok], group) <= IDLE_TIMES * max(np.unique(group).size - 1, 1) / float(ok.sum())


def _first(clues: list[Clue]) -> str:
    return max(clues, key=lambda c: c.strength).says


def _only_mix(worse: list[str], mix: dict[str, tuple[MixRate, ...]]) -> bool:
    """Whether, for every outcome that got worse, mix over some dimension explains it and inside the segments it held."""

    def held(m: MixRate) -> bool:
        if m.total == 0 or m.rate_interval is None or m.mix / m.total < MIX_SHARE:
            return False
        return m.rate_interval[0] <= 0 if m.total > 0 else m.rate_interval[1] >= 0

    return bool(mix) and all(any(held(m) for m in mix.get(n, ())) for n in worse)


def got_worse(room: Room) -> list[str]:
    """Outcomes that moved for the worse, strongest first."""
    return [n for n in room.moved(*OUTCOME_FAMILIES) if room.readings[n].worse]


def told_by(name: str, room: Room) -> str:
    """The metric with a loss per request that stands for one without: log loss for ranking and calibration, accuracy for cuts."""
    for stands, others in STANDS_FOR.items():
        if name in others and stands in room.picture.series:
            return stands
    return name
