"""Role inference: which column is what, where incident.yaml does not say, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rca_kit.case.columns import ColumnSummary
from rca_kit.case.evidence import Evidence, positive_value
from rca_kit.case.incident import FILE_NAME, Incident
from rca_kit.case.inputs import features, kpi_direction, latency_and_stages, segments
from rca_kit.case.names import tokens
from rca_kit.case.outcomes import ROLES, Setting, choose_outcomes
from rca_kit.case.roles import SINGLE_ROLES, Roles
from rca_kit.case.singles import (
    find_error,
    find_error_by_answers,
    find_label_time,
    find_model_version,
    find_request_id,
    find_time,
)
from rca_kit.case.task import infer_task
from rca_kit.case.vocabulary import CALENDAR, CONTEXT, DESCRIBES, OUTCOME_PREFIX
from rca_kit.errors import BadInput, did_you_mean

FOLLOWS_MISTAKES = 0.08  # correlation with mistakes at like score; columns the model knows stay below 0.03 on 20,000 rows


@dataclass(frozen=True)
class Inferred:
    """All roles, the task, which value of two counts as positive, and what was hard to tell."""

    roles: Roles
    task: str
    positive: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def infer_roles(
    incident: Incident, columns: Sequence[ColumnSummary], sample: Any, rows: int, file: str = "",
    versions: frozenset[str] = frozenset(),
) -> Inferred:
    """Fill the roles that incident.yaml does not give, from names, types, cardinality, ranges and relations in the rows.

    Parameters
    ----------
    incident : Incident
        Its roles stay as they are; a role set to null is left empty.
    columns : sequence of ColumnSummary
    sample : narwhals DataFrame
        Rows of the table, time columns as UTC datetimes.
    rows : int
        Rows of the whole table.
    file : str, optional
        Named in errors.
    versions : frozenset of str, optional
        Model versions that the change log names.

    Raises
    ------
    BadInput
        When no column can be the time, or two are equally likely.

    Examples
    --------
    >>> import narwhals as nw, polars as pl
    >>> from datetime import UTC, datetime
    >>> from rca_kit.case.incident import validate_incident
    >>> day = {"id": "a", "title": "t", "detected_at": "2026-03-02", "tables": {"predictions": "p.csv"}}
    >>> t = pl.Series("quand", [datetime(2026, 3, 1, h, tzinfo=UTC) for h in range(3)])
    >>> column = ColumnSummary("quand", "time", "Datetime", 3, 0.0, t[0], t[2])
    >>> infer_roles(validate_incident(day), [column], nw.from_native(t.to_frame()), 3).roles.inferred["time"]
    '`quand`: the only column of times'
    """
    given = incident.roles
    evidence = Evidence(columns, sample)
    single: dict[str, str | None] = {r: getattr(given, r) for r in SINGLE_ROLES if getattr(given, r) or r in given.declined}
    warnings: list[str] = []
    why: dict[str, str] = {}
    if not single.get("time"):
        single["time"], why["time"] = find_time(evidence, [v for v in single.values() if v], incident.detected_at, file)
    time = str(single["time"])
    listed = {n for names in (given.stages, given.segments, given.features, given.kpi) for n in names or ()}

    def free(*, also_listed: bool = False) -> list[str]:
        taken = {v for v in single.values() if v} | set(stages) | (set() if also_listed else listed)
        return [c.name for c in columns if c.name not in taken]

    stages: tuple[str, ...] = given.stages or ()
    if "latency_ms" not in single or given.stages is None:
        kind, _, asked = (incident.signal.metric or "").partition(":")  # of what drifts by its PSI the model is fed
        timed = [n for n in free() if kind != "psi" or n != asked]
        total, found, reason = latency_and_stages(timed, evidence, single.get("latency_ms"))
        if "latency_ms" not in single and total:
            single["latency_ms"], why["latency_ms"] = total, reason
        if given.stages is None and "stages" not in given.declined and found:
            stages = found
            why["stages"] = "durations" + (f" no longer than `{total}`" if total else "")
    for role in ("error", "model_version"):
        if role not in single:
            free_now = free()
            found_one = find_error(free_now, evidence) if role == "error" else find_model_version(free_now, evidence, versions)
            single[role], reason, notes = found_one
            warnings += notes
            if single[role]:
                why[role] = reason
    outcome_given = {r: single[r] for r in ROLES if r in single}
    wanted = _kpi_wanted(incident, columns, file)
    outcome_free = [n for n in free() if n not in wanted]
    outcomes = choose_outcomes(outcome_free, Setting(time, outcome_given, incident.signal.metric, incident.task), evidence)
    single.update(score=outcomes.score, label=outcomes.label, decision=outcomes.decision)
    why.update(outcomes.why)
    warnings += outcomes.warnings
    if "error" not in given.declined and not single["error"]:
        silent, reason = find_error_by_answers(free(), evidence, single["score"] or single["decision"])
        if silent:
            single["error"], why["error"] = silent, reason
    watched = _watched(incident)
    for role, late_finder in (("label_time", find_label_time), ("request_id", find_request_id)):
        if role not in single:
            able = [n for n in free() if n not in watched]
            single[role], reason = late_finder(able, evidence, time, single["label"])
            if single[role]:
                why[role] = reason
    by_name, kpi_why = _kpis(wanted, free(), single, evidence)
    kpi = by_name
    if given.kpi is not None or "kpi" in given.declined:  # what else looks like an outcome is no input all the same
        kpi, kpi_why = dict(given.kpi or {}) | {n: by_name[n] for n in wanted if n not in (given.kpi or {})}, {}
    why.update(kpi_why)
    unlisted = set(by_name) - set(kpi) - watched
    behind = {n for n in free() if _after_the_answer(n, single["score"], evidence)}
    behind |= {n for n in free() if _comes_with_label(n, single["label"], time, evidence)}
    rest = [n for n in free(also_listed=True) if not {n} & (kpi.keys() | behind | unlisted) and not evidence.passes_by(n, time)]
    slices, inputs = given.segments or (), given.features or ()
    if given.segments is None and "segments" not in given.declined:
        slices = segments(rest, evidence, rows)
    if given.features is None and "features" not in given.declined:
        fed = features(rest, evidence)
        inputs = tuple(n for n in rest if n in fed or n in watched)
    if given.segments is None and slices:
        why["segments"] = "few values, neither outcome nor identifier: " + ", ".join(slices)
    if given.features is None and inputs:
        but = f", without what looks like an outcome: {', '.join(sorted(unlisted))}" if unlisted else ""
        why["features"] = f"{len(inputs)} remaining numbers and categories{but}"
    score, label, decision = single["score"], single["label"], single["decision"]
    task, reason = infer_task(incident.task, score, label, decision, evidence, incident.signal.metric)
    if reason:
        why["task"] = reason
    positive: dict[str, Any] = {}
    for name in dict.fromkeys(n for n in (label, decision, *kpi) if n):
        value = positive_value(evidence.columns[name], evidence, score)
        if value is not None:
            positive[name] = value[0]
            if evidence.columns[name].kind == "category":
                why[f"positive:{name}"] = f"`{value[0]}` counts as positive: {value[1]}"
    others = {role: single.get(role) for role in SINGLE_ROLES if role != "time"}
    roles = Roles(time, **others, stages=stages, segments=slices, features=inputs, kpi=kpi, inferred=why)
    return Inferred(roles, task, positive, tuple(warnings))


def _watched(incident: Incident) -> set[str]:
    """Columns whose drift or nulls somebody watches: a model is fed them, whatever they look like."""
    metrics = (m.partition(":") for m in (incident.signal.metric, *incident.slos) if m)
    return {name for prefix, _, name in metrics if prefix in ("psi", "null_rate")}


def _kpi_wanted(incident: Incident, columns: Sequence[ColumnSummary], file: str) -> dict[str, str]:
    """KPIs that the signal or an SLO names, with the direction an SLO tells."""
    names = [c.name for c in columns]
    wanted: dict[str, str] = {}
    for metric in (incident.signal.metric, *incident.slos):
        prefix, _, name = (metric or "").partition(":")
        if prefix not in ("kpi", "null_rate", "psi"):
            continue
        if name not in names:
            raise BadInput(f"there is no such column, named by the metric {metric}", file=file or FILE_NAME, column=name,
                           hint=did_you_mean(name, names))
        if prefix == "kpi":
            slo = incident.slos.get(f"kpi:{name}")
            direction = "" if slo is None else "lower" if slo.min is None else "higher" if slo.max is None else ""
            wanted[name] = wanted.get(name) or direction
    return wanted


def _kpis(
    wanted: dict[str, str], free: list[str], single: Mapping[str, str | None], evidence: Evidence
) -> tuple[dict[str, str], dict[str, str]]:
    found = {n: d or kpi_direction(evidence.columns[n]) or "higher" for n, d in wanted.items()}
    for name in free:
        direction = kpi_direction(evidence.columns[name])
        if direction and name not in found:
            found[name] = direction
    named = ", ".join(f"{n} ({d} is good)" for n, d in found.items())
    reasons = [f"business outcomes by name: {named}"] if found else []
    score, label = single["score"], single["label"]
    prefixed = [n for n in free if set(tokens(n)[:1]) & OUTCOME_PREFIX and evidence.columns[n].kind != "category"]
    if score and label:
        time = str(single["time"])
        followed = {n: evidence.with_mistakes(n, score, label, single["decision"], time) for n in free
                    if n not in found and _yes_no(evidence.columns[n]) and not evidence.lasting(n, time)}
        after = {n: "lower" if r > 0 else "higher" for n, r in followed.items() if abs(r) >= FOLLOWS_MISTAKES}
        if after:
            shown = ", ".join(f"{n} ({d} is good)" for n, d in after.items())
            reasons.append(f"yes or no that goes with the model's mistakes: {shown}")
            found.update(after)
    prefixed = [n for n in prefixed if n not in found]
    if prefixed:
        reasons.append(f"called so: {', '.join(prefixed)} (higher is good, as nothing tells)")
        found.update(dict.fromkeys(prefixed, "higher"))
    return found, ({"kpi": "; ".join(reasons)} if found else {})


def _after_the_answer(name: str, score: str | None, evidence: Evidence) -> bool:
    """Whether a yes or no is missing exactly where the model gave no answer: it followed from it, and is no input."""
    if score is None or not _yes_no(evidence.columns[name]):
        return False
    missing = evidence.columns[score].null_rate
    return missing > 0 and evidence.columns[name].null_rate > 0 and evidence.null_together(name, score) == 1.0


def _comes_with_label(name: str, label: str | None, time: str, evidence: Evidence) -> bool:
    """Whether a column is missing exactly where a label is that arrives late: it arrived with it, and is no input."""
    if label is None or not evidence.columns[label].null_rate or not evidence.columns[name].null_rate:
        return False
    return evidence.null_together(label, name) == 1.0 and evidence.late_nulls(label, time)


def _yes_no(c: ColumnSummary) -> bool:
    if set(tokens(c.name)) & (DESCRIBES | CALENDAR | CONTEXT):
        return False
    return c.kind == "bool" or (c.kind == "numeric" and c.n_unique == 2 and c.min == 0 and c.max == 1)

