"""The time grid: half-open buckets of equal width, aligned to the epoch, in UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

MAX_FINE_BUCKETS = 3000  # enough for 5-minute buckets over ten days; arrays stay small
MAX_COARSE_BUCKETS = 400  # two weeks of hours with room; feature histograms are kept per coarse bucket
MIN_FINE_SECONDS = 60  # people read change logs in minutes; a finer onset would be false precision
SHORT_SPAN_SECONDS = 2 * 3600  # ... but a load test of minutes needs seconds

WIDTHS_S = (1, 5, 10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 7 * 86400, 28 * 86400)
DIVIDING_S = tuple(w for i, w in enumerate(WIDTHS_S) if all(wider % w == 0 for wider in WIDTHS_S[i:]))
"""Widths whose buckets make whole buckets of every wider one."""
DAY_S = 86400


@dataclass(frozen=True)
class TimeGrid:
    """Buckets ``[origin + i * width, origin + (i + 1) * width)`` for i in 0..n-1.

    `coarse` fine buckets make one coarse bucket; both are aligned to the epoch, so grids of several days merge. `ahead_s` is by
    how much the weekend of those who send the requests is ahead of UTC's.

    Examples
    --------
    >>> g = TimeGrid.over(datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 8, tzinfo=UTC))
    >>> g.width_s, g.coarse, g.n
    (300, 6, 2022)
    """

    origin: datetime
    width_s: int
    n: int
    coarse: int
    ahead_s: int = 0

    @classmethod
    def over(cls, first: datetime, last: datetime) -> TimeGrid:
        """Choose widths for a log whose first and last rows are at these times (both included)."""
        span = max((last - first).total_seconds(), 1.0)
        least = MIN_FINE_SECONDS if span > SHORT_SPAN_SECONDS else 1
        fine = next((w for w in WIDTHS_S if w >= least and span / w <= MAX_FINE_BUCKETS), WIDTHS_S[-1])
        wide = next((w for w in WIDTHS_S if w >= fine and w % fine == 0 and span / w <= MAX_COARSE_BUCKETS), WIDTHS_S[-1])
        return cls.of_widths(first, last, fine, wide)

    @classmethod
    def mergeable(cls, first: datetime, last: datetime) -> TimeGrid:
        """Choose widths for a log whose sums shall merge with those of any longer one: at most twice as many buckets.

        Examples
        --------
        >>> first, last = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 4, tzinfo=UTC)
        >>> TimeGrid.over(first, last).width_s, TimeGrid.mergeable(first, last).width_s
        (120, 60)
        """
        own = cls.over(first, last)
        fine, wide = (max(w for w in DIVIDING_S if width % w == 0) for width in (own.width_s, own.coarse_s))
        return cls.of_widths(first, last, fine, wide)

    @classmethod
    def of_widths(cls, first: datetime, last: datetime, fine: int, wide: int) -> TimeGrid:
        """Lay buckets of given widths over a log."""
        start = int(first.timestamp()) // wide * wide
        n = int((last.timestamp() - start) // fine) + 1
        coarse = wide // fine
        n = -(-n // coarse) * coarse if n > coarse else n
        return cls(datetime.fromtimestamp(start, UTC), fine, n, coarse)

    @property
    def n_coarse(self) -> int:
        """Number of coarse buckets."""
        return -(-self.n // self.coarse)

    @property
    def coarse_s(self) -> int:
        """Width of a coarse bucket in seconds."""
        return self.width_s * self.coarse

    def time(self, index: float, *, coarse: bool = False) -> datetime:
        """Start of a bucket."""
        return self.origin + timedelta(seconds=float(index) * (self.coarse_s if coarse else self.width_s))

    def times(self, *, coarse: bool = False) -> tuple[datetime, ...]:
        """Starts of all buckets."""
        return tuple(self.time(i, coarse=coarse) for i in range(self.n_coarse if coarse else self.n))

    def index(self, when: datetime) -> int:
        """Fine bucket that holds a time, clipped to the grid (n for times after its end)."""
        return int(np.clip((when - self.origin).total_seconds() // self.width_s, 0, self.n))

    def inside(self, window: Any) -> Any:
        """1.0 for each fine bucket that starts in a window with `start` and `end`, shape (n,)."""
        starts = int(self.origin.timestamp()) + np.arange(self.n) * self.width_s
        return ((starts >= window.start.timestamp()) & (starts < window.end.timestamp())).astype(float)

    def period(self, *, coarse: bool = True) -> int | None:
        """Buckets per day, or None when a bucket is a day or longer or does not divide one."""
        width = self.coarse_s if coarse else self.width_s
        return DAY_S // width if width < DAY_S and DAY_S % width == 0 else None

    def phase(self, *, coarse: bool = False) -> Any:
        """Position in the day of each bucket, shape (n,), in units of coarse buckets (fine arrays too)."""
        return (self.seconds(coarse=coarse) % DAY_S) // min(self.coarse_s, DAY_S)

    def seconds(self, *, coarse: bool = False) -> Any:
        """Starts of all buckets in seconds since the epoch, shape (n,)."""
        return int(self.origin.timestamp()) + np.arange(self.n_coarse if coarse else self.n) * (
            self.coarse_s if coarse else self.width_s)

    def day(self, *, coarse: bool = False) -> Any:
        """Day of the week in which each bucket starts, shape (n,): 0 = Monday, by the days of those who send the requests."""
        return ((self.seconds(coarse=coarse) + self.ahead_s) // DAY_S + 3) % 7

    def weekend(self, *, coarse: bool = False) -> Any:
        """Whether each bucket starts on a weekend of those who send the requests, shape (n,)."""
        return self.day(coarse=coarse) >= 5
