"""A metric over time: value with its band, what was expected, the onset interval, changes and the alert."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup

from rca_kit.findings.symptom import MetricSeries
from rca_kit.views import words
from rca_kit.views.svg.canvas import Canvas, finite, fit, nice_ticks, time_ticks

WIDTH, HEIGHT = 860.0, 300.0
LEFT, RIGHT, TOP, BOTTOM = 64.0, 16.0, 34.0, 34.0
MOST_POINTS = 420  # about one per two pixels: more cannot be seen and only makes the file larger


@dataclass(frozen=True)
class Marks:
    """What is drawn over a metric; `changes` are (letter, time) and the letters are explained in the text beside it."""

    onset: datetime | None = None
    onset_interval: tuple[datetime, datetime] | None = None
    detected_at: datetime | None = None
    changes: tuple[tuple[str, datetime], ...] = ()
    slo: dict[str, float] | None = None


def metric_chart(series: MetricSeries, marks: Marks, ident: str, description: str = "") -> Markup:
    """Draw one metric.

    Parameters
    ----------
    series : MetricSeries
        Times UTC, one value per bucket, None where nothing was measured.
    marks : Marks
        Onset, changes, alert and SLO.
    ident : str
        Unique in the page.
    description : str
        What the picture says, for those who cannot see it.

    Examples
    --------
    >>> from rca_kit.views.example import example
    >>> str(metric_chart(example().symptom.series[0], Marks(), "c1"))[:4]
    '<svg'
    """
    title = f"{words.series_title(series)} over time"
    canvas = Canvas(WIDTH, HEIGHT, title, description or title, ident)
    if len(series.times) < 2 or not finite(series.values):
        canvas.text(WIDTH / 2, HEIGHT / 2, "nothing was measured", "t mute", "middle")
        return canvas.render()
    scale = Scale(series, marks)
    _axes(canvas, scale, series.metric)
    _windows(canvas, scale, marks)
    _curves(canvas, scale, series)
    _markers(canvas, scale, marks, series.metric)
    return canvas.render()


class Scale:
    """Where values and times of a metric lie in the picture; `low` and `high` are the ends of its axis."""

    def __init__(self, series: MetricSeries, marks: Marks) -> None:
        self.start, self.end = series.times[0], series.times[-1]
        shown = finite(series.values)
        low, high = min(shown), max(shown)
        reach = (high - low) or abs(high) or 1.0
        # bands and SLOs widen the axis, but not so far that the curve becomes a line
        extra = finite([*series.lower, *series.upper, *series.expected, *(marks.slo or {}).values()])
        low = max(min([low, *extra]), low - reach)
        high = min(max([high, *extra]), high + reach)
        pad = (high - low) * 0.06 or abs(high) * 0.1 or 1.0
        self.low, self.high = low - pad, high + pad
        if min(shown) >= 0 and self.low < 0:
            self.low = 0.0

    def x(self, at: datetime) -> float:
        """Place a time."""
        whole = (self.end - self.start).total_seconds()
        return LEFT + (WIDTH - LEFT - RIGHT) * (at - self.start).total_seconds() / whole

    def y(self, value: float) -> float:
        """Place a value; beyond the axis it stays at its end."""
        inside = min(max(value, self.low), self.high)
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (inside - self.low) / (self.high - self.low)

    def holds(self, at: datetime | None) -> bool:
        """Tell whether a time lies in the stretch."""
        return at is not None and self.start <= at <= self.end


def _axes(canvas: Canvas, scale: Scale, metric: str) -> None:
    for tick in nice_ticks(scale.low, scale.high):
        y = scale.y(tick)
        canvas.line(LEFT, y, WIDTH - RIGHT, y, "grid")
        canvas.text(LEFT - 8, y + 4, words.value(metric, tick), "t small mute", "end")
    for at, label in time_ticks(scale.start, scale.end):
        x = scale.x(at)
        canvas.line(x, HEIGHT - BOTTOM, x, HEIGHT - BOTTOM + 5, "axis")
        canvas.text(min(max(x, 40), WIDTH - 36), HEIGHT - 12, label, "t small mute", "middle")
    canvas.line(LEFT, HEIGHT - BOTTOM, WIDTH - RIGHT, HEIGHT - BOTTOM, "axis")


def _windows(canvas: Canvas, scale: Scale, marks: Marks) -> None:
    if marks.onset_interval:
        a, b = (min(max(scale.x(t), LEFT), WIDTH - RIGHT) for t in marks.onset_interval)
        canvas.rect(a - 1, TOP, max(b - a, 2) + 2, HEIGHT - TOP - BOTTOM, "onset-band")


def thin(count: int, most: int = MOST_POINTS) -> list[int]:
    """Pick at most `most` indices, evenly, first and last kept.

    Examples
    --------
    >>> thin(5, 3)
    [0, 2, 4]
    """
    if count <= most:
        return list(range(count))
    return sorted({round(i * (count - 1) / (most - 1)) for i in range(most)})


def _curves(canvas: Canvas, scale: Scale, series: MetricSeries) -> None:
    keep = thin(len(series.times))
    xs = {i: scale.x(series.times[i]) for i in keep}

    def points(values: Sequence[float | None]) -> list[tuple[float, float] | None]:
        return [None if (v := _at(values, i)) is None else (xs[i], scale.y(v)) for i in keep]

    lower, upper = points(series.lower), points(series.upper)
    run: list[tuple[tuple[float, float], tuple[float, float]]] = []
    for pair in [*zip(lower, upper, strict=True), (None, None)]:
        if pair[0] is None or pair[1] is None:
            canvas.area([u for _, u in run], [w for w, _ in run], "band")
            run = []
        else:
            run.append((pair[0], pair[1]))
    canvas.path(points(series.expected), "expected")
    canvas.path(points(series.values), "curve")


def _at(values: Sequence[float | None], i: int) -> float | None:
    v = values[i] if i < len(values) else None
    return None if v is None or v != v or v in (float("inf"), float("-inf")) else v


def _markers(canvas: Canvas, scale: Scale, marks: Marks, metric: str) -> None:
    for bound, limit in (marks.slo or {}).items():
        if scale.low <= limit <= scale.high:
            y = scale.y(limit)
            canvas.line(LEFT, y, WIDTH - RIGHT, y, "slo")
            canvas.text(LEFT + 6, y - 5, fit(f"SLO {bound} {words.value(metric, limit)}", 200), "t small slo-t")
    if scale.holds(marks.onset) and marks.onset is not None:
        x = scale.x(marks.onset)
        canvas.line(x, TOP, x, HEIGHT - BOTTOM, "onset-line")
        canvas.text(x, TOP - 20, "onset", "t small onset-t", "end" if x > WIDTH / 2 else "start")
    if scale.holds(marks.detected_at) and marks.detected_at is not None:
        x = scale.x(marks.detected_at)
        canvas.line(x, TOP, x, HEIGHT - BOTTOM, "alert-line")
        near_onset = marks.onset is not None and abs(scale.x(marks.onset) - x) < 40
        canvas.text(
            x + 3, HEIGHT - BOTTOM - 6 if near_onset else TOP - 20, "alert", "t small mute", "start" if x < WIDTH - 60 else "end"
        )
    taken: list[float] = []
    for letter, at in marks.changes:
        if not scale.holds(at):
            continue
        x = scale.x(at)
        canvas.line(x, TOP, x, HEIGHT - BOTTOM, "change-line")
        level = sum(1 for t in taken if abs(t - x) < 17)  # crowded letters step down so that each can be read
        taken.append(x)
        y = TOP - 4 + 18 * (level % 6)
        canvas.circle(x, y, 8.5, "change-dot")
        canvas.text(x, y + 4, letter, "t tiny on-dot", "middle")
