"""The report's pictures: each a static SVG and, where it pays, the interactive figure that replaces it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from rca_kit.findings.symptom import MetricSeries
from rca_kit.views import figures, svg, words
from rca_kit.views.metric_figure import metric_figure
from rca_kit.views.report.answer import moved
from rca_kit.views.report.draft import Draft
from rca_kit.views.report.timeline import lettered
from rca_kit.views.svg.chart import Marks, thin

MOST_POINTS = 2000  # per interactive chart: finer than any screen, and keeps the file small
MOST_CHARTS = 6  # beyond the first few, charts repeat each other; the table of onsets has them all


@dataclass(frozen=True)
class Picture:
    """A picture of the page; `figure` is plotly's JSON or empty."""

    ident: str
    label: str
    svg: Markup
    caption: str = ""
    figure: dict[str, Any] = field(default_factory=dict)


def charts(draft: Draft, *, static: bool) -> list[Picture]:
    """Draw the main metric and those that moved with it.

    Examples
    --------
    >>> from rca_kit.views.example import example
    >>> from rca_kit.views.report.draft import as_draft
    >>> [p.ident for p in charts(as_draft(example()), static=True)]
    ['chart-0', 'chart-1', 'chart-2']
    """
    symptom = draft.symptom
    if symptom is None:
        return []
    order = {m: i for i, m in enumerate((symptom.metric, *symptom.also_changed))}
    once = {s.metric: s for s in reversed(symptom.series)}.values()
    chosen = sorted(once, key=lambda s: order.get(s.metric, len(order)))[:MOST_CHARTS]
    return [_chart(draft, s, f"chart-{i}", static=static) for i, s in enumerate(chosen)]


def _chart(draft: Draft, series: MetricSeries, ident: str, *, static: bool) -> Picture:
    symptom, quiet = draft.symptom, draft.verdict == "no_change"
    assert symptom is not None
    own = next((o for o in symptom.onsets if o.metric == series.metric), None)
    main = series.metric == symptom.metric
    onset = None if quiet else own.time if own else symptom.onset if main else None
    interval = None if quiet else own.interval if own else symptom.onset_interval if main else None
    changes = lettered(draft)
    slo = (draft.case.slos or {}).get(series.metric) if draft.case else None
    marks = Marks(
        onset, interval, draft.case.detected_at if draft.case else None, tuple((letter, c.time) for letter, c in changes), slo
    )
    said = f"{words.series_title(series)}: "
    said += f"onset {words.stamp(onset)}" if onset else "no onset"
    if own and not quiet:
        said += f", {words.value(own.metric, own.before)} to {words.value(own.metric, own.after)}"
    shown = [letter for letter, c in changes if series.times and series.times[0] <= c.time <= series.times[-1]]
    parts = [f"{words.series_title(series)}, one point per {_bucket(series.bucket_seconds)}"]
    drawn = thin(len(series.times))
    if len(drawn) < len(series.times):
        parts[0] += f" (about one in {round(len(series.times) / len(drawn))} drawn)"
    if series.lower and series.upper:
        parts.append("band: 95%")
    if series.expected:
        parts.append("dashed: expected from earlier days")
    if interval:
        parts.append("red: when it began")
    if shown:
        parts.append(
            f"letters {shown[0]} to {shown[-1]}: changes, as in the timeline"
            if len(shown) > 1
            else f"{shown[0]}: change, as in the timeline"
        )
    return Picture(
        ident,
        said,
        svg.metric_chart(series, marks, ident, said),
        "; ".join(parts if main else parts[:1]) + ".",  # the first picture explains what is drawn in all
        {} if static else metric_figure(series, marks, MOST_POINTS),
    )


def _bucket(seconds: int) -> str:
    for size, name in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size and seconds % size == 0:
            n = seconds // size
            return name if n == 1 else f"{n} {name}s"
    return f"{seconds} seconds"


def spark(draft: Draft) -> Markup | None:
    """Draw the main metric small, for the first screen."""
    symptom = draft.symptom
    series = next((s for s in symptom.series if s.metric == symptom.metric), None) if symptom else None
    if symptom is None or series is None or len(series.times) < 2:
        return None
    whole = (series.times[-1] - series.times[0]).total_seconds()
    at = None
    if symptom.onset is not None and draft.verdict != "no_change" and whole > 0:
        at = (symptom.onset - series.times[0]).total_seconds() / whole
    return svg.sparkline(series, at, "spark", moved(symptom))


def tree(draft: Draft) -> Picture | None:
    """Draw the segments."""
    if draft.scope is None or not (draft.scope.segments or draft.scope.singles):
        return None
    return Picture("tree", "Segments", svg.scope_tree(draft.scope, "tree"))


def bones(draft: Draft) -> Picture | None:
    """Draw the suspects as a fishbone."""
    if draft.suspects is None or not draft.suspects.categories:
        return None
    effect = moved(draft.symptom) if draft.symptom else "the symptom"
    return Picture("bones", "Suspects over seven categories", svg.ishikawa(draft.suspects, effect, "bones"))


def bars(draft: Draft, *, static: bool) -> Picture | None:
    """Draw what the trials take back."""
    simulation = draft.simulation
    if simulation is None or not any(t.restored is not None for t in simulation.trials):
        return None
    return Picture(
        "bars",
        "What each trial takes back",
        svg.restored_bars(simulation, "bars"),
        "",
        {} if static else figures.simulation_figure(simulation),
    )
