"""Alerts as monitoring systems send them by webhook: Alertmanager, Grafana, PagerDuty, Datadog."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from rca_kit.case.metrics import PLAIN_METRICS, metric_problem
from rca_kit.case.times import parse_time
from rca_kit.errors import BadInput

MAX_ALERT_BYTES = 5_000_000
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
    detected_at: datetime
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
    body = body[0] if isinstance(body, list) and len(body) == 1 else body
    if isinstance(body, Mapping):
        for reader in (_pagerduty, _alertmanager, _datadog):
            alert = reader(body, path.name)
            if alert is not None:
                return alert
        keys = ", ".join(list(map(str, body))[:12])
    else:
        keys = type(body).__name__
    raise BadInput("is no alert of a known form", file=path.name, found=keys or "an empty object",
                   expected="a webhook body of Alertmanager, Grafana, PagerDuty or Datadog")


def _alertmanager(body: Mapping[str, Any], file: str) -> Alert | None:
    """Alertmanager's webhook, and Grafana's, which is built on it."""
    alerts = [a for a in body.get("alerts") or () if isinstance(a, Mapping)]
    if not alerts:
        return None
    firing = [a for a in alerts if a.get("status", "firing") == "firing"] or alerts
    first = min(firing, key=lambda a: str(a.get("startsAt") or "9"))
    labels = {**_dict(body.get("commonLabels")), **_dict(first.get("labels"))}
    notes = {**_dict(body.get("commonAnnotations")), **_dict(first.get("annotations"))}
    title = str(notes.get("title") or labels.get("alertname") or body.get("title") or "Alert")
    summary = str(notes.get("summary") or notes.get("description") or notes.get("message") or body.get("message") or "")
    grafana = "orgId" in body or "dashboardURL" in first or "panelURL" in first
    return Alert(
        "grafana" if grafana else "alertmanager", title, _when(first.get("startsAt"), file, "startsAt"),
        id=str(first.get("fingerprint") or ""), service=_first(labels, "service", "job", "app", "application"), summary=summary,
        metric=_metric(labels.get("metric"), f"{title} {summary} {notes.get('description', '')}"),
    )


def _pagerduty(body: Mapping[str, Any], file: str) -> Alert | None:
    event = _dict(body.get("event"))
    data = _dict(event.get("data"))
    messages = body.get("messages")
    if not data and isinstance(messages, list) and messages:
        data = _dict(_dict(messages[0]).get("incident"))
        event = _dict(messages[0])
    if not data or not (data.get("title") or data.get("summary")):
        return None
    service = _dict(data.get("service"))
    title = str(data.get("title") or data.get("summary"))
    summary = str(_dict(data.get("body")).get("details") or data.get("description") or title)
    when = data.get("created_at") or event.get("occurred_at") or event.get("created_on")
    return Alert(
        "pagerduty", title, _when(when, file, "created_at"), id=_first(data, "number", "incident_number", "id"),
        service=_first(service, "summary", "name"), summary=summary, metric=_metric(None, f"{title} {summary}"),
    )


def _datadog(body: Mapping[str, Any], file: str) -> Alert | None:
    title = _first(body, "alert_title", "event_title", "title")
    when = next((body[k] for k in _DATADOG_TIMES if body.get(k)), None)
    if not title or when is None:
        return None
    tags = body.get("tags") or body.get("alert_scope") or ""
    listed = tags if isinstance(tags, list) else str(tags).split(",")
    pairs = dict(t.strip().split(":", 1) for t in map(str, listed) if ":" in t)
    number = str(when)
    return Alert(
        "datadog", re.sub(r"^\[[^\]]*\]\s*", "", title), _when(int(number) if number.isdigit() else when, file, "date"),
        id=_first(body, "alert_id", "id", "event_id"), service=pairs.get("service", ""),
        summary=_first(body, "body", "event_msg", "text", "alert_status")[:500],
        metric=_metric(body.get("alert_metric"), f"{title} {_first(body, 'body', 'event_msg')}"),
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


def _when(value: Any, file: str, key: str) -> datetime:
    return parse_time(value, file=file, column=key)[0]


def _dict(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


def _first(body: Mapping[str, Any], *keys: str) -> str:
    return next((str(body[k]) for k in keys if body.get(k)), "")
