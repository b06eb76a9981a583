from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from rca_kit.findings.investigation import UnitValue
from rca_kit.loop.s7_settle.severity import LEVELS, harm, severity


def level(f, *args, **kwargs):
    return severity(f.facts(*args, **kwargs)).level


def test_the_published_example(f):
    found = severity(f.facts(slos={"auc": {"min": 0.84}}, share=0.31))
    assert found.level == "SEV2"
    assert "auc below its SLO 0.84" in found.because
    assert any(b.startswith("31% of requests affected") for b in found.because)


def test_no_change_has_no_level_and_benign_is_at_most_sev4(f):
    assert level(f, verdict="no_change") is None
    assert level(f, verdict="benign_shift", share=None, before=0.9, after=0.5) == "SEV4"


@pytest.mark.parametrize(("metric", "before", "after", "share", "expected"), [
    ("error_rate", 0.01, 0.40, None, "SEV1"), ("error_rate", 0.01, 0.04, None, "SEV2"), ("error_rate", 0.01, 0.012, 0.02, "SEV4"),
    ("auc", 0.86, 0.70, None, "SEV1"), ("auc", 0.86, 0.82, 0.2, "SEV3"), ("latency_p95", 100.0, 900.0, None, "SEV2"),
    ("kpi:clicked", 0.10, 0.095, 0.3, "SEV2"), ("null_rate:x", 0.005, 0.3, 0.3, "SEV2"), ("psi:x", 0.01, 0.4, 0.3, "SEV4"),
])
def test_harm_and_reach(f, metric, before, after, share, expected):
    assert level(f, metric, before, after, share=share) == expected


def test_unsafe_output_is_sev1_however_few_see_it(f):
    toxic = f.reading("kpi:toxic_answer", 0.002, 0.03)
    found = severity(f.facts("kpi:toxic_answer", 0.002, 0.03, share=0.03, readings=[toxic]))
    assert found.level == "SEV1"
    assert "unsafe" in found.because[0]


def test_more_harm_or_more_reach_is_never_less_severe(f):
    drops = [0.855, 0.84, 0.80, 0.70]
    shares = [0.02, 0.2, 0.8]
    rank = [[LEVELS.index(level(f, after=a, share=s)) for s in shares] for a in drops]
    assert all(x >= y for row in rank for x, y in itertools.pairwise(row))
    assert all(x >= y for a, b in itertools.pairwise(rank) for x, y in zip(a, b, strict=True))


def test_error_budget_burn_is_said(f):
    found = severity(f.facts("error_rate", 0.001, 0.02, share=None, slos={"error_rate": {"max": 0.001}}))
    assert any("20 times too fast" in b for b in found.because)


def test_an_slo_broken_before_too_does_not_count(f):
    found = severity(f.facts(slos={"auc": {"min": 0.95}}))
    assert not any("SLO" in b for b in found.because)


def test_money_where_a_unit_has_a_value(f):
    orders = f.reading("kpi:orders", 0.050, 0.045, n=36_000)
    facts = f.facts("kpi:orders", 0.050, 0.045, share=None, readings=[orders])
    found = severity(replace(facts, case=replace(facts.case, impact=(UnitValue("orders", 40.0),))))
    assert any("0.5 points" in b for b in found.because)
    # 36,000 requests in six hours, 0.005 fewer orders each, at 40: 6,000 x 0.005 x 40
    assert found.because[0].startswith("about 1,200 an hour")


@pytest.mark.parametrize(("metric", "before", "after"), [("latency_p95", 0.0, 5.0), ("kpi:x", 0.0, -1.0), ("volume", 0.0, 0.0)])
def test_zero_before_is_no_error(f, metric, before, after):
    assert harm(f.reading(metric, before, after)) in (0, 1, 2, 3)
