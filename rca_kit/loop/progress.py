"""Progress of a long run: share done, rate and time left."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

EVERY = 0.2  # seconds between two lines: more often flickers and slows fast models down


@dataclass(frozen=True)
class Progress:
    """How far a run is; `rate` in samples per second, `seconds_left` None before the first answer."""

    what: str
    done: int
    total: int
    rate: float
    seconds_left: float | None

    def __str__(self) -> str:
        left = "" if self.seconds_left is None else f", {self.seconds_left:.0f} s left"
        return f"{self.what}: {self.done:,} of {self.total:,} ({self.rate:,.0f}/s{left})"


Report = Callable[[Progress], None]


class Meter:
    """Counts answers and reports now and then; the last report always comes."""

    def __init__(self, what: str, total: int, report: Report | bool | None) -> None:
        self.what, self.total, self.done = what, total, 0
        self.report = to_terminal if report is True else report or None
        self.start = self.last = time.monotonic()

    def add(self, count: int) -> None:
        """Count some answers."""
        self.done += count
        if self.report is None:
            return
        now = time.monotonic()
        if now - self.last >= EVERY or self.done >= self.total:
            self.last = now
            rate = self.done / max(now - self.start, 1e-9)
            self.report(Progress(self.what, self.done, self.total, rate, (self.total - self.done) / rate if rate else None))


def to_terminal(progress: Progress) -> None:
    """Write one line over and over, on a terminal only."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{progress}\x1b[K" + ("\n" if progress.done >= progress.total else ""))
        sys.stderr.flush()
