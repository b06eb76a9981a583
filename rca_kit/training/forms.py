"""Forms for a notebook: the questions of one step, and a quiz. Thin: what a button does is one call of a plain function."""

from __future__ import annotations

import html
import importlib
from typing import TYPE_CHECKING, Any

import yaml

from rca_kit.errors import BadInput
from rca_kit.training.questions import StepQuestions, known_tests

if TYPE_CHECKING:
    from rca_kit.training.workbook import Drill

CHOICES: dict[str, tuple[str, ...]] = {
    "verdict": ("incident", "benign_shift", "no_change"),
    "category": ("data", "model", "code", "infra", "config", "upstream", "external"),
    "severity": ("SEV1", "SEV2", "SEV3", "SEV4", "none"),
    "mitigation": (
        "rollback",
        "fallback_model",
        "fail_open",
        "fail_closed",
        "throttle",
        "cached_features",
        "rules_only",
        "quarantine_batch",
        "fix_forward",
        "change_monitoring",
        "none",
    ),
}


def written(value: Any) -> str:
    """Write a value as a person types it in `answers.yaml`.

    Examples
    --------
    >>> written([{"os": "android"}]), written(None), written(("a", "b"))
    ('[{os: android}]', '', '[a, b]')
    """
    if value in (None, (), [], ""):
        return ""
    if isinstance(value, str):
        return value
    value = list(value) if isinstance(value, tuple) else value
    return (
        str(yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10_000)).strip().removesuffix("...").strip()
    )


def read(text: str) -> Any:
    """Read what was typed; empty is None.

    Examples
    --------
    >>> read("[{os: android}]"), read(" "), read("> 0.02 for 10m")
    ([{'os': 'android'}], None, '> 0.02 for 10m')
    """
    if not text.strip():
        return None
    if text.strip()[0] not in "[{":
        return text.strip()
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text


def step_form(drill: Drill, step: StepQuestions) -> Any:
    """Give a form with the questions of a step; saving writes `answers.yaml`, and a bad answer is said below the button."""
    w = importlib.import_module("ipywidgets")
    values = drill.answers.model_dump(mode="json")
    wide = w.Layout(width="min(46em, 95%)")
    fields: dict[str, Any] = {}
    parts: list[Any] = [w.HTML(f"<b>{html.escape(step.title)}</b>: {html.escape(step.asks)}")]
    for q in step.fields:
        options = CHOICES.get(q.name) or (tuple(t.name for t in known_tests()) if q.name == "decides" else ())
        if options:
            fields[q.name] = w.Dropdown(options=[("", ""), *((o, o) for o in options)], value=values[q.name] or "", layout=wide)
        else:
            fields[q.name] = w.Text(value=written(values[q.name]), placeholder=q.expected, continuous_update=False, layout=wide)
        parts += [w.HTML(f"<label>{html.escape(q.ask)}</label> <small>{html.escape(q.name)}</small>"), fields[q.name]]
    said = w.HTML("")
    save = w.Button(description="Save answers", button_style="primary", tooltip=f"writes answers.yaml: {step.title}")

    def act(_: Any) -> None:
        try:
            drill.answer(**{n: read(f.value) for n, f in fields.items()})
            said.value = "saved"
        except BadInput as problem:
            said.value = f"<span style='color:#b3261e'>{html.escape(str(problem))}</span>"

    save.on_click(act)
    return w.VBox([*parts, w.HBox([save, said])])


def quiz_form(topic: str, seed: int = 0) -> Any:
    """Give a quiz as a form; the score and the reasons appear below it. `.answers` and `.check()` work without a click too.

    Parameters
    ----------
    topic : str
        A topic of `rca_kit.training.quiz.list_quizzes`, or a file of one's own.
    seed : int
        Order of questions and options.
    """
    from rca_kit.training.quiz import get_quiz, score_quiz
    from rca_kit.training.quiz.bank import LETTERS

    w = importlib.import_module("ipywidgets")
    quiz = get_quiz(topic).mixed(seed)
    parts: list[Any] = [w.HTML(f"<b>{html.escape(quiz.title)}</b>: {len(quiz.questions)} questions, 70 % passes")]
    choices = []
    for number, q in enumerate(quiz.questions, 1):
        options = [(o.text, LETTERS[i]) for i, o in enumerate(q.options)]
        choice = w.RadioButtons(options=options, value=None, layout=w.Layout(width="auto"))
        choices.append(choice)
        parts += [w.HTML(f"<p style='margin:0.8em 0 0'>{number}. {html.escape(q.ask)}</p>"), choice]
    said = w.HTML("")
    button = w.Button(description="Check", button_style="primary")

    def check(_: Any = None) -> Any:
        score = score_quiz(quiz, [c.value or "" for c in choices])
        lines = "".join(
            f"<li><b style='color:{'#1b6e3a' if a.right else '#b3261e'}'>{'right' if a.right else 'wrong'}</b>: "
            f"{html.escape(a.explains())}</li>"
            for a in score.answers
        )
        said.value = f"<p><b>{html.escape(score.says())}</b></p><ol>{lines}</ol>"
        return score

    button.on_click(check)
    box = w.VBox([*parts, button, said])
    box.quiz, box.choices, box.check, box.said = quiz, choices, check, said
    return box
