"""Which guardrails the findings call for: alerts on cause and effect, schema, parity test, canary, freshness."""

from __future__ import annotations

from rca_kit.findings.settlement import Guardrail
from rca_kit.findings.suspects import Suspect
from rca_kit.findings.symptom import MetricSeries
from rca_kit.loop.guardrails.backtest import AlertRule, Backtest, series_of, suggest_rule
from rca_kit.loop.s7_settle.facts import DEPLOYS, Facts, family_of, span

MAX_ALERTS = 3
MAX_INPUTS = 2
MIN_PROBABILITY = 0.15
STALE_FACTOR = 2.0  # features may be twice as old as they usually are before someone is told
CANARY_TAIL = "p99 > +50 ms"
CANARY_METRICS = ("auc", "precision", "recall", "f1", "accuracy", "log_loss", "error_rate")
CANARY_SHARE = 0.05  # of traffic, the share most teams begin a canary with


def propose(facts: Facts) -> tuple[Guardrail, ...]:
    """Propose guardrails, causes before effects, each back-tested where the case holds the series it watches."""
    if facts.verdict == "no_change":
        return (Guardrail("alert", facts.metric, _quiet_rule(facts), "The alert fired on chance; this would have been silent."),)
    if facts.verdict == "benign_shift":
        return (
            Guardrail(
                "alert",
                facts.metric,
                "against a rolling baseline of the same hours of the last 7 days, and only "
                "together with a quality or KPI metric outside its SLO",
                "Drift without harm is no alarm.",
            ),
        )
    out = [_alert(facts, metric, rule, result) for metric, rule, result in alert_rules(facts)]
    for suspect in [s for s in facts.suspects.items[:2] if s.probability >= MIN_PROBABILITY or s.rank == 1]:
        out += _for_suspect(facts, suspect)
    seen: dict[tuple[str, str], Guardrail] = {}
    for g in out:
        seen.setdefault((g.kind, g.metric), g)
    return tuple(seen.values())


def alert_rules(facts: Facts) -> list[tuple[str, AlertRule, Backtest]]:
    """Alert rules on the causal metrics and the main metric that would have fired on this incident."""
    onset = facts.symptom.onset
    if onset is None or facts.verdict != "incident":
        return []
    outcomes = [m for m, r in facts.readings().items() if r.moved and r.worse and family_of(m) in ("quality", "kpi", "errors")]
    # a drift distance depends on its baseline and bins: a schema check watches that better than a threshold on a chart
    names = [m for m in dict.fromkeys([*_causal_metrics(facts), facts.metric, *outcomes]) if not m.startswith("psi:")]
    found = []
    for name in names:
        series = series_of(facts.symptom, name)
        suggestion = suggest_rule(series, onset, facts.case.detected_at) if series else None
        if suggestion is not None:
            found.append((name, *suggestion))
    return found[:MAX_ALERTS]


def canary_rule(facts: Facts) -> str:
    """Write the rollback trigger in the notation of `triggers.parse_trigger`: half of this incident's change, at most 5 %.

    Half, since a canary should stop what is smaller than an incident; 5 %, since people agree that this is too much.
    """
    metric, symptom = facts.metric, facts.symptom
    if metric == "error_rate":
        return f"error_rate > +1pp or {CANARY_TAIL} for 5 min"
    if metric.startswith("latency"):
        return f"{CANARY_TAIL} or error_rate > +1pp for 5 min"
    if metric not in CANARY_METRICS or not symptom.before or symptom.change is None:
        return f"precision < -5% or {CANARY_TAIL} for 5 min"
    percent = min(5, max(1, round(50 * abs(symptom.change) / abs(symptom.before))))
    limit = f"> +{percent}%" if metric == "log_loss" else f"< -{percent}%"
    return f"{metric} {limit} or {CANARY_TAIL} for 5 min"


def incident_series(facts: Facts) -> dict[str, MetricSeries]:
    """Give the series behind the alert rules, by metric."""
    return {s.metric: s for s in facts.symptom.series}


def _causal_metrics(facts: Facts) -> list[str]:
    charted = [s.metric for s in facts.symptom.series]
    first = facts.first
    wanted = []
    if first is not None:
        kind, _, name = first.subject.partition(":")
        near = {
            "feature": [f"null_rate:{name}", f"psi:{name}"],
            "component": [f"freshness:{name}", "error_rate"],
            "stage": ["latency_p95", "latency_p99"],
            "label": [f"null_rate:{facts.case.roles.get('label')}"],
            "threshold": ["positive_rate"],
            "routing": ["positive_rate"],
            "traffic": ["volume", "error_rate"],
            "model": ["score_mean", "positive_rate"],
        }.get(kind, [])
        wanted = [m for m in near if m in charted]
    nulls = [o.metric for o in facts.symptom.onsets if o.metric.startswith(("null_rate:", "freshness:")) and o.metric in charted]
    return wanted + nulls


def _alert(facts: Facts, metric: str, rule: AlertRule, result: Backtest) -> Guardrail:
    cause = metric != facts.metric and family_of(metric) not in ("quality", "kpi", "errors", "latency")
    lead = result.lead_minutes or 0.0
    late = "as early as the alert" if lead > -1 else f"{span(-lead)} after it"
    when = f"{span(lead)} before the alert" if lead >= 1 else late
    why = f"Watches the {'cause' if cause else 'effect'}; on this log it fires {when}, "
    why += f"after {result.healthy_days:.1f} healthy days "
    why += "without a false alarm." if not result.false_alarms else f"with {result.false_alarms} false alarms."
    return Guardrail("alert", metric, str(rule), why, lead, result.false_alarms_per_week)


def _for_suspect(facts: Facts, suspect: Suspect) -> list[Guardrail]:
    kind, _, name = suspect.subject.partition(":")
    change = facts.change_of(suspect)
    out = []
    for column in [name] if kind == "feature" else _broken_inputs(facts) if kind == "component" else []:
        out.append(
            Guardrail(
                "schema",
                f"feature:{column}",
                f"null share, range and values of {column} as on healthy days",
                "Stops a broken input at the door; runs on every batch, or on a sample of requests.",
            )
        )
        if suspect.category in ("code", "config", "data", "upstream"):
            out.append(
                Guardrail(
                    "parity_test",
                    f"feature:{column}",
                    f"offline and online values of {column} agree per request",
                    "A difference between training and serving shows before the release, not after.",
                )
            )
    aged = any("stale" in e.says or "freshness" in e.says for e in suspect.evidence)
    stale = kind == "component" and (suspect.category == "data" or aged)
    if stale or facts.metric.startswith("freshness:"):
        component = name or facts.metric.partition(":")[2]
        out.append(
            Guardrail(
                "freshness",
                f"freshness:{component}",
                f"age at most {STALE_FACTOR:g} x its usual maximum",
                "A job that does not run raises no error; only the age of what it writes tells.",
            )
        )
    if kind in ("model", "threshold", "routing") or (change is not None and change.kind in DEPLOYS):
        out.append(
            Guardrail(
                "canary",
                facts.metric,
                f"{canary_rule(facts)}, at {CANARY_SHARE:.0%} of traffic",
                "Shows the next change to few users first, and takes it back by itself.",
            )
        )
    if kind == "label":
        out.append(
            Guardrail(
                "schema",
                "label",
                "share of labels that arrive, and their positive rate, as on healthy days",
                "Quality metrics and training rest on labels; they need a check of their own.",
            )
        )
    return out


def _broken_inputs(facts: Facts) -> list[str]:
    """Inputs that lost values: what a broken component shows in the log."""
    inputs = facts.case.roles.get("features") or ()
    lost = [r for m, r in facts.readings().items() if m.startswith("null_rate:") and r.moved and r.worse]
    lost.sort(key=lambda r: -(r.change or 0.0))
    return [c for r in lost if (c := r.metric.partition(":")[2]) in inputs][:MAX_INPUTS]


def _quiet_rule(facts: Facts) -> str:
    reading = facts.signal.reading
    need = f"fewer than {_needed(facts)} rows in its window" if reading is not None else "few rows in its window"
    how = "and compare with the same hours of earlier days"
    if reading is not None and family_of(facts.metric) == "quality":
        return f"silent with {need} (labelled), {how}"
    return f"silent with {need}, {how}"


def _needed(facts: Facts) -> str:
    """Rows for which the alerted drop would lie outside chance: the interval shrinks with the root of the rows."""
    r = facts.signal.reading
    if r is None or r.interval is None or r.change is None or not r.change or r.n_after <= 0:
        return "1,000"
    half = (r.interval[1] - r.interval[0]) / 2
    need = r.n_after * max(1.0, (half / abs(r.change)) ** 2)
    return f"{float(f'{min(need, 1e6):.1g}'):,.0f}"
