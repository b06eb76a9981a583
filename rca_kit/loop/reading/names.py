"""Metric names: from the case format to the kit's series and back."""

from __future__ import annotations

from collections.abc import Iterable

from rca_kit.loop.reading.series import Series

FRESHNESS = ("feature_age_s", "age", "freshness", "lag", "stale")


def series_for(metric: str, series: dict[str, Series]) -> str | None:
    """Name of the series that shows a metric of the case format, or None when the log does not hold it.

    Examples
    --------
    >>> series_for("auc", {}) is None
    True
    """
    if metric in series:
        return metric
    head, _, tail = metric.partition(":")
    if head == "null_rate" and "label_share" in series and series["label_share"].column == tail:
        return "label_share"
    if head == "freshness":
        known = [n for n in series if n.startswith(f"service:{tail}:")]
        return next((n for word in FRESHNESS for n in known if word in n.rsplit(":", 1)[-1].lower()), None)
    return next(iter(psi_series(metric, series)), None)


def psi_series(metric: str, series: dict[str, Series]) -> list[str]:
    """Series behind a ``psi:<column>`` alert: the mean of a numeric column, the shares of a categorical one."""
    head, _, tail = metric.partition(":")
    if head != "psi":
        return []
    return [n for n in series if n == f"mean:{tail}" or n.startswith(f"share:{tail}=")]


def public(name: str) -> str:
    """Name of a series as findings write it: case-format names, service metrics as `<component>.<metric>`.

    Examples
    --------
    >>> public("mean:amount"), public("share:country=DE"), public("service:feature-store:cache_hit_rate")
    ('psi:amount', 'psi:country', 'feature-store.cache_hit_rate')
    """
    head, _, tail = name.partition(":")
    if head == "mean":
        return f"psi:{tail}"
    if head == "share":
        return f"psi:{tail.partition('=')[0]}"
    if head == "segment":
        return tail.partition("|")[0]
    if head == "service":
        component, _, metric = tail.partition(":")
        return f"{component}.{metric}"
    return name


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Public names, each once, in the order given."""
    return tuple(dict.fromkeys(public(n) for n in names))
