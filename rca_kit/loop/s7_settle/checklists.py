"""The checklists of an investigation, with states from the findings: what is done, what failed, what is still open."""

from __future__ import annotations

from collections.abc import Iterable

from rca_kit.findings.settlement import Action, CheckItem, Guardrail, Mitigation, Why
from rca_kit.findings.suspects import CheckResult
from rca_kit.loop.s7_settle.facts import DEPLOYS, Facts, clock, number, span
from rca_kit.loop.s7_settle.lasting import everywhere, over_time
from rca_kit.loop.s7_settle.whys import check_whys

TRIAGE = "Triage"
PARITY = "Data and model parity"
INFRA = "Infrastructure and routing"
FOUND = "Did you really find the root cause?"
DONE = "Definition of done"
LABELS_ENOUGH = 0.8  # share of the usual labels; below it quality after the onset is still moving
NEARBY_HOURS = 24.0
STABLE = 0.5  # of resamples that find a segment again

# Checklist lines that rest on checks of step 4: (list, text, codes of the checks, words of other checks' titles)
LINES: tuple[tuple[str, str, tuple[str, ...], tuple[str, ...]], ...] = (
    (PARITY, "Nulls and defaults per feature are as before", ("null_rate",), ("null",)),
    (PARITY, "Units, ranges and scaling are as before", ("value_range",), ("range", "unit")),
    (PARITY, "Categories and encodings are as before", ("categories",), ("categor", "encod")),
    (PARITY, "Distributions of inputs are as before", ("drift",), ("drift",)),
    (PARITY, "Features go together as before (no shifted or swapped columns)", ("relation",), ("relation",)),
    (PARITY, "The same inputs give the same scores", ("score_function",), ("score function",)),
    (PARITY, "The model version is the intended one and no worse than the last", ("version",), ("version",)),
    (PARITY, "The decision threshold is as before", ("threshold",), ("threshold",)),
    (PARITY, "Labels arrive and mean what they meant", ("labels",), ("label",)),
    (PARITY, "Labels follow the inputs as before (concept)", ("concept",), ("concept",)),
    (PARITY, "Scores are present and vary", ("outputs",), ("output",)),
    (PARITY, "Texts are as long as before", ("text",), ("text",)),
    (INFRA, "No stage of the request slowed down", ("stage_latency",), ("stage",)),
    (INFRA, "No type of error became more frequent", ("error_types",), ("error",)),
    (INFRA, "CPU, memory, queues, caches and restarts are as before", ("service_metrics",), ("service metric", "saturation")),
    (INFRA, "As many requests as in the same hours before, none lost or doubled", ("volume",), ("volume",)),
    (INFRA, "Traffic split and mix are as before", ("mix",), ("mix", "routing")),
)


def checklists(
    facts: Facts,
    mitigations: tuple[Mitigation, ...],
    guardrails: tuple[Guardrail, ...],
    whys: tuple[Why, ...],
    actions: tuple[Action, ...],
) -> tuple[CheckItem, ...]:
    """Fill all checklists; lines of the last two exist only for incidents."""
    out = [*_triage(facts, mitigations), *_from_checks(facts, PARITY), *_replay(facts)]
    out += [*_from_checks(facts, INFRA), *_changes(facts)]
    if facts.verdict == "incident":
        out += [*found_items(facts, guardrails), *_done(facts, guardrails, whys, actions)]
    return tuple(out)


def found_items(facts: Facts, guardrails: tuple[Guardrail, ...]) -> list[CheckItem]:
    """Answer the three questions of "did you really find it?" from evidence."""
    best = facts.simulation.best()
    if facts.simulation.confirmed:
        removes = CheckItem(FOUND, "One targeted change removes it", "done", best.says if best else facts.simulation.says())
    elif best is not None:
        state = "open" if (best.restored or 0) >= 0.5 else "failed"
        removes = CheckItem(FOUND, "One targeted change removes it", state, best.says)
    else:
        need = "; ".join(facts.simulation.needs[:2])
        removes = CheckItem(FOUND, "One targeted change removes it", "open", f"not tried: {need}" if need else "not tried")
    return [removes, _holds_everywhere(facts), _guarded(guardrails)]


def _holds_everywhere(facts: Facts) -> CheckItem:
    text = "It holds in every affected segment, and over time"
    segments = facts.scope.segments
    first = facts.first
    lasts = over_time(facts)
    if not segments and facts.scope.is_global:
        found = everywhere(facts)
        good = bool(found.holds and lasts.holds)
        return CheckItem(FOUND, text, "done" if good else "open", f"{found.says}; {lasts.says}")
    shaky = [s for s in segments if s.stability is not None and s.stability < STABLE]
    explained = first.explains_share if first else None
    parts = [f"{len(segments)} segment{'s' if len(segments) != 1 else ''}: {facts.where}"]
    if shaky:
        parts.append(f"{len(shaky)} of them found in fewer than half of the resamples")
    told = f"{explained:.0%} of the change" if explained is not None else "an unknown share of the change"
    parts.append(f"the first suspect explains {told}")
    good = bool(segments) and not shaky and explained is not None and explained >= 0.5 and bool(lasts.holds)
    parts.append(lasts.says)
    return CheckItem(FOUND, text, "done" if good else "open", "; ".join(parts))


def _guarded(guardrails: tuple[Guardrail, ...]) -> CheckItem:
    tested = [g for g in guardrails if g.lead_minutes is not None]
    if not guardrails:
        return CheckItem(FOUND, "A guardrail exists", "open", "none proposed")
    if not tested:
        return CheckItem(FOUND, "A guardrail exists", "open", f"{len(guardrails)} proposed, none back-tested yet")
    best = max(tested, key=lambda g: g.lead_minutes or 0.0)
    return CheckItem(
        FOUND,
        "A guardrail exists",
        "open",
        f"proposed and back-tested: {best.metric} {best.rule}; it counts once it runs in production",
    )


def _triage(facts: Facts, mitigations: tuple[Mitigation, ...]) -> list[CheckItem]:
    signal, symptom = facts.signal, facts.symptom
    holds = CheckItem(TRIAGE, "The alert holds on the log itself", "done" if signal.holds else "failed", signal.because)
    if facts.verdict == "no_change":
        when = CheckItem(TRIAGE, "Onset is known", "not_applicable", "nothing changed")
        who = CheckItem(TRIAGE, "Who is affected is known", "not_applicable", "nothing changed")
    else:
        onset = f"{clock(symptom.onset)}, {symptom.shape}" if symptom.onset else "no onset found"
        when = CheckItem(TRIAGE, "Onset is known", "done" if symptom.onset else "open", onset)
        known = bool(facts.scope.segments) or facts.scope.is_global
        who = CheckItem(TRIAGE, "Who is affected is known", "done" if known else "open", facts.scope.says())
    worse = [
        f"{r.metric} {number(r.metric, r.before)} -> {number(r.metric, r.after)}"
        for r in facts.readings().values()
        if r.moved and r.worse and r.metric != facts.metric
    ]
    also = CheckItem(
        TRIAGE,
        "Other outcomes were looked at",
        "done" if signal.others else "open",
        "; ".join(worse[:3]) if worse else f"{len(signal.others)} metrics, none other got worse",
    )
    near = f"{_nearby(facts)} of {len(facts.case.changes)} within a day before it"
    logged = CheckItem(
        TRIAGE,
        "Changes near the onset were listed",
        "done" if facts.case.changes else "open",
        near if facts.case.changes else "no change log given",
    )
    before, after = signal.label_share_before, signal.label_share_after
    if before is None or after is None:
        labels = CheckItem(TRIAGE, "Enough labels have arrived to judge quality", "not_applicable", "no labels in the log")
    else:
        enough = after >= LABELS_ENOUGH * before
        labels = CheckItem(
            TRIAGE,
            "Enough labels have arrived to judge quality",
            "done" if enough else "failed",
            f"{after:.0%} of requests after the onset have one, {before:.0%} before",
        )
    stable = CheckItem(TRIAGE, "Stabilised", "not_applicable", "nothing to stabilise")
    if facts.verdict == "incident" and mitigations:
        first = f"{mitigations[0].action.replace('_', ' ')} {mitigations[0].target}".strip()
        stable = CheckItem(TRIAGE, "Stabilised", "open", f"first: {first}")
    return [holds, when, who, also, logged, labels, stable]


def _from_checks(facts: Facts, name: str) -> list[CheckItem]:
    out = []
    for list_name, text, codes, words in LINES:
        if list_name != name:
            continue
        results = _matching(facts.suspects.checks, codes, words)
        found = next((c for c in results if c.status == "found"), None)
        clear = next((c for c in results if c.status == "clear"), None)
        if found is not None:
            out.append(CheckItem(name, text, "failed", found.says))
        elif clear is not None:
            out.append(CheckItem(name, text, "done", clear.says))
        elif results:
            out.append(CheckItem(name, text, "not_applicable", results[0].says))
        else:
            out.append(CheckItem(name, text, "open", "not checked"))
    return out


def _matching(checks: Iterable[CheckResult], codes: tuple[str, ...], words: tuple[str, ...]) -> list[CheckResult]:
    exact = [c for c in checks if c.code in codes]
    return exact or [c for c in checks if any(w in c.title.lower() for w in words)]


def _replay(facts: Facts) -> list[CheckItem]:
    text = "Golden set replayed through the current and the previous version"
    trial = next((t for t in facts.simulation.trials if t.kind in ("replay", "shadow")), None)
    if trial is None:
        need = next((n for n in facts.simulation.needs if "golden" in n.lower() or "model" in n.lower()), "")
        return [CheckItem(PARITY, text, "open", need or "not run")]
    state = {"worse": "failed", "different": "failed", "inconclusive": "open"}.get(trial.verdict, "done")
    return [CheckItem(PARITY, text, state, trial.says)]


def _changes(facts: Facts) -> list[CheckItem]:
    text = "No release, setting or flag changed shortly before the onset"
    if not facts.case.changes:
        return [CheckItem(INFRA, text, "open", "no change log given")]
    if facts.symptom.onset is None:
        return [CheckItem(INFRA, text, "not_applicable", "there is no onset")]
    near = [c.id for c in facts.case.changes if c.kind in DEPLOYS and _hours_before(facts, c.time) is not None]
    return [CheckItem(INFRA, text, "failed" if near else "done", ", ".join(near[:6]) if near else "none within a day before")]


def _nearby(facts: Facts) -> int:
    return sum(_hours_before(facts, c.time) is not None for c in facts.case.changes)


def _hours_before(facts: Facts, when: object) -> float | None:
    onset = facts.symptom.onset or facts.case.detected_at
    hours = (onset - when).total_seconds() / 3600  # type: ignore[operator]
    # people write change logs by hand: an hour after the onset can still be before it
    return hours if -1.0 <= hours <= NEARBY_HOURS else None


def _done(facts: Facts, guardrails: tuple[Guardrail, ...], whys: tuple[Why, ...], actions: tuple[Action, ...]) -> list[CheckItem]:
    problems = check_whys(whys)
    prevent = [a for a in actions if a.kind == "prevent"]
    owned = prevent and all(a.owner and a.due for a in prevent)
    measured = prevent and all(a.success_metric for a in prevent)
    onset = facts.symptom.onset
    minutes = (facts.case.detected_at - onset).total_seconds() / 60 if onset else 0.0
    detect = f"detected {span(minutes)} after the onset" if onset else "onset not known"
    confirmed = facts.simulation.confirmed
    return [
        CheckItem(
            DONE,
            "Cause confirmed by a test, not only likely",
            "done" if confirmed else "open",
            "confirmed by simulation" if confirmed else (facts.first.next_test if facts.first else "no suspect"),
        ),
        CheckItem(
            DONE,
            "5 Whys end at a process or control",
            "failed" if problems else "done",
            problems[0].says if problems else whys[-1].answer,
        ),
        CheckItem(
            DONE,
            "A preventive action has an owner and a due date",
            "done" if owned else "open",
            "" if owned else "owner and due date are empty",
        ),
        CheckItem(
            DONE,
            "Each preventive action has a success metric",
            "done" if measured else "open",
            prevent[0].success_metric if prevent else "no preventive action",
        ),
        CheckItem(DONE, "Time to detect and to recover are recorded", "open", f"{detect}; to recover: after `rca-kit verify`"),
        CheckItem(DONE, "A guardrail is live", "open", f"{len(guardrails)} written by `rca-kit guardrails`"),
        CheckItem(DONE, "Recovery verified per affected segment", "open", "`rca-kit verify CASE --since TIME`"),
    ]
