"""Colours and type, once for pictures and pages, in light and dark.

Every ink on every ground it is used on has a contrast of at least 4.5 to 1 (WCAG 2.2 AA), lines at least 3 to 1; a test
computes it. Colour never carries a meaning alone: a word or a shape stands beside it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True)
class Palette:
    """The colours of one mode, as hex."""

    ground: str
    panel: str
    ink: str
    muted: str
    line: str
    accent: str
    bad: str
    good: str
    warn: str
    bad_soft: str
    good_soft: str
    warn_soft: str
    accent_soft: str
    second: str

    def css(self) -> str:
        """Give the colours as CSS custom properties.

        Examples
        --------
        >>> LIGHT.css()[:18]
        '--ground:#ffffff;-'
        """
        return "".join(f"--{f.name.replace('_', '-')}:{getattr(self, f.name)};" for f in fields(self))


LIGHT = Palette(
    ground="#ffffff",
    panel="#f5f7f9",
    ink="#1b2127",
    muted="#535e69",
    line="#848f9a",
    accent="#0a58a8",
    bad="#b1241c",
    good="#1a6e35",
    warn="#7d4e00",
    bad_soft="#fdecea",
    good_soft="#e8f5ec",
    warn_soft="#fdf3dc",
    accent_soft="#e5f0fb",
    second="#6b4fa0",
)
DARK = Palette(
    ground="#10161c",
    panel="#18212a",
    ink="#e7edf3",
    muted="#a3afbb",
    line="#6f7d8a",
    accent="#74b9ff",
    bad="#ff9188",
    good="#77d592",
    warn="#e8bb4d",
    bad_soft="#3a1d1d",
    good_soft="#16301f",
    warn_soft="#352a10",
    accent_soft="#132b44",
    second="#c3adf0",
)

FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", Arial, sans-serif'
MONO = 'ui-monospace, "SFMono-Regular", Menlo, Consolas, "Liberation Mono", monospace'


def light_to_dark() -> dict[str, str]:
    """Map each light colour to its dark twin: the page repaints its figures with it.

    Examples
    --------
    >>> light_to_dark()["#ffffff"]
    '#10161c'
    """
    return {getattr(LIGHT, f.name): getattr(DARK, f.name) for f in fields(Palette)}


def plotly_layout(title: str = "", height: int = 360) -> dict[str, Any]:
    """Give the layout all figures share, as plain JSON (light colours).

    Parameters
    ----------
    title : str
        Shown above the figure; markup in it is not interpreted.
    height : int
        Pixels.

    Examples
    --------
    >>> plotly_layout("auc")["title"]["text"]
    'auc'
    """
    axis = {
        "gridcolor": LIGHT.panel,
        "linecolor": LIGHT.line,
        "zerolinecolor": LIGHT.line,
        "ticks": "outside",
        "tickcolor": LIGHT.line,
        "automargin": True,
    }
    return {
        "title": {"text": title, "x": 0, "xanchor": "left", "xref": "paper", "font": {"size": 15}},
        "font": {"family": FONT, "size": 13, "color": LIGHT.ink},
        "paper_bgcolor": LIGHT.ground,
        "plot_bgcolor": LIGHT.ground,
        "height": height,
        "margin": {"l": 60, "r": 20, "t": 48, "b": 48},
        "hovermode": "closest",
        "showlegend": False,
        "hoverlabel": {"bgcolor": LIGHT.panel, "font": {"color": LIGHT.ink}, "bordercolor": LIGHT.line},
        "xaxis": dict(axis),
        "yaxis": dict(axis),
    }
