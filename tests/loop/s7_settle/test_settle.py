from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from rca_kit.errors import BadInput
from rca_kit.findings.base import plain
from rca_kit.findings.investigation import UnitValue
from rca_kit.findings.scope import Segment
from rca_kit.findings.simulation import Simulation, Trial
from rca_kit.findings.suspects import CheckResult
from rca_kit.loop import s4_suspects
from rca_kit.loop.s7_settle import settle
from rca_kit.loop.s7_settle.checklists import DONE, FOUND, INFRA, LINES, PARITY, TRIAGE
from rca_kit.loop.s7_settle.decisions import load_table, team_table
from rca_kit.loop.s7_settle.proposals import canary_rule
from rca_kit.loop.s7_settle.whys import PEOPLE
from rca_kit.loop.versions.triggers import parse_trigger


def run(facts, **kwargs):
    return settle(facts.case, facts.signal, facts.symptom, facts.scope, facts.suspects, facts.samples, facts.simulation,
                  facts.slos, **kwargs)


def test_an_incident_is_settled_in_all_parts(f):
    s = run(f.facts(slos={"auc": {"min": 0.84}}))
    assert s.severity.level == "SEV2"
    assert all((s.mitigations, s.guardrails, s.whys, s.checklist, s.actions, s.fmea, s.unknowns, s.really_found))
    assert all(a.success_metric for a in s.actions)
    assert {"prevent", "detect", "fix", "learn"} <= {a.kind for a in s.actions}
    assert "SEV2; first: rollback" in s.says()


@pytest.mark.parametrize("verdict", ["incident", "benign_shift", "no_change"])
@pytest.mark.parametrize("suspects", [None, ()])
def test_any_verdict_gives_plain_blameless_text(f, verdict, suspects):
    s = run(f.facts(verdict=verdict, suspects=suspects))
    text = str(plain(s.to_dict()))
    assert not PEOPLE.search(text)
    assert "None:" not in text and "{" not in "".join(m.target for m in s.mitigations)


def test_same_findings_same_settlement(f):
    assert run(f.facts()) == run(f.facts())


def test_checklists_follow_the_checks(f):
    checks = (CheckResult("null_rate", "Nulls", "found", "x 1% -> 20%", "data"),
              CheckResult("drift", "Drift", "clear", "none", "external"),
              CheckResult("text", "Text", "not_applicable", "no text", "code"))
    items = {i.text: i for i in run(f.facts(checks=checks)).checklist if i.list_name == PARITY}
    assert items["Nulls and defaults per feature are as before"].state == "failed"
    assert items["Distributions of inputs are as before"].state == "done"
    assert items["Texts are as long as before"].state == "not_applicable"
    assert items["The decision threshold is as before"].state == "open"
    assert {i.list_name for i in run(f.facts()).checklist} == {TRIAGE, PARITY, INFRA, FOUND, DONE}
    assert {i.list_name for i in run(f.facts(verdict="no_change")).checklist} == {TRIAGE, PARITY, INFRA}


def test_checklist_codes_exist_in_step_four():
    folder = Path(s4_suspects.__file__).parent / "checks"
    source = "".join(p.read_text() for p in sorted(folder.glob("*.py")))
    for _, _, codes, _ in LINES:
        for code in codes:
            assert f'"{code}"' in source


def test_really_found_is_answered_from_evidence(f):
    assert run(f.facts()).really_found.startswith("Not yet: likely (80%)")
    trial = Trial("repair", "feature:x", "restores", "putting x back takes back 5%", restored=0.05)
    tried = replace(f.facts(), simulation=Simulation((trial,), ()))
    assert run(tried).really_found.startswith("No: the targeted change did not remove it")
    sure = replace(f.facts(suspects=(f.suspect(explains_share=0.9),)), simulation=Simulation((trial,), (), confirmed=True))
    assert run(sure).really_found.startswith("Yes, by the evidence")
    assert "no root cause to find" in run(f.facts(verdict="benign_shift")).really_found


def test_it_must_last_and_hold_for_everyone(f):
    def line(facts):
        return next(i for i in run(facts).checklist if i.list_name == FOUND and i.text.startswith("It holds"))

    sure = f.facts(suspects=(f.suspect(explains_share=0.9),))
    assert line(sure).state == "done" and "each third" in line(sure).evidence
    series = sure.symptom.series[0]
    last = sure.symptom.windows[1].start + timedelta(hours=4)
    back = tuple(0.86 if t >= last else v for t, v in zip(series.times, series.values, strict=True))
    gone = replace(sure, symptom=replace(sure.symptom, series=(replace(series, values=back),)))
    assert line(gone).state == "open" and "2 of 3 thirds" in line(gone).evidence

    def singles(*changes):
        return tuple(Segment({"os": str(i)}, 0.2, 0.1, 0.1 + c, n_before=500, n_after=500) for i, c in enumerate(changes))

    whole = f.facts(share=None)
    assert line(whole).state == "open" and "no single value" in line(whole).evidence
    alike = replace(whole, scope=replace(whole.scope, singles=singles(0.1, 0.2, 0.1)))
    assert line(alike).state == "done" and "3 of 3 single values" in line(alike).evidence
    mixed = replace(whole, scope=replace(whole.scope, singles=singles(0.3, -0.1, 0.0)))
    assert line(mixed).state == "open" and "1 of 3 single values" in line(mixed).evidence


def test_a_team_puts_its_table_beside_the_case_or_names_it_for_all(f, tmp_path, monkeypatch):
    monkeypatch.delenv("RCA_KIT_DECISION_TABLE", raising=False)
    assert team_table(tmp_path) is None
    everywhere = tmp_path / "team.yaml"
    everywhere.write_text("disable: [model-rollback]\n")
    monkeypatch.setenv("RCA_KIT_DECISION_TABLE", str(everywhere))
    assert team_table(tmp_path) == everywhere
    beside = tmp_path / "decision_table.yaml"
    beside.write_text("disable: [canary-stop]\n")
    assert team_table(tmp_path) == beside
    assert "canary-stop" not in {r.id for r in load_table(beside)}
    beside.write_text("disable: [data-rerun]\n")  # edited while the notebook is open
    assert {"canary-stop"} <= {r.id for r in load_table(beside)}
    beside.write_text("rules: [{id: x, action: pray}]\n")
    with pytest.raises(BadInput, match="unknown action"):
        team_table(tmp_path)


def test_unknowns_name_rivals_missing_logs_and_late_labels(f):
    rival = replace(f.suspect("config", "threshold", None, 0.3), rank=2)
    facts = f.facts(suspects=(f.suspect(p=0.4), rival), changes=False)
    facts = replace(facts, signal=replace(facts.signal, label_share_after=0.5))
    text = " ".join(run(facts).unknowns)
    for part in ("probability 40%", "40% against 30%", "it was not tried", "infra", "50% of those", "no change log"):
        assert part in text


def test_alert_guardrails_are_back_tested_and_watch_the_cause_first(f):
    nulls = f.series("null_rate:device_type", 0.005, 0.18)
    s = run(f.facts(suspects=(f.suspect("config", "feature:device_type"),), charted=(nulls,)))
    kinds = [(g.kind, g.metric) for g in s.guardrails]
    assert kinds[:2] == [("alert", "null_rate:device_type"), ("alert", "auc")]
    assert ("schema", "feature:device_type") in kinds
    assert ("parity_test", "feature:device_type") in kinds
    assert s.guardrails[0].lead_minutes == pytest.approx(110.0)
    assert s.guardrails[0].false_alarms_per_week == 0.0


def test_quiet_guardrail_says_how_many_rows(f):
    assert "fewer than" in run(f.facts(verdict="no_change")).guardrails[0].rule


@pytest.mark.parametrize("metric", ["auc", "precision", "error_rate", "latency_p95", "kpi:x", "log_loss", "mae"])
def test_canary_rules_are_in_the_notation_of_triggers(f, metric):
    assert parse_trigger(canary_rule(f.facts(metric))).seconds == 300


def test_fmea_grades_stay_in_range_and_late_detection_is_worse(f):
    early, late = f.facts(), f.facts()
    late = replace(late, case=replace(late.case, detected_at=f.ALERT + timedelta(days=20)))
    a, b = run(early).fmea[0], run(late).fmea[0]
    assert b.detection > a.detection
    assert all(1 <= x <= 10 for r in (a, b) for x in (r.severity, r.occurrence, r.detection))
    assert a.rpn == a.severity * a.occurrence * a.detection


def test_team_table_and_values_reach_the_settlement(f, tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text("replace: true\nrules: [{id: a, action: throttle, target: door, why: w, verify: v}]\n")
    found = f.facts("kpi:orders", 0.05, 0.04, readings=[f.reading("kpi:orders", 0.05, 0.04)])
    found = replace(found, case=replace(found.case, impact=(UnitValue("orders", 10.0, "EUR"),)))
    s = run(found, decision_table=own)
    assert [m.action for m in s.mitigations] == ["throttle"]
    # 5,000 requests in six hours after the onset, a hundredth of an order less on each, 10 EUR an order
    assert s.severity.because[0] == "about 83 EUR an hour lost on orders (95%: 0 to 170), at 10 EUR a unit"


def test_money_is_told_only_for_a_kpi_that_got_worse_and_has_a_value(f):
    from rca_kit.loop.s7_settle.severity import money

    found = f.facts("kpi:orders", 0.05, 0.04, readings=[f.reading("kpi:tips", 1.0, 2.0, worse=False)])
    assert money(found) == ()
    assert money(replace(found, case=replace(found.case, impact=(UnitValue("tips", 1.0),)))) == ()
    quiet = f.facts("kpi:orders", 0.05, 0.05, verdict="no_change", readings=[f.reading("kpi:orders", 0.05, 0.05, moved=False)])
    assert money(replace(quiet, case=replace(quiet.case, impact=(UnitValue("orders", 10.0),)))) == ()
