"""Tables a person slices by hand: cross-tabs, drill-downs, heat maps, waterfalls, and what tells some rows from the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from rca_kit.findings.base import Finding


class Slicer(Protocol):
    """What an investigation asks for slices: its request log, which findings themselves do not know how to read."""

    def slice(self, where: Any = None, metric: str | None = None) -> Any:
        """Pick the rows that meet a condition."""
        ...


@dataclass(frozen=True, repr=False)
class Slices(Finding):
    """One table with a sentence: `kind` is crosstab, drill_down, heat_map, waterfall or difference.

    Examples
    --------
    >>> Slices("crosstab", "rows by device", ({"device": "web", "rows": 3},), "3 rows, most on web").frame().shape
    (1, 2)
    """

    next_call = "`.frame()` for the table, `.plot()` for the picture"

    kind: str
    title: str
    table: tuple[dict[str, Any], ...]
    words: str = ""

    def says(self) -> str:
        """Say what the table shows."""
        return self.words or self.title

    def rows(self) -> list[dict[str, Any]]:
        """Give the table."""
        return [dict(r) for r in self.table]
