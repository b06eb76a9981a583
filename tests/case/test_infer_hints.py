"""Role inference from what the case itself says: signal, SLOs, change log, roles given in part, and where it must not guess."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from made_logs import Draw, N, opened, times

from rca_kit.errors import BadInput
from rca_kit.sources import open_case


def test_kpi_of_any_name_follows_mistakes(tmp_path):
    d = Draw(11)
    wrong = np.abs(d.y - d.p)
    zorp = (d.rng.random(N) < 0.05 + 0.5 * wrong).astype(int)
    known = (d.z + 2 * d.rng.normal(size=N) > 0).astype(int)
    oc = opened(tmp_path, {"ts": times(), "score": d.p, "label": d.y, "zorp": zorp, "plain_flag": known})
    assert oc.roles.kpi == {"zorp": "lower"}
    assert "plain_flag" in oc.roles.features


def test_a_segment_hit_by_the_incident_is_no_kpi(tmp_path):
    d = Draw(21)
    hit = d.rng.integers(0, 2, N)
    late = np.arange(N) > N * 0.7
    shuffled = np.where((hit == 1) & late, d.rng.permutation(d.p), d.p)
    calm = (np.arange(N) // 500) % 2  # a calendar of some kind, in which the model is worse
    noisy = np.where(calm == 1, np.clip(shuffled + 0.4 * d.rng.normal(size=N), 0, 1), shuffled)
    oc = opened(tmp_path, {"ts": times(), "score": noisy, "label": d.y, "handheld": hit, "calm": calm})
    assert oc.roles.kpi == {}
    assert set(oc.roles.segments) == {"handheld", "calm"}


def test_a_quarter_of_a_city_is_a_segment_and_one_of_a_year_is_not(tmp_path):
    d = Draw(12)
    for name, values, told in (("city", ("Nord", "Hafen", "Île-Neuve"), True), ("year", ("Q1", "Q2", "Q3"), False)):
        (tmp_path / name).mkdir()
        frame = {"ts": times(), "score": d.p, "label": d.y, "quarter": d.cat(*values), "shelf": d.cat("a", "b")}
        oc = opened(tmp_path / name, frame)
        assert ("quarter" in oc.roles.segments) is told


def test_model_version_known_from_the_change_log(tmp_path):
    d = Draw(12)
    (tmp_path / "changes.csv").write_text(
        "id,time,kind,component,description,version_from,version_to\nc1,2026-03-01T10:00:00Z,model_deploy,m,new,aurora,boreal\n"
    )
    frame = {"ts": times(), "score": d.p, "label": d.y, "flavour": d.cat("aurora", "boreal"), "shelf": d.cat("a", "b")}
    pl.DataFrame(frame).write_parquet(tmp_path / "p.parquet")
    (tmp_path / "incident.yaml").write_text(
        "id: T-1\ntitle: t\ndetected_at: 2026-03-02T00:00:00Z\ntables: {predictions: p.parquet, changes: changes.csv}\n"
    )
    oc = open_case(tmp_path)
    assert oc.roles.model_version == "flavour" and oc.roles.segments == ("shelf",)


def test_a_threshold_that_was_moved_still_makes_a_decision(tmp_path):
    d = Draw(31)
    late = np.arange(N) > N * 0.6
    passes = (d.p >= np.where(late, 0.8, 0.4)).astype(int)
    coin = (d.rng.random(N) < np.where(late, 0.2, 0.6)).astype(int)
    oc = opened(tmp_path, {"ts": times(), "score": d.p, "label": d.y, "passes": passes, "coin": coin})
    assert oc.roles.decision == "passes"
    assert "coin" in oc.roles.features


def test_short_sentences_are_no_segment(tmp_path):
    d = Draw(32)
    about, says = ("The offer", "Your order", "This link", "An account"), ("is closed", "stays valid", "has moved")
    said = d.cat(*(f"{a} {b}{end}" for a in about for b in says for end in (".", "!", " …")))
    city = d.cat("New York City", "Rio de Janeiro", "Frankfurt am Main", "Berlin")
    oc = opened(tmp_path, {"ts": times(), "score": d.p, "label": d.y, "uttered": said, "city": city})
    assert "city" in oc.roles.segments and "uttered" not in oc.roles.segments


def test_two_equal_times_are_refused(tmp_path):
    d = Draw(13)
    later = [t + timedelta(seconds=float(s)) for t, s in zip(times(), d.rng.normal(size=N) * 5, strict=True)]
    with pytest.raises(BadInput, match=r"cannot tell which column is the time") as caught:
        opened(tmp_path, {"time_a": times(), "time_b": later, "score": d.p})
    assert "`time_a` and `time_b`" in str(caught.value) and "roles" in str(caught.value)


def test_the_earlier_of_two_times_is_the_request(tmp_path):
    d = Draw(14)
    later = [t + timedelta(seconds=3) for t in times()]
    oc = opened(tmp_path, {"stamp_b ts": later, "stamp_a ts": times(), "score": d.p})
    assert oc.roles.time == "stamp_a ts" and "earliest" in oc.roles.inferred["time"]


def test_two_equal_labels_are_said(tmp_path):
    d = Draw(15)
    again = np.where(d.rng.random(N) < 0.5, d.y, (d.rng.random(N) < d.p).astype(int))
    oc = opened(tmp_path, {"ts": times(), "score": d.p, "label_a": d.y, "label_b": again})
    assert any("label_a" in w and "label_b" in w and "roles.label" in w for w in oc.warnings)


def test_given_roles_stay_and_null_declines(tmp_path):
    d = Draw(16)
    oc = opened(
        tmp_path,
        {"ts": times(), "score": d.p, "margin": d.num(), "label": d.y, "country": d.cat("a", "b")},
        "roles: {score: margin, label: null, segments: []}",
    )
    assert oc.roles.score == "margin" and oc.roles.label is None and oc.roles.segments == ()
    assert "score" not in oc.roles.inferred and "label" not in oc.roles.inferred


def test_given_kpi_as_list_means_higher(tmp_path):
    d = Draw(17)
    oc = opened(tmp_path, {"ts": times(), "score": d.p, "booked": d.y}, "roles: {kpi: [booked]}")
    assert oc.roles.kpi == {"booked": "higher"}


def test_what_looks_like_an_outcome_beside_those_given_is_no_input(tmp_path):
    d = Draw(41)
    frame = {"ts": times(), "score": d.p, "label": d.y, "resolved": d.y, "escalated": d.rng.integers(0, 2, N),
             "plain_flag": d.rng.integers(0, 2, N)}
    oc = opened(tmp_path, frame, "roles: {kpi: {resolved: higher}}")
    assert oc.roles.kpi == {"resolved": "higher"}
    assert "escalated" not in (*oc.roles.features, *oc.roles.segments)
    assert "plain_flag" in oc.roles.features and "plain_flag" in oc.roles.segments
    assert "escalated" in oc.roles.inferred["features"]
    (tmp_path / "watched").mkdir()
    watched = opened(tmp_path / "watched", frame, "roles: {kpi: {resolved: higher}}\nsignal: {metric: 'psi:escalated'}")
    assert "escalated" in watched.roles.features, "somebody watches what the model is fed"


def test_kpi_named_by_the_signal_and_direction_by_slo(tmp_path):
    d = Draw(18)
    oc = opened(
        tmp_path,
        {"ts": times(), "score": d.p, "label": d.y, "zap": d.cat(0, 1)},
        "signal: {metric: 'kpi:zap'}\nslos: {'kpi:zap': {max: 0.6}}",
    )
    assert oc.roles.kpi == {"zap": "lower"}


def test_aggregates_of_the_past_are_inputs(tmp_path):
    d = Draw(19)
    oc = opened(
        tmp_path,
        {
            "ts": times(),
            "score": d.p,
            "label": d.y,
            "avg_score_30d": d.p,
            "fraud_rate_7d": d.p[::-1].copy(),
            "prev_label": d.cat(0, 1),
            "hour_of_day": [t.hour for t in times()],
            "weekday": d.rng.integers(0, 7, N),
            "server": d.cat("s1", "s2"),
        },
    )
    r = oc.roles
    assert (r.score, r.label) == ("score", "label")
    assert {"avg_score_30d", "fraud_rate_7d", "prev_label", "hour_of_day"} <= set(r.features)
    assert "hour_of_day" not in r.segments and "weekday" not in r.segments
    assert "server" in r.segments and "server" not in r.features


def test_no_time_names_what_is_there(tmp_path):
    with pytest.raises(BadInput, match="no column holds times") as caught:
        opened(tmp_path, {"a": list(range(N)), "score": np.linspace(0, 1, N)})
    assert "roles.time" in str(caught.value)


def test_a_truth_is_missing_where_its_time_is_and_a_cut_of_the_score_is_no_truth(tmp_path):
    d = Draw(31)
    when = np.array([t + timedelta(hours=6) for t in times()], dtype=object)
    known = d.rng.random(N) < 0.9
    gone = d.rng.random(N) < 0.01  # no answer at all
    oc = opened(tmp_path, {
        "createdAt": times(), "riskScore": np.where(gone, np.nan, d.p),
        "outcome": [None if g else ("refer" if p > 0.5 else "pass") for p, g in zip(d.p, gone, strict=True)],
        "underwriterRejected": [int(y) if k else None for y, k in zip(d.y, known, strict=True)],
        "reviewedAt": [t if k else None for t, k in zip(when, known, strict=True)],
    })
    assert (oc.roles.label, oc.roles.decision, oc.roles.label_time) == ("underwriterRejected", "outcome", "reviewedAt")


def test_what_was_forecast_echoes_what_was_measured(tmp_path):
    d = Draw(32)
    demand = d.rng.lognormal(4, 0.4, N)
    oc = opened(tmp_path, {
        "ts": times(), "wasser wirklich (L)": demand.round(1),
        "wasser gesehen (L)": (demand * d.rng.lognormal(0, 0.2, N)).round(1),
        "wind": d.rng.normal(size=N), "stress": (demand > 90).astype(int),
    })
    assert oc.roles.score == "wasser gesehen (L)" and oc.roles.label == "wasser wirklich (L)" and oc.roles.decision is None


def test_prefixes_say_what_a_column_is(tmp_path):
    d = Draw(33)
    oc = opened(tmp_path, {
        "ts": times(), "score": d.p, "label": d.y, "feat.score_7d": d.rng.random(N), "kpi.blorp": d.rng.integers(0, 2, N),
        "kpi.wasted_l": d.rng.lognormal(0, 1, N).round(2),
    })
    assert oc.roles.kpi == {"kpi.wasted_l": "lower", "kpi.blorp": "higher"}
    assert oc.roles.features == ("feat.score_7d",)


def test_a_yes_or_no_that_is_missing_with_the_answer_is_no_input(tmp_path):
    d = Draw(34)
    gone = d.rng.random(N) < 0.02
    blank = lambda x: [None if g else float(v) for v, g in zip(x, gone, strict=True)]  # noqa: E731
    oc = opened(tmp_path, {
        "ts": times(), "score": blank(d.p), "label": d.y, "zorp": blank(d.rng.integers(0, 2, N)), "x": d.z})
    assert "zorp" not in oc.roles.features and {"x"} <= set(oc.roles.features)


def test_an_id_that_passes_by_is_no_input_and_what_recurs_is_one(tmp_path):
    d = Draw(35)
    slowly = np.repeat(d.rng.normal(15, 5, N // 30).round(2), 30)  # weather, the same for half an hour
    oc = opened(tmp_path, {
        "ts": times(), "score": d.p, "label": d.y, "feed_search": [f"fr{i // 6:05d}" for i in range(N)],
        "street": [f"s{i}" for i in d.rng.integers(0, 400, N)], "temperature": slowly, "x": d.z})
    assert "feed_search" not in oc.roles.features
    assert {"street", "temperature", "x"} <= set(oc.roles.features)


def test_taps_are_the_label_and_the_score_that_ranks_them_the_score(tmp_path):
    d = Draw(36)
    oc = opened(tmp_path, {
        "ts": times(), "photo_score": d.rng.random(N), "relevance": d.p, "tapped": d.y,
        "dismissed": d.rng.integers(0, 2, N), "x": d.z})
    assert (oc.roles.score, oc.roles.label) == ("relevance", "tapped")
    assert oc.roles.kpi == {"dismissed": "lower"}


def test_what_is_said_just_where_there_is_no_answer_is_the_error(tmp_path):
    d = Draw(31)
    failed = d.rng.random(N) < 0.03
    word = [str(d.rng.choice(["QX 7", "BILD FEHLT"])) if f else None for f in failed]
    rare = [("gift" if x < 0.03 else None) for x in d.rng.random(N)]  # mostly empty too, and has nothing to do with it
    oc = opened(tmp_path, {"ts": times(), "score": np.where(failed, np.nan, d.p), "label": d.y, "Abbruch": word, "extra": rare})
    assert oc.roles.error == "Abbruch"
    assert not {"Abbruch"} & {*oc.roles.segments, *oc.roles.features}
    assert "just where `score` is missing" in oc.roles.inferred["error"]


def test_what_comes_later_in_the_words_of_the_decision_is_the_label(tmp_path):
    rng = np.random.default_rng(5)
    classes = np.array(["letter", "form", "receipt"])
    truth, sure = rng.integers(0, 3, N), rng.uniform(0.3, 1.0, N)
    said = np.where(rng.random(N) < sure, truth, rng.integers(0, 3, N))
    late = np.arange(N) > 0.8 * N
    typed = [None if x else str(c) for x, c in zip(late, classes[truth], strict=True)]
    flag = (rng.random(N) < 0.2 + 0.3 * (sure < 0.6)).astype(int)
    oc = opened(tmp_path, {"ts": times(), "topProb": sure, "langProb": rng.random(N), "predictedType": classes[said],
                           "clerkType": typed, "rework": flag, "vendorModel": rng.choice(["Fj-71", "Kd-10"], N),
                           "netTag": "n-4.2"})
    assert (oc.roles.label, oc.roles.decision, oc.roles.score) == ("clerkType", "predictedType", "topProb")
    assert oc.roles.model_version == "netTag"


def test_what_speaks_in_the_words_of_a_given_label_is_the_decision(tmp_path):
    rng = np.random.default_rng(6)
    teams = np.array(["billing", "login", "returns", "sales"])
    truth, sure = rng.integers(0, 4, N), rng.uniform(0.3, 1.0, N)
    said = np.where(rng.random(N) < sure, truth, rng.integers(0, 4, N))
    oc = opened(tmp_path, {"ts": times(), "conf": sure, "queue": teams[said], "final_queue": teams[truth],
                           "lang": rng.choice(["de", "fr", "it"], N), "age": rng.normal(size=N)},
                "roles: {score: conf, label: final_queue}\n")
    assert oc.roles.decision == "queue"
    assert "queue" not in (*oc.roles.segments, *oc.roles.features)


def test_durations_named_after_the_whole_are_its_stages(tmp_path):
    d = Draw(41)
    parts = {f"rt_{k}": d.rng.gamma(4, scale, N) for k, scale in (("c", 3.0), ("n", 6.0))}
    rest = d.rng.gamma(4, 6.0, N)  # a good part of the whole is in no column
    oc = opened(tmp_path, {"ts": times(), "score": d.p, "label": d.y, "rt": sum(parts.values()) + rest, **parts,
                           "rt_offer": (d.rng.random(N) < 0.2).astype(int)})
    assert oc.roles.latency_ms == "rt"
    assert oc.roles.stages == ("rt_c", "rt_n")


def test_a_duration_whose_drift_somebody_was_alerted_of_is_an_input(tmp_path):
    d = Draw(42)
    model, queue = d.rng.gamma(4, 6.0, N), d.rng.gamma(2, 3.0, N)
    table = {"ts": times(), "score": d.p, "label": d.y, "model_ms": model, "queue_ms": queue, "pause_ms": d.rng.gamma(2, 4.0, N),
             "total_ms": model + queue + 40.0, "typing_ms": d.rng.gamma(2, 6.0, N)}
    oc = opened(tmp_path, table, "signal: {metric: 'psi:pause_ms'}\n")
    assert oc.roles.latency_ms == "total_ms"
    assert {"pause_ms", "typing_ms"} <= set(oc.roles.features)  # what a person does is no part of the answer either
    assert not {"pause_ms", "typing_ms"} & set(oc.roles.stages)


@pytest.mark.parametrize(("metric", "fed"), [("psi:avatar_id", True), ("null_rate:avatar_id", True), ("auc", False)])
def test_whose_drift_is_watched_is_an_input_whatever_it_looks_like(tmp_path, metric, fed):
    d = Draw(33)
    table = {"ts": times(), "score": d.p, "label": d.y, "avatar_id": d.rng.integers(0, 70, N), "x": d.z}
    oc = opened(tmp_path, table, f"signal: {{metric: '{metric}'}}\n")
    assert ("avatar_id" in oc.roles.features) is fed
