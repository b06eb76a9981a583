"""What `find_changes` gives back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

MEAN, SLOPE, VARIANCE = "mean", "slope", "variance"
STEP, RAMP, SPIKE, SAWTOOTH, STAIRCASE, SEASON = "step", "ramp", "spike", "sawtooth", "staircase", "season"


@dataclass(frozen=True)
class Change:
    """One change: the first index of the new regime and what is known of it.

    `interval` is half-open: with 90% confidence the new regime began at an index in ``[interval[0], interval[1])``.
    For a change of kind ``variance`` `before` and `after` are standard deviations, else levels on either side.
    """

    index: int
    interval: tuple[int, int]
    before: float
    after: float
    p_value: float
    shape: str
    kind: str

    @property
    def change(self) -> float:
        """`after` minus `before`."""
        return self.after - self.before

    @property
    def direction(self) -> str:
        """Up or down."""
        return "up" if self.after >= self.before else "down"


@dataclass(frozen=True, repr=False)
class ChangePoints:
    """The changes of one series, in order of time; empty when nothing changed beyond chance and season.

    Attributes
    ----------
    changes : tuple of Change
        The changes themselves; iterating and indexing give these.
    n : int
        Number of buckets in the series, missing ones included.
    period : int or None
        The season that was given or found, in buckets.
    autocorrelation : float
        Lag-1 autocorrelation of the noise once changes and season are taken out (0 to 0.8).
    noise : float
        Standard deviation of that noise, in the units of the values (of one with the median number of trials for rates).
    note : str
        Why nothing could be found, when that was so from the start (too few values, constant).
    """

    changes: tuple[Change, ...]
    n: int
    period: int | None = None
    autocorrelation: float = 0.0
    noise: float = 0.0
    note: str = ""

    @property
    def indices(self) -> tuple[int, ...]:
        """First index of each new regime."""
        return tuple(c.index for c in self.changes)

    @property
    def intervals(self) -> tuple[tuple[int, int], ...]:
        """90% onset intervals as half-open index pairs."""
        return tuple(c.interval for c in self.changes)

    @property
    def before(self) -> tuple[float, ...]:
        """Level before each change (standard deviation for a variance change)."""
        return tuple(c.before for c in self.changes)

    @property
    def after(self) -> tuple[float, ...]:
        """Level after each change (standard deviation for a variance change)."""
        return tuple(c.after for c in self.changes)

    @property
    def p_values(self) -> tuple[float, ...]:
        """Chance of so strong a change anywhere in a series without one (corrected for the search)."""
        return tuple(c.p_value for c in self.changes)

    @property
    def shapes(self) -> tuple[str, ...]:
        """step, ramp, spike, sawtooth, staircase or season, per change."""
        return tuple(c.shape for c in self.changes)

    @property
    def kinds(self) -> tuple[str, ...]:
        """mean, slope or variance, per change."""
        return tuple(c.kind for c in self.changes)

    def __len__(self) -> int:
        return len(self.changes)

    def __iter__(self) -> Iterator[Change]:
        return iter(self.changes)

    def __getitem__(self, i: int) -> Change:
        return self.changes[i]

    def says(self) -> str:
        """Give the answer in words."""
        if not self.changes:
            why = f" ({self.note})" if self.note else " beyond chance and season"
            return f"no change in {self.n} buckets{why}"
        return "; ".join(_says(c) for c in self.changes)

    def __repr__(self) -> str:
        tail = "" if not self.changes else "\n  next: `.intervals` for when it began, `.before` and `.after` for how much"
        return f"ChangePoints: {self.says()}{tail}"


def _says(c: Change) -> str:
    low, high = c.interval
    where = f"{c.shape} at {c.index}" if high - low <= 1 else f"{c.shape} at {c.index} (90% between {low} and {high - 1})"
    what = "standard deviation " if c.kind == VARIANCE else ""
    return f"{where}: {what}{c.before:.4g} -> {c.after:.4g}"
