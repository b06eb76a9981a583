"""The tables of a case under other names: the request log first, the others with the same mapping."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import polars as pl

from rca_kit.case.changes import Change
from rca_kit.loop.s4_suspects.changes import WORDS as CHANGE_WORDS
from rca_kit.loop.s4_suspects.changes import parse_scope
from rca_kit.loop.s4_suspects.topics import touches_nothing
from rca_kit.sources import OpenCase
from rca_kit.training.anonymise.aliases import (
    COMPONENT_ROLES,
    ERROR_ROLES,
    KPI_ROLES,
    METRIC_ROLES,
    PUBLIC_METRICS,
    Aliases,
    natural,
)
from rca_kit.training.anonymise.values import Secret, is_flag, is_probability, is_whole, mapped, scaled

MOST_LEVELS = 400  # distinct texts up to which a column is categorical; beyond, its values are hashed
TEXT_WORDS = 3  # average words from which a column of many values is free text
LATENCY = "latency"  # all latencies share one factor, so that stages still add up
OUTPUT = "output"  # the estimate and the truth of a regression share one factor


@dataclass
class Mask:
    """How every column of the case changes; filled by the log, used for the other tables as well."""

    opened: OpenCase
    aliases: Aliases
    secret: Secret
    shift: timedelta
    factors: dict[str, float] = field(default_factory=dict)
    dropped: list[str] = field(default_factory=list)

    @property
    def redact(self) -> frozenset[str]:
        """Columns whose values never leave."""
        return frozenset(self.opened.case.incident.redact)

    def factor_of(self, name: str, values: pl.Series) -> float:
        """Give a column's factor: shared among latencies and among estimate and truth, its own otherwise."""
        r = self.opened.roles
        group = LATENCY if name in (r.latency_ms, *r.stages, "primary_ms", "candidate_ms") else name
        if self.opened.task == "regression" and name in (r.score, r.label, "primary", "candidate", "secondary", "label"):
            group = OUTPUT
        if group not in self.factors:
            self.factors[group] = self.secret.factor(is_whole(values) and group not in (LATENCY, OUTPUT))
        return self.factors[group]

    def prefix_of(self, name: str) -> str:
        """Say a column's kind."""
        r = self.opened.roles
        single = {
            r.time: "at",
            r.request_id: "ref",
            r.score: "out",
            r.decision: "act",
            r.label: "truth",
            r.label_time: "seen",
            r.model_version: "release",
            r.error: "failure",
            r.latency_ms: "took",
        }
        if name in single:
            return single[name]
        if name in r.kpi:
            return "result"
        if name in r.stages:
            return "part"
        return "cut" if name in r.segments else "in" if name in r.features else "col"


def originals(opened: OpenCase, log: pl.DataFrame, metrics: pl.DataFrame | None) -> set[str]:
    """Collect every original text: names, values, components, people, words of the change log."""
    i = opened.case.incident
    out = {i.id, i.title, i.service, i.signal.summary, *log.columns}
    for name in log.columns:
        if log[name].dtype in (pl.String, pl.Categorical, pl.Enum):
            distinct = log[name].cast(pl.String).drop_nulls().unique()
            out |= set(distinct.head(MOST_LEVELS * 5).to_list())
    for c in opened.changes:
        out |= {c.id, c.component, c.description, c.version_from, c.version_to, c.link}
    if metrics is not None:
        out |= {v for n in metrics.columns if metrics[n].dtype == pl.String for v in metrics[n].drop_nulls().unique().to_list()}
        out |= set(metrics.columns) - {"time", "component", "metric", "value"}
    return {o for o in out if o} - set(PUBLIC_METRICS)


def mask_log(mask: Mask, log: pl.DataFrame) -> pl.DataFrame:
    """Change the request log, and learn the mapping from it."""
    r = mask.opened.roles
    versions: set[str] = set()
    if r.model_version:
        versions |= {str(v) for v in log[r.model_version].drop_nulls().unique().to_list()}
    for c in mask.opened.changes:
        versions |= {v for v in (c.version_from, c.version_to) if v}
    mask.aliases.versions(sorted(versions, key=natural))
    columns = [s for name in log.columns if (s := mask_column(mask, name, log[name])) is not None]
    return pl.DataFrame(columns)


def mask_column(mask: Mask, name: str, values: pl.Series) -> pl.Series | None:
    """Change one column; None when it has to be left out."""
    r = mask.opened.roles
    alias = mask.aliases.column(name, mask.prefix_of(name))
    kind = values.dtype
    if name in mask.redact:
        if not isinstance(kind, pl.String) and not isinstance(kind, (pl.Categorical, pl.Enum)):
            mask.dropped.append(name)
            return None
        return mapped(values, mask.secret.hashed).alias(alias)
    if kind.base_type() is pl.Datetime:
        return (values + mask.shift).alias(alias)
    if name in (r.request_id, "request_id", "sample_id"):
        return mapped(values, mask.secret.hashed).alias(alias)
    if kind.is_numeric() or kind == pl.Boolean:
        scores = name in (r.score, "primary", "candidate", "secondary")
        if is_flag(values) or (scores and is_probability(values)) or name in (r.model_version, r.decision):
            return values.alias(alias)
        if mask.opened.task == "ranking" and name == r.label:
            return values.alias(alias)  # relevance grades are counts of nothing
        return scaled(values, mask.factor_of(name, values)).alias(alias)
    if isinstance(kind, (pl.String, pl.Categorical, pl.Enum)):
        return _texts(mask, name, values.cast(pl.String)).alias(alias)
    mask.dropped.append(name)
    return None


def _texts(mask: Mask, name: str, values: pl.Series) -> pl.Series:
    r = mask.opened.roles
    known = values.drop_nulls().unique()
    if name == r.error:
        return mapped(values, lambda v: mask.aliases.role(v, ERROR_ROLES))
    if len(known) <= MOST_LEVELS:
        domain = "label" if name in (r.label, r.decision) else name
        return mapped(values, lambda v: mask.aliases.value(domain, v))
    if known.head(2000).str.count_matches(r"\s+").sum() >= (TEXT_WORDS - 1) * min(len(known), 2000):
        return mapped(values, mask.secret.scrambled)
    return mapped(values, mask.secret.hashed)


def mask_other(mask: Mask, frame: pl.DataFrame, fixed: Iterable[str]) -> pl.DataFrame:
    """Change another table with the log's mapping; columns that the format names keep their names."""
    keep = set(fixed)
    out = []
    for name in frame.columns:
        changed = mask_column(mask, name, frame[name])
        if changed is not None:
            out.append(changed.alias(name) if name in keep else changed)
    return pl.DataFrame(out)


def mask_metrics(mask: Mask, frame: pl.DataFrame) -> pl.DataFrame:
    """Change the service metrics: other components, other names, amounts scaled; rates and ages stay."""
    out = []
    for (component, metric), part in sorted(frame.group_by("component", "metric", maintain_order=True), key=lambda g: str(g[0])):
        values = part["value"].cast(pl.Float64)
        rate = is_probability(values) or any(w in str(metric).lower() for w in ("util", "rate", "percent", "age", "lag", "fresh"))
        if not rate:
            values = scaled(values, mask.factors.setdefault(f"metric:{metric}", mask.secret.factor(whole=True)))
        named = str(metric) if metric in PUBLIC_METRICS else mask.aliases.role(str(metric), METRIC_ROLES, "_")
        shifted = part["time"] + mask.shift if part["time"].dtype.base_type() is pl.Datetime else part["time"]
        out.append(
            part.with_columns(
                shifted.alias("time"),
                values.alias("value"),
                pl.lit(named).alias("metric"),
                pl.lit(mask.aliases.role(str(component), COMPONENT_ROLES)).alias("component"),
            )
        )
    whole = pl.concat(out)
    more = [n for n in whole.columns if n not in ("time", "component", "metric", "value")]
    for name in more:
        changed = mask_column(mask, name, whole[name])
        whole = whole.drop(name) if changed is None else whole.drop(name).with_columns(changed)
    return whole.sort("time", maintain_order=True)


def mask_changes(mask: Mask, listed: tuple[Change, ...]) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Write the change log again: kind, aliases of what an entry names, and the kit's own words of its category."""
    ordered = sorted(listed, key=lambda c: (c.time, c.id))
    ids = {c.id: f"chg-{i:02d}" for i, c in enumerate(ordered, 1)}
    a = mask.aliases
    rows = []
    for c in ordered:
        text = f"{c.description} {c.component}".lower()
        component = a.role(c.component, COMPONENT_ROLES) if c.component else ""
        about = a.mentions(c.description)
        words = [w for listed_words in CHANGE_WORDS.values() for w in [x for x in listed_words if x in text][:2]]
        words = [w for w in dict.fromkeys(words) if w not in component]
        said = f"about {', '.join(about)}" if about else "no more is told"  # no word here may speak for a category
        if touches_nothing(c.component, c.description):
            said += ", no impact"
        scope = parse_scope(c.scope)
        rows.append(
            {
                "id": ids[c.id],
                "time": (c.time + mask.shift).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "kind": c.kind,
                "component": component,
                "description": said + (f" ({', '.join(words)})" if words else ""),
                "scope": ";".join(
                    f"{a.known().get(n, a.column(n, 'cut'))}={'|'.join(a.value(n, v) for v in sorted(vs))}"
                    for n, vs in scope.items()
                ),
                "version_from": a.known().get(c.version_from, ""),
                "version_to": a.known().get(c.version_to, ""),
            }
        )
    return rows, ids


def kpi_name(mask: Mask, name: str) -> str:
    """Name a KPI; one that counts unsafe answers stays one to the kit."""
    return (
        mask.aliases.role(name, KPI_ROLES, "_")
        if any(w in name.lower() for w in KPI_ROLES[0])
        else mask.aliases.column(name, "result")
    )
