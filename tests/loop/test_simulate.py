from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from rca_kit.findings.scope import Segment
from rca_kit.loop.s6_simulate.simulate import simulate
from rca_kit.loop.s6_simulate.thresholds import recalibrated, sweep_thresholds
from rca_kit.loop.s6_simulate.transplant import from_store, transplant
from rca_kit.loop.s6_simulate.whatif import best_threshold, rows_of

DEVICE_EFFECT = {"ios": 1.0, "android": -1.0, "web": 0.0}


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def model(frame):
    device = np.asarray([DEVICE_EFFECT.get(d, -3.0) for d in frame["device"].to_list()])
    amount = np.nan_to_num(np.asarray(frame["amount"].to_list(), dtype=float), nan=0.0)
    return sigmoid(2 * device + 1.5 * (amount - 1) - 1)


def window(seed, n=6000):
    """Healthy rows: the label follows the model's own formula."""
    rng = np.random.default_rng(seed)
    f = pl.DataFrame({"request_id": [f"{seed}-{i}" for i in range(n)], "device": rng.choice(list(DEVICE_EFFECT), n),
                      "country": rng.choice(["DE", "FR"], n), "amount": rng.gamma(2, 0.5, n), "noise": rng.normal(size=n)})
    return f.with_columns(label=pl.Series((rng.random(n) < model(f)).astype(int)))


def scored(frame, threshold=0.5):
    p = model(frame)
    return frame.with_columns(score=pl.Series(p), decision=pl.Series((p >= threshold).astype(int)))


ROLES = {"score": "score", "decision": "decision", "label": "label", "features": ["device", "amount", "noise"],
         "segments": ["country", "device"], "id": "request_id"}
FAULTS = {
    "nulls": ("device", pl.when((pl.int_range(pl.len()) % 3 == 0) & (pl.col("country") == "DE")).then(None).otherwise("device")),
    "unit": ("amount", pl.when(pl.col("country") == "DE").then(pl.col("amount") * 10).otherwise("amount")),
    "constant": ("amount", pl.when(pl.col("country") == "DE").then(4.0).otherwise("amount")),
    "renamed": ("device", pl.when(pl.col("country") == "DE").then(pl.col("device").str.to_uppercase()).otherwise("device")),
}


def trial(simulation, kind, subject):
    return next((t for t in simulation.trials if (t.kind, t.subject) == (kind, subject) and t.verdict != "shapley"), None)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("with_model", [True, False])
def test_a_faulty_feature_is_repaired_and_injected(fault, with_model):
    column, broken = FAULTS[fault]
    before, after = scored(window(0)), scored(window(1).with_columns(broken.alias(column)))
    got = simulate(before, after, metric="log_loss", suspects=["feature:noise", f"feature:{column}"],
                   affected=(Segment({"country": "DE"}),), model=model if with_model else None, **ROLES)
    fixed, innocent = trial(got, "repair", f"feature:{column}"), trial(got, "repair", "feature:noise")
    assert 0.6 < fixed.restored < 1.5
    assert abs(innocent.restored) < 0.05
    if with_model:
        appears = trial(got, "inject", f"feature:{column}")
        assert 0.5 < appears.restored < 1.6
        assert got.confirmed
    else:
        assert not got.confirmed  # a fitted copy cannot confirm
        assert "surrogate" in fixed.says
        assert any("models: current" in n for n in got.needs)


def test_what_repairs_one_segment_of_two_is_not_confirmed():
    """Amounts are broken in one country, devices in the other: neither repair alone removes the symptom in both."""
    fault = window(1).with_columns(FAULTS["unit"][1].alias("amount")).with_columns(
        pl.when((pl.int_range(pl.len()) % 2 == 0) & (pl.col("country") == "FR")).then(None).otherwise("device").alias("device"))
    both = (Segment({"country": "DE"}), Segment({"country": "FR"}))
    for column in ("amount", "device"):
        got = simulate(scored(window(0)), scored(fault), metric="log_loss", suspects=[f"feature:{column}"], affected=both,
                       model=model, **ROLES)
        assert trial(got, "repair", f"feature:{column}").restored > 0.1
        assert not got.confirmed


def test_an_offline_store_repairs_row_by_row():
    healthy = window(1)
    after = scored(healthy.with_columns(device=pl.lit("web")))
    got = simulate(scored(window(0)), after, metric="auc", suspects=["feature:device"], model=model, healthy=healthy, **ROLES)
    assert trial(got, "repair", "feature:device").restored == pytest.approx(1.0, abs=0.15)


def test_innocent_features_restore_nothing_when_the_model_is_at_fault():
    before = scored(window(0))
    bad = window(1)
    rng = np.random.default_rng(0)

    def new(frame):
        return sigmoid(rng.normal(size=frame.height))

    after = bad.with_columns(score=pl.Series(new(bad)), decision=pl.Series(rng.integers(0, 2, bad.height)))
    got = simulate(before, after, metric="auc", suspects=["feature:device", "feature:amount"], model=new, previous=model, **ROLES)
    assert not got.confirmed
    assert trial(got, "replay", "model:previous").restored == pytest.approx(1.0, abs=0.2)
    assert all(t.verdict in ("nothing", "shapley") for t in got.trials if t.kind == "repair")


def test_the_serving_path_is_told_from_the_model():
    after = window(1)
    served = after.with_columns(amount=pl.col("amount") * 10)  # the log holds raw amounts, the service read other ones
    after = after.with_columns(score=pl.Series(model(served)), decision=pl.lit(1))
    got = simulate(scored(window(0)), after, metric="log_loss", suspects=[], model=model, **ROLES)
    assert trial(got, "replay", "stage:score").verdict == "different"
    assert trial(simulate(scored(window(0)), scored(window(1)), metric="log_loss", model=model, **ROLES), "replay",
                 "stage:score").verdict == "same"


def test_two_faults_share_the_change():
    both = window(1).with_columns(FAULTS["nulls"][1].alias("device"), FAULTS["unit"][1].alias("amount"))
    got = simulate(scored(window(0)), scored(both), metric="log_loss", suspects=["feature:device", "feature:amount"],
                   affected=(Segment({"country": "DE"}),), model=model, **ROLES)
    shares = [t.restored for t in got.trials if t.verdict == "shapley"]
    assert len(shares) == 2
    assert sum(shares) == pytest.approx(1.0, abs=0.25)


def test_a_threshold_that_moved_is_put_back():
    got = simulate(scored(window(0)), scored(window(1), threshold=0.8), metric="recall", **ROLES)
    assert trial(got, "threshold", "threshold").restored == pytest.approx(1.0, abs=0.15)
    only = scored(window(1))
    moved = only.with_columns(decision=pl.when(pl.col("country") == "DE").then((pl.col("score") >= 0.8).cast(pl.Int64))
                              .otherwise("decision"))
    got = simulate(scored(window(0)), moved, metric="recall", affected=(Segment({"country": "DE"}),), **ROLES)
    assert trial(got, "threshold", "threshold").restored == pytest.approx(1.0, abs=0.2)
    assert "country = DE" in trial(got, "threshold", "threshold").says


def test_recalibration_returns_what_calibration_lost():
    after = scored(window(1)).with_columns(score=(pl.col("score") * 0.5))
    got = simulate(scored(window(0)), after, metric="log_loss", **ROLES)
    for kind in ("isotonic", "platt"):
        assert trial(got, "calibration", kind).restored > 0.8


def test_recalibrated_scores_have_not_seen_their_own_label():
    rng = np.random.default_rng(0)
    score, label = rng.random(4000), (rng.random(4000) < 0.5).astype(float)  # nothing to learn
    for kind in ("isotonic", "platt"):
        out = recalibrated(score, label, kind)
        assert abs(np.corrcoef(out, label)[0, 1]) < 0.06


def test_a_mix_shift_is_reweighted():
    def mixed(seed, share):
        f = window(seed, 8000)
        keep = (f["device"] != "ios") | pl.Series(np.random.default_rng(seed).random(8000) < share)
        return scored(f.filter(keep))

    got = simulate(mixed(0, 1.0), mixed(1, 0.1), metric="score_mean", suspects=["population"], **ROLES)
    best = next(t for t in got.trials if t.kind == "reweighting")
    assert best.subject == "feature:device"
    assert best.restored == pytest.approx(1.0, abs=0.2)


def test_what_cannot_be_simulated_is_said():
    got = simulate(scored(window(0)), scored(window(1)), metric="latency_p95", **ROLES)
    assert not got.trials
    assert any("latency_p95" in n for n in got.needs)
    got = simulate(scored(window(0)), scored(window(1)), metric="auc", suspects=["feature:device"], **ROLES)
    assert not got.confirmed
    assert any("do not show" in n for n in got.needs)
    assert simulate(pl.DataFrame(), pl.DataFrame(), metric="auc").trials == ()


def test_the_same_rows_give_the_same_trials():
    after = scored(window(1).with_columns(FAULTS["nulls"][1].alias("device")))
    a, b = (simulate(scored(window(0)), after, metric="auc", suspects=["feature:device"], **ROLES).to_dict() for _ in range(2))
    assert a == b


def test_transplant_leaves_alike_columns_alone():
    a, b = window(0), window(1)
    zero = np.zeros(6000, dtype=np.intp)
    for column in ("device", "amount", "noise", "country"):
        assert transplant(a, b, column, zero, zero, zero, zero).equals(a[column])


def test_transplant_keeps_types_and_nulls():
    a = pl.DataFrame({"n": [None if i % 2 else i for i in range(400)], "b": [True] * 400})
    b = pl.DataFrame({"n": list(range(400)), "b": [False] * 400})
    zero = np.zeros(400, dtype=np.intp)
    got = transplant(a, b, "n", zero, zero, zero, zero)
    assert got.dtype == a["n"].dtype
    assert got.null_count() < 10
    flags = transplant(a, b, "b", zero, zero, zero, zero)
    assert flags.dtype == pl.Boolean
    assert not flags.any()


def test_store_values_only_where_known():
    column, known = from_store(pl.DataFrame({"id": ["a", "b"], "x": [1, 2]}), pl.DataFrame({"id": ["b"], "x": [20]}), "id", "x")
    assert (column.to_list(), known) == ([1, 20], 1)


def test_thresholds_from_decisions():
    rows = [rows_of(scored(window(0), t), "score", "decision", "label") for t in (0.3, 0.7)]
    assert best_threshold(rows[0]) == pytest.approx(0.3, abs=0.01)
    sweep = sweep_thresholds(rows[0], rows[1], ["country"])
    used = [p for p in sweep.points if p.in_use and p.segment == "all"]
    assert [round(p.threshold, 1) for p in used] == [0.3, 0.7]
    assert used[0].recall > used[1].recall
    assert {p.segment for p in sweep.points} == {"all", "country = DE", "country = FR"}
    shuffled = scored(window(0)).with_columns(decision=pl.col("decision").shuffle(0))
    assert best_threshold(rows_of(shuffled, "score", "decision", "label")) is None
