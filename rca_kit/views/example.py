"""A small hand-made investigation, so that every view has something to draw without reading a case."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from rca_kit.findings.base import Window
from rca_kit.findings.investigation import CaseFacts, ChangeRecord, Investigation, TableFacts
from rca_kit.findings.samples import Samples
from rca_kit.findings.scope import MixRate, Scope, Segment
from rca_kit.findings.settlement import Guardrail, Mitigation, Settlement, Severity
from rca_kit.findings.signal import MetricReading, Signal
from rca_kit.findings.simulation import Simulation, Trial
from rca_kit.findings.suspects import CategoryStatus, Evidence, Suspect, Suspects
from rca_kit.findings.symptom import DeployEffect, MetricSeries, Onset, Symptom
from rca_kit.views import example_parts as parts

START = datetime(2026, 3, 1, tzinfo=UTC)
ONSET = datetime(2026, 3, 2, 14, 5, tzinfo=UTC)
DETECTED = datetime(2026, 3, 2, 14, 35, tzinfo=UTC)
BUCKET_SECONDS = 900
BUCKETS = 160


def example(kind: str = "incident") -> Investigation:
    """Give a complete investigation made by hand: `incident`, `quiet` or `benign`.

    Parameters
    ----------
    kind : str
        Which of the three verdicts it ends with.

    Returns
    -------
    Investigation
        The same values at every call.

    Examples
    --------
    >>> example().verdict, example("quiet").verdict, example("benign").verdict
    ('incident', 'no_change', 'benign_shift')
    """
    inv = _incident()
    if kind == "incident":
        return inv
    return {"quiet": _quiet, "benign": _benign}[kind](inv)


def _series(metric: str, before: float, after: float, noise: float, seed: int) -> MetricSeries:
    rng = random.Random(seed)  # noqa: S311 - a drawing, not a secret
    times = tuple(START + timedelta(seconds=BUCKET_SECONDS * i) for i in range(BUCKETS))
    level = [before if t < ONSET else after for t in times]
    values = tuple(round(v + rng.gauss(0, noise), 5) for v in level)
    return MetricSeries(
        metric,
        BUCKET_SECONDS,
        times,
        values,
        (420,) * BUCKETS,
        tuple(round(v - 2 * noise, 5) for v in values),
        tuple(round(v + 2 * noise, 5) for v in values),
        (before,) * BUCKETS,
    )


def _onset(metric: str, minutes: int, direction: str, before: float, after: float) -> Onset:
    at = ONSET + timedelta(minutes=minutes)
    change = after - before
    return Onset(
        metric,
        at,
        (at - timedelta(minutes=5), at + timedelta(minutes=5)),
        direction,
        "step",
        before,
        after,
        change,
        (change - abs(change) * 0.15, change + abs(change) * 0.15),
        1e-9,
    )


def _incident() -> Investigation:
    android = Segment({"device": "android"}, 0.31, 0.86, 0.66, 0.94, 1e-9, (-0.22, -0.18), 9000, 3100, 8.1, 0.98)
    v3 = Segment({"device": "android", "model_version": "v3"}, 0.28, 0.86, 0.64, 0.93, 1e-9, (-0.24, -0.19), 0, 2800)
    return Investigation(
        case=_case(),
        signal=_signal(),
        symptom=_symptom(),
        scope=Scope(
            False,
            (android,),
            "auc",
            "device = android carries 94% of the change",
            singles=(
                android,
                v3,
                Segment({"device": "ios"}, 0.4, 0.862, 0.858, 0.03, 0.6),
                Segment({"country": "DE"}, 0.2, 0.86, 0.78, 0.2, 0.3),
            ),
            mix_rate=(MixRate("device", -0.082, -0.001, -0.081, False, (("android", -0.001, -0.08), ("ios", 0.0, -0.001))),),
        ),
        suspects=parts.suspects(),
        samples=parts.samples(),
        simulation=Simulation(
            (
                Trial(
                    "repair",
                    "feature:device_type",
                    "restores",
                    "Filling device_type as before takes back 88% of the change.",
                    "auc",
                    0.88,
                    (0.74, 1.02),
                ),
                Trial(
                    "replay",
                    "model:v2",
                    "same",
                    "Replaying the golden set through v2 changes nothing.",
                    "auc",
                    0.04,
                    (-0.08, 0.15),
                ),
            ),
            ("a golden set with labels, to replay model v3 with the old key format",),
            True,
        ),
        settlement=parts.settlement(),
        warnings=("labels are missing for 22% of requests after the onset",),
    )


def _case() -> CaseFacts:
    changes = (
        ChangeRecord("chg-09", ONSET - timedelta(hours=26), "flag_change", "checkout", "Turn on the new basket for 5% of users"),
        ChangeRecord(
            "chg-11", ONSET - timedelta(minutes=25), "model_deploy", "fraud-scoring", "Deploy fraud model v3", "", "v2", "v3"
        ),
        ChangeRecord(
            "chg-12",
            ONSET - timedelta(minutes=5),
            "config_change",
            "feature-store",
            "Read keys in the new format",
            "device=android",
        ),
    )
    return CaseFacts(
        "INC-2041",
        "Fraud AUC fell after v3",
        "fraud-scoring",
        DETECTED,
        "AUC 0.86 -> 0.78",
        "binary",
        {
            "time": "ts",
            "score": "score",
            "label": "is_fraud",
            "segments": ["country", "device"],
            "features": ["amount", "device_type"],
        },
        {"task": "label has two values", "time": "the only timestamp column"},
        (
            TableFacts("predictions", ("predictions.parquet",), 67200, 14, "9f2b" * 16),
            TableFacts("changes", ("changes.csv",), 3, 5, "17c4" * 16),
        ),
        changes,
        {"auc": {"min": 0.84}},
    )


def _signal() -> Signal:
    reading = MetricReading("auc", 0.861, 0.779, -0.082, (-0.095, -0.069), 58000, 3600, 1e-12, True, True)
    others = (
        MetricReading("null_rate:device_type", 0.005, 0.18, 0.175, (0.16, 0.19), 58000, 3600, 1e-30, True, True),
        MetricReading("score_mean", 0.031, 0.044, 0.013, (0.01, 0.016), 58000, 3600, 1e-8, True, None),
        MetricReading("latency_p95", 121.0, 123.0, 2.0, (-3.0, 7.0), 58000, 3600, 0.4, False, True),
        MetricReading("error_rate", 0.007, 0.0068, -0.0002, (-0.002, 0.002), 58000, 3600, 0.8, False, False),
    )
    return Signal(
        "auc",
        True,
        "auc fell from 0.861 to 0.779, far beyond its interval",
        reading,
        others,
        0.98,
        0.78,
        ("labels arrive late: the last two hours rest on 78% of requests",),
    )


def _symptom() -> Symptom:
    onsets = (
        _onset("null_rate:device_type", 0, "up", 0.005, 0.18),
        _onset("auc", 0, "down", 0.861, 0.779),
        _onset("score_mean", 10, "up", 0.031, 0.044),
    )
    return Symptom(
        "auc",
        "down",
        "step",
        ONSET,
        (ONSET - timedelta(minutes=5), ONSET + timedelta(minutes=5)),
        0.861,
        0.779,
        -0.082,
        (-0.095, -0.069),
        1e-12,
        ("null_rate:device_type", "score_mean"),
        onsets,
        (Window(START, ONSET - timedelta(minutes=5)), Window(ONSET, START + timedelta(seconds=BUCKET_SECONDS * BUCKETS))),
        "the same hours of the day before",
        ("chg-12",),
        (DeployEffect("chg-12", ONSET, "auc", -0.081, (-0.094, -0.068), 0.0, (-0.004, 0.004), 1e-11),),
        (
            _series("auc", 0.861, 0.779, 0.008, 1),
            _series("null_rate:device_type", 0.005, 0.18, 0.002, 2),
            _series("latency_p95", 121, 122, 4, 3),
        ),
    )


def _quiet(inv: Investigation) -> Investigation:
    reading = MetricReading("auc", 0.861, 0.857, -0.004, (-0.02, 0.012), 58000, 900, 0.6, False, True)
    symptom = replace(
        inv.symptom,
        direction=None,
        shape=None,
        onset=None,
        onset_interval=None,
        after=0.857,
        change=-0.004,
        change_interval=(-0.02, 0.012),
        p_value=0.6,
        also_changed=(),
        onsets=(),
        changes_inside=(),
        deploy_effects=(),
        series=(_series("auc", 0.861, 0.861, 0.008, 1),),
    )
    return replace(
        inv,
        case=replace(inv.case, case_id="INC-2050", title="AUC alert on a slow Sunday"),
        signal=replace(
            inv.signal, holds=False, because="auc is within its usual range for this hour", reading=reading, others=(), notes=()
        ),
        symptom=symptom,
        scope=Scope(False, (), "auc", "nothing to localise"),
        suspects=Suspects(
            (),
            (),
            tuple(CategoryStatus(c.category, "excluded", "the metric did not change") for c in inv.suspects.categories),
            "no_change",
            "the change is within chance (p = 0.6) at this volume",
            0.0,
        ),
        samples=Samples((), (), (), (), "", 0, "nothing changed, so there are no bad rows to look at"),
        simulation=Simulation((), ("nothing to simulate: the metric did not change",)),
        settlement=Settlement(
            Severity(None, ("the metric did not change",)),
            (Mitigation("none", "", True, "nothing is wrong with the service"),),
            (Guardrail("alert", "auc", "fire only above 2,000 labelled requests", "the alert fired on noise at low volume"),),
            (),
            (),
        ),
        warnings=(),
    )


def _benign(inv: Investigation) -> Investigation:
    sale = Segment({"country": "IT"}, 0.34, None, None, 0.9, 1e-9)
    suspect = Suspect(
        1,
        "external",
        "population",
        "chg-09",
        0.9,
        (Evidence("mix", "country=IT grew from 12% to 34% of traffic", 2.0, True),),
        "compare the campaign's calendar with the growth",
        "A campaign brought new visitors from Italy",
    )
    return replace(
        inv,
        case=replace(inv.case, case_id="INC-2051", title="Drift alarm on country"),
        signal=replace(inv.signal, metric="psi:country", because="psi of country rose to 0.3; no outcome moved"),
        symptom=replace(
            inv.symptom, metric="psi:country", direction="up", before=0.01, after=0.3, change=0.29, change_interval=(0.25, 0.33)
        ),
        scope=replace(inv.scope, segments=(sale,), singles=(sale,), because="country = IT grew"),
        suspects=replace(
            inv.suspects,
            items=(suspect,),
            verdict="benign_shift",
            verdict_because="inputs moved, outcomes did not",
            unexplained=0.1,
        ),
        settlement=replace(
            inv.settlement,
            severity=Severity("SEV4", ("no outcome moved",)),
            mitigations=(Mitigation("change_monitoring", "baseline of psi:country", True, "the alarm is about harmless drift"),),
        ),
    )
