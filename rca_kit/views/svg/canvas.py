"""A thin writer of SVG text: everything that is not a number is escaped here, and nowhere else."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from html import escape

from markupsafe import Markup

from rca_kit.views.escape import visible

CHARACTER_WIDTH = 0.56  # mean width of a character in units of the font size, for system sans-serif faces; on the safe side


class Canvas:
    """Collects shapes; `render` gives one ``<svg>`` element with title and description for screen readers.

    Examples
    --------
    >>> c = Canvas(10, 10, "t", "a < b", "x")
    >>> c.line(0, 0, 1, 1, "axis")
    >>> "a &lt; b" in c.render()
    True
    """

    def __init__(self, width: float, height: float, title: str, description: str, ident: str) -> None:
        self.width, self.height, self.title, self.description, self.ident = width, height, title, description, ident
        self._parts: list[str] = []

    def line(self, x1: float, y1: float, x2: float, y2: float, css: str) -> None:
        """Add a straight line."""
        self._parts.append(f'<line x1="{_n(x1)}" y1="{_n(y1)}" x2="{_n(x2)}" y2="{_n(y2)}" class="{css}"/>')

    def rect(self, x: float, y: float, width: float, height: float, css: str, radius: float = 0) -> None:
        """Add a box."""
        self._parts.append(
            f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(max(width, 0))}" height="{_n(max(height, 0))}" '
            f'rx="{_n(radius)}" class="{css}"/>'
        )

    def circle(self, x: float, y: float, radius: float, css: str) -> None:
        """Add a dot."""
        self._parts.append(f'<circle cx="{_n(x)}" cy="{_n(y)}" r="{_n(radius)}" class="{css}"/>')

    def path(self, points: Sequence[tuple[float, float] | None], css: str) -> None:
        """Add a line through points; None breaks it. A point alone between two breaks becomes a dot."""
        strokes: list[list[tuple[float, float]]] = [[]]
        for point in points:
            if point is None:
                strokes.append([])
            else:
                strokes[-1].append(point)
        d = "".join("M" + "L".join(f"{_n(x)} {_n(y)}" for x, y in s) for s in strokes if len(s) > 1)
        if d:
            self._parts.append(f'<path d="{d}" class="{css}"/>')
        for stroke in strokes:
            if len(stroke) == 1:
                self.circle(*stroke[0], 1.5, f"{css}-dot")

    def area(self, upper: Sequence[tuple[float, float]], lower: Sequence[tuple[float, float]], css: str) -> None:
        """Add the filled band between two lines."""
        points = [*upper, *reversed(lower)]
        if len(upper) > 1:
            d = "M" + "L".join(f"{_n(x)} {_n(y)}" for x, y in points) + "Z"
            self._parts.append(f'<path d="{d}" class="{css}"/>')

    def text(self, x: float, y: float, words: str, css: str = "t", anchor: str = "start") -> None:
        """Add one line of text; `anchor` is start, middle or end."""
        place = "" if anchor == "start" else f' text-anchor="{anchor}"'
        self._parts.append(f'<text x="{_n(x)}" y="{_n(y)}" class="{css}"{place}>{escape(visible(words))}</text>')

    def render(self) -> Markup:
        """Give the finished element."""
        ident = escape(self.ident)
        return Markup(  # noqa: S704 - every text went through escape() above
            f'<svg viewBox="0 0 {_n(self.width)} {_n(self.height)}" role="img" aria-labelledby="{ident}-t {ident}-d" '
            f'class="pic" xmlns="http://www.w3.org/2000/svg"><title id="{ident}-t">{escape(visible(self.title))}</title>'
            f'<desc id="{ident}-d">{escape(visible(self.description))}</desc>{"".join(self._parts)}</svg>'
        )


def _n(number: float) -> str:
    return f"{number:.1f}".rstrip("0").rstrip(".") if math.isfinite(number) else "0"


def fit(words: str, width: float, size: float = 13) -> str:
    """Cut a text to what fits in a width.

    Parameters
    ----------
    words : str
        Any text; line breaks become spaces.
    width, size : float
        Room and font size, both in the picture's units.

    Examples
    --------
    >>> fit("a long label", 50)
    'a lon…'
    """
    flat = " ".join(str(words).split())
    room = max(1, int(width / (size * CHARACTER_WIDTH)))
    return flat if len(flat) <= room else flat[: max(1, room - 1)] + "…"


def wrap(words: str, width: float, size: float = 13, lines: int = 3) -> list[str]:
    """Break a text into at most `lines` lines that fit a width; the last one is cut if need be.

    Examples
    --------
    >>> wrap("one two three", 60)
    ['one two', 'three']
    """
    room = max(4, int(width / (size * CHARACTER_WIDTH)))
    out: list[str] = []
    rest = " ".join(str(words).split())
    while rest and len(out) < lines - 1 and len(rest) > room:
        cut = rest.rfind(" ", 0, room + 1)
        cut = cut if cut > 0 else room
        out.append(rest[:cut])
        rest = rest[cut:].strip()
    return [*out, fit(rest, width, size)] if rest else out


def nice_ticks(low: float, high: float, target: int = 5) -> list[float]:
    """Give round numbers that cover a range, about `target` of them.

    Examples
    --------
    >>> nice_ticks(0.77, 0.88)
    [0.78, 0.8, 0.82, 0.84, 0.86, 0.88]
    """
    if not (math.isfinite(low) and math.isfinite(high)) or high <= low:
        return [low]
    raw = (high - low) / target
    power = 10.0 ** math.floor(math.log10(raw))
    step = next((m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw * 0.8), 10 * power)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{k * step:.12g}") for k in range(first, last + 1)]


_STEPS = (60, 300, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 1209600, 2592000)


def time_ticks(start: datetime, end: datetime, target: int = 7) -> list[tuple[datetime, str]]:
    """Give round times in a stretch with their labels: dates at midnight, hours between.

    Examples
    --------
    >>> [label for _, label in time_ticks(datetime(2026, 3, 1, 20, tzinfo=UTC), datetime(2026, 3, 2, 4, tzinfo=UTC), 4)]
    ['Mar 1, 20:00', '22:00', 'Mar 2', '02:00', '04:00']
    """
    seconds = max((end - start).total_seconds(), 1)
    step = next((s for s in _STEPS if seconds / s <= target), _STEPS[-1] * math.ceil(seconds / _STEPS[-1] / target))
    first = math.ceil(start.timestamp() / step) * step
    out: list[tuple[datetime, str]] = []
    at = datetime.fromtimestamp(first, UTC)
    while at <= end and len(out) < 40:
        midnight = at.hour == at.minute == 0
        day = f"{at:%b} {at.day}"
        label = day if midnight else f"{at:%H:%M}"
        out.append((at, label if out or midnight else f"{day}, {label}"))
        at += timedelta(seconds=step)
    return out


def finite(values: Iterable[float | None]) -> list[float]:
    """Keep what is a finite number.

    Examples
    --------
    >>> finite([1.0, None, float("nan")])
    [1.0]
    """
    return [v for v in values if v is not None and math.isfinite(v)]
