"""A tabletop drill while it runs: the clock, the injects that are due, what was decided, points, actions; and its debrief.

Everything goes into an append-only file, so that a kernel that dies at minute 20 costs nothing: make the session again and go on.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from rca_kit.case.journal import Journal, JournalEntry
from rca_kit.errors import BadInput, did_you_mean
from rca_kit.findings.investigation import Investigation
from rca_kit.loop.s7_settle.wording import find_blame
from rca_kit.views.documents.page import Grid, Page, Part, Points, Words
from rca_kit.views.documents.tabletop import ROLES, SCORE, Inject, injects, what_it_was

FOLDER = "tabletop"
STEPS = tuple(s for s, _ in SCORE)
ROLE_NAMES = tuple(r for r, _ in ROLES)
SHORT_ROLES = {
    "IC": "incident commander",
    "Ops": "operations",
    "ML": "ML owner",
    "ML owner": "ML owner",
    "Comms": "communications",
}


class TabletopSession:
    """One drill, for the facilitator's notebook.

    `.begin()` starts the clock, `.due()` gives the injects up to now, `.decide(role, text)` notes a decision, `.point(step)`
    gives a point, `.action(text, owner, due)` notes what changes afterwards, `.debrief()` writes it up.

    Parameters
    ----------
    case : path
        The case folder; what is noted goes to ``<case>/tabletop/journal.jsonl``.
    inv : Investigation
        The case behind the drill.
    minutes : {30, 45, 60}
        Its length.
    clock : callable, optional
        Gives the time, UTC; for tests.
    """

    def __init__(
        self, case: str | Path, inv: Investigation, minutes: int = 60, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.inv, self.minutes, self._clock = inv, minutes, clock
        self.injects = injects(inv, minutes)
        folder = Path(case) / FOLDER
        self._journal = Journal(folder)

    def __repr__(self) -> str:
        at = self.minute
        state = f"minute {at:.0f} of {self.minutes}" if at is not None else "not begun; .begin() starts the clock"
        return f"TabletopSession: {self.inv.case.service or self.inv.case.case_id}, {state}"

    def entries(self) -> tuple[JournalEntry, ...]:
        """What was noted since the last beginning."""
        listed = self._journal.entries()
        begins = [i for i, e in enumerate(listed) if e.kind == "tabletop" and e.text == "begun"]
        return listed[begins[-1] :] if begins else ()

    def begin(self) -> str:
        """Start the clock; a second beginning starts another drill and leaves the first one in the file."""
        self._journal.path.parent.mkdir(parents=True, exist_ok=True)  # an unattended run leaves no folder behind
        self._journal.add("tabletop", "begun", data={"minutes": self.minutes}, time=self._clock())
        return f"begun; read inject 1 now, the debrief starts at minute {self.minutes - 10}"

    @property
    def minute(self) -> float | None:
        """Minutes since the beginning; None before it."""
        entries = self.entries()
        return (self._clock() - entries[0].time).total_seconds() / 60 if entries else None

    def due(self) -> tuple[Inject, ...]:
        """Give the injects whose minute has come."""
        at = self.minute
        return tuple(i for i in self.injects if at is not None and i.minute <= at)

    def decide(self, role: str, text: str, minute: float | None = None) -> JournalEntry:
        """Note what somebody decided, in their words.

        Raises
        ------
        BadInput
            For an unknown role, an empty text, or before the beginning.
        """
        name = SHORT_ROLES.get(role, role)
        if name not in ROLE_NAMES:
            raise BadInput(
                "there is no such role",
                found=role,
                expected=", ".join((*ROLE_NAMES, *SHORT_ROLES)),
                hint=did_you_mean(role, ROLE_NAMES),
            )
        if not text.strip():
            raise BadInput("a decision needs words")
        return self._note("decision", text, {"role": name}, minute)

    def point(self, step: str, note: str = "") -> JournalEntry:
        """Give the team the point of a step."""
        known = {s.lower(): s for s in STEPS}
        if step.lower() not in known:
            raise BadInput("there is no such step", found=step, expected=", ".join(STEPS), hint=did_you_mean(step, STEPS))
        return self._note("point", note, {"step": known[step.lower()]}, None)

    def action(self, text: str, owner: str, due: str) -> JournalEntry:
        """Note what is changed after the drill; who does it, by when."""
        if not text.strip() or not owner.strip():
            raise BadInput("an action needs words and an owner")
        try:
            date.fromisoformat(due)
        except ValueError:
            raise BadInput("is no date", found=due, expected="such as 2026-05-15") from None
        return self._note("action", text, {"owner": owner, "due": due}, None)

    def _note(self, kind: str, text: str, data: dict[str, Any], minute: float | None) -> JournalEntry:
        at = self.minute
        if at is None:
            raise BadInput("the drill has not begun", hint="session.begin()")
        shown = self.due()
        return self._journal.add(
            kind,
            text,
            data={**data, "minute": round(at if minute is None else minute, 1), "inject": shown[-1].id if shown else ""},
            time=self._clock(),
        )

    def debrief(self) -> Page:
        """Write the debrief: points, decisions beside the injects, who was silent, actions, and what it was."""
        entries = self.entries()
        decisions = [e for e in entries if e.kind == "decision"]
        points = {str(e.data["step"]): e.text for e in entries if e.kind == "point"}
        actions = [e for e in entries if e.kind == "action"]
        rows = tuple((f"{e.data['minute']:.0f}", str(e.data["role"]), e.text, str(e.data["inject"])) for e in decisions)
        first = f"The first decision came at minute {decisions[0].data['minute']:.0f}." if decisions else "No decision was noted."
        silent = [r for r in ROLE_NAMES[:-1] if r not in {e.data["role"] for e in decisions}]
        answered = {e.data["inject"] for e in decisions}
        open_injects = [f"{i.id} (minute {i.minute})" for i in self.due() if i.id not in answered]
        blame = [(b.words, b.instead, e.text) for e in (*decisions, *actions) for b in find_blame(e.text)]
        figures = [f"{len(points)} of {len(STEPS)} points. {first}"]
        if silent:
            figures.append(f"Without a noted decision: {', '.join(silent)}.")
        if open_injects and decisions:
            figures.append(f"Injects that no decision followed: {', '.join(open_injects)}.")
        parts = [
            Part("Outcome", tuple(Words(f) for f in figures)),
            Part(
                "Points",
                (
                    Grid(
                        ("step", "the team ...", "point", "note"),
                        tuple((s, told, "1" if s in points else "", points.get(s, "")) for s, told in SCORE),
                        "Points",
                    ),
                ),
            ),
            Part("Decisions", (Grid(("minute", "role", "decision", "after inject"), rows, "Decisions"),)),
            Part("What to listen for was", (Points(tuple(f"{i.id}: {i.listen_for}" for i in self.injects)),)),
            Part(
                "Actions",
                (
                    Grid(
                        ("action", "owner", "due"),
                        tuple((e.text, str(e.data["owner"]), str(e.data["due"])) for e in actions),
                        "Actions",
                    ),
                ),
            ),
            Part("What it was", (Points(tuple(what_it_was(self.inv))),)),
        ]
        if blame:
            parts.append(Part("Wording", (Grid(("wording", "instead", "where"), tuple(blame), "Wording"),)))
        return Page(
            f"Debrief of the tabletop drill: {self.inv.case.service or self.inv.case.case_id}",
            f"{self.minutes} minutes, {_many(len(decisions), 'decision')}, {_many(len(actions), 'action')}.",
            tuple(parts),
        )


def _many(n: int, what: str) -> str:
    return f"{n} {what}" + ("" if n == 1 else "s")


def panel(session: TabletopSession) -> Any:
    """Give the facilitator's panel: begin, the injects that are due, a line to note a decision; thin over the methods above."""
    import html

    import ipywidgets as w

    told, said = w.HTML(), w.HTML()
    role = w.Dropdown(options=ROLE_NAMES[:-1], description="role")
    text = w.Text(
        placeholder="what was decided, in their words", continuous_update=False, layout=w.Layout(width="min(40em, 90%)")
    )
    begin = w.Button(description="Begin", tooltip="starts the clock")
    look = w.Button(description="What is due?", tooltip="shows the injects up to now")
    note = w.Button(description="Note decision", button_style="primary")

    def show(_: Any = None) -> None:
        at = session.minute
        rows = "".join(
            f"<li><b>{i.minute}</b> to {html.escape(i.role)}: {html.escape(i.news)} <i>{html.escape(i.ask)}</i></li>"
            for i in session.due()
        )
        told.value = f"<p>{html.escape(repr(session))}</p><ul>{rows}</ul>" if at is not None else html.escape(repr(session))

    def start(_: Any) -> None:
        said.value = html.escape(session.begin())
        show()

    def write(_: Any) -> None:
        try:
            entry = session.decide(role.value, text.value)
            said.value = html.escape(f"noted at minute {entry.data['minute']}: {entry.text}")
            text.value = ""
        except BadInput as problem:
            said.value = html.escape(str(problem))
        show()

    begin.on_click(start)
    look.on_click(show)
    note.on_click(write)
    show()
    box = w.VBox([w.HBox([begin, look]), told, w.HBox([role, text, note]), said])
    box.role, box.text, box.begin, box.note, box.said, box.told = role, text, begin, note, said, told
    return box
