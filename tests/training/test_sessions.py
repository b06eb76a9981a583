from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import polars as pl
import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parents[1]))
from cli_helpers import run

from rca_kit.case.journal import Journal
from rca_kit.errors import BadInput
from rca_kit.sources import open_case
from rca_kit.training import Key, list_sessions, open_drill, score_session, start_session, take_hint
from rca_kit.training.answers import Answers, check_answers, read_answers, write_answers
from rca_kit.training.drill_file import DrillFile
from rca_kit.training.hints import METHOD, make_hint
from rca_kit.training.questions import questions, steps
from rca_kit.training.scenarios import SCENARIOS
from rca_kit.training.sessions import key_of

SEED = 11


@pytest.fixture(scope="module")
def session(tmp_path_factory) -> Path:
    return start_session("feature-store-outage", tmp_path_factory.mktemp("s") / "one", SEED)


def test_all_twenty_are_listed_with_topic_difficulty_and_time():
    listed = list_sessions()
    assert {s.slug for s in listed} == set(SCENARIOS) and len(listed) == 20
    assert all(s.topic and s.difficulty in (1, 2, 3) and s.minutes in (30, 45, 60) for s in listed)
    assert [s.difficulty for s in listed] == sorted(s.difficulty for s in listed)


def test_the_case_opens_and_holds_no_answer(session):
    opened = open_case(session)
    assert opened.case.incident.id.startswith("DRILL-") and opened.row_count > 10_000
    key = key_of(session)
    texts = {p.name: p.read_text() for p in session.rglob("*") if p.suffix in (".json", ".jsonl", ".yaml", ".ipynb", ".py")}
    for name, text in texts.items():
        assert "feature-store-outage" not in text, name
        assert key.summary not in text and key.mitigation not in text, name
        assert SCENARIOS["feature-store-outage"].case_id not in text, name
        assert f'"{SEED}"' not in text and f": {SEED}," not in text, name
    assert not [p for p in session.rglob("*") if "key" in p.name]


def test_the_key_is_made_again_and_fits_the_folder(session):
    key = key_of(session)
    assert key == key_of(session)
    logged = pl.read_csv(session / "changes.csv")["id"].to_list()
    assert key.change_id in logged and set(key.innocent) < set(logged)
    assert key.case_id == open_case(session).case.incident.id


def test_two_seeds_give_other_numbers_and_one_seed_the_same(tmp_path):
    a, b, c = (start_session("quiet-day", tmp_path / n, s) for n, s in (("a", 1), ("b", 2), ("c", 1)))
    logs = [(p / "predictions.csv").read_bytes() for p in (a, b, c)]
    assert logs[0] == logs[2] != logs[1]
    ids = [DrillFile.load(p).id for p in (a, b, c)]
    assert ids[0] == ids[2] != ids[1]
    alerts = [yaml.safe_load((p / "incident.yaml").read_text())["signal"]["summary"] for p in (a, b)]
    assert not any(re.search(r"\d", s) for s in alerts)


def test_without_a_seed_two_groups_differ(tmp_path):
    a, b = (start_session("quiet-day", tmp_path / n) for n in "ab")
    assert DrillFile.load(a).seed != DrillFile.load(b).seed


def test_any_picks_one(tmp_path):
    made = start_session("any", tmp_path / "x", 4)
    assert DrillFile.load(made).scenario in SCENARIOS


def test_nothing_is_overwritten(session, tmp_path):
    with pytest.raises(BadInput, match="nothing is overwritten"):
        start_session("quiet-day", session, 1)
    with pytest.raises(BadInput, match="did you mean `quiet-day`"):
        start_session("quiet-dai", tmp_path / "x", 1)
    assert not (tmp_path / "x").exists()
    with pytest.raises(BadInput, match="negative"):
        start_session("quiet-day", tmp_path / "x", -1)


def right_answers(key: Key) -> dict:
    return {
        "verdict": key.verdict,
        "onset": key.onset,
        "where": list(key.where) or "all",
        "category": key.category,
        "subject": key.subject,
        "change": key.change_id,
        "tests": ["stage_timing"],
        "decides": "stage_timing",
    }


def test_right_answers_win_and_wrong_ones_lose_and_say_why(session, tmp_path):
    import shutil

    folder = tmp_path / "copy"
    shutil.copytree(session, folder)
    key, drill = key_of(folder), open_drill(folder)
    with pytest.raises(BadInput, match="no question is answered"):
        score_session(folder)
    assert drill.score() is None
    drill.answer(
        **right_answers(key),
        mitigation="cached_features",
        severity="SEV2",
        differs=["fetch_ms"],
        metric="latency_p95",
        guardrail={"metric": "latency_p95", "rule": "> 90 for 30m"},
        last_why="No load test covers the feature store",
    )
    good = drill.score()
    assert good is not None and good.points > 85, good.rows()
    assert good.onset_error_minutes == 0 and good.scope_f1 == 1.0 and not good.false_accusations and not good.wasted_tests
    assert good.mitigation_risk == 2
    by_name = {j.question: j for j in good.judged}
    assert {"verdict", "onset", "where", "category", "subject", "change"} <= {j.question for j in good.judged if j.full}
    assert by_name["mitigation"].points == pytest.approx(0.8 * by_name["mitigation"].of)  # a roll-back risks one step less
    assert "Tried out on the log" in by_name["guardrail"].why
    assert by_name["category"].kit and by_name["category"].look_at

    innocent = key.innocent[0]
    drill.answer(
        verdict="no_change",
        onset="2020-01-01",
        where=[{"country": "DE"}],
        category="external",
        change=innocent,
        accused=[innocent],
        tests=["restart_everything", "retrain", "wait_for_labels"],
        decides="retrain",
        mitigation="change_monitoring",
        guardrail={"metric": "latency_p95", "rule": "> 9000"},
        last_why="An engineer forgot to test",
    )
    bad = drill.score()
    assert bad is not None and bad.points < 20
    assert bad.false_accusations == (innocent,) and len(bad.wasted_tests) == 3 and bad.mitigation_risk is None
    by_name = {j.question: j for j in bad.judged}
    assert "innocent" in by_name["change"].why and "missed incident" in by_name["verdict"].why
    assert "early" in by_name["onset"].why and "silent" in by_name["guardrail"].why and "person" in by_name["last_why"].why
    assert by_name["verdict"].points == 0 and by_name["tests"].points == 0


def test_hints_cost_once_and_are_counted(session, tmp_path):
    import shutil

    folder = tmp_path / "copy"
    shutil.copytree(session, folder)
    open_drill(folder).answer(verdict="incident")
    before = score_session(folder).points
    first, second, again = (take_hint(folder, "2") for _ in range(3))
    assert (first.level, second.level, again.level) == (1, 2, 2) and again.cost == 0 and again.text == second.text
    after = score_session(folder)
    assert after.hints == 2 and after.hint_cost == first.cost + second.cost
    assert after.points == pytest.approx(before - after.hint_cost)
    with pytest.raises(BadInput, match="did you mean `scope`"):
        take_hint(folder, "scop")


@pytest.mark.parametrize("slug", sorted(SCENARIOS))
def test_hints_of_every_scenario_say_less_than_the_answer(slug):
    key = Key.load(Path(__file__).parents[2] / "data" / "keys" / f"{slug}.json")
    for step in METHOD:
        for level in (1, 2):
            text = make_hint(key, step, level).text
            assert text and (not key.change_id or key.change_id not in text)
            assert key.onset is None or f"{key.onset:%H:%M}" not in text or key.onset.hour % 6 == key.onset.minute == 0
    if key.category:
        assert key.category in make_hint(key, "suspects", 2).text


def test_answers_round_trip_with_questions_beside_them(tmp_path):
    given = {
        "verdict": "incident",
        "onset": "2026-03-02T16:05+02:00",
        "where": {"os": ["a", None], "n": {"ge": 1, "lt": 3}},
        "change": "not_logged",
        "accused": "c1",
        "guardrail": {"metric": "auc", "rule": "< 0.8 for 10m"},
        "last_why": "No test: covers # it",
    }
    answers = check_answers(given)
    path = write_answers(tmp_path, answers, "T\nx: evil")
    assert read_answers(tmp_path) == answers
    text = path.read_text()
    assert all(f"\n{name}:" in text for name in questions()) and "onset: 2026-03-02T14:05:00Z" in text
    assert "\nx: evil" not in text
    assert {q.name for s in steps() for q in s.fields} == set(Answers.model_fields)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"verdict": "yes"}, "expected incident, benign_shift or no_change"),
        ({"onset": "yesterday"}, "is not a time"),
        ({"categroy": "data"}, "did you mean `category`"),
        ({"subject": "featur:x"}, "did you mean `feature`"),
        ({"tests": ["replay_golden"]}, "did you mean `replay_golden_set`"),
        ({"guardrail": {"metric": "auc", "rule": "when bad"}}, "no alert rule"),
        ({"where": "android"}, "expected all, or a list"),
        ({"mitigation": "reboot"}, "expected rollback"),
    ],
)
def test_bad_answers_are_said(data, says):
    with pytest.raises(BadInput, match=re.escape(says)):
        check_answers(data)


def test_marks_of_the_group_do_not_come_back_as_the_kit_s_opinion(tmp_path):
    folder = start_session("quiet-day", tmp_path / "q", 3)
    drill = open_drill(folder)
    innocent = drill.changes.entries[0]["id"]
    drill.answer(verdict="no_change")
    Journal(folder).add("confirmed", "surely", author="group", data={"change_id": innocent})
    Journal(folder).add("suspect", "ours", data={"category": "code", "subject": "threshold", "change_id": innocent})
    score = score_session(folder)
    assert {j.kit for j in score.judged if j.question == "verdict"} == {"no_change"} and "ours" not in score.kit_first


def test_quiet_day_rewards_saying_nothing(tmp_path):
    folder = start_session("quiet-day", tmp_path / "q", 3)
    drill = open_drill(folder)
    drill.answer(verdict="no_change", severity="none", mitigation="none")
    assert drill.score().points == 100
    drill.answer(
        verdict="incident", onset=drill.alert_time, change=drill.changes.entries[0]["id"], severity="SEV2", mitigation="rollback"
    )
    bad = drill.score()
    assert bad.points == 0 and bad.false_accusations


def test_a_session_file_that_was_changed_is_refused(session, tmp_path):
    (tmp_path / "drill.json").write_text("{}")
    with pytest.raises(BadInput, match="cannot be read"):
        DrillFile.load(tmp_path)
    with pytest.raises(BadInput, match="no training session"):
        score_session(tmp_path / "nothing")
    data = json.loads((session / "drill.json").read_text()) | {"version": 9}
    (tmp_path / "drill.json").write_text(json.dumps(data))
    with pytest.raises(BadInput, match="another version"):
        DrillFile.load(tmp_path)


def test_models_of_a_variant_answer_under_names_that_tell_nothing(tmp_path):
    from rca_kit.loop.versions.gates import replay_case

    folder = start_session("auc-drop-null-feature", tmp_path / "m", 8)
    text = (folder / "incident.yaml").read_text() + "".join(p.read_text() for p in folder.glob("*.py"))
    assert "new_key" not in text and "auc-drop" not in text
    replay, code = replay_case(folder)
    assert replay.verdict == "worse" and code == 1


def test_command_line(tmp_path, monkeypatch, capsys):
    ran = run(monkeypatch, capsys, "train", "list")
    assert ran.code == 0 and "quiet-day" in ran.out and "hard" in ran.out
    folder = tmp_path / "d"
    assert run(monkeypatch, capsys, "train", "start", "quiet-day", "--seed", "3", "--dir", folder).code == 0
    assert (folder / "notebooks" / "drill.ipynb").is_file()
    ran = run(monkeypatch, capsys, "train", "score", folder)
    assert ran.code == 2 and "no question is answered" in ran.err
    (folder / "answers.yaml").write_text("verdict: no_change\nonset: soon\n")
    ran = run(monkeypatch, capsys, "train", "score", folder)
    assert ran.code == 2 and "answers.yaml" in ran.err and "not a time" in ran.err and "Traceback" not in ran.err
    (folder / "answers.yaml").write_text("verdict: no_change\nmitigation: none\nseverity: none\n")
    ran = run(monkeypatch, capsys, "train", "score", folder, "--report", tmp_path / "d.html", "--json", tmp_path / "d.json")
    assert ran.code == 0 and "100 of 100" in ran.out
    assert "Debrief" in (tmp_path / "d.html").read_text() and json.loads((tmp_path / "d.json").read_text())["points"] == 100
    assert run(monkeypatch, capsys, "train", "hint", folder, "signal").code == 0
    assert [e.kind for e in Journal(folder).entries()] == ["drill", "drill", "hint"]
    assert run(monkeypatch, capsys, "train", "start", "no-such").code == 2
    assert run(monkeypatch, capsys, "train", "tests").code == 0


def test_lab_opens_the_notebook_of_the_session(session, monkeypatch, capsys):
    ran = run(monkeypatch, capsys, "lab", session, "--no-start")
    assert ran.code == 0 and ran.out.strip().endswith("drill.ipynb")
