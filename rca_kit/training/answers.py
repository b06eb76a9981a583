"""`answers.yaml`: what a group answered; checked strictly, and written with its questions beside it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from rca_kit.case.times import parse_time
from rca_kit.case.yamlio import load_yaml
from rca_kit.errors import BadInput, did_you_mean
from rca_kit.training.questions import known_test, questions, steps

FILE_NAME = "answers.yaml"
NOT_LOGGED = "not_logged"
SUBJECT_HEADS = ("feature", "label", "model", "stage", "component", "threshold", "routing", "population", "traffic")
_RULE = re.compile(
    r"^\s*(?P<op>[<>])=?\s*(?P<value>[-+]?\d*\.?\d+(?:[eE][-+]?\d+)?)\s*(?P<percent>%)?(?:\s*for\s*(?P<m>\d+)\s*m(?:in)?)?\s*$"
)

Category = Literal["data", "model", "code", "infra", "config", "upstream", "external"]
Mitigation = Literal[
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
]


@dataclass(frozen=True)
class Rule:
    """An alert rule as people write it: ``> 0.02 for 10m``."""

    op: str
    threshold: float
    minutes: float

    @staticmethod
    def parse(text: str) -> Rule | None:
        """Read a rule, or give None.

        Examples
        --------
        >>> Rule.parse("> 2% for 10m")
        Rule(op='>', threshold=0.02, minutes=10.0)
        >>> Rule.parse("when it is bad") is None
        True
        """
        m = _RULE.match(text)
        if m is None:
            return None
        return Rule(m["op"], float(m["value"]) / (100 if m["percent"] else 1), float(m["m"] or 0))


class Guardrail(BaseModel):
    """A control a group proposes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["alert", "schema", "parity_test", "canary", "freshness"] = "alert"
    metric: str
    rule: str = ""

    @field_validator("rule", mode="after")
    @classmethod
    def _readable(cls, value: str, info: Any) -> str:
        if info.data.get("kind") == "alert" and Rule.parse(value) is None:
            raise ValueError(f"{value!r} is no alert rule; expected one like '> 0.02 for 10m'")
        return value


class Answers(BaseModel):
    """What a group answered; None and empty mean: not answered."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    verdict: Literal["incident", "benign_shift", "no_change"] | None = None
    metric: str | None = None
    onset: datetime | None = None
    where: Literal["all"] | tuple[dict[str, Any], ...] | None = None
    category: Category | None = None
    subject: str | None = None
    change: str | None = None
    accused: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    differs: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()
    decides: str | None = None
    severity: Literal["SEV1", "SEV2", "SEV3", "SEV4", "none"] | None = None
    mitigation: Mitigation | None = None
    guardrail: Guardrail | None = None
    last_why: str | None = None

    @field_validator("accused", "excluded", "differs", "tests", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return () if value is None else (value,) if isinstance(value, str) else value

    @field_validator("where", mode="before")
    @classmethod
    def _conditions(cls, value: Any) -> Any:
        return (value,) if isinstance(value, dict) else value

    @field_validator("onset", mode="before")
    @classmethod
    def _when(cls, value: Any) -> Any:
        if value is None:
            return None
        try:
            return parse_time(value)[0]
        except BadInput:
            raise ValueError(f"{value!r} is not a time; expected one like 2026-03-02T14:05:00Z") from None

    @field_validator("subject", mode="after")
    @classmethod
    def _named(cls, value: str | None) -> str | None:
        if value and value.partition(":")[0] not in SUBJECT_HEADS:
            near = did_you_mean(value.partition(":")[0], SUBJECT_HEADS)
            raise ValueError(
                f"{value!r} names nothing the kit knows; expected {questions()['subject'].expected}"
                + (f" ({near})" if near else "")
            )
        return value

    @field_validator("tests", "decides", mode="after")
    @classmethod
    def _known(cls, value: Any) -> Any:
        for name in (value,) if isinstance(value, str) else value or ():
            try:
                known_test(name)
            except BadInput as unknown:
                hint = f" ({unknown.hint})" if unknown.hint else "; `rca-kit train tests` lists them"
                raise ValueError(f"{name!r} is no test{hint}") from None
        return value

    @property
    def given(self) -> dict[str, Any]:
        """The answered questions alone."""
        return {n: v for n in type(self).model_fields if (v := getattr(self, n)) not in (None, (), "")}


def check_answers(data: dict[str, Any], file: str = FILE_NAME) -> Answers:
    """Check answers.

    Raises
    ------
    BadInput
        With every problem in one message.

    Examples
    --------
    >>> check_answers({"verdict": "incident", "onset": "2026-03-02 14:05"}).onset.hour
    14
    >>> check_answers({"verdikt": "incident"})
    Traceback (most recent call last):
    ...
    rca_kit.errors.BadInput: answers.yaml: verdikt: there is no such question
      hint: did you mean `verdict`?
    """
    try:
        return Answers.model_validate(data)
    except ValidationError as error:
        said: dict[str, str] = {}
        hints: list[str] = []
        for e in error.errors(include_url=False):
            name = str(e["loc"][0])
            if e["type"] == "extra_forbidden" and len(e["loc"]) == 1:
                said.setdefault(name, "there is no such question")
                hints.append(did_you_mean(name, Answers.model_fields) or "the questions are " + ", ".join(Answers.model_fields))
                continue
            expected = questions()[name].expected
            told = str(e["msg"]).removeprefix("Value error, ")
            if e["type"] in ("value_error",):
                said.setdefault(name, told)
            else:
                said.setdefault(name, f"{str(e.get('input'))[:60]!r} is not an answer; expected {expected}")
        raise BadInput(
            "; ".join(f"{n}: {t}" for n, t in said.items()), file=file, hint="; ".join(dict.fromkeys(hints)) or None
        ) from None


def read_answers(folder: str | Path) -> Answers:
    """Read the answers of a session.

    Raises
    ------
    BadInput
        When the file is missing, cannot be read, or holds something else than answers.
    """
    path = Path(folder) / FILE_NAME
    if not path.is_file():
        raise BadInput("there are no answers", file=str(path), expected="the file that `rca-kit train start` wrote")
    return check_answers(load_yaml(path), str(path))


def write_answers(folder: str | Path, answers: Answers, title: str) -> Path:
    """Write answers with their questions as comments, in one move.

    Examples
    --------
    >>> import tempfile
    >>> d = tempfile.mkdtemp()
    >>> path = write_answers(d, Answers(verdict="incident", onset=datetime(2026, 3, 2, 14, tzinfo=UTC)), "A drill")
    >>> read_answers(d).given["verdict"]
    'incident'
    """
    lines = [f"# Answers: {' '.join(title.split())}", "# Fill in what you know; leave empty what you do not. Times are UTC.", ""]
    values = answers.model_dump(mode="json")
    for step in steps():
        lines.append(f"# ---- {step.title}: {step.asks}")
        for q in step.fields:
            lines += [f"# {q.ask}", f"#   {q.expected}", _line(q.name, values[q.name], getattr(answers, q.name)), ""]
    path = Path(folder) / FILE_NAME
    part = path.with_suffix(".part")
    part.write_text("\n".join(lines), encoding="utf-8")
    part.replace(path)
    return path


def _line(name: str, value: Any, native: Any) -> str:
    if value in (None, [], ""):
        return f"{name}:"
    if isinstance(native, datetime):
        return f"{name}: {native.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10_000).strip()
    return f"{name}: {text.removesuffix('...').strip()}"
