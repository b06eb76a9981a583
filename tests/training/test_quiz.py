from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from cli_helpers import run

from rca_kit.errors import BadInput
from rca_kit.training.forms import quiz_form
from rca_kit.training.quiz import get_quiz, list_quizzes, load_bank, score_quiz
from rca_kit.training.quiz.bank import read_quiz
from rca_kit.views.comms import find_blame


def test_nine_topics_of_eight_questions_each_option_explained():
    bank = load_bank()
    assert len(bank) == 9
    for quiz in bank.values():
        assert len(quiz.questions) == 8
        assert len({q.ask for q in quiz.questions}) == 8
        for q in quiz.questions:
            assert len(q.options) == 4 and sum(o.right for o in q.options) == 1
            assert len({o.text for o in q.options}) == 4
            assert all(o.why[-1] in ".?" for o in q.options), q.ask


def test_the_right_answer_is_no_longer_than_it_must_be_and_stands_anywhere():
    """A group must not win by choosing `a`: the bank lists the right option first, and each quiz is mixed before it is asked."""
    for quiz in list_quizzes():
        letters = [q.right for s in range(5) for q in quiz.mixed(s).questions]
        assert all(letters.count(x) / len(letters) < 0.5 for x in "abcd")


def test_mixing_keeps_questions_and_right_answers():
    for quiz in list_quizzes():
        texts = {q.ask: next(o.text for o in q.options if o.right) for q in quiz.questions}
        mixed = quiz.mixed(7)
        assert {q.ask: next(o.text for o in q.options if o.right) for q in mixed.questions} == texts


@pytest.mark.parametrize(("right", "passed"), [(8, True), (6, True), (5, False), (0, False)])
def test_seventy_per_cent_pass(right, passed):
    quiz = get_quiz("drift-and-data").mixed(3)
    answers = [q.right if i < right else "" for i, q in enumerate(quiz.questions)]
    score = score_quiz(quiz, answers)
    assert (score.right, score.passed) == (right, passed)
    assert score.to_dict()["passed"] is passed


def test_a_wrong_answer_is_explained_with_the_right_one():
    quiz = get_quiz("scope-and-simpson")
    score = score_quiz(quiz, "bbbbbbbb")
    first = score.answers[0]
    assert quiz.questions[0].options[1].why in first.explains() and quiz.questions[0].options[0].why in first.explains()


@pytest.mark.parametrize("answers", ["abc", "a" * 9, "abcdefga", "zzzzzzzz"])
def test_bad_answers_are_refused(answers):
    with pytest.raises(BadInput):
        score_quiz(get_quiz("llm-incidents"), answers)


def test_a_team_s_own_file(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text(
        "topic: own\ntitle: Ours\nquestions:\n"
        "  - ask: 1 + 1?\n    options:\n      - {text: '2', why: By counting., right: true}\n      - {text: '3', why: No.}\n"
    )
    assert score_quiz(get_quiz(str(path)), "a").passed
    for text, says in (
        ("topic: x\nquestions: []", "no list of questions"),
        ("questions:\n  - ask: q\n    options: [{text: a, why: b}, {text: c, why: d}]", "exactly one option"),
        ("questions:\n  - ask: q\n    opts: []", "unknown key `opts`"),
        ("questions:\n  - ask: q\n    options: [{text: a, right: true}, {text: c, why: d}]", "needs `text` and `why`"),
    ):
        path.write_text(text)
        with pytest.raises(BadInput, match=says):
            read_quiz(path)
    with pytest.raises(BadInput, match="did you mean `llm-incidents`"):
        get_quiz("llm-incident")


def test_form_gives_the_same_score_as_the_plain_function():
    form = quiz_form("mitigation-and-severity", seed=2)
    for choice, q in zip(form.choices, form.quiz.questions, strict=True):
        choice.value = q.right
    assert form.check().passed and "8 of 8, passed" in form.said.value


def test_command_line(tmp_path, monkeypatch, capsys):
    assert "llm-incidents" in run(monkeypatch, capsys, "train", "quiz", "list").out
    quiz = get_quiz("llm-incidents").mixed(0)
    letters = [q.right for q in quiz.questions]
    ran = run(monkeypatch, capsys, "train", "quiz", "llm-incidents", "--answers", ",".join(letters))
    assert ran.code == 0 and "8 of 8, passed" in ran.out
    (tmp_path / "a.txt").write_text("\n".join(letters[:5]) + "\n-\n-\n-\n")
    ran = run(monkeypatch, capsys, "train", "quiz", "llm-incidents", "--file", tmp_path / "a.txt")
    assert ran.code == 1 and "5 of 8, not passed" in ran.out
    assert run(monkeypatch, capsys, "train", "quiz", "llm-incidents", "--answers", "abc").code == 2
    assert run(monkeypatch, capsys, "train", "quiz", "nothing").code == 2
    shown = run(monkeypatch, capsys, "train", "quiz", "llm-incidents", "--show")
    assert shown.code == 0 and quiz.questions[0].ask in shown.out


def test_the_words_of_the_right_answers_blame_nobody():
    for quiz in list_quizzes():
        for q in quiz.questions:
            right = next(o for o in q.options if o.right)
            assert not find_blame(right.text), right.text
