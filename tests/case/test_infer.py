"""Role inference on services of many kinds, with names as people write them and no role given."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from made_logs import START, Draw, N, opened, sigmoid, times


def test_fraud(tmp_path):
    d = Draw(1)
    fetch, embed = d.ms(10), d.ms(5)
    oc = opened(
        tmp_path,
        {
            "ts": times(),
            "request_id": d.ids(),
            "user_id": d.cat(*[f"u{i}" for i in range(400)]),
            "amount": d.num(50),
            "device_type": d.cat("android", "ios", "web"),
            "country": d.cat("DE", "FR", "NA"),
            "score": d.p,
            "approved": (d.p < 0.5).astype(int),
            "is_fraud": d.y,
            "model_version": d.cat("v2", "v3"),
            "error_type": [None] * (N - 1) + ["timeout"],
            "fetch_ms": fetch,
            "embed_ms": embed,
            "latency_ms": fetch + embed + 3,
        },
    )
    r = oc.roles
    assert (r.time, r.request_id, r.score, r.decision, r.label) == ("ts", "request_id", "score", "approved", "is_fraud")
    assert (r.model_version, r.error, r.latency_ms) == ("model_version", "error_type", "latency_ms")
    assert r.stages == ("fetch_ms", "embed_ms")
    assert r.segments == ("device_type", "country")
    assert r.features == ("amount", "device_type", "country")
    assert r.kpi == {}
    assert oc.task == "binary" and oc.positive["is_fraud"] == 1
    assert "NA" in oc.column("country").values
    assert set(r.inferred) >= {"time", "score", "label", "decision", "segments"}


def test_ads_click_as_label(tmp_path):
    d = Draw(2, base=-2)
    oc = opened(
        tmp_path,
        {
            "Event Time": times(),
            "impressionId": d.ids(),
            "pCTR": d.p,
            "Clicked": d.y,
            "Converted": (d.y * (d.rng.random(N) < 0.2)).astype(int),
            "Campaign Type": d.cat("a", "b"),
            "clicks_7d": d.rng.poisson(3, N),
            "Bid": d.num(),
            "Site.Category": d.cat("news", "sport"),
        },
    )
    r = oc.roles
    assert (r.time, r.request_id, r.score, r.label, r.decision) == ("Event Time", "impressionId", "pCTR", "Clicked", None)
    assert r.kpi == {"Converted": "higher"}
    assert r.features == ("Campaign Type", "clicks_7d", "Bid", "Site.Category")
    assert "Campaign Type" in r.segments and "Site.Category" in r.segments


@pytest.mark.parametrize(("cut_by", "found"), [("score", True), ("truth", False)])
def test_what_is_cut_from_an_estimate_is_the_decision_by_any_name(tmp_path, cut_by, found):
    d = Draw(4)
    load = 5 + 2 * d.rng.normal(size=N)
    truth = load + 0.25 * d.rng.normal(size=N)
    peak = np.where(np.arange(N) < 2 * N // 3, load, load + 1.5) >= 7.5 if cut_by == "score" else truth >= 7.5
    table = {"at": times(), "kwh_forecast": load.round(3), "kwh_actual": truth.round(3), "pointe": peak.astype(int),
             "zone": d.cat("a", "b", "c"), "humid": d.num()}
    roles = opened(tmp_path, table).roles
    assert (roles.score, roles.label) == ("kwh_forecast", "kwh_actual")
    assert roles.decision == ("pointe" if found else None)


def test_eta_regression(tmp_path):
    d = Draw(3)
    minutes = 20 + 5 * d.z
    arrived = [t + timedelta(minutes=float(m)) for t, m in zip(times(), minutes, strict=True)]
    oc = opened(
        tmp_path,
        {
            "created_at": times(),
            "delivered_at": arrived,
            "trip_id": d.ids("t"),
            "eta_min": (minutes + d.rng.normal(size=N) * 2).round(2),
            "delivery_min": minutes.round(2),
            "distance_km": (np.abs(d.z) * 3).round(3),
            "city": d.cat("Köln", "Łódź"),
            "rain": d.cat(True, False),
            "cancelled": d.cat(0, 1, p=[0.97, 0.03]),
        },
    )
    r = oc.roles
    assert (r.time, r.score, r.label, r.label_time) == ("created_at", "eta_min", "delivery_min", "delivered_at")
    assert oc.task == "regression" and r.decision is None
    assert r.kpi == {"cancelled": "lower"}
    assert r.features == ("distance_km", "city", "rain")


def test_churn_with_late_labels(tmp_path):
    d = Draw(4)
    y = [None if i > N * 0.8 else int(v) for i, v in enumerate(d.y)]
    oc = opened(
        tmp_path,
        {
            "scored_at": times(),
            "customer_id": d.ids("c"),
            "churn_risk": d.p,
            "churned": y,
            "tenure_months": d.rng.integers(1, 90, N),
            "plan": d.cat("basic", "pro"),
            "is_new_customer": d.cat(0, 1),
            "monthly_spend_avg": d.num(20),
        },
    )
    r = oc.roles
    assert (r.time, r.score, r.label) == ("scored_at", "churn_risk", "churned")
    assert "missing mostly in the newest rows" in r.inferred["label"]
    assert "is_new_customer" in r.segments and "tenure_months" in r.features


def test_chat_texts(tmp_path):
    d = Draw(5)
    oc = opened(
        tmp_path,
        {
            "timestamp": times(),
            "conversation_id": d.ids("k"),
            "prompt": [f"please tell me about topic number {i} in some detail" for i in range(N)],
            "response": [f"here is what is known about topic {i}: it is complicated" for i in range(N)],
            "toxic": d.cat(0, 1, p=[0.98, 0.02]),
            "language": d.cat("en", "de"),
            "model": d.cat("chat-1", "chat-2"),
            "total_tokens": d.rng.integers(10, 900, N),
            "latency_s": d.ms(2.0),
        },
    )
    r = oc.roles
    assert oc.task == "text"
    assert r.model_version == "model" and "language" in r.segments
    assert not {"prompt", "response"} & set(r.features + r.segments)
    assert oc.column("prompt").kind == "text"


def test_image_classes(tmp_path):
    d = Draw(6)
    truth = d.rng.choice(["cat", "dog", "fox", "owl"], N)
    guess = np.where(d.rng.random(N) < 0.8, truth, d.rng.choice(["cat", "dog", "fox", "owl"], N))
    oc = opened(
        tmp_path,
        {
            "time": times(),
            "image": d.ids("img"),
            "top1": guess,
            "top1_conf": sigmoid(1 + d.z),
            "label": truth,
            "camera_model": d.cat("X1", "X2"),
            "brightness": d.num(),
            "weights": d.cat("net-4", "net-5"),
        },
    )
    r = oc.roles
    assert (r.score, r.decision, r.label, r.model_version) == ("top1_conf", "top1", "label", "weights")
    assert oc.task == "multiclass" and r.request_id == "image"
    assert "camera_model" in r.segments


def test_ranking(tmp_path):
    d = Draw(7)
    oc = opened(
        tmp_path,
        {
            "served_at": times(),
            "query_id": d.ids("q"),
            "relevance_score": d.p,
            "clicked": d.y,
            "position": d.rng.integers(1, 11, N),
            "category": d.cat("shoes", "hats"),
            "price": d.num(9),
        },
    )
    assert oc.task == "ranking"
    assert (oc.roles.score, oc.roles.label) == ("relevance_score", "clicked")


def test_german_names_in_csv(tmp_path):
    d = Draw(8)
    oc = opened(
        tmp_path,
        {
            "Zeitstempel": [t.strftime("%d.%m.%Y %H:%M:%S") for t in times()],
            "Anfrage-ID": d.ids(),
            "Wahrscheinlichkeit": d.p.round(5),
            "Genehmigt": (d.p < 0.4).astype(int),
            "Betrug": d.y,
            "Gerät": d.cat("Handy", "Rechner"),
            "Betrag (EUR)": d.num(30),
            "Modellversion": d.cat("7.1", "7.2"),
            "Fehlertyp": [None] * (N - 2) + ["Zeitüberschreitung"] * 2,
            "Latenz (ms)": d.ms(40),
            "Beschwerde": d.cat(0, 1, p=[0.99, 0.01]),
        },
        name="p.csv",
    )
    r = oc.roles
    assert (r.time, r.score, r.decision, r.label) == ("Zeitstempel", "Wahrscheinlichkeit", "Genehmigt", "Betrug")
    assert (r.model_version, r.error, r.latency_ms) == ("Modellversion", "Fehlertyp", "Latenz (ms)")
    assert r.kpi == {"Beschwerde": "lower"}
    assert r.segments == ("Gerät",) and "Betrag (EUR)" in r.features
    assert any("no offset" in w for w in oc.warnings)


def test_spanish_and_french_names(tmp_path):
    d = Draw(9)
    oc = opened(
        tmp_path,
        {
            "fecha hora": times(),
            "probabilité": d.p,
            "etiqueta": [["no", "sí"][v] for v in d.y],
            "région": d.cat("Île", "Bretagne"),
            "montant": d.num(12),
            "réclamation": d.cat(0, 1, p=[0.98, 0.02]),
        },
    )
    r = oc.roles
    assert (r.time, r.score, r.label, r.kpi) == ("fecha hora", "probabilité", "etiqueta", {"réclamation": "lower"})
    assert oc.positive["etiqueta"] == "sí"


def test_epoch_times_and_unnamed_total(tmp_path):
    d = Draw(10)
    a, b = d.ms(10), d.ms(30)
    oc = opened(
        tmp_path,
        {
            "event_ts": [int(t.timestamp() * 1000) for t in times()],
            "yhat": d.p,
            "y": d.y,
            "retrieve_ms": a,
            "generate_ms": b,
            "serve_ms": a + b + 1,
            "wind_ms": np.abs(d.rng.normal(size=N)).round(2),
            "http_status": d.cat(200, 500, p=[0.99, 0.01]),
        },
    )
    r = oc.roles
    assert oc.time_range[0] == START
    assert (r.time, r.score, r.label, r.error) == ("event_ts", "yhat", "y", "http_status")
    assert (r.latency_ms, r.stages) == ("serve_ms", ("retrieve_ms", "generate_ms"))
