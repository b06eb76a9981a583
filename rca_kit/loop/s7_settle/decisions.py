"""Mitigations from a table of rules that a team can read and override."""

from __future__ import annotations

import functools
import importlib.resources
import os
import string
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rca_kit.case.yamlio import load_yaml
from rca_kit.errors import BadInput, did_you_mean
from rca_kit.findings.base import iso
from rca_kit.findings.settlement import Mitigation
from rca_kit.findings.suspects import CATEGORIES, Suspect
from rca_kit.loop.s7_settle.facts import Facts
from rca_kit.loop.s7_settle.severity import UNSAFE_WORDS

ACTIONS = (
    "rollback",
    "fallback_model",
    "fail_open",
    "fail_closed",
    "throttle",
    "cached_features",
    "rules_only",
    "quarantine_batch",
    "fix_forward",
    "change_monitoring",
    "none",
)
WHEN = (
    "verdict",
    "category",
    "subject",
    "change_kind",
    "family",
    "task",
    "severity",
    "sign",
    "change",
    "global",
    "unsafe",
    "min_probability",
    "max_probability",
    "name",
)
FIELDS = ("subject", "column", "component", "change", "version_from", "version_to", "where", "metric", "onset")
OWN_TABLE = "decision_table.yaml"  # a team's file in the case folder
OWN_VARIABLE = "RCA_KIT_DECISION_TABLE"  # ... or named for all cases
MIN_PROBABILITY = 0.15  # suspects below it propose nothing: each wrong mitigation costs minutes of an outage
RIVAL = 0.5  # a suspect at less than half of the first one's probability waits until the first one's actions were tried
MAX_ACTIONS = 5
ONE_AT_A_TIME = "Verify this before the next change."


@dataclass(frozen=True)
class DecisionRule:
    """One row of the table: when `when` holds, propose `action` on `target`. `risk` is 1 (least) to 5."""

    id: str
    when: dict[str, Any]
    action: str
    target: str
    risk: int
    reversible: bool
    why: str
    verify: str


def team_table(folder: str | Path) -> Path | None:
    """Find a team's decision table: ``decision_table.yaml`` in the case folder, else the file named by RCA_KIT_DECISION_TABLE.

    Raises
    ------
    BadInput
        When the variable names no file, or the table cannot be used; early, before anything was computed.
    """
    own = Path(folder) / OWN_TABLE
    named = os.environ.get(OWN_VARIABLE, "")
    found = own if own.is_file() else Path(named).expanduser() if named else None
    if found is not None:
        load_table(found)
    return found


def load_table(override: str | Path | None = None) -> tuple[DecisionRule, ...]:
    """Read the kit's table and a team's file over it.

    Parameters
    ----------
    override : path, optional
        YAML with `rules`, and optionally `disable` (ids) and `replace: true`.

    Raises
    ------
    BadInput
        Naming file, rule and key, when the table has unknown keys, actions or fields.

    Examples
    --------
    >>> {rule.action for rule in load_table()} <= set(ACTIONS)
    True
    """
    rules = {r.id: r for r in _kit_rules()}
    if override is None:
        return tuple(rules.values())
    file = Path(override)
    if not file.is_file():
        raise BadInput("there is no such decision table", file=str(file))
    data = load_yaml(file)
    own = {r.id: r for r in _rules(data, file.name)}
    if data.get("replace"):
        rules = {}
    for name in data.get("disable") or ():
        if name not in rules:
            raise BadInput(f"`disable` names no rule: {name}", file=file.name, hint=did_you_mean(str(name), rules))
        rules.pop(name)
    return tuple({**rules, **own}.values())


@functools.cache
def _kit_rules() -> tuple[DecisionRule, ...]:
    with importlib.resources.as_file(importlib.resources.files(__package__).joinpath("decision_table.yaml")) as path:
        return tuple(_rules(load_yaml(path), path.name))


def mitigations(facts: Facts, level: str | None, table: tuple[DecisionRule, ...]) -> tuple[Mitigation, ...]:
    """Propose mitigations, least risky and reversible first, at most five, no action on one target twice.

    Suspects that are not rivals of the first come after it; within a risk, the more probable suspect's proposal comes first.
    """
    candidates: list[Suspect | None] = [s for s in facts.suspects.items[:3] if s.probability >= MIN_PROBABILITY]
    candidates = candidates or [facts.first]
    found: list[tuple[tuple[float, ...], Mitigation]] = []
    for place, suspect in enumerate(candidates):
        for order, rule in enumerate(table):
            if _holds(rule.when, suspect, facts, level, leading=place == 0):
                later = suspect is not None and facts.first is not None and _comes_after(suspect, facts.first)
                found.append(((later, rule.risk, not rule.reversible, place, order), _fill(rule, suspect, facts)))
    if facts.verdict == "incident" and all(key[0] for key, _ in found):  # nothing is known to do about the first suspect
        found.append(((False,), _last_resort(facts)))
    out: dict[tuple[str, str], Mitigation] = {}
    for _, m in sorted(found, key=lambda f: f[0]):
        # a rival's own release can be another one to take back; any other action is tried on one target first
        if m.action == "rollback" or all(m.action != earlier.action for earlier in out.values()):
            out.setdefault((m.action, m.target), m)
    listed = list(out.values())[:MAX_ACTIONS] or [_last_resort(facts)]
    if len(listed) > 1 and facts.verdict == "incident":
        listed = [Mitigation(m.action, m.target, m.reversible, m.why, f"{m.verify} {ONE_AT_A_TIME}") for m in listed]
    return tuple(listed)


def _comes_after(suspect: Suspect, first: Suspect) -> bool:
    """Whether a suspect is no rival of the first: much less likely, or a change that may have brought the same thing, or not."""
    same = suspect.subject == first.subject and first.change_id is None and suspect.change_id is not None
    return same or suspect.probability < RIVAL * first.probability


def is_unsafe(facts: Facts) -> bool:
    """Whether outputs that harm people went up: a KPI that counts unsafe answers got worse."""
    return any(
        m.startswith("kpi:") and r.moved and r.worse and any(w in m.lower() for w in UNSAFE_WORDS)
        for m, r in facts.readings().items()
    )


def _last_resort(facts: Facts) -> Mitigation:
    return Mitigation(
        "fallback_model",
        f"last known good for {facts.where}",
        reversible=True,
        why="No rule of the decision table fits; a known good path stops the loss while the next tests run.",
        verify=f"{facts.metric} recovers.",
    )


def _holds(when: dict[str, Any], suspect: Suspect | None, facts: Facts, level: str | None, *, leading: bool) -> bool:
    change = facts.change_of(suspect)
    told = {
        "verdict": facts.verdict,
        "category": suspect.category if suspect else None,
        "subject": suspect.subject.partition(":")[0] if suspect else None,
        "change_kind": change.kind if change else None,
        "family": facts.family,
        "task": facts.case.task,
        "severity": level,
        "change": bool(suspect and suspect.change_id),
        "global": not facts.scope.segments,
        "unsafe": is_unsafe(facts),
    }
    for key, wanted in when.items():
        if key == "min_probability":
            ok = bool(suspect and suspect.probability >= float(wanted))
        elif key == "max_probability":
            ok = leading and (suspect is None or suspect.probability <= float(wanted))
        elif key == "name":
            ok = bool(suspect and any(str(w).lower() in suspect.subject.lower() for w in _listed(wanted)))
        elif key == "sign":
            words = " ".join(e.says.lower() for e in suspect.evidence if e.supports) if suspect else ""
            ok = any(str(w).lower() in words for w in _listed(wanted))
        else:
            ok = told[key] in _listed(wanted)
        if not ok:
            return False
    return True


def _fill(rule: DecisionRule, suspect: Suspect | None, facts: Facts) -> Mitigation:
    change = facts.change_of(suspect)
    kind, _, name = suspect.subject.partition(":") if suspect else ("", "", "")
    served = name if kind == "model" else ""
    owner = change.component if change and change.component else "the service"
    fields = {
        "subject": name if name else kind or "the cause",
        "column": name if kind == "feature" else kind or "the column",
        "component": name if kind in ("component", "stage") else owner,
        "change": _change_words(facts, suspect),
        "version_from": change.version_from if change and change.version_from else "the previous version",
        "version_to": change.version_to if change and change.version_to else served or "the current version",
        "where": facts.where,
        "metric": facts.metric,
        "onset": f"{iso(facts.symptom.onset)[:16].replace('T', ' ')} UTC" if facts.symptom.onset else "the onset",
    }
    return Mitigation(
        rule.action, rule.target.format(**fields), rule.reversible, rule.why.format(**fields), rule.verify.format(**fields)
    )


def _change_words(facts: Facts, suspect: Suspect | None) -> str:
    change = facts.change_of(suspect)
    if change is None:
        return suspect.change_id if suspect and suspect.change_id else "the last change"
    what = f"{change.id}: {change.description}" if change.description else change.id
    versions = f" ({change.version_to} -> {change.version_from})" if change.version_from and change.version_to else ""
    return f"{change.component} {what}{versions}".strip()


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _rules(data: dict[str, Any], file: str) -> list[DecisionRule]:
    for key in data:
        if key not in ("version", "rules", "disable", "replace"):
            raise BadInput(f"unknown key `{key}`", file=file, hint=did_you_mean(key, ("version", "rules", "disable", "replace")))
    listed = data.get("rules") or []
    if not isinstance(listed, list):
        raise BadInput("`rules` is no list", file=file, found=type(listed).__name__)
    return [_rule(entry, place, file) for place, entry in enumerate(listed, start=1)]


def _rule(entry: Any, place: int, file: str) -> DecisionRule:
    if not isinstance(entry, dict) or "id" not in entry:
        raise BadInput(f"rule {place} has no `id`", file=file)
    name = str(entry["id"])
    known = ("id", "when", "action", "target", "risk", "reversible", "why", "verify")
    for key in entry:
        if key not in known:
            raise BadInput(f"rule `{name}`: unknown key `{key}`", file=file, hint=did_you_mean(str(key), known))
    action = entry.get("action")
    if action not in ACTIONS:
        raise BadInput(
            f"rule `{name}`: unknown action",
            file=file,
            found=str(action),
            expected="one of " + ", ".join(ACTIONS),
            hint=did_you_mean(str(action), ACTIONS),
        )
    when = entry.get("when") or {}
    if not isinstance(when, dict):
        raise BadInput(f"rule `{name}`: `when` is no mapping", file=file)
    for key in when:
        if key not in WHEN:
            raise BadInput(
                f"rule `{name}`: unknown condition `{key}`",
                file=file,
                expected="one of " + ", ".join(WHEN),
                hint=did_you_mean(str(key), WHEN),
            )
    for category in _listed(when.get("category", [])):
        if category not in CATEGORIES:
            raise BadInput(
                f"rule `{name}`: unknown category `{category}`", file=file, hint=did_you_mean(str(category), CATEGORIES)
            )
    risk = entry.get("risk", 3)
    if not isinstance(risk, int) or not 1 <= risk <= 5:
        raise BadInput(f"rule `{name}`: `risk` is not 1 to 5", file=file, found=str(risk))
    texts = {k: str(entry.get(k) or "") for k in ("target", "why", "verify")}
    for key, text in texts.items():
        for used in _fields(text, name, file):
            if used not in FIELDS:
                raise BadInput(
                    f"rule `{name}`: `{key}` uses an unknown field `{{{used}}}`",
                    file=file,
                    expected="one of " + ", ".join(FIELDS),
                    hint=did_you_mean(used, FIELDS),
                )
    return DecisionRule(
        name, when, str(action), texts["target"], risk, bool(entry.get("reversible", True)), texts["why"], texts["verify"]
    )


def _fields(text: str, rule: str, file: str) -> list[str]:
    try:
        return [f for _, f, _, _ in string.Formatter().parse(text) if f is not None]
    except ValueError as error:
        raise BadInput(f"rule `{rule}`: {error}", file=file, hint="write a literal brace twice") from None
