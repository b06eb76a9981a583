"""Write a planned incident as a case folder: tables, change log, incident.yaml; and its key."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import yaml

from rca_kit.training import telemetry
from rca_kit.training.keys import Key
from rca_kit.training.noise import choose_roles
from rca_kit.training.plan import Plan
from rca_kit.training.rows import Rows, simulate
from rca_kit.training.world import Cat

PART_ROWS = 1_000_000  # rows simulated at a time: bounds memory for logs of any length


def table(r: Rows) -> pl.DataFrame:
    """Make the request log of one part as a frame, in the case's own column names."""
    plan, world, names = r.plan, r.plan.world, r.plan.world.names
    k = r.keep
    when = pl.Series("t", np.round(r.t[k] * 3600e3).astype(np.int64))
    base = int(plan.start.timestamp() * 1000)
    stamp = (when + base).cast(pl.Datetime("ms")).dt.replace_time_zone("UTC")
    failed = r.error[k] >= 0
    out: dict[str, pl.Series] = {names.time: stamp}
    ids = pl.Series("i", k + r.part * 10 * PART_ROWS + plan.seed % 97 * 10_000)
    out[names.request_id] = pl.Series([world.name[:2]] * len(k)) + "-" + ids.cast(pl.String)
    for c in plan.columns:
        x = r.served[c.name][k] if not (isinstance(c, Cat) and not c.feature) else r.clean[c.name][k]
        out[c.name] = _category(x, plan.levels[c.name]) if isinstance(c, Cat) else _number(x)
    if world.text:
        out["prompt"] = pl.Series([r.texts.prompt[i] for i in k])
        out["response"] = pl.Series([r.texts.response[i] for i in k])
    score = np.where(failed, np.nan, r.score[k])
    out[names.score] = _number(score)
    if names.decision:
        codes = np.where(failed, -1, r.decision[k]).astype(np.int64)
        if world.classes:
            out[names.decision] = _category(codes, list(world.classes))
        else:
            low = world.positive_is_low
            out[names.decision] = pl.Series(np.where(failed, np.nan, 1 - codes if low else codes)).fill_nan(None).cast(pl.Int8)
    arrives = r.t[k] + r.label_lag[k]
    known = arrives <= plan.end
    if names.label:
        label = r.label[k]
        if world.classes:
            out[names.label] = _category(np.where(known, label, -1).astype(np.int64), list(world.classes))
        elif world.task == "regression":
            out[names.label] = _number(np.where(known, label, np.nan))
        else:
            out[names.label] = pl.Series(np.where(known, label, np.nan)).fill_nan(None).cast(pl.Int8)
    if names.label_time:
        lt = pl.Series(np.round(np.where(known, arrives, 0) * 3600e3).astype(np.int64) + base).cast(pl.Datetime("ms"))
        out[names.label_time] = lt.dt.replace_time_zone("UTC").set(pl.Series(~known), None)
    out[names.model_version] = _category(r.version[k], plan.versions)
    out[names.error] = _category(r.error[k], [*world.errors])
    for s in world.stages:
        out[s.name] = pl.Series(np.round(r.stages[s.name][k], 2))
    out[names.latency] = pl.Series(r.latency[k])
    for kpi in world.kpis:
        out[kpi.name] = pl.Series(r.kpis[kpi.name][k].astype(np.int8))
    return pl.DataFrame({plan.rename.get(n, n): s.alias(plan.rename.get(n, n)) for n, s in out.items()})


def _category(codes: Any, levels: list[str]) -> pl.Series:
    values = pl.Series([*levels, None], dtype=pl.String)
    return values.gather(pl.Series(np.where(codes < 0, len(levels), codes)))


def _number(x: Any) -> pl.Series:
    s = pl.Series(np.asarray(x, float)).fill_nan(None)
    whole = s.drop_nulls()
    return s.cast(pl.Int64) if len(whole) and bool(((whole % 1) == 0).all()) and float(whole.abs().max()) < 2**53 else s  # type: ignore[arg-type]


def write_case(
    plan: Plan,
    out: Path,
    case_id: str,
    title: str = "",
    fmt: str = "parquet",
    roles: dict[str, Any] | None = None,
    extra: dict[str, Any] | None = None,
    more_tables: dict[str, str] | None = None,
    source: str = "alert",
) -> Key:
    """Write the folder and give its key. `fmt` is parquet, csv, csv.gz or jsonl; long logs are written in parts."""
    out.mkdir(parents=True, exist_ok=True)
    parts = max(1, -(-plan.n // PART_ROWS))
    edges = np.linspace(0, plan.end, parts + 1)
    pattern = "predictions" + ("-{:04d}" if parts > 1 else "") + "." + fmt
    columns: list[str] = []
    for i in range(parts):
        frame = table(simulate(plan, edges[i], edges[i + 1], i))
        columns = frame.columns
        _write(frame, out / pattern.format(i), fmt)
    tables = {"predictions": pattern.format(0) if parts == 1 else f"predictions-*.{fmt}"}
    ids = _write_changes(plan, out)
    if ids:
        tables["changes"] = "changes.csv"
    if plan.rng.random() < 0.85 or plan.metric_hooks:
        _write_metrics(plan, out)
        tables["service_metrics"] = "service_metrics.parquet"
    tables |= more_tables or {}
    full = roles_of(plan, columns)
    given = choose_roles(plan, full) if roles is None else roles
    doc: dict[str, Any] = {
        "id": case_id,
        "title": title or default_title(plan),
        "service": plan.world.service,
        "detected_at": _text(plan.at(plan.detected)),
        "signal": {
            "source": source,
            "metric": _rename_metric(plan, plan.signal[0]),
            "summary": plan.signal[1] or "threshold crossed",
        },
        "tables": tables,
    }
    if given:
        doc["roles"] = given
    if len(given) > 6 or plan.world.task in ("ranking", "text"):
        doc["task"] = plan.world.task
    doc.update(extra or {})
    (out / "incident.yaml").write_text(yaml.safe_dump(doc, sort_keys=False, allow_unicode=True, width=110), encoding="utf-8")
    return make_key(plan, case_id, ids)


def _write(frame: pl.DataFrame, path: Path, fmt: str) -> None:
    if fmt == "parquet":
        frame.write_parquet(path, compression="zstd", compression_level=9, row_group_size=100_000)
    elif fmt == "jsonl":
        frame.with_columns(pl.col(pl.Datetime).dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ")).write_ndjson(path)
    elif fmt == "csv":
        frame.write_csv(path, datetime_format="%Y-%m-%dT%H:%M:%S%.3fZ")
    else:
        import gzip

        with gzip.GzipFile(path, "wb", mtime=0) as f:
            f.write(frame.write_csv(datetime_format="%Y-%m-%dT%H:%M:%S%.3fZ").encode())


def _write_changes(plan: Plan, out: Path) -> list[tuple[str, bool]]:
    """Write changes.csv in order of time; give (id, guilty) of each."""
    logged = sorted((c for c in plan.changes if c.logged), key=lambda c: c.minutes)
    logged = [c for c in logged if plan.onset + c.minutes / 60 <= plan.end]
    if not logged:
        return []
    prefix = str(plan.rng.choice(["chg-", "CR", "c", "ops-"]))
    first = int(plan.rng.integers(1, 900))
    ids = [f"{prefix}{first + i}" for i in range(len(logged))]
    by_hand = bool(plan.seed % 2)  # people write minutes, tools write seconds
    pl.DataFrame(
        {
            "id": ids,
            "time": [_text(_noted(plan.at(plan.onset + c.minutes / 60), by_hand)) for c in logged],
            "kind": [c.kind for c in logged],
            "component": [c.component for c in logged],
            "description": [c.description for c in logged],
            "scope": [";".join(_rename_condition(plan, p) for p in c.scope.split(";")) if c.scope else "" for c in logged],
            "version_from": [c.version_from for c in logged],
            "version_to": [c.version_to for c in logged],
        }
    ).with_columns(pl.col("component", "scope", "version_from", "version_to").replace("", None)).write_csv(out / "changes.csv")
    return [(i, c.guilty) for i, c in zip(ids, logged, strict=True)]


def _noted(when: datetime, by_hand: bool) -> datetime:
    return when.replace(second=0) if by_hand else when


def _rename_condition(plan: Plan, text: str) -> str:
    name, _, value = text.partition("=")
    return f"{plan.rename.get(name, name)}={value}"


def _write_metrics(plan: Plan, out: Path) -> None:
    long = telemetry.rows(plan)
    when = pl.Series(np.round(np.asarray(long["hours"]) * 3600e3).astype(np.int64) + int(plan.start.timestamp() * 1000))
    columns: dict[str, Any] = {
        "time": when.cast(pl.Datetime("ms")).dt.replace_time_zone("UTC"),
        "component": long["component"],
        "metric": long["metric"],
        "value": long["value"],
    }
    if plan.world.zone:
        columns[plan.rename.get(plan.world.zone, plan.world.zone)] = pl.Series(long["zone"], dtype=pl.String)
    pl.DataFrame(columns).write_parquet(out / "service_metrics.parquet", compression="zstd", compression_level=9)


def roles_of(plan: Plan, columns: list[str]) -> dict[str, Any]:
    """Every role, in the case's column names."""
    w, n = plan.world, plan.world.names

    def called(x: str) -> str:
        return plan.rename.get(x, x)

    out: dict[str, Any] = {"time": n.time, "request_id": n.request_id, "score": called(n.score)}
    if n.decision:
        out["decision"] = called(n.decision)
    if n.label:
        out["label"] = called(n.label)
    if n.label_time:
        out["label_time"] = n.label_time
    out |= {
        "model_version": n.model_version,
        "error": n.error,
        "latency_ms": called(n.latency),
        "stages": [called(s.name) for s in w.stages],
        "kpi": {called(k.name): k.good for k in w.kpis},
        "segments": [called(s.name) for s in w.segments],
        "features": [
            called(c.name) for c in plan.columns if not (isinstance(c, Cat) and not c.feature) and called(c.name) in columns
        ],
    }
    return out


def _rename_metric(plan: Plan, metric: str) -> str:
    head, colon, column = metric.partition(":")
    return f"{head}:{plan.rename.get(column, column)}" if colon else metric


def _text(when: datetime) -> str:
    return (when + timedelta(0)).strftime("%Y-%m-%dT%H:%M:%SZ")


def default_title(plan: Plan) -> str:
    """Title a case as an alert would: the service and the metric, not the cause."""
    return f"{plan.world.service}: {_rename_metric(plan, plan.signal[0])} alert"


def make_key(plan: Plan, case_id: str, ids: list[tuple[str, bool]]) -> Key:
    """Write down the answer in the case's column names."""
    a = plan.answer
    quiet = a.verdict == "no_change"

    def called(x: str | None) -> str | None:
        if x is None or ":" not in x:
            return x
        head, _, name = x.partition(":")
        return f"{head}:{plan.rename.get(name, name)}" if head == "feature" else x

    guilty = [i for i, g in ids if g]
    return Key(
        case_id=case_id,
        verdict=a.verdict,
        onset=None if quiet else plan.at(plan.onset),
        onset_tolerance_minutes=plan.tolerance,
        where=() if quiet else tuple({plan.rename.get(k, k): v for k, v in w.items()} for w in plan.where),
        category=a.category,
        subject=called(a.subject),
        change_id=guilty[0] if guilty else None,
        mitigation=a.mitigation,
        mechanism=plan.mechanism,
        world=plan.world.name,
        seed=plan.seed,
        categories_ok=a.categories_ok,
        subjects_ok=tuple(str(called(s)) for s in a.subjects_ok),
        changes_ok=tuple(guilty[1:]),
        innocent=tuple(i for i, g in ids if not g),
        harmless=tuple(str(called("feature:" + h)) for h in plan.harmless),
        summary=a.summary,
    )
