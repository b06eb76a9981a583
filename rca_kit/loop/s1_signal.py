"""Step 1, Signal: is the alert real? The named metric recomputed from the log, beside all others."""

from __future__ import annotations

from dataclasses import replace

from rca_kit.findings.signal import MetricReading, Signal
from rca_kit.loop.reading.names import public, series_for
from rca_kit.loop.reading.picture import Picture
from rca_kit.loop.reading.series import GOOD
from rca_kit.loop.s3_scope.hurt import Hurt

SHOWN = ("quality", "service", "kpi", "output", "cut", "output_nulls", "labels", "volume", "nulls", "stage")
LABEL_DROP = 0.1  # share of labels that may be missing beyond before until quality is said to rest on fewer of them


def signal(picture: Picture, metric: str, drift: MetricReading | None = None) -> Signal:
    """Recompute the alerted metric before and after, with its interval, and every other outcome.

    `drift` is the reading of a ``psi:<column>`` alert, which comes from the comparison of the column, not from a series.
    """
    name = series_for(metric, picture.series)
    reading = drift or (picture.reading(name) if name else None)
    others = tuple(
        picture.reading(n) for n, s in picture.series.items() if s.family in SHOWN and n != name and not n.startswith("log:")
    )
    labels = (
        {k: picture.level("label_share", w).value for k, w in (("before", picture.before), ("after", picture.after))}
        if "label_share" in picture.series
        else {}
    )
    notes = _notes(picture, metric, reading, labels)
    holds, because = _holds(metric, reading)
    return Signal(
        metric=metric,
        holds=holds,
        because=because,
        reading=reading,
        others=others,
        label_share_before=labels.get("before"),
        label_share_after=labels.get("after"),
        notes=notes,
    )


def held_inside(found: Signal, hurt: Hurt) -> Signal:
    """An alert about a segment holds where an outcome is worse there, whatever the whole shows."""
    if found.holds or not hurt.segment.in_metric:
        return found
    s = hurt.segment
    because = f"{hurt.metric} {s.before:.3g} -> {s.after:.3g} in {s}, beyond chance and season; over all traffic {found.because}"
    return replace(found, holds=True, because=because)


def _holds(metric: str, reading: MetricReading | None) -> tuple[bool, str]:
    if reading is None:
        return False, f"{metric} cannot be recomputed: the case holds no column it needs."
    if reading.before is None or reading.after is None:
        return False, f"{metric} cannot be recomputed: there are no usable rows before or after."
    span = ""
    if reading.change is not None and reading.interval:
        low, high = reading.interval
        span = f" (change {reading.change:+.3g}, 95% interval {low:+.3g} to {high:+.3g})"
    text = f"{metric} {reading.before:.3g} -> {reading.after:.3g}{span}"
    if not reading.moved:
        tail = reading.note or "within chance and season"
        return False, f"{text}, {tail}."
    if reading.worse is False:
        return False, f"{text}: it moved, but for the better."
    return True, f"{text}, beyond chance and season."


def _notes(picture: Picture, metric: str, reading: MetricReading | None, labels: dict[str, float]) -> tuple[str, ...]:
    out = []
    if labels and labels["before"] - labels["after"] > LABEL_DROP:
        out.append(
            f"labels have arrived for {labels['after']:.0%} of requests after the onset, {labels['before']:.0%} before: "
            "quality metrics rest on the labelled ones"
        )
    if reading is not None and reading.n_after < 100 and (metric in GOOD or metric.startswith("kpi:")):
        out.append(f"only {reading.n_after} observations after")
    if reading is None:
        out.append(f"nearest that could be computed: {', '.join(public(n) for n in list(picture.series)[:3])}")
    return tuple(out)
