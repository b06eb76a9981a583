"""The two live parts of every explorer: a panel of HTML and a plotly chart. Neither knows what it shows.

Both are anywidgets: JupyterLab, Notebook 7, VS Code and Voila show them without an extension to build. plotly.js comes from the
installed plotly package through the kernel, once per page, and never from the network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import anywidget
import traitlets
from ipywidgets import widget_serialization

from rca_kit.views.report.assets import plotly_source
from rca_kit.views.theme import light_to_dark
from rca_kit.views.widgets.style import asset, css

Message = Mapping[str, Any]


class Panel(anywidget.AnyWidget):
    """HTML that was escaped by who wrote it, with buttons and fields that send messages.

    A message is ``{"act", "arg", "value", "form"}``: what to do, on what, the field's value, and all fields of its form.
    """

    _esm = asset("theme.js") + asset("panel.js")
    _css = css()
    html = traitlets.Unicode("").tag(sync=True)

    def listen(self, act: Callable[[Message], None]) -> None:
        """Call a function with each message."""
        self.on_msg(lambda _widget, content, _buffers: act(content))


class Library(anywidget.AnyWidget):
    """The source of plotly.js, shared by all charts of a kernel."""

    _esm = "export default { render() {} };"
    source = traitlets.Unicode("").tag(sync=True)
    version = traitlets.Unicode("").tag(sync=True)


@lru_cache(maxsize=1)
def library() -> Library:
    """Give the kernel's one library."""
    import plotly

    return Library(source=plotly_source().decode("utf-8"), version=plotly.__version__)


class Chart(anywidget.AnyWidget):
    """A plotly figure as plain JSON, in light colours; the browser repaints it where the page is dark.

    Messages are ``{"act": "brush", "range": [x0, x1]}`` and ``{"act": "click", "id", "x", "y"}``.
    """

    _esm = asset("theme.js") + asset("chart.js")
    _css = css()
    figure = traitlets.Dict().tag(sync=True)
    label = traitlets.Unicode("chart").tag(sync=True)
    twins = traitlets.Dict().tag(sync=True)
    options = traitlets.Dict().tag(sync=True)
    library = traitlets.Instance(Library).tag(sync=True, **widget_serialization)

    def __init__(self, figure: dict[str, Any], label: str, **more: Any) -> None:
        super().__init__(figure=figure, label=label, twins=light_to_dark(), library=library(), **more)

    def listen(self, act: Callable[[Message], None]) -> None:
        """Call a function with each message."""
        self.on_msg(lambda _widget, content, _buffers: act(content))
