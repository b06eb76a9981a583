"""Adapters for the models that replay can run."""

from __future__ import annotations

from rca_kit.models.answers import Answers, Model
from rca_kit.models.load import load_model

__all__ = ["Answers", "Model", "load_model"]
