"""A budget of time: a log too large for it is read in part, and what that costs is said."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import Any

import narwhals as nw
import polars as pl

from rca_kit.aggregates.batch import sum_batch
from rca_kit.aggregates.batches import BATCH_ROWS
from rca_kit.aggregates.grid import TimeGrid
from rca_kit.aggregates.hashing import HASH_PRIME
from rca_kit.aggregates.kept import KEPT, chosen
from rca_kit.errors import BadInput
from rca_kit.findings.suspects import Suspects
from rca_kit.loop.reading.plan import columns_of, plan_of
from rca_kit.sources import OpenCase
from rca_kit.sources.collect import collect

FOR_ROWS = 0.5  # part of what is left that goes to reading and summing; checks and samples take the other half
TRIAL_ROWS = 50_000  # rows summed to learn how long a row takes
FEWEST_ROWS = 100_000  # below this nothing is saved, and a share of one in a hundred is no longer seen
SEED = 15_485_863  # unlike that of the rows kept, which are a part of these
# A probability is worth less on fewer rows. On the samples, thinned to one row in 4 and in 16, the first suspect was that of all
# rows in 14 of 19 and 12 of 16 cases, said with 0.77 and 0.87 on average; this power of the share makes that 0.67 and 0.66.
CAUTION = 0.1
LAST_PART = 0.15  # part of the budget that must be left for a simulation to begin


class Budget:
    """Seconds that an investigation may take, counted from when it is made.

    Parameters
    ----------
    seconds : float
        Above zero.

    Raises
    ------
    BadInput
        When it is no positive number.

    Examples
    --------
    >>> Budget(60).spent
    False
    """

    def __init__(self, seconds: float) -> None:
        if not (math.isfinite(seconds) and seconds > 0):
            raise BadInput("a budget is a positive number of seconds", found=str(seconds), expected="such as 60s or 5m")
        self.seconds = float(seconds)
        self.share = 1.0
        self.rows = 0
        self._end = time.monotonic() + self.seconds
        self._omitted: list[str] = []

    @property
    def left(self) -> float:
        """Seconds left, 0 when it is used up."""
        return max(self._end - time.monotonic(), 0.0)

    @property
    def spent(self) -> bool:
        """Whether too little is left to begin what can be left out."""
        return self.left < LAST_PART * self.seconds

    def left_out(self, what: str) -> str:
        """Note that a step was left out; gives the reason that its finding shows."""
        self._omitted.append(what)
        return f"left out: the time budget of {self.seconds:g} s was used up"

    def thinned(self, opened: OpenCase) -> OpenCase:
        """Give the case with as many rows, chosen by hash, as can be summed in half the time that is left.

        The share is a power of one half, so that runs on machines of like speed agree; every stretch of time is thinned alike.
        """
        self.rows = opened.row_count
        if opened.saved or opened.row_count <= 2 * FEWEST_ROWS:
            return opened
        available = FOR_ROWS * self.left - self._reading(opened)
        affordable = available / max(self._seconds_per_row(opened), 1e-9)
        share = 1.0
        while share * opened.row_count > max(affordable, FEWEST_ROWS) and share * opened.row_count > 2 * FEWEST_ROWS:
            share /= 2
        if share == 1.0:
            return opened
        self.share = share
        frame = chosen(opened.predictions, columns_of(opened), int(share * HASH_PRIME), SEED).drop(KEPT)
        return replace(opened, predictions=frame, row_count=max(round(opened.row_count * share), 1))

    def careful(self, found: Suspects) -> Suspects:
        """Suspects as few rows allow them: less probable each, and a verdict that says what it rests on."""
        if self.share == 1.0:
            return found
        worth = self.share**CAUTION
        items = tuple(s if s.decision is not None else replace(s, probability=s.probability * worth) for s in found.items)
        because = found.verdict_because
        if found.verdict != "incident":
            because = f"{because.rstrip('.')}; seen in one row in {round(1 / self.share)} only, so not certain"
        left = float(1 - sum(s.probability for s in items)) if items else found.unexplained
        return replace(found, items=items, unexplained=left, verdict_because=because)

    def notes(self, verdict: str) -> tuple[str, ...]:
        """What the budget cost, for the findings' warnings."""
        out = []
        if self.share < 1:
            wider = math.sqrt(1 / self.share)
            out.append(
                f"time budget of {self.seconds:g} s: one row in {round(1 / self.share)} of {self.rows:,} was looked at. Counts "
                f"are those of the rows looked at, intervals are about {wider:.1f} times as wide, probabilities of suspects are "
                f"taken {self.share**CAUTION:.2g} times, and what touches few requests may be missed"
            )
            if verdict != "incident":
                said = "that nothing changed" if verdict == "no_change" else "that no outcome got worse"
                out.append(f"{said} holds only for changes that show in one row in {round(1 / self.share)}: run again without a "
                           "budget before the alert is closed")
        if self._omitted:
            out.append(f"left out for the time budget: {', '.join(self._omitted)}")
        return tuple(out)

    def _reading(self, opened: OpenCase) -> float:
        """Seconds that reading all rows takes, whatever is then done with them; 0 where the engine keeps that to itself."""
        native = opened.predictions.to_native()
        if not isinstance(native, pl.LazyFrame):
            return 0.0
        needed = columns_of(opened).needed()
        started = time.monotonic()
        native.select(needed).head(BATCH_ROWS).collect(engine="streaming")
        return (time.monotonic() - started) * opened.row_count / BATCH_ROWS

    def _seconds_per_row(self, opened: OpenCase) -> float:
        columns = columns_of(opened)
        rows: Any = opened.sample
        if rows is None:
            rows = collect(opened.predictions.select(*[nw.col(c) for c in columns.needed()]).head(TRIAL_ROWS))
        rows = rows.select(columns.needed()).head(TRIAL_ROWS)
        trial = replace(opened, sample=rows, row_count=rows.height, predictions=nw.from_native(rows.lazy()))
        plan = plan_of(trial, columns, TimeGrid.over(*opened.time_range))
        sum_batch(rows.head(1_000), plan)  # the first batch also loads what it needs
        started = time.monotonic()
        sum_batch(rows, plan)
        return (time.monotonic() - started) / float(rows.height)
