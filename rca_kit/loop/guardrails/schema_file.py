"""The input schema as a Python file that runs without rca-kit."""

from __future__ import annotations

import inspect
import pprint
from collections.abc import Iterable
from typing import Any

from rca_kit.loop.guardrails.schema import MIN_ROWS, PSI_FLOOR, psi


def render(
    case_id: str,
    service: str,
    limits: dict[str, dict[str, Any]],
    within: Iterable[tuple[dict[str, Any], dict[str, dict[str, Any]]]] = (),
) -> str:
    """Write the schema's Python file: limits of each column, and of some columns within segments.

    Examples
    --------
    >>> text = render("INC-1", "fraud", {"x": {"kind": "number", "nulls": 0.01}})
    >>> compile(text, "input_schema.py", "exec") is not None
    True
    """
    data, inner = (pprint.pformat(x, width=120, sort_dicts=False, compact=True) for x in (limits, list(within)))
    return (
        TEMPLATE.replace("@CASE@", repr(case_id))
        .replace("@SERVICE@", repr(service))
        .replace("@MIN_ROWS@", str(MIN_ROWS))
        .replace("@PSI_FLOOR@", str(PSI_FLOOR))
        .replace("@LIMITS@", data)
        .replace("@WITHIN@", inner)
        .replace("@PSI@", inspect.getsource(psi).rstrip())  # the distance that the limits were learnt by
    )


TEMPLATE = '''"""Input schema of the service, learnt from the healthy days before an incident; written by rca-kit.

    python input_schema.py BATCH.parquet      # exit 0 when the batch is as on healthy days, 1 when it is not
    from input_schema import SCHEMA; SCHEMA.validate(polars_frame, lazy=True)

Needs pandera[polars] and numpy. Review the limits before you rely on them; widen those of columns that are meant to move.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pandera.polars as pa
import polars as pl

CASE = @CASE@
SERVICE = @SERVICE@
MIN_ROWS = @MIN_ROWS@  # below this many rows only types are checked: shares of few rows say little
PSI_FLOOR = @PSI_FLOOR@  # a smaller distance is no change worth a word, however many the rows

# kind: number, bool, text or other; nulls, outside, unknown: largest share that is healthy; low, high: healthy range;
# values: known values; edges, shares: bins of the healthy distribution; psi: largest healthy distance from it beyond chance
LIMITS = @LIMITS@

# the same inside a segment: (condition, limits by column); a fault of one device hardly moves all traffic
WITHIN = @WITHIN@


def kind_of(dtype) -> str:
    if dtype == pl.Boolean:
        return "bool"
    if dtype.is_numeric():
        return "number"
    return "text" if dtype in (pl.String, pl.Categorical, pl.Enum) else "other"


@PSI@


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
    d = len(limits["shares"]) - 1
    chance = (d + 4 * (2 * d) ** 0.5 + 8) / len(values)  # rows * psi is about chi-square with d degrees of freedom
    return psi(values, limits) <= max(PSI_FLOOR, limits["psi"] + chance)


CHECKS = {
    "kind": kind_ok, "share of nulls": nulls_ok, "range": range_ok, "known values": values_ok, "distribution": distribution_ok,
}


def inside(frame: pl.DataFrame, where: dict) -> pl.DataFrame:
    """Rows that meet a condition: one value, any of a list, None for missing, or a range with ge and lt."""
    keep = pl.lit(True)
    for name, value in where.items():
        column = pl.col(name)
        if isinstance(value, dict):
            test = (column >= value.get("ge", float("-inf"))) & (column < value.get("lt", float("inf")))
        else:
            values = value if isinstance(value, (list, tuple)) else [value]
            known = [str(v).lower() if isinstance(v, bool) else str(v) for v in values if v is not None]
            test = column.cast(pl.String).is_in(known).fill_null(False) | (column.is_null() & (None in values))
        keep = keep & test.fill_null(False)
    return frame.filter(keep)


def failing(frame: pl.DataFrame, limits: dict) -> list[str]:
    out = []
    for name, of in limits.items():
        column = frame[name].fill_nan(None) if frame[name].dtype.is_float() else frame[name]
        out += [f"{name}: {title}" for title, check in CHECKS.items() if not check(column, of)]
    return out


def inner_problems(frame: pl.DataFrame) -> list[str]:
    out = []
    for where, limits in WITHIN:
        if all(c in frame.columns for c in (*where, *limits)):
            told = " and ".join(f"{k} = {' or '.join(map(str, v)) if isinstance(v, list) else v}" for k, v in where.items())
            out += [f"{p}, where {told}" for p in failing(inside(frame, where), limits)]
    return out


def problems(frame: pl.DataFrame) -> list[str]:
    """Say what is wrong with a batch, as `column: check`; empty when nothing is."""
    out = [f"{name}: missing column" for name in LIMITS if name not in frame.columns]
    return out + failing(frame, {n: of for n, of in LIMITS.items() if n in frame.columns}) + inner_problems(frame)


def _check(title: str, name: str) -> pa.Check:
    def run(data) -> bool:
        column = data.lazyframe.select(pl.col(data.key)).collect()[data.key]
        return CHECKS[title](column.fill_nan(None) if column.dtype.is_float() else column, LIMITS[name])

    return pa.Check(run, name=title, error=f"{name}: {title}")


SCHEMA = pa.DataFrameSchema(
    {name: pa.Column(nullable=True, required=True, checks=[_check(title, name) for title in CHECKS]) for name in LIMITS},
    checks=[pa.Check(lambda data: not inner_problems(data.lazyframe.collect()), name="within segments", error="within segments")],
)


def main(path: str) -> int:
    read = {"parquet": pl.read_parquet, "csv": pl.read_csv, "arrow": pl.read_ipc, "jsonl": pl.read_ndjson}
    found = problems(read[path.rsplit(".", 1)[-1]](path))
    sys.stdout.write("\\n".join(found or ["as on healthy days"]) + "\\n")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
'''
