"""Every sample incident: what was planted is found, from the data alone; the quiet day finds nothing."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import rca_kit
from rca_kit.errors import BadInput
from rca_kit.loop.guardrails.write import write_guardrails
from rca_kit.training import CaseScore, Key, score_case
from rca_kit.training.logs import read_log
from rca_kit.training.scoring import names_guilty

ROOT = Path(__file__).resolve().parents[2]
SLUGS = sorted(f.stem for f in (ROOT / "data" / "keys").glob("*.json"))
ENOUGH_OVERLAP = 0.9  # F1 of rows between the reported and the true segment

# What the kit does not get yet, said rather than hidden; a run that gets it is welcome.
NOT_YET = {
    ("segment", "ctr-slow-decline"): "a three-week ramp: one device is named although all decline",
}


def slugs(test: str) -> list[Any]:
    """All samples, those that are known to fail a test marked."""
    marks = {s: [pytest.mark.xfail(reason=r, strict=False)] for (t, s), r in NOT_YET.items() if t == test}
    return [pytest.param(s, marks=marks.get(s, [])) for s in SLUGS]


@cache
def investigated(slug: str) -> Any:
    return rca_kit.investigate(str(ROOT / "data" / "samples" / slug))


@cache
def judged(slug: str) -> tuple[dict[str, Any], Key, CaseScore]:
    folder, key = ROOT / "data" / "samples" / slug, Key.load(ROOT / "data" / "keys" / f"{slug}.json")
    findings = investigated(slug).to_dict()
    rows, time = read_log(folder)
    return findings, key, score_case(findings, key, rows, time)


def test_there_are_twenty_samples_small_enough_and_without_their_keys() -> None:
    assert len(SLUGS) == 20
    for slug in SLUGS:
        files = list((ROOT / "data" / "samples" / slug).iterdir())
        assert sum(f.stat().st_size for f in files) < 3_000_000, slug
        assert {f.suffix for f in files} <= {".yaml", ".parquet", ".csv", ".gz"}, slug


@pytest.mark.parametrize("slug", SLUGS)
def test_verdict(slug: str) -> None:
    findings, key, score = judged(slug)
    assert score.verdict_right, f"{findings['verdict']} instead of {key.verdict}"


@pytest.mark.parametrize("slug", slugs("onset"))
def test_onset(slug: str) -> None:
    findings, key, score = judged(slug)
    if key.onset is None:
        assert findings["symptom"]["onset"] is None
    else:
        assert score.onset_right, f"{findings['symptom']['onset']} instead of {key.onset} +- {key.onset_tolerance_minutes} min"


@pytest.mark.parametrize("slug", slugs("segment"))
def test_segment(slug: str) -> None:
    findings, key, score = judged(slug)
    where = [s["where"] for s in findings["scope"]["segments"]]
    if score.scope_f1 is not None:
        assert score.scope_f1 >= ENOUGH_OVERLAP, f"{where} instead of {key.where}"
    elif key.verdict == "no_change":
        assert where == []
        assert findings["scope"]["is_global"] is False
    else:
        assert findings["scope"]["is_global"], f"{where} instead of all traffic"


@pytest.mark.parametrize("slug", slugs("suspect"))
def test_top_suspect(slug: str) -> None:
    findings, key, _ = judged(slug)
    if key.verdict == "no_change":
        return
    first = findings["suspects"][0]
    said = f"{first['category']} / {first['subject']} / {first['change_id']}"
    assert names_guilty(first, key), f"{said} instead of {key.category} / {key.subject} / {key.change_id}"
    assert first["category"] in {key.category, *key.categories_ok}, said


@pytest.mark.parametrize("slug", slugs("guardrails"))
def test_guardrails_fail_on_the_incident_and_pass_on_healthy_days(slug: str, tmp_path: Path) -> None:
    _, key, _ = judged(slug)
    folder = ROOT / "data" / "samples" / slug
    if key.verdict == "no_change":
        with pytest.raises(BadInput, match="nothing to guard against"):
            write_guardrails(folder, tmp_path, investigation=investigated(slug))
        return
    write_guardrails(folder, tmp_path, investigation=investigated(slug))
    trials = json.loads((tmp_path / "backtest.json").read_text())["files"]
    schema = trials["input_schema.py"]
    assert schema["passes_on_healthy_days"] and not schema["held_out"].get("failing")
    if key.verdict == "benign_shift":  # nothing is broken: what merely moved must not page anybody
        assert not schema["fires_on_incident"] and schema["broken_inputs"] == [], schema
        return
    # says why: only a column that went wrong may make the schema say no
    assert {said.partition(":")[0] for said in schema["says"]} <= set(schema["broken_inputs"])
    assert not {f"feature:{c}" for c in schema["broken_inputs"]} & set(key.harmless)
    broken = {s.partition(":")[2] for s in (key.subject or "", *key.subjects_ok) if s.startswith("feature:")}
    if broken:
        assert schema["fires_on_incident"] and broken & set(schema["broken_inputs"]), schema
    flat = [t for trial in trials.values() for t in (trial if isinstance(trial, list) else [trial])]
    assert any(t.get("fires_on_incident") for t in flat)
