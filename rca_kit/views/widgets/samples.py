"""Samples explorer: one bad row beside its healthy twin at a time; the differing fields first; tags stay on the rows."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from rca_kit.findings.samples import SamplePair, Samples
from rca_kit.loop.session import Session
from rca_kit.views import words
from rca_kit.views.widgets import parts
from rca_kit.views.widgets.base import Explorer, Message

TAGS = ("", "typical", "another cause", "label wrong", "ask the owner")


class SamplesExplorer(Explorer):
    """Bad beside twin; next and previous by button, arrow keys or n and p. Values are redacted before they come here."""

    key, title = "samples", "What does it look like?"

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.at = 0
        self.all_fields = False

    @property
    def samples(self) -> Samples:
        """Step 5 with the tags of people."""
        return self.session.latest().samples

    def table(self) -> list[dict[str, Any]]:
        """Give two rows per pair."""
        return self.samples.rows()

    def head(self) -> Markup:
        """Say what was pulled, and the rules that tell bad from good."""
        found = self.samples
        masked = f" Masked: {', '.join(found.masked_columns)}." if found.masked_columns else ""
        rules = [[r.text, words.percent(r.coverage), words.percent(r.precision)] for r in found.rules]
        table = (
            parts.table(
                [("rule", "words"), ("of the bad rows", "num"), ("right when it says bad", "num")],
                rows=rules,
                caption="Rules that separate bad from good",
            )
            if rules
            else ""
        )
        return parts.join([parts.tag("p", words.told(found.says()) + masked), table])

    def body(self) -> Markup:
        """Write the pair that is looked at."""
        found = self.samples
        if not found.pairs:
            return Markup("")
        self.at = min(max(self.at, 0), len(found.pairs) - 1)
        pair = found.pairs[self.at]
        last = len(found.pairs) - 1
        steps = parts.tag(
            "div",
            parts.button(
                "← previous",
                "step",
                "-1",
                data_step="previous",
                data_key="previous",
                disabled=self.at == 0,
                aria_keyshortcuts="ArrowLeft p",
            ),
            parts.tag("strong", f"Pair {self.at + 1} of {last + 1}", aria_live="polite"),
            parts.button(
                "next →",
                "step",
                "1",
                data_step="next",
                data_key="next",
                disabled=self.at == last,
                aria_keyshortcuts="ArrowRight n",
            ),
            parts.button("Only differing fields" if self.all_fields else "All fields", "fields"),
            class_="row mid",
        )
        tags = list(dict.fromkeys([*TAGS, pair.tag]))
        tag = parts.tag(
            "form",
            parts.tag(
                "div",
                parts.choice(
                    "tag", "tag", [(t, t or "none") for t in tags], pair.tag, key=f"tag-{pair.key}", act="tag", arg=pair.key
                ),
                parts.field("or in your words", "words", "", key=f"words-{pair.key}", size=24),
                parts.button("Tag it", "own", pair.key),
                class_="row",
            ),
        )
        why = parts.tag("p", f"Bad because {pair.why_bad}.", class_="small") if pair.why_bad else ""
        return parts.tag(
            "section",
            steps,
            why,
            self._pair(pair, found.columns),
            tag,
            tabindex="0",
            data_key="pair",
            aria_label="bad row and its twin; arrow keys go on",
        )

    def _pair(self, pair: SamplePair, columns: tuple[str, ...]) -> Markup:
        shown = [c for c in columns if c in pair.differing] + (
            [c for c in columns if c not in pair.differing] if self.all_fields else []
        )
        shown = shown or list(columns)
        rows = [
            [c, _cell(pair.bad.get(c), c in pair.differing), _cell(pair.twin.get(c), False) if pair.twin is not None else "–"]
            for c in shown
        ]
        caption = "Marked fields differ" + ("" if pair.twin is not None else "; no healthy twin was found")
        return parts.table([("field", ""), ("bad row", "words"), ("healthy twin", "words")], rows, caption)

    def static(self) -> Markup:
        """Write all pairs, one under the other."""
        found = self.samples
        pairs = [
            parts.join([parts.tag("h3", f"Pair {i}{f': {p.tag}' if p.tag else ''}"), self._pair(p, found.columns)])
            for i, p in enumerate(found.pairs, 1)
        ]
        return parts.join([self.show_head(), *pairs])

    def on_step(self, message: Message) -> None:
        """Go on or back."""
        self.at += 1 if message["arg"] == "1" else -1

    def on_fields(self, message: Message) -> None:
        """Show all fields, or those that differ."""
        del message
        self.all_fields = not self.all_fields

    def on_tag(self, message: Message) -> None:
        """Tag the bad row."""
        self.session.note("tag", "", row=str(message["arg"]), tag=str(message["value"]))

    def on_own(self, message: Message) -> None:
        """Tag the bad row in one's own words."""
        self.session.note("tag", "", row=str(message["arg"]), tag=str(message["form"].get("words", "")).strip())


def _cell(value: str | None, differs: bool) -> Markup:
    shown = parts.tag("em", "missing", class_="mute") if value is None else parts.text(value)
    return parts.tag("mark", shown) if differs else shown
