"""Verify a fix: the service back inside its SLOs, and each affected segment equivalent to before the incident."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rca_kit.aggregates.scan import scan
from rca_kit.case.times import parse_time
from rca_kit.errors import BadInput
from rca_kit.findings.base import Window, iso
from rca_kit.findings.scope import Segment, describe_where
from rca_kit.loop.investigate import investigate
from rca_kit.loop.reading.detect import observe, season_of
from rca_kit.loop.reading.names import public, series_for
from rca_kit.loop.reading.picture import weigh
from rca_kit.loop.reading.prepare import Prepared, prepare
from rca_kit.loop.reading.series import Reading, Series, metric_series
from rca_kit.loop.s5_samples.rows import inside
from rca_kit.loop.s7_settle.recovery import Recovery, Verification
from rca_kit.sources import open_case
from rca_kit.stats.equivalence import needed_n, tost
from rca_kit.stats.rates import overdispersion

ALL = "all traffic"
SHARE_OF_CHANGE = 0.25  # default margin: a quarter of what the incident did; less is not what people were paged for
# ... but no finer than what matters at all (absolute, or relative to before): beyond it, thousands of labels settle nothing
FLOOR: dict[str, tuple[float, float]] = {
    "quality": (0.01, 0.0),
    "service": (0.002, 0.0),
    "kpi": (0.0, 0.03),
    "nulls": (0.005, 0.0),
    "output_nulls": (0.002, 0.0),
    "output": (0.0, 0.05),
    "volume": (0.0, 0.15),
    "stage": (0.0, 0.10),
    "latency": (0.0, 0.10),
}
OTHER_FLOOR = (0.0, 0.05)
MIN_ROWS = 30  # fewer observations than this since the fix say nothing, whatever their error
MAX_METRICS = 6


def verify(
    folder: str | Path,
    since: str | datetime,
    margin: float | Mapping[str, float] | None = None,
    *,
    engine: str = "polars",
    findings: Mapping[str, Any] | None = None,
) -> Verification:
    """Compare the traffic since the fix with the traffic before the incident, overall and per affected segment.

    Parameters
    ----------
    folder : path
        The case folder, its log extended beyond the fix.
    since : str or datetime
        When the fix was complete; without an offset it is UTC.
    margin : float or mapping, optional
        What counts as alike, in the metric's units: one number for the main metric, or by metric name. Left out, it is a
        quarter of the change that the incident brought to that metric in that segment, but no finer than what matters at all.
    engine : str
        What reads the tables.
    findings : mapping, optional
        ``findings.json`` of the incident. Left out, the newest run in the folder gives it, else the case is investigated.

    Returns
    -------
    Verification
        ``recovered`` needs every metric in every segment equivalent or better and no SLO broken (an intersection-union test,
        Berger and Hsu 1996, doi:10.1214/ss/1032280304: no correction is needed). ``not_recovered`` needs one that is shown to
        be worse, or an SLO broken beyond doubt. Else there is not enough data.

    Raises
    ------
    BadInput
        When the case cannot be read, `since` is no time, lies before the onset or after the end of the log.
    """
    start = _time(since)
    opened = open_case(folder, engine=engine)
    prepared = prepare(opened)
    told = dict(findings) if findings is not None else _findings(Path(folder), engine)
    onset = _onset(told)
    first, last = opened.time_range
    grid = prepared.aggregates.plan.grid
    end = grid.time(grid.n)
    if onset is None:
        raise BadInput(
            "the case has no onset to verify against", found=f"verdict {told.get('verdict')}", expected="an incident or a shift"
        )
    if start <= onset[1]:
        raise BadInput("`since` lies before the onset ended", found=iso(start), expected=f"after {iso(onset[1])}")
    if start > last:
        raise BadInput(
            "the log holds nothing since then",
            found=f"last request {iso(last)}",
            expected=f"requests after {iso(start)}",
            hint="add the traffic since the fix to the predictions table",
        )
    if onset[0] <= first:
        raise BadInput("the log holds nothing from before the incident", found=f"first request {iso(first)}")
    windows = (Window(first, onset[0]), Window(start, end))
    before, after, _ = weigh(grid, windows)
    during = _during(grid.n, grid.index(onset[1]), grid.index(start))
    whole = _during(grid.n, 0, grid.index(onset[0]))
    rows: list[Recovery] = []
    for name, series in _segments(prepared, told).items():
        for metric in _metrics(prepared, told):
            key = series_for(metric, series)
            if key is not None:
                # a target holds in each affected segment too; only a count of requests is one of all traffic
                counts = series[key].family == "volume" and name != ALL
                slo = None if counts else (opened.case.incident.slos or {}).get(metric)
                rows.append(_recovery(metric, name, series[key], (before, after, during, whole), margin, slo, told))
    verdict, because = _verdict(rows, (end - start).total_seconds())
    return Verification(verdict, because, *windows, tuple(rows))


def _recovery(
    metric: str,
    segment: str,
    series: Series,
    weights: tuple[NDArray[np.float64], ...],
    margin: Any,
    slo: Any,
    told: Mapping[str, Any],
) -> Recovery:
    b, a, d = (series.over(w) for w in weights[:3])
    noise = _noise(series, int(np.flatnonzero(weights[0] > 0).max(initial=-1)) + 1)
    width = _margin(metric, series, b, d, margin, told)
    gap, error_b, error_a = a.value - b.value, b.error * noise, a.error * noise
    test = tost(gap, float(np.hypot(error_b, error_a)), width)
    n = int(a.n) if np.isfinite(a.n) else 0
    verdict = test.verdict if n >= MIN_ROWS else "inconclusive"
    if verdict in ("higher", "lower"):
        good = {"higher": "higher", "lower": "lower", "zero": "lower" if b.value > 0 else "higher"}.get(series.good or "")
        overshot = series.good == "zero" and abs(a.value) >= abs(b.value)
        verdict = "better" if verdict == good and not overshot else "worse"
    needed = None
    if verdict == "inconclusive" and np.isfinite(gap):
        # plan for the fix to have worked, and for a day in the end, which all of the traffic before can be matched to
        whole = series.over(weights[3]).error * noise
        needed = needed_n(min(whole, error_b), error_a, max(a.n, 1.0), width)
    state, note = _slo(slo, b, a, error_a)
    if verdict == "inconclusive" and n < MIN_ROWS:
        note = f"only {n} observations since the fix"
        needed = max(needed or 0, MIN_ROWS)
    elif verdict == "inconclusive" and needed is None:
        note = "the traffic before the incident is too little for this margin"
    elif verdict == "inconclusive" and needed is not None and needed <= n:
        note = "in between: not shown to be alike, nor to be worse"
        needed = None
    interval = (float(test.interval[0]), float(test.interval[1])) if np.isfinite(test.interval[0]) else None
    return Recovery(
        metric, segment, _number(b.value), _number(a.value), _number(gap), interval, width, verdict, state, n, needed, note
    )


def _slo(slo: Any, before: Reading, after: Reading, error: float) -> tuple[str, str]:
    """Inside or outside the target; uncertain when the target lies within two standard errors."""
    if slo is None or not np.isfinite(after.value):
        return "", ""
    for side, limit in (("min", slo.min), ("max", slo.max)):
        if limit is None:
            continue
        sign = 1 if side == "min" else -1
        room = sign * (after.value - limit)
        if room >= 0:
            continue
        if sign * (before.value - limit) < 0:
            return "outside", f"outside its SLO {limit:g} before the incident too"
        if -room > 2 * error:
            return "outside", f"SLO {limit:g}"
        return "uncertain", f"beyond its SLO {limit:g}, by no more than chance explains"
    return "inside", ""


def _verdict(rows: list[Recovery], seconds: float) -> tuple[str, str]:
    if not rows:
        return "not_enough_data", "no metric of the incident can be computed from the log"
    broken = [r for r in rows if r.slo == "outside" and "before" not in r.note]
    worse = [r for r in rows if r.verdict == "worse"]
    if broken or worse:
        r = (broken or worse)[0]
        what = f"outside its SLO ({r.note})" if broken else f"not within {r.margin:.3g} of before"
        others = len({(x.metric, x.segment) for x in broken + worse}) - 1
        tail = f", and {others} more" if others else ""
        return "not_recovered", f"{r.metric} for {r.segment} is {_text(r.since)} against {_text(r.before)} before, {what}{tail}"
    open_ = [r for r in rows if r.verdict == "inconclusive" or r.slo == "uncertain"]
    if open_:
        worst = max(open_, key=lambda r: (r.needed is not None, (r.needed or 0) / max(r.n, 1)))
        need = worst.note or "it lies in between"
        if worst.needed:
            need = f"about {worst.needed:,} observations are needed, {worst.n:,} are there{_wait(worst, seconds)}"
        return "not_enough_data", f"{len(open_)} of {len(rows)} comparisons are open; {worst.metric} for {worst.segment}: {need}"
    before_too = [f"; but {r.metric} is {r.note}" for r in rows if r.slo == "outside"]
    return "recovered", f"{len(rows)} comparisons, all alike or better within their margins{''.join(before_too[:2])}"


def _wait(row: Recovery, seconds: float) -> str:
    """Say how long the rest takes at the traffic since the fix."""
    more = ((row.needed or 0) / row.n - 1) * seconds / 3600 if row.n else 0.0
    if more <= 0:
        return ""
    time = f"{more:.0f} hours" if more >= 2 else f"{max(more * 60, 1):.0f} minutes"
    return f": in about {time} at this traffic"


def _margin(metric: str, series: Series, before: Reading, during: Reading, margin: Any, told: Mapping[str, Any]) -> float:
    if isinstance(margin, Mapping) and metric in margin:
        return _positive(float(margin[metric]), metric)
    if isinstance(margin, (int, float)) and metric == (told.get("symptom") or {}).get("metric"):
        return _positive(float(margin), metric)
    absolute, relative = FLOOR.get("latency" if metric.startswith("latency") else series.family, OTHER_FLOOR)
    floor = max(absolute, relative * abs(before.value)) if np.isfinite(before.value) else absolute
    moved = abs(during.value - before.value) if np.isfinite(during.value) and np.isfinite(before.value) else 0.0
    return max(SHARE_OF_CHANGE * moved, floor, 1e-12)


def _positive(value: float, metric: str) -> float:
    if not value > 0:
        raise BadInput(f"the margin of {metric} is not positive", found=str(value))
    return value


def _noise(series: Series, stop: int) -> float:
    """Overdispersion of the series before the incident: standard errors alone trust requests to be independent."""
    phase, _ = season_of(series.grid)
    value, error, _ = observe(series)
    end = max(stop // series.grid.coarse, 1)
    labels = phase[:end].astype(np.int64) if phase is not None and phase.ndim == 1 else None
    return overdispersion(value[:end], error[:end], labels)


def _segments(prepared: Prepared, told: Mapping[str, Any]) -> dict[str, dict[str, Series]]:
    out = {ALL: prepared.series}
    schema = dict(prepared.frame.collect_schema())
    for entry in (told.get("scope") or {}).get("segments") or []:
        where = entry.get("where") or {}
        test = inside((Segment(where=where),), schema)
        if test is not None:
            out[describe_where(where)] = metric_series(scan(prepared.frame.filter(test), prepared.aggregates.plan))
    return out


def _metrics(prepared: Prepared, told: Mapping[str, Any]) -> list[str]:
    symptom = told.get("symptom") or {}
    targets = prepared.case.case.incident.slos or {}
    moved = [m for m in symptom.get("also_changed") or [] if not m.startswith(("psi:", "freshness:", "log:")) and "." not in m]
    named = dict.fromkeys([m for m in (symptom.get("metric"), *targets, *moved) if m])
    if (symptom.get("metric") or "").startswith("psi:"):
        named.pop(symptom["metric"])
    known = [m for m in named if series_for(m, prepared.series) is not None]
    return list(dict.fromkeys(public(m) for m in known))[: max(MAX_METRICS, len(targets) + 1)]


def _findings(folder: Path, engine: str) -> dict[str, Any]:
    base = folder if folder.is_dir() else folder.parent
    runs = sorted((*base.glob("runs/*/findings.json"), *base.glob("findings.json")), key=lambda p: (p.stat().st_mtime, str(p)))
    for path in reversed(runs):
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(told, dict) and (told.get("symptom") or {}).get("onset"):
            return told
    return investigate(folder, engine=engine).to_dict()


def _onset(told: Mapping[str, Any]) -> tuple[datetime, datetime] | None:
    symptom = told.get("symptom") or {}
    if not symptom.get("onset"):
        return None
    low, high = symptom.get("onset_interval") or (symptom["onset"], symptom["onset"])
    onset = _time(symptom["onset"])
    return min(_time(low), onset), max(_time(high), onset)


def _time(value: str | datetime) -> datetime:
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    return parse_time(value)[0]


def _during(n: int, start: int, stop: int) -> NDArray[np.float64]:
    index = np.arange(n)
    return ((index >= start) & (index < stop)).astype(float)


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _text(value: float | None) -> str:
    return "not known" if value is None else f"{value:.4g}"


__all__ = ["Recovery", "Verification", "verify"]
