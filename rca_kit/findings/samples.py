"""Step 5, Samples: bad rows beside their nearest healthy twins."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from rca_kit.findings.base import Finding


@dataclass(frozen=True)
class SamplePair:
    """A bad row and its nearest healthy twin, already redacted; values are display text, None when missing."""

    bad: dict[str, str | None]
    twin: dict[str, str | None] | None
    differing: tuple[str, ...]
    why_bad: str
    distance: float | None = None
    tag: str = ""  # what a person noted on the bad row

    @property
    def key(self) -> str:
        """Name of the bad row, by what is shown of it: the same row gives the same name at every run."""
        return hashlib.sha256(json.dumps(self.bad, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Rule:
    """A short rule that separates bad from good rows, with the share of bad rows covered and its precision."""

    text: str
    coverage: float
    precision: float


@dataclass(frozen=True, repr=False)
class Samples(Finding):
    """Bad rows, twins and rules; `not_applicable` says why there are none."""

    next_call = "`.frame()`, then `inv.simulation`"

    pairs: tuple[SamplePair, ...]
    rules: tuple[Rule, ...]
    columns: tuple[str, ...]
    masked_columns: tuple[str, ...]
    because: str
    population: int = 0
    not_applicable: str | None = None

    def says(self) -> str:
        """Say what was pulled."""
        if self.not_applicable:
            return f"No samples: {self.not_applicable}"
        rule = f" Best rule: {self.rules[0].text}." if self.rules else ""
        return f"{len(self.pairs)} bad rows beside their nearest healthy twins ({self.because}).{rule}"

    def rows(self) -> list[dict[str, Any]]:
        """Two rows per pair: the bad row and its twin."""
        out: list[dict[str, Any]] = []
        for i, pair in enumerate(self.pairs):
            out.append({"pair": i, "row": "bad", **{c: pair.bad.get(c) for c in self.columns}})
            if pair.twin is not None:
                out.append({"pair": i, "row": "twin", **{c: pair.twin.get(c) for c in self.columns}})
        return out
