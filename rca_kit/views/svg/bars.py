"""Small pictures: what each simulation takes back, and a sparkline for the first screen."""

from __future__ import annotations

from markupsafe import Markup

from rca_kit.findings.simulation import Simulation
from rca_kit.findings.symptom import MetricSeries
from rca_kit.views import words
from rca_kit.views.svg.canvas import Canvas, finite, fit
from rca_kit.views.svg.chart import thin

WIDTH, ROW, LABEL = 860.0, 34.0, 300.0


def restored_bars(simulation: Simulation, ident: str) -> Markup:
    """Draw the share of the change that each trial takes back, with its 95% interval.

    Parameters
    ----------
    simulation : Simulation
        Step 6's finding; trials without a share are left out.
    ident : str
        Unique in the page.

    Examples
    --------
    >>> from rca_kit.views.example import example
    >>> "88%" in restored_bars(example().simulation, "b1")
    True
    """
    trials = [t for t in simulation.trials if t.restored is not None]
    canvas = Canvas(WIDTH, 40 + ROW * len(trials), "What each trial takes back", simulation.says(), ident)

    def x(share: float) -> float:
        return LABEL + (WIDTH - LABEL - 90) * (min(max(share, -0.25), 1.25) + 0.25) / 1.5

    for mark, label in ((0.0, "nothing"), (0.5, "half"), (1.0, "all of it")):
        canvas.line(x(mark), 24, x(mark), 30 + ROW * len(trials), "grid")
        canvas.text(x(mark), 16, label, "t small mute", "middle")
    for i, trial in enumerate(trials):
        y = 34 + ROW * i
        share = trial.restored or 0.0
        canvas.text(0, y + 14, fit(f"{trial.kind}: {trial.subject}", LABEL - 10), "t")
        canvas.rect(min(x(0), x(share)), y + 4, abs(x(share) - x(0)), 13, "bar good-bar", 2)
        if trial.interval:
            canvas.line(x(trial.interval[0]), y + 10.5, x(trial.interval[1]), y + 10.5, "whisker")
        canvas.text(WIDTH, y + 14, words.percent(share), "t strong", "end")
    return canvas.render()


def sparkline(series: MetricSeries, onset_share: float | None, ident: str, description: str) -> Markup:
    """Draw a metric very small; `onset_share` is where in the stretch (0 to 1) the onset lies.

    Examples
    --------
    >>> from rca_kit.views.example import example
    >>> "<path" in sparkline(example().symptom.series[0], 0.9, "k1", "AUC fell")
    True
    """
    width, height = 340.0, 56.0
    canvas = Canvas(width, height, f"{words.series_title(series)}, small", description, ident)
    shown = finite(series.values)
    if len(series.times) < 2 or not shown:
        return canvas.render()
    low, high = min(shown), max(shown)
    reach = (high - low) or 1.0
    last = len(series.times) - 1
    points: list[tuple[float, float] | None] = []
    for i in thin(len(series.times), 160):
        v = series.values[i]
        ok = v is not None and bool(finite([v]))
        points.append((4 + (width - 8) * i / last, height - 6 - (height - 12) * ((v or 0.0) - low) / reach) if ok else None)
    if onset_share is not None and 0 <= onset_share <= 1:
        x = 4 + (width - 8) * onset_share
        canvas.rect(x, 0, width - x, height, "onset-band")
        canvas.line(x, 0, x, height, "onset-line")
    canvas.path(points, "curve")
    return canvas.render()
