"""The questions of a session and the tests a group may ask for, as data."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from rca_kit.errors import BadInput, did_you_mean


@dataclass(frozen=True)
class Question:
    """One question: the field of `answers.yaml` it fills, and what it is worth."""

    step: str
    name: str
    ask: str
    expected: str
    of: float


@dataclass(frozen=True)
class StepQuestions:
    """The questions of one of the seven steps."""

    step: str
    title: str
    asks: str
    fields: tuple[Question, ...]


@dataclass(frozen=True)
class KnownTest:
    """A test a group can ask for: minutes it takes, categories or verdicts in which it decides, subjects it is about."""

    name: str
    title: str
    minutes: int
    decides: tuple[str, ...]
    subjects: tuple[str, ...] = ()

    def tells(self, categories: tuple[str, ...], subjects: tuple[str, ...], verdict: str) -> bool:
        """Whether it can tell this cause from its rivals.

        Examples
        --------
        >>> known_test("replay_thresholds").tells(("config",), ("threshold",), "incident")
        True
        >>> known_test("replay_thresholds").tells(("config",), ("feature:amount",), "incident")
        False
        """
        if verdict != "incident" and verdict in self.decides:
            return True
        if not set(self.decides) & set(categories):
            return False
        heads = {s.partition(":")[0] for s in subjects}
        return not self.subjects or not heads or bool(heads & set(self.subjects))


def _data(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load(files("rca_kit.training").joinpath(name).read_text(encoding="utf-8"))
    return found


@cache
def steps() -> tuple[StepQuestions, ...]:
    """Give the questions, step by step.

    Examples
    --------
    >>> [s.step for s in steps()]
    ['signal', 'symptom', 'scope', 'suspects', 'samples', 'simulate', 'settle']
    """
    return tuple(
        StepQuestions(
            s["step"],
            s["title"],
            s["asks"],
            tuple(Question(s["step"], f["name"], f["ask"], f["expected"], float(f["of"])) for f in s["fields"]),
        )
        for s in _data("questions.yaml")
    )


@cache
def questions() -> dict[str, Question]:
    """All questions by the field they fill."""
    return {q.name: q for s in steps() for q in s.fields}


def get_step(name: str) -> StepQuestions:
    """Find a step by its name or number.

    Raises
    ------
    BadInput
        When there is none.

    Examples
    --------
    >>> get_step("3").step
    'scope'
    """
    listed = steps()
    if name.isdigit() and 1 <= int(name) <= len(listed):
        return listed[int(name) - 1]
    found = next((s for s in listed if s.step == name.strip().lower()), None)
    if found is None:
        known = [s.step for s in listed]
        raise BadInput(
            "there is no such step", found=name, expected=", ".join(known) + ", or 1 to 7", hint=did_you_mean(name, known)
        )
    return found


@cache
def known_tests() -> tuple[KnownTest, ...]:
    """Every test a group can ask for."""
    return tuple(
        KnownTest(t["name"], t["title"], int(t["minutes"]), tuple(t["decides"]), tuple(t.get("subjects", ())))
        for t in _data("tests.yaml")
    )


def known_test(name: str) -> KnownTest:
    """Find a test by its name; BadInput when there is none."""
    listed = {t.name: t for t in known_tests()}
    if name not in listed:
        raise BadInput(
            "there is no such test", found=name, expected="one of " + ", ".join(listed), hint=did_you_mean(name, listed)
        )
    return listed[name]
