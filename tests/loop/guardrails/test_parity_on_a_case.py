"""The generated parity test on whole cases: features as the generator knows them to be right, beside those that were served."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import polars as pl
import pytest

from rca_kit.errors import BadInput
from rca_kit.findings.base import Window
from rca_kit.loop.guardrails.parity_trial import write_parity
from rca_kit.loop.guardrails.write import write_guardrails
from rca_kit.loop.investigate import investigate
from rca_kit.sources import open_case
from rca_kit.training.rows import simulate
from rca_kit.training.samples import make_sample
from rca_kit.training.scenarios import get_scenario, plan_of
from rca_kit.training.write import table

# one incident of values, one of nulls; the feature that is served wrongly
BROKEN = {"normalization-change-mobile": "feature_price", "auc-drop-null-feature": "device_type"}


def offline_store(slug: str, key: str) -> pl.DataFrame:
    rows = simulate(plan_of(get_scenario(slug)))
    rows.served = rows.clean
    frame = table(rows)
    return frame.select(key, *[c for c in frame.columns if c in rows.clean])


@pytest.fixture(scope="module", params=sorted(BROKEN))
def made(request, tmp_path_factory):
    base = tmp_path_factory.mktemp("parity")
    folder, key = make_sample(request.param, base)
    opened = open_case(folder)
    store = offline_store(request.param, opened.roles.request_id)
    store.write_parquet(base / "offline.parquet")
    write_guardrails(folder, base / "out", investigation=investigate(opened), offline=base / "offline.parquet")
    return request.param, base, opened, key.onset, store


def run(base, online: pl.DataFrame):
    online.write_parquet(base / "online.parquet")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_feature_parity.py"]
    return subprocess.run(command, cwd=base / "out",
                          capture_output=True, text=True, check=False,
                          env={**os.environ, "OFFLINE": str(base / "offline.parquet"), "ONLINE": str(base / "online.parquet")})


def test_it_fails_on_the_incident_and_passes_on_each_healthy_day(made):
    slug, base, opened, onset, _ = made
    log = opened.predictions.to_native().collect()
    time = opened.roles.time
    done = run(base, log.filter(pl.col(time) >= onset))
    assert done.returncode == 1
    failed = {line.split("[")[1].split("]")[0] for line in done.stdout.splitlines() if line.startswith("FAILED")}
    assert failed == {BROKEN[slug]}, done.stdout
    days = [d for _, d in log.filter(pl.col(time) < onset).group_by(pl.col(time).dt.date(), maintain_order=True)]
    assert len(days) >= 5
    for day in days:
        if day.height >= 100:
            done = run(base, day)
            assert done.returncode == 0, done.stdout


def test_the_back_test_says_the_same(made):
    slug, base, *_ = made
    tried = json.loads((base / "out" / "backtest.json").read_text())["files"]["test_feature_parity.py"]
    assert tried["fires_on_incident"] and tried["passes_on_healthy_days"]
    assert all(said.startswith(BROKEN[slug] + ":") for said in tried["says"])
    assert tried["held_out"]["failing"] == 0 and tried["held_out"]["batches"] >= 1


def test_offline_values_that_say_nothing_are_said_to(made):
    _, _, opened, onset, store = made
    windows = (Window(opened.time_range[0], onset), Window(onset, opened.time_range[1]))
    key, features = opened.roles.request_id, list(opened.roles.features)
    with pytest.raises(BadInput, match="lack the request id"):
        write_parity(opened, features, windows, onset, store.rename({key: "sample_id"}))
    with pytest.raises(BadInput, match="none of the features"):
        write_parity(opened, features, windows, onset, store.select(key))
    _, tried = write_parity(opened, features, windows, onset, store.head(3))
    assert "too few" in tried["not_applicable"]
    source, tried = write_parity(opened, features, windows, onset, None)
    assert "--offline" in tried["not_applicable"] and "0.001" in source
