"""Judge what a group would do: severity, the risk of its first step, its guardrail tried out on the log, its last why."""

from __future__ import annotations

from typing import Any

from rca_kit.findings.drill import Judged
from rca_kit.findings.settlement import Why
from rca_kit.loop.guardrails.backtest import AlertRule, backtest, series_of
from rca_kit.loop.reading.names import series_for
from rca_kit.loop.s2_symptom import chart
from rca_kit.loop.s7_settle.decisions import DecisionRule, load_table
from rca_kit.loop.s7_settle.severity import UNSAFE_WORDS
from rca_kit.loop.s7_settle.whys import PROCESS, check_whys
from rca_kit.training.judge import Bench, judged

MOST_FALSE_PER_WEEK = 1.0  # more false alarms a week, and people switch an alert off
RISK_STEP = 0.2  # of the points, for each step of risk above the safest one that fits
LATE, OTHER_KIND, NO_CATCH = (
    0.7,
    0.6,
    0.15,
)  # shares of the points: noisy or later than the alert; a control not tried here; silent
# Controls that are no alert, and the categories whose faults they stop before or as they enter.
NAMED = {"schema": "schema check", "freshness": "freshness check"}
KINDS = {
    "schema": ("data", "upstream", "config", "code"),
    "parity_test": ("code", "model", "config"),
    "canary": ("model", "code", "config", "infra"),
    "freshness": ("data", "upstream", "config"),
}
HARM = {
    "rollback": "A roll-back without a guilty change puts a second change on top of the first trouble.",
    "none": "To wait lets it go on hurting.",
    "change_monitoring": "To change the alert hides it.",
    "fix_forward": "A fix written in a hurry is a new, untested change.",
    "fail_closed": "It stops good answers as well.",
    "throttle": "It turns users away and leaves the cause as it is.",
}


def judge_settle(b: Bench) -> tuple[list[Judged], int | None]:
    """All of step 7, with the risk of the mitigation."""
    out = [_severity(b)]
    mitigation, risk = _mitigation(b)
    out.append(mitigation)
    if b.key.verdict == "incident":
        out += [_guardrail(b), _last_why(b)]
    return out, risk


def _severity(b: Bench) -> Judged:
    given, kit = b.answers.severity or "", b.inv.settlement.severity.level or "none"
    if not given:
        share = 0.0
    elif "none" in (given, kit):
        share = float(given == kit)
    else:
        share = 1 - abs(int(given[-1]) - int(kit[-1])) / 2
    because = "; ".join(b.inv.settlement.severity.because) or "nothing happened"
    return judged(
        "severity", given, kit, kit, share, f"By the kit's rule: {because}.", "share of requests, SLOs and KPIs that are hit"
    )


def _mitigation(b: Bench) -> tuple[Judged, int | None]:
    given = b.answers.mitigation
    fitting = _fitting(b)
    best = min((r.risk for r in fitting), default=1)
    mine = [r for r in fitting if r.action == given]
    first = b.inv.settlement.mitigations[0] if b.inv.settlement.mitigations else None
    kit = f"{first.action} {first.target}".strip() if first else "none"
    truth = ", ".join(dict.fromkeys(r.action for r in sorted(fitting, key=lambda r: r.risk)))
    told = b.key.mitigation and f" Here: {b.key.mitigation}."
    if given is None:
        return judged("mitigation", "", truth, kit, 0.0, f"First the step that fits and risks least.{told}"), None
    if not mine:
        why = f"{HARM.get(given, 'It does not act on this cause.')}{told}"
        return judged("mitigation", given, truth, kit, 0.0, why, "the decision table in docs/settle.md"), None
    rule = min(mine, key=lambda r: r.risk)
    why = f"{_sentence(rule.why)} Risk {rule.risk} of 5, {'can' if rule.reversible else 'cannot'} be taken back."
    if rule.risk > best:
        why += f" A step of risk {best} fits as well."
    return judged("mitigation", given, truth, kit, 1 - RISK_STEP * (rule.risk - best), why + str(told)), rule.risk


def _sentence(text: str) -> str:
    return text.split("{", 1)[0].rstrip(" :;,") + "." if "{" in text else text


def _fitting(b: Bench) -> list[DecisionRule]:
    """Rows of the decision table that fit the true cause; what only a running investigation knows is left open."""
    change = next((c for c in b.inv.case.changes if c.id in b.changes), None)
    moved = (b.inv.symptom.metric, *b.inv.symptom.also_changed)
    told: dict[str, set[Any]] = {
        "verdict": {b.key.verdict},
        "category": set(b.categories) or {None},
        "subject": {s.partition(":")[0] for s in b.subjects} or {None},
        "change_kind": {change.kind if change else None},
        "change": {change is not None},
        "task": {b.inv.case.task},
        "unsafe": {any(m.startswith("kpi:") and any(w in m.lower() for w in UNSAFE_WORDS) for m in moved)},
        "global": {not b.key.where},
    }
    found = []
    for rule in load_table():
        listed = {k: v if isinstance(v, list) else [v] for k, v in rule.when.items()}
        if "max_probability" in listed:
            continue
        if any(not told[k] & set(v) for k, v in listed.items() if k in told):
            continue
        if "name" in listed and not any(w in s.lower() for s in b.subjects for w in listed["name"]):
            continue
        found.append(rule)
    return found


def _guardrail(b: Bench) -> Judged:
    proposed = b.answers.guardrail
    ours = [g for g in b.inv.settlement.guardrails if g.lead_minutes is not None]
    kit = f"{ours[0].metric} {ours[0].rule}" if ours else "none tried"
    truth = f"such as {kit}" if ours else "a control where the fault enters"
    if proposed is None:
        return judged("guardrail", "", truth, kit, 0.0, "Without a control that would have caught it, it comes back.")
    given = f"{proposed.kind}: {proposed.metric} {proposed.rule}".strip()
    if proposed.kind != "alert":
        fits = bool(set(KINDS[proposed.kind]) & set(b.categories))
        named = NAMED.get(proposed.kind, proposed.kind.replace("_", " "))
        why = (
            f"A {named} stops faults of this kind; the log cannot try it out, so say who runs it."
            if fits
            else f"A {proposed.kind.replace('_', ' ')} does not see a fault of the category {b.key.category}."
        )
        return judged("guardrail", given, truth, kit, OTHER_KIND if fits else 0.0, why)
    series = series_of(b.inv.symptom, proposed.metric)
    if series is None:
        name = series_for(proposed.metric, b.worked.picture.series)
        series = chart(b.worked.picture, name) if name else None
    if series is None or b.key.onset is None:
        return judged(
            "guardrail", given, truth, kit, 0.0, f"The log does not hold {proposed.metric}, so the rule can never fire."
        )
    from rca_kit.training.answers import Rule

    rule = Rule.parse(proposed.rule)
    assert rule is not None  # checked when the answers were read
    tried = backtest(AlertRule(series.metric, rule.op, rule.threshold, rule.minutes), series, b.key.onset, b.inv.case.detected_at)
    if not tried.catches:
        return judged(
            "guardrail", given, truth, kit, NO_CATCH, "Tried out on the log, the rule stays silent."
        )
    weekly = tried.false_alarms_per_week
    noisy = weekly is not None and weekly > MOST_FALSE_PER_WEEK
    late = (tried.lead_minutes or 0) < 0
    lead = f"{abs(tried.lead_minutes or 0):.0f} minutes {'after' if late else 'before'} the alert that did"
    why = (
        f"Tried out on the log it fires {lead}, with {tried.false_alarms} false alarms in {tried.healthy_days:.1f} healthy days."
    )
    if noisy:
        why += " That is too noisy: people will switch it off."
    return judged("guardrail", given, truth, kit, LATE if noisy or late else 1.0, why, "the metric's range on healthy days")


def _last_why(b: Bench) -> Judged:
    given = (b.answers.last_why or "").strip()
    whys = b.inv.settlement.whys
    kit = whys[-1].answer if whys else ""
    if not given:
        return judged(
            "last_why", "", "a process or control that was missing", kit, 0.0, "Five whys end where something can be mended."
        )
    people = any(p.code == "person" for p in check_whys((Why("Why?", given),)))
    ends = bool(PROCESS.search(given))
    why = (
        "It ends at a person; a person cannot be mended, the step that let it through can."
        if people
        else "It ends at a control that can be built."
        if ends
        else "It does not yet name the control that was missing: which test, check, alert or review?"
    )
    return judged("last_why", given, "a process or control that was missing", kit, float(ends and not people), why)
