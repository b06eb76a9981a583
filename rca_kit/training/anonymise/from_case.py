"""Turn a real, solved case into a training session that tells the same story under other names, numbers and times."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import yaml

from rca_kit.case.decisions import Decisions, Mark, read_decisions, suspect_key
from rca_kit.case.journal import Journal
from rca_kit.errors import BadInput
from rca_kit.findings.investigation import Investigation
from rca_kit.findings.suspects import Suspect
from rca_kit.loop.investigate import investigate
from rca_kit.sources import OpenCase, open_case
from rca_kit.sources.requests import fetch_requests
from rca_kit.sources.tables import ANSWERS
from rca_kit.training.alone import kit_alone
from rca_kit.training.anonymise.aliases import COMPONENT_ROLES, Aliases
from rca_kit.training.anonymise.tables import (
    LATENCY,
    OUTPUT,
    Mask,
    kpi_name,
    mask_changes,
    mask_log,
    mask_metrics,
    mask_other,
    originals,
)
from rca_kit.training.anonymise.values import Secret
from rca_kit.training.answers import Answers, write_answers
from rca_kit.training.drill_file import DrillFile
from rca_kit.training.drill_notebook import write_notebook
from rca_kit.training.keys import Key

SHIFT_WEEKS = (8, 260)  # whole weeks, so that hours and weekdays stay; five years at most, so that times stay plausible
MINUTES = 45
LEAST_TOLERANCE, MOST_TOLERANCE = 20, 180  # minutes around the onset that count as right
SHADOW_COLUMNS = ("request_id", "time", "primary", "candidate", "secondary", "label", "primary_ms", "candidate_ms")


@dataclass(frozen=True)
class Anonymised:
    """A session made from a real case: folder, key and where that lies, and what of the story did not carry over."""

    folder: Path
    key: Key
    key_file: Path
    dropped: tuple[str, ...]
    differences: tuple[str, ...]
    confirmed: bool = True  # by a person; else the answer is the kit's own first suspect, which may be wrong


def drill_from_case(
    case: str | Path, out: str | Path, *, key_file: str | Path | None = None, seed: int | None = None, minutes: int = MINUTES
) -> Anonymised:
    """Make an anonymised training session of a solved case.

    Columns, values, components, ids and versions get neutral names; numbers are scaled column by column; times move by whole
    weeks; titles and descriptions are written again from the kit's own words; columns under `redact` are hashed with a salt
    that is kept nowhere, or left out. Models and reports are not taken along. Then both cases are investigated, and what the kit
    finds in the copy has to be what it finds in the original, under the mapping.

    Parameters
    ----------
    case : path
        The solved case. A suspect that a person confirmed in its journal is the answer; else the kit's first suspect.
    out : path
        A new or empty folder for the session.
    key_file : path, optional
        Where the key goes: ``<out>.key.json`` beside the folder when not given, never inside it.
    seed : int, optional
        For tests. By chance, and not kept, when not given: with the seed the numbers could be turned back.
    minutes : int
        What a group is given.

    Raises
    ------
    BadInput
        When the case cannot be used, or the folder or the key is already there.
    """
    target = Path(out)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise BadInput("is not an empty folder, and nothing is overwritten", file=str(target))
    key_path = Path(key_file) if key_file else target.resolve().with_name(target.resolve().name + ".key.json")
    if key_path.exists():
        raise BadInput("there is a key already, and nothing is overwritten", file=str(key_path))
    if target.resolve() in key_path.resolve().parents:
        raise BadInput("the key must not lie in the folder of the session", file=str(key_path))
    opened = open_case(case)
    told, before = investigate(opened), kit_alone(opened)[1]  # the key is what people found, the copy is compared with the kit
    entropy = secrets.randbits(128) if seed is None else seed
    rng = np.random.default_rng([entropy & 0xFFFFFFFF, entropy >> 32 & 0xFFFFFFFF, entropy >> 64])
    ident = f"DRILL-{int(rng.integers(0, 16**6)):06X}"
    target.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=".drill-", dir=target.parent))
    try:
        mask, ids = _write(opened, part, rng, ident)
        key = _key(told, opened, mask, ids, ident)
        differences = tuple(compare(before, kit_alone(open_case(part))[1], mask, ids))
        DrillFile(ident, f"{ident}: an alert", minutes, "", 0).save(part)
        write_answers(part, Answers(), ident)
        write_notebook(part)
        Journal(part).add("drill", "started", data={"minutes": minutes})
        if target.exists():
            target.rmdir()
        part.replace(target)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    key.save(key_path)
    sure = told.verdict == "no_change" or bool(_confirmed(read_decisions(Journal(opened.case.folder).entries())))
    return Anonymised(target, key, key_path, tuple(mask.dropped), differences, sure)


def _write(opened: OpenCase, folder: Path, rng: np.random.Generator, ident: str) -> tuple[Mask, dict[str, str]]:
    log: pl.DataFrame = opened.predictions.collect(backend="polars").to_native().sort(opened.roles.time, maintain_order=True)
    metrics = _frame(opened.service_metrics)
    aliases = Aliases(rng, originals(opened, log, metrics))
    weeks = int(rng.integers(*SHIFT_WEEKS))
    mask = Mask(opened, aliases, Secret(rng, rng.bytes(32)), -timedelta(weeks=weeks))
    for name in opened.roles.kpi:
        kpi_name(mask, name)
    tables = {"predictions": "predictions.parquet"}
    mask_log(mask, log).write_parquet(folder / "predictions.parquet", compression="zstd")
    if metrics is not None and len(metrics):
        mask_metrics(mask, metrics).write_parquet(folder / "service_metrics.parquet", compression="zstd")
        tables["service_metrics"] = "service_metrics.parquet"
    for name, frame, fixed in (("golden", opened.golden, ("sample_id",)), ("shadow", opened.shadow, SHADOW_COLUMNS)):
        table = _frame(frame) if name == "golden" or frame is None else fetch_requests(frame, fixed[0], ANSWERS)[0]
        if table is not None and len(table):
            mask_other(mask, table, fixed).write_parquet(folder / f"{name}.parquet", compression="zstd")
            tables[name] = f"{name}.parquet"
    rows, ids = mask_changes(mask, opened.changes)
    if rows:
        pl.DataFrame(rows).write_csv(folder / "changes.csv")
        tables["changes"] = "changes.csv"
    text = yaml.safe_dump(_incident(mask, ident, tables), sort_keys=False, allow_unicode=True, width=110)
    (folder / "incident.yaml").write_text(text, encoding="utf-8")
    return mask, ids


def _frame(lazy: Any) -> pl.DataFrame | None:
    if lazy is None:
        return None
    frame: pl.DataFrame = lazy.collect(backend="polars").to_native()
    return frame


def _incident(mask: Mask, ident: str, tables: dict[str, str]) -> dict[str, Any]:
    i, names = mask.opened.case.incident, mask.aliases.known()
    metric = metric_alias(mask, i.signal.metric) if i.signal.metric else None
    out: dict[str, Any] = {
        "id": ident,
        "title": f"Alert on {metric or 'a service'}",
        "detected_at": f"{i.detected_at + mask.shift:%Y-%m-%dT%H:%M:%SZ}",
        "signal": {"source": i.signal.source, **({"metric": metric} if metric else {}), "summary": ""},
        "tables": tables,
        "roles": _roles(mask),
        "task": mask.opened.task,
    }
    slos = {
        metric_alias(mask, m): {k: v * _factor(mask, m) for k, v in s.model_dump(exclude_none=True).items()}
        for m, s in i.slos.items()
    }
    if slos:
        out["slos"] = slos
    if i.windows:
        out["windows"] = {n: [f"{t + mask.shift:%Y-%m-%dT%H:%M:%SZ}" for t in getattr(i.windows, n)] for n in ("before", "after")}
    kept = [names[c] for c in i.redact if c in names and c not in mask.dropped]
    if kept:
        out["redact"] = kept
    return out


def _roles(mask: Mask) -> dict[str, Any]:
    names, gone = mask.aliases.known(), set(mask.dropped)

    def named(value: Any) -> Any:
        if isinstance(value, dict):
            return {names[k]: v for k, v in value.items() if k not in gone}
        if isinstance(value, (list, tuple)):
            return [names[v] for v in value if v not in gone]
        return names[value] if value not in gone else None

    return {role: named(value) for role, value in mask.opened.roles.to_dict().items() if value}


def metric_alias(mask: Mask, metric: str) -> str:
    """Name a metric of the case format in the copy's names."""
    head, colon, tail = metric.partition(":")
    if not colon:
        return metric
    return f"{head}:{mask.aliases.role(tail, COMPONENT_ROLES) if head == 'freshness' else mask.aliases.known().get(tail, tail)}"


def _factor(mask: Mask, metric: str) -> float:
    if metric.startswith("latency_"):
        return mask.factors.get(LATENCY, 1.0)
    return mask.factors.get(OUTPUT, 1.0) if metric in ("mae", "rmse", "bias", "score_mean") else 1.0


def _key(inv: Investigation, opened: OpenCase, mask: Mask, ids: dict[str, str], ident: str) -> Key:
    """Make the key of what a person confirmed; else of what the kit holds most probable."""
    quiet = inv.verdict == "no_change"
    category, subject, change = _answer(inv, opened)
    interval = inv.symptom.onset_interval
    width = (interval[1] - interval[0]).total_seconds() / 60 if interval else 0.0
    first = inv.settlement.mitigations[0].action if inv.settlement.mitigations else "none"
    guilty = ids.get(change or "")
    return Key(
        case_id=ident,
        verdict=inv.verdict,
        onset=None if quiet or inv.symptom.onset is None else inv.symptom.onset + mask.shift,
        onset_tolerance_minutes=int(np.clip(5 * np.ceil(width / 5), LEAST_TOLERANCE, MOST_TOLERANCE)),
        where=() if quiet else tuple(where_alias(mask, s.where) for s in inv.scope.segments),
        category=None if quiet else category,
        subject=None if quiet else subject_alias(mask, subject),
        change_id=None if quiet else guilty,
        mitigation=first.replace("_", " "),
        mechanism="from-case",
        world="from-case",
        seed=0,
        innocent=tuple(sorted(set(ids.values()) - {guilty} if not quiet else set(ids.values()))),
        summary=""
        if quiet
        else f"{subject_alias(mask, subject)}: {category}" + (f", with {guilty}" if guilty else ", not logged"),
    )


def _confirmed(decisions: Decisions) -> list[Mark]:
    return sorted((m for m in decisions.marks.values() if m.mark == "confirmed"), key=lambda m: m.time)


def _answer(inv: Investigation, opened: OpenCase) -> tuple[str | None, str | None, str | None]:
    """Give category, subject and change of the suspect a person confirmed last; of the first one when nobody did."""
    entries = Journal(opened.case.folder).entries()
    decisions = read_decisions(entries)
    marks = _confirmed(decisions)
    if marks:
        key = marks[-1].key
        own = decisions.suspects.get(key)
        known = next((s for s in inv.suspects.items if suspect_key(s.subject, s.change_id) == key), None)
        said = next((e.data for e in reversed(entries) if e.kind == "confirmed" and e.data.get("category")), None)
        if own is not None:
            return own.category, own.subject, own.change_id
        if said is not None and suspect_key(str(said.get("subject") or ""), said.get("change_id")) == key:
            return str(said["category"]), str(said.get("subject") or ""), said.get("change_id")
        if known is not None:
            return known.category, known.subject, known.change_id
    first: Suspect | None = inv.suspects.items[0] if inv.suspects.items else None
    return (first.category, first.subject, first.change_id) if first else (None, None, None)


def subject_alias(mask: Mask, subject: str | None) -> str | None:
    """Name a suspect's subject in the copy's names."""
    head, colon, name = (subject or "").partition(":")
    if not colon:
        return subject
    return f"{head}:{mask.aliases.role(name, COMPONENT_ROLES) if head == 'component' else mask.aliases.known().get(name, name)}"


def where_alias(mask: Mask, where: dict[str, Any]) -> dict[str, Any]:
    """Name a segment in the copy's names; numeric bounds are scaled as their column is."""
    names = mask.aliases.known()

    def value(column: str, v: Any) -> Any:
        if isinstance(v, dict):
            return {k: None if x is None else x * mask.factors.get(column, 1.0) for k, x in v.items()}
        if isinstance(v, (list, tuple)):
            return [value(column, x) for x in v]
        if isinstance(v, str):
            return names.get(v, v)
        return v * mask.factors[column] if isinstance(v, (int, float)) and column in mask.factors else v

    return {names.get(c, c): value(c, v) for c, v in where.items()}


def compare(before: Investigation, after: Investigation, mask: Mask, ids: dict[str, str]) -> list[str]:
    """Say where the findings of the copy are not those of the original under the mapping."""
    out = []
    if after.verdict != before.verdict:
        out.append(f"verdict: {before.verdict} in the original, {after.verdict} in the copy")
    onset = before.symptom.onset + mask.shift if before.symptom.onset else None
    if before.verdict != "no_change" and onset != after.symptom.onset:
        out.append(f"onset: {onset} expected, {after.symptom.onset} found")
    expected = [where_alias(mask, s.where) for s in before.scope.segments]
    found = [s.where for s in after.scope.segments]
    if before.verdict != "no_change" and sorted(map(str, expected)) != sorted(map(str, found)):
        out.append(f"scope: {expected} expected, {found} found")
    a, b = (i.suspects.items[0] if i.suspects.items else None for i in (before, after))
    told = [
        (a.category, subject_alias(mask, a.subject), ids.get(a.change_id or "")) if a else None,
        (b.category, b.subject, b.change_id) if b else None,
    ]
    if before.verdict != "no_change" and told[0] != told[1]:
        out.append(f"first suspect: {told[0]} expected, {told[1]} found")
    return out
