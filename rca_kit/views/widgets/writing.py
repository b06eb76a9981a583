"""The texts of the Settle explorer: 5 Whys, timeline and messages, each with its draft and a lint against blame."""

from __future__ import annotations

import uuid
from datetime import datetime

from markupsafe import Markup

from rca_kit.errors import BadInput
from rca_kit.findings.investigation import Investigation
from rca_kit.findings.settlement import Settlement
from rca_kit.loop.s7_settle.whys import check_whys
from rca_kit.views import words
from rca_kit.views.comms import STATES, find_blame, stakeholder_update, status_update
from rca_kit.views.report.draft import as_draft
from rca_kit.views.report.timeline import timeline
from rca_kit.views.widgets import parts
from rca_kit.views.widgets.base import Explorer, Message
from rca_kit.views.widgets.onset import parse

AUDIENCES = {"status page": status_update, "stakeholders": stakeholder_update}
WHYS = 5


class Writing(Explorer):
    """Editors of texts; a draft stays a draft until somebody keeps it."""

    state = "investigating"

    @property
    def investigation(self) -> Investigation:
        """All seven steps with every decision in them."""
        return self.session.latest()

    @property
    def settlement(self) -> Settlement:
        """Step 7 with every decision in it."""
        return self.investigation.settlement

    def whys(self) -> Markup:
        """Write the 5 Whys editor."""
        whys = list(self.settlement.whys)
        rows = []
        for i in range(max(WHYS, len(whys) + 1)):
            w = whys[i] if i < len(whys) else None
            rows.append(
                parts.tag(
                    "li",
                    parts.field("why", f"q{i}", w.question if w else "", key=f"q{i}", size=60),
                    parts.area("because", f"a{i}", w.answer if w else "", key=f"a{i}", rows="2"),
                    parts.field("evidence", f"e{i}", w.evidence if w else "", key=f"e{i}", size=60),
                )
            )
        said = [f"“{b.words}” {b.reason}; {b.instead}" for w in whys for b in find_blame(w.answer)]
        said += [f"Why {p.index + 1}: {p.says}" for p in check_whys(whys) if whys and not (p.code == "person" and said)]
        warning = parts.join(parts.note(words.sentence(t)) for t in said)
        buttons = parts.tag(
            "div",
            parts.button("Save the 5 Whys", "whys"),
            parts.button("Back to the draft", "draft_whys", disabled=self.session.decisions.whys is None),
            class_="row",
        )
        return parts.tag("section", parts.tag("h3", "5 Whys"), warning, parts.tag("form", parts.tag("ol", *rows), buttons))

    def moments(self) -> Markup:
        """Write the timeline and its editor."""
        journal = [e.to_dict() for e in self.session.journal.entries()]
        moments = timeline(as_draft(self.investigation), journal)
        rows = [
            [words.stamp(m.time) if m.time else "", m.kind, f"{m.letter + ': ' if m.letter else ''}{m.title}", m.detail]
            for m in moments
        ]
        own = [
            parts.tag(
                "form",
                parts.tag(
                    "div",
                    parts.field("time, UTC", "at", f"{m.at:%Y-%m-%d %H:%M}", key=f"at-{m.ident}", size=16),
                    parts.field("what happened", "text", m.text, key=f"moment-{m.ident}", size=44),
                    parts.button("Save", "moment", m.ident, data_key=f"moment-save-{m.ident}"),
                    parts.button("Remove", "forget", m.ident, data_key=f"moment-drop-{m.ident}"),
                    class_="row",
                ),
            )
            for m in sorted(self.session.decisions.moments.values(), key=lambda m: m.at)
        ]
        new = parts.tag(
            "form",
            parts.tag(
                "div",
                parts.field("time, UTC", "at", "", key="at-new", size=16, placeholder="2026-03-02 14:05"),
                parts.field("what happened", "text", "", key="moment-new", size=44),
                parts.button("Add to the timeline", "moment", ""),
                class_="row",
            ),
        )
        table = parts.table([("time", ""), ("", ""), ("what", "words"), ("detail", "words")], rows)
        return parts.tag(
            "section",
            parts.tag("h3", "Timeline"),
            *own,
            new,
            parts.tag("details", parts.tag("summary", f"the whole timeline ({len(rows)})"), table, data_key="timeline"),
        )

    def messages(self) -> Markup:
        """Write the drafts of updates."""
        said = self.session.decisions.messages
        now = datetime.now().astimezone()
        out = []
        for audience, draft in AUDIENCES.items():
            kept = audience in said
            text = said[audience].value if kept else draft(self.investigation, state=self.state, now=now)
            blame = find_blame(text)
            warning = parts.note(f"“{blame[0].words}” {blame[0].reason}; {blame[0].instead}.") if blame else ""
            out.append(
                parts.tag(
                    "form",
                    parts.area(f"{audience}{'' if kept else ' (draft)'}", "text", text, key=f"message-{audience}", rows="7"),
                    warning,
                    parts.tag(
                        "div",
                        parts.button("Keep this message", "message", audience),
                        parts.button("Back to the draft", "unmessage", audience, disabled=not kept),
                        class_="row",
                    ),
                )
            )
        chosen = parts.choice("drafts say", "state", [(s, s) for s in STATES], self.state, key="message-state", act="state")
        return parts.tag("section", parts.tag("h3", "Messages"), parts.tag("div", chosen, class_="row"), *out)

    def on_whys(self, message: Message) -> None:
        """Save the 5 Whys."""
        form = message["form"]
        count = sum(1 for k in form if k.startswith("q") and k[1:].isdigit())
        rows = [
            {"question": str(form[f"q{i}"]).strip(), "answer": str(form[f"a{i}"]).strip(), "evidence": str(form[f"e{i}"]).strip()}
            for i in range(count)
        ]
        self.session.note("whys", "5 Whys edited", whys=[r for r in rows if r["question"] or r["answer"]])

    def on_draft_whys(self, message: Message) -> None:
        """Go back to the drafted 5 Whys."""
        del message
        self.session.note("whys", "back to the draft", whys=None)

    def on_moment(self, message: Message) -> None:
        """Save or add an entry of the timeline."""
        form = message["form"]
        text = str(form.get("text", "")).strip()
        if not text:
            raise BadInput("an entry needs words", expected="what happened")
        at = parse(str(form.get("at", "")))
        self.session.note("timeline", text, id=str(message["arg"]) or uuid.uuid4().hex[:8], at=at.isoformat())

    def on_forget(self, message: Message) -> None:
        """Remove an entry of the timeline."""
        self.session.note("timeline", "", id=str(message["arg"]), at="2000-01-01T00:00:00Z", removed=True)

    def on_state(self, message: Message) -> None:
        """Choose what the drafts say about the incident's state."""
        self.state = str(message["value"]) if message["value"] in STATES else "investigating"

    def on_message(self, message: Message) -> None:
        """Keep a message."""
        self.session.note("message", str(message["form"].get("text", "")).strip(), audience=str(message["arg"]))

    def on_unmessage(self, message: Message) -> None:
        """Go back to the drafted message."""
        self.session.note("message", "", audience=str(message["arg"]))
