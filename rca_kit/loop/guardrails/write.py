"""Guardrails as files that other tools run, from the findings, each back-tested on the case's own log."""

from __future__ import annotations

import json
import os
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from rca_kit.errors import BadInput
from rca_kit.findings.base import Window, plain
from rca_kit.findings.investigation import Investigation
from rca_kit.loop.guardrails import canary, freshness, prometheus, schema, schema_file
from rca_kit.loop.guardrails.broken import broken_columns
from rca_kit.loop.guardrails.parity_trial import write_parity
from rca_kit.loop.guardrails.trial import held_out, try_canary, try_schema
from rca_kit.loop.s5_samples.redaction import personal_columns
from rca_kit.loop.s5_samples.rows import fetch
from rca_kit.loop.s7_settle.facts import Facts, plain_slos
from rca_kit.loop.s7_settle.proposals import alert_rules, incident_series
from rca_kit.sources import open_case
from rca_kit.sources.collect import collect

__all__ = ["write_guardrails"]

RULES, RULES_TEST = "prometheus_rules.yml", "prometheus_rules_test.yml"
SCHEMA, PARITY, CANARY, FRESHNESS = "input_schema.py", "test_feature_parity.py", "canary.yaml", "check_freshness.py"
BACKTEST, README = "backtest.json", "README.md"
LEARN_ROWS = {"before_in": 60_000, "after_in": 20_000}  # some thousand rows a day are enough for shares of one per cent
MAX_WITHIN = 3  # segments with limits of their own
FRESH_DEFAULT_S = 2 * 86400.0  # a daily job that missed one run


def write_guardrails(
    folder: str | Path,
    out_dir: str | Path,
    *,
    investigation: Investigation | None = None,
    engine: str = "polars",
    offline: Any = None,
) -> list[Path]:
    """Write the guardrails of a case and the back-test of each.

    Alerting rules with promtool unit tests, a pandera schema of the inputs, a parity test, a canary configuration, a freshness
    check (where ages are measured), ``backtest.json`` and a README. Files are written beside and renamed.

    Parameters
    ----------
    folder : path
        The case folder.
    out_dir : path
        Where to write; made when absent.
    investigation : Investigation, optional
        Findings of the case; it is investigated when left out.
    engine : str
        What reads the tables.
    offline : path or table, optional
        Features as computed offline, with the request id: the parity test is then tried on the case too.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    BadInput
        When the case cannot be used, or nothing changed: then there is nothing to guard against.
    """
    opened = open_case(folder, engine=engine)
    if investigation is None:
        from rca_kit.loop.investigate import investigate

        investigation = investigate(opened, engine=engine)
    inv = investigation
    if inv.verdict == "no_change" or inv.symptom.onset is None or inv.symptom.windows is None:
        raise BadInput(
            "the case shows no change, so there is nothing to guard against",
            file=str(folder),
            hint="retune the alert: " + "; ".join(g.rule for g in inv.settlement.guardrails[:1]),
        )
    facts = Facts(
        inv.case, inv.signal, inv.symptom, inv.scope, inv.suspects, inv.samples, inv.simulation, plain_slos(inv.case.slos)
    )
    files: dict[str, str] = {}
    trials: dict[str, Any] = {}
    _alerts(facts, inv, files, trials)
    _schema(facts, opened, inv.symptom.windows, files, trials)
    _parity(facts, opened, inv.symptom.windows, offline, files, trials)
    config = canary.canary_config(facts)
    trials[CANARY] = try_canary(facts, opened, config["triggers"][0]["rule"])
    config["traffic"]["min_requests"] = trials[CANARY].get("min_requests", canary.MIN_REQUESTS)
    files[CANARY] = canary.render(config)
    _freshness(facts, opened, inv.symptom.onset, files, trials)
    files[BACKTEST] = json.dumps(plain({"case_id": inv.case.case_id, "files": trials}), indent=2, ensure_ascii=False) + "\n"
    files[README] = _readme(facts, trials)
    return _write(Path(out_dir), files)


def _alerts(facts: Facts, inv: Investigation, files: dict[str, str], trials: dict[str, Any]) -> None:
    rules = alert_rules(facts)
    if not rules or inv.symptom.onset is None:
        trials[RULES] = {"not_applicable": "no charted metric separates the incident from the days before"}
        return
    series = incident_series(facts)
    service = facts.case.service or facts.case.case_id
    first = inv.settlement.mitigations[0] if inv.settlement.mitigations else None
    runbook = f"First action then: {first.action} {first.target}".strip() if first else ""
    width = min(series[m].bucket_seconds for m, _, _ in rules)
    files[RULES] = prometheus.rules_file(facts.case.case_id, service, rules, width, runbook, RULES)
    files[RULES_TEST] = prometheus.tests_file(
        facts.case.case_id, service, rules, {m: series[m] for m, _, _ in rules}, inv.symptom.onset, runbook, RULES
    )
    trials[RULES] = [
        {
            "metric": m,
            "rule": str(r),
            "fires_on_incident": b.catches,
            "fired_at": b.fired_at,
            "lead_minutes": b.lead_minutes,
            "false_alarms": b.false_alarms,
            "healthy_days": b.healthy_days,
            "false_alarms_per_week": b.false_alarms_per_week,
        }
        for m, r, b in rules
    ]


def _schema(facts: Facts, opened: Any, windows: tuple[Window, Window], files: dict[str, str], trials: dict[str, Any]) -> None:
    roles = opened.roles
    columns = [c for c in dict.fromkeys([*roles.features, *roles.segments]) if c not in roles.outcomes and c != roles.time]
    if not columns:
        trials[SCHEMA] = {"not_applicable": "the log holds no features"}
        return
    before, after = windows
    whole = Window(before.start, min(before.end, facts.symptom.onset or before.end))
    sampled = fetch(opened.predictions, roles, (whole, after), (), [roles.time, *columns], seed=0, limits=LEARN_ROWS).frame
    if sampled.height == 0:
        trials[SCHEMA] = {"not_applicable": "no rows before or after the onset"}
        return
    healthy = sampled.filter(pl.col("rk_after") == 0).with_columns(pl.col(pl.Float32, pl.Float64).fill_nan(None))
    ill = sampled.filter(pl.col("rk_after") == 1)
    if healthy.height < schema.MIN_ROWS:
        trials[SCHEMA] = {"not_applicable": f"only {healthy.height} rows before the onset"}
        return
    length = max(timedelta(minutes=10), min(after.end - after.start, schema.DAY))
    cut = schema.batches(healthy, roles.time, whole.start, whole.end, length)
    redact = tuple(opened.case.incident.redact or ())
    hidden = {*redact, *personal_columns({c: healthy[c].head(200).to_list() for c in columns})}
    incident = schema.Batch(after.start, after.end, ill)
    broken = broken_columns(facts, columns)
    innocent = [c for c in columns if c not in broken]
    # what the findings do not call broken is how the inputs may look: such columns are learnt from the incident's rows too
    learnt = schema.learn(cut, broken, hidden) | schema.learn([*cut, incident] if ill.height else cut, innocent, hidden)
    within = schema.learn_within(cut, broken, hidden, facts.scope.segments[:MAX_WITHIN])
    files[SCHEMA] = schema_file.render(facts.case.case_id, facts.case.service, {c: learnt[c] for c in columns}, within)
    held = held_out(cut, columns, hidden, whole.end)
    parts = schema.batches(ill, roles.time, after.start, after.end, length) if ill.height else []
    trial = try_schema(files[SCHEMA], cut, [incident, *parts], roles.time, facts.case.detected_at, held)
    trials[SCHEMA] = {"broken_inputs": list(broken), **trial}


def _parity(
    facts: Facts, opened: Any, windows: tuple[Window, Window], offline: Any, files: dict[str, str], trials: dict[str, Any]
) -> None:
    roles = opened.roles
    if not roles.features or not roles.request_id:
        trials[PARITY] = {"not_applicable": "needs features and a request id in the log"}
        return
    first = facts.first.subject.partition(":")[2] if facts.first else ""
    order = sorted(roles.features, key=lambda f: f != first)
    onset = facts.symptom.onset or windows[0].end
    files[PARITY], trials[PARITY] = write_parity(opened, order, windows, onset, offline)


def _freshness(facts: Facts, opened: Any, onset: datetime, files: dict[str, str], trials: dict[str, Any]) -> None:
    if opened.service_metrics is None:
        return
    metrics = collect(opened.service_metrics.select("time", "component", "metric", "value"))
    limits = freshness.learn(metrics, onset)
    if not limits:
        return
    files[FRESHNESS] = freshness.render(facts.case.case_id, limits, FRESH_DEFAULT_S)
    hit = freshness.first_breach(metrics, limits, after=onset)
    lead = (facts.case.detected_at - hit).total_seconds() / 60 if hit else None
    trials[FRESHNESS] = {
        "fires_on_incident": hit is not None,
        "fired_at": hit,
        "lead_minutes": lead,
        "limits": limits,
    }
    seen = freshness.held_out(metrics, onset)
    if seen is not None:
        trials[FRESHNESS]["passes_on_healthy_days"] = seen


def _readme(facts: Facts, trials: dict[str, Any]) -> str:
    lines = [
        f"# Guardrails from {facts.case.case_id}",
        "",
        "Written by rca-kit from the findings, and tried on the incident's own log (`backtest.json`).",
        "Review them before use.",
        "",
        f"- `promtool check rules {RULES}`, `promtool test rules {RULES_TEST}`",
        f"- `python {SCHEMA} BATCH.parquet`: 0 as on healthy days, 1 not",
        f"- `OFFLINE=a.parquet ONLINE=b.parquet pytest {PARITY}`",
        f"- `{CANARY}`: share, gates and rollback triggers for the next release",
        f"- `python {FRESHNESS} metrics METRICS.parquet`: 0 fresh, 1 stale (where the case measures ages)",
        "",
        "## Back-test",
        "",
    ]
    for name, trial in trials.items():
        lines += [f"- {name}: {_told(t)}" for t in (trial if isinstance(trial, list) else [trial])]
    return "\n".join(lines) + "\n"


def _told(t: dict[str, Any]) -> str:
    healthy = (
        ""
        if "passes_on_healthy_days" not in t
        else (", passes on the healthy days" if t["passes_on_healthy_days"] else ", does not pass on all healthy days")
    )
    if "not_applicable" in t:
        return f"not tried on the incident, because {t['not_applicable']}{healthy}"
    what = f"`{t['metric']} {t['rule']}` " if "metric" in t else f"`{t['rule']}` " if "rule" in t else ""
    fires = "fires on the incident" if t.get("fires_on_incident") else "does not fire on this incident"
    if t.get("broken_inputs") == []:
        fires += ", whose findings call no input broken"
    lead = f", {t['lead_minutes']:.0f} min before the old alert" if t.get("lead_minutes") is not None else ""
    weekly = ""
    if t.get("false_alarms_per_week") is not None:
        held = t.get("held_out", {})
        days = held.get("days", t.get("healthy_days", 0.0))
        over = f"{'unseen' if held else 'healthy'} days: {days:.2g}"
        weekly = f", {t['false_alarms_per_week']:.2g} false alarms a week ({over})"
    return f"{what}{fires}{lead}{weekly}{healthy}"


def _write(out: Path, files: dict[str, str]) -> list[Path]:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"cannot make the folder: {error.strerror}", file=str(out)) from None
    written = []
    for name, text in files.items():
        handle, temporary = tempfile.mkstemp(dir=out, prefix=f".{name}.")
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(out / name)
        written.append(out / name)
    return written
