"""Incident, benign shift or no change: from what moved, and from whether it hurt."""

from __future__ import annotations

import math
from collections.abc import Container, Iterable
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from rca_kit.aggregates.grid import DAY_S
from rca_kit.findings.scope import MixRate
from rca_kit.findings.signal import MetricReading
from rca_kit.loop.reading.detect import SEASON_KNOWN
from rca_kit.loop.reading.names import in_order
from rca_kit.loop.reading.onset import missed_refresh
from rca_kit.loop.s4_suspects.ailing import ailing
from rca_kit.loop.s4_suspects.beside import misfits, scored_amiss, worse_arms, worse_beside
from rca_kit.loop.s4_suspects.clue import Clue, Outcome
from rca_kit.loop.s4_suspects.first_week import first_weekend, mix_index
from rca_kit.loop.s4_suspects.harmless import HARMLESS, STAYED_BEHIND, alone_fits, alone_or_along
from rca_kit.loop.s4_suspects.mixed import announced, quality_known
from rca_kit.loop.s4_suspects.room import Room, numbers
from rca_kit.stats.rates import Z95
from rca_kit.stats.stepscan import SEASON_DAYS

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
FAINT = 0.3  # strength of a drift without an onset below which it is none
SHIFT_FAMILIES = ("mix", "input", "output")
OVERDUE_P = 5e-3  # chance of outcomes worse since data are older than ever
MISSES = 1.5  # times by which scores of the same features must differ more than before where no version is named for it
ALL_TAKEN, KNOWN_P = 0.95, 1e-3  # share at which a version is all traffic; chance of outcomes worse since a known moment
# metrics that move when labels of one kind become more
BY_LABELS = ("precision", "recall", "f1", "average_precision", "calibration_error")
BIAS_ALONE = 0.03  # points by which a bias must move that no other outcome and no sign of a cause bears out
# times the oldest age ever seen at which a refresh did not come, whether or not it hurt yet; where nobody asked about it
OVERDUE, LONG_OVERDUE = 2.0, 4.0
WANDERS, SCORES_WANDER = 0.2, 0.1  # sigmas that the mean of a feature, and of the scores, may wander within days
MIX_INDEX, MIX_ASKED = 0.04, 0.01  # population stability index up to which a mix wanders by itself; where somebody asked for it
SURGE = 1.6  # growth of traffic that no ordinary weekday explains
# part of the strongest outcome's change that mix alone must explain for the change to be called a change of mix; of all others'
MIX_SHARE, MIX_HALF = 0.7, 0.5
LEVEL_95 = 0.95
OUTPUTS = ("score_mean", "positive_rate")  # metrics of what is answered, whatever is asked


STANDS_FOR = {
    "log_loss": ("auc", "average_precision", "calibration_error"),
    "accuracy": ("precision", "recall", "f1"),
    "mae": ("rmse",),
    "latency_p95": ("latency_p50", "latency_p99"),
}


@dataclass(frozen=True)
class Verdict:
    """The verdict with its reason in words; `usual` where something moved that every week moves."""

    verdict: str
    because: str
    usual: bool = False


def decide(
    room: Room, outcomes: tuple[Outcome, ...], mix: dict[str, tuple[MixRate, ...]] | None = None, hurt: tuple[str, ...] = ()
) -> Verdict:
    """Decide from the outcomes' readings, the clues, the mix-rate split, and outcomes that fell in one segment (`hurt`)."""
    worse = got_worse(room)
    corrupt = spoilt_by(room, outcomes)
    shifted = [n for n in room.moved(*SHIFT_FAMILIES) if _notable(room, n)]
    volume = room.readings.get("volume")
    asked = room.picture.alert == "volume"
    began = _traffic_began(room)
    if volume is not None and volume.moved and began and (asked or _surged(room, volume)):
        shifted.append("volume")
    alone = [c for o in outcomes for c in o.clues if c.signature == "alone"]
    # one input that moved alone may be the cause of it; not where labels moved too, and no bias came of it
    labels = room.readings.get("label_rate")
    went = labels is not None and labels.moved and "bias" not in worse
    if not corrupt and _slight(room, worse) and (went or not alone):
        worse = []
    arms = worse_arms(c for o in outcomes for c in o.clues)  # who is sent to one that does worse is no guest
    if worse and not corrupt and not arms and _only_mix(worse, mix or {}):
        return Verdict(
            "benign_shift",
            f"{', '.join(in_order(worse)[:3])} moved because traffic moved between segments; inside them it did not",
        )
    if worse:
        return Verdict("incident", f"{', '.join(in_order(worse)[:4])} got worse, beyond chance and season")
    if corrupt and not hurt:
        only = all(c.signature == "threshold" for c in corrupt)
        what = "decisions follow another rule" if only else "data were lost or corrupted on the way"
        return Verdict("incident", f"{what} ({_first(corrupt)}), though no outcome shows it yet")
    if hurt:
        return Verdict("incident", f"in one segment, {hurt[0]}, beyond chance")
    clues = [c for o in outcomes for c in o.clues]
    odd = {c.subject for c in clues if c.signature == "score_function" and c.where and c.strength >= CORRUPTION_LEAST}
    beside = worse_beside(clues, odd)
    if beside:
        return Verdict("incident", f"{_first(beside)}: too few of all requests for the whole to show it")
    if arms:
        return Verdict("incident", _first(arms))
    replaced = _worse_since(room, clues, odd)
    if replaced:
        return Verdict("incident", replaced)
    strange = scored_amiss(clues)
    if strange:
        return Verdict("incident", f"{_first(strange)}, and the scores of these are off, while those of all others are not")
    unknown = misfits(clues)
    if unknown:
        most = max(c.facts["misfit"] for c in unknown)
        return Verdict("incident", f"{_first(unknown)}, and the answers to these are worse than to like ones (loss +{most:.0%})")
    unasked = [c for c in alone if not announced(room, c.subject.partition(":")[2])]
    if unasked and room.moved("output") and not quality_known(room):
        return Verdict("incident", f"{_first(unasked)}, and the scores moved with it")
    rescaled = any(c.signature == "rescaled" and c.strength >= CORRUPTION_LEAST for o in outcomes for c in o.clues)
    behind = stayed_behind(room, 1.0 if rescaled else STAYED_BEHIND)
    if behind:
        return Verdict("incident", behind)
    overdue = _overdue(room)
    if overdue:
        return Verdict("incident", overdue)
    grew = ("segment_surge",) if room.picture.matched else ()  # else the hours themselves may differ, and a segment has its own
    drifted = [c for o in outcomes for c in o.clues if c.signature in ("drift", "mix", "new_category", "lull", *grew)]
    drifted = [c for c in drifted if c.signature != "lull" or asked or _hours_known(room)]
    drifted = [c for c in drifted if c.signature != "mix" or mix_index(room, str((c.where or {}).get("column"))) >= MIX_INDEX]
    if room.picture.alert in room.picture.series:  # an experiment that began is news to who asks about its arms
        about = room.picture.series[room.picture.alert].column
        drifted += [c for c in clues if c.signature == "rerouted" and (c.where or {}).get("column") == about]
    if room.picture.onset is None:  # nothing began anywhere: what hardly differs between two stretches of time is no shift
        drifted = [c for c in drifted if c.signature != "drift" or c.strength >= FAINT]
    if (shifted or drifted) and all(_who_comes(room, c) for c in drifted) and first_weekend(room):
        return Verdict("no_change", "who comes, and how many, changed as the first weekend of the log began or ended", usual=True)
    if shifted and not drifted and set(shifted) <= set(OUTPUTS) and _by_the_hours(room):
        return Verdict("no_change", "scores went up or down little by little, as with the hours: the log is too short to tell")
    if (shifted or drifted) and not _passed(room):
        what = ", ".join(in_order(shifted)[:3]) or _first(drifted)
        return Verdict("benign_shift", f"inputs or traffic moved ({what}), outcomes did not")
    return Verdict("no_change", "nothing moved beyond chance and season")


def _surged(room: Room, volume: MetricReading) -> bool:
    """Whether so many more requests came that it matters though nobody asked about them."""
    return (volume.after or 0.0) >= SURGE * (volume.before or np.inf) and _hours_known(room)


def _traffic_began(room: Room) -> bool:
    """Whether something began that traffic may have begun with: what a component does by itself is no such thing."""
    anchor, move = room.picture.anchor, room.picture.moves.get("volume")
    if move is not None and move.moved:
        return True
    return room.picture.onset is not None and (anchor is None or anchor.series.family != "component")


def _hours_known(room: Room) -> bool:
    """Whether the log is long enough to tell more or fewer requests from the hours of the day, where nobody asked about them."""
    grid = room.picture.grid
    return grid.n * grid.width_s >= SEASON_KNOWN * DAY_S


def _by_the_hours(room: Room) -> bool:
    """Whether what moved came on slowly in a log in which no hour comes twice."""
    grid, onset = room.picture.grid, room.picture.onset
    return onset is not None and onset.gradual and grid.n * grid.width_s < SEASON_DAYS * DAY_S


def _slight(room: Room, worse: list[str]) -> bool:
    """Whether all that got worse is what a few more positive labels make: shares of right decisions, and a small bias."""
    if not worse or not set(worse) <= {"bias", *BY_LABELS}:
        return False
    bias = room.readings["bias"] if "bias" in worse else None
    classes = room.picture.aggregates.plan.label_kind == "binary"
    return bias is None or (classes and abs((bias.after or 0.0) - (bias.before or 0.0)) < BIAS_ALONE)


def spoilt_by(room: Room, outcomes: Iterable[Outcome]) -> list[Clue]:
    """Clues of data lost or corrupted on the way, but for what harms nobody."""
    # labels that differ from what they meant are seen in how right the answers are, or are no worse
    found = [c for o in outcomes for c in o.clues if not (c.check == "concept" and c.signature == "labels_moved")]
    strong = [
        c for c in found if (c.signature in CORRUPTION or c.facts.get("dropped", 0.0) > 0) and c.strength >= CORRUPTION_LEAST
    ]
    return [c for c in strong if not any(harmless(room, c) for harmless in HARMLESS)]


def _who_comes(room: Room, clue: Clue) -> bool:
    """Whether a clue tells of the mix of those who come: by values of segments, or a drift of what is a segment too."""
    segment = clue.subject.partition(":")[2] in room.columns.segments
    return clue.signature == "mix" or (clue.signature == "drift" and segment)


def _notable(room: Room, name: str) -> bool:
    """Whether a shift is one that somebody asked about, or begins at an onset and is no mere wandering of a feature's mean."""
    picture = room.picture
    series, reading = picture.series[name], room.readings[name]
    if series.column in room.clocks:  # of two stretches of time of other hours
        return False
    if name == "score_mean" and room.columns.score in room.before.columns:
        spread = float(np.nanstd(numbers(room.before, room.columns.score)))
        if abs((reading.after or 0.0) - (reading.before or 0.0)) < SCORES_WANDER * spread:
            return False
    if name == picture.alert:
        return series.family != "mix" or mix_index(room, series.column or "") >= MIX_ASKED
    if picture.onset is None and not picture.moves[name].moved:
        return False
    if series.family == "mix":
        return mix_index(room, series.column or "") >= MIX_INDEX
    change = room.compared.get(series.column or "")
    if name == "score_mean" or series.family != "input" or change is None or not change.spread_before:
        return True
    return abs((reading.after or 0.0) - (reading.before or 0.0)) >= WANDERS * change.spread_before


def _passed(room: Room) -> bool:
    """Whether all there is was a passing rise or fall of inputs, over before an alert that was about something else."""
    anchor, picture = room.picture.anchor, room.picture
    if anchor is None or anchor.scan.kind != "box" or anchor.series.family not in SHIFT_FAMILIES:
        return False
    asked = picture.series.get(picture.alert)  # of a column's mix, the share of any of its values
    if asked is not None and asked.family == anchor.series.family and asked.column == anchor.series.column:
        return False
    return anchor.fit.end < picture.grid.index(picture.detected_at) // picture.grid.coarse


def stayed_behind(room: Room, least: float) -> str:
    """In words, that the scores moved and the truth did not follow; empty when it did or cannot be told.

    One question of its own, so it needs no correction for all that was looked at: is the change of the bias (score less truth)
    that of the mean score, as when only the scores moved, or none, as when the world moved with them? Answered by the ratio of
    the two likelihoods, which must be `least`.
    """
    score, told = room.readings.get("score_mean"), alone_or_along(room)
    if score is None or told is None or told < math.log(least) or not alone_fits(room):
        return ""
    return f"the mean score moved ({score.before:.3g} -> {score.after:.3g}), and the outcomes did not follow: the scores are off"


def _worse_since(room: Room, clues: list[Clue], odd: set[str]) -> str:
    """In words, that outcomes are worse since a version that scores otherwise took all requests, or since a deploy; else empty.

    The version, or the entry about weights exchanged in place, tells when: each outcome is looked at once, and less has to be
    seen than where it may have begun at any time.
    """
    taken = [c for c in clues if c.signature == "version" and c.facts.get("share", 0.0) >= ALL_TAKEN]
    all_odd = any(c.signature == "score_function" and not c.where and c.facts.get("ratio", 0.0) >= MISSES for c in clues)
    onset = room.picture.onset if all_odd else None
    deployed = [c.id for c in room.changes if c.id == onset.lead and c.kind == "model_deploy"] if onset is not None else []
    if not deployed and (not taken or not (room.moved("output") or all_odd or any(c.subject in odd for c in taken))):
        return ""
    worse = _worse_at_once(room, KNOWN_P)
    since = deployed[0] if deployed else taken[0].subject.partition(":")[2]
    return f"{worse} since {since}, which scores otherwise" if worse else ""


def _worse_at_once(room: Room, chance: float) -> str:
    """In words, the outcome that is most surely worse where something else tells since when; empty where chance may make one."""
    told = [(n, r) for n, r in room.readings.items() if room.picture.series[n].family in ("quality", "kpi") and r.worse]
    able = [(r.p_value, n, r) for n, r in told if r.p_value is not None and n not in BY_LABELS]
    sure = [x for x in able if x[0] <= chance / len(told) and room.picture.matters(x[1], x[2].before or 0.0, x[2].change or 0.0)]
    if not sure:
        return ""
    _, name, r = min(sure, key=lambda x: x[:2])
    return f"{name} is worse ({r.before:.3g} -> {r.after:.3g})"


def _overdue(room: Room) -> str:
    """In words, that data are much older than ever: those asked about or that outcomes are worse with, or by far; else empty."""
    picture = room.picture
    for name, move in picture.moves.items():
        missed = missed_refresh(move) if move.moved else None
        if missed is None or picture.onset is None:
            continue
        age = move.series.buckets().value
        usual, now = float(np.nanmax(age[: missed[0] + 1])), float(np.nanmax(age[missed[1] :]))
        if now >= (OVERDUE if name == picture.alert or _worse_at_once(room, OVERDUE_P) else LONG_OVERDUE) * usual:
            hours = f"{now / 3600:.3g} hours old, {usual / 3600:.3g} at most before"
            return f"data of {move.series.column} were not refreshed: {hours}"
    return ""


def _first(clues: list[Clue]) -> str:
    return max(clues, key=lambda c: c.strength).says


def _only_mix(worse: list[str], mix: dict[str, tuple[MixRate, ...]]) -> bool:
    """Whether, for every outcome that got worse, mix over some dimension explains it and inside the segments it held.

    Of many outcomes one differs by chance: the intervals hold for all together (Bonferroni), and only of the strongest must mix
    be most of it.
    """
    wider = float(ndtri(1 - (1 - LEVEL_95) / (2 * max(len(worse), 1)))) / Z95

    def held(m: MixRate, least: float) -> bool:
        if m.total == 0 or m.rate_interval is None or m.mix / m.total < least:
            return False
        low, high = (m.rate + wider * (edge - m.rate) for edge in m.rate_interval)
        return low <= 0 if m.total > 0 else high >= 0

    return bool(mix) and all(
        any(held(m, MIX_HALF if i else MIX_SHARE) for m in mix.get(n, ())) for i, n in enumerate(worse)
    )


def got_worse(room: Room) -> list[str]:
    """Outcomes that moved for the worse, strongest first; parts of the service where the whole does not show it yet."""
    return [n for n in room.moved(*OUTCOME_FAMILIES) if room.readings[n].worse] or ailing(room)


def told_by(name: str, known: Container[str]) -> str:
    """The metric with a loss per request that stands for one without: log loss for ranking and calibration, accuracy for cuts."""
    for stands, others in STANDS_FOR.items():
        if name in others and stands in known:
            return stands
    return name
