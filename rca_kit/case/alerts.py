"""Alerts as monitoring systems send them by webhook: Alertmanager, Grafana, PagerDuty, Datadog."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from rca_kit.case.metrics import PLAIN_METRICS, metric_problem
from rca_kit.case.times import parse_time
from rca_kit.errors import BadInput

MAX_ALERT_BYTES = 5_000_000
MAX_TITLE, MAX_SUMMARY = 200, 600  # characters: what a person reads in a heading, and below it
MAX_OTHERS = 5  # names of alerts that fire beside the first
_DATADOG_TIMES = ("date", "last_updated", "alert_transition_time", "timestamp", "event_date")
_SPOKEN = (  # how people write metrics in the name of an alert; the first that fits wins
    (r"\bp?99(th)?\b.*\blatency|\blatency.*\bp?99", "latency_p99"),
    (r"\bp?50(th)?\b.*\blatency|\blatency.*\b(p50|median)", "latency_p50"),
    (r"\blatency|\bslow\b|response time", "latency_p95"),
    (r"error rate|\berrors\b|\b5xx\b", "error_rate"),
    (r"\bauc\b|roc", "auc"),
    (r"average precision|\bprauc\b|pr auc", "average_precision"),
    (r"log ?loss", "log_loss"),
    (r"calibration|\bece\b", "calibration_error"),
    (r"\baccuracy\b", "accuracy"),
    (r"\bprecision\b", "precision"),
    (r"\brecall\b", "recall"),
    (r"\bf1\b", "f1"),
    (r"\brmse\b", "rmse"),
    (r"\bmae\b|absolute error", "mae"),
    (r"\bbias\b", "bias"),
    (r"approval rate|positive rate|alert rate|block rate", "positive_rate"),
    (r"\btraffic\b|\bvolume\b|\brequests?\b.*(drop|fall|low)", "volume"),
    (r"\bscore", "score_mean"),
)


@dataclass(frozen=True)
class Alert:
    """What an alert tells of an incident; empty where it does not say."""

    form: str
    title: str
    detected_at: datetime | None = None
    id: str = ""
    service: str = ""
    summary: str = ""
    metric: str | None = None


def read_alert(path: Path) -> Alert:
    """Read an alert's webhook JSON.

    Raises
    ------
    BadInput
        When it is no JSON, or none of the known forms.

    Examples
    --------
    >>> import tempfile
    >>> body = {"alerts": [{"labels": {"alertname": "FraudAucLow"}, "startsAt": "2026-03-02T14:35:00Z"}]}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "alert.json"
    ...     _ = path.write_text(json.dumps(body))
    ...     alert = read_alert(path)
    >>> alert.title, alert.metric
    ('FraudAucLow', 'auc')
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise BadInput("there is no such file", file=str(path)) from None
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror}", file=str(path)) from None
    if len(raw) > MAX_ALERT_BYTES:
        raise BadInput("is too large for an alert", file=path.name, found=f"{len(raw):,} bytes")
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"is not JSON: {error}", file=path.name) from None
    if isinstance(body, list) and body and all(isinstance(a, Mapping) for a in body):
        # Alertmanager's own list of alerts (GET /api/v2/alerts), or a single webhook body that was logged as a list
        body = {"alerts": body} if all("labels" in a for a in body) else body[0] if len(body) == 1 else body
    if isinstance(body, Mapping):
        for reader in (_pagerduty, _alertmanager, _grafana_legacy, _datadog):
            alert = reader(body, path.name)
            if alert is not None:
                return replace(alert, title=_line(alert.title, MAX_TITLE), summary=_line(alert.summary, MAX_SUMMARY),
                               service=_line(alert.service, MAX_TITLE))
        keys = ", ".join(list(map(str, body))[:12])
    else:
        keys = type(body).__name__
    raise BadInput("is no alert of a known form", file=path.name, found=keys[:300] or "an empty object",
                   expected="a webhook body of Alertmanager, Grafana, PagerDuty or Datadog")


def _alertmanager(body: Mapping[str, Any], file: str) -> Alert | None:
    """Alertmanager's webhook (version 4), the list of its API, and Grafana's webhook, which is built on it."""
    listed = body.get("alerts")
    alerts = [a for a in listed if isinstance(a, Mapping)] if isinstance(listed, list) else []
    if not alerts:
        return None
    firing = [a for a in alerts if _state(a) != "resolved"] or alerts
    times = [(when, a) for a in firing if (when := _when(a.get("startsAt"), file, "startsAt", alone=len(firing) == 1))]
    detected, first = min(times, key=lambda x: x[0]) if times else (None, firing[0])
    labels = {**_dict(body.get("commonLabels")), **_dict(first.get("labels"))}
    notes = {**_dict(body.get("commonAnnotations")), **_dict(first.get("annotations"))}
    title = notes.get("title") or labels.get("alertname") or body.get("title")
    if not title and detected is None:
        return None
    summary = str(notes.get("summary") or notes.get("description") or notes.get("message") or body.get("message") or "")
    others = list(dict.fromkeys(n for a in firing if (n := str(_dict(a.get("labels")).get("alertname") or "")) and n != title))
    grafana = "orgId" in body or "dashboardURL" in first or "panelURL" in first
    more = f" (also firing: {', '.join(others[:MAX_OTHERS])}{' ...' if len(others) > MAX_OTHERS else ''})" if others else ""
    return Alert(
        "grafana" if grafana else "alertmanager", str(title or "Alert"), detected,
        id=str(first.get("fingerprint") or ""), service=_first(labels, "service", "job", "app", "application"),
        summary=_line(summary, MAX_SUMMARY - len(more)) + more,
        metric=_metric(labels.get("metric"), f"{title or ''} {summary} {notes.get('description', '')}"),
    )


def _state(alert: Mapping[str, Any]) -> str:
    """Give the state: a word in webhooks, an object in Alertmanager's API."""
    status = alert.get("status")
    return str(status.get("state") if isinstance(status, Mapping) else status or "firing")


def _grafana_legacy(body: Mapping[str, Any], file: str) -> Alert | None:
    """Grafana's alerting up to version 8: one rule, and no time in it."""
    del file
    if not body.get("ruleName") or not ({"evalMatches", "ruleId", "state"} & set(body)):
        return None
    matches = body.get("evalMatches")
    named = [str(_dict(m).get("metric") or "") for m in matches] if isinstance(matches, list) else []
    summary = str(body.get("message") or "")
    return Alert("grafana", str(body["ruleName"]), None, id=_first(body, "ruleId"),
                 service=_first(_dict(body.get("tags")), "service", "job", "app"), summary=summary,
                 metric=_metric(None, f"{body['ruleName']} {summary} {' '.join(named)}"))


def _pagerduty(body: Mapping[str, Any], file: str) -> Alert | None:
    """PagerDuty's webhooks (version 3, 2 and 1), its API's incident, and the event that is sent to it."""
    payload = _dict(body.get("payload"))
    if payload.get("summary") and ("event_action" in body or "routing_key" in body):
        custom = _dict(payload.get("custom_details"))
        return Alert("pagerduty", str(payload["summary"]), _when(payload.get("timestamp"), file, "timestamp"),
                     id=_first(body, "dedup_key"), service=_first(payload, "component", "source", "group"),
                     summary=str(payload["summary"]), metric=_metric(custom.get("metric"), f"{payload['summary']} {custom}"))
    event = _dict(body.get("event"))
    data = _dict(event.get("data")) or _dict(body.get("incident"))
    messages = body.get("messages")
    if not data and isinstance(messages, list) and messages:
        event = _dict(messages[0])
        data = _dict(event.get("incident")) or _dict(_dict(event.get("data")).get("incident"))
    if "title" not in data and _dict(data.get("incident")):  # a note or a responder: the incident stands inside
        data = {**_dict(data["incident"]), "created_at": _dict(data["incident"]).get("created_at")}
    title = data.get("title") or data.get("summary") or _dict(data.get("trigger_summary_data")).get("subject")
    if not title:
        return None
    service = _dict(data.get("service"))
    details = _dict(data.get("body")).get("details")
    summary = str(details if isinstance(details, str) else data.get("description") or title)
    value, key = next(((v, k) for v, k in ((data.get("created_at"), "created_at"), (data.get("created_on"), "created_on"),
                      (event.get("occurred_at"), "occurred_at"), (event.get("created_on"), "created_on")) if v), (None, ""))
    return Alert(
        "pagerduty", str(title), _when(value, file, key), id=_first(data, "number", "incident_number", "id"),
        service=_first(service, "summary", "name"), summary=summary, metric=_metric(None, f"{title} {summary}"),
    )


def _datadog(body: Mapping[str, Any], file: str) -> Alert | None:
    """Datadog's webhook: the default payload, and the names that teams commonly give its variables."""
    title = _first(body, "alert_title", "event_title", "title")
    when, key = next(((body[k], k) for k in _DATADOG_TIMES if body.get(k)), (None, ""))
    if not title or when is None:
        return None
    tags = body.get("tags") or body.get("alert_scope") or ""
    listed = tags if isinstance(tags, list) else str(tags).split(",")
    pairs = dict(t.strip().split(":", 1) for t in map(str, listed) if ":" in t)
    text = _first(body, "body", "event_msg", "text", "text_only_msg", "alert_status").replace("%%%", " ")
    return Alert(
        "datadog", re.sub(r"^\[[^\]]*\]\s*", "", title) or title, _when(when, file, key),
        id=_first(body, "alert_id", "id", "event_id"), service=pairs.get("service", ""), summary=text,
        metric=_metric(body.get("alert_metric"), f"{title} {text}"),
    )


def guess_metric(text: str) -> str | None:
    """Guess which of the format's metrics a text speaks of.

    Examples
    --------
    >>> guess_metric("p99 latency above 800 ms"), guess_metric("disk full")
    ('latency_p99', None)
    """
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text).replace("_", " ").lower()
    named = next((m for m in PLAIN_METRICS if re.search(rf"\b{m.replace('_', ' ')}\b", spaced)), None)
    return named or next((metric for pattern, metric in _SPOKEN if re.search(pattern, spaced)), None)


def _metric(named: Any, text: str) -> str | None:
    if isinstance(named, str) and named and metric_problem(named) is None:
        return named
    return guess_metric(f"{named or ''} {text}")


def _when(value: Any, file: str, key: str, *, alone: bool = True) -> datetime | None:
    """Read a time; None where there is none, or where it cannot be read and other alerts may tell."""
    if value in (None, "") or str(value).startswith("0001-01-01"):  # Go's zero time
        return None
    try:
        return parse_time(value, file=file, column=key)[0]
    except BadInput:
        if alone:
            raise
        return None


def _line(text: str, limit: int) -> str:
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _dict(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


def _first(body: Mapping[str, Any], *keys: str) -> str:
    return next((str(body[k]) for k in keys if body.get(k) and isinstance(body[k], (str, int, float))), "")
