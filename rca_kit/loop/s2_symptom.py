"""Step 2, Symptom: when it started, how much, which shape; what moved first leads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np

from rca_kit.errors import BadInput
from rca_kit.findings.symptom import DeployEffect, MetricSeries, Onset, Symptom
from rca_kit.loop.reading.detect import Move, observe
from rca_kit.loop.reading.names import in_order, public
from rca_kit.loop.reading.onset import JointOnset, joint_onset
from rca_kit.loop.reading.picture import Picture
from rca_kit.loop.reading.rollout import rollout_behind
from rca_kit.loop.reading.series import Series
from rca_kit.stats.rates import Z95

CHARTED = (
    "quality",
    "service",
    "kpi",
    "nulls",
    "output_nulls",
    "output",
    "labels",
    "volume",
    "stage",
    "component",
    "input",
    "version",
    "mix",
)
MOST_CHARTS = 14  # a report is read at night: the alerted metric, and what moved with it
CERTAIN = -40.0  # log p below which a metric that moved at another time is listed too
SLACK = timedelta(minutes=10)  # people write change logs by hand


def symptom(
    picture: Picture, metric: str, change_times: Sequence[tuple[str, datetime]] = (), deploy_effects: Sequence[DeployEffect] = ()
) -> Symptom:
    """Describe the main metric's change and order every other onset by time."""
    anchor = picture.anchor
    name = metric if metric in picture.series else (anchor.series.name if anchor else metric)
    main = picture.moves.get(name)
    if anchor is not None and (main is None or not main.moved):
        name, main = anchor.series.name, anchor
    onsets = tuple(sorted((_onset(picture, m) for m in _moved(picture)), key=lambda o: (o.time, o.metric)))
    before, after, d = picture.compare(name) if name in picture.series else (None, None, None)
    when = picture.onset
    times = (picture.grid.time(when.index), (picture.grid.time(when.low), picture.grid.time(when.high + 1))) if when else None
    if times is None and anchor is not None:  # windows given by a person
        times = (picture.windows[1].start, (picture.windows[0].end, picture.windows[1].start))
    rollout = rollout_behind(picture, main) if main and main.moved and when else None
    if rollout is not None:  # it began with the first stage
        times = rollout.stages[0][0], rollout.interval
    inside = _inside(times[1], change_times) if times else ()
    if rollout is not None:
        named: str | None = "staircase"
    elif times:
        named = _slower(_fine_shape(main, picture), when) if main and main.moved else None
    else:
        named = _season_only(picture, name)
    found = Symptom(
        metric=public(name),
        direction=("up" if d.change > 0 else "down") if d and times and math.isfinite(d.change) else None,
        shape=named,
        onset=times[0] if times else None,
        onset_interval=times[1] if times else None,
        before=_number(before.value) if before else None,
        after=_number(after.value) if after else None,
        change=_number(d.change) if d else None,
        change_interval=(d.low, d.high) if d and math.isfinite(d.low) else None,
        p_value=math.exp(main.scan.log_p) if main and main.moved else (d.p_value if d else None),
        also_changed=in_order(o.metric for o in onsets if o.metric != name),
        onsets=tuple(_renamed(onsets)),
        windows=picture.windows,
        baseline="the same hours of earlier days" if picture.matched else "all of the log before the onset",
        changes_inside=inside,
        deploy_effects=tuple(deploy_effects),
        series=tuple(chart(picture, n) for n in _charts(picture, name, onsets)),
        staged=rollout.says() if rollout else "",
    )
    return _agreed(found)


def with_turns(found: Symptom, picture: Picture, turns: Sequence[tuple[str, int, str]]) -> Symptom:
    """The symptom with the onsets of inputs that turned from constant to live or back at a time of their own.

    `turns` holds column, fine bucket and `up` (came alive) or `down`. Such a turn needs no statistics: it is a fact of the rows.
    """
    grid = picture.grid
    known = {o.metric: o for o in found.onsets}
    for column, at, direction in turns:
        name, when = public(f"mean:{column}"), grid.time(at)
        turn = Onset(name, when, (when, grid.time(at + 1)), direction, "step", None, None, None, None, None)
        if f"mean:{column}" in picture.series:  # the rows tell it to the bucket, where a scan of the mean only comes near
            known[name] = replace(known.get(name, turn), time=turn.time, interval=turn.interval)
    onsets = tuple(sorted(known.values(), key=lambda o: (o.time, o.metric)))
    return replace(found, onsets=onsets, also_changed=in_order(o.metric for o in onsets if o.metric != found.metric))


def dated(found: Symptom, picture: Picture, change_times: Sequence[tuple[str, datetime]]) -> Symptom:
    """The symptom with the onset of a picture that was dated anew."""
    when = picture.onset
    if when is None or found.staged:  # the stages of a rollout tell it best
        return found
    interval = (picture.grid.time(when.low), picture.grid.time(when.high + 1))
    shape = _slower(found.shape, when) if found.shape else None
    return _agreed(
        replace(
            found,
            shape=shape,
            onset=picture.grid.time(when.index),
            onset_interval=interval,
            changes_inside=_inside(interval, change_times),
        )
    )


def _agreed(found: Symptom) -> Symptom:
    """The symptom with its main metric's entry among the onsets dated as the symptom is: a reader must meet one onset only."""
    if found.onset is None or found.onset_interval is None:
        return found
    moved = [
        replace(o, time=found.onset, interval=found.onset_interval, shape=found.shape or o.shape, alone=o.alone or o.interval)
        if o.metric == found.metric and o.time != found.onset
        else o
        for o in found.onsets
    ]
    return replace(found, onsets=tuple(sorted(moved, key=lambda o: (o.time, o.metric))))


def _slower(shape: str, when: JointOnset | None) -> str:
    """What looks like a step in one series is a ramp where the series together tell that it came on gradually."""
    return "ramp" if shape == "step" and when is not None and when.gradual else shape


def _inside(interval: tuple[datetime, datetime], change_times: Sequence[tuple[str, datetime]]) -> tuple[str, ...]:
    return tuple(i for i, t in change_times if interval[0] - SLACK <= t <= interval[1] + SLACK)


def _fine_shape(move: Move, picture: Picture) -> str:
    """Shape of the main metric: a staircase or a sawtooth where the series tells one, else that of the scan."""
    named = _shape_of(move.series, picture.grid.period())
    return named if named in ("staircase", "sawtooth") else shape(move)


def _season_only(picture: Picture, name: str) -> str | None:
    """Season, or a sawtooth that repeats, where that is all a metric without an onset shows; else None."""
    named = _shape_of(picture.series[name], None) if name in picture.series else None  # a season must be found to be one
    return named if named == "season" or (named == "sawtooth" and picture.anchor is None) else None


def _shape_of(series: Series, period: int | None) -> str | None:
    from rca_kit.stats.changepoint import shape_of

    value, error, _ = observe(series)
    try:
        return shape_of(value, standard_errors=error, period=period)
    except BadInput:  # too short or too sparse a series to name anything
        return None


def shape(move: Move) -> str:
    """Name the shape: step, ramp, spike (back within the log) or sawtooth (back, and there again and again)."""
    if move.scan.kind == "box" and move.scan.recurs:
        return "sawtooth"
    return {"step": "step", "box": "spike", "ramp": "ramp"}[move.scan.kind]


def _moved(picture: Picture) -> list[Move]:
    """Every series that moved by an amount that matters: with the symptom or at a time of its own."""
    own_time = ("input", "nulls", "quality", "service", "kpi")
    out = []
    for name, m in picture.moves.items():
        if not m.moved or m.series.family == "helper":
            continue
        r = picture.reading(name)
        apart = m.series.family in own_time and m.scan.kind == "step" and picture.matters(name, r.before or 0.0, m.fit.height)
        if r.moved or (apart and m.scan.log_p < CERTAIN):
            out.append(m)
    return out


def _onset(picture: Picture, move: Move) -> Onset:
    j = joint_onset([move], picture.grid)
    before, after, d = picture.compare(move.series.name)
    return Onset(
        metric=move.series.name,
        time=picture.grid.time(j.index),
        interval=(picture.grid.time(j.low), picture.grid.time(j.high + 1)),
        direction=move.direction,
        shape=shape(move),
        before=_number(before.value),
        after=_number(after.value),
        change=_number(d.change),
        change_interval=(d.low, d.high) if math.isfinite(d.low) else None,
        p_value=math.exp(move.scan.log_p),
        shows=shown(move.series.name),
    )


def _renamed(onsets: Sequence[Onset]) -> list[Onset]:
    seen: dict[str, Onset] = {}
    for o in onsets:
        seen.setdefault(public(o.metric), o)
    return [Onset(**{**o.__dict__, "metric": name}) for name, o in seen.items()]


def _charts(picture: Picture, name: str, onsets: Sequence[Onset]) -> list[str]:
    """Series to draw, the main one first; of several shares of one column only the first that moved."""
    ranked = [o.metric for o in onsets if picture.series[o.metric].family in CHARTED]
    ranked.sort(key=lambda n: (CHARTED.index(picture.series[n].family), n))
    by_title = {public(n): n for n in reversed([name, *ranked]) if n in picture.series}
    return [by_title[t] for t in dict.fromkeys(public(n) for n in (name, *ranked)) if t in by_title][:MOST_CHARTS]


def chart(picture: Picture, name: str) -> MetricSeries:
    """One series for a chart: values with 95 % bands, and what its season alone would give."""
    s = picture.series[name]
    seen = s.detection()
    n = picture.grid.n_coarse
    error = seen.error * picture.noise.get(name, 1.0) if s.family != "component" else np.full(n, np.nan)
    move = picture.moves.get(name)
    expected: tuple[float | None, ...] = ()
    if move is not None and move.scan.season.any():
        value, _, _ = observe(s)
        before = (value - move.scan.season)[: max(picture.start, 1)]
        if np.isfinite(before).any():  # else the season alone gives nothing
            fitted = np.nanmedian(before) + move.scan.season
            expected = _tuple(np.exp(fitted) if s.log else fitted)
    counts = tuple(int(x) if math.isfinite(x) else 0 for x in seen.n)
    return MetricSeries(
        metric=public(name),
        bucket_seconds=picture.grid.coarse_s,
        times=picture.grid.times(coarse=True),
        values=_tuple(seen.value),
        counts=counts,
        lower=_tuple(seen.value - Z95 * error),
        upper=_tuple(seen.value + Z95 * error),
        expected=expected,
        shows=shown(name),
    )


def shown(name: str) -> str:
    """Say what a series holds where its public name says something else.

    Examples
    --------
    >>> shown("share:version=v3"), shown("mean:amount"), shown("auc")
    ('share of v3 in version', 'mean of amount', '')
    """
    head, _, tail = name.partition(":")
    if head == "share":
        column, _, value = tail.partition("=")
        return f"share of {value} in {column}"
    return f"mean of {tail}" if head == "mean" else ""


def _tuple(a: np.ndarray) -> tuple[float | None, ...]:
    return tuple(float(x) if math.isfinite(x) else None for x in a)


def _number(x: float) -> float | None:
    return float(x) if math.isfinite(x) else None
