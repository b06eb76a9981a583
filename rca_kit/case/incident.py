"""incident.yaml as a checked, frozen model."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from rca_kit.case.metrics import metric_problem
from rca_kit.case.times import parse_time
from rca_kit.case.yamlio import load_yaml
from rca_kit.errors import BadInput, did_you_mean

FILE_NAME = "incident.yaml"
TASKS = ("binary", "multiclass", "regression", "ranking", "text")
Task = Literal["binary", "multiclass", "regression", "ranking", "text"]
TableSpec = str | tuple[str, ...] | dict[str, Any]
MAX_ID_LENGTH = 120  # an id becomes part of file names; file systems stop at 255 bytes


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)


class SignalSpec(_Strict):
    """What fired."""

    source: Literal["alert", "user_report", "review", "drill"] = "alert"
    metric: str | None = None
    summary: str = ""

    @field_validator("metric")
    @classmethod
    def _known(cls, value: str | None) -> str | None:
        problem = metric_problem(value) if value else None
        if problem:
            raise ValueError(problem)
        return value or None


class Slo(_Strict):
    """A target: the metric shall stay within min and max."""

    min: float | None = Field(default=None, allow_inf_nan=False)
    max: float | None = Field(default=None, allow_inf_nan=False)

    @model_validator(mode="after")
    def _some(self) -> Slo:
        if self.min is None and self.max is None:
            raise ValueError("needs min or max")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min:g} is above max {self.max:g}")
        return self


class Windows(_Strict):
    """Windows that replace the detected onset; half-open, UTC."""

    before: tuple[datetime, datetime]
    after: tuple[datetime, datetime]

    @field_validator("before", "after", mode="before")
    @classmethod
    def _times(cls, value: Any) -> tuple[datetime, datetime]:
        if not isinstance(value, (list, tuple)) or len(value) != 2:
            raise ValueError("needs two times: [start, end]")
        start, end = (_time(v) for v in value)
        if start >= end:
            raise ValueError(f"starts at {start:%Y-%m-%d %H:%M} and ends at {end:%Y-%m-%d %H:%M}: the end must come later")
        return start, end

    @model_validator(mode="after")
    def _order(self) -> Windows:
        if self.before[1] > self.after[0]:
            raise ValueError("`before` must end no later than `after` starts")
        return self


class Tables(_Strict):
    """Where the tables are: a path, a glob, a list of them, or a mapping that names an engine."""

    predictions: TableSpec
    changes: TableSpec | None = None
    service_metrics: TableSpec | None = None
    golden: TableSpec | None = None
    shadow: TableSpec | None = None

    @field_validator("*", mode="before")
    @classmethod
    def _shape(cls, value: Any) -> Any:
        if value is None or (isinstance(value, str) and value.strip()):
            return value
        if isinstance(value, list) and value and all(isinstance(v, str) and v.strip() for v in value):
            return tuple(value)
        if isinstance(value, dict) and value:
            return {str(k): v for k, v in value.items()}
        raise ValueError("needs a path, a list of paths, or a mapping such as {spark: db.table}")


class Impact(_Strict):
    """What one unit of a KPI is worth, so that its loss can be told in money."""

    kpi: str = Field(min_length=1)
    value_per_unit: float = Field(gt=0, allow_inf_nan=False)
    currency: str = Field(default="", max_length=12)


class RolesGiven(_Strict):
    """Roles as the file gives them. None means: not given; `declined` has those set to null on purpose."""

    time: str | None = None
    request_id: str | None = None
    score: str | None = None
    decision: str | None = None
    label: str | None = None
    label_time: str | None = None
    model_version: str | None = None
    error: str | None = None
    latency_ms: str | None = None
    stages: tuple[str, ...] | None = None
    kpi: dict[str, Literal["higher", "lower"]] | None = None
    segments: tuple[str, ...] | None = None
    features: tuple[str, ...] | None = None

    @field_validator("stages", "segments", "features", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("stages", "segments", "features")
    @classmethod
    def _once(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return None if value is None else tuple(dict.fromkeys(value))

    @field_validator("kpi", mode="before")
    @classmethod
    def _kpi(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {value: "higher"}
        if isinstance(value, (list, tuple)):
            return {str(name): "higher" for name in value}
        return value

    @property
    def declined(self) -> frozenset[str]:
        """Roles that the file sets to null: the case has no such column, and none is inferred."""
        return frozenset(name for name in self.model_fields_set if getattr(self, name) is None)


class Incident(_Strict):
    """One incident, as incident.yaml describes it; times are UTC."""

    id: str
    title: str = Field(min_length=1)
    service: str = ""
    detected_at: datetime
    signal: SignalSpec = SignalSpec()
    tables: Tables
    roles: RolesGiven = RolesGiven()
    task: Task | None = None
    slos: dict[str, Slo] = {}
    impact: tuple[Impact, ...] = ()
    windows: Windows | None = None
    models: dict[str, dict[str, Any]] = {}
    redact: tuple[str, ...] = ()

    @field_validator("id")
    @classmethod
    def _safe(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9._-]+", value) or not value.strip("."):
            raise ValueError(f"`{value[:80]}` must consist of letters, digits, dot, underscore and minus")
        if len(value) > MAX_ID_LENGTH:
            raise ValueError(f"is longer than {MAX_ID_LENGTH} characters")
        return value

    @field_validator("detected_at", mode="before")
    @classmethod
    def _when(cls, value: Any) -> datetime:
        return _time(value)

    @field_validator("slos")
    @classmethod
    def _metrics(cls, value: dict[str, Slo]) -> dict[str, Slo]:
        problems = [p for p in map(metric_problem, value) if p]
        if problems:
            raise ValueError("; ".join(problems))
        return value

    @field_validator("redact", mode="before")
    @classmethod
    def _one(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value if value is not None else ()

    @field_validator("impact", mode="before")
    @classmethod
    def _one_or_more(cls, value: Any) -> Any:
        return (value,) if isinstance(value, dict) else value if value is not None else ()

    @field_validator("impact")
    @classmethod
    def _each_once(cls, value: tuple[Impact, ...]) -> tuple[Impact, ...]:
        if len({i.kpi for i in value}) < len(value):
            raise ValueError("names a kpi twice")
        return value

    @field_validator("roles", "slos", "models", "signal", mode="before")
    @classmethod
    def _empty(cls, value: Any) -> Any:
        return {} if value is None else value


@dataclass(frozen=True)
class Case:
    """A case folder with its checked incident.yaml."""

    folder: Path
    incident: Incident


def _time(value: Any) -> datetime:
    try:
        return parse_time(value)[0]
    except BadInput as error:
        raise ValueError(f"`{value}` is not a time; expected one like 2026-03-02T14:35:00Z") from error


def load_case(folder: str | Path) -> Case:
    """Read and check incident.yaml; tables are not opened.

    Parameters
    ----------
    folder : str or Path
        The case folder, or the path of its incident.yaml.

    Raises
    ------
    BadInput
        With every problem of the file in one message.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     text = "{id: A-1, title: t, detected_at: 2026-03-02, tables: {predictions: p.csv}}"
    ...     _ = (Path(folder) / "incident.yaml").write_text(text)
    ...     load_case(folder).incident.detected_at.isoformat()
    '2026-03-02T00:00:00+00:00'
    """
    if not isinstance(folder, (str, os.PathLike)):
        raise BadInput("a case is named by its folder", found=type(folder).__name__, expected="a path")
    path = Path(folder)
    if not path.exists():
        raise BadInput("there is no such folder", file=str(path), expected=f"a case folder with {FILE_NAME}",
                       hint=_neighbour(path))
    path = path / FILE_NAME if path.is_dir() else path
    data = load_yaml(path)
    return Case(path.parent, validate_incident(data, path.name))


def _neighbour(path: Path) -> str | None:
    parent = path.parent
    return did_you_mean(path.name, [p.name for p in parent.iterdir() if p.is_dir()]) if parent.is_dir() else None


def validate_incident(data: dict[str, Any], file: str = FILE_NAME) -> Incident:
    """Check the content of an incident.yaml.

    Raises
    ------
    BadInput
        With every problem in one message.

    Examples
    --------
    >>> validate_incident({"id": "a/b", "title": "t", "detected_at": "2026-03-02", "tables": {"predictions": "p.csv"}})
    Traceback (most recent call last):
    ...
    rca_kit.errors.BadInput: incident.yaml: id: `a/b` must consist of letters, digits, dot, underscore and minus
    """
    try:
        return Incident.model_validate(data)
    except ValidationError as error:
        problems = [_problem(e) for e in error.errors(include_url=False)]
        # a union reports each of its members; one line per place is enough
        by_place = {place: (text, hint) for place, text, hint in reversed(problems)}
        lines = [f"{place}: {text}" for place, (text, _) in reversed(by_place.items())]
        hints = [hint for _, hint in reversed(by_place.values()) if hint]
        raise BadInput("; ".join(lines), file=file, hint="; ".join(hints) or None) from None


_FIELDS: dict[tuple[str, ...], type[BaseModel]] = {
    (): Incident, ("signal",): SignalSpec, ("tables",): Tables, ("roles",): RolesGiven, ("windows",): Windows,
}


def _problem(error: Any) -> tuple[str, str, str | None]:
    """Give (place, what is wrong, hint) for one error of pydantic."""
    location = tuple(str(part) for part in error["loc"])
    kind = error["type"]
    if kind == "extra_forbidden":
        inside: dict[str, type[BaseModel]] = {"slos": Slo, "impact": Impact}
        model = _FIELDS.get(location[:-1], inside.get(location[0], Incident))
        known = list(model.model_fields)
        where = ".".join(location[:-1])
        return (f"{where}.{location[-1]}" if where else location[-1], "unknown key",
                did_you_mean(location[-1], known) or "known are " + ", ".join(known))
    place = ".".join(part for part in location if part not in ("str", "dict[str,any]") and not part.startswith("tuple["))
    if kind == "missing":
        return place, "is required and missing", None
    message = str(error["msg"]).removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    if kind == "literal_error" or kind.endswith("_type"):
        message += f", found {str(error.get('input'))[:60]!r}"
    return place, message, None
