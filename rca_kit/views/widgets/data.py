"""Data explorer: the columns, those with most evidence first; nulls, histograms, PSI over time, values and types."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from rca_kit.findings.base import iso
from rca_kit.loop.reading.columns import compare_columns
from rca_kit.loop.reading.feature_views import FeatureView, feature_view
from rca_kit.loop.reading.schema_diff import SchemaDifference, schema_diff
from rca_kit.loop.session import Session
from rca_kit.views import words
from rca_kit.views.escape import plotly_text
from rca_kit.views.metric_figure import Figure
from rca_kit.views.theme import LIGHT, plotly_layout
from rca_kit.views.widgets import parts
from rca_kit.views.widgets.base import Explorer, Message

MOST_ROWS = 40
DIFFERENCES = {
    "gone": "gone after the onset",
    "new": "new after the onset",
    "values": "other values",
    "golden_type": "other type in the golden set",
    "not_in_golden": "not in the golden set",
}
LEAST_NULLS = 0.02  # height of the axis where hardly anything is missing
PSI_SMALL, PSI_LARGE = 0.1, 0.25  # the usual reading: below the first nothing, above the second a large shift (Siddiqi 2006)


class DataExplorer(Explorer):
    """Every model input before and after, in the windows as they are now."""

    key, title = "data", "What changed in the data?"

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.pattern = ""
        self.chosen = ""
        self._compared: tuple[Any, dict[str, Any]] = (None, {})

    def compared(self) -> dict[str, Any]:
        """Compare all columns in the windows as they are now, certain and large changes first."""
        windows = self.session.windows
        if self._compared[0] != windows:
            found = compare_columns(self.session.picture)
            ranked = sorted(
                found.values(), key=lambda c: (not c.changed, c.q_value if c.changed else 0, -abs(c.effect or 0), c.column)
            )
            self._compared = (windows, {c.column: c for c in ranked})
        return self._compared[1]

    def shown(self) -> list[Any]:
        """Give the columns that match the filter."""
        wanted = self.pattern.strip().casefold()
        return [c for c in self.compared().values() if wanted in f"{c.column} {c.reason} {c.kind}".casefold()]

    def column(self) -> str:
        """Name the column that is looked at."""
        found = self.compared()
        return self.chosen if self.chosen in found else next(iter(found), "")

    def table(self) -> list[dict[str, Any]]:
        """Give one row per column."""
        return [
            {
                "column": c.column,
                "kind": c.kind,
                "changed": c.changed,
                "reason": c.reason,
                "effect": c.effect,
                "q_value": c.q_value,
                "null_rate_before": c.null_rate_before,
                "null_rate_after": c.null_rate_after,
                "psi": c.psi,
            }
            for c in self.compared().values()
        ]

    def head(self) -> Markup:
        """Say how many changed, and offer the filter."""
        found = self.compared()
        changed = [c.column for c in found.values() if c.changed]
        said = (
            f"{len(changed)} of {len(found)} columns changed beyond chance and by an amount that matters."
            if found
            else ("No column could be compared in these windows.")
        )
        box = parts.field(
            "filter by name or finding",
            "filter",
            self.pattern,
            key="data-filter",
            kind="search",
            data_act="filter",
            data_live="250",
            size=28,
        )
        return parts.join([parts.tag("p", said), parts.tag("div", box, class_="row")])

    def label(self) -> str:
        """Say what the pictures show."""
        return f"{self.column()} before and after, and its PSI over time"

    def figure(self) -> Figure | None:
        """Draw histogram and PSI over time of the chosen column."""
        view = feature_view(self.session.picture, self.column())
        return feature_figure(view, iso(self.session.windows[1].start)) if view else None

    def body(self) -> Markup:
        """Write the columns, and values and types of the chosen one."""
        rows = []
        for c in self.shown()[:MOST_ROWS]:
            name = parts.button(
                c.column, "choose", c.column, class_="link", aria_pressed="true" if c.column == self.column() else "false"
            )
            nulls = f"{words.percent(c.null_rate_before)} → {words.percent(c.null_rate_after)}"
            state = parts.tag("span", c.reason or "as before", class_="bad" if c.changed else "mute")
            rows.append([name, c.kind, state, nulls, parts.number(c.psi, 2), parts.number(c.effect, 2), words.p_value(c.q_value)])
        heads = [
            ("column", ""),
            ("kind", ""),
            ("what changed", "words"),
            ("missing", "num"),
            ("PSI", "num"),
            ("effect, sd", "num"),
            ("q", "num"),
        ]
        more = len(self.shown()) - MOST_ROWS
        out = [parts.table(heads, rows, "Columns, most evidence first")]
        if more > 0:
            out.append(parts.tag("p", f"{more} more; filter to see them.", class_="mute small"))
        return parts.join([*out, self._values(), self._schema()])

    def _values(self) -> Markup:
        c = self.compared().get(self.column())
        if c is None:
            return Markup("")
        dtype = self.session.prepared.frame.collect_schema().get(c.column)
        facts: list[tuple[str, Any]] = [
            ("type", str(dtype)),
            ("mean", f"{parts.number(c.mean_before)} → {parts.number(c.mean_after)}" if c.mean_before is not None else None),
            (
                "spread",
                f"{parts.number(c.spread_before)} → {parts.number(c.spread_after)}" if c.spread_before is not None else None,
            ),
            (
                "distinct values",
                f"{parts.number(c.distinct_before)} → {parts.number(c.distinct_after)}"
                if c.distinct_before is not None
                else None,
            ),
            ("outside the former range", words.percent(c.out_of_range) if c.out_of_range else None),
            ("new values", ", ".join(c.new_values[:12]) or None),
            ("values that are gone", ", ".join(c.vanished_values[:12]) or None),
            ("renamed", ", ".join(f"{a} → {b}" for a, b in c.renamed[:12]) or None),
            ("factor", c.factor),
            ("rows", f"{words.count(c.rows_before)} before, {words.count(c.rows_after)} after"),
        ]
        rows = [[k, v] for k, v in facts if v]
        return parts.join([parts.tag("h3", f"{c.column}: type and values"), parts.table([("", ""), ("", "words")], rows)])

    def schema(self) -> tuple[SchemaDifference, ...]:
        """Give the schema diff: columns and values that came and went, and types beside the golden set."""
        return schema_diff(self.session.prepared, self.compared())

    def _schema(self) -> Markup:
        rows = [[d.column, DIFFERENCES[d.change], d.before, d.after] for d in self.schema()]
        if not rows:
            golden = " or differs from the golden set" if self.session.prepared.case.golden is not None else ""
            said = f"No column came, went or got other values{golden}."
            return parts.join([parts.tag("h3", "Schema diff"), parts.tag("p", said, class_="mute")])
        heads = [("column", ""), ("difference", ""), ("before, or in the log", "words"), ("after, or in the golden set", "words")]
        return parts.join([parts.tag("h3", "Schema diff"), parts.table(heads, rows)])

    def picture(self) -> Markup:
        """Write the histogram as a table with bars."""
        view = feature_view(self.session.picture, self.column())
        if view is None:
            return Markup("")
        rows = [
            [v, parts.meter(b), parts.meter(a)] for v, b, a in zip(view.labels, view.before, view.after, strict=True) if a or b
        ]
        return parts.table([(view.column, ""), ("before", ""), ("after", "")], rows, f"{view.column} before and after")

    def on_filter(self, message: Message) -> None:
        """Show only what matches."""
        self.pattern = str(message["value"])

    def on_choose(self, message: Message) -> None:
        """Look at one column."""
        self.chosen = str(message["arg"])


def feature_figure(view: FeatureView, onset: str) -> Figure:
    """Draw the shares before and after side by side, and PSI and missing values over time below."""
    keep = [i for i in range(len(view.labels)) if view.before[i] or view.after[i]]
    names = [plotly_text(view.labels[i], 24) for i in keep]
    hover = "%{x}: %{y:.2%}<extra>%{fullData.name}</extra>"
    bars = [
        {
            "type": "bar",
            "name": name,
            "x": names,
            "y": [side[i] for i in keep],
            "marker": {"color": color},
            "hovertemplate": hover,
        }
        for name, side, color in (("before", view.before, LIGHT.muted), ("after", view.after, LIGHT.bad))
    ]
    times = [iso(t) for t in view.times]
    over = {"type": "scatter", "mode": "lines", "x": times, "xaxis": "x2", "connectgaps": False}
    lines = [
        {
            **over,
            "name": "PSI",
            "y": list(view.psi),
            "yaxis": "y2",
            "line": {"color": LIGHT.accent, "width": 2},
            "customdata": list(view.rows),
            "hovertemplate": "PSI %{y:.3f}, %{customdata:,} rows<extra></extra>",
        },
        {
            **over,
            "name": "missing",
            "y": list(view.null_rate),
            "yaxis": "y3",
            "line": {"color": LIGHT.warn, "width": 2},
            "hovertemplate": "missing %{y:.2%}<extra></extra>",
        },
    ]
    layout = plotly_layout(plotly_text(f"{view.column}: before grey, after red", 90), height=520)
    layout["barmode"], layout["bargap"] = "group", 0.15
    layout["xaxis"] |= {"type": "category", "anchor": "y"}
    layout["yaxis"] |= {"domain": [0.56, 1.0], "tickformat": ".0%", "rangemode": "tozero"}
    time_axis = {k: v for k, v in layout["xaxis"].items() if k not in ("type", "anchor")} | {"type": "date", "anchor": "y3"}
    layout["xaxis2"] = time_axis
    top = max([p for p in view.psi if p is not None] + [PSI_LARGE]) * 1.1
    layout["yaxis2"] = dict(layout["yaxis"]) | {
        "domain": [0.2, 0.4],
        "anchor": "x2",
        "tickformat": "",
        "title": {"text": "PSI"},
        "range": [0, top],
        "nticks": 4,
    }
    layout["yaxis3"] = dict(layout["yaxis"]) | {
        "domain": [0.0, 0.14],
        "anchor": "x2",
        "title": {"text": "missing"},
        "range": [0, max([n for n in view.null_rate if n is not None] + [LEAST_NULLS]) * 1.1],
        "nticks": 3,
    }
    layout["shapes"] = [
        {
            "type": "line",
            "xref": "x2",
            "yref": "paper",
            "x0": onset,
            "x1": onset,
            "y0": 0,
            "y1": 0.4,
            "line": {"color": LIGHT.bad, "width": 1.5},
        },
        *(
            {
                "type": "line",
                "xref": "paper",
                "yref": "y2",
                "x0": 0,
                "x1": 1,
                "y0": v,
                "y1": v,
                "line": {"color": LIGHT.line, "width": 1, "dash": "dot"},
            }
            for v in (PSI_SMALL, PSI_LARGE)
        ),
    ]
    return {"data": [*bars, *lines], "layout": layout}
