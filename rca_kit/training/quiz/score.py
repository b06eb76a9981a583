"""Score a quiz: which answers were right, why, and whether it is passed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rca_kit.errors import BadInput
from rca_kit.findings.base import Finding
from rca_kit.training.quiz.bank import LETTERS, Quiz, QuizQuestion

PASS_SHARE = 0.7


@dataclass(frozen=True)
class Answered:
    """One question as it was answered; `given` is a letter, or empty."""

    question: QuizQuestion
    given: str

    @property
    def right(self) -> bool:
        """Whether the right option was chosen."""
        return self.given == self.question.right

    def explains(self) -> str:
        """Say why what was chosen is wrong, if it is, and why the right one is right."""
        best = self.question.options[LETTERS.index(self.question.right)]
        told = f"{self.question.right}) {best.text}: {best.why}"
        if self.right:
            return told
        if not self.given:
            return f"not answered. {told}"
        chosen = self.question.options[LETTERS.index(self.given)]
        return f"{self.given}) {chosen.text}: {chosen.why} Right is {told}"


@dataclass(frozen=True, repr=False)
class QuizScore(Finding):
    """The outcome of a quiz; passed at 70 %."""

    next_call = "`.frame()` for each question with the reason"

    topic: str
    title: str
    answers: tuple[Answered, ...]

    @property
    def right(self) -> int:
        """Number of right answers."""
        return sum(a.right for a in self.answers)

    @property
    def passed(self) -> bool:
        """Whether at least 70 % are right."""
        return self.right >= PASS_SHARE * len(self.answers) - 1e-9

    def says(self) -> str:
        """Give the score."""
        return f"{self.title}: {self.right} of {len(self.answers)}, {'passed' if self.passed else 'not passed'} (70 % passes)."

    def rows(self) -> list[dict[str, Any]]:
        """One row per question."""
        return [{"question": a.question.ask, "right": a.right, "why": a.explains()} for a in self.answers]

    def to_dict(self) -> dict[str, Any]:
        """Plain form."""
        return {"topic": self.topic, "right": self.right, "of": len(self.answers), "passed": self.passed, "answers": self.rows()}


def score_quiz(quiz: Quiz, answers: Sequence[str] | str) -> QuizScore:
    """Score answers given as letters, in the order of the questions.

    Parameters
    ----------
    quiz : Quiz
    answers : sequence of str, or str
        One letter per question, as a list or as text like ``a,b,c`` or ``abc``; ``-`` or empty is not answered.

    Raises
    ------
    BadInput
        For a letter the question does not have, or another number of answers.

    Examples
    --------
    >>> from rca_kit.training.quiz import get_quiz
    >>> quiz = get_quiz("llm-incidents")
    >>> score_quiz(quiz, [q.right for q in quiz.questions]).passed
    True
    """
    if isinstance(answers, str):
        text = answers.strip()
        given = text.split(",") if "," in text else list(text.replace(" ", ""))
    else:
        given = list(answers)
    given = ["" if g is None else g.strip().lower().replace("-", "") for g in given]
    if len(given) != len(quiz.questions):
        raise BadInput(
            "the number of answers is not that of the questions",
            found=str(len(given)),
            expected=f"{len(quiz.questions)}, such as {','.join('abcdefgh'[i % 4] for i in range(len(quiz.questions)))}",
        )
    for number, (g, q) in enumerate(zip(given, quiz.questions, strict=True), 1):
        if g and g not in LETTERS[: len(q.options)]:
            raise BadInput(
                f"question {number} has no option `{g}`", expected=f"a to {LETTERS[len(q.options) - 1]}, or - for none"
            )
    return QuizScore(quiz.topic, quiz.title, tuple(Answered(q, g) for q, g in zip(quiz.questions, given, strict=True)))
