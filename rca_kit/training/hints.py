"""Hints: a first one says how to go about a step, a second one where to look. Each costs points."""

from __future__ import annotations

from dataclasses import dataclass

from rca_kit.findings.suspects import CATEGORIES
from rca_kit.training.keys import Key
from rca_kit.training.questions import KnownTest, known_tests

COSTS = (2.0, 5.0)  # points of 100: the way costs little, the place more than a wrong guess would win
METHOD = {
    "signal": "Put the metric beside the same hours of earlier days, with the requests behind each point. Then ask what "
    "else moved with it, and which did not: an outcome (quality, errors, latency, a KPI) makes it an incident.",
    "symptom": "Do not read the onset off the noisiest chart. Look for the metric with the least noise that moved, and give an "
    "interval: the last bucket that was surely good, the first that was surely bad.",
    "scope": "Cut the metric by one column at a time, before against after, and look for a value that carries more of the change "
    "than its share of the traffic. Then ask whether the rest is untouched.",
    "suspects": "For each entry of the change log ask: was it before the onset, does it touch what broke, and does it reach "
    "the segment that is hit and no other? Most entries are innocent. The guilty one may be missing from the log.",
    "samples": "Take ten bad requests from the hit segment and lay a healthy one beside each, alike in everything else. Which "
    "columns differ in most of the pairs?",
    "simulate": "Ask of each test what you would see if you were wrong. If it would look the same, it does not decide.",
    "settle": "First the reversible step that undoes one thing. A guardrail watches what broke, not only the metric that "
    "suffered; its threshold lies between what healthy days show and what you see now.",
}


@dataclass(frozen=True)
class Hint:
    """One hint and its price in points of 100."""

    step: str
    level: int
    text: str
    cost: float


def make_hint(key: Key, step: str, level: int) -> Hint:
    """Give the hint of a step; level 1 is the way, level 2 the place.

    Examples
    --------
    >>> quiet = Key("Q", "no_change", None, 60, (), None, None, None, "", "noise-alert", "ads", 1)
    >>> make_hint(quiet, "scope", 2).text
    'If step 1 finds nothing, there is nothing to cut.'
    """
    text = METHOD[step] if level == 1 else _place(key, step)
    return Hint(step, level, text, COSTS[level - 1])


def _place(key: Key, step: str) -> str:
    if step == "signal":
        return {
            "incident": "Something that users or the business would notice did get worse.",
            "benign_shift": "What moved is who comes or what they send. Check every outcome before you call it an incident.",
            "no_change": "Count how often the metric went as far as this in the days before.",
        }[key.verdict]
    if key.onset is None:
        return "If step 1 finds nothing, there is nothing to cut." if step == "scope" else "Go back to step 1: is the alert real?"
    if step == "symptom":
        six = key.onset.replace(hour=key.onset.hour // 6 * 6, minute=0, second=0, microsecond=0)
        return f"It lies within the six hours from {six:%Y-%m-%d %H:%M} UTC."
    if step == "scope":
        columns = list(dict.fromkeys(c for w in key.where for c in w))
        return f"Cut by {' and '.join(columns)}." if columns else "No segment carries more than its share."
    if step == "suspects":
        true = key.category or "external"
        near = [c for c in CATEGORIES if c != true and c not in key.categories_ok]
        at = sum(map(ord, key.case_id)) % max(len(near) - 1, 1)  # fixed per session, so that asking again tells nothing new
        logged = "and it is in the log" if key.change_id else "and it is not in the log"
        return f"It is one of {', '.join(sorted([true, *near[at : at + 2]]))}, {logged}."
    if step == "samples":
        columns = [s.partition(":")[2] for s in (key.subject, *key.subjects_ok) if s and s.startswith(("feature:", "stage:"))]
        columns = columns or [c for w in key.where for c in w]
        return f"Look at {columns[0]}." if columns else "No single column tells them apart: look at the service instead."
    if step == "simulate":
        good = [t for t in known_tests() if _tells(t, key)]
        return f"One that decides takes {min(t.minutes for t in good)} minutes." if good else "Nothing needs to be tried."
    return "The decision table in docs/settle.md has a row for this category and subject. The safest step there is the first one."


def _tells(test: KnownTest, key: Key) -> bool:
    categories = tuple(c for c in (key.category, *key.categories_ok) if c)
    return test.tells(categories, tuple(s for s in (key.subject, *key.subjects_ok) if s), key.verdict)
