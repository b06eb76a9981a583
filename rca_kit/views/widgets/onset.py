"""Onset explorer: the metric over time with what moved beside it; brush before and after, and everything follows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from markupsafe import Markup

from rca_kit.errors import BadInput
from rca_kit.findings.base import Window, iso
from rca_kit.findings.symptom import MetricSeries
from rca_kit.loop.reading.prepare import case_facts
from rca_kit.loop.session import Session
from rca_kit.views import words
from rca_kit.views.escape import plotly_text
from rca_kit.views.metric_figure import metric_figure
from rca_kit.views.report.answer import moved
from rca_kit.views.report.draft import Draft
from rca_kit.views.report.timeline import lettered
from rca_kit.views.svg.chart import Marks, metric_chart
from rca_kit.views.theme import LIGHT
from rca_kit.views.widgets import parts
from rca_kit.views.widgets.base import Explorer, Figure, Message

MOST_BELOW = 5  # further metrics drawn under the main one: more are too flat to read
MAIN_HEIGHT, BELOW_HEIGHT, GAP = 300, 96, 26
SIDES = (("before", "Brush sets: before"), ("after", "Brush sets: after"))
STRETCHES = (("", "Whole log"), ("48", "Two days around the onset"), ("12", "Half a day around"))  # hours shown


class OnsetExplorer(Explorer):
    """The main metric with counts, 95% band, onset interval and changes; brush a window, and the rest follows."""

    key, title = "onset", "Since when?"

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.side = "after"
        self.stretch = ""

    def head(self) -> Markup:
        """Say the symptom, and which window a brush sets."""
        symptom = self.session.worked.symptom
        shape = f"{'an' if (symptom.shape or '')[:1] in 'aeiou' else 'a'} {symptom.shape or 'change'}"
        since = f", {shape} since {words.stamp(symptom.onset)}" if symptom.onset else ""
        size = f" ({words.change_range(symptom.metric, symptom.change_interval)})" if symptom.change_interval else ""
        what = f"{moved(symptom)}{size}{since}" if symptom.onset else symptom.says()
        said = parts.tag("p", words.told(what) + words.for_people(symptom.inside()))
        hint = parts.tag("p", "Drag over the chart to set a window, or type its ends below it.", class_="small mute")
        sides = parts.pressed(SIDES, self.side, "side", "which window a brush sets")
        stretches = parts.pressed(STRETCHES, self.stretch, "stretch", "what is shown")
        return parts.join([said, parts.tag("div", sides, stretches, class_="row"), hint])

    def label(self) -> str:
        """Say what the chart shows."""
        return self.session.worked.symptom.says()

    def figure(self) -> Figure | None:
        """Draw the metrics, one under the other, on one axis of time."""
        series = self.session.worked.symptom.series
        if not series:
            return None
        out = onset_figure(series[: MOST_BELOW + 1], self.marks(), self.session.windows)
        if self.stretch:
            half = timedelta(hours=float(self.stretch) / 2)
            centre = self.session.windows[1].start
            out["layout"]["xaxis"] |= {"range": [iso(centre - half), iso(centre + half)]}
        return out

    def marks(self) -> Marks:
        """Give onset, alert and changes, with the letters that the report uses."""
        w, incident = self.session.worked, self.session.prepared.case.case.incident
        changes = tuple((letter, c.time) for letter, c in self.changes())
        slo = (incident.slos or {}).get(w.symptom.metric)
        limits = {k: v for k, v in (("min", slo.min), ("max", slo.max)) if v is not None} if slo else None
        return Marks(w.symptom.onset, w.symptom.onset_interval, incident.detected_at, changes, limits)

    def changes(self) -> tuple[tuple[str, Any], ...]:
        """Give the changes that are marked, with their letters."""
        w = self.session.worked
        facts = case_facts(self.session.prepared.case, w.changes)
        return lettered(Draft(case=facts, symptom=w.symptom, suspects=self.session.suspects))

    def table(self) -> list[dict[str, Any]]:
        """Give each charted metric before and after."""
        return [
            {
                "metric": r.metric,
                "before": r.before,
                "after": r.after,
                "change": r.change,
                "interval": r.interval,
                "n_before": r.n_before,
                "n_after": r.n_after,
                "moved": r.moved,
                "worse": r.worse,
            }
            for r in self.session.readings()
        ]

    def body(self) -> Markup:
        """Write the windows, the metrics in them, and the changes."""
        return parts.join([self._windows(), self._readings(), self._changes()])

    def _windows(self) -> Markup:
        before, after = self.session.windows
        stamps = [f"{t:%Y-%m-%d %H:%M}" for t in (before.start, before.end, after.start, after.end)]
        names = ("before from", "before to", "after from", "after to")
        fields = [
            parts.field(f"{n}, UTC", n.replace(" ", "_"), v, key=f"w-{n}-{v}", size=16)
            for n, v in zip(names, stamps, strict=True)
        ]
        own = self.session.decisions.windows is not None
        buttons = [
            parts.button("Compare these", "windows", class_="main"),
            parts.button("Back to the detected onset", "reset", disabled=not own),
        ]
        how = "set by hand" if own else f"from the detected onset; compared with {self.session.worked.symptom.baseline}"
        return parts.tag(
            "form",
            parts.tag("h3", "Windows ", parts.tag("span", f"({how})", class_="small mute")),
            parts.tag("div", *fields, *buttons, class_="row"),
        )

    def _readings(self) -> Markup:
        rows = []
        for r in self.session.readings():
            state = ("worse" if r.worse else "moved") if r.moved else (r.note or "steady")
            css = "bad" if r.moved and r.worse else "" if r.moved else "mute"
            interval = words.change_range(r.metric, r.interval) if r.interval else ""
            rows.append(
                [
                    words.metric_title(r.metric),
                    words.value(r.metric, r.before),
                    words.value(r.metric, r.after),
                    words.change(r.metric, r.change),
                    interval,
                    f"{words.count(r.n_before)} / {words.count(r.n_after)}",
                    parts.tag("span", state, class_=f"nowrap {css}".strip()),
                ]
            )
        heads = [
            ("metric", ""),
            ("before", "num"),
            ("after", "num"),
            ("change", "num"),
            ("95% interval", ""),
            ("requests", "num"),
            ("", ""),
        ]
        return parts.table(heads, rows, "The metrics in these windows")

    def _changes(self) -> Markup:
        found = self.changes()
        if not found:
            return parts.tag("p", "No change was logged near the onset.", class_="mute")
        rows = [[letter, words.stamp(c.time), c.kind.replace("_", " "), c.component, c.description, c.id] for letter, c in found]
        heads = [("", ""), ("time", ""), ("kind", ""), ("component", ""), ("what", "words"), ("id", "")]
        return parts.table(heads, rows, "Changes marked in the chart")

    def picture(self) -> Markup:
        """Draw the main metric as SVG."""
        series = self.session.worked.symptom.series
        return metric_chart(series[0], self.marks(), "onset-still", self.label()) if series else Markup("")

    # --- messages ---

    def on_side(self, message: Message) -> None:
        """Choose which window a brush sets."""
        self.side = "before" if message["arg"] == "before" else "after"

    def on_stretch(self, message: Message) -> None:
        """Choose how much of the log the chart shows."""
        self.stretch = str(message["arg"]) if message["arg"] in dict(STRETCHES) else ""

    def on_brush(self, message: Message) -> None:
        """Set the chosen window from a brush; the other one makes room."""
        start, end = sorted(parse(str(t)) for t in message["range"])
        before, after = ((w.start, w.end) for w in self.session.windows)
        if self.side == "before":
            before = (start, end)
            after = (max(after[0], end), after[1])
        else:
            after = (start, end)
            before = (before[0], min(before[1], start))
        self.session.set_windows(before, after)

    def on_windows(self, message: Message) -> None:
        """Set both windows from the fields."""
        form = message["form"]
        ends = [parse(str(form.get(n, ""))) for n in ("before_from", "before_to", "after_from", "after_to")]
        self.session.set_windows((ends[0], ends[1]), (ends[2], ends[3]))

    def on_reset(self, message: Message) -> None:
        """Go back to the detected windows."""
        del message
        self.session.reset_windows()


def parse(said: str) -> datetime:
    """Read a time as a person or plotly writes it, UTC, to the minute."""
    try:
        when = datetime.fromisoformat(said.strip().replace("Z", "+00:00")[:32])
    except ValueError:
        raise BadInput("this is no time", found=said, expected="such as 2026-03-02 14:05, in UTC") from None
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).astimezone(UTC).replace(second=0, microsecond=0)


def onset_figure(series: tuple[MetricSeries, ...], marks: Marks, windows: tuple[Window, Window]) -> Figure:
    """Draw metrics under each other on one time axis, with the two windows as shades over all of them.

    Examples
    --------
    >>> from rca_kit.views.example import example
    >>> s = example().symptom
    >>> sorted(k for k in onset_figure(s.series[:2], Marks(), s.windows)["layout"] if k.startswith("yaxis"))
    ['yaxis', 'yaxis2']
    """
    main = metric_figure(series[0], marks)
    layout, data = main["layout"], list(main["data"])
    for trace in data:
        if trace["name"] == plotly_text(series[0].metric):  # a brush needs points to hold on to
            size = trace.get("marker", {}).get("size")
            trace |= {
                "mode": "lines+markers",
                "marker": {"size": size or 3, "color": LIGHT.accent},
                "selected": {},
                "unselected": {},
            }
    below = series[1:]
    height = MAIN_HEIGHT + len(below) * (BELOW_HEIGHT + GAP) + 92
    inner = height - 92
    foot = (inner - MAIN_HEIGHT) / inner if below else 0.0
    layout["yaxis"] |= {"domain": [foot, 1.0], "fixedrange": True}
    for i, s in enumerate(below):
        top = foot - (GAP + i * (BELOW_HEIGHT + GAP)) / inner
        other = metric_figure(s, Marks())
        axis = other["layout"]["yaxis"]
        axis |= {"domain": [max(top - BELOW_HEIGHT / inner, 0.0), top], "fixedrange": True, "nticks": 3, "title": None}
        layout[f"yaxis{i + 2}"] = axis
        data += [t | {"yaxis": f"y{i + 2}"} for t in other["data"]]
        layout["annotations"].append(
            {
                "x": 0,
                "y": top,
                "xref": "paper",
                "yref": "paper",
                "xanchor": "left",
                "yanchor": "bottom",
                "showarrow": False,
                "text": plotly_text(words.series_title(s)),
                "font": {"size": 12, "color": LIGHT.muted},
            }
        )
    anchor = f"y{len(below) + 1}" if below else "y"
    layout["xaxis"] |= {"anchor": anchor, "fixedrange": False}
    shades = [(windows[0], LIGHT.muted, "before"), (windows[1], LIGHT.warn, "after")]
    for window, color, name in shades:
        layout["shapes"].append(
            {
                "type": "rect",
                "xref": "x",
                "yref": "paper",
                "x0": iso(window.start),
                "x1": iso(window.end),
                "y0": 0,
                "y1": 1,
                "layer": "below",
                "fillcolor": color,
                "opacity": 0.07,
                "line": {"width": 0},
                "name": name,
            }
        )
        layout["annotations"].append(
            {
                "x": iso(window.start),
                "y": 0,
                "xref": "x",
                "yref": "paper",
                "xanchor": "left",
                "yanchor": "bottom",
                "showarrow": False,
                "text": name,
                "font": {"size": 12, "color": color},
            }
        )
    layout |= {"height": height, "dragmode": "select", "selectdirection": "h", "margin": {"l": 64, "r": 16, "t": 44, "b": 48}}
    return {"data": data, "layout": layout}
