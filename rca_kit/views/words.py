"""How numbers, times and names are written for people: the same everywhere, with units."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from rca_kit.findings.scope import Segment, describe_where
from rca_kit.findings.suspects import chance as chance
from rca_kit.findings.symptom import MetricSeries

_TITLES = {
    "auc": "AUC",
    "average_precision": "average precision",
    "accuracy": "accuracy",
    "label_share": "share of requests with a label",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "log_loss": "log loss",
    "calibration_error": "calibration error",
    "mae": "mean absolute error",
    "rmse": "root mean squared error",
    "bias": "bias",
    "positive_rate": "positive rate",
    "score_mean": "mean score",
    "label_rate": "share of positive labels",
    "error_rate": "error rate",
    "latency_p50": "median latency",
    "latency_p95": "p95 latency",
    "latency_p99": "p99 latency",
    "volume": "requests",
    "off_threshold": "decisions off the threshold",
}
_PREFIXES = {
    "null_rate": "null rate of",
    "kpi": "KPI",
    "psi": "PSI of",
    "freshness": "age of",
    "stage": "stage",
    "share": "share of",
    "service": "service",
}
_PERCENT = {"error_rate", "positive_rate", "accuracy", "precision", "recall", "off_threshold"}
_VERDICTS = {"incident": "Incident", "benign_shift": "Harmless shift", "no_change": "No change"}
ACTIONS = {
    "rollback": "Roll back",
    "fallback_model": "Switch to the fallback model",
    "fail_open": "Fail open",
    "fail_closed": "Fail closed",
    "throttle": "Throttle",
    "cached_features": "Serve cached features",
    "rules_only": "Serve rules only",
    "quarantine_batch": "Quarantine the batch",
    "fix_forward": "Fix forward",
    "change_monitoring": "Change the monitoring",
    "none": "Do nothing",
}
STATUS = {"supported": "supported", "excluded": "excluded", "not_tested": "not tested"}
CHECK_STATES = {"done": "done", "open": "open", "failed": "failed", "not_applicable": "not applicable"}
MARKS = {"confirmed": "Confirmed", "excluded": "Excluded", "to_test": "To be tested"}


def metric_title(metric: str) -> str:
    """Name a metric for people.

    Examples
    --------
    >>> metric_title("latency_p95"), metric_title("null_rate:device_type"), metric_title("kpi:clicked")
    ('p95 latency', 'null rate of device_type', 'KPI clicked')
    """
    kind, colon, column = metric.partition(":")
    if colon and kind in _PREFIXES:
        return f"{_PREFIXES[kind]} {column}"
    return _TITLES.get(metric, metric)


def series_title(series: MetricSeries) -> str:
    """Name what a series shows, for its chart."""
    return series.shows or metric_title(series.metric)


_CODES = re.compile(
    r"(?<![\w:.-])(?:(kpi|null_rate|psi|freshness):(?=[^\s:])"
    # names that no sentence has by itself: `volume` and `bias` are words
    r"|(" + "|".join(k for k in _TITLES if "_" in k or k in ("auc", "f1", "mae", "rmse")) + r")(?![\w=]|:\S))"
)
_SUBJECTS = re.compile(r"(?<![\w:.-])(?:(component|feature)|(stage|model)):(?=[^\s:])")


def for_people(text: str) -> str:
    """Put metric names, subjects and arrows of a finding into words.

    Examples
    --------
    >>> for_people("kpi:clicked fell, latency_p95 120 -> 900 ms"), for_people("component:feature-store: cache misses")
    ('KPI clicked fell, p95 latency 120 → 900 ms', 'feature-store: cache misses')
    >>> for_people("a trial of latency_p95: send requests")
    'a trial of p95 latency: send requests'
    >>> for_people("model:v3: a new version behaves differently; see `rca-kit verify`")
    'model v3: a new version behaves differently; see rca-kit verify'
    """
    text = _CODES.sub(lambda m: f"{_PREFIXES[m[1]]} " if m[1] else _TITLES[m[2]], text)
    text = _SUBJECTS.sub(lambda m: f"{m[2]} " if m[2] else "", text)
    return text.replace(" -> ", " → ").replace("`", "")


def metric_unit(metric: str) -> str:
    """Give the unit of a metric: `ms`, `s`, `%` (value is a share), or nothing.

    Examples
    --------
    >>> metric_unit("latency_p95"), metric_unit("null_rate:x"), metric_unit("auc")
    ('ms', '%', '')
    """
    kind = metric.partition(":")[0]
    if kind.startswith("latency"):
        return "ms"
    if kind == "freshness":
        return "s"
    return "%" if kind in _PERCENT or kind == "null_rate" else ""


def value(metric: str, number: float | None) -> str:
    """Write a metric's value with its unit.

    Examples
    --------
    >>> value("auc", 0.8612), value("latency_p95", 123.4), value("error_rate", 0.0412), value("auc", None)
    ('0.861', '123 ms', '4.1%', 'not known')
    """
    if number is None or number != number:
        return "not known"
    unit = metric_unit(metric)
    if unit == "%":
        return percent(number)
    return f"{_figure(number)} {unit}".rstrip()


def segment_move(metric: str, segment: Segment) -> str:
    """Before and after of a segment, with the metric's unit where they are the metric's.

    Examples
    --------
    >>> segment_move("auc", Segment({"device": "web"}, before=0.861, after=0.662, in_metric=True))
    '0.861 → 0.662'
    """
    unit = metric if segment.in_metric else ""
    return f"{value(unit, segment.before)} → {value(unit, segment.after)}"


def change(metric: str, number: float | None) -> str:
    """Write a metric's change with sign and unit; shares in percentage points.

    Examples
    --------
    >>> change("auc", -0.082), change("error_rate", 0.033), change("latency_p95", 780.0)
    ('-0.082', '+3.3 points', '+780 ms')
    """
    if number is None or number != number:
        return "not known"
    unit = metric_unit(metric)
    if unit == "%":
        return f"{_signed(number * 100)} points"
    return f"{_signed(number)} {unit}".rstrip()


def change_range(metric: str, interval: Sequence[float] | None) -> str:
    """Write a 95% interval of a change.

    Examples
    --------
    >>> change_range("auc", (-0.095, -0.069)), change_range("auc", None)
    ('95%: -0.095 to -0.069', '')
    """
    if not interval:
        return ""
    scale = 100 if metric_unit(metric) == "%" else 1
    tail = {"%": " points", "": ""}.get(metric_unit(metric), f" {metric_unit(metric)}")
    return f"95%: {_signed(interval[0] * scale)} to {_signed(interval[1] * scale)}{tail}"


def percent(share: float | None) -> str:
    """Write a share as a percentage with as many digits as it needs.

    Examples
    --------
    >>> percent(0.81), percent(0.0051), percent(0.996), percent(0.99987), percent(None), percent(0.0)
    ('81%', '0.51%', '99.6%', 'over 99.9%', 'not known', '0%')
    """
    if share is None or share != share:
        return "not known"
    p = share * 100
    if p == 0 or p >= 100 or (abs(p) >= 10 and abs(100 - p) >= 1):
        return f"{p:.0f}%"
    if abs(p) > 99:
        return f"{p:.1f}%" if abs(p) < 99.95 else "over 99.9%"
    return f"{p:.2g}%"



def p_value(p: float | None) -> str:
    """Write a p- or q-value without false precision.

    Examples
    --------
    >>> p_value(1e-12), p_value(0.034), p_value(None)
    ('< 0.0001', '0.034', '')
    """
    if p is None or p != p:
        return ""
    return "< 0.0001" if p < 1e-4 else f"{p:.2g}"


def _figure(number: float) -> str:
    if number == 0:
        return "0"
    size = abs(number)
    if size >= 1e6 or size < 1e-4:
        return f"{number:.3g}"
    if size >= 1000:
        return f"{number:,.0f}"
    return f"{number:.0f}" if size >= 100 else f"{number:.3g}"


def _signed(number: float) -> str:
    return ("+" if number > 0 else "") + _figure(round(number, 12))


def count(number: int | None) -> str:
    """Write a whole number with thousands separators.

    Examples
    --------
    >>> count(67200), count(None)
    ('67,200', 'not known')
    """
    return "not known" if number is None else f"{number:,}"


def stamp(when: datetime) -> str:
    """Write a time to the minute (seconds when it has some), always UTC.

    Examples
    --------
    >>> stamp(datetime(2026, 3, 2, 14, 5, tzinfo=UTC))
    '2026-03-02 14:05 UTC'
    """
    utc = when.astimezone(UTC) if when.tzinfo else when.replace(tzinfo=UTC)
    return f"{utc:%Y-%m-%d %H:%M:%S} UTC" if utc.second else f"{utc:%Y-%m-%d %H:%M} UTC"


def span(interval: Sequence[datetime]) -> str:
    """Write a stretch of time; the second date is left out when it is the same day.

    Examples
    --------
    >>> span((datetime(2026, 3, 2, 14, 0, tzinfo=UTC), datetime(2026, 3, 2, 14, 10, tzinfo=UTC)))
    'between 14:00 and 14:10 UTC'
    """
    a, b = (t.astimezone(UTC) if t.tzinfo else t.replace(tzinfo=UTC) for t in interval)
    if a == b:
        return f"at {stamp(a)}"
    if a.date() == b.date():
        return f"between {a:%H:%M} and {b:%H:%M} UTC"
    return f"between {a:%Y-%m-%d %H:%M} and {b:%Y-%m-%d %H:%M} UTC"


_FULL_TIME = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.(\d*?)0*)?Z")


def short_time(text: str) -> str:
    """Write a full timestamp without the zeros at its end; any other text stays as it is.

    Examples
    --------
    >>> short_time("2026-03-01T15:36:32.973000Z"), short_time("2026-03-01T15:36:32Z"), short_time("v3")
    ('2026-03-01 15:36:32.973', '2026-03-01 15:36:32', 'v3')
    """
    found = _FULL_TIME.fullmatch(text)
    return f"{found[1]} {found[2]}{f'.{found[3]}' if found[3] else ''}" if found else text


def lasted(gap: timedelta) -> str:
    """Write a duration in at most two units.

    Examples
    --------
    >>> lasted(timedelta(minutes=30)), lasted(timedelta(days=2, hours=3, minutes=9)), lasted(timedelta(seconds=40))
    ('30 min', '2 d 3 h', '40 s')
    """
    seconds = int(abs(gap.total_seconds()))
    parts = [(seconds // 86400, "d"), (seconds // 3600 % 24, "h"), (seconds // 60 % 60, "min")]
    shown = [f"{n} {unit}" for n, unit in parts if n][:2]
    return " ".join(shown) or f"{seconds} s"


def verdict_title(verdict: str) -> str:
    """Name a verdict for people.

    Examples
    --------
    >>> verdict_title("benign_shift")
    'Harmless shift'
    """
    return _VERDICTS.get(verdict, verdict)


def segment_text(where: dict[str, object]) -> str:
    """Write a segment's conditions.

    Examples
    --------
    >>> segment_text({"device": "android"})
    'device = android'
    """
    return describe_where(where)


def told(text: str) -> str:
    """Make a finding's words a sentence for people.

    Examples
    --------
    >>> told("component:feature-store: cache misses")
    'feature-store: cache misses.'
    """
    return sentence(for_people(text))


def sentence(text: str) -> str:
    """Make a finding's words a sentence: a capital at the start, a stop at the end; names keep their spelling.

    Examples
    --------
    >>> sentence("auc fell below its SLO"), sentence("device_type is null"), sentence("")
    ('AUC fell below its SLO.', 'device_type is null.', '')
    """
    flat = " ".join(str(text).split())
    if not flat:
        return ""
    first, space, rest = flat.partition(" ")
    first = metric_title(first)
    if first.isalpha() and first.islower():
        first = first.capitalize()
    out = first + space + rest
    return out if out[-1] in ".!?:" else out + "."
