from __future__ import annotations

from dataclasses import replace

import pytest

from rca_kit.errors import BadInput
from rca_kit.loop.s7_settle.decisions import ACTIONS, load_table, mitigations

TABLE = load_table()


def actions(f, **kwargs):
    return [m.action for m in mitigations(f.facts(**kwargs), "SEV2", TABLE)]


def test_no_change_and_benign_shift_touch_nothing_in_service(f):
    assert actions(f, verdict="no_change")[0] == "none"
    assert set(actions(f, verdict="benign_shift")) == {"change_monitoring"}


@pytest.mark.parametrize(("category", "subject", "change", "kind", "metric", "first"), [
    ("model", "model:v3", "chg-1", "model_deploy", "auc", "rollback"),
    ("code", "feature:price", "chg-1", "code_deploy", "kpi:x", "rollback"),
    ("config", "threshold", None, "config_change", "recall", "rollback"),
    ("infra", "component:store", None, "infra_change", "latency_p95", "cached_features"),
    ("infra", "component:server", "chg-1", "infra_change", "error_rate", "rollback"),
    ("upstream", "feature:city", None, "upstream_notice", "null_rate:city", "fail_open"),
    ("data", "label", None, "data_pipeline", "auc", "quarantine_batch"),
    ("external", "traffic", None, "campaign", "latency_p95", "throttle"),
    ("external", "population", None, "calendar", "auc", "fallback_model"),
])
def test_first_action_by_finding(f, category, subject, change, kind, metric, first):
    suspects = (f.suspect(category, subject, change),)
    before, after = (0.01, 0.2) if metric.startswith("null") else (0.86, 0.78)
    found = actions(f, metric=metric, before=before, after=after, suspects=suspects, kind=kind)
    assert found[0] == first


def test_upstream_or_external_causes_are_never_rolled_back(f):
    for category, subject in (("upstream", "component:api"), ("external", "population")):
        assert "rollback" not in actions(f, suspects=(f.suspect(category, subject, "chg-1"),), kind="upstream_notice")


def test_target_names_versions_and_each_says_how_to_verify(f):
    found = mitigations(f.facts(), "SEV2", TABLE)
    assert found[0].target == "model v3 -> v2"
    assert all(m.verify and m.why for m in found)
    assert all("before the next change" in m.verify for m in found)


def test_unsafe_text_is_withheld_first(f):
    facts = f.facts("kpi:toxic", 0.002, 0.05, task="text", suspects=(f.suspect("external", "population", None),),
                    readings=[f.reading("kpi:toxic", 0.002, 0.05)])
    assert mitigations(facts, "SEV1", TABLE)[0].action == "fail_closed"


def test_unlikely_causes_lead_to_a_known_good_path(f):
    assert "fallback_model" in actions(f, suspects=(f.suspect(p=0.2),))
    assert mitigations(f.facts(suspects=()), "SEV2", TABLE)[0].action == "fallback_model"


def test_order_is_by_risk_and_actions_are_public(f):
    risk = {r.id: r.risk for r in TABLE}
    assert set(risk.values()) <= {1, 2, 3, 4, 5}
    assert {r.action for r in TABLE} == set(ACTIONS)
    found = mitigations(f.facts(suspects=(f.suspect("data", "feature:x", None),)), "SEV2", TABLE)
    assert found[-1].action == "fix_forward"
    assert not found[-1].reversible


def test_a_team_overrides_adds_and_disables(f, tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text("""
disable: [canary-stop]
rules:
  - {id: model-rollback, when: {category: model}, action: fallback_model, target: "page ML for {version_to}", risk: 1,
     reversible: true, why: ours, verify: ours}
""")
    found = mitigations(f.facts(), "SEV2", load_table(own))
    assert found[0].action == "fallback_model"
    assert found[0].target == "page ML for v3"
    assert "canary-stop" not in {r.id for r in load_table(own)}
    own2 = tmp_path / "replace.yaml"
    own2.write_text("replace: true\nrules: [{id: a, action: none, target: t}]\n")
    assert [r.id for r in load_table(own2)] == ["a"]


@pytest.mark.parametrize(("text", "says"), [
    ("rules: [{id: a, action: rolback}]", "did you mean `rollback`"),
    ("rules: [{id: a, action: none, when: {categry: model}}]", "did you mean `category`"),
    ("rules: [{id: a, action: none, when: {category: modell}}]", "did you mean `model`"),
    ("rules: [{id: a, action: none, target: '{subjct}'}]", "did you mean `subject`"),
    ("rules: [{id: a, action: none, target: '{subject.__class__}'}]", "unknown field"),
    ("rules: [{id: a, action: none, target: '{'}]", "brace"),
    ("rules: [{action: none}]", "no `id`"), ("rules: 3", "no list"),
    ("disable: [model-rolback]", "did you mean `model-rollback`"),
    ("rules: [{id: a, action: none, risk: 9}]", "1 to 5"), ("ruls: []", "did you mean `rules`"),
])
def test_a_wrong_table_is_told(tmp_path, text, says):
    path = tmp_path / "t.yaml"
    path.write_text(text)
    with pytest.raises(BadInput) as caught:
        load_table(path)
    assert says in str(caught.value)


def test_names_with_braces_from_the_data_stay_text(f):
    found = mitigations(f.facts(suspects=(f.suspect("data", "feature:{0.__class__}", None),)), "SEV2", TABLE)
    assert any("{0.__class__}" in m.target for m in found)


def test_a_change_that_may_have_brought_the_thing_is_not_the_first_to_be_taken_back(f):
    thing = f.suspect("infra", "component:store", None, 0.6)
    perhaps = replace(f.suspect("infra", "component:store", "chg-1", 0.3), rank=2)
    assert actions(f, metric="latency_p95", suspects=(thing, perhaps), kind="infra_change")[0] == "cached_features"
    other = replace(perhaps, subject="component:server")
    assert actions(f, metric="latency_p95", suspects=(thing, other), kind="infra_change")[0] == "rollback"
