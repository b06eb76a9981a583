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
