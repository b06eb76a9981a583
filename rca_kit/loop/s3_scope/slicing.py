"""Slicers for people: take rows, count them crosswise, go down level by level, and compare rows with the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import narwhals as nw
import numpy as np

from rca_kit.aggregates.coding import QUANTILE_BINS, TOP_VALUES, learn_codings
from rca_kit.aggregates.leaves import Leaves, leaves
from rca_kit.errors import BadInput, did_you_mean
from rca_kit.findings.scope import describe_where
from rca_kit.findings.slices import Slices
from rca_kit.loop.s3_scope.conditions import columns_in, parse_condition, where_expression
from rca_kit.sources import to_lazy
from rca_kit.stats.mixrate import decompose
from rca_kit.stats.rates import benjamini_hochberg, homogeneity
from rca_kit.stats.segments import Counts, Means, Measure
from rca_kit.stats.segments.evidence import group_columns, sum_columns

Where = str | Mapping[str, Any]
# A value is worth naming as telling rows apart only if it stands in this many of the picked rows.
LEAST_ROWS = 5


def select_rows(table: Any, where: Where) -> nw.LazyFrame[Any]:
    """Take the rows that meet a condition.

    Parameters
    ----------
    table : any table or path
    where : str or mapping
        A typed condition, or a segment's `where`.

    Returns
    -------
    narwhals LazyFrame

    Examples
    --------
    >>> import polars as pl
    >>> t = pl.DataFrame({"country": ["DE", "FR", "DE"], "age": [20, 30, 40]})
    >>> select_rows(t, "country == 'DE' and age < 25").collect().to_native()["age"].to_list()
    [20]
    """
    frame = to_lazy(table)
    return frame.filter(expression(frame, where))


def crosstab(table: Any, rows: str, columns: str, *, value: str | None = None) -> Slices:
    """Count rows crosswise over two columns, or average a value.

    Parameters
    ----------
    table : any table or path
    rows, columns : str
        Numbers with many values are cut at quantiles.
    value : str, optional
        Column to average; rows are counted when left out.

    Examples
    --------
    >>> import polars as pl
    >>> t = pl.DataFrame({"os": ["a", "a", "b"], "plan": ["x", "y", "x"]})
    >>> crosstab(t, "os", "plan").rows()
    [{'os': 'a', 'x': 1.0, 'y': 1.0}, {'os': 'b', 'x': 1.0, 'y': 0.0}]
    """
    measures: dict[str, str | nw.Expr] = {"rows": nw.lit(1)}
    if value is not None:
        measures |= {"value": value, "known": (~nw.col(value).is_null()).cast(nw.Float64)}
    cells = leaves(to_lazy(table), [rows, columns], measures=measures)
    shape = cells.cardinalities
    grid = {name: np.zeros(shape) for name in cells.sums}
    for name, sums in cells.sums.items():
        np.add.at(grid[name], tuple(cells.codes.T), sums)
    with np.errstate(invalid="ignore", divide="ignore"):
        shown = grid["rows"] if value is None else grid["value"] / grid["known"]
    out = []
    for i, condition in enumerate(cells.values[0]):
        row: dict[str, Any] = {rows: _label(condition)}
        for j, other in enumerate(cells.values[1]):
            row[_label(other)] = None if np.isnan(shown[i, j]) else float(shown[i, j])
        out.append(row)
    what = f"mean of {value}" if value else "rows"
    return Slices("crosstab", f"{what} by {rows} and {columns}", tuple(out))


def drill_down(cells: Leaves, measure: Measure, where: Mapping[str, Any] | None = None) -> Slices:
    """List every single value below a selection, the one that carries most of the change first.

    Call it again with one row's condition added to `where` to go down a level.

    Parameters
    ----------
    cells : Leaves
    measure : Counts, Means or Totals
    where : mapping, optional
        Conditions chosen so far, as they stand in `cells.values`.
    """
    chosen = dict(where or {})
    inside = inside_leaves(cells, chosen)
    parts = measure.parts()
    impact = _impact(measure)
    whole = sum_columns(parts, inside)
    net = float(impact[inside].sum())
    at_rest = measure.unrest(inside)
    out: list[dict[str, Any]] = []
    for dim, name in enumerate(cells.names):
        if name in chosen:
            continue
        column = cells.codes[inside, dim]
        if np.unique(column).size < 2:  # one value holds everything: nothing to go down to
            continue
        own = group_columns(column, [p[inside] for p in parts], len(cells.values[dim]))
        moved = np.bincount(column, impact[inside], minlength=len(cells.values[dim]))
        for code in np.unique(column):
            contrast = measure.contrast(own[code], whole - own[code], at_rest)
            out.append(
                {
                    "dimension": name,
                    "value": _label(cells.values[dim][code]),
                    "condition": cells.values[dim][code],
                    "before": contrast.before,
                    "after": contrast.after,
                    "n_before": contrast.n_before,
                    "n_after": contrast.n_after,
                    "impact": float(moved[code]),
                    "share_of_impact": float(moved[code]) / net if net else 0.0,
                    "p_value": float(np.exp(contrast.log_p)),
                }
            )
    out.sort(key=lambda r: (-r["share_of_impact"], r["dimension"], r["value"]))
    title = describe_where(chosen)
    first = f"; most in {out[0]['dimension']} = {out[0]['value']} ({out[0]['share_of_impact']:.0%})" if out else ""
    return Slices("drill_down", f"inside {title}", tuple(out), f"Inside {title}{first}.")


def heat_map(cells: Leaves, measure: Measure, first: str, second: str) -> Slices:
    """Give the change in every cell of two dimensions: one row per cell, ready for a heat map."""
    a, b = _index(cells, first), _index(cells, second)
    sizes = cells.cardinalities
    key = cells.codes[:, a].astype(np.int64) * sizes[b] + cells.codes[:, b]
    parts = measure.parts()
    own, whole = group_columns(key, parts, sizes[a] * sizes[b]), sum_columns(parts)
    impact = np.bincount(key, _impact(measure), minlength=sizes[a] * sizes[b])
    unrest = measure.unrest(np.ones(len(key), dtype=bool))
    out = []
    for cell in np.unique(key):
        contrast = measure.contrast(own[cell], whole - own[cell], unrest)
        change = contrast.after - contrast.before if contrast.after is not None and contrast.before is not None else None
        out.append(
            {
                first: _label(cells.values[a][cell // sizes[b]]),
                second: _label(cells.values[b][cell % sizes[b]]),
                "before": contrast.before,
                "after": contrast.after,
                "change": change,
                "n_before": contrast.n_before,
                "n_after": contrast.n_after,
                "impact": float(impact[cell]),
                "p_value": float(np.exp(contrast.log_p)),
            }
        )
    return Slices("heat_map", f"change by {first} and {second}", tuple(out))


def waterfall(cells: Leaves, measure: Measure, dimension: str) -> Slices:
    """Walk from the value before to the value after, one step per value of a dimension, mix and rate apart.

    Examples
    --------
    >>> cells = Leaves(("os",), (("a", "b"),), (False,), np.array([[0], [1]]), {})
    >>> c = Counts(np.array([1., 2.]), np.array([10., 10.]), np.array([1., 4.]), np.array([10., 10.]))
    >>> [(r["step"], round(r["value"], 3)) for r in waterfall(cells, c, "os").rows()]
    [('before', 0.15), ('b: rate', 0.1), ('after', 0.25)]
    """
    dim = _index(cells, dimension)
    column, size = cells.codes[:, dim], cells.cardinalities[dim]
    if isinstance(measure, Counts):
        four = (measure.k_before, measure.n_before, measure.k_after, measure.n_after)
        variance = None
    elif isinstance(measure, Means):
        four = (measure.sum_before, measure.n_before, measure.sum_after, measure.n_after)
        variance = measure.row_sd() ** 2
    else:
        parts = group_columns(column, measure.parts(), size)
        steps = [(f"{_label(cells.values[dim][i])}", float(parts[i, 1] - parts[i, 0])) for i in range(size)]
        return _walk(dimension, float(parts[:, 0].sum()), steps, float(parts[:, 1].sum()))
    k0, n0, k1, n1 = (np.bincount(column, x, minlength=size).astype(np.float64) for x in four)
    split = decompose(k0, n0, k1, n1, variance)
    steps = []
    for i in range(size):
        label = _label(cells.values[dim][i])
        steps += [(f"{label}: mix", float(split.mix_parts[i])), (f"{label}: rate", float(split.rate_parts[i]))]
    return _walk(dimension, split.before, steps, split.after)


def compare_with_rest(table: Any, where: Where, *, columns: Sequence[str] | None = None) -> Slices:
    """Rank every column by how much some rows differ in it from the rest.

    Parameters
    ----------
    table : any table or path
    where : str or mapping
        Which rows.
    columns : sequence of str, optional
        Columns to look at; all but those the condition names.

    Returns
    -------
    Slices
        One row per column, most different first: `distance` is the total variation distance between the two distributions less
        what chance alone gives (0 same, 1 nothing in common), `q_value` that of a chi-square test, Benjamini-Hochberg over the
        columns; `value` is the value most over-represented, with its share in the picked rows and in the rest.

    Examples
    --------
    >>> import polars as pl
    >>> t = pl.DataFrame({"slow": [True] * 50 + [False] * 50, "zone": ["a"] * 50 + ["b"] * 50, "os": ["x", "y"] * 50})
    >>> [r["column"] for r in compare_with_rest(t, "slow").rows()]
    ['zone', 'os']
    """
    frame = to_lazy(table)
    schema = dict(frame.collect_schema())
    picked = expression(frame, where)
    flagged = frame.with_columns(picked.cast(nw.Float64).alias("rk_picked"))
    used = set(where) if isinstance(where, Mapping) else set(columns_in(where))
    names = list(columns) if columns is not None else [n for n in schema if n not in used]
    out: list[dict[str, Any]] = []
    known = [n for n in names if n in schema]  # `leaves` says which one is missing
    codings = {c.column: c for c in learn_codings(flagged, flagged, tuple(known), schema, TOP_VALUES, QUANTILE_BINS)}
    for name in names:
        coding = [codings[name]] if name in codings else None
        cells = leaves(flagged, [name], measures={"picked": "rk_picked", "all": nw.lit(1)}, codings=coding)
        inside, rest = cells.sums["picked"], cells.sums["all"] - cells.sums["picked"]
        if inside.sum() <= 0 or rest.sum() <= 0:
            raise BadInput(
                "the condition holds for all rows or for none",
                found=f"{inside.sum():g} of {cells.rows} rows",
                expected="some rows and a rest",
            )
        a, b = inside / inside.sum(), rest / rest.sum()
        both = (a + b) / 2
        # the distance two samples of one distribution would show: half the mean absolute normal deviation per value
        chance = 0.5 * np.sqrt(2 / np.pi * both * (1 - both) * (1 / inside.sum() + 1 / rest.sum())).sum()
        distance = max(0.0, 0.5 * float(np.abs(a - b).sum()) - float(chance))
        p = homogeneity(inside, rest)
        over = np.where(inside >= LEAST_ROWS, a - b, -np.inf)
        top = int(np.argmax(over)) if np.isfinite(over).any() else int(np.argmax(a))
        out.append(
            {
                "column": name,
                "distance": distance,
                "q_value": p,
                "value": _label(cells.values[0][cells.codes[top, 0]]),
                "share_picked": float(a[top]),
                "share_rest": float(b[top]),
                "values": len(inside),
            }
        )
    for row, q in zip(out, benjamini_hochberg([r["q_value"] for r in out]).tolist(), strict=True):
        row["q_value"] = q
    out.sort(key=lambda r: (-r["distance"], r["q_value"], r["column"]))
    title = where if isinstance(where, str) else describe_where(dict(where))
    lead = out[0] if out and out[0]["q_value"] < 0.01 else None
    words = (
        (
            f"Rows with {title} differ most in {lead['column']}: {lead['value']} in {lead['share_picked']:.0%} of them, "
            f"{lead['share_rest']:.0%} of the rest."
        )
        if lead
        else f"Rows with {title} look like the rest."
    )
    return Slices("difference", f"{title} against the rest", tuple(out), words)


def inside_leaves(cells: Leaves, where: Mapping[str, Any]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Mark the leaves that meet conditions written as in `cells.values` (lists mean any of them)."""
    inside = np.ones(len(cells.codes), dtype=bool)
    for name, condition in where.items():
        dim = _index(cells, name)
        wanted = condition if isinstance(condition, (list, tuple)) else [condition]
        codes = [i for i, v in enumerate(cells.values[dim]) if any(_meets(v, w) for w in wanted)]
        inside &= np.isin(cells.codes[:, dim], codes)
    return inside


def _meets(value: Any, condition: Any) -> bool:
    if isinstance(value, dict) and isinstance(condition, Mapping):
        low, high = condition.get("ge", -np.inf), condition.get("lt", np.inf)
        return bool(value.get("ge", -np.inf) >= low and value.get("lt", np.inf) <= high)
    return bool(value == condition) and type(value) is type(condition)


def _impact(measure: Measure) -> np.ndarray[Any, np.dtype[np.float64]]:
    """What each leaf adds to the change; ratios and means give it without weighing every effect on the grid."""
    return measure.impact() if isinstance(measure, (Counts, Means)) else measure.evidence("either").impact


def _walk(dimension: str, before: float, steps: list[tuple[str, float]], after: float) -> Slices:
    size = max(abs(after - before), max((abs(v) for _, v in steps), default=0.0))
    shown = sorted(((s, v) for s, v in steps if abs(v) > 1e-6 * size), key=lambda s: (-abs(s[1]), s[0]))
    rows = [
        {"step": "before", "value": before, "kind": "level"},
        *({"step": s, "value": v, "kind": "step"} for s, v in shown),
        {"step": "after", "value": after, "kind": "level"},
    ]
    return Slices("waterfall", f"from before to after by {dimension}", tuple(rows))


def expression(frame: nw.LazyFrame[Any], where: Where) -> nw.Expr:
    """Turn a typed condition, or a segment's, into an expression on the frame's columns."""
    schema = dict(frame.collect_schema())
    return parse_condition(where, schema) if isinstance(where, str) else where_expression(where, schema)


def _index(cells: Leaves, name: str) -> int:
    if name not in cells.names:
        raise BadInput(
            "this is no dimension of the leaves", column=name, found=", ".join(cells.names), hint=did_you_mean(name, cells.names)
        )
    return cells.names.index(name)


def _label(condition: Any) -> str:
    if condition is None:
        return "missing"
    if isinstance(condition, dict):
        low, high = condition.get("ge"), condition.get("lt")
        if low is None or high is None:
            return f"< {high:g}" if high is not None else f">= {low:g}"
        return f"{low:g} to {high:g}"
    return str(condition)
