"""Settle explorer: severity, 5 Whys, timeline, actions, checklists, messages; each field is kept as soon as it is saved."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from markupsafe import Markup

from rca_kit.case.decisions import CHECK_STATES, SEVERITIES
from rca_kit.errors import BadInput
from rca_kit.findings.investigation import STEPS
from rca_kit.findings.settlement import Action
from rca_kit.loop.session import Session
from rca_kit.views import words
from rca_kit.views.widgets import parts
from rca_kit.views.widgets.base import Message
from rca_kit.views.widgets.writing import Writing

KINDS = ("fix", "prevent", "detect", "learn")


@dataclass(frozen=True)
class Written:
    """Where a report was written."""

    report: Path
    link: str


Writer = Callable[[Session, Callable[[str], None]], Written]


class SettleExplorer(Writing):
    """What to do, who does it, what was learned; and the button that writes the report.

    Parameters
    ----------
    session : Session
    write : callable, optional
        Writes the report: takes the session and a function that is told each step; there is no button without it.
    """

    key, title = "settle", "What now?"

    def __init__(self, session: Session, write: Writer | None = None) -> None:
        super().__init__(session)
        self.write = write
        self.written: Written | None = None

    def table(self) -> list[dict[str, Any]]:
        """Give one row per action."""
        return [
            {"action": a.text, "kind": a.kind, "owner": a.owner, "due": a.due, "done when": a.success_metric}
            for a in self.settlement.actions
        ]

    # --- showing ---

    def head(self) -> Markup:
        """Say what to do first, and offer the report."""
        on = {m: f": {words.for_people(m.target)}" if m.target else "" for m in self.settlement.mitigations}
        first = [
            parts.tag(
                "li",
                parts.tag("strong", words.ACTIONS.get(m.action, m.action) + on[m]),
                f" – {words.for_people(m.why)}" if m.why else "",
                parts.tag("div", f"Verify: {words.for_people(m.verify)}", class_="small mute") if m.verify else "",
            )
            for m in self.settlement.mitigations[:3]
        ]
        done = (
            parts.note(
                parts.join(
                    [
                        "Written: ",
                        parts.tag("a", self.written.report.name, data_file=self.written.link, target="_blank", rel="noopener"),
                        f" in {self.written.report.parent.parent.name}/{self.written.report.parent.name} of the case folder",
                    ]
                ),
                "done",
            )
            if (self.written)
            else ""
        )
        ready = parts.button("Write the report", "report", class_="main") if self.write else ""
        todo = parts.join([parts.tag("h3", "Do now, the safest first"), parts.tag("ol", *first)]) if first else ""
        return parts.join([parts.tag("div", ready, class_="row"), done, todo])

    def body(self) -> Markup:
        """Write all editors."""
        return parts.join([self._severity(), self._actions(), self.whys(), self.moments(), self._checklists(), self.messages()])

    def _severity(self) -> Markup:
        found, said = self.settlement.severity, self.session.decisions.severity
        options = [("", "as the kit says")] + [(s, s) for s in SEVERITIES]
        form = parts.tag(
            "form",
            parts.tag(
                "div",
                parts.choice("severity", "level", options, said.value if said else "", key="severity-level"),
                parts.field("because", "reason", said.reason if said else "", key="severity-reason", size=40),
                parts.button("Set severity", "severity"),
                class_="row",
            ),
        )
        because = parts.tag("ul", *(parts.tag("li", words.for_people(b)) for b in found.because))
        return parts.tag("section", parts.tag("h3", f"Severity: {found.level or 'none'}"), because, form)

    def _actions(self) -> Markup:
        own = {a.text: a.ident for a in self.session.decisions.actions.values()}
        cards = [self._action(a, own.get(a.text, a.text)) for a in self.settlement.actions]
        new = self._action(Action("", "fix"), "")
        adding = parts.tag("details", parts.tag("summary", "Add an action"), new, data_key="action-new")
        return parts.tag("section", parts.tag("h3", "Actions"), *cards, adding)

    def _action(self, a: Action, ident: str) -> Markup:
        key = ident or "new"
        buttons = [
            parts.button(
                "Save" if ident else "Add", "action", ident, data_key=f"save-{key}", aria_label=f"Save action {a.text[:60]}"
            ),
            parts.button("Drop", "drop", ident, data_key=f"drop-{key}", aria_label=f"Drop action {a.text[:60]}") if ident else "",
        ]
        fields = [
            parts.choice("kind", "kind", [(k, k) for k in dict.fromkeys([*KINDS, a.kind])], a.kind, key=f"kind-{key}"),
            parts.field("owner", "owner", a.owner, key=f"owner-{key}", size=14),
            parts.field("due", "due", a.due, key=f"due-{key}", kind="date"),
            parts.field("done when", "success_metric", a.success_metric, key=f"metric-{key}", size=34),
            parts.tag("div", *buttons, class_="row nowrap"),
        ]
        return parts.tag(
            "form",
            parts.area("action", "text", a.text, key=f"text-{key}", rows="2"),
            parts.tag("div", *fields, class_="row"),
            class_="card",
        )

    def _checklists(self) -> Markup:
        out = []
        for name, items in groupby(self.settlement.checklist, key=lambda i: i.list_name):
            lines = list(items)
            left = sum(i.state == "open" for i in lines)
            rows = [
                [
                    i.text,
                    parts.tag(
                        "form",
                        parts.hidden({"list": i.list_name, "line": i.text}),
                        parts.choice(
                            "state",
                            "state",
                            [(s, words.CHECK_STATES.get(s, s)) for s in CHECK_STATES],
                            i.state,
                            key=f"check-{i.list_name}-{i.text}",
                            act="check",
                        ),
                    ),
                    i.evidence,
                ]
                for i in lines
            ]
            table = parts.table([("line", "words"), ("", ""), ("evidence", "words")], rows)
            out.append(
                parts.tag(
                    "details", parts.tag("summary", f"{name} ({left} open of {len(lines)})"), table, data_key=f"list-{name}"
                )
            )
        return parts.tag("section", parts.tag("h3", "Checklists"), *out)

    def static(self) -> Markup:
        """Write what was settled, as text."""
        s = self.settlement
        rows = [[a.text, a.kind, a.owner or "to be named", a.due or "to be set", a.success_metric] for a in s.actions]
        heads = [("action", "words"), ("kind", ""), ("owner", ""), ("due", ""), ("done when", "words")]
        whys = parts.tag("ol", *(parts.tag("li", parts.tag("strong", w.question), parts.tag("br"), w.answer) for w in s.whys))
        messages = [parts.join([parts.tag("h4", m.audience), parts.tag("pre", m.text)]) for m in s.messages]
        return parts.join(
            [
                self.show_head(),
                parts.tag("h3", f"Severity: {s.severity.level or 'none'}"),
                parts.tag("ul", *(parts.tag("li", b) for b in s.severity.because)),
                parts.table(heads, rows, "Actions"),
                parts.tag("h3", "5 Whys"),
                whys,
                *messages,
            ]
        )

    # --- messages ---

    def on_report(self, message: Message) -> None:
        """Write the report; each step is told while it is taken."""
        del message
        assert self.write is not None

        def say(step: str) -> None:
            at = STEPS.index(step) + 1 if step in STEPS else 0
            bar = Markup('<progress max="{}" value="{}"></progress>').format(len(STEPS) + 1, at)
            self.said = parts.note(parts.join([f"Writing the report: {step} ", bar]))
            if self._parts:
                self._parts[0].html = str(self.show_head())

        say("begin")
        try:
            self.written = self.write(self.session, say)
        finally:
            self.said = None

    def on_severity(self, message: Message) -> None:
        """Set the severity, or leave it to the kit again."""
        form = message["form"]
        self.session.note("severity", str(form.get("reason", "")).strip(), level=str(form.get("level") or "") or None)

    def on_action(self, message: Message) -> None:
        """Save or add an action."""
        form, ident = message["form"], str(message["arg"])
        text = str(form.get("text", "")).strip()
        if not text:
            raise BadInput("an action needs words", expected="what is to be done")
        due = str(form.get("due", "")).strip()
        fields = {k: str(form.get(k, "")).strip() for k in ("kind", "owner", "success_metric")}
        self.session.note("action", text, id=ident or f"own-{uuid.uuid4().hex[:8]}", due=due, **fields)

    def on_drop(self, message: Message) -> None:
        """Drop an action."""
        self.session.note("action", "", id=str(message["arg"]), removed=True)

    def on_check(self, message: Message) -> None:
        """Set the state of a line of a checklist."""
        form = message["form"]
        self.session.note("check", "", list=str(form["list"]), line=str(form["line"]), state=str(message["value"]))
