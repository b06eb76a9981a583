"""Score, decision and label: told apart by names, and by how they hang together in the rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product

from rca_kit.case.columns import ColumnSummary
from rca_kit.case.evidence import DETERMINED, Evidence
from rca_kit.case.names import AGAINST_POINTS, STRONG_POINTS, tokens, words
from rca_kit.case.vocabulary import COUNTS, DECISION, HIGHER, INPUT_PREFIX, LABEL, LABEL_TIME, LOWER, OUTCOME_PREFIX, PAST, SCORE

MANY = 20  # distinct values from which a number is a measurement rather than a code
MAX_CLASSES = 1_000  # a class label with more values is an identifier
ENOUGH = 3.0  # points a column needs: a word that hints and a fitting type, or a relation in the rows
PAIR_WEIGHT = 4.0  # a relation in the rows that leaves no doubt weighs as much as a clear word in the name
RELATED = 0.8  # separation that a decision reaches even with several thresholds; a flag of the request does not
CUT = 2.0  # points that a truth loses which the score tells without fail
EXACT = 0.999  # rank separation from which a column is cut from another, be this as good an estimate of the truth as it may
NO_CUT = 3.0  # points that a decision loses beside a measured truth, where hardly anything is decided, unless its name says so
ECHO, ECHO_FIT = 2.0, 0.5  # points of a number named and sized as a measured truth is, and going with it: what was forecast
UNRELATED = 1.5  # points a decision loses that hardly follows the score
WORTH = {"score": 2.0, "label": 1.0, "decision": 0.5}  # own points below which a relation alone makes no role
LATE = 2.5  # points of a column that the newest rows lack: hardly anything but the truth comes later
TOLD_WITH = 0.999  # rows that must agree for a truth to be there exactly when its time is
AGREE = 3.0  # points of two columns of the same classes that always agree: what was said and what was true
TWINS, SAME_CLASSES = 1.5, 0.8  # points of a column whose classes are another's too; part of them that must be
SAYS_SO = 0.4  # Cohen's kappa from which one column says what another said before it
TRIED = 6  # candidates per role whose combinations are tried
TOO_CLOSE = 0.3  # points between two candidates that are as good as equal
CLASS_METRICS = ("auc", "average_precision", "accuracy", "precision", "recall", "f1", "log_loss", "calibration_error")
ERROR_METRICS = ("mae", "rmse")
_TIME_UNITS = words("days hours min")
_UNITS = _TIME_UNITS | COUNTS | words("total sum count num n")
"""Words of PAST that are also units: `actual_total` is a label, `orders_total` is an input."""

ROLES = ("score", "label", "decision")
Choice = tuple[str | None, str | None, str | None]


@dataclass(frozen=True)
class Outcomes:
    """The chosen columns, why, and what was hard to tell."""

    score: str | None
    decision: str | None
    label: str | None
    why: dict[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Setting:
    """What is known before outcomes are chosen: given roles (None = declined), the time column, metric and task."""

    time: str
    given: Mapping[str, str | None] = field(default_factory=dict)
    metric: str | None = None
    task: str | None = None


def choose_outcomes(free: list[str], setting: Setting, evidence: Evidence) -> Outcomes:
    """Choose score, decision and label among the free columns; given ones stay.

    Every combination of the likeliest columns is weighed: points for names and types, plus points for relations in the rows
    (the score separates the label; the decision is a threshold on the score; predicted and true classes are the same words).

    Examples
    --------
    >>> import narwhals as nw, polars as pl
    >>> rows = pl.DataFrame({"risk": [i / 36 for i in range(36)], "blocked": [0] * 18 + [1] * 18})
    >>> risk = ColumnSummary("risk", "numeric", "Float64", 36, 0, 0, 1)
    >>> blocked = ColumnSummary("blocked", "numeric", "Int64", 2, 0, 0, 1, (0, 1))
    >>> evidence = Evidence([risk, blocked], nw.from_native(rows))
    >>> found = choose_outcomes(["risk", "blocked"], Setting("t"), evidence)
    >>> found.score, found.decision, found.label
    ('risk', 'blocked', None)
    """
    scorers = [n for n in free if SCORE.points(n) >= STRONG_POINTS]
    classes = [n for n in free if evidence.columns[n].kind == "category" and 2 < evidence.columns[n].n_unique <= MAX_CLASSES]
    given = [n for role in ("label", "decision") if (n := setting.given.get(role)) is not None]
    told = [n for n in given if evidence.columns[n].kind == "category"]
    twins = {n for n in classes if any(o != n and evidence.same_values(n, o) >= SAME_CLASSES for o in (*classes, *told))}
    own: dict[str, dict[str | None, float]] = {}
    for role in ROLES:
        if role in setting.given:
            own[role] = {setting.given[role]: ENOUGH}  # nothing to earn: it is the role
            continue
        points = {n: _own(role, evidence.columns[n], setting, evidence, scorers) for n in free}
        if role != "score":
            points = {n: p + (TWINS if n in twins else 0.0) for n, p in points.items()}
        if role == "label":  # what comes later in the words of a decision, and mostly says the same, is the truth by any name
            points |= {n: max(points[n], WORTH[role]) for n in twins if _follows_a_decision(n, twins, setting, evidence)}
        likely = sorted((n for n in free if points[n] >= WORTH[role]), key=lambda n: (-points[n], n))[:TRIED]
        own[role] = {**{n: points[n] for n in likely}, None: 0.0}
    totals: dict[Choice, float] = {}
    for choice in product(own["score"], own["label"], own["decision"]):
        named = [c for c in choice if c is not None]
        both_given = "score" in setting.given and "decision" in setting.given
        if len(set(named)) == len(named) or (choice[0] == choice[2] and both_given):
            totals[choice] = _total(choice, own, evidence)
    best = max(totals, key=lambda c: totals[c])
    return Outcomes(best[0], best[2], best[1], _reasons(best, setting, evidence), _close_calls(best, totals, setting))


def _follows_a_decision(name: str, twins: set[str], setting: Setting, evidence: Evidence) -> bool:
    if not evidence.columns[name].null_rate or not evidence.late_nulls(name, setting.time):
        return False
    return any(evidence.same_values(name, o) >= SAME_CLASSES and evidence.agreement(name, o) >= SAYS_SO for o in twins - {name})


def _total(choice: Choice, own: dict[str, dict[str | None, float]], evidence: Evidence) -> float:
    score, label, decision = choice
    total = sum(own[role][c] - ENOUGH for role, c in zip(ROLES, choice, strict=True) if c is not None)
    if score and label:
        total += _score_label(score, label, evidence)
    if score and decision and score != decision:
        total += _score_decision(score, decision, evidence)
    if label and decision:
        exact = score is not None and _thresholded(score, decision, evidence, EXACT)  # what follows from the truth is none
        if _measured(evidence.columns[label]) and DECISION.points(decision) < STRONG_POINTS and not exact:
            total -= NO_CUT
        many = evidence.columns[label].n_unique > 2
        texts = evidence.columns[label].kind == "category"
        classes = evidence.columns[decision].n_unique <= MAX_CLASSES and (many or texts)
        if classes and evidence.same_values(label, decision) >= 0.5:
            total += (3.0 if many else 1.0) + (AGREE * max(evidence.agreement(label, decision), 0.0) if many else 0.0)
            if score and many:  # a model is right more often where it is sure
                total += PAIR_WEIGHT * 2 * max(evidence.right_when_high(score, label, decision) - 0.5, 0.0)
    return total


def _score_label(score: str, label: str, evidence: Evidence) -> float:
    truth = evidence.columns[label]
    if truth.n_unique <= 2:
        apart = evidence.separation(score, label)
        if max(apart, 1 - apart) >= DETERMINED and truth.null_rate <= evidence.columns[score].null_rate:
            return -CUT  # no model is that good; this is the score's own decision, missing where the score is
        return PAIR_WEIGHT * 2 * abs(apart - 0.5)
    if truth.kind == "numeric" and truth.n_unique > MANY:
        return PAIR_WEIGHT * max(0.0, evidence.correlation(score, label)) + float(evidence.same_scale(score, label))
    return 0.0


def _score_decision(score: str, decision: str, evidence: Evidence) -> float:
    if evidence.columns[decision].n_unique != 2:
        return 0.0
    if _thresholded(score, decision, evidence):
        return PAIR_WEIGHT
    apart = evidence.separation(score, decision)
    return -UNRELATED if max(apart, 1 - apart) < RELATED else 0.0


def _thresholded(score: str, decision: str, evidence: Evidence, least: float = DETERMINED) -> bool:
    if evidence.columns[decision].n_unique != 2:
        return False
    apart = evidence.cut(score, decision)
    return max(apart, 1 - apart) >= least


def _own(role: str, column: ColumnSummary, setting: Setting, evidence: Evidence, scorers: list[str]) -> float:
    if column.kind in ("time", "text", "id") or not column.n_unique:
        # a column that is still empty can only be a label whose truth has not arrived
        return LABEL.points(column.name) if role == "label" and not column.n_unique else AGAINST_POINTS
    if set(tokens(column.name)[:1]) & (OUTCOME_PREFIX | INPUT_PREFIX):
        return AGAINST_POINTS
    if role == "score":
        return _score_points(column) + (ECHO if _echoes(column, evidence) else 0.0)
    return _label_points(column, setting, evidence, scorers) if role == "label" else _decision_points(column)


def _measured(c: ColumnSummary) -> bool:
    return c.kind == "numeric" and c.n_unique > MANY


def _echoes(c: ColumnSummary, evidence: Evidence) -> bool:
    """Whether a number shares a word with another that is named as the truth, is of its size, and goes with it."""
    if not _measured(c) or LABEL.points(c.name) >= STRONG_POINTS:
        return False
    parts = {t for t in tokens(c.name) if len(t) > 2}
    truths = [o for o in evidence.columns.values() if o.name != c.name and _measured(o) and LABEL.points(o.name) >= STRONG_POINTS]
    return any(
        parts & set(tokens(o.name)) and evidence.same_scale(c.name, o.name) and evidence.correlation(c.name, o.name) >= ECHO_FIT
        for o in truths
    )


def _score_points(c: ColumnSummary) -> float:
    if c.kind != "numeric" or c.n_unique <= 2:
        return AGAINST_POINTS
    points = SCORE.points(c.name) + _of_the_past(c.name, SCORE.points(c.name))
    low, high = c.min, c.max
    unit = isinstance(low, (int, float)) and isinstance(high, (int, float)) and low >= 0 and high <= 1
    if c.n_unique <= 5:
        return points + AGAINST_POINTS
    return points + (2.0 if unit and c.n_unique > MANY else 1.0 if c.n_unique > MANY else 0.0)


def _label_points(c: ColumnSummary, setting: Setting, evidence: Evidence, scorers: list[str]) -> float:
    name = LABEL.points(c.name)
    points = name + _of_the_past(c.name, name)
    parts = set(tokens(c.name))
    many = c.kind == "numeric" and c.n_unique > MANY
    if c.kind == "category" and c.n_unique > MAX_CLASSES:
        return AGAINST_POINTS
    if c.n_unique == 2:
        points += 1.0 + (1.0 if parts & (HIGHER | LOWER) and name == 0 else 0.0)
    if "is" in parts and c.n_unique == 2 and name > 0:
        points += 0.5
    if c.null_rate and (evidence.late_nulls(c.name, setting.time) or _told_with_a_time(c.name, evidence)):
        points += LATE
    if many and name >= 0 and any(parts & set(tokens(s)) and s != c.name for s in scorers):
        points += 1.0  # `eta_min` and `delivery_min`
    if setting.metric in CLASS_METRICS and not many:
        points += 0.5
    if setting.metric in ERROR_METRICS or setting.task == "regression":
        points += 1.5 if many else AGAINST_POINTS
    if setting.task == "binary" and c.n_unique > 2:
        points += AGAINST_POINTS
    return points


def _told_with_a_time(name: str, evidence: Evidence) -> bool:
    """Whether a column is missing just where the time of a truth is."""
    times = [o for o in evidence.columns.values() if o.kind == "time" and o.null_rate > 0 and LABEL_TIME.points(o.name) > 0]
    return any(evidence.null_together(name, o.name) >= TOLD_WITH for o in times)


def _decision_points(c: ColumnSummary) -> float:
    if (c.kind == "numeric" and c.n_unique > MANY) or c.n_unique > MAX_CLASSES:
        return AGAINST_POINTS
    name = DECISION.points(c.name)
    return name + _of_the_past(c.name, name) + (1.0 if c.n_unique == 2 else 0.5 if c.kind == "category" else 0.0)


def _of_the_past(name: str, points: float) -> float:
    """Take points off a name that tells of the past, unless the word is a unit beside a clear one."""
    found = set(tokens(name)) & PAST
    if found <= _TIME_UNITS:
        return 0.0
    return AGAINST_POINTS if found and not (points >= STRONG_POINTS and found <= _UNITS) else 0.0


def _close_calls(best: Choice, totals: dict[Choice, float], setting: Setting) -> tuple[str, ...]:
    """Say where another column would have done as well."""
    out = []
    for i, role in enumerate(ROLES):
        if role in setting.given or best[i] is None:
            continue
        rivals = [c[i] for c, total in totals.items() if c[i] not in (None, best[i]) and totals[best] - total < TOO_CLOSE
                  and all(c[j] == best[j] for j in range(3) if j != i)]
        if rivals:
            others = " and ".join(f"`{r}`" for r in sorted(set(map(str, rivals))))
            out.append(f"`{best[i]}` is taken as {role}, but {others} fits as well: set roles.{role} in incident.yaml")
    return tuple(out)


def _reasons(choice: Choice, setting: Setting, evidence: Evidence) -> dict[str, str]:
    score, label, _ = choice
    why: dict[str, str] = {}
    vocabularies = {"score": SCORE, "label": LABEL, "decision": DECISION}
    for role, name in zip(ROLES, choice, strict=True):
        if name is None or role in setting.given:
            continue
        parts = ["its name"] if vocabularies[role].points(name) > 0 else []
        column = evidence.columns[name]
        if role == "score":
            parts.append("numbers from 0 to 1" if _inside_unit(column) else "many-valued numbers")
        else:
            parts.append(f"{column.n_unique} values" if column.n_unique <= MAX_CLASSES else "numbers")
        if role == "decision" and score and score != name and _thresholded(score, name, evidence):
            parts.append(f"a threshold on `{score}`")
        if role == "label" and score and column.n_unique == 2:
            apart = evidence.separation(score, name)
            parts.append(f"`{score}` ranks it with AUC {max(apart, 1 - apart):.2f}")
        if role == "label" and score and column.kind == "numeric" and column.n_unique > MANY:
            parts.append(f"rank correlation {evidence.correlation(score, name):.2f} with `{score}`")
        if role == "label" and column.null_rate and evidence.late_nulls(name, setting.time):
            parts.append("missing mostly in the newest rows")
        if role == "decision" and label and column.n_unique > 2 and evidence.same_values(label, name) >= 0.5:
            parts.append(f"the same classes as `{label}`")
        why[role] = f"`{name}`: " + ", ".join(parts)
    return why


def _inside_unit(c: ColumnSummary) -> bool:
    return isinstance(c.min, (int, float)) and isinstance(c.max, (int, float)) and c.min >= 0 and c.max <= 1
