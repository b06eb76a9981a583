from __future__ import annotations

import json

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score

from rca_kit import replay
from rca_kit.errors import BadInput
from rca_kit.loop.s6_simulate.four_way import four_way
from rca_kit.loop.versions.golden_health import golden_health
from rca_kit.models.python import Preprocessed

from .replayed import flipped, golden, good, noisy, sigmoid


@pytest.mark.parametrize("seed", range(4))
def test_a_model_that_is_wrong_one_time_in_a_hundred_more_is_worse(seed):
    got = replay(golden(10_000, seed), current=flipped(0.01), previous=good)
    assert got.verdict == "worse"
    assert 0.004 < -got.metrics["accuracy"].difference < 0.016
    assert got.flips.right_to_wrong > got.flips.wrong_to_right


def test_and_the_other_way_round_it_is_better():
    assert replay(golden(10_000), current=good, previous=flipped(0.01)).verdict == "better"


def test_classes_that_are_wrong_one_percent_more_often():
    rng = np.random.default_rng(0)
    y = rng.choice(list("abc"), 8000)
    g = pd.DataFrame({"sample_id": range(8000), "label": y, "u": rng.random(8000), "v": rng.random(8000)})

    def old(frame):
        return np.where(frame["u"] < 0.1, "a", y[frame.index])

    def new(frame):
        return np.where((frame["u"] < 0.1) | (frame["v"] < 0.012), "b", y[frame.index])

    got = replay(g, current=new, previous=old, features=["u", "v"])
    assert got.task == "multiclass"
    assert got.verdict == "worse"
    assert replay(g, current=old, previous=old, features=["u", "v"]).verdict == "same"


def test_one_percent_more_error_in_regression():
    rng = np.random.default_rng(0)
    x = rng.normal(size=20_000)
    g = pl.DataFrame({"sample_id": range(20_000), "x": x, "label": 3 * x + rng.normal(size=20_000)})
    off = 0.2 * rng.normal(size=20_000)

    def new(frame):
        return 3 * frame["x"].to_numpy() + off[: len(frame)]

    got = replay(g, current=new, previous=lambda f: 3 * f["x"].to_numpy(), chunk=20_000, features=["x"])
    assert got.task == "regression"
    assert got.verdict == "worse"
    assert got.metrics["mae"].worse
    assert not got.flips


def test_the_same_model_is_the_same():
    got = replay(golden(500), current=good, previous=good)
    assert got.verdict == "same"
    assert got.flips.count == 0


def test_equally_good_noisy_models_are_rarely_told_apart():
    told = [s for s in range(40) if replay(golden(1500, s), current=noisy(0.3, 1000 + s), previous=noisy(0.3, 2000 + s)).verdict
            in ("worse", "better")]
    assert len(told) <= 5, told


def test_small_sets_are_inconclusive_and_say_how_many_would_do():
    got = replay(golden(300), current=noisy(0.5), previous=good)
    assert got.verdict == "inconclusive"
    assert got.needed_samples > 300


def test_values_as_scikit_learn():
    g = golden(2000)
    got = replay(g, current=noisy(0.5, 3), previous=good)
    y, p = g["label"].to_numpy(), good(g)
    assert got.metrics["auc"].previous == pytest.approx(roc_auc_score(y, p))
    assert got.metrics["log_loss"].previous == pytest.approx(log_loss(y, p))
    assert got.metrics["average_precision"].previous == pytest.approx(average_precision_score(y, p))
    for m in got.metrics:
        assert m.first_interval[0] <= m.first <= m.first_interval[1]


def test_a_segment_that_is_worse_is_named():
    def new(frame):
        return np.where(np.asarray(frame["device"]) == "ios", 1 - good(frame), good(frame))

    got = replay(golden(6000), current=new, previous=good)
    assert got.verdict == "worse"
    assert [s.where for s in got.segments] == [{"device": "ios"}]


def test_repeats_measure_the_versions_own_noise():
    g = golden(2000)
    got = replay(g, current=noisy(0.4, 1), previous=noisy(0.4, 2), repeats=4)
    assert got.noise[0] == pytest.approx(got.noise[1], rel=0.2)
    assert got.flips.own_previous > 0.05
    assert got.flips.interval[0] < 0.01  # in excess of its own flips there are next to none
    assert replay(g, current=good, previous=good).noise == (None, None)


@pytest.mark.parametrize("convert", [pl.DataFrame.to_pandas, pl.DataFrame.to_arrow, pl.DataFrame.lazy, lambda f: f])
def test_models_get_the_kind_of_frame_that_was_given(convert):
    g = convert(golden(200))
    seen = []

    def model(frame):
        seen.append(type(frame))
        return good({c: np.asarray(frame[c]) for c in ("x", "z")})

    replay(g, current=model, previous=model)
    assert set(seen) == {pl.DataFrame if isinstance(g, pl.LazyFrame) else type(g)}


def test_a_path_and_a_chosen_list_of_features(tmp_path):
    golden(200).write_parquet(tmp_path / "g.parquet")

    def model(frame):
        assert frame.columns == ["z", "x"]
        return good(frame)

    assert replay(tmp_path / "g.parquet", current=model, previous=model, features=["z", "x"]).samples == 200


def test_failing_rows_are_counted_and_not_scored():
    g = golden(3000)

    def fragile(frame):
        if (frame["x"] > 2.5).any():
            raise ValueError("x is too large")
        return good(frame)

    got = replay(g, current=fragile, previous=good)
    failed = int((g["x"] > 2.5).sum())
    assert failed > 0
    assert got.errors.current == failed
    assert got.errors.reasons[0] == ("current", "ValueError: x is too large", failed)
    assert got.samples == 3000 - failed
    assert got.verdict == "same"


def test_rubbish_answers_are_failures():
    def rubbish(frame):
        out = good(frame).astype(object)
        out[::10], out[1::10] = None, float("inf")
        return out

    got = replay(golden(1000), current=rubbish, previous=good)
    assert got.errors.current == 200
    assert got.verdict == "same"
    assert "200 of 1,000 samples have no answer of the current version (most often" in got.says()
    got = replay(golden(1000), current=lambda f: good(f)[:-1], previous=good, chunk=100)
    assert got.errors.current == 1000
    assert got.verdict == "inconclusive"


@pytest.mark.parametrize(("lost", "verdict"), [(0.15, "same"), (0.4, "inconclusive")])
@pytest.mark.parametrize("side", ["current", "previous"])
def test_no_gate_passes_on_a_part_of_the_answers(side, lost, verdict):
    def partly(frame):
        return np.where(np.arange(len(frame)) < lost * len(frame), np.nan, good(frame))

    versions = {"current": good, "previous": good, side: partly}
    got = replay(golden(2000), **versions)
    assert got.verdict == verdict and f"{int(lost * 2000):,} of 2,000 samples have no answer of the {side} version" in got.says()
    # what is found worse on the rest stays worse
    worse = {**versions, "current": lambda f: 1 - np.asarray(versions["current"](f))}
    assert replay(golden(2000), **worse).verdict == "worse"


def test_a_model_that_is_broken_altogether_is_not_tried_for_ever():
    calls = []

    def broken(frame):
        calls.append(1)
        raise RuntimeError("no weights")

    got = replay(golden(5000), current=broken, previous=good)
    assert got.errors.current == 5000
    assert len(calls) < 200


def test_progress_ends_at_all():
    seen = []
    replay(golden(500), current=good, previous=good, chunk=100, progress=seen.append)
    assert {p.what for p in seen} == {"previous", "current"}
    assert all(p.done <= p.total == 500 for p in seen)
    assert seen[-1].done == 500


def test_features_of_two_preprocessing_steps_are_compared():
    def step(factor):
        return lambda frame: frame.select(amount=pl.col("x") * factor, z=pl.col("z").fill_null(0.0))

    def score(features):
        return sigmoid(features["amount"].to_numpy())

    got = replay(golden(500), current=Preprocessed(step(1000), score), previous=Preprocessed(step(1), score))
    assert got.features["amount"].relation == "current = 1000 x previous"
    assert got.features["amount"].changed
    assert not got.features["z"].changed


def test_parity_with_what_was_served():
    g = golden(500)
    served = g.select("sample_id", x=pl.col("x") * 0.01,
                      z=pl.when(pl.int_range(pl.len()) % 5 == 0).then(None).otherwise(pl.col("z")),
                      device=pl.col("device").replace({"ios": "android", "android": "ios"})).sample(300, seed=0)
    got = replay(g, current=good, previous=good, served=served).parity
    assert got["x"].relation == "online = 0.01 x offline"
    assert "codes permuted" in got["device"].relation
    assert got["z"].null_rate_current == pytest.approx(0.2, abs=0.06)
    assert "missing in online" in got["z"].relation


def test_labels_missing_and_samples_doubled_are_counted():
    g = golden(500).with_columns(label=pl.when(pl.int_range(pl.len()) < 50).then(None).otherwise("label"))
    got = replay(pl.concat([g, g.tail(30)]), current=good, previous=good)
    assert (got.samples, got.errors.unlabelled, got.errors.duplicates) == (450, 50, 30)


@pytest.mark.parametrize("label", [lambda y: y.cast(pl.Boolean), lambda y: y.cast(pl.Float64),
                                   lambda y: y.cast(pl.String), lambda y: y.replace_strict({0: "no", 1: "yes"})])
def test_ways_to_write_a_binary_label(label):
    g = golden(800)
    got = replay(g.with_columns(label=label(g["label"])), current=good, previous=good)
    assert got.task == "binary"
    assert got.metrics["auc"].current == pytest.approx(roc_auc_score(g["label"], good(g)))


def test_a_threshold_per_version_shows_in_the_flips():
    got = replay(golden(3000), current=good, previous=good, threshold={"previous": 0.5, "current": 0.8}, decide_by=["recall"])
    assert got.metrics["auc"].difference == 0
    assert got.metrics["recall"].worse
    assert got.verdict == "worse"
    assert got.flips.right_to_wrong > 0
    assert got.flips.lost[0].previous >= 0.5


@pytest.mark.parametrize(("arguments", "says"), [
    ({"label": "labl"}, "did you mean `label`"), ({"features": ["y"]}, "no such column"), ({"repeats": 0}, "repeats"),
    ({"decide_by": ["auk"]}, "auk"), ({"task": "text"}, "task"), ({"threshold": {"old": 1}}, "threshold"),
    ({"current": 3}, "no model"), ({"dimensions": ["devise"]}, "did you mean `device`"),
])
def test_errors_name_what_is_wrong(arguments, says):
    with pytest.raises(BadInput, match=says):
        replay(golden(200), **{"current": good, "previous": good, **arguments})


def test_finding_shows_itself():
    got = replay(golden(500), current=flipped(0.1), previous=good)
    assert got.frame().height == len(got.metrics)
    assert "next:" in repr(got)
    json.dumps(got.to_dict())
    assert got.metrics[0] is got.metrics["auc"]
    assert len(got.calibration) == 20


def test_four_way_tells_model_from_data():
    def data(seed, spoiled=False):
        g = golden(4000, seed).drop("sample_id", "device")
        return g.with_columns(x=pl.Series(np.random.default_rng(9).normal(size=4000))) if spoiled else g

    bad = flipped(0.1)
    assert four_way(good, bad, data(0), data(1)).verdict == "model"
    assert four_way(good, good, data(0), data(1, spoiled=True)).verdict == "data"
    assert four_way(good, good, data(0), data(1)).verdict == "none"
    both = four_way(good, flipped(0.4), data(0), data(1, spoiled=True))
    assert both.verdict == "both"
    assert both.model.estimate + both.data.estimate == pytest.approx(both.total.estimate)
    unit = data(1).with_columns(z=pl.col("z") * 1000)

    def reads_new_unit(frame):
        return sigmoid(1.5 * frame["x"].to_numpy() + np.clip(frame["z"].to_numpy(), -3, 3) * 1.0 - 1)

    def reads_x_only(frame):
        return sigmoid(frame["x"].to_numpy())

    assert four_way(reads_x_only, reads_new_unit, data(0), unit, metric="log_loss").verdict == "interaction"
    with pytest.raises(BadInput, match="threshold"):
        four_way(good, good, data(0), data(1), metric="precision")


def test_golden_health():
    g = golden(2500)
    traffic = golden(2500, 1).with_columns(device=pl.when(pl.int_range(pl.len()) % 3 == 0).then(pl.lit("tv")).otherwise("device"))
    fine = golden_health(g, traffic=golden(2500, 1), training_ids=["x1"])
    assert fine.fine
    weak = golden_health(pl.concat([g, g.head(20)]), traffic=traffic.with_columns(x=pl.col("x") + 2), training_ids=["s1", "s2"])
    status = {c.name: c.status for c in weak.checks}
    assert status == {"size": "fine", "classes": "fine", "duplicates": "weak", "leakage": "weak",
                      "stale labels": "not_applicable", "coverage": "weak", "like traffic": "weak"}
    assert "device = tv" in weak.checks["coverage"].says
    old = g.with_columns(at=pl.datetime(2024, 1, 1) + pl.duration(days=pl.int_range(pl.len()) // 100))
    from datetime import UTC, datetime

    assert golden_health(old, label_time="at", now=datetime(2026, 1, 1, tzinfo=UTC)).checks["stale labels"].status == "weak"
    assert golden_health(g.head(50)).checks["size"].status == "weak"
