"""What the checks may look at: the picture, samples of rows before and after, the columns' comparison, the change log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from rca_kit.aggregates.plan import Columns
from rca_kit.findings.investigation import ChangeRecord
from rca_kit.findings.signal import MetricReading
from rca_kit.loop.reading.detect import OUTCOMES
from rca_kit.loop.reading.names import public
from rca_kit.loop.reading.onset import joint_onset
from rca_kit.loop.reading.picture import Picture
from rca_kit.loop.reading.repeats import Repeats
from rca_kit.loop.s4_suspects.clocks import calendar_features, clock_features, told_by_day
from rca_kit.loop.s4_suspects.inside import Inside, moved_inside
from rca_kit.stats.clumps import NEAR_S, rows_per_spell, rows_per_value
from rca_kit.stats.drift import ColumnChange
from rca_kit.stats.rates import mean_gap

Floats = NDArray[np.float64]

SAMPLE_ROWS = 12_000  # rows per side: a share of 1 % is seen in 120 of them, a surrogate model fits in well under a second
LOSS_CLIP = 1e-3  # bounds one row's log loss at 6.9


@dataclass(frozen=True)
class Room:
    """One case laid out for the checks."""

    picture: Picture
    before: pl.DataFrame
    after: pl.DataFrame
    compared: dict[str, ColumnChange]
    changes: tuple[ChangeRecord, ...]
    dtypes: dict[str, str] = field(default_factory=dict)
    repeats: Repeats | None = None

    @property
    def columns(self) -> Columns:
        """The columns' roles."""
        return self.picture.aggregates.plan.columns

    @cached_property
    def clocks(self) -> tuple[str, ...]:
        """Features that tell the time of day or the day: they differ between windows because the windows do."""
        return tuple(dict.fromkeys((*clock_features(self.before, self.columns), *self.dates)))

    @cached_property
    def inside(self) -> dict[str, Inside]:
        """Features that moved in one segment and held still elsewhere."""
        c = self.columns
        names = set(self.before.columns) & set(self.after.columns)
        features = [f for f in dict.fromkeys((*c.features, *c.segments)) if f in names - {c.model_version, *self.clocks}]
        segments = [s for s in c.segments if s in names and s != c.model_version]
        return moved_inside(self.before, self.after, features, segments, self.clumps)

    @cached_property
    def clumps(self) -> dict[str, float]:
        """Sampled rows of before that count for one, by column.

        Those of one search or session share what they came with, those of one hour the weather.
        """
        seconds = self.before[self.columns.time].dt.epoch("us").to_numpy() / 1e6
        if seconds.size < 2:
            return {}
        names = [f for f in dict.fromkeys((*self.columns.features, *self.columns.segments)) if f in self.before.columns]
        together = (np.diff(seconds) <= NEAR_S).mean() >= CLUMPED_LEAST
        out = {}
        for f in names:
            code = self.before[f].rank("dense").fill_null(0).to_numpy().astype(np.intp)
            rank = self.before[f].rank("average").to_numpy().astype(float) if self.before.schema[f].is_numeric() else None
            by_value = rows_per_value(code, seconds) if together else 1.0
            out[f] = max(by_value, rows_per_spell(rank, seconds) if rank is not None else 1.0)
        return out

    @cached_property
    def dates(self) -> tuple[str, ...]:
        """Features that tell the day: weekday, weekend, month."""
        both = pl.concat([self.before, self.after], how="diagonal_relaxed")
        return tuple(dict.fromkeys((*calendar_features(both, self.columns), *told_by_day(self.picture.aggregates))))

    @cached_property
    def readings(self) -> dict[str, MetricReading]:
        """Every series before and after."""
        return {n: self.picture.reading(n) for n, s in self.picture.series.items() if s.family != "helper"}

    def moved(self, *families: str) -> list[str]:
        """Names of the series of these families that moved, strongest first."""
        names = [n for n, r in self.readings.items() if r.moved and self.picture.series[n].family in families]
        return sorted(names, key=lambda n: (-self.strength(n), n))

    @property
    def business_calm(self) -> bool | None:
        """Whether no business outcome got worse, not even by so little that it is no finding of its own; None without one."""
        kpis = [r for n, r in self.readings.items() if self.picture.series[n].family == "kpi"]
        stirred = any(r.moved or (r.worse and r.p_value is not None and r.p_value < STIRRED) for r in kpis)
        return not stirred if kpis else None

    def strength(self, name: str) -> float:
        """0..1 from the evidence of a move: z = 4 gives about 0.5, z = 10 about 0.85."""
        move = self.picture.moves.get(name)
        if move is None:
            return 0.0
        z = max(move.z_at(self.picture.start), abs(move.fit.z) if move.moved and move.scan.best else 0.0)
        return float(z / (z + 4.0))

    def onset(self, name: str) -> int | None:
        """Fine bucket where a moved series began."""
        move = self.picture.moves.get(name)
        return joint_onset([move], self.picture.grid).index if move is not None and move.moved else None

    @cached_property
    def main(self) -> str:
        """Series of the outcome the investigation is about."""
        if self.picture.anchor is not None:
            anchor = self.picture.anchor.series
            return public(anchor.name) if anchor.family == "segment" else anchor.name
        return self.picture.alert

    def loss(self, frame: pl.DataFrame) -> Floats | None:
        """Badness of each sampled row in terms of the main metric, NaN where unknown; None when the metric has no rows."""
        return row_loss(
            frame,
            self.columns,
            self.picture.aggregates.plan,
            self.main,
            self.picture.series[self.main].family if self.main in self.picture.series else "",
        )

    def harm(self, bad_before: NDArray[np.bool_], bad_after: NDArray[np.bool_]) -> float | None:
        """Share of the main metric's rise in loss that lies in the marked rows after (against all rows before)."""
        a, b = self.loss(self.after), self.loss(self.before)
        if a is None or b is None:
            return None
        ok_a, ok_b = np.isfinite(a), np.isfinite(b)
        if ok_a.sum() < 30 or ok_b.sum() < 30:
            return None
        base = float(b[ok_b].mean())
        total, error = mean_gap(a[ok_a], b[ok_b])
        if total < 2 * error:
            return None
        return float(((a - base)[ok_a & bad_after]).sum() / ok_a.sum() / total)


STIRRED = 0.001  # chance below which a business outcome did not hold still: what is said of labels alone rests on its calm
ODD_ROWS, ODD_Z, ODD_LEAST = 0.01, 3.0, 200  # largest losses pulled in; z that must remain; rows a side to tell
CLUMPED_LEAST = 0.05  # part of the sampled rows with a neighbour written at once, below which rows come one by one
FEW_HERE = 30  # sampled rows of one segment below which a mean of losses is a handful of requests
ODD = (("mae", "rmse"),)  # means that rest on the same losses


def rests_on_few(room: Room) -> tuple[str, ...]:
    """The main metric (and its like) when its change rests on a few odd requests: gone once the largest losses are pulled in.

    One that nobody asked about is doubted too when its values before and after hardly differ.
    Errors and amounts have heavy tails, and a mean over an hour moves by one of them. Faults in a few rows are seen in the data.
    """
    anchor = room.picture.anchor
    if anchor is None:
        return ()
    asked = anchor.series.name == room.picture.alert
    if not asked and anchor.series.family in OUTCOMES and not room.readings[anchor.series.name].moved:
        return (anchor.series.name,)
    if anchor.series.counts or anchor.series.quantile is not None:
        return ()
    name, column = anchor.series.name, anchor.series.column
    a: Floats | None
    b: Floats | None
    up, least = True, ODD_LEAST
    if anchor.series.family == "input" and column in room.after.columns:
        a, b, up = numbers(room.after, column), numbers(room.before, column), anchor.fit.height > 0
    elif name in ("mae", "rmse") or anchor.series.family == "kpi":
        a, b = room.loss(room.after), room.loss(room.before)
    elif anchor.series.family == "segment" and column in room.after.columns:
        value, least = name.partition("=")[2], FEW_HERE
        a, b = (room.loss(f.filter(pl.col(column).cast(pl.String) == value)) for f in (room.after, room.before))
        if a is not None and np.isfinite(a).sum() < least:
            return (name,)
    else:
        return ()
    if a is None or b is None:
        return ()
    a, b = a[np.isfinite(a)], b[np.isfinite(b)]
    if min(a.size, b.size) < least:
        return ()
    low, high = np.quantile(b, [ODD_ROWS, 1 - ODD_ROWS])
    a, b = np.clip(a, low, high), np.clip(b, low, high)
    change, error = mean_gap(a, b)
    if error <= 0 or (change if up else -change) >= ODD_Z * error:
        return ()
    return next((group for group in ODD if name in group), (name,))


def row_loss(frame: pl.DataFrame, c: Columns, plan: Any, metric: str, family: str) -> Floats | None:
    """Loss of each row: log loss, absolute error, miss, failure, log latency or missing KPI, by the metric's kind."""
    if family == "kpi":
        kpi = metric.removeprefix("kpi:")
        x = numbers(frame, kpi, c.positive.get(kpi))
        return -x if c.kpis.get(kpi) == "higher" else x
    if metric == "error_rate" and c.error:
        return failed(frame[c.error])
    if family in ("service", "stage") and metric != "error_rate":
        column = c.latency if family == "service" else metric.partition(":")[2]
        return np.log(np.maximum(numbers(frame, column), 1e-3)) if column else None
    if c.label and c.score and plan.label_kind == "binary":
        y, s = numbers(frame, c.label, c.positive.get(c.label)), numbers(frame, c.score)
        if plan.score_is_probability:
            p = np.clip(s, LOSS_CLIP, 1 - LOSS_CLIP)
            return np.asarray(-(y * np.log(p) + (1 - y) * np.log(1 - p)))
        ranks = np.argsort(np.argsort(s)) / max(s.size - 1, 1)
        return np.asarray((y - ranks) ** 2)
    if c.label and c.score and plan.label_kind == "number":
        return np.abs(numbers(frame, c.score) - numbers(frame, c.label))
    if c.label and c.decision and plan.label_kind == "class":
        miss = (frame[c.label].cast(pl.String) != frame[c.decision].cast(pl.String)).cast(pl.Float64)
        return np.asarray(miss.to_numpy(), dtype=float)
    return None


def numbers(frame: pl.DataFrame, column: str | None, positive: Any = None) -> Floats:
    """Read a column as floats with NaN for null and infinite; 0/1 against the positive value where one is given."""
    if column is None or column not in frame.columns:
        return np.full(frame.height, np.nan)
    s = frame[column]
    s = (s == positive).cast(pl.Float64) if positive is not None else s.cast(pl.Float64, strict=False)
    x = s.to_numpy().astype(float)
    return np.where(np.isfinite(x), x, np.nan)


def failed(errors: pl.Series) -> Floats:
    """1 where a request failed."""
    from rca_kit.aggregates.rows import NO_ERROR

    if errors.dtype.is_numeric() or errors.dtype == pl.Boolean:
        return np.asarray((errors.cast(pl.Float64).fill_null(0) != 0).cast(pl.Float64).to_numpy())
    text = errors.cast(pl.String)
    return np.asarray((~(text.is_null() | text.is_in(list(NO_ERROR)))).cast(pl.Float64).to_numpy())


def as_clues(found: Sequence[Any]) -> tuple[Any, ...]:
    """Strongest first."""
    return tuple(sorted(found, key=lambda c: (-c.strength, c.subject)))
