"""Interactive figures: `plot(finding)` for the notebook, and the same pictures as plain JSON for the report.

The builders give plotly's JSON as dicts and do not import plotly; only `plot` does.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from rca_kit.findings.base import Finding
from rca_kit.findings.comparison import DataComparison
from rca_kit.findings.investigation import Investigation
from rca_kit.findings.replay import Replay
from rca_kit.findings.scope import Scope, Segment
from rca_kit.findings.segments import Segments
from rca_kit.findings.settlement import Settlement
from rca_kit.findings.shadow import Shadow
from rca_kit.findings.signal import Signal
from rca_kit.findings.simulation import Simulation
from rca_kit.findings.slices import Slices
from rca_kit.findings.suspects import Suspects
from rca_kit.findings.symptom import Symptom
from rca_kit.views import words
from rca_kit.views.comparison_figures import data_figure, replay_figure, segments_figure, shadow_figure
from rca_kit.views.escape import plotly_text
from rca_kit.views.metric_figure import Figure, metric_figure
from rca_kit.views.slice_figures import slices_figure
from rca_kit.views.svg.chart import Marks
from rca_kit.views.theme import LIGHT, plotly_layout

MOST_SEGMENTS = 20


def plot(finding: Finding) -> Any:
    """Draw a finding of any step.

    Parameters
    ----------
    finding : Finding
        Of one of the seven steps, a whole Investigation, or a comparison: Segments, Slices, Replay, Shadow, DataComparison.

    Returns
    -------
    plotly.graph_objects.Figure

    Raises
    ------
    TypeError
        For a finding that has no picture (samples are a table: use `.frame()`).

    Examples
    --------
    >>> from rca_kit.views.example import example
    >>> plot(example().symptom).layout.yaxis.title.text
    'AUC'
    """
    for kind, build in _BUILDERS:
        if isinstance(finding, kind):
            return importlib.import_module("plotly.graph_objects").Figure(build(finding))
    raise TypeError(f"{type(finding).__name__} has no picture; `.frame()` gives its table")


def symptom_figure(symptom: Symptom) -> Figure:
    """Give the main metric's chart with its onset.

    Examples
    --------
    >>> from rca_kit.views.example import example
    >>> symptom_figure(example().symptom)["layout"]["shapes"][0]["type"]
    'rect'
    """
    main = next((s for s in symptom.series if s.metric == symptom.metric), None)
    if main is None:
        return _empty(f"no series of {symptom.metric} was kept")
    return metric_figure(main, Marks(symptom.onset, symptom.onset_interval))


def scope_figure(scope: Scope) -> Figure:
    """Give share of the change against share of traffic, one dot per segment looked at; found ones are named.

    Examples
    --------
    >>> from rca_kit.views.example import example
    >>> len(scope_figure(example().scope)["data"])
    2
    """
    found = [s for s in scope.segments if _placed(s)]
    rest = [s for s in scope.singles if _placed(s) and s not in scope.segments]
    rest = sorted(rest, key=lambda s: -(s.share_of_impact or 0))[:MOST_SEGMENTS]
    data = [
        _dots(rest, "looked at", LIGHT.muted, "circle", scope.metric, named=False),
        _dots(found, "found", LIGHT.bad, "diamond", scope.metric, named=True),
    ]
    layout = plotly_layout("Share of the change against share of traffic")
    layout["xaxis"] |= {"title": {"text": "share of traffic"}, "tickformat": ".0%", "rangemode": "tozero"}
    layout["yaxis"] |= {"title": {"text": "share of the change"}, "tickformat": ".0%"}
    layout["shapes"] = [
        {"type": "line", "x0": 0, "y0": 0, "x1": 1, "y1": 1, "line": {"color": LIGHT.line, "dash": "dot", "width": 1}}
    ]
    return {"data": data, "layout": layout}


def _placed(s: Segment) -> bool:
    return s.share_of_traffic is not None and s.share_of_impact is not None


def _dots(segments: list[Segment], name: str, color: str, symbol: str, metric: str, *, named: bool) -> dict[str, Any]:
    labels = [plotly_text(str(s)) for s in segments]
    hover = [f"{plotly_text(str(s), 120)}<br>{words.segment_move(metric, s)}" for s in segments]
    return {
        "type": "scatter",
        "mode": "markers+text" if named else "markers",
        "name": name,
        "text": labels,
        "customdata": hover,
        "x": [s.share_of_traffic for s in segments],
        "y": [s.share_of_impact for s in segments],
        "marker": {"size": 13 if named else 9, "color": color, "symbol": symbol},
        "textposition": "bottom center",
        "hovertemplate": "%{customdata}<extra></extra>",
    }


def suspects_figure(suspects: Suspects) -> Figure:
    """Give the suspects' probabilities, most probable on top, and what is left unexplained.

    Examples
    --------
    >>> from rca_kit.views.example import example
    >>> suspects_figure(example().suspects)["data"][0]["x"]
    [0.07, 0.12, 0.81]
    """
    items = list(suspects.items[:10])
    names = [plotly_text(f"{s.rank}. {s.title or s.subject} ({s.category})", 70) for s in items]
    shares = [s.probability for s in items]
    if suspects.unexplained > 0:
        names, shares = [*names, "not logged or measured"], [*shares, suspects.unexplained]
    layout = plotly_layout("Suspects", height=120 + 36 * len(names))
    layout["xaxis"] |= {"tickformat": ".0%", "range": [0, 1], "title": {"text": "probability"}}
    return {
        "data": [
            {
                "type": "bar",
                "orientation": "h",
                "y": names[::-1],
                "x": shares[::-1],
                "marker": {"color": LIGHT.accent},
                "hovertemplate": "%{y}: %{x:.0%}<extra></extra>",
            }
        ],
        "layout": layout,
    }


def signal_figure(signal: Signal) -> Figure:
    """Give each metric's change relative to before, with its interval; those that moved stand out.

    Examples
    --------
    >>> from rca_kit.views.example import example
    >>> signal_figure(example().signal)["data"][0]["y"][-1]
    'AUC'
    """
    readings = [r for r in ((signal.reading,) if signal.reading else ()) + signal.others if r.before and r.change is not None][
        ::-1
    ]
    scale = [abs(r.before or 1.0) for r in readings]
    share = [(r.change or 0.0) / k for r, k in zip(readings, scale, strict=True)]
    ends = [(r.interval or (r.change or 0.0, r.change or 0.0)) for r in readings]
    bars = {
        "type": "data",
        "symmetric": False,
        "array": [max(e[1] / k - v, 0.0) for e, k, v in zip(ends, scale, share, strict=True)],
        "arrayminus": [max(v - e[0] / k, 0.0) for e, k, v in zip(ends, scale, share, strict=True)],
    }
    colors = [(LIGHT.bad if r.worse else LIGHT.accent) if r.moved else LIGHT.muted for r in readings]
    layout = plotly_layout("Change relative to before, 95% intervals", height=120 + 30 * len(readings))
    layout["xaxis"] |= {"tickformat": "+.0%", "zeroline": True}
    return {
        "data": [
            {
                "type": "scatter",
                "mode": "markers",
                "x": share,
                "y": [plotly_text(words.metric_title(r.metric)) for r in readings],
                "error_x": bars,
                "marker": {"size": 10, "color": colors},
                "hovertemplate": "%{y}: %{x:+.2%}<extra></extra>",
            }
        ],
        "layout": layout,
    }


def simulation_figure(simulation: Simulation) -> Figure:
    """Give the share of the change that each trial takes back.

    Examples
    --------
    >>> from rca_kit.views.example import example
    >>> simulation_figure(example().simulation)["data"][0]["x"]
    [0.04, 0.88]
    """
    trials = [t for t in simulation.trials if t.restored is not None][::-1]
    if not trials:
        return _empty("no trial says how much it takes back")
    values = [t.restored or 0.0 for t in trials]
    ends = [t.interval or (v, v) for t, v in zip(trials, values, strict=True)]
    bars = {
        "type": "data",
        "symmetric": False,
        "array": [max(e[1] - v, 0) for e, v in zip(ends, values, strict=True)],
        "arrayminus": [max(v - e[0], 0) for e, v in zip(ends, values, strict=True)],
    }
    layout = plotly_layout("Share of the change taken back", height=140 + 36 * len(trials))
    layout["xaxis"] |= {"tickformat": ".0%"}
    layout["bargap"] = 0.5
    return {
        "data": [
            {
                "type": "bar",
                "orientation": "h",
                "x": values,
                "y": [plotly_text(f"{t.kind}: {t.subject}") for t in trials],
                "error_x": bars,
                "marker": {"color": LIGHT.good},
                "hovertemplate": "%{y}: %{x:.0%}<extra></extra>",
            }
        ],
        "layout": layout,
    }


def _settlement_figure(settlement: Settlement) -> Figure:
    rows = settlement.fmea
    if not rows:
        return _empty("no failure modes were rated")
    layout = plotly_layout("Failure modes by risk priority", height=140 + 36 * len(rows))
    return {
        "data": [
            {
                "type": "bar",
                "orientation": "h",
                "x": [r.rpn for r in rows],
                "y": [plotly_text(r.failure_mode) for r in rows],
                "marker": {"color": LIGHT.warn},
            }
        ],
        "layout": layout,
    }


def _empty(why: str) -> Figure:
    layout = plotly_layout(height=160)
    layout["annotations"] = [
        {"text": plotly_text(why, 120), "showarrow": False, "x": 0.5, "y": 0.5, "xref": "paper", "yref": "paper"}
    ]
    layout["xaxis"] |= {"visible": False}
    layout["yaxis"] |= {"visible": False}
    return {"data": [], "layout": layout}


_BUILDERS: tuple[tuple[type, Callable[[Any], Figure]], ...] = (
    (Signal, signal_figure),
    (Symptom, symptom_figure),
    (Scope, scope_figure),
    (Suspects, suspects_figure),
    (Simulation, simulation_figure),
    (Settlement, _settlement_figure),
    (Segments, segments_figure),
    (Replay, replay_figure),
    (Shadow, shadow_figure),
    (DataComparison, data_figure),
    (Slices, slices_figure),
    (Investigation, lambda i: symptom_figure(i.symptom)),
)
