from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml
from sklearn.metrics import roc_auc_score

from rca_kit.errors import BadInput
from rca_kit.training.rows import Rows, simulate
from rca_kit.training.samples import make_sample
from rca_kit.training.scenarios import SCENARIOS, get_scenario, plan_of

SAMPLES = Path(__file__).resolve().parents[2] / "data" / "samples"


def test_committed_sample_is_what_the_generator_writes(tmp_path: Path) -> None:
    folder, _ = make_sample("quiet-day", tmp_path)
    for file in folder.iterdir():
        assert file.read_bytes() == (SAMPLES / "quiet-day" / file.name).read_bytes(), file.name


def test_twenty_scenarios_with_ids_of_their_own() -> None:
    assert len(SCENARIOS) == 20
    assert len({s.case_id for s in SCENARIOS.values()}) == 20
    with pytest.raises(BadInput, match="did you mean"):
        get_scenario("quiet-days")


def _windows(slug: str) -> tuple[Rows, np.ndarray, np.ndarray]:
    r = simulate(plan_of(get_scenario(slug)))
    known = (r.t + r.label_lag <= r.plan.end) & (r.error < 0)
    return r, known & (r.t < r.plan.onset), known & (r.t >= r.plan.onset)


def test_figures_of_the_null_feature_incident() -> None:
    r, before, after = _windows("auc-drop-null-feature")
    assert roc_auc_score(r.label[before], r.score[before]) == pytest.approx(0.86, abs=0.015)
    assert roc_auc_score(r.label[after], r.score[after]) == pytest.approx(0.78, abs=0.025)
    null = r.served["device_type"] < 0
    assert null[before].mean() == pytest.approx(0.005, abs=0.002)
    assert null[after].mean() == pytest.approx(0.18, abs=0.015)
    assert (r.inside([{"os": "android"}])[after & null]).mean() > 0.95


def test_figures_of_the_slow_embedding() -> None:
    r, before, after = _windows("latency-embedding")
    assert np.percentile(r.latency[before], 95) == pytest.approx(120, rel=0.1)
    assert np.percentile(r.latency[after], 95) == pytest.approx(900, rel=0.15)
    late = r.t >= r.plan.onset
    assert (r.error[~late] >= 0).mean() == pytest.approx(0.007, abs=0.002)
    assert (r.error[late] >= 0).mean() == pytest.approx(0.04, abs=0.012)


def test_figures_of_the_mobile_normalisation() -> None:
    r, before, after = _windows("normalization-change-mobile")
    mobile = r.inside([{"device": "mobile"}])
    k = r.kpis["converted"]
    assert k[mobile & after].mean() - k[mobile & before].mean() == pytest.approx(-0.03, abs=0.02)


def test_simpson_mix_falls_overall_and_in_no_segment() -> None:
    r, before, after = _windows("simpson-mix")
    assert r.label[after].mean() < 0.85 * r.label[before].mean()
    for value in ("search", "direct", "display"):
        m = r.inside([{"acquired": value}])
        a, b = r.label[m & before], r.label[m & after]
        assert abs(b.mean() - a.mean()) < 4 * np.sqrt(a.var() / len(a) + b.var() / len(b)), value


def test_golden_and_shadow_tables_are_there() -> None:
    for slug in ("auc-drop-null-feature", "threshold-change"):
        golden = pl.read_parquet(SAMPLES / slug / "golden.parquet")
        doc = yaml.safe_load((SAMPLES / slug / "incident.yaml").read_text(encoding="utf-8"))
        assert doc["roles"]["label"] in golden.columns
        assert golden["sample_id"].n_unique() == len(golden)
        assert golden.null_count().sum_horizontal().item() == 0
    shadow = pl.read_parquet(SAMPLES / "fraud-canary" / "shadow.parquet")
    good = shadow.drop_nulls("label")
    assert roc_auc_score(good["label"], good["primary"]) > roc_auc_score(good["label"], good["candidate"]) + 0.05
    assert (shadow["primary"] - shadow["secondary"]).abs().max() < 0.02


def test_variants_of_a_scenario_differ_and_keep_their_story() -> None:
    a, b = plan_of(get_scenario("holiday-drift"), 1), plan_of(get_scenario("holiday-drift"), 2)
    assert a.start != b.start
    assert (a.answer, a.where) == (b.answer, b.where)


def test_golden_replay_tells_the_two_keys_apart() -> None:
    import rca_kit
    from rca_kit.training.replay_models import fraud_new_key, fraud_old_key

    golden = pl.read_parquet(SAMPLES / "auc-drop-null-feature" / "golden.parquet")
    old, new = fraud_old_key()(golden), fraud_new_key()(golden)
    assert roc_auc_score(golden["is_fraud"], old) > roc_auc_score(golden["is_fraud"], new) + 0.04
    features = [c for c in golden.columns if c not in ("sample_id", "is_fraud")]
    replay = rca_kit.replay(
        golden, current=fraud_new_key(), previous=fraud_old_key(), label="is_fraud", id="sample_id", features=features
    )
    assert replay.verdict == "worse"
