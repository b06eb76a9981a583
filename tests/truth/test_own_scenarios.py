"""Scenarios in files of their own: each is played from its file and put to the truth test, without being named anywhere."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from cli_helpers import run

from rca_kit.errors import BadInput
from rca_kit.sources import open_case
from rca_kit.training.own import Recipe, get_told, write_told
from rca_kit.training.scenarios import SCENARIOS
from rca_kit.training.sessions import key_of, score_session, start_session
from rca_kit.training.truth import Trial, Truth, check_key, truth_test
from rca_kit.training.workbook import open_drill

EXAMPLES = sorted(
    p for p in (Path(__file__).resolve().parents[2] / "docs" / "examples").iterdir() if p.suffix in (".py", ".yaml")
)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_truth_of_every_example_file(path):
    found = truth_test(get_told(str(path)), (4,))
    assert found.exit_code == 0, found.rows()


@pytest.mark.parametrize("slug", sorted(SCENARIOS))
def test_every_scenario_is_announced(slug):
    s = SCENARIOS[slug]
    assert s.topic and s.difficulty in (1, 2, 3) and s.minutes and s.title


def test_a_key_that_does_not_fit_its_case_is_told(tmp_path):
    told = get_told(str(EXAMPLES[0]))
    key = write_told(told, tmp_path / "c", 4, "T-1")
    opened = open_case(tmp_path / "c")
    assert check_key(key, opened, tmp_path / "c") == []
    assert key.onset is not None
    for change, says in (
        ({"change_id": "nope"}, "not in the log"),
        ({"where": ({"planet": "Mars"},)}, "does not have: planet"),
        ({"where": ({"city": "Mars"},)}, "only 0 requests"),
        ({"category": "magic"}, "category 'magic'"),
        ({"subject": "feature:nope"}, "no column"),
        ({"subject": "thing:x"}, "names nothing"),
        ({"summary": ""}, "no summary"),
        ({"onset": None}, "no onset"),
        ({"onset": key.onset.replace(year=2031)}, "outside the log"),
        ({"verdict": "perhaps"}, "verdict 'perhaps'"),
    ):
        problems = check_key(replace(key, **change), opened, tmp_path / "c")
        assert any(says in p for p in problems), (change, problems)


def test_exit_codes_of_the_truth_test():
    good, hard = Trial(1, (), True, True, 1.0, True), Trial(2, (), True, False, 1.0, True)
    assert Truth("x", (good, good, hard)).exit_code == 0
    assert Truth("x", (good, hard, hard)).exit_code == 3
    assert Truth("x", (good, Trial(3, ("no summary",), True, True, 1.0, True))).exit_code == 1


def test_a_session_from_a_file_is_scored_with_that_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mine = tmp_path / "mine.yaml"
    mine.write_text("slug: mine\ntitle: Blocks are up\nworld: fraud\nmechanism: threshold\nrows: 20000\n")
    folder = start_session("mine.yaml", tmp_path / "s", 3)
    assert "threshold" not in (folder / "drill.json").read_text()
    key = key_of(folder)
    open_drill(folder).answer(verdict=key.verdict, category=key.category, subject=key.subject)
    assert {j.question for j in score_session(folder).judged if j.full} >= {"verdict", "category", "subject"}
    text = mine.read_text()
    mine.write_text(text + "# changed\n")
    with pytest.raises(BadInput, match="has changed"):
        key_of(folder)
    mine.rename(tmp_path / "elsewhere.yaml")
    with pytest.raises(BadInput, match="was not found"):
        key_of(folder)
    (tmp_path / "elsewhere.yaml").write_text(text)
    assert key_of(folder, tmp_path / "elsewhere.yaml") == key


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.yaml", "slug: a\ntitle: t\nworld: adds\nmechanism: threshold", "did you mean `ads`"),
        ("a.yaml", "slug: a\ntitle: t\nworld: ads\nmechanism: treshold", "did you mean `threshold`"),
        ("a.yaml", "slug: a\ntitle: t\nworld: eta\nmechanism: prompt-injection", "does not fit"),
        ("a.yaml", "slug: a\ntitel: t\nworld: ads\nmechanism: threshold", "titel|title"),
        ("a.yaml", "slug: A b\ntitle: t\nworld: ads\nmechanism: threshold", "slug"),
        ("a.py", "x = 1", "holds no scenario"),
        ("a.py", "import no_such_module", "cannot be run"),
    ],
)
def test_bad_scenario_files(name, text, says, tmp_path):
    (tmp_path / name).write_text(text)
    with pytest.raises(BadInput, match=says):
        get_told(str(tmp_path / name))
    with pytest.raises(BadInput, match="no such scenario file"):
        get_told(str(tmp_path / "none.py"))


def test_command_line(monkeypatch, capsys):
    recipe = next(p for p in EXAMPLES if p.suffix == ".yaml")
    assert isinstance(get_told(str(recipe)), Recipe)
    ran = run(monkeypatch, capsys, "train", "check", recipe, "--seeds", "1")
    assert ran.code == 0 and "is sound" in ran.out
