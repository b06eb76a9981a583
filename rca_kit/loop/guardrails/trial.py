"""Try generated guardrails on the incident's log: the schema's own code on batches, the canary's trigger on two versions."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import narwhals as nw
import polars as pl

from rca_kit.errors import BadInput
from rca_kit.loop.guardrails.schema import MIN_ROWS, Batch
from rca_kit.loop.s7_settle.facts import Facts
from rca_kit.loop.versions.triggers import evaluate_trigger
from rca_kit.sources.collect import collect

TICKS = 24  # the incident is tried in this many growing batches, to see when the schema would have said no
CANARY_ROWS = 500_000
CANARY_BUCKET_S = 60.0


def try_schema(source: str, healthy: list[Batch], incident: Batch, time: str, detected_at: datetime) -> dict[str, Any]:
    """Run the generated file's own checks on healthy batches and on the incident.

    Where pandera is not installed, the same checks run without its wrapper.
    """
    problems = _problems_of(source)
    failing = [b.start for b in healthy if problems(b.rows.drop(_helpers(b.rows)))]
    rows = incident.rows.drop(_helpers(incident.rows))
    said = problems(rows)
    fired = _when(problems, rows, time) if said else None
    days = {b.start.date() for b in healthy}
    return {
        "fires_on_incident": bool(said),
        "says": said[:10],
        "fired_at": fired,
        "lead_minutes": (detected_at - fired).total_seconds() / 60 if fired else None,
        "passes_on_healthy_days": not failing,
        "healthy_batches": len(healthy),
        "healthy_days": len(days),
        "false_alarms_per_week": 7 * len({f.date() for f in failing}) / len(days) if days else None,
    }


def try_canary(facts: Facts, opened: Any, rule: str) -> dict[str, Any]:
    """Run the trigger over the two versions that served side by side around the onset, if there were two."""
    roles, windows = opened.roles, facts.symptom.windows
    if not roles.model_version or windows is None:
        return {"not_applicable": "the log holds no model version"}
    version = nw.col(roles.model_version)
    sides = []
    for w in windows:
        inside = (nw.col(roles.time) >= nw.lit(w.start)) & (nw.col(roles.time) < nw.lit(w.end))
        counted = collect(opened.predictions.filter(inside).group_by(version.alias("v")).agg(nw.len().alias("n")))
        sides.append(dict(counted.drop_nulls().sort(["n", "v"], descending=[True, False]).iter_rows()))
    old = next(iter(sides[0]), None)
    new = next((v for v in sides[1] if sides[0].get(v, 0) < 0.01 * sum(sides[0].values())), None)
    if old is None or new is None or sides[1].get(old, 0) == 0:
        return {"not_applicable": "no two versions served side by side in this log"}
    named = {
        "score": roles.score,
        "decision": roles.decision,
        "label": roles.label,
        "error": roles.error,
        "latency": roles.latency_ms,
    }
    after = (nw.col(roles.time) >= nw.lit(windows[1].start)) & version.is_in([old, new])
    columns = list(dict.fromkeys(c for c in (roles.time, roles.model_version, *named.values()) if c))
    log = collect(opened.predictions.filter(after).select(*[nw.col(c) for c in columns]).head(CANARY_ROWS))
    for role in ("label", "decision"):
        column = named[role]
        if column and column in opened.positive:
            log = log.with_columns((pl.col(column) == opened.positive[column]).cast(pl.Int64))
    try:
        history = evaluate_trigger(
            rule,
            log,
            version=roles.model_version,
            primary=old,
            candidate=new,
            time=roles.time,
            bucket_seconds=CANARY_BUCKET_S,
            window_seconds=3600.0,
            **{k: v for k, v in named.items() if v},
        )
    except BadInput as error:
        return {"not_applicable": error.message}
    lead = (facts.case.detected_at - history.fired_at).total_seconds() / 60 if history.fired_at else None
    return {
        "fires_on_incident": history.fired_at is not None,
        "fired_at": history.fired_at,
        "lead_minutes": lead,
        "rule": rule,
        "metric": facts.metric,
        "primary": str(old),
        "candidate": str(new),
        "says": history.because,
    }


def _problems_of(source: str) -> Any:
    """Load `problems` from the generated file; its pandera part is left out, so that the kit runs without the extra."""
    plain = source.replace("import pandera.polars as pa\n", "").partition("\ndef _check(title")[0]
    space: dict[str, Any] = {"__name__": "input_schema"}
    exec(compile(plain, "input_schema.py", "exec", dont_inherit=True), space)  # noqa: S102  (our own template, data are literals)
    return space["problems"]


def _when(problems: Any, rows: pl.DataFrame, time: str) -> datetime | None:
    """Find the end of the first growing batch that fails."""
    start, end = rows[time].min(), rows[time].max()
    assert isinstance(start, datetime) and isinstance(end, datetime)
    step = max((end - start) / TICKS, timedelta(seconds=1))
    for i in range(1, TICKS + 1):
        until = start + i * step
        part = rows.filter(pl.col(time) <= until)
        if part.height >= MIN_ROWS and problems(part):
            return until
    return end


def _helpers(frame: pl.DataFrame) -> list[str]:
    return [c for c in frame.columns if c.startswith("rk_")]
