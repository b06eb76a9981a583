"""Limits of the model's inputs, learnt from healthy days: what the input schema holds its columns to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl

from rca_kit.findings.scope import Segment
from rca_kit.loop.s5_samples.rows import inside

MIN_ROWS = 200  # shares of a smaller batch say little: the schema then checks types only
MAX_CATEGORIES = 200
BINS = 10
PSI_FLOOR = 0.05  # half of what is usually called a small change (0.1, Siddiqi 2006)
WIDEN = 1.5  # of the worst healthy batch
SHARE_FLOOR = 0.005
RANGE_SLACK = 0.1  # of the healthy span, beyond its ends
MAX_BATCHES = 60
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Batch:
    """A stretch of the log that the schema is learnt from or tried on."""

    start: datetime
    end: datetime
    rows: pl.DataFrame


def batches(frame: pl.DataFrame, time: str, start: datetime, end: datetime, length: timedelta) -> list[Batch]:
    """Cut healthy rows into whole UTC days and, where the incident was shorter, into stretches of its length.

    A two-hour batch has another mix of hours than a day; limits must hold for both.
    """
    cuts: list[tuple[datetime, datetime]] = []
    day = start.replace(hour=0, minute=0, second=0, microsecond=0)
    while day < end:
        if day >= start and day + DAY <= end:
            cuts.append((day, day + DAY))
        day += DAY
    if length < DAY:
        n = max(int((end - start) / length), 1)
        cuts += [(start + i * length, start + (i + 1) * length) for i in range(0, n, max(1, n // MAX_BATCHES))]
    if not cuts:
        cuts = [(start, end)]
    out = [Batch(a, b, frame.filter((pl.col(time) >= a) & (pl.col(time) < b))) for a, b in cuts]
    return [b for b in out if b.rows.height >= MIN_ROWS] or [Batch(start, end, frame)]


def learn(healthy: list[Batch], columns: Iterable[str], hidden: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Learn limits per column: kind, share of nulls, range, known values, and distance of the distribution (PSI).

    Values and ranges of hidden columns are left out: the file goes to places where personal data must not.
    """
    whole = pl.concat([b.rows for b in healthy], how="vertical_relaxed")
    out: dict[str, dict[str, Any]] = {}
    secret = set(hidden)
    for name in columns:
        column = whole[name]
        kind = _kind(column.dtype)
        nulls = [b.rows[name].null_count() / b.rows.height for b in healthy]
        limits: dict[str, Any] = {"kind": kind, "nulls": share_limit(nulls, healthy)}
        values = column.drop_nulls()
        if name not in secret and len(values) and kind != "other":
            limits |= _numeric(values, name, healthy) if kind == "number" else _categorical(values, name, healthy)
        out[name] = limits
    return out


def learn_within(
    healthy: list[Batch], columns: Iterable[str], hidden: Iterable[str], segments: Iterable[Segment]
) -> list[tuple[dict[str, Any], dict[str, dict[str, Any]]]]:
    """Learn limits of some columns inside segments: a fault of one device is a small move of all traffic.

    Batches too small for the segment are taken together. A segment that healthy days hardly know, or that a hidden column tells
    apart, has no limits of its own.
    """
    secret = set(hidden)
    out = []
    for segment in segments:
        schema = dict(nw.from_native(healthy[0].rows).schema)
        test = None if secret & set(segment.where) else inside((segment,), schema)
        if test is None:
            continue
        parts = [Batch(b.start, b.end, nw.from_native(b.rows).filter(test).to_native()) for b in healthy]
        parts = _merged(parts)
        names = [c for c in columns if c not in segment.where]
        if len(parts) > 1 and names:
            out.append((dict(segment.where), learn(parts, names, secret)))
    return out


def _merged(parts: list[Batch]) -> list[Batch]:
    out: list[Batch] = []
    waiting: list[pl.DataFrame] = []
    for part in parts:
        waiting.append(part.rows)
        if sum(w.height for w in waiting) >= MIN_ROWS:
            out.append(Batch(part.start, part.end, pl.concat(waiting)))
            waiting = []
    return out


def psi(values: pl.Series, limits: dict[str, Any]) -> float:
    """Population stability index of a batch against the healthy shares; 0.5 of a row stands in for empty bins."""
    if "edges" in limits:
        index = np.searchsorted(np.array(limits["edges"]), values.cast(pl.Float64).to_numpy(), side="right")
        counts = np.bincount(index, minlength=len(limits["shares"])).astype(float)
    else:
        text = values.cast(pl.String)
        counts = np.array([float((text == v).sum()) for v in limits["values"]])
    total = counts.sum()
    if not total:
        return 0.0
    p, q = np.array(limits["shares"]), np.maximum(counts, 0.5) / total
    return float(((q - p) * np.log(q / p)).sum())


def _numeric(values: pl.Series, name: str, healthy: list[Batch]) -> dict[str, Any]:
    x = values.cast(pl.Float64)
    x = x.filter(x.is_finite())
    if not len(x):
        return {}
    low, high = float(np.min(x.to_numpy())), float(np.max(x.to_numpy()))
    span = (high - low) * RANGE_SLACK
    edges = np.unique(np.quantile(x.to_numpy(), np.linspace(0, 1, BINS + 1)[1:-1], method="inverted_cdf"))
    counts = np.bincount(np.searchsorted(edges, x.to_numpy(), side="right"), minlength=len(edges) + 1).astype(float)
    shares = [float(c) for c in np.maximum(counts, 0.5) / counts.sum()]
    out: dict[str, Any] = {
        "low": _round(low - span),
        "high": _round(high + span),
        "outside": SHARE_FLOOR,
        "edges": [float(e) for e in edges],
        "shares": shares,
    }
    return {**out, "psi": _psi_limit(name, healthy, out)}


def _categorical(values: pl.Series, name: str, healthy: list[Batch]) -> dict[str, Any]:
    text = values.cast(pl.String)
    counts = text.value_counts(name="rk_n").sort(["rk_n", text.name], descending=[True, False])
    if counts.height > MAX_CATEGORIES:
        return {}
    known = counts[text.name].to_list()
    columns = [b.rows[name].drop_nulls().cast(pl.String) for b in healthy]
    seen = [set(c.unique().to_list()) for c in columns]
    unknown = [0.0]
    for i, mine in enumerate(columns):  # how often a healthy batch brings a value that the others did not have
        others = set().union(*(s for j, s in enumerate(seen) if j != i))
        if len(columns) > 1 and len(mine):
            unknown.append(float((~mine.is_in(list(others))).sum()) / len(mine))
    shares = counts["rk_n"].cast(pl.Float64) / counts["rk_n"].sum()
    out: dict[str, Any] = {"values": known, "unknown": share_limit(unknown, healthy), "shares": [float(s) for s in shares]}
    return {**out, "psi": _psi_limit(name, healthy, out)}


def psi_chance(bins: int, rows: int) -> float:
    """Distance that chance alone hardly ever exceeds: rows * PSI is about chi-square with bins - 1 degrees of freedom.

    A bound on its 0.9999 quantile, good to 3 % for 1 to 200 degrees.

    Examples
    --------
    >>> [round(200 * psi_chance(bins, 200), 1) for bins in (2, 10, 101)]
    [14.7, 34.0, 164.6]
    """
    d = bins - 1
    return float((d + 4 * (2 * d) ** 0.5 + 8) / max(rows, 1))


def _psi_limit(name: str, healthy: list[Batch], limits: dict[str, Any]) -> float:
    """How far healthy batches lie from the whole beyond the mean of chance, widened."""
    d = len(limits["shares"]) - 1
    columns = [b.rows[name].drop_nulls() for b in healthy]
    worst = max((psi(c, limits) - d / len(c) for c in columns if len(c)), default=0.0)
    return _round(max(WIDEN * worst, 0.0))


def share_limit(shares: list[float], healthy: list[Batch], floor: float = SHARE_FLOOR) -> float:
    """Widen the worst healthy share by what chance does to a batch of the smallest size; `floor` at least."""
    worst = max(shares)
    rows = min(b.rows.height for b in healthy)
    chance = 3 * float(np.sqrt(max(worst, 1 / rows) / rows))
    return _round(min(1.0, max(worst + chance, floor)))


def _kind(dtype: Any) -> str:
    if dtype == pl.Boolean:
        return "bool"
    if dtype.is_numeric():
        return "number"
    return "text" if dtype in (pl.String, pl.Categorical, pl.Enum) else "other"


def _round(value: float) -> float:
    return float(f"{value:.6g}")
