"""Roles that one column has: time, error, model version, label time, request id."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta

from rca_kit.case.columns import ColumnSummary
from rca_kit.case.evidence import Evidence
from rca_kit.case.names import AGAINST_POINTS, EXACT_POINTS, STRONG_POINTS, tokens, without_accents
from rca_kit.case.vocabulary import ERROR, FAILURE_VALUES, LABEL_TIME, MODEL_VERSION, REQUEST_ID, SUCCESS_VALUES, TIME
from rca_kit.errors import BadInput

FOLLOWS = 4.0  # points of a time that is missing in some rows, and never before one that is not
EQUAL = 0.5  # points by which candidates must differ to be told apart by name
FEW_VERSIONS = 60  # model versions a log can hold; more is something else
_VERSION = re.compile(r"^(?:[a-z]+[-_ .]?)*v?\d+(?:[._-]\d+)*(?:[-_.]?[a-z0-9]+)*$", re.IGNORECASE)
MOSTLY_EMPTY = 0.8  # part of the rows in which a service that works has no error
INSTEAD = 0.95  # part of the rows without an answer, and of those with a word, that must be the same rows
ENOUGH_POINTS = 3.5
DEPLOYED_POINTS = 4.0  # a model deploy in the change log names one of the values: as clear as a word in the name
ONE_PER_ROW = 0.99  # distinct values per row from which a column identifies the request, whatever its name


def find_time(evidence: Evidence, taken: list[str], detected_at: datetime, file: str) -> tuple[str, str]:
    """Choose the time of the request, with the reason.

    Raises
    ------
    BadInput
        When there is no column of times, or two cannot be told apart.
    """
    candidates = [c for c in evidence.columns.values() if c.kind == "time" and c.name not in taken]
    if not candidates:
        raise BadInput("no column holds times", file=file or None, found=", ".join(list(evidence.columns)[:30]),
                       expected="a time of each request, like 2026-03-02T14:35:00Z or seconds since 1970",
                       hint="name it as roles.time in incident.yaml")
    if len(candidates) == 1:
        return candidates[0].name, f"`{candidates[0].name}`: the only column of times"
    points = {c.name: _time_points(c, detected_at) for c in candidates}
    whole = [c.name for c in candidates if c.null_rate == 0]
    for c in candidates:  # what comes after the request, and not after each
        if c.null_rate > 0 and any(evidence.not_before(c.name, o) > 0.98 for o in whole):
            points[c.name] -= FOLLOWS
    best = max(points.values())
    close = [n for n, p in points.items() if best - p <= EQUAL]
    if len(close) == 1:
        return close[0], f"`{close[0]}`: its name, and times up to the alert in every row"
    # the request comes before everything that follows from it
    first = [n for n in close if all(evidence.not_before(o, n) > 0.98 for o in close if o != n)]
    if len(first) == 1:
        others = ", ".join(f"`{n}`" for n in close if n != first[0])
        return first[0], f"`{first[0]}`: the earliest time of each row beside {others}"
    raise BadInput("cannot tell which column is the time of the request", file=file or None,
                   found=" and ".join(f"`{n}`" for n in close), expected="one of them as roles.time in incident.yaml",
                   hint=f"roles: {{time: {close[0]}}}")


def _time_points(c: ColumnSummary, detected_at: datetime) -> float:
    points = TIME.points(c.name)
    points += 1.0 if c.null_rate == 0 else -3.0 if c.null_rate > 0.05 else 0.0
    if isinstance(c.min, datetime) and isinstance(c.max, datetime):
        covered = c.min <= detected_at <= c.max + timedelta(days=2)
        points += 2.0 if covered else 0.0
    return points + (1.0 if c.n_unique > 50 else 0.0)


def find_error(free: list[str], evidence: Evidence) -> tuple[str | None, str, list[str]]:
    """Choose the column of errors: empty, or a word of success, when the request went well."""
    return _best(free, _error_points, evidence, "error", "its name or values, and mostly empty or a word of success")


def find_error_by_answers(free: list[str], evidence: Evidence, answer: str | None) -> tuple[str | None, str]:
    """Choose, whatever its name, the column that says something just where the model gave no answer."""
    if answer is None or not evidence.columns[answer].null_rate:
        return None, ""
    for name in free:
        c = evidence.columns[name]
        few = c.kind in ("category", "numeric", "bool") and 1 <= c.n_unique <= FEW_VERSIONS
        if few and c.null_rate >= MOSTLY_EMPTY and evidence.null_instead(name, answer) >= INSTEAD:
            return name, f"`{name}`: says something just where `{answer}` is missing"
    return None, ""


def _error_points(c: ColumnSummary) -> float:
    points = ERROR.points(c.name) + (STRONG_POINTS if _tells_failures(c) else 0.0)
    if points <= 0 or c.kind in ("time", "text", "id"):
        return AGAINST_POINTS
    if c.kind == "category":
        words = {str(v).strip().lower() for v in c.values}
        fits = c.null_rate > 0.5 or bool(words & SUCCESS_VALUES) or not c.n_unique
        return points + (2.0 if fits else -2.0)
    if c.kind == "numeric" and c.n_unique > 2:
        codes = isinstance(c.min, (int, float)) and isinstance(c.max, (int, float)) and c.min >= 100 and c.max < 600
        return points + (2.0 if (codes and c.n_unique <= 50) or c.null_rate > 0.5 else AGAINST_POINTS - 2.0)
    return points


def _tells_failures(c: ColumnSummary) -> bool:
    """Whether a column is empty in nearly all rows, and else says in half its words or more that something failed."""
    if c.kind != "category" or c.null_rate < MOSTLY_EMPTY or not c.values:
        return False
    said = [" ".join(tokens(str(v))) for v in c.values]
    failures = sum(any(f" {word}" in f" {text}" for word in FAILURE_VALUES) for text in said)
    return 2 * failures >= len(said)


COMPOUNDS, COMPOUND_POINTS = ("modell", "model", "modele", "modelo"), 2.0


def find_model_version(free: list[str], evidence: Evidence, versions: frozenset[str]) -> tuple[str | None, str, list[str]]:
    """Choose the column that says which model answered: by name, and by versions that the change log names."""
    return _best(free, lambda c: _version_points(c, versions), evidence, "model_version", "its name and values")


def _version_points(c: ColumnSummary, logged: frozenset[str]) -> float:
    deployed = bool(logged & {str(v) for v in c.values})
    points = MODEL_VERSION.points(c.name) + (DEPLOYED_POINTS if deployed else 0.0)
    if points == 0 and any(t.startswith(COMPOUNDS) for t in tokens(c.name)):
        points = COMPOUND_POINTS  # one word, as German and camel-less names write it: Modellstand, modelbuild
    if points <= 0 or c.kind in ("time", "text", "bool") or not 1 <= c.n_unique <= FEW_VERSIONS:
        return AGAINST_POINTS
    texts = [str(v) for v in c.values]
    if {t.lower() for t in texts} <= {"0", "1", "0.0", "1.0", "true", "false", "yes", "no"} and points < EXACT_POINTS:
        return AGAINST_POINTS  # yes or no is no version
    versions = sum(bool(_VERSION.match(without_accents(t))) and any(ch.isdigit() for ch in t) for t in texts)
    return points + (1.5 if texts and versions >= len(texts) / 2 else 0.0 if points >= EXACT_POINTS or deployed else -1.0)


def find_label_time(free: list[str], evidence: Evidence, time: str, label: str | None) -> tuple[str | None, str]:
    """Choose the time when the label arrived: after the request, and missing where the label is."""
    best, top = None, ENOUGH_POINTS
    for name in free:
        c = evidence.columns[name]
        if c.kind != "time" or evidence.not_before(name, time) < 0.98:
            continue
        points = LABEL_TIME.points(name)
        if label and evidence.columns[label].null_rate and evidence.null_together(label, name) > 0.95:
            points += 4.0
        if points > top:
            best, top = name, points
    return best, f"`{best}`: never before `{time}`" + (f", missing where `{label}` is" if label else "")


def find_request_id(free: list[str], evidence: Evidence, time: str, label: str | None) -> tuple[str | None, str]:
    """Choose the identifier of the request: the most distinct one with a fitting name."""
    ids = [evidence.columns[n] for n in free if evidence.columns[n].kind == "id"]
    rows = max((c.n_unique for c in evidence.columns.values()), default=1)
    points = {c.name: REQUEST_ID.points(c.name) + (3.0 if c.n_unique >= ONE_PER_ROW * rows else 0.0) for c in ids}
    fitting = [c for c in ids if points[c.name] > 0]
    if not fitting:
        return None, ""
    best = max(fitting, key=lambda c: (points[c.name], c.n_unique))
    return best.name, f"`{best.name}`: its name, and {best.n_unique:,} distinct values"


def _best(free: list[str], points: Callable[[ColumnSummary], float], evidence: Evidence, role: str,
          reason: str) -> tuple[str | None, str, list[str]]:
    scored = {n: points(evidence.columns[n]) for n in free}
    fitting = {n: p for n, p in scored.items() if p >= ENOUGH_POINTS}
    if not fitting:
        return None, "", []
    top = max(fitting.values())
    equal = [n for n, p in fitting.items() if p == top]
    notes = []
    if len(equal) > 1:
        others = " and ".join(f"`{n}`" for n in equal[1:])
        notes = [f"`{equal[0]}` is taken as {role}, but {others} fits as well: set roles.{role} in incident.yaml"]
    return equal[0], f"`{equal[0]}`: {reason}", notes
