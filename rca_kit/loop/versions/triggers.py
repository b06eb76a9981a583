"""Rollback triggers as data: ``precision < -5% or p99 +50 ms for 5 min``, evaluated over a canary's log.

A rule is one or more comparisons joined by `or` (any fires) and `and` (all in the same minute), the change written as candidate
less primary: `%` is relative to the primary, `pp` percentage points, `ms` milliseconds, nothing the metric's own units.
``for 5 min`` asks that it holds in every bucket of so long a time.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from rca_kit.errors import BadInput, did_you_mean
from rca_kit.findings.base import Finding, iso
from rca_kit.loop.tables import numbers, to_polars
from rca_kit.stats.rowmetrics import auc, decision_metrics, log_losses

METRICS = (
    "precision",
    "recall",
    "f1",
    "accuracy",
    "positive_rate",
    "auc",
    "log_loss",
    "score_mean",
    "error_rate",
    "p50",
    "p95",
    "p99",
    "mean_ms",
    "volume",
)
ALIASES = {"latency_p50": "p50", "latency_p95": "p95", "latency_p99": "p99", "errors": "error_rate"}
UNITS = {
    "s": 1,
    "sec": 1,
    "second": 1,
    "seconds": 1,
    "m": 60,
    "min": 60,
    "minute": 60,
    "minutes": 60,
    "h": 3600,
    "hour": 3600,
    "hours": 3600,
}
CONDITION = re.compile(r"^\s*([a-z_0-9]+)\s*(<=?|>=?)?\s*([+-]?\s*\d+(?:\.\d+)?)\s*(%|pp|ms|s)?\s*$", re.I)
MIN_BELOW = 10  # yes decisions (labels) under a precision (recall): a share of three is no measurement
MIN_COUNT = 20  # requests of each version in a bucket before it may say anything; with fewer, single errors are 5 %


@dataclass(frozen=True)
class Condition:
    """One comparison: the change of a metric, candidate less primary, against a limit."""

    metric: str
    below: bool
    limit: float
    unit: str  # "%", "pp", "ms" or ""

    def __str__(self) -> str:
        return f"{self.metric} {'<' if self.below else '>'} {self.limit:+g}{self.unit and ' ' * (self.unit == 'ms') + self.unit}"

    def change(self, primary: float, candidate: float) -> float:
        """Give the change in the condition's unit, NaN where a side is unknown."""
        if self.unit == "%":
            return 100 * (candidate / primary - 1) if primary else float("nan")
        return (candidate - primary) * (100 if self.unit == "pp" else 1)

    def holds(self, primary: float, candidate: float) -> bool:
        """Whether the limit is crossed."""
        change = self.change(primary, candidate)
        return bool(change < self.limit if self.below else change > self.limit)


@dataclass(frozen=True)
class Trigger:
    """A rule: any of `any_of` (each a tuple of conditions that must hold together) for `seconds` on end."""

    any_of: tuple[tuple[Condition, ...], ...]
    seconds: float

    def __str__(self) -> str:
        rule = " or ".join(" and ".join(map(str, group)) for group in self.any_of)
        return rule + (f" for {self.seconds / 60:g} min" if self.seconds else "")

    def answerable(self, columns: Collection[str]) -> Trigger | None:
        """Leave out what needs other columns than these (score, decision, label, error, latency); None when nothing is left."""
        kept = tuple(g for g in self.any_of if all(need in columns for c in g for need in _needs(c.metric)))
        return Trigger(kept, self.seconds) if kept else None


@dataclass(frozen=True)
class Reading:
    """One bucket: the metric of both versions, the change in the condition's unit, and whether the limit was crossed."""

    time: datetime
    condition: str
    primary: float | None
    candidate: float | None
    change: float | None
    crossed: bool
    n_primary: int
    n_candidate: int


@dataclass(frozen=True, repr=False)
class TriggerHistory(Finding):
    """When a rollback trigger would have fired, and everything it saw."""

    next_call = "`.fired_at`, `.frame()` for every bucket"

    rule: str
    fired_at: datetime | None
    because: str
    readings: tuple[Reading, ...]
    skipped: int

    def says(self) -> str:
        """Say whether and when it fired."""
        return f"`{self.rule}`: {self.because}"

    def rows(self) -> list[dict[str, Any]]:
        """One row per bucket and condition."""
        return [
            {
                "time": r.time,
                "condition": r.condition,
                "primary": r.primary,
                "candidate": r.candidate,
                "change": r.change,
                "crossed": r.crossed,
                "n_primary": r.n_primary,
                "n_candidate": r.n_candidate,
            }
            for r in self.readings
        ]


def parse_trigger(text: str) -> Trigger:
    """Read a rule.

    Raises
    ------
    BadInput
        When it is not understood, with what was expected.

    Examples
    --------
    >>> str(parse_trigger("precision < -5% or p99 +50 ms for 5 min"))
    'precision < -5% or p99 > +50 ms for 5 min'
    """
    body, seconds = text, 0.0
    tail = re.search(r"\bfor\s+(\d+(?:\.\d+)?)\s*([a-z]+)\s*$", text, re.I)
    if tail:
        unit = tail.group(2).lower()
        if unit not in UNITS:
            raise BadInput("unit of time not known", found=unit, expected=", ".join(UNITS))
        body, seconds = text[: tail.start()], float(tail.group(1)) * UNITS[unit]
    groups = (re.split(r"\band\b", g, flags=re.I) for g in re.split(r"\bor\b", body, flags=re.I))
    return Trigger(tuple(tuple(_condition(c, text) for c in g) for g in groups), seconds)


def _condition(text: str, rule: str) -> Condition:
    match = CONDITION.match(text)
    if not match:
        raise BadInput(
            "a condition of the trigger is not understood",
            found=text.strip() or rule,
            expected="metric, < or >, a change: `precision < -5%`, `p99 +50 ms`",
        )
    name, sign, number, unit = match.groups()
    name = ALIASES.get(name.lower(), name.lower())
    if name not in METRICS:
        raise BadInput(
            "metric of the trigger not known", found=name, expected=", ".join(METRICS), hint=did_you_mean(name, METRICS)
        )
    limit = float(number.replace(" ", ""))
    below = sign.startswith("<") if sign else limit < 0
    if (unit or "").lower() == "s":
        limit, unit = limit * 1000, "ms"
    return Condition(name, below, limit, (unit or "").lower())


def evaluate_trigger(
    rule: str | Trigger,
    log: Any,
    *,
    version: str = "model_version",
    primary: Any,
    candidate: Any,
    time: str = "time",
    score: str | None = None,
    decision: str | None = None,
    label: str | None = None,
    error: str | None = None,
    latency: str | None = None,
    bucket_seconds: float = 60.0,
    window_seconds: float | None = None,
    min_count: int = MIN_COUNT,
) -> TriggerHistory:
    """Run a trigger over a canary's log and say when it would have fired.

    Parameters
    ----------
    rule : str or Trigger
        As in the module's description.
    log : frame or path
        One row per request of either version.
    version : str
        Column that tells the versions apart; `primary` and `candidate` are its values.
    time : str
        Column with the request's time, UTC.
    score, decision, label, error, latency : str, optional
        Columns the metrics of the rule need; decision and label 0/1, error null when all went well, latency in milliseconds.
    bucket_seconds : float
        Length of the buckets in which the rule is looked at.
    window_seconds : float, optional
        Length of the trailing window each metric is computed over; the rule's `for` time, or one bucket, when absent.
    min_count : int
        A window with fewer requests of either version neither fires nor clears.

    Returns
    -------
    TriggerHistory
        `.fired_at` is the end of the bucket at which the rule had held for its time, None when it never did.

    Raises
    ------
    BadInput
        When a column is missing or the rule needs one that was not named.

    Examples
    --------
    >>> from datetime import timedelta
    >>> t0 = datetime(2026, 3, 1)
    >>> log = pl.DataFrame({"time": [t0 + timedelta(seconds=i) for i in range(1200)], "model_version": ["v1", "v2"] * 600,
    ...                     "ms": [50.0, 50.0] * 300 + [50.0, 120.0] * 300})
    >>> evaluate_trigger("p99 +50 ms for 2 min", log, primary="v1", candidate="v2", latency="ms").fired_at
    datetime.datetime(2026, 3, 1, 0, 12)
    """
    trigger = parse_trigger(rule) if isinstance(rule, str) else rule
    columns = {"score": score, "decision": decision, "label": label, "error": error, "latency": latency}
    frame = to_polars(log, [time, version, *(c for c in columns.values() if c)], name="the canary's log").sort(time)
    for condition in (c for g in trigger.any_of for c in g):
        for need in _needs(condition.metric):
            if columns[need] is None:
                raise BadInput(f"metric {condition.metric} needs the {need} column", hint=f"pass {need}=")
    when = frame[time].dt.epoch("us").to_numpy() / 1e6
    sides = [(frame[version] == v).fill_null(False).to_numpy() for v in (primary, candidate)]
    arrays = {k: _column(frame, k, c) for k, c in columns.items() if c}
    arrays["n"] = np.ones(frame.height)
    if not frame.height:
        return TriggerHistory(str(trigger), None, "the log is empty.", (), 0)
    first = np.floor(when[0] / bucket_seconds) * bucket_seconds
    ends = np.arange(first + bucket_seconds, when[-1] + bucket_seconds, bucket_seconds)
    width = window_seconds or bucket_seconds
    readings: list[Reading] = []
    held: dict[int, int] = {}
    needed = max(1, int(np.ceil(trigger.seconds / bucket_seconds)))
    fired: tuple[float, tuple[Condition, ...]] | None = None
    skipped = 0
    start_time: datetime = frame[time][0]
    for end in ends:
        low, high = np.searchsorted(when, [end - width, end])
        rows = slice(int(low), int(high))
        counts = [int(s[rows].sum()) for s in sides]
        if min(counts) < min_count:
            skipped += 1
            continue
        at = start_time + timedelta(seconds=float(end - when[0]))
        for g, group in enumerate(trigger.any_of):
            crossed = True
            for c in group:
                a, b = (_metric(c.metric, arrays, rows, s) for s in sides)
                one = c.holds(a, b)
                crossed &= one
                readings.append(Reading(at, str(c), _finite(a), _finite(b), _finite(c.change(a, b)), one, *counts))
            held[g] = held.get(g, 0) + 1 if crossed else 0
            if fired is None and held[g] >= needed:
                fired = (float(end), group)
    if fired is None:
        return TriggerHistory(str(trigger), None, "it would not have fired.", tuple(readings), skipped)
    at = start_time + timedelta(seconds=fired[0] - float(when[0]))
    return TriggerHistory(
        str(trigger), at, f"it would have fired at {iso(at)} by {' and '.join(map(str, fired[1]))}.", tuple(readings), skipped
    )


def _needs(metric: str) -> Sequence[str]:
    if metric in ("p50", "p95", "p99", "mean_ms"):
        return ("latency",)
    if metric in ("precision", "recall", "f1", "accuracy"):
        return ("decision", "label")
    return {
        "positive_rate": ("decision",),
        "auc": ("score", "label"),
        "log_loss": ("score", "label"),
        "score_mean": ("score",),
        "error_rate": ("error",),
    }.get(metric, ())


def _column(frame: pl.DataFrame, role: str, name: str) -> Any:
    if role == "error":
        column = frame[name]
        if column.dtype == pl.Boolean or column.dtype.is_numeric():
            return numbers(column.fill_null(0)) > 0
        return column.is_not_null().to_numpy()
    return numbers(frame[name])


def _metric(name: str, arrays: dict[str, Any], rows: slice, side: Any) -> float:
    at = np.flatnonzero(side[rows]) + rows.start
    if name == "volume":
        return float(len(at))
    if name == "error_rate":
        return float(arrays["error"][at].mean())
    values = [arrays[n][at] for n in _needs(name)]
    known = np.ones(len(at), dtype=bool)
    for v in values:
        known &= ~np.isnan(v)
    values = [v[known] for v in values]
    if not known.any():
        return float("nan")
    if name in ("p50", "p95", "p99"):
        return float(np.quantile(values[0], int(name[1:]) / 100))
    if name in ("mean_ms", "score_mean", "positive_rate"):
        return float(values[0].mean())
    if name == "auc":
        return auc(values[1] > 0, values[0]).value
    if name == "log_loss":
        return float(log_losses(values[1] > 0, values[0]).mean())
    below = {"precision": values[0], "recall": values[1], "f1": values[0] + values[1]}.get(name)
    if below is not None and below.sum() < MIN_BELOW:
        return float("nan")
    return decision_metrics(values[1], values[0])[name].value


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
