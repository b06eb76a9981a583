"""What an exercise is: a task in words, a file to fill in, and checks that say what is missing and why it matters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rca_kit.findings.base import Finding

PASS_SHARE = 0.7


@dataclass(frozen=True)
class Checked:
    """One check of an answer: whether it holds, and what to do or why it matters."""

    check: str
    holds: bool
    says: str


@dataclass(frozen=True, repr=False)
class Outcome(Finding):
    """The checks of one exercise; passed when 70 % hold and none of the musts is missed."""

    next_call = "`.frame()` for each check"

    title: str
    checks: tuple[Checked, ...]
    musts: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether it is passed."""
        held = sum(c.holds for c in self.checks)
        return held >= PASS_SHARE * len(self.checks) - 1e-9 and all(c.holds for c in self.checks if c.check in self.musts)

    def says(self) -> str:
        """Give the outcome."""
        held = sum(c.holds for c in self.checks)
        return f"{self.title}: {held} of {len(self.checks)} checks hold, {'passed' if self.passed else 'not passed'}."

    def rows(self) -> list[dict[str, Any]]:
        """One row per check."""
        return [{"check": c.check, "holds": c.holds, "says": c.says} for c in self.checks]


@dataclass(frozen=True)
class Exercise:
    """One exercise of the shelf."""

    name: str
    title: str
    minutes: int
    task: str
    blank: str
    check: Callable[[dict[str, Any], str], Outcome]


def texts_in(value: Any) -> list[str]:
    """Every text inside plain data."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [t for v in value.values() for t in texts_in(v)]
    if isinstance(value, list):
        return [t for v in value for t in texts_in(v)]
    return []


def listed(data: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """The entries under a key that are mappings; empty when there are none."""
    value = data.get(key)
    return [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []


def filled(entry: dict[str, Any], *keys: str) -> bool:
    """Whether all these fields hold something."""
    return all(str(entry.get(k) or "").strip() for k in keys)
