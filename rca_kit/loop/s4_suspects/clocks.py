"""Features that the time of the request determines: they differ between windows because the windows do."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from rca_kit.aggregates.grid import DAY_S
from rca_kit.aggregates.plan import Columns
from rca_kit.aggregates.scan import Aggregates

Floats = NDArray[np.float64]

CALENDAR_DAYS, CALENDAR_ROWS, CALENDAR_VALUES = 3, 20, 31  # days with rows enough; no calendar code has more values
CLOCK_EXACT = 0.5  # share of an hour's requests that hold its one value, in three hours of four (a clock may jump within one)
DAY_MINUTES, ZONE_MINUTES = 24 * 60, (0, 30, 45)  # minutes of a day; those that time zones differ by beside whole hours
CLOCK_OWN = 0.75  # part of the hours that have a value of their own where a clock was set wrong for a while
CLOCK_FIT = 0.85  # share of a feature's variance that the hour of day must explain for it to be a clock


def clock_features(frame: pl.DataFrame, c: Columns) -> dict[str, int]:
    """Numeric features that the hour of the request determines, which differ between windows of different hours.

    With the minutes by which their hours begin before those of UTC: time zones differ by halves and quarters of an hour too.
    """
    out = {}
    minutes = (frame[c.time].dt.epoch("s").to_numpy() // 60) % DAY_MINUTES
    if np.unique(minutes // 60).size < 3:
        return {f: 0 for f in c.features if "hour" in f.lower()}
    for name in c.features:
        x = frame[name].cast(pl.Float64).fill_null(np.nan).to_numpy() if frame.schema[name].is_numeric() else np.zeros(0)
        ok = np.isfinite(x)
        told = [t for t in (x[ok], np.floor(x[ok])) if 1 < np.unique(t).size <= 100]  # of a clock in parts of hours
        if ok.sum() < 100 or not told:
            continue
        fits = {m: max(_told_by_hour(t, (minutes[ok] + m) % DAY_MINUTES // 60) for t in told) for m in ZONE_MINUTES}
        best = max(fits, key=lambda m: (fits[m], -m))
        if fits[best] >= CLOCK_EXACT:  # the sun follows the hour too, and is no clock
            out[name] = best
    return out


def between_groups(x: Floats, group: NDArray[np.int64]) -> float:
    """Part of the variance of values that lies between groups: the squared correlation ratio; 0 where they do not vary.

    Examples
    --------
    >>> between_groups(np.array([1.0, 1.0, 4.0, 4.0]), np.array([0, 0, 1, 1]))
    1.0
    """
    means = np.bincount(group, x) / np.maximum(np.bincount(group), 1)
    whole = float(np.var(x))
    return float(np.var(means[group])) / whole if whole > 0 else 0.0


def _told_by_hour(x: Floats, hour: NDArray[np.int64]) -> float:
    """Share of an hour's requests that hold its one value, in three hours of four; 0 where the hour explains too little.

    A clock that was set wrong for some of the time is still one: most hours have a value of their own then.
    """
    held = [np.unique(x[hour == h], return_counts=True) for h in np.unique(hour)]
    own = len({float(values[int(np.argmax(n))]) for values, n in held})
    if between_groups(x, hour) < CLOCK_FIT and own <= max(CLOCK_OWN * len(held), 3):
        return 0.0
    return float(np.quantile([n.max() / n.sum() for _, n in held], 0.25))


def calendar_features(frame: pl.DataFrame, c: Columns) -> tuple[str, ...]:
    """Codes that the date of the request determines: weekday, weekend, month."""
    days = frame.select(day=pl.col(c.time).dt.date())
    out = []
    for name in c.features:
        s = frame[name]
        if s.dtype.is_float() and not (s.drop_nulls().is_nan() | (s.drop_nulls() == s.drop_nulls().floor())).all():
            continue
        by_day = (
            days.with_columns(value=s.cast(pl.String))
            .drop_nulls()
            .group_by("day", "value")
            .len()
            .sort("day", "len", "value", descending=[False, True, True])
            .group_by("day", maintain_order=True)
            .agg(pl.col("value").first(), pl.col("len").first(), total=pl.col("len").sum())
            .filter(pl.col("total") >= CALENDAR_ROWS)
        )
        if by_day.height < CALENDAR_DAYS or by_day["value"].n_unique() < 2 or by_day["value"].n_unique() > CALENDAR_VALUES:
            continue
        changes = (by_day["value"] != by_day["value"].shift(1)).sum()  # a fault changes a value once, the calendar day by day
        if changes >= 2 and int(by_day["len"].sum()) >= CLOCK_FIT * int(by_day["total"].sum()):
            out.append(name)
    return tuple(out)


def told_by_day(aggregates: Aggregates) -> list[str]:
    """Numeric features of one value all through a day and another on the next, by the sums of the whole log."""
    grid, time = aggregates.plan.grid, aggregates.cubes["time"]
    out = []
    for i, plan in enumerate(aggregates.plan.features):
        if not plan.numeric:
            continue
        n, s, ss = (time.dense(f"feature{i}_{x}", grid.n) for x in ("n", "s", "ss"))
        used = np.flatnonzero(n > 0)
        if used.size < CALENDAR_DAYS:
            continue
        mean = s[used] / n[used]
        still = ss[used] / n[used] - mean**2 <= 1e-9 * (1 + mean**2)
        turns = used[1:][np.abs(np.diff(mean)) > 1e-9 * (1 + np.abs(mean[1:]))]
        clock = (int(grid.origin.timestamp()) + turns * grid.width_s) % DAY_S
        seconds = np.asarray(int(grid.origin.timestamp()) + used[still] * grid.width_s, dtype=np.float64)
        if still.mean() >= CLOCK_FIT and turns.size and _counts_weekdays(mean[still], seconds):
            out.append(plan.column)
            continue
        if turns.size >= 2 and still.mean() >= CLOCK_FIT and np.ptp(clock) <= grid.width_s and np.diff(turns).min() > 1:
            out.append(plan.column)
    return out


def _counts_weekdays(value: Floats, at: Floats) -> bool:
    """Whether whole numbers go up by one a day and begin again after seven, in some time zone."""
    if (value != np.round(value)).any() or np.ptp(value) > 6 or np.unique(value).size < 2:
        return False
    days = (np.floor((at + hours * 3600) / DAY_S) for hours in range(-12, 15))
    return any(np.unique((value - d) % 7).size == 1 for d in days)
