"""Rows for the questions that come after the sums, when the log is too large to be asked again and again."""

from __future__ import annotations

from dataclasses import replace

import narwhals as nw
import numpy as np
import polars as pl

from rca_kit.aggregates.hashing import HASH_PRIME
from rca_kit.aggregates.kept import KEPT, chosen
from rca_kit.findings.base import Window
from rca_kit.findings.scope import Scope, Segment
from rca_kit.loop.reading.picture import Picture
from rca_kit.loop.reading.prepare import Prepared
from rca_kit.sources.collect import collect

ENOUGH_AFTER = 60_000  # rows after the onset with which a scope of one in a thousand is seen; fewer are worth another reading
WANTED_AFTER = 240_000


def focused(prepared: Prepared, picture: Picture) -> Prepared:
    """Lay the kept rows on the windows, each at one rate; a short window after the onset is read again by itself."""
    kept = prepared.kept
    if kept is None:
        return prepared
    before, after = picture.windows
    rate = [kept.share(w.start, w.end) for w in (before, after)]
    frame = kept.even((before.start, before.end), (after.start, after.end))
    there = rows_in(prepared, picture, after)
    if prepared.readable and rate[1] < 1 and rate[1] * there < ENOUGH_AFTER:
        rate[1], inside = _read_again(prepared, after, there, frame.columns)
        time = pl.col(prepared.columns.time)
        outside = frame.filter((time < after.start) | (time >= after.end))
        frame = pl.concat([outside, inside]).sort(prepared.columns.time, maintain_order=True)
    return replace(prepared, frame=nw.from_native(frame.lazy()), share=(rate[0], rate[1]))


def rows_in(prepared: Prepared, picture: Picture, window: Window) -> float:
    """Rows that the log holds in a window."""
    n = prepared.aggregates.cubes["time"].dense("n", picture.grid.n)
    return float((n * picture.grid.inside(window)).sum())


def _read_again(prepared: Prepared, window: Window, there: float, columns: list[str]) -> tuple[float, pl.DataFrame]:
    limit = int(HASH_PRIME * min(WANTED_AFTER / max(there, 1.0), 1.0))
    time = nw.col(prepared.columns.time)
    inside = prepared.case.predictions.filter((time >= window.start) & (time < window.end)).select(*[nw.col(c) for c in columns])
    return limit / HASH_PRIME, collect(chosen(inside, prepared.columns, limit)).drop(KEPT)


def counted(scope: Scope, share: tuple[float, float]) -> Scope:
    """Counts of rows as the whole log holds them, where a share of it was looked at."""
    if share == (1.0, 1.0):
        return scope

    def whole(s: Segment) -> Segment:
        n = [None if k is None else int(np.rint(k / r)) for k, r in zip((s.n_before, s.n_after), share, strict=True)]
        return replace(s, n_before=n[0], n_after=n[1])

    return replace(scope, segments=tuple(map(whole, scope.segments)), singles=tuple(map(whole, scope.singles)))
