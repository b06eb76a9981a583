"""Icicle, heat map and waterfall of a scope, as plotly's JSON; each mark carries the conditions that a click on it adds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rca_kit.findings.slices import Slices
from rca_kit.views.escape import plotly_text
from rca_kit.views.metric_figure import Figure
from rca_kit.views.theme import LIGHT, plotly_layout

MOST_STEPS = 16  # of a waterfall: more cannot be labelled
SMALL = 0.02  # share of a parent's traffic under which a child is not drawn

Row = Mapping[str, Any]


SCALE = [[0.0, LIGHT.accent], [0.5, LIGHT.panel], [1.0, LIGHT.bad]]  # better, unchanged, worse; zero lies in the middle


def icicle_figure(title: str, first: Sequence[Row], below: Mapping[str, Sequence[Row]]) -> Figure:
    """Draw the selection, the values of one column under it, and those of the next column under each.

    Widths are traffic after, colours are the change of the row measure; a click adds the conditions of a box.
    """
    total = sum(r["n_after"] for r in first) or 1.0
    ids, labels, parents, values, colors, hover = (
        ["{}"],
        [plotly_text(title, 80)],
        [""],
        [total],
        [0.0],
        [f"{total:,.0f} requests"],
    )

    def add(where: dict[str, Any], parent: str, row: Row, size: float) -> str:
        ident = json.dumps(where, ensure_ascii=False)
        change = (row["after"] or 0.0) - (row["before"] or 0.0) if row["before"] is not None and row["after"] is not None else 0.0
        ids.append(ident)
        labels.append(plotly_text(f"{row['dimension']} = {row['value']}", 40))
        parents.append(parent)
        values.append(size)
        colors.append(change)
        hover.append(
            f"{size:,.0f} requests<br>{_shown(row['before'])} → {_shown(row['after'])}<br>"
            f"{row['share_of_impact']:.0%} of the change"
        )
        return ident

    for row in first:
        if row["n_after"] < SMALL / 4 * total:
            continue
        where = {row["dimension"]: row["condition"]}
        ident = add(where, "{}", row, row["n_after"])
        inside = below.get(str(row["value"]), ())
        column = inside[0]["dimension"] if inside else ""
        for child in inside:
            if child["dimension"] == column and child["n_after"] >= SMALL * row["n_after"]:
                add({**where, column: child["condition"]}, ident, child, child["n_after"])
    reach = max((abs(c) for c in colors), default=0.0) or 1.0
    trace = {
        "type": "icicle",
        "ids": ids,
        "labels": labels,
        "parents": parents,
        "values": values,
        "branchvalues": "total",
        "customdata": hover,
        "hovertemplate": "%{label}<br>%{customdata}<extra></extra>",
        "tiling": {"orientation": "v", "pad": 2},
        "marker": {
            "colors": colors,
            "colorscale": SCALE,
            "cmin": -reach,
            "cmax": reach,
            "cmid": 0.0,
            "line": {"width": 1, "color": LIGHT.line},
        },
        "textfont": {"size": 13},
        "pathbar": {"visible": False},
        "sort": False,
    }
    layout = plotly_layout(height=240)
    layout["margin"] = {"l": 8, "r": 8, "t": 8, "b": 8}
    layout["uniformtext"] = {"minsize": 11, "mode": "hide"}  # what does not fit is told by the hover and the table
    return {"data": [trace], "layout": layout}


def heat_figure(cells: Slices, first: str, second: str, metric: str) -> Figure:
    """Draw the change in every cell of two columns; a cell that nobody visited stays blank."""
    rows = list(dict.fromkeys(str(r[first]) for r in cells.table))
    columns = list(dict.fromkeys(str(r[second]) for r in cells.table))
    at = {(str(r[first]), str(r[second])): r for r in cells.table}
    z = [[at.get((a, b), {}).get("change") for b in columns] for a in rows]
    hover = [[_heat_hover(at.get((a, b))) for b in columns] for a in rows]
    reach = max((abs(v) for line in z for v in line if v is not None), default=0.0) or 1.0
    trace = {
        "type": "heatmap",
        "z": z,
        "x": [plotly_text(c, 30) for c in columns],
        "y": [plotly_text(r, 30) for r in rows],
        "customdata": hover,
        "zmid": 0.0,
        "zmin": -reach,
        "zmax": reach,
        "colorscale": SCALE,
        "xgap": 2,
        "ygap": 2,
        "hovertemplate": f"{plotly_text(first, 30)} = %{{y}}<br>{plotly_text(second, 30)} = %{{x}}"
        "<br>%{customdata}<extra></extra>",
        "colorbar": {"thickness": 12, "outlinewidth": 0, "title": {"text": "change", "side": "right"}},
    }
    layout = plotly_layout(plotly_text(f"Change of the {metric}", 90), height=min(140 + 30 * len(rows), 620))
    layout["xaxis"] |= {"type": "category", "title": {"text": plotly_text(second, 40)}}
    layout["yaxis"] |= {"type": "category", "title": {"text": plotly_text(first, 40)}, "autorange": "reversed"}
    return {"data": [trace], "layout": layout}


def waterfall_figure(steps: Slices, dimension: str, metric: str) -> Figure:
    """Walk from before to after: mix is traffic that moved, rate is what changed inside."""
    rows = list(steps.table)
    if len(rows) > MOST_STEPS + 2:
        kept, dropped = rows[1:MOST_STEPS], rows[MOST_STEPS:-1]
        rest = {"step": f"{len(dropped)} smaller steps", "value": sum(r["value"] for r in dropped), "kind": "step"}
        rows = [rows[0], *kept, rest, rows[-1]]
    trace = {
        "type": "waterfall",
        "orientation": "v",
        "x": [plotly_text(r["step"], 28) for r in rows],
        "y": [r["value"] for r in rows],
        "measure": ["absolute" if i == 0 else "total" if i == len(rows) - 1 else "relative" for i in range(len(rows))],
        "text": [_shown(r["value"]) if r["kind"] == "level" else f"{r['value']:+.3g}" for r in rows],
        "textposition": "outside",
        "connector": {"line": {"color": LIGHT.line, "width": 1}},
        "cliponaxis": False,
        "increasing": {"marker": {"color": LIGHT.bad}},
        "decreasing": {"marker": {"color": LIGHT.accent}},
        "totals": {"marker": {"color": LIGHT.muted}},
        "hovertemplate": "%{x}: %{text}<extra></extra>",
    }
    layout = plotly_layout(plotly_text(f"From before to after over {dimension}: {metric}", 90), height=380)
    layout["xaxis"] |= {"type": "category"}
    levels = [r["value"] for r in rows if r["kind"] == "level"]
    running, seen = levels[0] if levels else 0.0, list(levels)
    for r in rows[1:-1]:
        running += r["value"]
        seen.append(running)
    low, high = min(seen, default=0.0), max(seen, default=1.0)
    room = (high - low) * 0.15 or 1.0
    layout["yaxis"] |= {"range": [min(low - room, 0.0) if low < room else low - room, high + room]}
    return {"data": [trace], "layout": layout}


def _shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"


def _heat_hover(row: Row | None) -> str:
    if row is None:
        return "no requests"
    return (
        f"{_shown(row['before'])} → {_shown(row['after'])}, {row['n_after']:,.0f} requests, {_shown(row['impact'])} of the change"
    )
