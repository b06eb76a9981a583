"""Shadow compare: two versions that answered the same requests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from rca_kit.findings.base import Finding, Interval, NotApplicable
from rca_kit.findings.scope import Segment

Row = TypeVar("Row")


class NamedRows(tuple[Row, ...], Generic[Row]):
    """Rows in order, also found by name: ``metrics["auc"]`` and ``metrics[0]``.

    Each row has a `metric` or a `name`.

    Examples
    --------
    >>> rows = NamedRows([Pairing("pairs", 3)])
    >>> rows["pairs"].count, rows[0].count, rows.names()
    (3, 3, ['pairs'])
    """

    __slots__ = ()

    def __new__(cls, rows: Iterable[Row] = ()) -> NamedRows[Row]:
        """Keep the rows as they come."""
        return super().__new__(cls, tuple(rows))

    def names(self) -> list[str]:
        """Names of the rows."""
        return [str(getattr(r, "metric", None) or getattr(r, "name", "")) for r in self]

    def __getitem__(self, key: Any) -> Any:
        """Find a row by name or by place."""
        if isinstance(key, str):
            for row, name in zip(self, self.names(), strict=True):
                if name == key:
                    return row
            raise KeyError(f"{key}; there are {', '.join(self.names()) or 'none'}")
        return super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        return key in self.names() if isinstance(key, str) else super().__contains__(key)

    def get(self, name: str) -> Row | None:
        """Find a row by name, None when it is not there."""
        return next((row for row, known in zip(self, self.names(), strict=True) if known == name), None)

    def items(self) -> Iterator[tuple[str, Row]]:
        """Give name and row in turn, as a dict does."""
        return zip(self.names(), self, strict=True)


@dataclass(frozen=True)
class Pairing:
    """How many rows were of one kind when answers were paired by request."""

    name: str
    count: int


@dataclass(frozen=True)
class Effect:
    """One paired difference with its interval; `margin` is what still counts as none.

    `state` is different (beyond chance and beyond the margin), equivalent (interval within the margin) or inconclusive;
    `needed` is how many pairs would decide. Where the effect has a good direction, `worse` says which way it went.
    """

    metric: str
    estimate: float
    interval: Interval
    margin: float
    p_value: float
    state: str
    n: int
    needed: int | None = None
    first: float | None = None
    second: float | None = None
    worse: bool | None = None
    note: str = ""
    first_interval: Interval | None = None
    second_interval: Interval | None = None

    @property
    def difference(self) -> float:
        """The same as `estimate`: second less first."""
        return self.estimate

    @property
    def previous(self) -> float | None:
        """Value of the previous version (in a replay): the same as `first`."""
        return self.first

    @property
    def current(self) -> float | None:
        """Value of the current version (in a replay): the same as `second`."""
        return self.second


@dataclass(frozen=True)
class Flips:
    """Decisions that change between the versions, beside those that the primary changes on its own.

    `gained` are pairs where only the second version says yes, `lost` where only the first does; for classes and texts both
    are zero and only shares count. `share` and `own_share` are shares of pairs, `excess` is their difference.
    """

    gained: int
    lost: int
    share: float
    own_share: float | None
    excess: float
    interval: Interval
    threshold: float | None
    n: int

    @property
    def count(self) -> int:
        """Pairs whose decision changed."""
        return round(self.share * self.n)


@dataclass(frozen=True)
class LatencyDifference:
    """Latencies of both versions on the same requests, in the units of the columns (milliseconds).

    `median_difference` is the median of the paired differences (candidate less primary), `tail_difference` the difference of the
    99th percentiles; their intervals are 97.5 % each, so that both together hold in 95 %.
    """

    n: int
    primary: tuple[float, float, float]  # p50, p95, p99
    candidate: tuple[float, float, float]
    mean_difference: float
    mean_interval: Interval
    median_difference: float
    interval: Interval
    tail_difference: float
    tail_interval: Interval

    @property
    def slower(self) -> bool:
        """Whether the candidate is slower beyond chance, in the middle or in the tail."""
        return self.interval[0] > 0 or self.tail_interval[0] > 0

    @property
    def faster(self) -> bool:
        """Whether the candidate is faster beyond chance, in the middle and not slower in the tail."""
        return self.interval[1] < 0 and self.tail_interval[0] <= 0


@dataclass(frozen=True)
class FieldDifference:
    """A path inside JSON answers that differs more often than the primary differs from itself."""

    path: str
    share: float
    own_share: float | None
    p_value: float


@dataclass(frozen=True, repr=False)
class Shadow(Finding):
    """Whether a candidate answers differently from the primary, beyond the primary's own noise.

    `difference` is the mean of candidate less primary (less what a second answer of the primary shows) for scores, the share
    of changed answers in excess of the primary's own for classes and texts; `interval` is its 95 % interval.
    `checks` holds every comparison that entered the verdict.
    """

    next_call = "`.frame()` for every comparison, `.segments` for who is affected, `.flips`, `.latency`"

    verdict: str
    because: str
    kind: str
    difference: float
    interval: Interval
    margin: float
    p_value: float
    detectable: float
    needed_pairs: int | None
    checks: NamedRows[Effect]
    flips: Flips | NotApplicable
    segments: tuple[Segment, ...]
    singles: tuple[Segment, ...]
    latency: LatencyDifference | NotApplicable
    metrics: NamedRows[Effect]
    pairs: int
    pairing: NamedRows[Pairing]
    noise: float | None
    fields: tuple[FieldDifference, ...] = ()
    notes: tuple[str, ...] = ()

    def says(self) -> str:
        """Say the verdict and why."""
        return f"{self.verdict}. {self.because}"

    def rows(self) -> list[dict[str, Any]]:
        """One row per comparison."""
        return [
            {"check": e.metric, "primary": e.first, "candidate": e.second, "difference": e.estimate, "low": e.interval[0],
             "high": e.interval[1], "margin": e.margin, "p_value": e.p_value, "state": e.state, "pairs": e.n,
             "needed_pairs": e.needed, "note": e.note}
            for e in (*self.checks, *(m for m in self.metrics if m.metric not in self.checks.names()))
        ]
