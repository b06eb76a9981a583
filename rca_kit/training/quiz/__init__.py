"""Quizzes: a bank of questions as data, eight per topic, passed at 70 %."""

from __future__ import annotations

from rca_kit.training.quiz.bank import Quiz, get_quiz, list_quizzes, load_bank
from rca_kit.training.quiz.score import PASS_SHARE, QuizScore, score_quiz

__all__ = ["PASS_SHARE", "Quiz", "QuizScore", "get_quiz", "list_quizzes", "load_bank", "score_quiz"]
