"""findings.json keeps to its schema, the schema refuses what is broken, and the same case gives the same bytes."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from jsonschema import Draft202012Validator, ValidationError

import rca_kit
from rca_kit.findings import schema

SAMPLES = Path(__file__).parents[2] / "data" / "samples"
CHOSEN = ("auc-drop-null-feature", "latency-embedding", "drift-kpi-stable", "quiet-day")
Found: TypeAlias = Callable[[str], dict[str, Any]]
VALIDATOR = Draft202012Validator(schema())


@pytest.fixture(scope="module")
def found() -> Found:
    """Findings of a sample, investigated once."""
    kept: dict[str, dict[str, Any]] = {}

    def get(slug: str) -> dict[str, Any]:
        if slug not in kept:
            kept[slug] = rca_kit.investigate(SAMPLES / slug).to_dict()
        return copy.deepcopy(kept[slug])

    return get


def test_the_schema_is_a_schema_and_each_call_gives_a_copy() -> None:
    Draft202012Validator.check_schema(schema())
    schema()["properties"].clear()
    assert schema()["properties"]


@pytest.mark.parametrize("slug", CHOSEN)
def test_findings_of_samples_are_valid(slug: str, found: Found) -> None:
    findings = found(slug)
    VALIDATOR.validate(findings)
    assert findings == json.loads(json.dumps(findings, allow_nan=False)), "JSON types only"
    assert sum(s["probability"] for s in findings["suspects"]) <= 1 + 1e-6
    assert [s["rank"] for s in findings["suspects"]] == list(range(1, len(findings["suspects"]) + 1))
    probabilities = [s["probability"] for s in findings["suspects"]]
    assert probabilities == sorted(probabilities, reverse=True)
    assert {c["category"] for c in findings["categories"]} == {"data", "model", "code", "infra", "config", "upstream", "external"}
    onset, interval = findings["symptom"]["onset"], findings["symptom"]["onset_interval"]
    assert (onset is None) == (interval is None)
    assert interval is None or interval[0] <= onset <= interval[1]


def test_every_verdict_is_among_the_samples(found: Found) -> None:
    assert {found(s)["verdict"] for s in CHOSEN} == {"incident", "benign_shift", "no_change"}


REMOVED = (
    "schema_version", "case_id", "verdict", "severity", "symptom", "scope", "suspects", "mitigations", "guardrails", "warnings",
    "symptom.onset", "symptom.change_interval", "symptom.p_value", "scope.is_global", "scope.segments.0.where", "severity.level",
    "suspects.0.evidence", "suspects.0.change_id", "suspects.0.evidence.0.for", "mitigations.0.reversible", "guardrails.0.rule",
)
CHANGED: dict[str, tuple[Any, ...]] = {
    "schema_version": (2, "1"),
    "case_id": ("a/b", "", 7),
    "verdict": ("outage", None),
    "severity.level": ("SEV5", 2, None),
    "symptom.metric": ("", None),
    "symptom.direction": ("sideways",),
    "symptom.shape": ("curve",),
    "symptom.onset": ("2026-03-02 14:05", "2026-03-02T14:05:00+01:00", 5),
    "symptom.onset_interval": (["2026-03-02T14:05:00Z"], "x"),
    "symptom.before": ("0.86",),
    "symptom.p_value": (1.2, -0.1),
    "symptom.also_changed": (["auc", "auc"], "auc"),
    "scope.is_global": ("no", True),
    "scope.segments.0.where": ({}, "os=android", {"os": []}, {"age": {"gt": 3}}, {"age": {}}),
    "scope.segments.0.share_of_traffic": (1.5, "31%"),
    "suspects": ([], {}),
    "suspects.0.category": ("people", None),
    "suspects.0.subject": ("device_type", "feature:", ""),
    "suspects.0.probability": (1.01, -0.1, None),
    "suspects.0.rank": (0, 1.5),
    "suspects.0.evidence": ([], None),
    "suspects.0.evidence.0.weight": ("2", None),
    "suspects.0.evidence.0.for": (1, "yes"),
    "suspects.0.next_test": ("", None),
    "mitigations.0.reversible": ("yes",),
    "warnings": ([""], "none", [3]),
    "categories": ([], None),
    "extra": (1,),
    "symptom.surprise": (1,),
    "suspects.0.note": ("x",),
}


def at(findings: dict[str, Any], path: str) -> tuple[Any, Any]:
    """Container and key of a dotted path."""
    *head, last = path.split(".")
    place: Any = findings
    for part in head:
        place = place[int(part)] if isinstance(place, list) else place[part]
    return place, last


@pytest.mark.parametrize("path", REMOVED)
def test_a_missing_key_is_refused(path: str, found: Found) -> None:
    findings = found("auc-drop-null-feature")
    place, key = at(findings, path)
    del place[key]
    with pytest.raises(ValidationError):
        VALIDATOR.validate(findings)


@pytest.mark.parametrize(("path", "value"), [(p, v) for p, values in CHANGED.items() for v in values])
def test_a_wrong_value_or_an_unknown_key_is_refused(path: str, value: Any, found: Found) -> None:
    findings = found("auc-drop-null-feature")
    place, key = at(findings, path)
    place[key] = value
    with pytest.raises(ValidationError):
        VALIDATOR.validate(findings)


WHERES = ({"os": "android"}, {"os": ["a", None]}, {"os": None}, {"age": {"ge": 18, "lt": 25}}, {"age": {"lt": 2.5}},
          {"new user": True, "tier": 3})


@pytest.mark.parametrize("where", WHERES)
def test_every_form_of_a_segment_is_accepted(where: dict[str, Any], found: Found) -> None:
    findings = found("auc-drop-null-feature")
    findings["scope"]["segments"][0]["where"] = where
    VALIDATOR.validate(findings)


@pytest.mark.parametrize(("path", "value"), [("symptom.onset", "2026-03-02T14:05:00Z"), ("scope.is_global", True)])
def test_no_change_has_neither_onset_nor_scope(path: str, value: Any, found: Found) -> None:
    findings = found("quiet-day")
    place, key = at(findings, path)
    place[key] = value
    with pytest.raises(ValidationError):
        VALIDATOR.validate(findings)


def test_same_case_same_bytes_whatever_the_number_of_threads() -> None:
    code = "import rca_kit.cli, sys; sys.argv[1:] = ['findings', sys.argv[1]]; rca_kit.cli.main()"
    first, second = (
        subprocess.run([sys.executable, "-c", code, str(SAMPLES / "auc-drop-null-feature")], capture_output=True, check=True,
                       env={**os.environ, "POLARS_MAX_THREADS": n, "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": n}).stdout
        for n in ("1", "2")
    )
    assert len(first) > 1000
    assert first == second
