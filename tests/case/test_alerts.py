"""Alerts in the forms that Alertmanager, Grafana, PagerDuty and Datadog document; and what is none."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from rca_kit.case.alerts import MAX_SUMMARY, MAX_TITLE, read_alert
from rca_kit.errors import BadInput

AT = datetime(2026, 3, 1, 5, tzinfo=UTC)
ZERO = "0001-01-01T00:00:00Z"


def alert(name="FraudAUCLow", starts="2026-03-01T05:00:00Z", status="firing", **more):
    return {"status": status, "labels": {"alertname": name, "service": "fraud", "severity": "page"},
            "annotations": {"summary": f"{name}: AUC 0.86 -> 0.78", "runbook_url": "https://example.org"}, "startsAt": starts,
            "endsAt": ZERO, "generatorURL": "http://p/graph", "fingerprint": "8ffd23", **more}


def webhook(*alerts, status="firing", **more):
    return {"version": "4", "groupKey": "{}:{alertname=\"a\"}", "truncatedAlerts": 0, "status": status, "receiver": "r",
            "groupLabels": {}, "commonLabels": {"service": "fraud"}, "commonAnnotations": {}, "externalURL": "http://am",
            "alerts": list(alerts), **more}


PAGERDUTY_V3 = {"event": {
    "id": "01BUBR", "event_type": "incident.triggered", "resource_type": "incident", "occurred_at": "2026-03-01T05:00:09.180Z",
    "agent": {"type": "service_reference"}, "client": None, "data": {
        "id": "PGR0VU2", "type": "incident", "self": "https://api.pagerduty.com/incidents/PGR0VU2", "number": 2, "status":
        "triggered", "incident_key": "d3640fbd", "created_at": "2026-03-01T05:00:00Z", "title": "error rate is high",
        "service": {"id": "PF9", "summary": "fraud", "type": "service_reference"}, "assignees": [], "urgency": "high",
        "priority": None}}}
PAGERDUTY_V2 = {"messages": [{"event": "incident.trigger", "log_entries": [], "created_on": "2026-03-01T05:00:30Z", "incident": {
    "id": "PRORDTY", "incident_number": 33, "created_at": "2026-03-01T05:00:00Z", "status": "triggered",
    "title": "error rate is high", "description": "error rate above 5 %", "service": {"id": "P1", "name": "fraud"}}}]}
PAGERDUTY_V1 = {"messages": [{"type": "incident.trigger", "created_on": "2026-03-01T05:00:30Z", "data": {"incident": {
    "id": "PIJ90", "incident_number": 1, "created_on": "2026-03-01T05:00:00Z", "service": {"name": "fraud"},
    "trigger_summary_data": {"subject": "error rate is high"}}}}]}
PAGERDUTY_NOTE = {"event": {"event_type": "incident.annotated", "occurred_at": "2026-03-01T09:00:00Z", "data": {
    "id": "N1", "type": "incident_note", "content": "looking", "incident": {
        "id": "PGR", "summary": "error rate is high", "created_at": "2026-03-01T05:00:00Z"}}}}
PAGERDUTY_SENT = {"routing_key": "s3cret", "event_action": "trigger", "dedup_key": "k", "payload": {
    "summary": "error rate is high", "timestamp": "2026-03-01T05:00:00.000+0000", "severity": "critical", "source": "prod",
    "component": "fraud", "custom_details": {"free space": "1%"}}}
DATADOG = {"body": "%%%\nerror rate over 0.05\n%%%", "last_updated": "1772341260000", "event_type": "query_alert_monitor",
           "title": "[Triggered on {service:fraud}] error rate is high", "date": "1772341200000",
           "org": {"id": "1", "name": "o"}, "id": "7001"}
GRAFANA_OLD = {"dashboardId": 1, "evalMatches": [{"value": 1, "metric": "p99 latency", "tags": {}}], "message": "slow",
               "orgId": 1, "panelId": 2, "ruleId": 9, "ruleName": "Panel Title alert", "ruleUrl": "http://g", "state": "alerting",
               "tags": {"service": "fraud"}, "title": "[Alerting] Panel Title alert"}


@pytest.fixture
def read(tmp_path):
    def reader(body):
        (tmp_path / "a.json").write_text(body if isinstance(body, str) else json.dumps(body))
        return read_alert(tmp_path / "a.json")

    return reader


def test_alertmanager(read):
    got = read(webhook(alert()))
    assert (got.form, got.title, got.service, got.metric, got.detected_at, got.id) == (
        "alertmanager", "FraudAUCLow", "fraud", "auc", AT, "8ffd23")
    assert got.summary == "FraudAUCLow: AUC 0.86 -> 0.78"


def test_of_several_the_first_that_fires_speaks_and_the_others_are_named(read):
    got = read(webhook(
        alert("Late", "2026-03-01T06:30:00+01:00"), alert("First", "2026-03-01T06:00:00+01:00"), alert("Broken", "soon"),
        alert("Done", "2026-02-01T00:00:00Z", status="resolved"), 7, None))
    assert (got.title, got.detected_at) == ("First", AT)
    assert got.summary.endswith("(also firing: Late, Broken)")


def test_a_resolved_group_still_tells_when_it_began(read):
    got = read(webhook(alert(status="resolved", endsAt="2026-03-01T06:00:00Z"), status="resolved"))
    assert got.detected_at == AT and got.title == "FraudAUCLow"


def test_the_list_of_alertmanagers_api(read):
    active = {"state": "active", "silencedBy": []}
    held = [alert(status=active), alert("Other", "2026-03-01T07:00:00Z", status=active)]
    assert read(held).title == "FraudAUCLow" and read(held[:1]).detected_at == AT


def test_grafana(read):
    body = webhook(alert(dashboardURL="", values={"A": 0.78}, valueString="[ var='A' ]"), orgId=1, title="[FIRING:1]",
                   state="alerting", message="**Firing**")
    assert (read(body).form, read(body).title, read(body).detected_at) == ("grafana", "FraudAUCLow", AT)
    old = read(GRAFANA_OLD)
    assert (old.form, old.title, old.service, old.metric, old.detected_at) == (
        "grafana", "Panel Title alert", "fraud", "latency_p99", None)


@pytest.mark.parametrize("body", [PAGERDUTY_V3, PAGERDUTY_V2, PAGERDUTY_V1, PAGERDUTY_SENT, PAGERDUTY_NOTE,
                                  {"incident": PAGERDUTY_V3["event"]["data"]}],
                         ids=["v3", "v2", "v1", "sent", "note", "api"])
def test_pagerduty(body, read):
    got = read(body)
    assert (got.form, got.title, got.metric, got.detected_at) == ("pagerduty", "error rate is high", "error_rate", AT)
    assert got.service == ("" if body is PAGERDUTY_NOTE else "fraud") and "s3cret" not in str(got)


def test_datadog(read):
    got = read(DATADOG)
    assert (got.form, got.title, got.metric, got.id) == ("datadog", "error rate is high", "error_rate", "7001")
    assert got.detected_at == AT
    assert got.summary == "error rate over 0.05"
    tagged = read({**DATADOG, "tags": ["env:prod", "service:fraud", 3], "date": 1772341200})
    assert (tagged.service, tagged.detected_at) == ("fraud", AT)


def test_missing_fields_are_left_empty(read):
    bare = read({"alerts": [{"labels": {"alertname": "x"}}]})
    assert (bare.title, bare.detected_at, bare.service, bare.summary, bare.metric) == ("x", None, "", "", None)
    assert read(webhook({**alert(), "startsAt": ZERO})).detected_at is None
    assert read({"event": {"data": {"title": "t"}}}).detected_at is None


@pytest.mark.parametrize("body", [
    "", "nonsense", "{}", "[]", "1", "null", '"x"', "[1, 2]", '{"alerts": []}', '{"alerts": 5}', '{"alerts": [{}]}',
    '{"alerts": {}}',
    '{"alerts": [{"startsAt": "never", "labels": {"alertname": "x"}}]}', '{"event": {"event_type": "pagey.ping", "data": {}}}',
    '{"event": 3, "messages": "x"}', '{"messages": [3]}', '{"title": "t", "date": "²"}', '{"title": "t", "date": 1e400}',
    '{"title": "t", "date": true}', '{"title": ["t"], "date": 1772341200}', "[" * 100_000,
])
def test_what_is_no_alert_is_refused_by_name(body, read):
    with pytest.raises(BadInput, match=r"a\.json"):
        read(body)


def test_hostile_texts_stay_one_short_line(read):
    got = read(webhook({**alert(), "labels": {"alertname": "a\x1b[31m\n" + "x" * 10_000, "service": ["s"]},
                        "annotations": {"summary": "</script>\u2028" + "y" * 10_000}}))
    assert len(got.title) == MAX_TITLE and "\x1b" not in got.title and "\n" not in got.title
    assert len(got.summary) <= MAX_SUMMARY and got.summary.startswith("</script> y")
