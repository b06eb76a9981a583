"""Step 4, Suspects: checks give clues, clues make hypotheses, the ledger weighs them, the verdict follows.

One file per kind of check in `checks/`; `hypotheses` writes down what could be; `ledger` weighs; `verdict` decides.
"""

from __future__ import annotations

from dataclasses import replace

from rca_kit.aggregates.grid import DAY_S
from rca_kit.case.decisions import NOTHING, Decisions
from rca_kit.findings.base import Window
from rca_kit.findings.scope import Scope
from rca_kit.findings.suspects import CATEGORIES, CategoryStatus, CheckResult, Decision, Suspect, Suspects, chance
from rca_kit.findings.symptom import Symptom
from rca_kit.loop.s4_suspects.changes import Fit, fits
from rca_kit.loop.s4_suspects.checks import CHECKS
from rca_kit.loop.s4_suspects.checks.concept import truth_moved
from rca_kit.loop.s4_suspects.checks.downstream import hosted_model, unexplained
from rca_kit.loop.s4_suspects.clue import Clue, Outcome
from rca_kit.loop.s4_suspects.harmless import idle, truth_stayed
from rca_kit.loop.s4_suspects.hypotheses import Hypothesis, Scene, hypotheses
from rca_kit.loop.s4_suspects.judged import Judged, judge, said
from rca_kit.loop.s4_suspects.ledger import accused, evidence, probabilities
from rca_kit.loop.s4_suspects.next_test import chain, next_test, refuted_by, title
from rca_kit.loop.s4_suspects.room import Room
from rca_kit.loop.s4_suspects.spread import moved_elsewhere
from rca_kit.loop.s4_suspects.verdict import CORRUPTION, CORRUPTION_LEAST, Verdict, got_worse, spoilt_by

MOST_SUSPECTS = 6  # a person reads three; six leave room for doubt
LEAST_RIVAL = 0.02  # probability below which no test is spent on telling a suspect from another
LEAST_PROBABILITY = 0.01
LEAST_SUSPECTS = 3  # listed however unlikely: who suspects the second wants to read what speaks against it
OWN_TEST = "name what would refute it, and try that first"
RECORDS = {"label", "traffic"}  # what the log itself keeps: labels and rows
GUESTS = frozenset({"traffic", "population"})  # more of them, or others, spoil no values
EXCLUDED_BELOW = 0.03  # probability of a whole category under which, with its checks clear, it is called excluded

__all__ = ["Hypothesis", "Outcome", "Room", "Scene", "run_checks", "suspects", "weigh_up"]


def run_checks(room: Room) -> tuple[Outcome, ...]:
    """Run every check on the room, in a fixed order."""
    outcomes = tuple(check(room) for check in CHECKS)
    for what_is_left in (unexplained, hosted_model):  # told of what all other checks found
        outcomes = _left_over(outcomes, what_is_left(room, outcomes))
    return truth_moved(room, outcomes)


def with_unexplained(room: Room, outcomes: tuple[Outcome, ...], hurt: tuple[str, ...]) -> tuple[Outcome, ...]:
    """The outcomes of the checks with what is left where these metrics fell in one segment only, and no check found anything."""
    return _left_over(outcomes, unexplained(room, outcomes, hurt))


def _left_over(outcomes: tuple[Outcome, ...], clues: tuple[Clue, ...]) -> tuple[Outcome, ...]:
    return tuple(_with(o, clues) if clues and o.code == "concept" else o for o in outcomes)


def _with(outcome: Outcome, clues: tuple[Clue, ...]) -> Outcome:
    return replace(outcome, clues=(*outcome.clues, *clues), not_applicable="", clear="")


def weigh_up(room: Room, outcomes: tuple[Outcome, ...], scope: Scope, symptom: Symptom) -> list[Hypothesis]:
    """Write down all hypotheses for the clues found."""
    clues = [c for o in outcomes for c in o.clues]
    picture = room.picture
    interval = symptom.onset_interval or (picture.windows[0].end, picture.windows[1].start)
    span = Window(picture.grid.origin, picture.grid.time(picture.grid.n)).seconds / 60
    onset = picture.onset.index if picture.onset else picture.grid.index(picture.windows[1].start)
    family = picture.series[room.main].family if room.main in picture.series else "unknown"
    components = tuple(dict.fromkeys(str(s.column) for s in room.picture.series.values() if s.family == "component"))
    day = max(DAY_S // picture.grid.width_s, 1)
    version, features = _current_version(room), room.columns.features
    grid = picture.grid
    lost = {c.subject for c in clues if c.signature in CORRUPTION and c.strength >= CORRUPTION_LEAST}
    unhurt = bool(lost) and not got_worse(room)
    corrupt = frozenset(lost if lost <= RECORDS and unhurt else ())
    spoilt = {c.subject for c in spoilt_by(room, outcomes)} if unhurt else set()
    guests = GUESTS - spoilt if spoilt else frozenset()
    calm = grid.index(interval[0]) - grid.coarse
    named = {c.subject for c in clues if c.subject.startswith("feature:")} if got_worse(room) else set()
    unheeded = frozenset(s for s in named if idle(room, s.partition(":")[2]))
    stayed = truth_stayed(room)
    abroad = moved_elsewhere(room, clues, scope.segments) if got_worse(room) else frozenset()
    scene = Scene(
        family, onset, scope.segments, version, components, features, day, corrupt, calm, unheeded, stayed, guests, abroad)

    def refit(bucket: int) -> list[Fit]:
        return fits(room.changes, (grid.time(bucket), grid.time(bucket + grid.coarse)), span, scope.segments)

    return hypotheses(clues, fits(room.changes, interval, span, scope.segments), scene, refit)


def suspects(
    room: Room,
    outcomes: tuple[Outcome, ...],
    scope: Scope,
    symptom: Symptom,
    verdict: Verdict,
    decisions: Decisions = NOTHING,
) -> Suspects:
    """Rank the hypotheses, with what people decided, and say where each category stands."""
    checks = tuple(CheckResult(o.code, o.title, o.status, _says(o), o.category, o.cost) for o in outcomes)
    if verdict.verdict == "no_change":
        status = tuple(
            CategoryStatus(
                c,
                "excluded" if _tested(outcomes, c) else "not_tested",
                "nothing moved" if _tested(outcomes, c) else _why_not(outcomes, c),
            )
            for c in CATEGORIES
        )
        return Suspects((), checks, status, verdict.verdict, verdict.because, 1.0)
    found = weigh_up(room, outcomes, scope, symptom)
    judged, unexplained = judge(found, decisions)
    told = {*decisions.marks, *decisions.suspects, *(e.key for e in decisions.evidence)}
    standing = [j for j in judged if not j.excluded]
    chosen = [j for i, j in enumerate(standing[:MOST_SUSPECTS]) if i < LEAST_SUSPECTS or j.probability >= LEAST_PROBABILITY]
    chosen += [j for j in standing if j.key in told and j not in chosen]
    ranked = [j.best for i, j in enumerate(chosen) if j.best is not None and (i == 0 or j.probability >= LEAST_RIVAL)]
    out = [j for j in judged if j.excluded]
    items = tuple(_suspect(rank, j, ranked, symptom, outcomes, decisions) for rank, j in enumerate(chosen, 1))
    by_category = _by_category(found, judged, unexplained)
    return Suspects(
        items,
        checks,
        tuple(_category(c, by_category[c], outcomes, items) for c in CATEGORIES),
        verdict.verdict,
        verdict.because,
        float(1 - sum(s.probability for s in items)) if items else unexplained,
        tuple(_suspect(rank, j, ranked, symptom, outcomes, decisions) for rank, j in enumerate(out, len(items) + 1)),
    )


def _suspect(
    rank: int, judged: Judged, ranked: list[Hypothesis], symptom: Symptom, outcomes: tuple[Outcome, ...], decisions: Decisions
) -> Suspect:
    mark = decisions.marks.get(judged.key)
    decision = Decision(mark.mark, mark.reason, mark.author) if mark else None
    h, own = judged.best, judged.own
    if h is None:
        assert own is not None
        return Suspect(
            rank,
            own.category,
            own.subject,
            own.change_id,
            judged.probability,
            said(judged.key, decisions),
            OWN_TEST,
            own.title,
            decision=decision,
            added_by=own.author,
        )
    perhaps = judged.charge.perhaps if judged.charge else None
    return Suspect(
        rank=rank,
        category=h.category,
        subject=h.subject,
        change_id=h.change_id,
        probability=judged.probability,
        evidence=(*said(judged.key, decisions), *evidence(h, perhaps)),
        next_test=next_test(h, _rival(ranked, h)),
        title=title(h, perhaps),
        refuted_by=refuted_by(h),
        explains_share=_explains(h),
        chain=chain(h, symptom.metric, outcomes),
        decision=decision,
    )


def _by_category(found: list[Hypothesis], judged: list[Judged], unexplained: float) -> dict[str, float]:
    """Probability of each category; with the rest that nobody names they sum to at most 1, whatever people decided."""
    out = dict.fromkeys(CATEGORIES, 0.0)
    for j in judged:
        category = j.best.category if j.best else j.own.category if j.own else ""
        out[category] = out.get(category, 0.0) + j.probability
    # the same change for a reason of another kind is no suspect of its own, and shares the fate of what is left over
    named = {(accused(j.best), j.best.category) for j in judged if j.best}
    gone = {accused(j.best) for j in judged if j.best and j.excluded}
    p = probabilities(found)
    others = [(h, float(x)) for h, x in zip(found[:-1], p, strict=False) if (accused(h), h.category) not in named]
    left = sum(x for _, x in others) + float(p[-1])
    for h, x in others:
        if accused(h) not in gone and left > 0:
            out[h.category] += x * unexplained / left
    return out


def _rival(ranked: list[Hypothesis], of: Hypothesis) -> Hypothesis | None:
    """The suspect that a test should tell this one from: the second for the first, the first for all others."""
    return next((h for h in ranked if h is not of), None)


def _category(category: str, probability: float, outcomes: tuple[Outcome, ...], items: tuple[Suspect, ...]) -> CategoryStatus:
    if probability >= EXCLUDED_BELOW:
        best = next((s for s in items if s.category == category), None)
        what = f": {best.subject}" if best else ""
        return CategoryStatus(category, "supported", f"probability {chance(probability)}{what}")
    if _tested(outcomes, category):
        return CategoryStatus(category, "excluded", "nothing found that another cause does not explain")
    return CategoryStatus(category, "not_tested", _why_not(outcomes, category))


def _tested(outcomes: tuple[Outcome, ...], category: str) -> bool:
    mine = [o for o in outcomes if o.category == category]
    return any(not o.not_applicable for o in mine) if mine else True


def _why_not(outcomes: tuple[Outcome, ...], category: str) -> str:
    return "; ".join(o.not_applicable for o in outcomes if o.category == category and o.not_applicable) or "no check applies"


def _says(o: Outcome) -> str:
    return o.not_applicable or o.clear if not o.clues else "; ".join(c.says for c in o.clues[:4])


def _explains(h: Hypothesis) -> float | None:
    harms = [c.harm for c in h.clues if c.harm is not None]
    return max(harms) if harms else None


def _current_version(room: Room) -> str:
    column = room.columns.model_version
    if column is None or room.after.height == 0 or column not in room.after.columns:
        return "current"
    counts = room.after[column].drop_nulls().value_counts(name="rk_n").sort(["rk_n", column], descending=[True, False])
    return str(counts[column][0]) if counts.height else "current"
