"""The answer of `localize`: the segments that carry a change, as a list that can show itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rca_kit.findings.base import Finding
from rca_kit.findings.scope import Segment


@dataclass(frozen=True, repr=False)
class Segments(Finding):
    """Segments that carry the change, best first; several combine by OR.

    Behaves like a list of `Segment`. Empty with `is_global` when the change is everywhere alike, empty without it when nothing
    moved beyond chance.

    Examples
    --------
    >>> s = Segments((Segment({"device": "android"}, share_of_impact=0.94, share_of_traffic=0.31),), measure="error rate")
    >>> len(s), s[0].where
    (1, {'device': 'android'})
    >>> s
    Segments: error rate: device = android (94% of the change, 31% of the traffic).
      next: `.frame()` for the table, `.plot()` for the picture
    """

    next_call = "`.frame()` for the table, `.plot()` for the picture"

    segments: tuple[Segment, ...] = ()
    is_global: bool = False
    because: str = ""
    measure: str = ""
    dimensions: tuple[str, ...] = ()
    before: float | None = None
    after: float | None = None
    p_value: float | None = None
    looked_at: int = 0
    max_depth: int = 0
    singles: tuple[Segment, ...] = ()
    notes: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Segment]:
        return iter(self.segments)

    def __len__(self) -> int:
        return len(self.segments)

    def __getitem__(self, index: Any) -> Any:
        return self.segments[index]

    def __bool__(self) -> bool:
        return bool(self.segments)

    def __contains__(self, item: object) -> bool:
        return item in self.segments

    def says(self) -> str:
        """Name the segments, or say why there is none."""
        head = f"{self.measure}: " if self.measure else ""
        if self.segments:
            return head + "; or ".join(_phrase(s) for s in self.segments) + "."
        return head + (self.because or ("all traffic is affected alike" if self.is_global else "no segment stands out")) + "."

    def rows(self) -> list[dict[str, Any]]:
        """One row per segment found, then one per single value looked at."""
        return [
            {"segment": str(s), "found": i < len(self.segments), "share_of_traffic": s.share_of_traffic, "before": s.before,
             "after": s.after, "low": s.change_interval[0] if s.change_interval else None,
             "high": s.change_interval[1] if s.change_interval else None, "share_of_impact": s.share_of_impact,
             "q_value": s.q_value, "n_before": s.n_before, "n_after": s.n_after, "score": s.score, "stability": s.stability,
             "same_rows_as": "; ".join(str(Segment(a)) for a in s.aliases)}
            for i, s in enumerate((*self.segments, *(x for x in self.singles if x.where not in [f.where for f in self.segments])))
        ]


def _phrase(segment: Segment) -> str:
    shares = []
    if segment.share_of_impact is not None:
        shares.append(f"{segment.share_of_impact:.0%} of the change")
    if segment.share_of_traffic is not None:
        shares.append(f"{segment.share_of_traffic:.0%} of the traffic")
    if segment.aliases:
        shares.append(f"same rows as {Segment(segment.aliases[0])}")
    return f"{segment} ({', '.join(shares)})" if shares else str(segment)
