"""A freshness check: ages that stand in the service metrics, or the newest timestamp of a table, against healthy limits."""

from __future__ import annotations

import pprint
from datetime import datetime
from typing import Any

import polars as pl

AGE_WORDS = ("age", "freshness", "staleness", "lag")
WIDEN = 2.0  # features may be twice as old as they ever were on healthy days
MIN_POINTS = 10
TAUGHT = 2 / 3  # of the healthy time; the limits are tried on the rest


def learn(metrics: pl.DataFrame, onset: datetime) -> dict[str, float]:
    """Learn the largest healthy age per component and metric, widened; seconds, or the metric's own units.

    Parameters
    ----------
    metrics : Polars frame
        ``time, component, metric, value``.
    """
    healthy = metrics.filter((pl.col("time") < onset) & pl.col("value").is_finite())
    out = {}
    for (component, metric), part in healthy.group_by("component", "metric", maintain_order=True):
        parts = str(metric).lower().replace("-", "_").split("_")
        worst = max(part["value"].to_list())
        # an age that is always 0 has no scale: any limit would be a guess, and 0 would fire on the first second
        if any(w in parts for w in AGE_WORDS) and part.height >= MIN_POINTS and worst > 0:
            out[f"{component}/{metric}"] = float(f"{WIDEN * worst:.6g}")
    return dict(sorted(out.items()))


def first_breach(
    metrics: pl.DataFrame, limits: dict[str, float], after: datetime | None = None, before: datetime | None = None
) -> datetime | None:
    """Give the first time at which an age is over its limit, within ``[after, before)``."""
    times = []
    for key, limit in limits.items():
        component, metric = key.split("/", 1)
        hit = metrics.filter((pl.col("component") == component) & (pl.col("metric") == metric) & (pl.col("value") > limit))
        if after is not None:
            hit = hit.filter(pl.col("time") >= after)
        if before is not None:
            hit = hit.filter(pl.col("time") < before)
        if hit.height:
            times.append(min(hit["time"].to_list()))
    return min(times, default=None)


def held_out(metrics: pl.DataFrame, onset: datetime) -> bool | None:
    """Whether limits learnt from the first two thirds of the healthy time hold in the last; None when there is too little.

    The limits of the whole hold there by construction, which tells nothing.
    """
    healthy = metrics.filter(pl.col("time") < onset)
    if healthy.height < MIN_POINTS / (1 - TAUGHT):
        return None
    times = healthy["time"].to_list()
    split = min(times) + TAUGHT * (onset - min(times))
    limits = learn(metrics, split)
    return first_breach(metrics, limits, after=split, before=onset) is None if limits else None


def render(case_id: str, limits: dict[str, float], default_seconds: float) -> str:
    """Write the check as a Python file.

    Examples
    --------
    >>> compile(render("INC-1", {"store/feature_age_s": 600.0}, 3600.0), "check_freshness.py", "exec") is not None
    True
    """
    data: Any = pprint.pformat(limits, width=110)
    return TEMPLATE.replace("@CASE@", repr(case_id)).replace("@LIMITS@", data).replace("@DEFAULT@", repr(default_seconds))


TEMPLATE = '''"""Freshness check, written by rca-kit after an incident. Exit 0 fresh, 1 stale, 2 nothing to look at.

    python check_freshness.py metrics SERVICE_METRICS.parquet        # newest age per component against its healthy limit
    python check_freshness.py table FEATURES.parquet updated_at      # newest row of a table against DEFAULT_SECONDS

Needs polars.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime

import polars as pl

CASE = @CASE@
LIMITS = @LIMITS@  # component/metric -> largest healthy age, doubled
DEFAULT_SECONDS = @DEFAULT@


def read(path: str) -> pl.DataFrame:
    return pl.read_csv(path, try_parse_dates=True) if path.endswith(".csv") else pl.read_parquet(path)


def stale_metrics(frame: pl.DataFrame) -> list[str] | None:
    """Ages over their limit in the newest values; None when no component of LIMITS is there."""
    out, seen = [], False
    for key, limit in LIMITS.items():
        component, metric = key.split("/", 1)
        rows = frame.filter((pl.col("component") == component) & (pl.col("metric") == metric)).drop_nulls("value").sort("time")
        if rows.height:
            seen = True
            age = rows["value"][-1]
            if age > limit:
                out.append(f"{key}: {age:g}, healthy at most {limit:g}")
    return out if seen else None


def stale_table(frame: pl.DataFrame, column: str, now: datetime | None = None) -> list[str] | None:
    """Whether the newest timestamp is older than DEFAULT_SECONDS; times without an offset are UTC."""
    newest = frame[column].drop_nulls().max()
    if newest is None:
        return None
    newest = newest if newest.tzinfo else newest.replace(tzinfo=UTC)
    age = ((now or datetime.now(UTC)) - newest).total_seconds()
    return [f"{column}: newest row is {age:.0f} s old, healthy at most {DEFAULT_SECONDS:g}"] if age > DEFAULT_SECONDS else []


def main(args: list[str]) -> int:
    if len(args) >= 2 and args[0] == "metrics":
        found = stale_metrics(read(args[1]))
    elif len(args) >= 3 and args[0] == "table":
        found = stale_table(read(args[1]), args[2])
    else:
        sys.stderr.write(__doc__ or "")
        return 2
    if found is None:
        sys.stderr.write("nothing to look at\\n")
        return 2
    sys.stdout.write("\\n".join(found or ["fresh"]) + "\\n")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
'''
