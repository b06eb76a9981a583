"""Service metrics out of a Prometheus server: range queries over the span of the request log, as a table of the case.

The answers take the form of a `service_metrics` file: time, component, metric, value, and the remaining labels as dimensions.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from rca_kit.case.incident import FILE_NAME
from rca_kit.errors import BadInput, did_you_mean
from rca_kit.sources.files import Scanned
from rca_kit.sources.prometheus_client import Client, Series

PLACE = f"{FILE_NAME}: tables.service_metrics"
COMPONENT_LABELS = ("component", "service", "app", "job", "deployment", "workload", "container", "pod", "instance")
"""Labels that commonly name what a series is about, from service down to process."""

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
MAX_SERIES = 2000  # of one query: more are single requests or containers of weeks, to be summed in the query
COLUMNS: dict[str, Any] = {"time": pl.Datetime("us", "UTC"), "component": pl.String, "metric": pl.String, "value": pl.Float64}


class PrometheusSpec(BaseModel):
    """What incident.yaml says under `tables: {service_metrics: {prometheus: ...}}`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prometheus: str
    queries: dict[str, str] = Field(min_length=1)
    component: tuple[str, ...] = ()
    step: float = 60.0
    timeout: float = Field(default=30.0, gt=0, le=600)
    retries: int = Field(default=2, ge=0, le=10)

    @field_validator("component", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value or ()

    @field_validator("step", "timeout", mode="before")
    @classmethod
    def _seconds(cls, value: Any) -> float:
        return seconds(value)

    @field_validator("step")
    @classmethod
    def _above_zero(cls, value: float) -> float:
        if not 1 <= value <= 86400:
            raise ValueError("must lie between 1s and 1d")
        return value

    @field_validator("queries")
    @classmethod
    def _said(cls, value: dict[str, str]) -> dict[str, str]:
        for name, query in value.items():
            if not name.strip() or not query.strip():
                raise ValueError("needs metric names with a PromQL expression each")
        return value


def seconds(value: Any) -> float:
    """Read a duration as Prometheus writes it, or a number of seconds.

    Examples
    --------
    >>> seconds("5m"), seconds(30), seconds("1h30m")
    (300.0, 30.0, 5400.0)
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    text = str(value).strip()
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", text)
    if not parts or "".join(n + u for n, u in parts) != text:
        try:
            return float(text)
        except ValueError:
            raise ValueError(f"`{text[:40]}` is no duration; expected one like 60s, 5m or 1h") from None
    return sum(float(n) * UNITS[u] for n, u in parts)


def read_spec(spec: Mapping[str, Any]) -> PrometheusSpec:
    """Check the mapping of incident.yaml.

    Raises
    ------
    BadInput
        With every problem in one message.

    Examples
    --------
    >>> read_spec({"prometheus": "http://p:9090", "queries": {"cpu_utilization": "avg(cpu)"}, "step": "5m"}).step
    300.0
    """
    known = list(PrometheusSpec.model_fields)
    for key in spec:
        if key not in known:
            raise BadInput(f"unknown key `{key}` beside `prometheus`", file=PLACE, expected=", ".join(known),
                           hint=did_you_mean(str(key), known))
    try:
        return PrometheusSpec.model_validate(dict(spec))
    except ValidationError as error:
        lines = [".".join(map(str, e["loc"])) + ": " + ("is required and missing" if e["type"] == "missing"
                 else str(e["msg"]).removeprefix("Value error, ")) for e in error.errors(include_url=False)]
        hint = 'such as {prometheus: "http://prometheus:9090", queries: {cpu_utilization: "avg by (job) (cpu)"}, component: job}'
        raise BadInput("; ".join(lines), file=PLACE, hint=hint) from None


def read_prometheus(spec: Mapping[str, Any], span: tuple[datetime, datetime], service: str = "") -> tuple[Scanned, str]:
    """Ask a Prometheus server for every query over a span.

    Parameters
    ----------
    spec : mapping
        `prometheus` (address), `queries` (metric name -> PromQL), and optionally `component` (label or labels, the first that a
        series has names its component), `step`, `timeout`, `retries`.
    span : (datetime, datetime)
        First and last time wanted, UTC. The grid is aligned to multiples of the step, so that it does not depend on the log.
    service : str
        Names the component of series without labels.

    Returns
    -------
    (Scanned, str)
        The table, sorted, and the SHA-256 of its content.

    Raises
    ------
    BadInput
        When the spec cannot be used, the server does not answer, or a query is refused or gives too much.
    """
    wanted = read_spec(spec)
    start, end = (t.timestamp() // wanted.step * wanted.step for t in span)
    client = Client.of(wanted.prometheus, wanted.timeout, wanted.retries)
    notes: list[str] = []
    frames = []
    for metric, query in wanted.queries.items():
        found = client.query_range(query, start, end, wanted.step, metric)
        notes += [f"{PLACE}: query `{metric}`: {note}" for note in found.notes]
        if not found.series:
            notes.append(f"{PLACE}: query `{metric}` gives no series between {_clock(start)} and {_clock(end)}")
            continue
        if len(found.series) > MAX_SERIES:
            raise BadInput(f"query `{metric}` gives too many series", file=PLACE, found=f"{len(found.series):,}",
                           expected=f"at most {MAX_SERIES:,}", hint="sum them in the query: sum by (pod) (...)")
        frames.append(_frame(metric, found.series, wanted.component, service))
    frame = pl.concat([pl.DataFrame(schema=COLUMNS), *frames], how="diagonal")
    frame = frame.sort(frame.columns, nulls_last=True)  # servers give series in any order
    digest = hashlib.sha256(frame.write_csv().encode()).hexdigest()
    return Scanned(frame.lazy(), (Path("Prometheus at " + client.shown.partition("://")[2]),), tuple(notes)), digest


def _frame(metric: str, series: Iterable[Series], labels: tuple[str, ...], service: str) -> pl.DataFrame:
    series = list(series)
    naming = labels or _common_label(series)
    held = {name for s in series for name in s.labels}
    if labels and not held & set(labels):
        raise BadInput(f"no series of query `{metric}` has the label that names the component", file=PLACE,
                       found=", ".join(sorted(held - {"__name__"})) or "no labels", expected=" or ".join(labels),
                       hint=did_you_mean(labels[0], held) or f"keep it in the query: sum by ({labels[0]}) (...)")
    parts = []
    for one in series:
        label = next((n for n in naming if one.labels.get(n)), None)
        component = one.labels[label] if label else service or metric
        # a label must not stand for a column of the table
        rest = {(f"label_{n}" if n in COLUMNS else n): v for n, v in one.labels.items() if n not in (label, "__name__")}
        times = (pl.Series("time", one.times, dtype=pl.Float64) * 1e6).round().cast(pl.Int64).cast(pl.Datetime("us", "UTC"))
        value = pl.Series("value", one.values, dtype=pl.Float64)
        columns = [pl.lit(component).alias("component"), pl.lit(metric).alias("metric"), value,
                   *(pl.lit(v).alias(n) for n, v in sorted(rest.items()))]
        parts.append(times.to_frame().with_columns(columns))
    return pl.concat(parts, how="diagonal").drop_nulls("value").filter(pl.col("value").is_not_nan())


def _common_label(series: list[Series]) -> tuple[str, ...]:
    """Give the usual label that all series have."""
    return next(((n,) for n in COMPONENT_LABELS if all(s.labels.get(n) for s in series)), ())


def _clock(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M} UTC"
