"""What all explorers share: they write HTML and a figure from the session, and take messages; the rest is here.

An explorer is alive where a kernel and a browser are, and a picture elsewhere: its rich display carries both.
"""

from __future__ import annotations

import contextlib
import contextvars
import threading
from collections.abc import Callable, Mapping
from typing import Any

from markupsafe import Markup

from rca_kit.errors import RcaKitError
from rca_kit.findings.base import plain
from rca_kit.loop.session import Session
from rca_kit.views.widgets import parts
from rca_kit.views.widgets.style import css

Message = Mapping[str, Any]
Figure = dict[str, Any]


class Explorer:
    """One explorer of a session.

    Subclasses write `head` (above the figure), `figure` and `body` (below), all from the session and their own few choices, and
    a method ``on_<act>(message)`` for each message they send.
    """

    key = ""
    title = ""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.said: Markup | None = None
        self.hub: Hub | None = None
        self._widget: Any = None
        self._parts: tuple[Any, ...] = ()
        self._stale = False
        self.alone = False  # shown in a cell of its own, and so always looked at

    # --- what a subclass writes ---

    def head(self) -> Markup:
        """Write what stands above the figure."""
        return Markup("")

    def figure(self) -> Figure | None:
        """Give the figure as plotly's JSON; None when there is nothing to draw."""
        return None

    def body(self) -> Markup:
        """Write what stands below the figure."""
        return Markup("")

    def picture(self) -> Markup:
        """Draw the figure as SVG, for where plotly cannot run."""
        return Markup("")

    def label(self) -> str:
        """Say what the figure shows, for those who cannot see it."""
        return self.title

    def table(self) -> list[dict[str, Any]]:
        """Give the table behind what is shown."""
        return []

    # --- messages ---

    def act(self, message: Message) -> None:
        """Do what a message says; what goes wrong is told in the panel, and nothing is lost."""
        self.said = None
        handler: Callable[[Message], None] | None = getattr(self, f"on_{message.get('act', '')}", None)
        if handler is None:
            return
        try:
            handler(message)
        except RcaKitError as problem:
            self.said = parts.note(str(problem), "fail")
        except Exception as problem:  # a click must never end in a traceback nobody sees
            self.said = parts.note(f"That did not work: {type(problem).__name__}: {problem}", "fail")
        if self.hub is not None:
            self.hub.changed(self)
        else:
            self.session.investigation()
            self.refresh()

    # --- showing ---

    def show_head(self) -> Markup:
        """Give the head with what was last said."""
        return parts.join([parts.tag("h2", self.title), self.said or "", self.head()])

    def refresh(self) -> None:
        """Draw again, where it is on a screen."""
        if self._widget is None:
            return
        head, chart, body = self._parts
        head.html, body.html = str(self.show_head()), str(self.body())
        figure = self.figure()
        chart.layout.display = "none" if figure is None else ""
        if figure is not None:
            chart.label = self.label()
            chart.figure = plain(figure)
        self._stale = False

    def widget(self) -> Any:
        """Give the live form, made when it is first asked for."""
        if self._widget is None:
            from ipywidgets import VBox

            from rca_kit.views.widgets.live import Chart, Panel

            figure = self.figure()
            parts_ = (Panel(html=str(self.show_head())), Chart(plain(figure or {}), self.label()), Panel(html=str(self.body())))
            parts_[1].layout.display = "none" if figure is None else ""
            for part in parts_:
                part.listen(self.act)
            self._parts = parts_
            self._widget = VBox(list(parts_), layout={"width": "100%", "overflow": "visible"})
        elif self._stale:
            self.refresh()
        return self._widget

    def stale(self) -> None:
        """Note that what is shown is out of date; it is drawn again when it is looked at."""
        self._stale = True

    def static(self) -> Markup:
        """Give the picture: the same panels without what needs a kernel, and the figure as SVG."""
        return parts.join([self.show_head(), self.picture(), self.body()])

    def _repr_html_(self) -> str:
        return page(self.static())

    def __repr__(self) -> str:
        return f"{type(self).__name__}: {self.title}, {len(self.table())} rows; `.table()` for the numbers"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        self.alone = True
        out = {"text/plain": repr(self), "text/html": self._repr_html_()}
        with contextlib.suppress(ImportError):
            out |= {k: v for k, v in self.widget()._repr_mimebundle_().items() if "widget-view" in k}
        return out


def page(inside: Markup) -> str:
    """Put static panels into a box with its style, which hides the buttons and fields that nothing would answer."""
    style = Markup("<style>{}</style>").format(Markup(css()))  # noqa: S704 - our own file
    return str(style + Markup('<div class="rk rk-still mathjax_ignore tex2jax_ignore">{}</div>').format(inside))


class Hub:
    """Keeps several explorers of one session in step, and takes waiting steps again while the person looks.

    Parameters
    ----------
    session : Session
    background : bool
        Take waiting steps in a thread of their own; else at once, which tests want.
    """

    def __init__(self, session: Session, *, background: bool = True) -> None:
        self.session = session
        self.background = background
        self.explorers: list[Explorer] = []
        self.visible: Callable[[], Explorer | None] = lambda: None
        self.on_state: Callable[[str], None] = lambda _: None
        self._running = threading.Lock()

    def add(self, explorer: Explorer) -> Explorer:
        """Take an explorer in."""
        explorer.hub = self
        self.explorers.append(explorer)
        return explorer

    def changed(self, by: Explorer) -> None:
        """Draw what is looked at again, mark the rest, and begin to take waiting steps."""
        by.refresh()
        self._spread(by)
        if not self.session.behind:
            self.on_state("")
            return
        if not self.background:
            self._catch_up()
            return
        context = contextvars.copy_context()  # so that messages of the thread find their way to the page
        threading.Thread(target=lambda: context.run(self._catch_up), daemon=True, name="rca-kit-catch-up").start()

    def _spread(self, by: Explorer | None) -> None:
        seen = self.visible()
        for other in self.explorers:
            if other is not by:
                other.stale()
                if other is seen or other.alone:
                    other.refresh()

    def _catch_up(self) -> None:
        if not self._running.acquire(blocking=False):
            return  # the thread that runs sees what came meanwhile
        try:
            while self.session.behind:
                self.on_state("weighing again with what you changed")
                try:
                    self.session.investigation(lambda step: self.on_state(f"weighing again with what you changed: {step}"))
                except Exception as problem:
                    self.on_state(f"could not be weighed again: {problem}")
                    return
                self._spread(None)
            self.on_state("")
        finally:
            self._running.release()
        self._if_behind()

    def _if_behind(self) -> None:
        """Begin again with what was decided between the last look and the release."""
        if self.session.behind:
            self._catch_up()
