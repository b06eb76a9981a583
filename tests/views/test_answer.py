"""The words of the first screen: for people who do not know the kit's names."""

from __future__ import annotations

from dataclasses import replace

from rca_kit.findings.suspects import Evidence
from rca_kit.views import words
from rca_kit.views.example import example
from rca_kit.views.report.answer import answer, cause_of
from rca_kit.views.report.draft import as_draft
from rca_kit.views.report.render import render_report


def with_first(inv, **changes):
    first, *rest = inv.suspects.items
    return replace(inv, suspects=replace(inv.suspects, items=(replace(first, **changes), *rest)))


def test_what_was_measured_speaks_before_what_was_logged():
    said = (Evidence("change_fit", "c-1: it names x", 9.0, True),
            Evidence("change_time", "c-1 was logged 2 min before", 5.0, True),
            Evidence("service_metrics", "cache_hit_rate: 0.98 -> 0.81", 1.0, True))
    cause = cause_of(with_first(example(), evidence=said).suspects.items[0])
    assert cause.strongest_for.says == "cache_hit_rate: 0.98 → 0.81" and cause.when_changed.check == "change_time"
    only_logged = cause_of(with_first(example(), evidence=said[:2]).suspects.items[0])
    assert only_logged.strongest_for.check == "change_fit" and only_logged.when_changed.check == "change_time"
    nothing = cause_of(with_first(example(), evidence=()).suspects.items[0])
    assert nothing.strongest_for is None and nothing.when_changed is None


def test_the_change_is_described_once():
    logged = Evidence("change_time", "c-1 (keys (new) moved) was logged 2 min before", 5.0, True)
    measured = Evidence("null_rate", "0 -> 1", 1.0, True)
    told = with_first(example(), title="nulls, after c-1 (keys (new) moved)", change_id="c-1", evidence=(measured, logged))
    assert cause_of(told.suspects.items[0]).when_changed.says == "c-1 was logged 2 min before"
    other = with_first(told, title="nulls")
    assert cause_of(other.suspects.items[0]).when_changed.says == logged.says


def test_codes_become_words_on_the_first_screen():
    inv = with_first(example(), title="component:feature-store: cache misses, after CR81")
    inv = replace(inv, suspects=replace(inv.suspects, verdict_because="auc, kpi:clicked got worse"))
    a = answer(as_draft(inv))
    assert a.cause.title == "Feature-store: cache misses, after CR81" and a.because == "AUC, KPI clicked got worse"
    page = render_report(inv, static=True)
    assert "1. Feature-store: cache misses" in page


def test_more_than_all_of_a_change_is_all_of_it():
    inv = example()
    first, *rest = inv.scope.segments
    inv = replace(inv, scope=replace(inv.scope, segments=(replace(first, share_of_impact=1.0035), *rest)))
    assert "all of the change" in answer(as_draft(inv)).whom_note
    assert words.percent(1.0035) == "100%" and words.percent(1.32) == "132%" and words.percent(0.9994) == "99.9%"


def test_names_of_columns_are_left_alone():
    for text in ("auc_model rose", "my.auc", "x:latency_p95", "volume and bias", "http://a", "feature: x", "kpi: y"):
        assert words.for_people(text) == text
