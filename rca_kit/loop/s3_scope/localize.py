"""`localize`: which segments carry a change, from any table or file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import narwhals as nw
import numpy as np

from rca_kit.aggregates.leaves import Leaves, Windows, leaves
from rca_kit.errors import BadInput
from rca_kit.findings.scope import Segment
from rca_kit.findings.segments import Segments
from rca_kit.sources import to_lazy
from rca_kit.stats.segments import Counts, Found, Means, Measure, SearchResult, Totals, search
from rca_kit.stats.segments.found import Conditions

Columns = str | tuple[str, ...]

DEPTH_LEAVES, DEPTH_LOG = 5, 3
# A table with hardly more rows than leaves is already grouped: its leaves are few, so deeper segments cost little.
ROWS_PER_LEAF = 2.0
MANY_LEAVES = 200_000
# Stability is worked out by default where it costs next to nothing.
FEW_LEAVES, RESAMPLES = 5_000, 20


def localize(
    table: Any,
    dimensions: Sequence[str] | None = None,
    *,
    actual: Columns,
    expected: Columns | None = None,
    time: str | None = None,
    windows: Windows | None = None,
    direction: str = "either",
    max_depth: int | None = None,
    alpha: float = 0.005,
    max_segments: int = 20,
    merge: bool = False,
    resamples: int | None = None,
    seed: int = 0,
) -> Segments:
    """Find the segments that carry a change.

    Parameters
    ----------
    table : pandas, Polars (eager or lazy), PyArrow, DuckDB relation, PySpark frame, or path
        A leaf table (one row per combination of dimension values) or a log with one row per request.
    dimensions : sequence of str, optional
        Columns to slice by; all columns that are not measures when left out.
    actual, expected : str or tuple of str
        Columns of the measure after and before. One name each: totals and their forecast. Two names each, ``(k, n)``: events
        out of requests. Three names each, ``(sum, sumsq, n)``: means. With `windows`, `actual` names one column of the log,
        `expected` is left out: 0/1 or true/false becomes a ratio, other numbers a mean.
    time, windows : str and pair of pairs of datetime, optional
        For a log: the time column, and baseline and incident window, half-open.
    direction : {"either", "increase", "decrease"}
        Which way the measure is bad. With "either" a ratio that rose is looked for first: `k` counts what went wrong.
    max_depth : int, optional
        Most conditions per segment; 5 for a table that is already grouped, 3 for a log.
    alpha : float
        Chance of reporting anything when nothing moved.
    max_segments : int
        Most segments to report.
    merge : bool
        Join values of one dimension that share an effect, as ``{"country": ["AT", "DE"]}``. Neighbouring ranges of numbers are
        always joined.
    resamples : int, optional
        Bootstrap resamples for `stability`; by default some for small tables and none for large ones.
    seed : int
        Of the resamples.

    Returns
    -------
    Segments
        List-like, best first, empty when nothing stands out; `.is_global` tells whether everything moved alike.

    Raises
    ------
    BadInput
        When a column is missing or the measure is named wrongly.

    Examples
    --------
    >>> import polars as pl
    >>> t = pl.DataFrame({"device": ["ios", "ios", "web", "web"], "country": ["AT", "DE", "AT", "DE"],
    ...                   "k0": [20, 21, 19, 20], "n0": [1000] * 4, "k1": [19, 22, 80, 85], "n1": [1000] * 4})
    >>> localize(t, ["device", "country"], actual=("k1", "n1"), expected=("k0", "n0"))[0].where
    {'device': 'web'}
    """
    frame = to_lazy(table)
    schema = dict(frame.collect_schema())
    after, before = _names(actual), _names(expected)
    used = {*after, *before, *([time] if time else [])}
    names = sorted(dict.fromkeys(dimensions)) if dimensions is not None else sorted(n for n in schema if n not in used)
    clash = used & set(names)
    if clash:
        raise BadInput("a column cannot be both dimension and measure", column=min(clash))
    options: dict[str, Any] = {
        "direction": direction,
        "max_depth": max_depth,
        "alpha": alpha,
        "max_segments": max_segments,
        "merge": merge,
        "resamples": resamples,
        "seed": seed,
    }
    if windows is not None:
        return _of_log(frame, names, after, time, windows, options)
    if len(after) not in (1, 2, 3) or len(after) != len(before):
        raise BadInput(
            "actual and expected must name the same number of columns",
            found=f"{actual!r} and {expected!r}",
            expected='"real" and "predict", ("k_after", "n_after") and ("k_before", "n_before"), or (sum, sumsq, n)',
            hint="for a log with one row per request give time= and windows=",
        )
    for name in (*after, *before):
        if name in schema and not (schema[name].is_numeric() or schema[name] == nw.Boolean):
            raise BadInput("measure is not numeric", column=name, found=str(schema[name]), expected="numbers")
    sums = {f"a{i}": n for i, n in enumerate(after)} | {f"b{i}": n for i, n in enumerate(before)}
    cells = leaves(frame, names, measures=sums)
    s = cells.sums
    measure: Measure
    if len(after) == 1:
        measure, title = Totals(s["a0"], s["b0"]), f"{after[0]} against {before[0]}"
    elif len(after) == 2:
        _check_counts(s, *after)
        measure, title = Counts(s["b0"], s["b1"], s["a0"], s["a1"]), f"{after[0]} per {after[1]}"
    else:
        measure, title = Means(s["b0"], s["b1"], s["b2"], s["a0"], s["a1"], s["a2"]), f"mean of {after[0]}"
    return localize_leaves(cells, measure, title=title, **options)


def _check_counts(found: Mapping[str, Any], events: str, requests: str) -> None:
    """Refuse events that outnumber the requests they came from: the two were swapped."""
    if all(found[f"{w}0"].sum() > found[f"{w}1"].sum() for w in "ab"):
        raise BadInput("there are more events than requests", column=events, found=f"{events} above {requests}",
                       expected='("k_after", "n_after"): events first, then requests')


def localize_leaves(
    cells: Leaves,
    measure: Measure,
    *,
    title: str = "",
    direction: str = "either",
    max_depth: int | None = None,
    alpha: float = 0.005,
    max_segments: int = 20,
    merge: bool = False,
    resamples: int | None = None,
    seed: int = 0,
) -> Segments:
    """Search leaves that are summed already: the entry for step 3 of the loop.

    Parameters
    ----------
    cells : Leaves
    measure : Counts, Totals or Means
        One entry per leaf of `cells`.
    title : str
        What is measured, for people.
    direction, max_depth, alpha, max_segments, merge, resamples, seed
        As in `localize`.
    """
    n = len(cells.codes)
    if max_depth is None:
        grouped = cells.rows <= ROWS_PER_LEAF * max(n, 1) and n <= MANY_LEAVES
        max_depth = DEPTH_LEAVES if grouped else DEPTH_LOG
    if resamples is None:
        resamples = RESAMPLES if n <= FEW_LEAVES else 0
    # k of n counts what went wrong: a rise is the answer where there is one, even if something else fell by more
    ways = ("increase", "decrease") if direction == "either" and isinstance(measure, Counts) else (direction,)
    for way in ways:
        result = search(
            cells.codes,
            cells.cardinalities,
            measure,
            max_depth=max_depth,
            direction=way,
            alpha=alpha / len(ways),
            max_segments=max_segments,
            ordered=cells.ordered,
            merge=merge,
            resamples=resamples,
            seed=seed,
        )
        if result.found:
            break
    return as_segments(result, cells, title, max_depth)


def as_segments(result: SearchResult, cells: Leaves, title: str, max_depth: int) -> Segments:
    """Translate codes back into values."""
    return Segments(
        tuple(as_segment(f, cells) for f in result.found),
        result.is_global,
        result.because,
        title,
        cells.names,
        result.before,
        result.after,
        result.total_p_value,
        result.looked_at,
        max_depth,
        tuple(as_segment(f, cells) for f in result.singles),
    )


def where_of(conditions: Conditions, cells: Leaves) -> dict[str, Any]:
    """Write conditions on codes as conditions on values."""
    return {cells.names[d]: _condition(cells, d, codes) for d, codes in conditions}


def _condition(cells: Leaves, dimension: int, codes: tuple[int, ...]) -> Any:
    values = [cells.values[dimension][c] for c in codes]
    if len(values) == 1:
        return values[0]
    if cells.ordered[dimension] and all(isinstance(v, dict) for v in values):
        low, high = values[0], values[-1]
        return {k: v for k, v in (("ge", low.get("ge")), ("lt", high.get("lt"))) if v is not None}
    return values


def as_segment(found: Found, cells: Leaves) -> Segment:
    """Translate one segment's codes back into values."""
    return Segment(
        where_of(found.conditions, cells),
        found.share_of_traffic,
        found.before,
        found.after,
        found.share_of_impact,
        found.q_value,
        found.interval,
        round(found.n_before),
        round(found.n_after),
        found.score,
        found.stability,
        tuple(where_of(a, cells) for a in found.aliases),
    )


def _names(columns: Columns | None) -> tuple[str, ...]:
    if columns is None:
        return ()
    return (columns,) if isinstance(columns, str) else tuple(columns)


def _of_log(
    frame: nw.LazyFrame[Any],
    names: list[str],
    after: tuple[str, ...],
    time: str | None,
    windows: Windows,
    options: dict[str, Any],
) -> Segments:
    if len(after) != 1:
        raise BadInput("with windows, actual names one column of the log", found=repr(after), expected="one name")
    cells = leaves(frame, names, measures={"y": after[0]}, time=time, windows=windows, squares=True)
    s = cells.sums
    binary = all(np.array_equal(s[f"y_{w}"], s[f"y_sq_{w}"]) for w in ("before", "after"))
    measure: Measure
    if binary:
        measure, title = Counts(s["y_before"], s["y_n_before"], s["y_after"], s["y_n_after"]), f"rate of {after[0]}"
    else:
        measure = Means(s["y_before"], s["y_sq_before"], s["y_n_before"], s["y_after"], s["y_sq_after"], s["y_n_after"])
        title = f"mean of {after[0]}"
    return localize_leaves(cells, measure, title=title, **options | {"max_depth": options["max_depth"] or DEPTH_LOG})
