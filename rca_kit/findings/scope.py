"""Step 3, Scope: which segments carry it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rca_kit.findings.base import Finding, Interval, plain

Condition = Any
"""A value, a list of values (any of them), None (missing), or a numeric range ``{"ge": 18, "lt": 25}``."""


def describe_where(where: dict[str, Condition]) -> str:
    """Write a segment's conditions as text.

    Examples
    --------
    >>> describe_where({"device": "android", "age": {"ge": 18, "lt": 25}})
    'device = android and 18 <= age < 25'
    """
    return " and ".join(_describe(k, v) for k, v in where.items()) or "all traffic"


def _describe(name: str, condition: Condition) -> str:
    if condition is None:
        return f"{name} is missing"
    if isinstance(condition, dict):
        low, high = condition.get("ge"), condition.get("lt")
        left = f"{low} <= " if low is not None else ""
        right = f" < {high}" if high is not None else ""
        return f"{left}{name}{right}"
    if isinstance(condition, (list, tuple)):
        return f"{name} in ({', '.join('missing' if v is None else str(v) for v in condition)})"
    return f"{name} = {condition}"


@dataclass(frozen=True)
class Segment:
    """One segment (conditions joined by AND) with its share of traffic and of the impact.

    `before` and `after` are the metric inside the segment when `in_metric`, else the mean of what was searched row by row.
    `aliases` are other descriptions of the same rows; `stability` is the share of resamples that find it again.
    """

    where: dict[str, Condition]
    share_of_traffic: float | None = None
    before: float | None = None
    after: float | None = None
    share_of_impact: float | None = None
    q_value: float | None = None
    change_interval: Interval | None = None
    n_before: int | None = None
    n_after: int | None = None
    score: float | None = None
    stability: float | None = None
    aliases: tuple[dict[str, Condition], ...] = ()
    in_metric: bool = False

    def __str__(self) -> str:
        return describe_where(self.where)

    def to_dict(self) -> dict[str, Any]:
        """Plain form, as findings.json has it."""
        keys = ("where", "share_of_traffic", "before", "after", "share_of_impact", "q_value", "change_interval")
        out = {k: plain(getattr(self, k)) for k in keys}
        if self.aliases:
            out["aliases"] = plain(list(self.aliases))
        return out


@dataclass(frozen=True)
class MixRate:
    """Kitagawa-Oaxaca-Blinder decomposition of the overall change over one dimension: mix + rate = total."""

    dimension: str
    total: float
    mix: float
    rate: float
    simpson: bool
    parts: tuple[tuple[str, float, float], ...] = ()  # (value, mix part, rate part)
    rate_interval: Interval | None = None


@dataclass(frozen=True, repr=False)
class Scope(Finding):
    """Segments that carry the change; `is_global` when none stands out."""

    next_call = "`.segments`, `.frame()` for every value looked at, then `inv.suspects`"

    is_global: bool
    segments: tuple[Segment, ...]
    metric: str = ""
    because: str = ""
    singles: tuple[Segment, ...] = ()
    mix_rate: tuple[MixRate, ...] = ()
    notes: tuple[str, ...] = field(default=())

    def says(self) -> str:
        """Say who is affected."""
        if self.segments:
            return "Carried by " + "; or ".join(str(s) for s in self.segments) + "."
        return self.because or ("All traffic is affected alike." if self.is_global else "No segment is affected.")

    def rows(self) -> list[dict[str, Any]]:
        """One row per segment found, then one per single value looked at."""
        found = [s.where for s in self.segments]
        return [
            {"segment": str(s), "found": s.where in found, "share_of_traffic": s.share_of_traffic, "before": s.before,
             "after": s.after, "share_of_impact": s.share_of_impact, "q_value": s.q_value}
            for s in (*self.segments, *(x for x in self.singles if x.where not in found))
        ]
