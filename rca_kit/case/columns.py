"""What is known of one column before anything is computed from it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

Kind = Literal["numeric", "category", "text", "time", "bool", "id"]
MAX_LISTED_VALUES = 50  # a column with more distinct values is described by its range or count, not by a list


@dataclass(frozen=True)
class ColumnSummary:
    """One column of the request log.

    `n_unique` counts the non-null values of the rows looked at (all of them up to 200,000 rows, an even sample beyond);
    `values` has them, sorted, when there are at most 50. `min` and `max` are None for text.

    Examples
    --------
    >>> c = ColumnSummary("device", "category", "String", 2, 0.0, None, None, ("android", "ios"))
    >>> c.two_valued
    True
    """

    name: str
    kind: Kind
    dtype: str
    n_unique: int
    null_rate: float
    min: float | datetime | None
    max: float | datetime | None
    values: tuple[Any, ...] = ()

    @property
    def two_valued(self) -> bool:
        """Whether there are exactly two distinct values beside null."""
        return self.n_unique == 2
