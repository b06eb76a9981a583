"""SEV1 to SEV4 from harm, reach, SLOs and error budget, each with its reasons; and the impact in KPI points or money."""

from __future__ import annotations

from rca_kit.findings.settlement import Severity
from rca_kit.findings.signal import MetricReading
from rca_kit.loop.s7_settle.facts import Facts, family_of, number

LEVELS = ("SEV1", "SEV2", "SEV3", "SEV4")
BROAD = 0.5  # half of the requests or more: "broad"
EVERYONE = 0.75  # SEV1 is for harm that nearly everyone meets
NARROW = 0.05
# Harm steps (small, notable, large) per kind of metric. Quality in points, latency as a ratio, rates in points, KPIs as a share.
# A KPI loss of 2 % is what teams page for, of 20 % what managers are woken for; 0.03 AUC is the usual gate of a release; 2 %
# errors burn a 99.9 % SLO 20 times over.
STEPS: dict[str, tuple[float, float, float]] = {
    "points": (0.01, 0.03, 0.10),
    "relative": (0.03, 0.10, 0.30),
    "latency": (1.1, 1.5, 3.0),
    "errors": (0.002, 0.02, 0.10),
    "kpi": (0.005, 0.02, 0.20),
    "bad_kpi": (0.003, 0.01, 0.05),
    "nulls": (0.005, 0.05, 0.20),
    "volume": (0.03, 0.10, 0.30),
}
NAMES = ("no", "small", "notable", "large")
UNSAFE_ERRORS = 0.25  # every fourth request fails: the service is down for its users
UNSAFE_LOSS = 0.5  # half of the requests never arrived
FAST_BURN = 14.4  # error-budget burn that spends 2 % of a 30-day budget in an hour (Google SRE Workbook, chapter 5)
UNSAFE_WORDS = ("toxic", "unsafe", "harm", "injection", "leak", "abuse")
HOUR = 3600.0


def severity(facts: Facts) -> Severity:
    """Grade an incident.

    SEV1 is broad or unsafe, SEV2 a notable impact, SEV3 limited, SEV4 cosmetic. No change has no level; a benign shift is SEV4.
    What the case says a unit of a KPI is worth comes first among the reasons, as money lost per hour.
    """
    if facts.verdict == "no_change":
        return Severity(None, ("nothing changed beyond chance and season",))
    if facts.verdict == "benign_shift":
        return Severity("SEV4", ("inputs or traffic mix moved, outcomes did not",))
    harms = sorted(
        ((min(harm(r), _most(r, facts)), r) for r in facts.readings().values() if _counts(r, facts)),
        key=lambda x: (-x[0], x[1].metric != facts.metric, x[1].metric),
    )
    worst = harms[0][0] if harms else 1
    breaches = [b for b in facts.breaches() if not b.before_too]
    because = [*money(facts), *(str(b) for b in breaches)]
    burn = error_budget_burn(facts)
    if burn is not None and burn > 1:
        because.append(f"error budget burns {burn:.3g} times too fast")
    because += [_words(r, h) for h, r in harms[:3] if h]
    unsafe = _unsafe(facts)
    reach = facts.share
    users = sum((s.share_of_impact or 0.0) for s in facts.scope.segments)
    because.append(_reach_words(facts, reach, users))
    told = tuple(f"KPI {r.metric.partition(':')[2]} " for _, r in harms[:3])
    because += [w for w in impact(facts) if not w.startswith(told)]  # a KPI among the harms is told already
    if unsafe:
        return Severity("SEV1", (unsafe, *because))
    level = _level(worst, reach, bool(breaches), bool(burn and burn >= FAST_BURN), harms)
    return Severity(LEVELS[level - 1], tuple(dict.fromkeys(because)))


def harm(reading: MetricReading) -> int:
    """How much a metric got worse: 0 none, 1 small, 2 notable, 3 large.

    Examples
    --------
    >>> harm(MetricReading("auc", 0.86, 0.78, -0.08, None, 100, 100, 0.0, True, True))
    2
    """
    before, after = reading.before, reading.after
    name = reading.metric.partition(":")[0]
    if before is None or after is None or reading.worse is False:
        return 0
    gap = abs(after - before)
    kind = family_of(reading.metric)
    if name in ("mae", "rmse", "log_loss"):
        return _step("relative", gap / abs(before) if before else 1.0)
    if name in ("bias", "psi", "freshness", "score_mean"):
        return 1 if gap else 0  # no good direction, or no common unit: counted, never decisive
    if kind == "latency":
        return _step("latency", after / before if before > 0 else 1.0)
    if kind == "kpi" and after > before and 0 <= before <= 1 and after <= 1:
        return _step("bad_kpi", gap)  # a rate of something bad, seldom in health: its ratio would call every slip large
    if kind == "kpi":
        return _step("kpi", gap / abs(before) if before else 1.0)
    if kind == "volume":
        return _step("volume", max(before - after, 0.0) / before if before > 0 else 0.0)
    if kind in ("errors", "data", "quality"):
        return _step({"errors": "errors", "data": "nulls", "quality": "points"}[kind], gap)
    return 1 if gap else 0


def error_budget_burn(facts: Facts) -> float | None:
    """Rate of errors after the onset over the rate that the SLO allows; None without an SLO on errors."""
    limit = facts.slos.get("error_rate", {}).get("max")
    reading = facts.readings().get("error_rate")
    if not limit or reading is None or reading.after is None:
        return None
    return reading.after / limit


def impact(facts: Facts) -> tuple[str, ...]:
    """Say the business impact: requests touched per hour, and KPI points lost."""
    if facts.verdict == "no_change":
        return ()
    out = []
    per_hour = requests_per_hour(facts)
    if facts.verdict == "incident" and per_hour is not None:
        out.append(f"about {_rounded(per_hour * facts.share)} requests an hour are in the affected traffic")
    out += [_kpi_words(column, r.before, r.change) for column, r in _kpis_lost(facts) if r.before is not None and r.change]
    return tuple(out)


def money(facts: Facts) -> tuple[str, ...]:
    """Say what the loss of each KPI costs per hour, with its interval, where the case says what a unit is worth."""
    per_hour = requests_per_hour(facts)
    worth = {u.kpi: u for u in facts.case.impact}
    out = []
    for column, r in _kpis_lost(facts):
        unit = worth.get(column)
        if unit is None or per_hour is None or r.change is None:
            continue
        scale = per_hour * unit.value_per_unit
        named = f" {unit.currency}" if unit.currency else ""
        between = ""
        if r.interval is not None:
            way = 1 if r.change > 0 else -1
            low, high = sorted(max(0.0, way * v * scale) for v in r.interval)  # a loss: below nothing it is none
            between = f" (95%: {_rounded(low)} to {_rounded(high)})"
        out.append(f"about {_rounded(abs(r.change) * scale)}{named} an hour lost on {column}{between}, "
                   f"at {unit.value_per_unit:g}{named} a unit")
    return tuple(out)


def _kpis_lost(facts: Facts) -> list[tuple[str, MetricReading]]:
    return [(m.partition(":")[2], r) for m, r in facts.readings().items() if m.startswith("kpi:") and r.moved and r.worse]


def requests_per_hour(facts: Facts) -> float | None:
    """Give requests per hour after the onset, None when the findings hold no volume."""
    series = next((s for s in facts.symptom.series if s.metric == "volume"), None)
    windows = facts.symptom.windows
    if windows is None:
        return None
    if series is not None and series.bucket_seconds:
        inside = [
            v
            for t, v in zip(series.times, series.values, strict=True)
            if v is not None and windows[1].start <= t < windows[1].end
        ]
        if inside:
            return sum(inside) / len(inside) * HOUR / series.bucket_seconds
    # the metric over most rows (errors, latency) rests on every request; labels and classes on fewer
    most = max((r.n_after for r in facts.readings().values()), default=0)
    return most / windows[1].seconds * HOUR if most and windows[1].seconds > 0 else None


def _counts(reading: MetricReading, facts: Facts) -> bool:
    return (reading.moved and reading.worse is not False) or reading.metric == facts.metric


def _most(reading: MetricReading, facts: Facts) -> int:
    """Cap what is no outcome by itself: nulls in an input, and precision at a prevalence that moved with the labels."""
    if reading.metric == facts.metric:
        return 3
    inputs = facts.case.roles.get("features") or ()
    if reading.metric == "average_precision" or reading.metric.partition(":")[2] in inputs:
        return 2
    return 3


def _step(kind: str, size: float) -> int:
    return sum(size >= s - 1e-12 for s in STEPS[kind])


def _level(worst: int, reach: float, breached: bool, burning: bool, harms: list[tuple[int, MetricReading]]) -> int:
    # slow answers alone hurt, but nobody is served wrongly: they reach SEV1 only beside another notable harm
    beyond_latency = any(h >= 2 and family_of(r.metric) != "latency" for h, r in harms)
    other_large = any(h == 3 and family_of(r.metric) != "latency" for h, r in harms)
    if burning and reach >= BROAD:
        worst = max(worst, 2)
    if worst == 3:
        if reach >= EVERYONE and (other_large or beyond_latency):
            return 1
        return 2 if reach >= NARROW else 3
    if worst == 2:
        kpi = any(h >= 2 and family_of(r.metric) == "kpi" for h, r in harms)
        return 2 if reach >= BROAD or (reach >= NARROW and (breached or kpi)) else 3
    return 3 if breached or (worst == 1 and reach >= BROAD) else 4


def _unsafe(facts: Facts) -> str:
    for metric, r in facts.readings().items():
        if not r.moved or r.after is None or r.before is None:
            continue
        if metric == "error_rate" and r.worse and r.after >= UNSAFE_ERRORS:
            return f"{r.after:.0%} of requests fail"
        if metric == "volume" and r.before > 0 and 1 - r.after / r.before >= UNSAFE_LOSS:
            return f"{1 - r.after / r.before:.0%} of the requests are gone"
        kpi = metric.partition(":")[2].lower()
        if metric.startswith("kpi:") and r.worse and any(w in kpi for w in UNSAFE_WORDS) and harm(r) >= 2:
            return f"unsafe output: {metric.partition(':')[2]} went from {r.before:.3g} to {r.after:.3g}"
    return ""


def _words(r: MetricReading, level: int) -> str:
    points = ""
    if r.metric.startswith("kpi:") and r.change and _is_rate(r.before, r.change):
        points = f" ({100 * r.change:+.2g} points)"
    return f"{NAMES[level]} harm: {r.metric} {number(r.metric, r.before)} -> {number(r.metric, r.after)}{points}"


def _reach_words(facts: Facts, reach: float, users: float) -> str:
    if not facts.scope.segments:
        return "all traffic is affected"
    tail = f", carrying {min(users, 1.0):.0%} of the impact" if users else ""
    return f"{reach:.0%} of requests affected{tail}"


def _rounded(value: float) -> str:
    if value < 0.005:
        return "0"
    return f"{float(f'{value:.2g}'):,.0f}" if value >= 10 else f"{value:.2g}"


def _is_rate(before: float | None, change: float) -> bool:
    return before is not None and 0 <= before <= 1 and abs(change) <= 1


def _kpi_words(column: str, before: float, change: float) -> str:
    size = f"{abs(change) * 100:.2g} points" if _is_rate(before, change) else f"{abs(change):.3g}"
    share = f" ({abs(change) / abs(before):.0%} of it)" if before and change < 0 else ""
    return f"KPI {column} {'rose' if change > 0 else 'fell'} by {size}{share}"
