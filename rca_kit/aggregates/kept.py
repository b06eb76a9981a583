"""Rows kept while a log is summed: of every stretch of time those whose hash is small, so that kept rows merge as sums do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl
from numpy.typing import NDArray

from rca_kit.aggregates.grid import TimeGrid
from rca_kit.aggregates.hashing import HASH_PRIME, row_hash
from rca_kit.aggregates.plan import Columns
from rca_kit.sources.clock import micros

KEPT = "rk_kept"
SEED = 104_729  # unlike that of any sample drawn from the kept rows later

Limits = NDArray[np.int64]


@dataclass(frozen=True)
class Kept:
    """Rows of a log: in coarse bucket b all those with a hash below ``limits[b]``, and no others.

    Attributes
    ----------
    frame : polars.DataFrame
        The rows in order of time, with their hash in `rk_kept`.
    limits : int array of shape (grid.n_coarse,)
        ``limits[b] / HASH_PRIME`` is the share of bucket b that was kept.
    """

    frame: pl.DataFrame
    limits: Limits
    time: str
    grid: TimeGrid

    @classmethod
    def of(cls, parts: Sequence[pl.DataFrame], limits: Limits, time: str, grid: TimeGrid) -> Kept:
        """Bring rows in order, each part taken from the log by `chosen`."""
        frame = pl.concat(parts).sort(time, KEPT, maintain_order=True)
        out = cls(frame, limits, time, grid)
        return replace(out, frame=frame.filter(pl.Series(frame[KEPT].to_numpy() < limits[out.buckets()])))

    def buckets(self) -> Limits:
        """Coarse bucket of each row."""
        return coarse_buckets(self.frame[self.time], self.grid)

    def share(self, start: datetime, end: datetime) -> float:
        """Share of the rows of a window that are kept at the same rate throughout."""
        return int(self._within(start, end).min(initial=HASH_PRIME)) / HASH_PRIME

    def even(self, *windows: tuple[datetime, datetime]) -> pl.DataFrame:
        """Rows thinned so that each window is kept at one rate; other rows as they are."""
        limits = self.limits[self.buckets()].copy()
        for start, end in windows:
            inside = ((self.frame[self.time] >= start) & (self.frame[self.time] < end)).to_numpy()
            limits[inside] = self._within(start, end).min(initial=HASH_PRIME)
        return self.frame.filter(pl.Series(self.frame[KEPT].to_numpy() < limits)).drop(KEPT)

    def _within(self, start: datetime, end: datetime) -> Limits:
        first, last = (int((w - self.grid.origin).total_seconds() // self.grid.coarse_s) for w in (start, end))
        return self.limits[max(first, 0) : max(last + 1, 0)]

    def on(self, grid: TimeGrid) -> Kept:
        """Lay the rows on a grid whose coarse buckets are made of whole ones of this; the least rate of a bucket holds for it."""
        limits = np.full(grid.n_coarse, HASH_PRIME)
        starts = self.grid.origin.timestamp() + np.arange(self.limits.size) * self.grid.coarse_s
        at = ((starts - grid.origin.timestamp()) // grid.coarse_s).astype(np.int64)
        there = np.unique(self.buckets())  # a stretch without rows says nothing about the rate
        np.minimum.at(limits, at[there], self.limits[there])
        return Kept.of([self.frame], limits, self.time, grid)

    def merge(self, other: Kept) -> Kept:
        """Put rows of two logs on one grid together, at the lower rate where both hold rows."""
        return Kept.of([self.frame, other.frame.select(self.frame.columns)], np.minimum(self.limits, other.limits), self.time,
                       self.grid)


def coarse_buckets(times: pl.Series, grid: TimeGrid) -> Limits:
    """Coarse bucket of each time."""
    micros = times.dt.timestamp("us").to_numpy() - int(grid.origin.timestamp()) * 1_000_000
    return np.asarray(micros // (grid.coarse_s * 1_000_000), dtype=np.int64)


def chosen(frame: nw.LazyFrame[Any], columns: Columns, limit: int, seed: int = SEED) -> nw.LazyFrame[Any]:
    """Rows whose hash is below a limit, with the hash: a row has the same one whatever log it stands in."""
    others = (columns.score, columns.latency, *columns.stages, *columns.features)
    value = row_hash(micros(frame, columns.time), others, seed, dict(frame.collect_schema()))
    return frame.with_columns(value.alias(KEPT)).filter(nw.col(KEPT) < limit)
