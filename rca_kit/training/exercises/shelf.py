"""The exercises that are files: post-mortem and deprecation plan, begun in a folder, filled in, checked."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from rca_kit.case.yamlio import load_yaml
from rca_kit.errors import BadInput, did_you_mean
from rca_kit.findings.settlement import Why
from rca_kit.loop.s7_settle.whys import check_whys
from rca_kit.loop.s7_settle.wording import find_blame
from rca_kit.training.exercises.base import Checked, Exercise, Outcome, filled, listed, texts_in

ANSWER, TASK = "answer.yaml", "TASK.md"
LEAST_WHYS = 3
TOLERANCE = 0.05  # of a duration: people round
_NUMBER = re.compile(r"\d")
_MEASURE = re.compile(r"\d+(?:\.\d+)?\s*(?:%|ms|s\b|points?|pp|per cent|requests?|days?|weeks?)", re.I)
_LASTING = re.compile(r"\d+\s*(?:m|min|minutes?|h|hours?)\b", re.I)


@cache
def _shelf() -> dict[str, Exercise]:
    mortem, plan = _data("post_mortem.yaml"), _data("deprecation.yaml")
    notes = "\n".join(f"- {e['time']} {e['kind']}: {e['text']}" for e in mortem["events"])
    seen = "\n".join(
        f"- {c['caller']}: {c['requests_per_day']:,} requests a day, last seen {c['last_seen']}, owner {c['owner']}"
        + (f"; {c['note']}" if c.get("note") else "")
        for c in plan["callers"]
    )
    return {
        e.name: e
        for e in (
            Exercise(
                "post-mortem",
                mortem["title"],
                45,
                _task(mortem, "Notes of the day, UTC", notes),
                mortem["blank"],
                lambda answer, _: check_post_mortem(answer, mortem),
            ),
            Exercise(
                "deprecation",
                plan["title"],
                45,
                _task(plan, "Callers of the last fourteen days", seen),
                plan["blank"],
                lambda answer, _: check_plan(answer, plan),
            ),
        )
    }


def _data(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(files("rca_kit.training.exercises").joinpath(name).read_text(encoding="utf-8"))
    return found


def _task(data: dict[str, Any], head: str, listing: str) -> str:
    return f"# {data['title']}\n\n{data['story']}\n\n## {head}\n\n{listing}\n\nWrite your answer into `{ANSWER}`.\n"


def list_exercises() -> tuple[Exercise, ...]:
    """List the exercises that are files."""
    return tuple(_shelf().values())


def get_exercise(name: str) -> Exercise:
    """Find an exercise; BadInput when there is none."""
    if name not in _shelf():
        raise BadInput(
            "there is no such exercise", found=name, expected="one of " + ", ".join(_shelf()), hint=did_you_mean(name, _shelf())
        )
    return _shelf()[name]


def start_exercise(name: str, folder: str | Path) -> Path:
    """Write the task and a file to fill in; nothing is overwritten."""
    exercise, target = get_exercise(name), Path(folder)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise BadInput("is not an empty folder, and nothing is overwritten", file=str(target))
    target.mkdir(parents=True, exist_ok=True)
    (target / TASK).write_text(exercise.task, encoding="utf-8")
    (target / ANSWER).write_text(f"exercise: {name}\n{exercise.blank}", encoding="utf-8")
    return target


def check_exercise(folder: str | Path) -> Outcome:
    """Check what was filled in.

    Raises
    ------
    BadInput
        When the file is missing, is no YAML, or does not say which exercise it is.
    """
    path = Path(folder)
    path = path / ANSWER if path.is_dir() else path
    if not path.is_file():
        raise BadInput(
            "there is no answer", file=str(path), expected=f"a folder that `rca-kit train exercise` made, with {ANSWER}"
        )
    data = load_yaml(path)
    exercise = get_exercise(str(data.pop("exercise", "")))
    return exercise.check(data, str(path))


def check_post_mortem(answer: dict[str, Any], given: dict[str, Any]) -> Outcome:
    """Check a post-mortem against its timeline, and against what makes one useful."""
    facts = given["facts"]
    blame = [b for t in texts_in(answer) for b in find_blame(t)]
    whys = [Why(str(w.get("why") or ""), str(w.get("because") or "")) for w in listed(answer, "whys") if w.get("because")]
    problems = [p for p in check_whys(whys) if p.code in ("person", "symptom", "repeat", "short")]
    actions = [a for a in listed(answer, "actions") if a.get("text")]
    whole = [
        a for a in actions if filled(a, "owner", "due", "metric") and _is_date(a["due"]) and _NUMBER.search(str(a["metric"]))
    ]
    factors = [f for f in answer.get("contributing_factors") or [] if f]
    checks = [
        Checked(
            "summary",
            len(str(answer.get("summary") or "").split()) >= 12,
            "Somebody who was not there must understand it: what, whom, how long.",
        ),
        _time("detect_minutes", answer, facts, "onset to alert"),
        _time("recover_minutes", answer, facts, "onset to resolved"),
        Checked(
            "impact",
            bool(_NUMBER.search(str(answer.get("impact") or ""))),
            "Impact in users, KPI points or money, with a number.",
        ),
        Checked(
            "contributing factors",
            len(factors) >= 2,
            "More than one condition had to be there: what made it possible, what hid it, what delayed the end?",
        ),
        Checked(
            "whys",
            len(whys) >= LEAST_WHYS and not problems,
            problems[0].says if problems else f"{len(whys)} links; at least {LEAST_WHYS}, the last one a missing control.",
        ),
        Checked(
            "blameless",
            not blame,
            "; ".join(f"`{b.words}`: {b.reason}; instead: {b.instead}" for b in blame[:3]) or "Nobody is blamed.",
        ),
        Checked(
            "actions",
            bool(actions) and len(whole) == len(actions),
            "Each action has an owner, a due date and a metric with a number."
            if whole and len(whole) == len(actions)
            else f"{len(actions) - len(whole)} of {len(actions)} actions lack an owner, a date such as 2026-05-15, or a number."
            if actions
            else "There is no action.",
        ),
        Checked(
            "prevents", any(a.get("kind") == "prevent" for a in whole), "At least one whole action keeps it from coming back."
        ),
    ]
    return Outcome(given["title"], tuple(checks), ("blameless", "actions"))


def _time(name: str, answer: dict[str, Any], facts: dict[str, Any], between: str) -> Checked:
    true, found = float(facts[name]), answer.get(name)
    ok = isinstance(found, (int, float)) and abs(found - true) <= TOLERANCE * true
    return Checked(name.replace("_", " "), ok, f"{between} by the notes: {true:.0f} minutes.")


def _is_date(value: Any) -> bool:
    try:
        date.fromisoformat(str(value))
    except ValueError:
        return False
    return True


def check_plan(answer: dict[str, Any], given: dict[str, Any]) -> Outcome:
    """Check a deprecation plan: nobody forgotten, every phase can be stopped, and a trigger that needs no meeting."""
    named = {str(d.get("caller") or "").strip().lower() for d in listed(answer, "dependencies")}
    known = [c["caller"] for c in given["callers"]]
    missing = [c for c in known if c not in named]
    owned = [d for d in listed(answer, "dependencies") if filled(d, "caller", "owner") and str(d["owner"]).lower() != "unknown"]
    phases = [p for p in listed(answer, "phases") if p.get("name")]
    names = [str(p["name"]).lower() for p in phases]
    notice = _days_before(phases, ("canary", "half", "switch", "cut", "migrate", "all", "remove"))
    trigger = str(answer.get("rollback_trigger") or "")
    risks = [r for r in listed(answer, "risks") if filled(r, "risk", "first", "sign")]
    lost = [str(p["name"]) for p in phases if not filled(p, "gate", "back", "owner")]
    checks = [
        Checked(
            "all callers",
            not missing,
            f"not named: {', '.join(missing)}; the log knows more than the owner"
            if missing
            else "Every caller of the log is named.",
        ),
        Checked(
            "owners",
            len(owned) >= len(known),
            "Each dependency has an owner; an unknown one has to be found before anything moves.",
        ),
        Checked(
            "risks",
            len(risks) >= 2,
            "Each risk: what can go wrong, what is done first, and the sign that it happens; at least two.",
        ),
        Checked(
            "order",
            bool(names) and names[-1].startswith("remove") and names[0].startswith("announce"),
            "Announce first, remove last.",
        ),
        Checked("in steps", len(phases) >= 4, "Between them the new one proves itself in shadow, then takes traffic in steps."),
        Checked(
            "notice",
            notice >= given["least_notice_days"],
            f"{notice:.0f} days before traffic moves; at least {given['least_notice_days']}, since one caller comes once a month",
        ),
        Checked(
            "gates",
            bool(phases) and not lost,
            f"without gate, way back or owner: {', '.join(lost)}" if lost else "Each phase has a gate, a way back and an owner.",
        ),
        Checked(
            "measured",
            bool(phases) and sum(bool(_MEASURE.search(str(p.get("gate") or ""))) for p in phases) >= len(phases) / 2,
            "A gate is a number somebody can look up, not a feeling.",
        ),
        Checked(
            "trigger",
            bool(_MEASURE.search(trigger) and _LASTING.search(trigger)),
            "The trigger says how much and for how long, such as: error rate above 1 % for 10 minutes.",
        ),
        Checked(
            "cut-off",
            any("0.72" in t or "threshold" in t.lower() or "calibrat" in t.lower() for t in texts_in(answer)),
            "One caller uses the score's absolute value; a new model moves it even when it ranks better.",
        ),
    ]
    return Outcome(given["title"], tuple(checks), ("all callers", "trigger"))


def _days_before(phases: Iterable[dict[str, Any]], moves: tuple[str, ...]) -> float:
    total = 0.0
    for p in phases:
        if str(p["name"]).lower().startswith(moves):
            break
        total += float(p["days"]) if isinstance(p.get("days"), (int, float)) else 0.0
    return total
