from __future__ import annotations

import json
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from cli_helpers import run

from rca_kit.errors import BadInput
from rca_kit.loop.s7_settle.verify import verify

T0 = datetime(2026, 3, 1, tzinfo=UTC)
ONSET, FIX = T0 + timedelta(hours=48), T0 + timedelta(hours=60)


def write_case(folder, hours_after: float = 24, still: float = 0.0, n_hour: int = 400, seed: int = 0, fix: bool = True) -> None:
    """Errors rise from 2 % to 20 % on Android between onset and fix; `still` is the error rate that stays after the fix."""
    rng = np.random.default_rng(seed)
    n = int((60 + hours_after) * n_hour)
    ts = [T0 + timedelta(hours=60 + hours_after) * (i / n) for i in range(n)]
    device = rng.choice(["android", "ios"], n)
    ill = np.array([ONSET <= t < FIX for t in ts]) & (device == "android")
    rest = np.array([t >= FIX for t in ts]) & (device == "android")
    p = np.where(ill, 0.2, np.where(rest, 0.02 + still, 0.02))
    error = np.where(rng.random(n) < p, "timeout", None)
    pl.DataFrame({"ts": ts, "id": range(n), "device": device, "error": pl.Series(error.tolist(), dtype=pl.String),
                  "latency_ms": rng.lognormal(4, 0.3, n)}).write_parquet(folder / "p.parquet")
    (folder / "incident.yaml").write_text("""
id: V-1
title: t
detected_at: 2026-03-03T01:00:00Z
signal: {source: alert, metric: error_rate}
tables: {predictions: p.parquet}
roles: {time: ts, request_id: id, error: error, latency_ms: latency_ms, segments: [device]}
slos: {error_rate: {max: 0.05}}
""")
    (folder / "findings.json").write_text(json.dumps({
        "verdict": "incident",
        "symptom": {"metric": "error_rate", "onset": "2026-03-03T00:00:00Z", "also_changed": [],
                    "onset_interval": ["2026-03-03T00:00:00Z", "2026-03-03T00:10:00Z"]},
        "scope": {"segments": [{"where": {"device": "android"}}]},
    }))


def test_a_fix_that_works_is_recovered(tmp_path):
    write_case(tmp_path)
    result = verify(tmp_path, FIX)
    assert (result.verdict, result.exit_code) == ("recovered", 0)
    compared = {(r.metric, r.segment) for r in result.recoveries}
    assert compared == {("error_rate", "all traffic"), ("error_rate", "device = android")}
    assert all(r.verdict == "equivalent" for r in result.recoveries)


def test_a_fix_that_helps_one_half_is_not_recovered(tmp_path):
    write_case(tmp_path, still=0.1)
    result = verify(tmp_path, "2026-03-03T12:00:00Z")
    assert (result.verdict, result.exit_code) == ("not_recovered", 1)
    android = next(r for r in result.recoveries if r.segment == "device = android")
    assert android.verdict == "worse"
    assert android.since == pytest.approx(0.12, abs=0.015)


def test_too_little_data_says_how_much_is_needed_and_that_much_is_enough(tmp_path):
    write_case(tmp_path, hours_after=0.4, n_hour=300)
    early = verify(tmp_path, FIX, margin=0.01)
    assert (early.verdict, early.exit_code) == ("not_enough_data", 3)
    row = max((r for r in early.recoveries if r.needed), key=lambda r: r.needed / r.n)
    assert row.needed > row.n
    assert re.search(r"observations are needed, [\d,]+ are there: in about \d+ (hours|minutes) at this traffic", early.says())
    write_case(tmp_path, hours_after=1.5 * row.needed / 300, n_hour=300)
    assert verify(tmp_path, FIX, margin=0.01).verdict == "recovered"


def test_slo_broken_is_not_recovered_whatever_the_margin(tmp_path):
    write_case(tmp_path, still=0.15)
    result = verify(tmp_path, FIX, margin=0.5)
    assert result.verdict == "not_recovered"
    assert "SLO" in result.because


def test_a_target_holds_in_each_affected_segment(tmp_path):
    write_case(tmp_path, still=0.05)  # 7 % on Android, 4.5 % over all: only the segment is beyond 5 %
    result = verify(tmp_path, FIX, margin=0.2)
    slo = {r.segment: r.slo for r in result.recoveries if r.metric == "error_rate"}
    assert slo == {"all traffic": "inside", "device = android": "outside"}
    assert result.verdict == "not_recovered" and "device = android" in result.because and "SLO 0.05" in result.because


def test_a_target_for_the_number_of_requests_is_not_one_of_a_segment(tmp_path):
    write_case(tmp_path)
    text = (tmp_path / "incident.yaml").read_text()
    (tmp_path / "incident.yaml").write_text(text.replace("slos: {", "slos: {volume: {min: 5}, "))
    result = verify(tmp_path, FIX)
    assert {r.slo for r in result.recoveries if r.metric == "volume" and r.segment != "all traffic"} == {""}
    assert {r.slo for r in result.recoveries if r.metric == "volume" and r.segment == "all traffic"} == {"inside"}


def test_beyond_a_target_within_chance_is_open(tmp_path):
    write_case(tmp_path, hours_after=1, n_hour=200, still=0.035, seed=2)
    result = verify(tmp_path, FIX, margin=0.2)
    open_ = [r for r in result.recoveries if r.slo == "uncertain"]
    assert open_ and result.verdict == "not_enough_data"
    assert "no more than chance explains" in result.because


def test_an_slo_broken_before_too_is_said_and_no_obstacle(tmp_path):
    write_case(tmp_path)
    text = (tmp_path / "incident.yaml").read_text()
    (tmp_path / "incident.yaml").write_text(text.replace("max: 0.05", "max: 0.01"))
    result = verify(tmp_path, FIX)
    assert result.verdict == "recovered"
    assert "but error_rate is outside its SLO 0.01 before the incident too" in result.because


def test_the_command_shows_every_comparison_and_takes_a_margin(tmp_path, monkeypatch, capsys):
    write_case(tmp_path, still=0.02)
    monkeypatch.setenv("COLUMNS", "200")
    ran = run(monkeypatch, capsys, "verify", tmp_path, "--since", "2026-03-03T12:00Z", "--margin", "0.005")
    assert ran.code == 1 and "not recovered: error_rate for" in ran.out and "not_recovered" not in ran.out
    lines = [line for line in ran.out.splitlines() if "error_rate" in line and "0.005" in line]
    assert any("all traffic" in line for line in lines) and any("device = android" in line for line in lines)
    assert run(monkeypatch, capsys, "verify", tmp_path, "--since", "2026-03-03T12:00Z", "--margin", "0.06").code == 0


def test_margin_is_stated_and_used(tmp_path):
    write_case(tmp_path, still=0.02)
    strict, wide = verify(tmp_path, FIX, margin=0.005), verify(tmp_path, FIX, margin={"error_rate": 0.05})
    assert strict.verdict == "not_recovered"
    assert wide.verdict == "recovered"
    assert {r.margin for r in wide.recoveries} == {0.05}


@pytest.mark.parametrize(("since", "says"), [
    ("2026-03-01T12:00:00Z", "before the onset"), ("2026-04-01", "nothing since then"), ("yesterday-ish", "time"),
])
def test_bad_since_is_told(tmp_path, since, says):
    write_case(tmp_path)
    with pytest.raises(BadInput, match=says):
        verify(tmp_path, since)


def test_nonpositive_margin_is_refused(tmp_path):
    write_case(tmp_path)
    with pytest.raises(BadInput, match="margin"):
        verify(tmp_path, FIX, margin=0.0)
