"""The bank: one YAML file per topic, checked when it is read; a team's own file has the same form."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np

from rca_kit.case.yamlio import load_yaml
from rca_kit.errors import BadInput, did_you_mean

PER_TOPIC = 8
LETTERS = "abcdefgh"


@dataclass(frozen=True)
class Option:
    """One answer to choose, with the reason why it is right or wrong."""

    text: str
    right: bool
    why: str


@dataclass(frozen=True)
class QuizQuestion:
    """One question; exactly one option is right."""

    ask: str
    options: tuple[Option, ...]

    @property
    def right(self) -> str:
        """Letter of the right option."""
        return LETTERS[next(i for i, o in enumerate(self.options) if o.right)]


@dataclass(frozen=True)
class Quiz:
    """The questions of one topic."""

    topic: str
    title: str
    questions: tuple[QuizQuestion, ...]

    def mixed(self, seed: int) -> Quiz:
        """Give the same quiz with questions and options in another order.

        Examples
        --------
        >>> quiz = get_quiz("llm-incidents")
        >>> quiz.mixed(1) == quiz.mixed(1), quiz.mixed(1) == quiz
        (True, False)
        """
        rng = np.random.default_rng(seed)
        order = [self.questions[int(i)] for i in rng.permutation(len(self.questions))]
        return Quiz(
            self.topic,
            self.title,
            tuple(QuizQuestion(q.ask, tuple(q.options[int(i)] for i in rng.permutation(len(q.options)))) for q in order),
        )


@cache
def load_bank() -> dict[str, Quiz]:
    """Read every topic that comes with the kit.

    Examples
    --------
    >>> {len(q.questions) for q in load_bank().values()}
    {8}
    """
    out: dict[str, Quiz] = {}
    for entry in sorted(files("rca_kit.training.quiz").iterdir(), key=lambda e: e.name):
        if entry.name.endswith(".yaml"):
            with as_file(entry) as path:
                quiz = read_quiz(path)
            out[quiz.topic] = quiz
    return out


def list_quizzes() -> tuple[Quiz, ...]:
    """List the quizzes that come with the kit."""
    return tuple(load_bank().values())


def get_quiz(topic: str) -> Quiz:
    """Find a quiz by its topic, or read a file of one's own.

    Raises
    ------
    BadInput
        When there is none, or the file is no quiz.
    """
    if topic.endswith((".yaml", ".yml")):
        return read_quiz(Path(topic))
    bank = load_bank()
    if topic not in bank:
        raise BadInput(
            "there is no quiz on this topic", found=topic, expected="one of " + ", ".join(bank), hint=did_you_mean(topic, bank)
        )
    return bank[topic]


def read_quiz(path: Path) -> Quiz:
    """Read one file: topic, title, and questions with `ask` and `options`, of which exactly one is `right`.

    Raises
    ------
    BadInput
        Naming the question that is wrong.
    """
    data = load_yaml(path)
    _only(data, ("topic", "title", "questions"), path, "the file")
    listed = data.get("questions")
    if not isinstance(listed, list) or not listed:
        raise BadInput("`questions` is no list of questions", file=str(path))
    questions = tuple(_question(q, i, path) for i, q in enumerate(listed, 1))
    return Quiz(str(data.get("topic") or path.stem), str(data.get("title") or path.stem), questions)


def _question(data: Any, number: int, path: Path) -> QuizQuestion:
    place = f"question {number}"
    if not isinstance(data, dict):
        raise BadInput(f"{place} is no mapping", file=str(path))
    _only(data, ("ask", "options"), path, place)
    listed = data.get("options")
    if not data.get("ask") or not isinstance(listed, list) or not 2 <= len(listed) <= len(LETTERS):
        raise BadInput(f"{place} needs `ask` and two to {len(LETTERS)} `options`", file=str(path))
    options = []
    for o in listed:
        if not isinstance(o, dict) or not o.get("text") or not o.get("why"):
            raise BadInput(f"{place}: an option needs `text` and `why`", file=str(path), found=str(o)[:80])
        _only(o, ("text", "why", "right"), path, place)
        options.append(Option(str(o["text"]), o.get("right") is True, str(o["why"])))
    if sum(o.right for o in options) != 1:
        raise BadInput(f"{place}: exactly one option is right", file=str(path), found=str(sum(o.right for o in options)))
    return QuizQuestion(str(data["ask"]), tuple(options))


def _only(data: dict[str, Any], known: tuple[str, ...], path: Path, place: str) -> None:
    for key in data:
        if key not in known:
            raise BadInput(f"{place}: unknown key `{key}`", file=str(path), hint=did_you_mean(str(key), known))
