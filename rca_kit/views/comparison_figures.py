"""Figures of comparisons: segments of a table, replays, shadow comparisons, data comparisons."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rca_kit.findings.comparison import DataComparison
from rca_kit.findings.replay import Replay
from rca_kit.findings.segments import Segments
from rca_kit.findings.shadow import Shadow
from rca_kit.views.escape import plotly_text
from rca_kit.views.metric_figure import Figure
from rca_kit.views.theme import LIGHT, plotly_layout

MOST_ROWS = 30


def segments_figure(found: Segments) -> Figure:
    """Give each segment's share of the change beside its share of traffic, found ones first.

    Examples
    --------
    >>> from rca_kit.findings.scope import Segment
    >>> s = Segments((Segment({"device": "android"}, share_of_traffic=0.31, share_of_impact=0.94),), measure="errors")
    >>> segments_figure(s)["data"][0]["y"]
    ['device = android']
    """
    rest = [s for s in found.singles if s.where not in [f.where for f in found.segments]]
    rest = sorted((s for s in rest if s.share_of_impact is not None), key=lambda s: -(s.share_of_impact or 0.0))
    shown = [*found.segments, *rest][:MOST_ROWS][::-1]
    names = [plotly_text(str(s), 70) for s in shown]
    marked = [LIGHT.bad if s in found.segments else LIGHT.muted for s in shown]
    layout = plotly_layout("Share of the change (bar) and of traffic (line)", height=140 + 30 * len(shown))
    layout["xaxis"] |= {"tickformat": ".0%"}
    ticks = {"symbol": "line-ns", "size": 16, "line": {"width": 3, "color": LIGHT.ink}}
    return {
        "data": [
            {
                "type": "bar",
                "orientation": "h",
                "y": names,
                "x": [s.share_of_impact for s in shown],
                "marker": {"color": marked},
                "hovertemplate": "%{y}<br>%{x:.1%} of the change<extra></extra>",
            },
            {
                "type": "scatter",
                "mode": "markers",
                "y": names,
                "x": [s.share_of_traffic for s in shown],
                "marker": ticks,
                "hovertemplate": "%{y}<br>%{x:.1%} of traffic<extra></extra>",
            },
        ],
        "layout": layout,
    }


def replay_figure(found: Replay) -> Figure:
    """Give each metric's difference, current less previous, in units of its margin."""
    return _forest("Current less previous, in units of the margin", found.metrics)


def shadow_figure(found: Shadow) -> Figure:
    """Give each comparison's difference, candidate less primary, in units of its margin."""
    return _forest("Candidate less primary, in units of the margin", found.checks)


def _forest(title: str, effects: Iterable[Any]) -> Figure:
    """Draw estimates with intervals; metrics of different units share an axis because each is divided by its own margin."""
    rows = [e for e in effects if e.estimate is not None and e.interval is not None][:MOST_ROWS][::-1]
    scale = [e.margin or max(abs(e.interval[0]), abs(e.interval[1])) or 1.0 for e in rows]
    x = [e.estimate / k for e, k in zip(rows, scale, strict=True)]
    bars = {
        "type": "data",
        "symmetric": False,
        "array": [max(e.interval[1] / k - v, 0.0) for e, k, v in zip(rows, scale, x, strict=True)],
        "arrayminus": [max(v - e.interval[0] / k, 0.0) for e, k, v in zip(rows, scale, x, strict=True)],
    }
    hover = [f"{plotly_text(e.metric)}<br>{e.estimate:+.4g} (95%: {e.interval[0]:+.4g} to {e.interval[1]:+.4g})" for e in rows]
    layout = plotly_layout(title, height=140 + 30 * len(rows))
    layout["shapes"] = [
        {
            "type": "line",
            "xref": "x",
            "yref": "paper",
            "x0": at,
            "x1": at,
            "y0": 0,
            "y1": 1,
            "line": {"color": LIGHT.line, "width": 1, "dash": "dot" if at else "solid"},
        }
        for at in (-1, 0, 1)
    ]
    dots = {
        "type": "scatter",
        "mode": "markers",
        "x": x,
        "y": [plotly_text(e.metric) for e in rows],
        "error_x": bars,
        "customdata": hover,
        "marker": {"size": 10, "color": LIGHT.accent},
        "hovertemplate": "%{customdata}<extra></extra>",
    }
    return {"data": [dots], "layout": layout}


def data_figure(found: DataComparison) -> Figure:
    """Give each column's effect, largest on top; columns that changed stand out.

    Examples
    --------
    >>> from rca_kit.findings.comparison import ColumnDifference
    >>> c = ColumnDifference("a", "number", True, "values moved up by 0.40 sigma", 0.4, 1e-9)
    >>> data_figure(DataComparison((c,), 100, 100))["data"][0]["x"]
    [0.4]
    """
    shown = sorted(found.columns, key=lambda c: (c.changed, c.effect or 0.0))[-MOST_ROWS:]
    layout = plotly_layout("Effect per column", height=140 + 24 * len(shown))
    layout["xaxis"] |= {"title": {"text": "effect, in standard deviations or points"}}
    return {
        "data": [
            {
                "type": "bar",
                "orientation": "h",
                "x": [c.effect or 0.0 for c in shown],
                "y": [plotly_text(c.column) for c in shown],
                "customdata": [plotly_text(c.reason, 120) for c in shown],
                "marker": {"color": [LIGHT.bad if c.changed else LIGHT.muted for c in shown]},
                "hovertemplate": "%{y}<br>%{customdata}<extra></extra>",
            }
        ],
        "layout": layout,
    }
