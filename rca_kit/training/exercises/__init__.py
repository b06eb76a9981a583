"""Exercises beside the incidents: game day for a canary, post-mortem on a given timeline, deprecation plan."""

from __future__ import annotations

from rca_kit.training.exercises.base import Checked, Exercise, Outcome
from rca_kit.training.exercises.game_day import GameDay, game_day
from rca_kit.training.exercises.shelf import check_exercise, list_exercises, start_exercise

__all__ = ["Checked", "Exercise", "GameDay", "Outcome", "check_exercise", "game_day", "list_exercises", "start_exercise"]
