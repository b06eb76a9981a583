"""Hand-made findings for the settlement's tests: plain defaults, every part replaceable."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from rca_kit.findings.base import Window
from rca_kit.findings.investigation import CaseFacts, ChangeRecord
from rca_kit.findings.samples import Samples
from rca_kit.findings.scope import Scope, Segment
from rca_kit.findings.signal import MetricReading, Signal
from rca_kit.findings.simulation import Simulation
from rca_kit.findings.suspects import CategoryStatus, Evidence, Suspect, Suspects
from rca_kit.findings.symptom import MetricSeries, Symptom
from rca_kit.loop.s7_settle.facts import Facts, plain_slos

T0 = datetime(2026, 3, 1, tzinfo=UTC)
ONSET = T0 + timedelta(hours=36)
ALERT = ONSET + timedelta(hours=2)


def reading(metric, before, after, worse=True, moved=True, n=5000):
    change = after - before
    return MetricReading(metric, before, after, change, (change - 0.01, change + 0.01), n, n, 1e-9, moved, worse)


def series(metric, before, after, width=600):
    n = 6 * 42
    times = tuple(T0 + timedelta(seconds=width * i) for i in range(n))
    wobble = [0.02 * (after - before) * ((i * 7) % 5 - 2) for i in range(n)]
    values = tuple((after if t >= ONSET else before) + w for t, w in zip(times, wobble, strict=True))
    return MetricSeries(metric, width, times, values, (50,) * n)


def suspect(category="model", subject="model:v3", change="chg-1", p=0.8, **more):
    evidence = (Evidence("version", f"{subject} is worse on the same inputs", 2.0, True),)
    return Suspect(1, category, subject, change, p, evidence, "replay the golden set", title=f"{subject} broke", **more)


def facts(metric="auc", before=0.86, after=0.78, *, verdict="incident", share=0.3, readings=(), suspects=None,
          kind="model_deploy", slos=None, task="binary", confirmed=False, changes=True, checks=(), charted=()) -> Facts:
    change = ChangeRecord("chg-1", ONSET - timedelta(minutes=10), kind, "scorer", "Deploy v3", version_from="v2", version_to="v3")
    case = CaseFacts("INC-1", "t", "fraud", ALERT, "s", task, {"label": "y"}, {}, changes=(change,) if changes else ())
    main = reading(metric, before, after, moved=verdict != "no_change")
    segments = () if share is None else (Segment({"device": "android"}, share, share_of_impact=0.9),)
    found = (suspect(),) if suspects is None else suspects
    windows = (Window(T0, ONSET), Window(ONSET, T0 + timedelta(hours=42)))
    onset = None if verdict == "no_change" else ONSET
    symptom = Symptom(metric, "down", "step", onset, (ONSET, ONSET + timedelta(minutes=5)), before, after, after - before,
                      (-0.1, -0.06), 1e-9, (), (), windows, "", ("chg-1",), (), (series(metric, before, after), *charted))
    return Facts(
        case, Signal(metric, verdict != "no_change", "recomputed", main, tuple(readings), 0.95, 0.94), symptom,
        Scope(is_global=share is None, segments=segments),
        Suspects(found, tuple(checks), (CategoryStatus("infra", "not_tested", "no service metrics"),), verdict, "", 0.1),
        Samples((), (), (), (), ""), Simulation((), ("a model",), confirmed=confirmed), plain_slos(slos),
    )


@pytest.fixture(scope="session")
def f() -> SimpleNamespace:
    """Builders of findings: ``f.facts(metric, before, after, ...)`` and its parts."""
    return SimpleNamespace(facts=facts, reading=reading, series=series, suspect=suspect, T0=T0, ONSET=ONSET, ALERT=ALERT)
