"""Scope explorer: go down level by level, crosswise, and from before to after; a click adds or takes away a condition."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from markupsafe import Markup

from rca_kit.errors import BadInput
from rca_kit.findings.scope import describe_where
from rca_kit.findings.slices import Slices
from rca_kit.loop.s3_scope.cells import OTHER
from rca_kit.loop.session import Session
from rca_kit.views import words
from rca_kit.views.svg import scope_tree
from rca_kit.views.widgets import parts
from rca_kit.views.widgets.base import Explorer, Figure, Message
from rca_kit.views.widgets.scope_figures import heat_figure, icicle_figure, waterfall_figure

VIEWS = (("tree", "Tree"), ("heat", "Heat map"), ("fall", "Mix and rate"))
MOST_ROWS = 25
MOST_DIFFERENCES = 8
SECOND_LEVEL = 6  # first-level values that are opened once more in the tree; the rest is too small to click


class ScopeExplorer(Explorer):
    """Segments with effect and share; conditions by click; what tells the selection from the rest."""

    key, title = "scope", "For whom?"

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.view = "tree"
        self.across: tuple[str, str] | None = None
        self.rest: Slices | None = None

    # --- state ---

    @property
    def where(self) -> dict[str, Any]:
        """The selection, as the journal has it; conditions on columns that are gone are left out."""
        names = self.dimensions
        return {k: v for k, v in self.session.decisions.selection.items() if k in names}

    @property
    def dimensions(self) -> tuple[str, ...]:
        """Columns to slice by."""
        cells = self.session.cells()
        return cells.leaves.names if cells else ()

    def pair(self) -> tuple[str, str] | None:
        """Give the two columns of the heat map: as chosen, else those whose values carry most."""
        free = [d for d in self.dimensions if d not in self.where]
        if self.across and all(d in free for d in self.across) and self.across[0] != self.across[1]:
            return self.across
        ranked = list(dict.fromkeys(r["dimension"] for r in self.session.drill(self.where).table))
        ranked += [d for d in free if d not in ranked]
        return (ranked[0], ranked[1]) if len(ranked) > 1 else None

    def table(self) -> list[dict[str, Any]]:
        """Give every value below the selection, the one that carries most first."""
        return self.session.drill(self.where).rows()

    # --- showing ---

    def head(self) -> Markup:
        """Say what the search found, and the selection."""
        found = self.session.worked.scope
        said = parts.tag("p", words.told(found.says()))
        offers = [
            parts.button(f"Select {words.segment_text(s.where)}", "only", s.where)
            for s in found.segments[:3]
            if all(k in self.dimensions for k in s.where) and s.where != self.where
        ]
        chips = [
            parts.tag(
                "span",
                words.segment_text({k: v}),
                parts.button("×", "remove", k, aria_label=f"remove {words.segment_text({k: v})}"),
                class_="chip",
            )
            for k, v in self.where.items()
        ]
        selection = parts.tag(
            "div",
            parts.tag("strong", "Selection:"),
            *(chips or [parts.text("all traffic")]),
            parts.button("Clear", "only", {}, disabled=not self.where),
            class_="row mid",
        )
        return parts.join(
            [
                said,
                parts.tag("div", *offers, class_="row") if offers else "",
                selection,
                self._scope_buttons(),
                parts.pressed(VIEWS, self.view, "view", "which picture"),
                self._choices(),
            ]
        )

    def _scope_buttons(self) -> Markup:
        declared = self.session.decisions.scope
        now = "the search's" if declared is None else "; or ".join(describe_where(w) for w in declared) or "all traffic"
        same = declared is not None and list(declared) == ([self.where] if self.where else [])
        return parts.tag(
            "div",
            parts.tag("span", f"Scope in the report: {now}", class_="small mute"),
            parts.button("Report the selection instead", "declare", disabled=same),
            parts.button("Report what the search found", "undeclare", disabled=declared is None),
            class_="row mid",
        )

    def _choices(self) -> Markup:
        pair = self.pair()
        free = [(d, d) for d in self.dimensions if d not in self.where]
        if pair is None or self.view == "tree":
            return Markup("")
        first = parts.choice("over", "first", free, pair[0], key="scope-first", act="first")
        second = parts.choice("and", "second", [f for f in free if f[0] != pair[0]], pair[1], key="scope-second", act="second")
        return parts.tag("div", first, *([second] if self.view == "heat" else []), class_="row")

    def label(self) -> str:
        """Say what the picture shows."""
        return f"{dict(VIEWS)[self.view]} inside {describe_where(self.where)}"

    def figure(self) -> Figure | None:
        """Draw tree, heat map or waterfall of the selection."""
        if not self.dimensions:
            return None
        pair = self.pair()
        metric = self.session.measure()[0]
        if self.view == "tree":
            top = self.session.drill(self.where)
            first = top.table[0]["dimension"] if top.table else ""
            below = {}
            for row in [r for r in top.table if r["dimension"] == first][:SECOND_LEVEL]:
                inside = self.session.drill({**self.where, first: row["condition"]})
                below[row["value"]] = inside.table
            return icicle_figure(describe_where(self.where), [r for r in top.table if r["dimension"] == first], below)
        if pair is None:
            return None
        if self.view == "heat":
            return heat_figure(self.session.heat(*pair, self.where), *pair, metric)
        return waterfall_figure(self.session.fall(pair[0], self.where), pair[0], metric)

    def picture(self) -> Markup:
        """Draw the segments found as a tree."""
        return scope_tree(self.session.worked.scope, "scope-still")

    def body(self) -> Markup:
        """Write the values below the selection, and what tells it from the rest."""
        if not self.dimensions:
            return parts.tag("p", "There is no segment column to slice by.", class_="mute")
        found = self.session.drill(self.where)
        said, share = self.session.measure()
        shown = words.percent if share else parts.number
        rows = []
        for r in found.table[:MOST_ROWS]:
            name = f"{r['dimension']} = {r['value']}"
            known = r["condition"] != OTHER
            add = (
                parts.button(name, "add", [r["dimension"], r["condition"]], class_="link", aria_label=f"add the condition {name}")
                if known
                else name
            )
            rows.append(
                [
                    add,
                    f"{r['n_after']:,.0f}",
                    shown(r["before"]),
                    shown(r["after"]),
                    parts.meter(r["share_of_impact"]),
                    words.p_value(r["p_value"]),
                ]
            )
        cells = self.session.cells()
        heads = [
            ("segment (click to add it)", ""),
            ("requests after", "num"),
            ("before", "num"),
            ("after", "num"),
            ("share of the change", ""),
            ("p against the rest", "num"),
        ]
        snap = words.lasted(timedelta(seconds=cells.block_seconds)) if cells else ""
        caption = f"Inside {describe_where(self.where)}: {said}; windows count in steps of {snap}"
        return parts.join([parts.table(heads, rows, caption), self._against()])

    def _against(self) -> Markup:
        out = [parts.tag("h3", "The selection against the rest")]
        if not self.where:
            return parts.join([*out, parts.tag("p", "Select a segment to see what else is different about it.", class_="mute")])
        out.append(parts.button("Compare it with the rest", "compare"))
        if self.rest is not None:
            rows = [
                [
                    r["column"],
                    parts.number(r["distance"], 2),
                    words.p_value(r["q_value"]),
                    r["value"],
                    words.percent(r["share_picked"]),
                    words.percent(r["share_rest"]),
                ]
                for r in self.rest.table[:MOST_DIFFERENCES]
            ]
            heads = [
                ("column", ""),
                ("distance", "num"),
                ("q", "num"),
                ("most over-represented", ""),
                ("in the selection", "num"),
                ("in the rest", "num"),
            ]
            out += [parts.tag("p", words.told(self.rest.says())), parts.table(heads, rows, "Sampled rows after the onset")]
        return parts.join(out)

    # --- messages ---

    def _select(self, where: dict[str, Any]) -> None:
        self.rest = None
        self.session.note("selection", describe_where(where), where=where)

    def on_add(self, message: Message) -> None:
        """Add a condition."""
        name, condition = json.loads(message["arg"])
        self._select({**self.where, name: condition})

    def on_remove(self, message: Message) -> None:
        """Take a condition away."""
        self._select({k: v for k, v in self.where.items() if k != message["arg"]})

    def on_only(self, message: Message) -> None:
        """Select a segment as a whole, or all traffic."""
        self._select(dict(json.loads(message["arg"] or "{}")))

    def on_click(self, message: Message) -> None:
        """Add what was clicked in the picture."""
        if message.get("id"):
            added = json.loads(message["id"])
            if added:
                self._select({**self.where, **added})

    def on_view(self, message: Message) -> None:
        """Choose the picture."""
        self.view = message["arg"] if message["arg"] in dict(VIEWS) else "tree"

    def on_first(self, message: Message) -> None:
        """Choose the first column of the picture."""
        pair = self.pair()
        second = pair[1] if pair and pair[1] != message["value"] else next(d for d in self.dimensions if d != message["value"])
        self.across = (str(message["value"]), second)

    def on_second(self, message: Message) -> None:
        """Choose the second column of the heat map."""
        pair = self.pair()
        if pair is not None:
            self.across = (pair[0], str(message["value"]))

    def on_compare(self, message: Message) -> None:
        """Tell the selection from the rest."""
        del message
        if not self.where:
            raise BadInput("nothing is selected", expected="a segment")
        self.rest = self.session.against_rest(self.where)

    def on_declare(self, message: Message) -> None:
        """Make the selection the scope of the report."""
        del message
        self.session.note("scope", describe_where(self.where), segments=[self.where] if self.where else [])

    def on_undeclare(self, message: Message) -> None:
        """Go back to the scope that the search found."""
        del message
        self.session.note("scope", "what the search found", segments=None)
