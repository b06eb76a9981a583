from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml

from rca_kit.errors import BadInput
from rca_kit.loop.versions.gates import canary_case, health_case, replay_case, shadow_case, watch_case
from rca_kit.run import run_investigation

SAMPLES = Path(__file__).parents[2] / "data" / "samples"

MODELS = """
import numpy as np
def good(frame): return 1 / (1 + np.exp(-frame["x"].to_numpy()))
def bad(frame): return 1 / (1 + np.exp(frame["x"].to_numpy()))
"""


@pytest.fixture
def case(tmp_path):
    rng = np.random.default_rng(0)
    n = 3000
    x = rng.normal(size=n)
    score = 1 / (1 + np.exp(-x))
    label = (rng.random(n) < score).astype(int)
    times = [datetime(2026, 3, 1, tzinfo=UTC) + timedelta(seconds=30 * i) for i in range(n)]
    log = pl.DataFrame({"ts": times, "request_id": [f"r{i}" for i in range(n)], "x": x, "score": score, "is_fraud": label,
                        "device": rng.choice(["a", "b"], n)})
    log.write_parquet(tmp_path / "p.parquet")
    log.select("x", "device", "is_fraud", sample_id="request_id").write_parquet(tmp_path / "golden.parquet")

    def write(current="good", shift=0.0, tables=("golden", "shadow"), models=True):
        noise = [rng.normal(0, 0.01, n) for _ in range(3)]
        pl.DataFrame({"request_id": log["request_id"], "time": times, "primary": score + noise[0],
                      "candidate": score + noise[1] + shift, "secondary": score + noise[2], "device": log["device"]}
                     ).write_parquet(tmp_path / "shadow.parquet")
        (tmp_path / "rk_gate_models.py").write_text(MODELS)
        spec = {"id": "G-1", "title": "gate", "detected_at": times[-1].isoformat(),
                "tables": {"predictions": "p.parquet", **{t: f"{t}.parquet" for t in tables}},
                "roles": {"time": "ts", "request_id": "request_id", "score": "score", "label": "is_fraud", "features": ["x"],
                          "segments": ["device"]}}
        if models:
            spec["models"] = {"current": {"python": f"rk_gate_models:{current}"}, "previous": {"python": "rk_gate_models:good"}}
        (tmp_path / "incident.yaml").write_text(yaml.safe_dump(spec))
        return tmp_path

    return write


@pytest.mark.parametrize(("current", "verdict", "code"), [("good", "same", 0), ("bad", "worse", 1)])
def test_replay_of_a_case(case, current, verdict, code):
    folder = case(current)
    found, exit_code = replay_case(folder, progress=None)
    assert (found.verdict, exit_code) == (verdict, code)
    assert (folder / "replay" / "last.jsonl").exists()
    assert not (folder / "replay" / "answers.jsonl").exists()  # the next run asks the models again


@pytest.mark.parametrize(("shift", "verdict", "code"), [(0.0, "equivalent", 0), (0.05, "different", 1)])
def test_shadow_of_a_case(case, shift, verdict, code):
    found, exit_code = shadow_case(case(shift=shift))
    assert (found.verdict, exit_code) == (verdict, code)


def test_inconclusive_has_a_code_of_its_own(case):
    folder = case()
    pl.read_parquet(folder / "shadow.parquet").head(7).write_parquet(folder / "shadow.parquet")
    assert shadow_case(folder)[1] == 3


def test_what_a_case_lacks_is_named(case):
    with pytest.raises(BadInput, match="golden"):
        replay_case(case(tables=("shadow",)))
    with pytest.raises(BadInput, match="models: current"):
        replay_case(case(models=False))
    with pytest.raises(BadInput, match="shadow"):
        shadow_case(case(tables=("golden",)))


def test_the_canary_of_the_sample_would_have_been_stopped():
    history = canary_case(SAMPLES / "fraud-canary", window_seconds=3600, bucket_seconds=300)
    assert history.fired_at is not None
    assert history.fired_at < datetime(2026, 3, 1, 20, 45, tzinfo=UTC)  # when people noticed


def test_watching_ends_as_the_whole_table_does():
    got = watch_case(SAMPLES / "fraud-canary")
    assert got.verdict == "different"
    assert got.pairs < 2000
    assert watch_case(SAMPLES / "latency-embedding").verdict == "equivalent"


def test_health_of_a_case(case):
    checks = health_case(case()).checks
    assert checks["size"].status == "fine"
    assert checks["coverage"].status == "fine"


@pytest.mark.parametrize(("template", "sample"), [("golden_replay", "auc-drop-null-feature"), ("shadow_compare", "fraud-canary"),
                                                  ("canary", "fraud-canary")])
def test_templates_run(template, sample, tmp_path):
    folder = tmp_path / "case"
    shutil.copytree(SAMPLES / sample, folder)
    parameters = {"bucket_minutes": 5.0, "window_minutes": 60.0} if template == "canary" else {}
    result = run_investigation(folder, tmp_path / "out", template, parameters)
    assert result.failure == ""
    assert result.exit_code == 0
    text = (tmp_path / "out" / "summary.md").read_text()
    assert {"golden_replay": "worse", "shadow_compare": "different", "canary": "would have fired"}[template] in text
