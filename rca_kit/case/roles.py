"""Roles: which column is what."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from rca_kit.case.incident import FILE_NAME, RolesGiven
from rca_kit.errors import BadInput, did_you_mean

SINGLE_ROLES = ("time", "request_id", "score", "decision", "label", "label_time", "model_version", "error", "latency_ms")
LIST_ROLES = ("stages", "segments", "features")


@dataclass(frozen=True)
class Roles:
    """Roles of the columns, given or inferred; `inferred` says of each inferred role why it is that column.

    Examples
    --------
    >>> Roles(time="ts", score="p").outcomes
    ('p',)
    """

    time: str
    request_id: str | None = None
    score: str | None = None
    decision: str | None = None
    label: str | None = None
    label_time: str | None = None
    model_version: str | None = None
    error: str | None = None
    latency_ms: str | None = None
    stages: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    kpi: dict[str, str] = field(default_factory=dict)
    inferred: dict[str, str] = field(default_factory=dict)

    @property
    def outcomes(self) -> tuple[str, ...]:
        """Columns that tell how the service did, without repeats."""
        named = (self.score, self.decision, self.label, self.error, self.latency_ms, *self.stages, *self.kpi)
        return tuple(dict.fromkeys(n for n in named if n))

    def to_dict(self) -> dict[str, Any]:
        """Roles as incident.yaml would give them, without those that are not filled."""
        single = {name: getattr(self, name) for name in SINGLE_ROLES if getattr(self, name)}
        lists = {name: list(getattr(self, name)) for name in LIST_ROLES if getattr(self, name)}
        return {**single, **lists, **({"kpi": dict(self.kpi)} if self.kpi else {})}


def check_given(given: RolesGiven, columns: Iterable[str], table: str) -> None:
    """Refuse roles that name no column of the table, or one column in two places where it cannot be both.

    Raises
    ------
    BadInput
        Naming the role, the column and the nearest spelling.

    Examples
    --------
    >>> check_given(RolesGiven(score="scroe"), ["ts", "score"], "p.csv")
    Traceback (most recent call last):
    ...
    rca_kit.errors.BadInput: p.csv: column `scroe`: there is no such column, named in incident.yaml as roles.score
      expected: one of ts, score
      hint: did you mean `score`?
    """
    known = list(columns)
    for role, name in _named(given):
        if name not in known:
            listed = ", ".join(known[:30]) + (" ..." if len(known) > 30 else "")
            raise BadInput(f"there is no such column, named in {FILE_NAME} as roles.{role}", file=table, column=name,
                           expected=f"one of {listed}", hint=did_you_mean(name, known))
    taken: dict[str, str] = {}
    for role in SINGLE_ROLES:
        name = getattr(given, role)
        if name is None:
            continue
        # A classifier that only answers with a class has its decision as score; nothing else can be two things.
        if name in taken and {taken[name], role} != {"score", "decision"}:
            raise BadInput(f"is named both as roles.{taken[name]} and roles.{role}", file=FILE_NAME, column=name)
        taken[name] = role


def _named(given: RolesGiven) -> list[tuple[str, str]]:
    single = [(role, getattr(given, role)) for role in SINGLE_ROLES if getattr(given, role) is not None]
    lists = [(role, name) for role in LIST_ROLES for name in getattr(given, role) or ()]
    return [*single, *lists, *(("kpi", name) for name in given.kpi or {})]
