"""Fetch a few thousand rows of the log, seeded and bounded: the engine filters, nothing is ever sorted there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import narwhals as nw
import polars as pl

from rca_kit.aggregates.hashing import HASH_PRIME, row_hash
from rca_kit.aggregates.rows import as_number
from rca_kit.case.roles import Roles
from rca_kit.findings.base import Window
from rca_kit.findings.scope import Segment
from rca_kit.sources.clock import epoch_us, micros
from rca_kit.sources.collect import collect
from rca_kit.sources.draw import settled

MAX_ROWS = {"before_in": 6_000, "after_in": 6_000, "before_out": 3_000, "after_out": 3_000}
MAX_BAD = 2_000  # together with the strata: at most 20k rows leave the engine
WINDOW, INSIDE, WEIGHT, HASH = "rk_after", "rk_inside", "rk_weight", "rk_hash"


@dataclass(frozen=True)
class Sampled:
    """Sampled rows with `rk_after`, `rk_inside` (0/1), `rk_weight` (population rows per sampled row), and what there is in all.

    `bounded` says whether the log held more rows than were taken.
    """

    frame: pl.DataFrame
    counts: dict[str, int]
    bounded: bool


def inside(segments: tuple[Segment, ...], schema: dict[str, Any]) -> nw.Expr | None:
    """Write "the row is in one of the segments" as an expression; None when no segment can be tested on these columns.

    Examples
    --------
    >>> frame = nw.from_native(pl.DataFrame({"c": ["DE", None, "FR"], "age": [20, 30, 40]}))
    >>> e = inside((Segment({"c": None}), Segment({"age": {"ge": 35}})), dict(frame.schema))
    >>> frame.select(x=e)["x"].to_list()
    [False, True, True]
    """
    parts = [_where(s.where, schema) for s in segments if s.where and all(c in schema for c in s.where)]
    if not parts:
        return None
    out = parts[0]
    for part in parts[1:]:
        out = out | part
    return out


def fetch(
    frame: nw.LazyFrame[Any],
    roles: Roles,
    windows: tuple[Window, Window],
    segments: tuple[Segment, ...],
    columns: list[str],
    seed: int,
    limits: dict[str, int] | None = None,
) -> Sampled:
    """Sample both windows, inside and outside the affected segments, each stratum up to its limit.

    Two scans: one counts the strata, one filters by a hash of each row's own values (time, score, latency and such), so that
    the same seed takes the same rows on any engine. Rows that agree in all hashed values are taken or left together.

    Parameters
    ----------
    frame : narwhals LazyFrame
        The request log, time column UTC.
    columns : list of str
        Columns to fetch.
    limits : dict, optional
        Rows per stratum; see `MAX_ROWS`.
    """
    schema = dict(frame.collect_schema())
    limit = {**MAX_ROWS, **(limits or {})}
    marked = mark(frame, roles, windows, segments, seed, schema)
    strata = {
        f"{w}_{i}": (nw.col(WINDOW) == int(w == "after")) & (nw.col(INSIDE) == int(i == "in"))
        for w in ("before", "after")
        for i in ("in", "out")
    }
    counted = collect(marked.select(**{name: test.cast(nw.Int64).sum() for name, test in strata.items()}))
    counts = {name: int(counted[name][0] or 0) for name in strata}
    if not sum(counts.values()):
        return Sampled(pl.DataFrame(), counts, bounded=False)
    keep = None
    for name, test in strata.items():
        if counts[name]:
            take = test & (nw.col(HASH) < _cut(limit[name], counts[name]))
            keep = take if keep is None else keep | take
    assert keep is not None
    wanted = [nw.col(c) for c in dict.fromkeys(columns)] + [nw.col(c) for c in (WINDOW, INSIDE, HASH)]
    rows = collect(marked.filter(keep).select(*wanted).head(2 * sum(limit.values())))
    rows = _trim(settled(rows, roles.time, HASH), limit).with_columns(_rk_n=pl.len().over(WINDOW, INSIDE))
    total = pl.DataFrame(
        [{WINDOW: int(n.startswith("after")), INSIDE: int(n.endswith("_in")), "_rk_total": k} for n, k in counts.items()]
    )
    rows = rows.join(total, on=[WINDOW, INSIDE], how="left", maintain_order="left")
    rows = rows.with_columns((pl.col("_rk_total") / pl.col("_rk_n")).alias(WEIGHT)).drop("_rk_n", "_rk_total")
    return Sampled(settled(rows, roles.time, HASH), counts, bounded=rows.height < sum(counts.values()))


def mark(
    frame: nw.LazyFrame[Any],
    roles: Roles,
    windows: tuple[Window, Window],
    segments: tuple[Segment, ...],
    seed: int,
    schema: dict[str, Any],
) -> nw.LazyFrame[Any]:
    """Keep the rows of the two windows and add window, inside and hash columns."""
    before, after = windows
    time = nw.col(roles.time)
    in_after = (time >= nw.lit(after.start)) & (time < nw.lit(after.end))
    in_before = (time >= nw.lit(before.start)) & (time < nw.lit(before.end))
    affected = inside(segments, schema)
    flagged = nw.lit(1, nw.Int64) if affected is None else nw.when(affected).then(nw.lit(1)).otherwise(nw.lit(0)).cast(nw.Int64)
    return frame.filter(in_after | in_before).with_columns(
        nw.when(in_after).then(nw.lit(1)).otherwise(nw.lit(0)).cast(nw.Int64).alias(WINDOW),
        flagged.alias(INSIDE),
        _hash(micros(frame, roles.time) - epoch_us(before.start), roles, seed, schema).alias(HASH),
    )


def _hash(since: nw.Expr, roles: Roles, seed: int, schema: dict[str, Any]) -> nw.Expr:
    return row_hash(since, (roles.request_id, roles.score, roles.latency_ms, *roles.stages, *roles.features), seed, schema)


def _cut(limit: int, count: int) -> int:
    return HASH_PRIME if count <= limit else max(1, int(HASH_PRIME * limit / count))


def _trim(rows: pl.DataFrame, limit: dict[str, int]) -> pl.DataFrame:
    """Bring each stratum to its limit for good: coarse times let hashes clump."""
    parts = []
    for (w, i), part in rows.group_by(WINDOW, INSIDE, maintain_order=True):
        name = f"{'after' if w else 'before'}_{'in' if i else 'out'}"
        parts.append(part.sort(HASH, maintain_order=True).head(limit[name]) if part.height > limit[name] else part)
    return pl.concat(parts) if parts else rows


def _where(where: dict[str, Any], schema: dict[str, Any]) -> nw.Expr:
    out = None
    for name, condition in where.items():
        test = _condition(name, condition, schema[name])
        out = test if out is None else out & test
    assert out is not None
    return out


def _condition(name: str, condition: Any, dtype: Any) -> nw.Expr:
    column = nw.col(name)
    if condition is None:
        return column.is_null()
    if isinstance(condition, dict):
        number = as_number(name, dtype)
        low, high = condition.get("ge"), condition.get("lt")
        tests = ([number >= low] if low is not None else []) + ([number < high] if high is not None else [])
        test = tests[0] if len(tests) == 1 else tests[0] & tests[1] if tests else ~number.is_null()
    elif isinstance(condition, (list, tuple)):
        parts = [_condition(name, v, dtype) for v in condition]
        test = parts[0] if parts else column.is_null() & ~column.is_null()
        for part in parts[1:]:
            test = test | part
        return test
    elif _same_kind(condition, dtype):
        test = column == condition
    else:
        test = column.cast(nw.String).str.to_lowercase() == str(condition).lower()
    return nw.when(column.is_null()).then(nw.lit(False)).otherwise(test)  # null is never equal: no three-valued logic later


def _same_kind(value: Any, dtype: Any) -> bool:
    if isinstance(value, bool):
        return bool(dtype == nw.Boolean)
    if isinstance(value, (int, float)):
        return bool(dtype.is_numeric())
    return isinstance(value, str) and dtype == nw.String
