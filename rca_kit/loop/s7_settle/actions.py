"""Follow-up actions, each with a success metric that can be measured; owner and due date are for people to fill."""

from __future__ import annotations

from rca_kit.findings.settlement import Action, Guardrail
from rca_kit.loop.s7_settle.facts import Facts, span

# The control whose absence the 5 Whys end at, as work to be done: (action, success metric).
PREVENT: dict[str, tuple[str, str]] = {
    "data": (
        "Check row counts, nulls and age between the job and the feature store, and stop the load when they fail",
        "a drill with an empty and a half-empty batch is stopped before serving, 2 of 2",
    ),
    "model": (
        "Replay the golden set by segment before a version takes traffic, and gate on it",
        "no version reaches more than 5% of traffic without a passed replay, for 30 days",
    ),
    "code": (
        "Add a parity test of features, as trained against as served, to the release pipeline",
        "the test fails on this incident's release and passes on the last 5 healthy ones",
    ),
    "infra": (
        "Add a load test at 1.5 x peak with the real payload to the release, and an alert on saturation",
        "p95 stays inside its SLO in the test; the alert fires 10 minutes before requests slow down",
    ),
    "config": (
        "Add a contract test on keys, flags and thresholds, and roll settings out through a canary",
        "every change of settings in 30 days went through the canary; the test fails on this incident's setting",
    ),
    "upstream": (
        "Add a contract test on the supplier's schema and null rates, and a circuit breaker with a default",
        "a drill with the supplier down keeps errors inside the SLO",
    ),
    "external": (
        "Feed the calendar of campaigns and seasons to the alerts, and watch quality by segment",
        "the next known campaign raises no false alarm; a new segment shows in the dashboard within a day",
    ),
}
LABEL_PREVENT = (
    "Check the share and the rate of labels before evaluation and training read them",
    "a drill with a stopped label job is reported within an hour",
)


def actions(facts: Facts, guardrails: tuple[Guardrail, ...]) -> tuple[Action, ...]:
    """Draft actions: contain and fix, confirm, prevent, detect, verify, learn. Kinds are `fix`, `prevent`, `detect`, `learn`."""
    if facts.verdict == "no_change":
        g = guardrails[0] if guardrails else None
        rule = f" ({g.rule})" if g else ""
        return (
            Action(
                f"Retune the alert on {facts.metric}{rule}",
                "detect",
                success_metric="no false alarm over the last 4 weeks, replayed",
            ),
        )
    if facts.verdict == "benign_shift":
        return (
            Action(
                f"Move the baseline of {facts.metric} to a rolling one and tie its alert to an outcome",
                "detect",
                success_metric="replayed on this log the alert stays silent; on a log with a quality drop it fires",
            ),
            Action(
                f"Watch quality and KPIs for {facts.where} for a week",
                "learn",
                success_metric="both stay inside their SLOs; else open an incident",
            ),
        )
    first = facts.first
    out = []
    if first is not None and not facts.simulation.confirmed and first.next_test:
        out.append(
            Action(
                f"Confirm the cause: {first.next_test}",
                "fix",
                success_metric="the test removes the symptom in every affected segment, or the suspect is dropped",
            )
        )
    if first is not None:
        slow = first.category == "code" and facts.family in ("latency", "errors")
        text, metric = LABEL_PREVENT if first.subject == "label" else PREVENT["infra" if slow else first.category]
        out.append(Action(text, "prevent", success_metric=metric))
    out += [_alert(g) for g in guardrails if g.kind == "alert" and g.lead_minutes is not None][:2]
    others = [g for g in guardrails if g.kind in ("schema", "parity_test", "canary", "freshness")]
    if others:
        names = ", ".join(dict.fromkeys(g.kind.replace("_", " ") for g in others))
        out.append(
            Action(
                f"Run the generated guardrails in CI or the pipeline: {names}",
                "prevent",
                success_metric="they fail on this incident's data and pass on the last healthy day",
            )
        )
    out.append(
        Action(
            "Verify the recovery with rca-kit verify and record time to detect and to recover",
            "fix",
            success_metric=f"{facts.metric} equivalent to before the incident in every affected segment",
        )
    )
    out.append(
        Action(
            "Hold the review and run this incident as a drill",
            "learn",
            success_metric="a team that has not seen it names the first suspect within 30 minutes",
        )
    )
    return tuple(out)


def _alert(g: Guardrail) -> Action:
    lead = max(g.lead_minutes or 0.0, 0.0)
    return Action(
        f"Switch on the alert {g.metric} {g.rule}",
        "detect",
        success_metric=f"fires {span(lead)} before the old alert in a replay; at most 1 false alarm a week",
    )
