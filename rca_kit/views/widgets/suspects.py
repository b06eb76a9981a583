"""Suspects board: the fishbone, and a card for each hypothesis on which people confirm, exclude, test and add."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from rca_kit.case.decisions import suspect_key
from rca_kit.errors import BadInput
from rca_kit.findings.suspects import CATEGORIES, Evidence, Suspect
from rca_kit.views import words
from rca_kit.views.report.answer import moved, title_of
from rca_kit.views.svg import ishikawa
from rca_kit.views.widgets import parts
from rca_kit.views.widgets.base import Explorer, Message

WEIGHTS = (
    ("2", "strongly for"),
    ("1", "for"),
    ("0.5", "a little for"),
    ("-0.5", "a little against"),
    ("-1", "against"),
    ("-2", "strongly against"),
)  # log-odds, as the ledger's: 1 makes a suspect about four times as likely
MARKS = (("confirmed", "Confirm"), ("excluded", "Exclude"), ("to_test", "To test"))
NEUTRAL = 0.05  # log-odds that are shown as 0.0: neither for nor against
FIRST_SHOWN = 3  # cards that are open at once: a person reads three


class SuspectsBoard(Explorer):
    """Ranked hypotheses with evidence for and against, and what people say to them."""

    key, title = "suspects", "Why?"

    def head(self) -> Markup:
        """Say who leads."""
        found = self.session.suspects
        left = (
            f" With probability {words.chance(found.unexplained)} it is something that was not logged or measured."
            if found.items
            else ""
        )
        return parts.tag("p", words.told(found.says()) + left)

    def table(self) -> list[dict[str, Any]]:
        """Give one row per suspect, excluded ones last."""
        return self.session.suspects.rows()

    def picture(self) -> Markup:
        """Nothing: the fishbone stands in the body already."""
        return Markup("")

    def body(self) -> Markup:
        """Draw the fishbone and write the cards."""
        found = self.session.suspects
        if found.verdict == "no_change":
            return parts.tag("p", words.sentence(found.verdict_because), class_="mute")
        bones = parts.tag("div", ishikawa(found, moved(self.session.worked.symptom), "board"), class_="scroll")
        cards = [self._card(s, i < FIRST_SHOWN) for i, s in enumerate(found.items)]
        out = [self._excluded(s) for s in found.excluded]
        return parts.join(
            [
                bones,
                parts.tag("p", "● supported, ✕ excluded, ? not tested", class_="small mute"),
                *cards,
                parts.tag("h3", "Excluded by people") if out else "",
                *out,
                self._add(),
                self._categories(),
            ]
        )

    def _card(self, s: Suspect, opened: bool) -> Markup:
        ref = {"subject": s.subject, "change_id": s.change_id or ""}
        key = suspect_key(s.subject, s.change_id)
        mark = s.decision.mark if s.decision else ""
        badge = parts.tag("span", words.chance(s.probability), class_="badge")
        state = parts.tag("span", words.MARKS[mark], class_="badge good" if mark == "confirmed" else "badge warn") if mark else ""
        about = f"{s.category} · {s.subject}" + (f" · change {s.change_id}" if s.change_id else "")
        if s.added_by is not None:
            about += f" · added by {s.added_by or 'a person'}"
        said = (
            parts.tag(
                "p",
                f"{words.MARKS[mark]} by {s.decision.by or 'a person'}: {s.decision.reason or 'no reason given'}",
                class_="small",
            )
            if s.decision
            else ""
        )
        evidence = (
            parts.table(
                [("", ""), ("evidence", "words"), ("check", ""), ("weight", "num")],
                [
                    [
                        _side(e),
                        words.for_people(e.says),
                        e.check,
                        f"{e.weight:+.1f}",
                    ]
                    for e in sorted(s.evidence, key=lambda e: (not e.supports, -abs(e.weight)))
                ],
            )
            if s.evidence
            else parts.tag("p", "No evidence yet.", class_="mute")
        )
        marks = parts.tag(
            "form",
            parts.hidden(ref),
            parts.tag(
                "div",
                parts.field("reason", "reason", s.decision.reason if s.decision else "", key=f"reason-{key}", size=34),
                *(
                    parts.button(
                        label,
                        "mark",
                        value,
                        data_key=f"{value}-{key}",
                        aria_pressed="true" if mark == value else "false",
                        aria_label=f"{label}: {s.title or s.subject}",
                    )
                    for value, label in MARKS
                ),
                parts.button("Take back", "unmark", "", data_key=f"unmark-{key}", disabled=not mark),
                class_="row",
            ),
        )
        add = parts.tag(
            "form",
            parts.hidden(ref),
            parts.tag(
                "div",
                parts.field("own evidence", "says", "", key=f"says-{key}", size=34),
                parts.choice("speaks", "weight", WEIGHTS, "1", key=f"weight-{key}"),
                parts.button("Add evidence", "evidence", "", data_key=f"evidence-{key}"),
                class_="row",
            ),
        )
        details = parts.tag(
            "details",
            parts.tag("summary", f"evidence ({len(s.evidence)})"),
            evidence,
            parts.tag("p", parts.tag("strong", "Next test: "), s.next_test) if s.next_test else "",
            parts.tag("p", parts.tag("strong", "Refuted if: "), s.refuted_by) if s.refuted_by else "",
            add,
            data_key=f"more-{key}",
            open=opened,
        )
        title = parts.tag("h3", f"{s.rank}. {title_of(s)} ", badge, " ", state)
        return parts.tag(
            "article",
            title,
            parts.tag("p", about, class_="small mute"),
            said,
            marks,
            details,
            class_="card first" if s.rank == 1 else "card",
        )

    def _excluded(self, s: Suspect) -> Markup:
        ref = {"subject": s.subject, "change_id": s.change_id or ""}
        why = (s.decision.reason or "no reason given") if s.decision else ""
        by = f" ({s.decision.by})" if s.decision and s.decision.by else ""
        back = parts.tag(
            "form",
            parts.hidden(ref),
            parts.button(
                "Take back",
                "unmark",
                "",
                data_key=f"unmark-{suspect_key(s.subject, s.change_id)}",
                aria_label=f"Take back: {s.title or s.subject}",
            ),
        )
        change = f" · change {s.change_id}" if s.change_id else ""
        return parts.tag(
            "article",
            parts.tag("h4", title_of(s)),
            parts.tag("p", f"{s.category}{change} · {why}{by}", class_="small"),
            back,
            class_="card out",
        )

    def _add(self) -> Markup:
        changes = [("", "no logged change")] + [(c.id, f"{c.id}: {c.description[:60]}") for c in self.session.worked.changes]
        fields = [
            parts.field("what it is", "title", "", key="own-title", size=34),
            parts.choice("category", "category", [(c, c) for c in CATEGORIES], "infra", key="own-category"),
            parts.field("subject, such as component:gateway", "subject", "", key="own-subject", size=26),
            parts.choice("change", "change_id", changes, "", key="own-change"),
            parts.button("Add suspect", "suspect", ""),
        ]
        return parts.tag(
            "details",
            parts.tag("summary", "Add a suspect of your own"),
            parts.tag("form", parts.tag("div", *fields, class_="row")),
            data_key="own-suspect",
        )

    def _categories(self) -> Markup:
        rows = [[c.category, words.STATUS.get(c.status, c.status), c.because] for c in self.session.suspects.categories]
        return parts.tag(
            "details",
            parts.tag("summary", "Where each category stands"),
            parts.table([("category", ""), ("status", ""), ("because", "words")], rows),
            data_key="board-categories",
        )

    # --- messages ---

    def on_mark(self, message: Message) -> None:
        """Confirm, exclude, or put on the list of tests."""
        form, mark = message["form"], str(message["arg"])
        reason = str(form.get("reason", "")).strip()
        if mark == "excluded" and not reason:
            raise BadInput("give a reason first: somebody will ask why this was ruled out", expected="a few words under `reason`")
        self.session.note(mark, reason, **_ref(form))

    def on_unmark(self, message: Message) -> None:
        """Take a mark back."""
        self.session.note("unmarked", "", **_ref(message["form"]))

    def on_evidence(self, message: Message) -> None:
        """Add evidence of a person."""
        form = message["form"]
        says = str(form.get("says", "")).strip()
        if not says:
            raise BadInput("say what was seen", expected="a few words under `own evidence`")
        self.session.note("evidence", says, weight=float(form["weight"]), **_ref(form))

    def on_suspect(self, message: Message) -> None:
        """Add a suspect of a person."""
        form = message["form"]
        title, change = str(form.get("title", "")).strip(), str(form.get("change_id") or "") or None
        if not title:
            raise BadInput("say what it is", expected="a few words under `what it is`")
        subject = str(form.get("subject", "")).strip() or (f"change:{change}" if change else f"other:{title[:40]}")
        self.session.note("suspect", title, category=str(form["category"]), subject=subject, change_id=change)


def _side(e: Evidence) -> Markup:
    if abs(e.weight) < NEUTRAL:
        return parts.tag("span", "neutral", class_="mute nowrap")
    return parts.tag("span", "for" if e.supports else "against", class_=f"{'good' if e.supports else 'bad'} nowrap")


def _ref(form: Any) -> dict[str, str | None]:
    return {"subject": str(form.get("subject", "")), "change_id": str(form.get("change_id") or "") or None}
