"""A pandera schema of the model's inputs, learnt from healthy days, as a Python file without any need of rca-kit."""

from __future__ import annotations

import pprint
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

MIN_ROWS = 200  # shares of a smaller batch say little: the schema then checks types only
MAX_CATEGORIES = 200
BINS = 10
PSI_FLOOR = 0.05  # chance alone gives about (bins - 1) / rows; 0.05 at 200 rows
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


def render(case_id: str, service: str, limits: dict[str, dict[str, Any]]) -> str:
    """Write the schema's Python file.

    Examples
    --------
    >>> text = render("INC-1", "fraud", {"x": {"kind": "number", "nulls": 0.01}})
    >>> compile(text, "input_schema.py", "exec") is not None
    True
    """
    data = pprint.pformat(limits, width=120, sort_dicts=False, compact=True)
    return (
        TEMPLATE.replace("@CASE@", repr(case_id))
        .replace("@SERVICE@", repr(service))
        .replace("@MIN_ROWS@", str(MIN_ROWS))
        .replace("@LIMITS@", data)
    )


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


def _psi_limit(name: str, healthy: list[Batch], limits: dict[str, Any]) -> float:
    worst = max(psi(b.rows[name].drop_nulls(), limits) for b in healthy)
    chance = 2 * (len(limits["shares"]) - 1) / MIN_ROWS
    return _round(max(WIDEN * worst, PSI_FLOOR, chance))


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


TEMPLATE = '''"""Input schema of the service, learnt from the healthy days before an incident; written by rca-kit.

    python input_schema.py BATCH.parquet      # exit 0 when the batch is as on healthy days, 1 when it is not
    from input_schema import SCHEMA; SCHEMA.validate(polars_frame, lazy=True)

Needs pandera[polars] and numpy. Review the limits before you rely on them; widen those of columns that are meant to move.
"""

from __future__ import annotations

import sys

import numpy as np
import pandera.polars as pa
import polars as pl

CASE = @CASE@
SERVICE = @SERVICE@
MIN_ROWS = @MIN_ROWS@  # below this many rows only types are checked: shares of few rows say little

# kind: number, bool, text or other; nulls, outside, unknown: largest share that is healthy; low, high: healthy range;
# values: known values; edges, shares: bins of the healthy distribution; psi: largest healthy distance from it
LIMITS = @LIMITS@


def kind_of(dtype) -> str:
    if dtype == pl.Boolean:
        return "bool"
    if dtype.is_numeric():
        return "number"
    return "text" if dtype in (pl.String, pl.Categorical, pl.Enum) else "other"


def psi(values: pl.Series, limits: dict) -> float:
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


def kind_ok(column: pl.Series, limits: dict) -> bool:
    return column.null_count() == len(column) or kind_of(column.dtype) == limits["kind"]


def nulls_ok(column: pl.Series, limits: dict) -> bool:
    return len(column) < MIN_ROWS or column.null_count() / len(column) <= limits["nulls"]


def range_ok(column: pl.Series, limits: dict) -> bool:
    values = column.drop_nulls()
    if "low" not in limits or len(values) < MIN_ROWS or not values.dtype.is_numeric():
        return True
    outside = (values < limits["low"]) | (values > limits["high"])
    return float(outside.mean()) <= limits["outside"]


def values_ok(column: pl.Series, limits: dict) -> bool:
    values = column.drop_nulls().cast(pl.String)
    if "values" not in limits or len(values) < MIN_ROWS:
        return True
    return float((~values.is_in(limits["values"])).mean()) <= limits["unknown"]


def distribution_ok(column: pl.Series, limits: dict) -> bool:
    values = column.drop_nulls()
    if "psi" not in limits or len(values) < MIN_ROWS or not kind_ok(column, limits):
        return True
    return psi(values, limits) <= limits["psi"]


CHECKS = {
    "kind": kind_ok, "share of nulls": nulls_ok, "range": range_ok, "known values": values_ok, "distribution": distribution_ok,
}


def problems(frame: pl.DataFrame) -> list[str]:
    """Say what is wrong with a batch, as `column: check`; empty when nothing is."""
    out = [f"{name}: missing column" for name in LIMITS if name not in frame.columns]
    for name, limits in LIMITS.items():
        if name in frame.columns:
            column = frame[name]
            if column.dtype.is_float():
                column = column.fill_nan(None)
            out += [f"{name}: {title}" for title, check in CHECKS.items() if not check(column, limits)]
    return out


def _check(title: str, name: str) -> pa.Check:
    def run(data) -> bool:
        column = data.lazyframe.select(pl.col(data.key)).collect()[data.key]
        return CHECKS[title](column.fill_nan(None) if column.dtype.is_float() else column, LIMITS[name])

    return pa.Check(run, name=title, error=f"{name}: {title}")


SCHEMA = pa.DataFrameSchema(
    {name: pa.Column(nullable=True, required=True, checks=[_check(title, name) for title in CHECKS]) for name in LIMITS}
)


def main(path: str) -> int:
    read = {"parquet": pl.read_parquet, "csv": pl.read_csv, "arrow": pl.read_ipc, "jsonl": pl.read_ndjson}
    found = problems(read[path.rsplit(".", 1)[-1]](path))
    sys.stdout.write("\\n".join(found or ["as on healthy days"]) + "\\n")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
'''
