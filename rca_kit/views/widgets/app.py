"""All explorers of one case behind one row of buttons: what `rca_kit.explore` shows in a notebook and as an app."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from rca_kit.findings.base import Finding
from rca_kit.loop.session import Session
from rca_kit.views import words
from rca_kit.views.widgets import parts
from rca_kit.views.widgets.base import Explorer, Hub, page
from rca_kit.views.widgets.data import DataExplorer
from rca_kit.views.widgets.onset import OnsetExplorer
from rca_kit.views.widgets.replay import ReplayExplorer
from rca_kit.views.widgets.samples import SamplesExplorer
from rca_kit.views.widgets.scope import ScopeExplorer
from rca_kit.views.widgets.settle import SettleExplorer, Writer
from rca_kit.views.widgets.suspects import SuspectsBoard


class Explore:
    """The explorers of one case, in step with each other and with the case's journal.

    Each is an attribute of its own as well - ``.onset``, ``.scope``, ``.data``, ``.suspects``, ``.samples``, ``.replay``,
    ``.settle`` - to be shown in a cell of its own.

    Parameters
    ----------
    session : Session
    write : callable, optional
        Writes the report; see `SettleExplorer`.
    background : bool
        Take waiting steps in a thread; else before a click returns.
    """

    def __init__(self, session: Session, write: Writer | None = None, *, background: bool = True) -> None:
        self.session = session
        self.hub = Hub(session, background=background)
        self.onset = OnsetExplorer(session)
        self.scope = ScopeExplorer(session)
        self.data = DataExplorer(session)
        self.suspects = SuspectsBoard(session)
        self.samples = SamplesExplorer(session)
        self.replay = ReplayExplorer(session)
        self.settle = SettleExplorer(session, write)
        for explorer in self.explorers:
            self.hub.add(explorer)
        self.at = self.onset.key
        self.state = ""
        self._nav: Any = None
        self._box: Any = None
        self._stage: Any = None

    @property
    def explorers(self) -> tuple[Explorer, ...]:
        """All explorers in the order of the loop."""
        return (self.onset, self.scope, self.data, self.suspects, self.samples, self.replay, self.settle)

    @property
    def investigation(self) -> Finding:
        """All seven findings with every decision in them."""
        return self.session.investigation()

    def visible(self) -> Explorer:
        """Give the explorer that is looked at."""
        return next(e for e in self.explorers if e.key == self.at)

    def nav(self) -> Markup:
        """Write the title, the row of buttons, and what is being worked on."""
        case = self.session.prepared.case.case.incident
        tabs = [
            parts.button(e.title, "open", e.key, aria_pressed="true" if e.key == self.at else "false") for e in self.explorers
        ]
        title = parts.tag("h2", f"{case.id}: {case.title}")
        found = self.session.suspects
        line = parts.tag(
            "p", parts.tag("strong", words.verdict_title(found.verdict)), f" – {found.verdict_because}", class_="small"
        )
        bar = parts.tag("nav", parts.tag("ul", *(parts.tag("li", t) for t in tabs)), aria_label="steps")
        busy = parts.note(self.state) if self.state else ""
        return parts.join([title, line, bar, busy])

    def widget(self) -> Any:
        """Give the live form."""
        if self._box is None:
            from ipywidgets import VBox

            from rca_kit.views.widgets.live import Panel

            self._nav = Panel(html=str(self.nav()))
            self._nav.listen(self._open)
            self._stage = VBox([self.visible().widget()], layout={"width": "100%"})
            self._box = VBox([self._nav, self._stage], layout={"width": "100%"})
            self.hub.visible = self.visible
            self.hub.on_state = self._say
        return self._box

    def _open(self, message: Any) -> None:
        if message.get("act") == "open" and message.get("arg") in {e.key for e in self.explorers}:
            self.at = message["arg"]
            self._nav.html = str(self.nav())
            self._stage.children = (self.visible().widget(),)

    def _say(self, state: str) -> None:
        self.state = state
        if self._nav is not None:
            self._nav.html = str(self.nav())

    def _repr_html_(self) -> str:
        return page(parts.join([self.nav(), *(e.static() for e in self.explorers)]))

    def __repr__(self) -> str:
        return f"Explore: {self.session.folder.name}; `.onset`, `.scope`, `.data`, `.suspects`, `.samples`, `.replay`, `.settle`"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        live = {k: v for k, v in self.widget()._repr_mimebundle_().items() if "widget-view" in k}
        return {"text/plain": repr(self), "text/html": self._repr_html_(), **live}
