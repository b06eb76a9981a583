"""Pictures of the tables a person slices by hand: heat map, waterfall, ranked bars."""

from __future__ import annotations

from typing import Any

from rca_kit.findings.slices import Slices
from rca_kit.views.escape import plotly_text
from rca_kit.views.metric_figure import Figure
from rca_kit.views.theme import LIGHT, plotly_layout

MOST_BARS = 25
MEASURES = ("before", "after", "change", "n_before", "n_after", "impact", "p_value")


def slices_figure(found: Slices) -> Figure:
    """Draw a table of slices by its kind.

    Examples
    --------
    >>> table = ({"step": "before", "value": 0.2, "kind": "level"}, {"step": "b: rate", "value": 0.1, "kind": "step"})
    >>> slices_figure(Slices("waterfall", "by os", table))["data"][0]["type"]
    'waterfall'
    """
    if not found.table:
        return {"data": [], "layout": plotly_layout(plotly_text(f"{found.title}: nothing to show", 120))}
    if found.kind == "heat_map":
        return _heat_map(found)
    if found.kind == "crosstab":
        return _crosstab(found)
    if found.kind == "waterfall":
        return _waterfall(found)
    return _bars(found)


def _layout(found: Slices, height: int = 360) -> dict[str, Any]:
    return plotly_layout(plotly_text(found.title, 120), height=height)


def _grid(found: Slices, x: list[str], y: list[str], z: list[list[Any]], diverging: bool) -> Figure:
    trace: dict[str, Any] = {
        "type": "heatmap",
        "x": [plotly_text(v) for v in x],
        "y": [plotly_text(v) for v in y],
        "z": z,
        "colorscale": "RdBu" if diverging else "Blues",
        "hovertemplate": "%{y} / %{x}: %{z:.4g}<extra></extra>",
    }
    if diverging:
        trace |= {"zmid": 0, "reversescale": True}
    layout = _layout(found, 160 + 28 * len(y))
    layout["xaxis"] |= {"type": "category"}
    layout["yaxis"] |= {"type": "category", "autorange": "reversed"}
    return {"data": [trace], "layout": layout}


def _heat_map(found: Slices) -> Figure:
    first, second = [n for n in found.table[0] if n not in MEASURES][:2]
    y, x = (list(dict.fromkeys(str(r[n]) for r in found.table)) for n in (first, second))
    cell = {(str(r[first]), str(r[second])): r["change"] for r in found.table}
    return _grid(found, x, y, [[cell.get((i, j)) for j in x] for i in y], diverging=True)


def _crosstab(found: Slices) -> Figure:
    head, *columns = found.table[0]
    return _grid(found, columns, [str(r[head]) for r in found.table], [[r[c] for c in columns] for r in found.table], False)


def _waterfall(found: Slices) -> Figure:
    # the last level is the sum of what came before it
    kinds = ["absolute" if i == 0 else "total" if r["kind"] == "level" else "relative" for i, r in enumerate(found.table)]
    trace = {
        "type": "waterfall",
        "x": [plotly_text(r["step"]) for r in found.table],
        "y": [r["value"] for r in found.table],
        "measure": kinds,
        "totals": {"marker": {"color": LIGHT.accent}},
        "hovertemplate": "%{x}: %{y:.4g}<extra></extra>",
    }
    return {"data": [trace], "layout": _layout(found)}


def _bars(found: Slices) -> Figure:
    difference = found.kind == "difference"
    shown = list(found.table[:MOST_BARS])[::-1]
    names = [str(r["column"]) if difference else f"{r['dimension']} = {r['value']}" for r in shown]
    layout = _layout(found, 140 + 24 * len(shown))
    title = "distance from the rest (0 same, 1 nothing in common)" if difference else "share of the change"
    layout["xaxis"] |= {"title": {"text": title}} | ({} if difference else {"tickformat": ".0%"})
    trace = {
        "type": "bar",
        "orientation": "h",
        "y": [plotly_text(n) for n in names],
        "x": [r["distance"] if difference else r["share_of_impact"] for r in shown],
        "marker": {"color": LIGHT.accent},
        "hovertemplate": "%{y}: %{x:.3g}<extra></extra>",
    }
    return {"data": [trace], "layout": layout}
