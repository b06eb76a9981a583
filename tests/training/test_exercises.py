from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parents[1]))
from cli_helpers import run

from rca_kit.errors import BadInput
from rca_kit.training.exercises import check_exercise, game_day, list_exercises, start_exercise

CANARY = Path(__file__).resolve().parents[2] / "data" / "samples" / "fraud-canary"

GOOD_POST_MORTEM = {
    "exercise": "post-mortem",
    "summary": "From 09:10 to 16:10 mobile visitors saw expensive offers first, because prices arrived in cents; revenue fell.",
    "detect_minutes": 210,
    "recover_minutes": 420,
    "impact": "about 9 % of the revenue per visit of 46 % of visitors for seven hours",
    "contributing_factors": ["prices had no unit in the contract", "forty drift alerts a week, so one was closed as noise"],
    "whys": [
        {
            "why": "Why did revenue per visit fall?",
            "because": "mobile prices were a hundred times too high, and cheap offers sank in the list",
        },
        {"why": "Why were they too high?", "because": "client 4.2 sends cents, and the ranking feature expects whole units"},
        {"why": "Why could that be released?", "because": "no contract test covers the unit of catalogue prices per client"},
    ],
    "actions": [
        {
            "text": "contract test on price units",
            "kind": "prevent",
            "owner": "catalogue",
            "due": "2026-05-01",
            "metric": "runs in 100 % of releases",
        },
        {
            "text": "retune drift alerts",
            "kind": "detect",
            "owner": "ranking",
            "due": "2026-05-08",
            "metric": "under 3 alerts a week",
        },
    ],
}
GOOD_PLAN = {
    "exercise": "deprecation",
    "dependencies": [
        {"caller": c, "owner": o, "ready": "no"}
        for c, o in (
            ("mail-campaign", "growth"),
            ("account-page", "web"),
            ("finance-forecast", "finance"),
            ("retention-calls", "support"),
        )
    ],
    "risks": [
        {
            "risk": "calls above 0.72 mean something else",
            "first": "recompute the threshold on shadow traffic",
            "sign": "calls per day move by 10 %",
        },
        {"risk": "a caller nobody knew", "first": "log callers for 31 days", "sign": "a request from an unknown caller"},
    ],
    "phases": [
        {"name": "announce", "days": 14, "gate": "100 % of owners have answered", "back": "nothing changed", "owner": "ml"},
        {"name": "shadow", "days": 31, "gate": "equivalent within 1 % in each segment", "back": "stop", "owner": "ml"},
        {"name": "canary", "days": 7, "gate": "error rate under 1 %", "back": "route back", "owner": "ml"},
        {"name": "remove", "days": 31, "gate": "no caller for 31 days", "back": "restore the release", "owner": "ml"},
    ],
    "rollback_trigger": "error rate above 1 % for 10 minutes, or any segment 5 % worse",
}


def write(folder: Path, data: dict) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "answer.yaml").write_text(yaml.safe_dump(data))
    return folder


@pytest.mark.parametrize("answer", [GOOD_POST_MORTEM, GOOD_PLAN], ids=lambda a: a["exercise"])
def test_a_good_answer_passes_every_check(answer, tmp_path):
    found = check_exercise(write(tmp_path / "x", answer))
    assert found.passed and all(c.holds for c in found.checks), [c for c in found.checks if not c.holds]


@pytest.mark.parametrize("name", ["post-mortem", "deprecation"])
def test_the_blank_passes_nothing_that_matters(name, tmp_path):
    folder = start_exercise(name, tmp_path / "x")
    assert "answer.yaml" in (folder / "TASK.md").read_text()
    found = check_exercise(folder)
    held = [c.check for c in found.checks if c.holds]
    assert not found.passed and set(held) <= {"blameless", "order", "in steps"}, held
    with pytest.raises(BadInput, match="nothing is overwritten"):
        start_exercise(name, folder)


@pytest.mark.parametrize(
    ("change", "fails"),
    [
        ({"detect_minutes": 20}, "detect minutes"),
        ({"recover_minutes": None}, "recover minutes"),
        ({"impact": "a lot"}, "impact"),
        (
            {
                "summary": "It broke because the catalogue people forgot to tell anybody, obviously careless of them all."
            },
            "blameless",
        ),
        ({"whys": GOOD_POST_MORTEM["whys"][:2]}, "whys"),
        ({"actions": [{"text": "be careful", "kind": "prevent", "owner": "all", "due": "soon", "metric": "none"}]}, "actions"),
        ({"actions": []}, "prevents"),
        ({"contributing_factors": []}, "contributing factors"),
    ],
)
def test_each_check_of_a_post_mortem_can_fail(change, fails, tmp_path):
    found = check_exercise(write(tmp_path / "x", GOOD_POST_MORTEM | change))
    assert fails in [c.check for c in found.checks if not c.holds]


@pytest.mark.parametrize(
    ("change", "fails"),
    [
        ({"dependencies": GOOD_PLAN["dependencies"][:2]}, "all callers"),
        ({"dependencies": [d | {"owner": "unknown"} for d in GOOD_PLAN["dependencies"]]}, "owners"),
        ({"risks": []}, "risks"),
        ({"phases": GOOD_PLAN["phases"][::-1]}, "order"),
        ({"phases": GOOD_PLAN["phases"][:2]}, "in steps"),
        ({"phases": [p | {"days": 1} for p in GOOD_PLAN["phases"]]}, "notice"),
        ({"phases": [p | {"back": ""} for p in GOOD_PLAN["phases"]]}, "gates"),
        ({"phases": [p | {"gate": "when it feels right"} for p in GOOD_PLAN["phases"]]}, "measured"),
        ({"rollback_trigger": "when it is bad"}, "trigger"),
        ({"risks": [GOOD_PLAN["risks"][1], {"risk": "cost", "first": "measure", "sign": "bill"}]}, "cut-off"),
    ],
)
def test_each_check_of_a_plan_can_fail(change, fails, tmp_path):
    found = check_exercise(write(tmp_path / "x", GOOD_PLAN | change))
    assert fails in [c.check for c in found.checks if not c.holds]


def test_blame_alone_fails_a_post_mortem(tmp_path):
    text = GOOD_POST_MORTEM["summary"] + " It was human error."
    assert not check_exercise(write(tmp_path / "x", GOOD_POST_MORTEM | {"summary": text})).passed


def test_bad_files_are_refused(tmp_path):
    with pytest.raises(BadInput, match="no answer"):
        check_exercise(tmp_path)
    with pytest.raises(BadInput, match="did you mean `deprecation`"):
        check_exercise(write(tmp_path / "y", {"exercise": "deprecations"}))
    with pytest.raises(BadInput):
        check_exercise(write(tmp_path / "z", {"x": 1}))


def test_game_day_sets_a_decision_beside_the_triggers():
    found = game_day(CANARY, "2026-02-28T12:00Z", ("p50 +30 ms for 60 min", "p50 +3000 ms for 60 min", "p99 +50 ms for 5 min"))
    slow, never, hasty = found.triggers
    assert found.candidate == "v3" and found.decided_minutes == pytest.approx(194, abs=1)
    assert slow.fired_at is not None and slow.false_alarm is False and slow.served < found.decided_served
    assert never.fired_at is None and never.served is None
    assert hasty.minutes < slow.minutes and hasty.false_alarm is True
    assert found.best is slow and "stays silent" in found.says()
    with pytest.raises(BadInput, match="before the canary"):
        game_day(CANARY, "2026-02-01", ("p50 +30 ms for 60 min",))


def test_command_line(tmp_path, monkeypatch, capsys):
    listed = run(monkeypatch, capsys, "train", "exercise", "list")
    assert all(e.name in listed.out for e in list_exercises())
    folder = tmp_path / "pm"
    assert run(monkeypatch, capsys, "train", "exercise", "post-mortem", "--dir", folder).code == 0
    ran = run(monkeypatch, capsys, "train", "exercise", folder)
    assert ran.code == 1 and "NO  actions" in ran.out
    write(folder, GOOD_POST_MORTEM)
    assert run(monkeypatch, capsys, "train", "exercise", folder).code == 0
    assert run(monkeypatch, capsys, "train", "exercise", "nothing", "--dir", tmp_path / "n").code == 2
    ran = run(monkeypatch, capsys, "train", "game-day", CANARY, "--rule", "p50 +30 ms for 60 min")
    assert ran.code == 0 and "silent" in ran.out
