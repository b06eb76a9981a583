"""Prometheus alerting rules from back-tested alert rules, and promtool unit tests that replay the incident against them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import yaml

from rca_kit.findings.symptom import MetricSeries
from rca_kit.loop.guardrails.backtest import AlertRule, Backtest, exact

GAUGE = "ml_service_metric"
MAX_SAMPLES = 300  # buckets of history in the unit test: more only slows promtool
HEALTHY_LOOKS = 5
HEAD = f"""\
# Alerting rules for Prometheus, written by rca-kit from incident {{case}}. Check: promtool check rules {{file}}
# They read one gauge that the service (or a batch job) exports per metric:
#   {GAUGE}{{{{service="...", metric="null_rate:device_type"}}}} 0.004
# with the metric names of rca-kit, each over the last {{minutes:g}} minutes.
"""


def rules_file(
    case_id: str, service: str, rules: list[tuple[str, AlertRule, Backtest]], bucket_seconds: int, runbook: str, file: str
) -> str:
    """Write the rules file.

    Examples
    --------
    >>> from datetime import UTC
    >>> tested = Backtest(datetime(2026, 3, 2, 14, 10, tzinfo=UTC), 25.0, 0, 3.0, 0.0)
    >>> rule = AlertRule("error_rate", ">", 0.02, 10)
    >>> text = rules_file("INC-1", "fraud", [("error_rate", rule, tested)], 300, "roll back", "r.yml")
    >>> yaml.safe_load(text)["groups"][0]["rules"][0]["expr"]
    'ml_service_metric{service="fraud",metric="error_rate"} > 0.02'
    """
    group = {"name": f"rca-kit-{case_id}", "rules": [_rule(case_id, service, m, r, b, runbook) for m, r, b in rules]}
    body = yaml.safe_dump({"groups": [group]}, sort_keys=False, allow_unicode=True, width=120)
    return HEAD.format(case=case_id, file=file, minutes=bucket_seconds / 60) + body


def tests_file(
    case_id: str,
    service: str,
    rules: list[tuple[str, AlertRule, Backtest]],
    series: dict[str, MetricSeries],
    onset: datetime,
    runbook: str,
    rules_name: str,
) -> str:
    """Write promtool unit tests: silent on healthy stretches of this log, firing when the back-test says so."""
    tests = [_test(case_id, service, r, b, series[m], onset, runbook) for m, r, b in rules]
    width = min((s.bucket_seconds for s in series.values()), default=60)
    data = {"rule_files": [rules_name], "evaluation_interval": f"{width}s", "tests": tests}
    return f"# promtool test rules {rules_name.replace('.yml', '')}_test.yml: this incident, replayed\n" + yaml.safe_dump(
        data, sort_keys=False, allow_unicode=True, width=120
    )


def alert_name(metric: str) -> str:
    """Name an alert after its metric.

    Examples
    --------
    >>> alert_name("null_rate:device_type"), alert_name("kpi:Größe (m)")
    ('NullRateDeviceType', 'KpiGrößeM')
    """
    return "".join(w[:1].upper() + w[1:] for w in re.findall(r"[^\W_]+", metric)) or "Alert"


def _rule(case_id: str, service: str, metric: str, rule: AlertRule, tested: Backtest, runbook: str) -> dict[str, Any]:
    return {
        "alert": alert_name(metric),
        "expr": f"{_selector(service, metric)} {rule.op} {exact(rule.threshold)}",
        "for": f"{rule.minutes:g}m" if rule.minutes == int(rule.minutes) else f"{rule.minutes * 60:.0f}s",
        "labels": _labels(case_id),
        "annotations": _annotations(metric, rule, tested, runbook),
    }


def _labels(case_id: str) -> dict[str, str]:
    return {"severity": "page", "incident": case_id}


def _annotations(metric: str, rule: AlertRule, tested: Backtest, runbook: str) -> dict[str, str]:
    weekly = "not known" if tested.false_alarms_per_week is None else f"{tested.false_alarms_per_week:.2g}"
    lead = f"{tested.lead_minutes:.0f} min" if tested.lead_minutes is not None else "none"
    return {
        "summary": _literal(f"{metric} is {'above' if rule.op == '>' else 'below'} {exact(rule.threshold)}"),
        "description": f"Back-test on the incident's log: lead over the old alert {lead}, false alarms per week {weekly}.",
        "runbook": _literal(runbook),
    }


def _selector(service: str, metric: str) -> str:
    return f"{GAUGE}{{service={_quoted(service)},metric={_quoted(metric)}}}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _literal(text: str) -> str:
    """Keep Prometheus from expanding what looks like a template in names from the data."""
    return text.replace("{{", "{ {").replace("}}", "} }")


def _test(
    case_id: str, service: str, rule: AlertRule, tested: Backtest, series: MetricSeries, onset: datetime, runbook: str
) -> dict[str, Any]:
    width = timedelta(seconds=series.bucket_seconds)
    fire = next(i for i, t in enumerate(series.times) if t + width == tested.fired_at)
    start = max(0, fire + 1 - MAX_SAMPLES)
    values = series.values[start : fire + 1]
    states = _firing(rule, series)[start : fire + 1]
    healthy = [i for i, t in enumerate(series.times[start : fire + 1]) if t + width <= onset and not states[i]]
    looks = [healthy[int(k)] for k in np.unique(np.linspace(0, len(healthy) - 1, HEALTHY_LOOKS).astype(int))] if healthy else []
    name = alert_name(series.metric)
    alert = {
        "exp_labels": {**_labels(case_id), "service": service, "metric": series.metric},
        "exp_annotations": _annotations(series.metric, rule, tested, runbook),
    }
    at: list[dict[str, Any]] = [{"eval_time": _at(i, series), "alertname": name, "exp_alerts": []} for i in looks]
    at.append({"eval_time": _at(fire - start, series), "alertname": name, "exp_alerts": [alert]})
    return {
        "interval": f"{series.bucket_seconds}s",
        "input_series": [{"series": _selector(service, series.metric), "values": " ".join(_sample(v) for v in values)}],
        "alert_rule_test": at,
    }


def _firing(rule: AlertRule, series: MetricSeries) -> list[bool]:
    need = 1 + int(np.ceil(rule.minutes * 60 / series.bucket_seconds - 1e-9))
    run, out = 0, []
    for v in series.values:
        hit = v is not None and (v > rule.threshold if rule.op == ">" else v < rule.threshold)
        run = run + 1 if hit else 0
        out.append(run >= need)
    return out


def _at(index: int, series: MetricSeries) -> str:
    return f"{index * series.bucket_seconds}s"


def _sample(value: float | None) -> str:
    # a missing sample would be filled from the five minutes before it; a stale one ends the series, as the back-test has it
    return "stale" if value is None else repr(float(value))
