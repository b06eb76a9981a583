"""One metric over time as plotly's JSON: value with its band, what was expected, onset, changes and the alert."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rca_kit.findings.base import iso
from rca_kit.findings.symptom import MetricSeries
from rca_kit.views import words
from rca_kit.views.escape import plotly_text
from rca_kit.views.svg.canvas import finite
from rca_kit.views.svg.chart import Marks, Scale, thin
from rca_kit.views.theme import LIGHT, plotly_layout

Figure = dict[str, Any]


def metric_figure(series: MetricSeries, marks: Marks | None = None, most: int | None = None) -> Figure:
    """Give one metric over time, with band, expectation, onset interval, changes and alert.

    Parameters
    ----------
    series : MetricSeries
        Values per bucket, None where nothing was measured.
    marks : Marks, optional
        What to draw over it.
    most : int, optional
        Draw at most so many points, evenly picked; all when not given.

    Examples
    --------
    >>> from rca_kit.views.example import example
    >>> [trace["name"] for trace in metric_figure(example().symptom.series[0])["data"]]
    ['95% band', 'expected', 'auc']
    """
    marks = marks or Marks()
    keep = thin(len(series.times), most or max(len(series.times), 2))
    percent = words.metric_unit(series.metric) == "%"
    times = [iso(series.times[i]) for i in keep]

    def line(values: Sequence[float | None]) -> dict[str, Any]:
        return {"type": "scatter", "mode": "lines", "x": times, "y": [values[i] if i < len(values) else None for i in keep]}

    data: list[dict[str, Any]] = []
    if series.lower and series.upper:
        data.append(_band(series, keep))
    if series.expected:
        dashed = {"color": LIGHT.muted, "dash": "dash", "width": 1.5}
        data.append({**line(series.expected), "name": "expected", "line": dashed, "hoverinfo": "skip"})
    shape = "%{y:.2%}" if percent else "%{y:.4~g}"
    data.append(
        {
            **line(series.values),
            **_alone([series.values[i] for i in keep]),
            "name": plotly_text(series.metric),
            "line": {"color": LIGHT.accent, "width": 2},
            "customdata": [series.counts[i] if i < len(series.counts) else None for i in keep],
            "connectgaps": False,
            "hovertemplate": f"%{{x|%Y-%m-%d %H:%M}} UTC<br>{shape}<br>%{{customdata:,}} requests<extra></extra>",
        }
    )
    layout = plotly_layout(height=340)
    layout["margin"] |= {"t": 28}
    unit = "" if percent else words.metric_unit(series.metric)
    name = plotly_text(words.series_title(series))
    layout["yaxis"] |= {"title": {"text": f"{name} ({unit})" if unit else name}, "tickformat": ".1~%" if percent else ""}
    layout["xaxis"] |= {"type": "date", "title": {"text": "time, UTC"}}
    if len(series.times) > 1 and finite(series.values):
        scale = Scale(series, marks)
        layout["yaxis"] |= {"range": [scale.low, scale.high]}
        layout["xaxis"] |= {"range": [times[0], times[-1]]}
    layout["shapes"], layout["annotations"] = _overlays(marks, series.times)
    return {"data": data, "layout": layout}


def _band(series: MetricSeries, keep: Sequence[int]) -> dict[str, Any]:
    """Give the 95% band as closed shapes, one per stretch without a gap: filling up to the next line would bridge gaps."""
    x: list[str | None] = []
    y: list[float | None] = []
    run: list[int] = []
    for i in [*keep, -1]:
        inside = 0 <= i < min(len(series.lower), len(series.upper)) and bool(
            finite([series.lower[i]]) and finite([series.upper[i]])
        )
        if inside:
            run.append(i)
        elif run:
            there = [iso(series.times[k]) for k in run]
            x += [*there, *reversed(there), None]
            y += [*(series.upper[k] for k in run), *(series.lower[k] for k in reversed(run)), None]
            run = []
    return {
        "type": "scatter",
        "mode": "lines",
        "x": x,
        "y": y,
        "fill": "toself",
        "fillcolor": LIGHT.accent_soft,
        "line": {"width": 0},
        "hoverinfo": "skip",
        "name": "95% band",
    }


def _alone(values: Sequence[float | None]) -> dict[str, Any]:
    """Show a point that has no neighbour as a dot: a line needs two."""
    there = [bool(finite([v])) for v in values]
    last = len(there) - 1
    sizes = [5 if ok and not (i > 0 and there[i - 1]) and not (i < last and there[i + 1]) else 0 for i, ok in enumerate(there)]
    return {"mode": "lines+markers", "marker": {"size": sizes, "color": LIGHT.accent}} if any(sizes) else {}


def _overlays(marks: Marks, times: Sequence[datetime]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    shapes: list[dict[str, Any]] = []
    notes: list[dict[str, Any]] = []
    first, last = (times[0], times[-1]) if times else (datetime.min, datetime.min)

    def upright(at: datetime, label: str, color: str, dash: str, y: float) -> None:
        if not times or not first <= at <= last:
            return
        shapes.append(
            {
                "type": "line",
                "xref": "x",
                "yref": "paper",
                "x0": iso(at),
                "x1": iso(at),
                "y0": 0,
                "y1": 1,
                "line": {"color": color, "width": 1.5, "dash": dash},
            }
        )
        notes.append(
            {
                "x": iso(at),
                "y": y,
                "xref": "x",
                "yref": "paper",
                "text": plotly_text(label),
                "showarrow": False,
                "yanchor": "bottom",
                "font": {"size": 12, "color": color},
                "bgcolor": LIGHT.ground,
            }
        )

    if marks.onset_interval:
        a, b = marks.onset_interval
        shapes.append(
            {
                "type": "rect",
                "xref": "x",
                "yref": "paper",
                "x0": iso(a),
                "x1": iso(b),
                "y0": 0,
                "y1": 1,
                "layer": "below",
                "fillcolor": LIGHT.bad_soft,
                "line": {"width": 0},
            }
        )
    if marks.onset:
        upright(marks.onset, "onset", LIGHT.bad, "solid", 1.0)
    if marks.detected_at:
        upright(marks.detected_at, "alert", LIGHT.muted, "dot", 0.0)
    for i, (letter, at) in enumerate(marks.changes):
        upright(at, letter, LIGHT.second, "dash", 0.93 - 0.07 * (i % 3))
    for bound, limit in (marks.slo or {}).items():
        shapes.append(
            {
                "type": "line",
                "xref": "paper",
                "yref": "y",
                "x0": 0,
                "x1": 1,
                "y0": limit,
                "y1": limit,
                "line": {"color": LIGHT.warn, "width": 1.5, "dash": "dashdot"},
            }
        )
        notes.append(
            {
                "x": 0,
                "y": limit,
                "xref": "paper",
                "yref": "y",
                "text": f"SLO {plotly_text(bound)}",
                "showarrow": False,
                "xanchor": "left",
                "yanchor": "bottom",
                "font": {"size": 11, "color": LIGHT.warn},
            }
        )
    return shapes, notes
