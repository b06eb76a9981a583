"""A language model that somebody else hosts: its answers are judged otherwise, and nobody here changed a thing."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from rca_kit.aggregates.plan import Columns
from rca_kit.loop.s4_suspects.checks.downstream import hosted_model
from rca_kit.loop.s4_suspects.clue import Clue, Outcome
from rca_kit.loop.s4_suspects.hypotheses import Scene, hypotheses
from rca_kit.loop.s4_suspects.ledger import charges


def room(task: str, *components: str, logged: str = "") -> Any:
    series = {f"{c}.requests": SimpleNamespace(family="component", column=c) for c in components}
    return SimpleNamespace(
        columns=Columns("ts", task, label="liked"), picture=SimpleNamespace(series=series),
        changes=(SimpleNamespace(component=logged),) if logged else ())


def told(signature: str, strength: float = 0.8) -> tuple[Outcome, ...]:
    clue = Clue("concept", "population", signature, "labels differ", strength, 30)
    return (Outcome("concept", "Concept", "external", "free", (clue,)),)


@pytest.mark.parametrize(("task", "components", "logged", "subject"), [
    ("text", ("llm-vendor", "gateway"), "", "component:llm-vendor"),
    ("text", ("gateway",), "chat-provider", "component:chat-provider"),
    ("text", ("llm-server", "gateway"), "", None),  # our own
    ("text", ("geo-vendor", "gateway"), "", None),  # no language model
    ("binary", ("llm-vendor", "gateway"), "", None)])
def test_somebody_else_s_model_is_named(task: str, components: tuple[str, ...], logged: str, subject: str | None) -> None:
    clues = hosted_model(room(task, *components, logged=logged), told("concept"))
    assert [c.subject for c in clues] == ([subject] if subject else [])
    assert all(c.strength == 0.8 and c.onset == 30 for c in clues)
    assert not hosted_model(room(task, *components, logged=logged), told("drift"))


def test_it_is_more_often_that_model_than_the_world() -> None:
    outcomes = told("concept")
    clues = [*outcomes[0].clues, *hosted_model(room("text", "llm-vendor"), outcomes)]
    first = charges(hypotheses(clues, [], Scene("quality", 30, ())))[0]
    assert (first.best.subject, first.best.category) == ("component:llm-vendor", "upstream")
    assert first.probability < 0.9
