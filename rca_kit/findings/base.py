"""What all findings share: windows, not-applicable results, and how a finding shows itself."""

from __future__ import annotations

import html
import importlib
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, datetime
from typing import Any

Interval = tuple[float, float]
"""Lower and upper end of a confidence interval, in the units of the value it belongs to."""


@dataclass(frozen=True)
class Window:
    """A half-open stretch of time ``[start, end)``, UTC.

    Examples
    --------
    >>> w = Window(datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC))
    >>> w.seconds
    86400.0
    """

    start: datetime
    end: datetime

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return (self.end - self.start).total_seconds()

    def to_list(self) -> list[str]:
        """Both ends as ISO strings."""
        return [iso(self.start), iso(self.end)]


@dataclass(frozen=True)
class NotApplicable:
    """A check or step that could not be done, and why. It is not a pass."""

    because: str

    def __bool__(self) -> bool:
        return False

    def to_dict(self) -> dict[str, str]:
        """Plain form."""
        return {"not_applicable": self.because}


def iso(when: datetime) -> str:
    """Write a time as UTC ISO 8601 with a Z, without needless fractions.

    Examples
    --------
    >>> iso(datetime(2026, 3, 2, 14, 5, tzinfo=UTC))
    '2026-03-02T14:05:00Z'
    """
    utc = when.astimezone(UTC) if when.tzinfo else when.replace(tzinfo=UTC)
    text = utc.isoformat(timespec="microseconds" if utc.microsecond else "seconds")
    return text.replace("+00:00", "Z")


SIGNIFICANT_DIGITS = 6  # findings.json carries no more: beyond this it is arithmetic noise, which may differ by thread


def plain(value: Any) -> Any:
    """Turn a finding, or anything inside one, into JSON types; floats keep six significant digits.

    Examples
    --------
    >>> plain({"a": 0.123456789, "b": (1, None)})
    {'a': 0.123457, 'b': [1, None]}
    """
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            return None
        return float(f"{value:.{SIGNIFICANT_DIGITS}g}")
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if hasattr(value, "to_dict"):
        return plain(value.to_dict())
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
    if hasattr(value, "item"):
        return plain(value.item())
    return str(value)


class Finding:
    """Mixin: a finding shows itself as text, table, HTML and picture.

    Subclasses are frozen dataclasses that override `says` (the answer in words), `rows` (the table behind it) and
    `next_call` (what to look at next).
    """

    next_call = ""

    def says(self) -> str:
        """Give the answer in one or two sentences."""
        return ""

    def rows(self) -> list[dict[str, Any]]:
        """Give the table behind the answer, one dict per row, all with the same keys."""
        return []

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON types."""
        return {f.name: plain(getattr(self, f.name)) for f in fields(self)}  # type: ignore[arg-type]

    def frame(self) -> Any:
        """Give the table behind the answer as a Polars frame."""
        polars = importlib.import_module("polars")
        rows = [{k: v if isinstance(v, (int, float, str, bool, datetime, type(None))) else str(v) for k, v in r.items()}
                for r in self.rows()]
        return polars.DataFrame(rows, infer_schema_length=None)

    def plot(self) -> Any:
        """Draw the finding; views are looked up by name so that findings never import upwards."""
        return importlib.import_module("rca_kit.views.figures").plot(self)

    def __repr__(self) -> str:
        tail = f"\n  next: {self.next_call}" if self.next_call else ""
        return f"{type(self).__name__}: {self.says()}{tail}"

    def _repr_html_(self) -> str:
        rows = self.rows()[:50]
        head = f"<p><b>{html.escape(type(self).__name__)}</b>: {html.escape(self.says())}</p>"
        if not rows:
            return head
        names = list(rows[0])
        # notebooks set all cells flush right, which is for numbers; words begin at the left
        side = [' style="text-align:left"' if any(isinstance(r.get(n), str) for r in rows) else "" for n in names]
        columns = list(zip(names, side, strict=True))
        body = "".join(
            "<tr>" + "".join(f"<td{s}>{html.escape(_cell(r.get(n)))}</td>" for n, s in columns) + "</tr>" for r in rows
        )
        titles = "".join(f"<th{s}>{html.escape(str(n))}</th>" for n, s in columns)
        return f"{head}<table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(plain(value))
