"""Back-test of an alert rule on the case's own series: when it would have fired, and how often for nothing."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from rca_kit.findings.symptom import MetricSeries, Symptom

WEEK_S = 7 * 86400.0
MIN_HEALTHY_S = 6 * 3600.0  # false alarms per week are not extrapolated from less than a quarter of a day
FRACTIONS = (0.5, 0.4, 0.6, 0.33, 0.25, 0.7, 0.8)  # of the way from before to after; the middle first, it errs least either way
HOLDS = (0, 1, 2)  # buckets for which it must go on, as `for` in a Prometheus rule counts: from the first one on


@dataclass(frozen=True)
class AlertRule:
    """Fire when `metric` is above (``>``) or below (``<``) the threshold, and still is some minutes later.

    Examples
    --------
    >>> str(AlertRule("error_rate", ">", 0.02, 10))
    '> 0.02 for 10m'
    """

    metric: str
    op: str
    threshold: float
    minutes: float

    def __str__(self) -> str:
        hold = f" for {self.minutes:g}m" if self.minutes else ""
        return f"{self.op} {exact(self.threshold)}{hold}"


@dataclass(frozen=True)
class Backtest:
    """What a rule would have done: `lead_minutes` before the alert that did fire (negative: later), None when it stays silent."""

    fired_at: datetime | None
    lead_minutes: float | None
    false_alarms: int
    healthy_days: float
    false_alarms_per_week: float | None

    @property
    def catches(self) -> bool:
        """Whether it fires on the incident."""
        return self.fired_at is not None


def backtest(rule: AlertRule, series: MetricSeries, onset: datetime, detected_at: datetime) -> Backtest:
    """Run a rule over a series. A bucket's value is known at its end; alarms before the onset are false.

    Parameters
    ----------
    series : MetricSeries
        The metric of the rule over time; a bucket without a value ends a pending alarm.
    onset : datetime
        Start of the incident: buckets that end at or before it are healthy.
    detected_at : datetime
        When the alert fired that started the case.

    Examples
    --------
    >>> from datetime import UTC
    >>> t = [datetime(2026, 3, 1, h, tzinfo=UTC) for h in range(12)]
    >>> s = MetricSeries("error_rate", 3600, tuple(t), (0.01,) * 8 + (0.2,) * 4, (100,) * 12)
    >>> b = backtest(AlertRule("error_rate", ">", 0.1, 60), s, t[8], t[11])
    >>> b.fired_at.hour, b.lead_minutes, b.false_alarms
    (10, 60.0, 0)
    """
    width = timedelta(seconds=series.bucket_seconds)
    need = 1 + int(np.ceil(rule.minutes * 60 / series.bucket_seconds - 1e-9))
    over = _over(rule, _values(series))
    at = np.arange(over.size)
    healthy = at < bisect_right(series.times, onset - width)
    held = over == 1  # as in Prometheus, a gap ends a pending alert
    firing = at - np.maximum.accumulate(np.where(held, -1, at)) >= need
    false = int((firing & healthy & ~np.append(False, firing[:-1])).sum())
    ill = np.flatnonzero(firing & ~healthy)
    fired = series.times[ill[0]] + width if ill.size else None
    healthy_s = float(series.bucket_seconds * (healthy & ~np.isnan(over)).sum())
    lead = (detected_at - fired).total_seconds() / 60 if fired else None
    weekly = false * WEEK_S / healthy_s if healthy_s >= MIN_HEALTHY_S else None
    return Backtest(fired, lead, false, healthy_s / 86400, weekly)


def suggest_rule(
    series: MetricSeries, onset: datetime, detected_at: datetime, before: float | None = None, after: float | None = None
) -> tuple[AlertRule, Backtest] | None:
    """Choose threshold and duration: fewest false alarms first, then the earliest alarm, then the middle of the gap.

    Parameters
    ----------
    before, after : float, optional
        Levels of the metric; taken from the series (medians) when left out.

    Returns
    -------
    tuple of AlertRule and Backtest, or None
        None when no rule on this metric would have fired.
    """
    values = _values(series)
    ends = np.array([t + timedelta(seconds=series.bucket_seconds) <= onset for t in series.times])
    healthy, ill = values[ends & ~np.isnan(values)], values[~ends & ~np.isnan(values)]
    if not healthy.size or not ill.size:
        return None
    low = float(np.median(healthy)) if before is None else before
    high = float(np.median(ill)) if after is None else after
    if low == high:
        return None
    op = ">" if high > low else "<"
    best: tuple[tuple[float, ...], AlertRule, Backtest] | None = None
    for place, fraction in enumerate(FRACTIONS):
        threshold = nice(low + fraction * (high - low), abs(high - low))
        for hold in HOLDS:
            rule = AlertRule(series.metric, op, threshold, hold * series.bucket_seconds / 60)
            result = backtest(rule, series, onset, detected_at)
            if result.lead_minutes is None:
                continue
            key = (result.false_alarms, -result.lead_minutes, place, hold)
            if best is None or key < best[0]:
                best = (key, rule, result)
    return best[1:] if best else None


def exact(value: float) -> str:
    """Write a threshold so that it reads back as the one that was tried, also where six digits are too few.

    Examples
    --------
    >>> exact(0.02), exact(12345678.0)
    ('0.02', '12345678')
    """
    return f"{value:.12g}"


def series_of(symptom: Symptom, metric: str) -> MetricSeries | None:
    """Give the series of a metric among a symptom's charts, if it is there."""
    return next((s for s in symptom.series if s.metric == metric), None)


def nice(value: float, scale: float) -> float:
    """Round to what a person would type, no coarser than a tenth of the scale.

    Examples
    --------
    >>> nice(0.0913, 0.175), nice(612.7, 800.0)
    (0.09, 610.0)
    """
    if value == 0 or scale < 1e-300:  # what is that small cannot be divided
        return value
    digits = int(np.floor(np.log10(scale / 10)))
    return float(round(value, -digits)) + 0.0


def _values(series: MetricSeries) -> NDArray[np.float64]:
    return np.array([np.nan if v is None else v for v in series.values], dtype=float)


def _over(rule: AlertRule, values: NDArray[np.float64]) -> NDArray[np.float64]:
    hit = values > rule.threshold if rule.op == ">" else values < rule.threshold
    return np.where(np.isnan(values), np.nan, hit.astype(float))
