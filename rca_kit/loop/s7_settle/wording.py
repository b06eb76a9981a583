"""A small lint that keeps blame out of updates, whys and post-mortems."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Blame:
    """A wording that points at a person: where it stands, why it does harm, what to write instead."""

    words: str
    start: int
    reason: str
    instead: str


_PERSON = "names a person as the cause; a cause that can be mended is a process or a control"
_HINDSIGHT = "judges with what is known only now"
_EASY = "makes light of what was hard at the time"
_RULES: tuple[tuple[str, str, str], ...] = (
    (r"human error|operator error|user error|pilot error", _PERSON, "say what the system allowed and what did not catch it"),
    (
        r"(?:is|was|were) to blame|blame[sd]?\b|fault of|(?:his|her|their|my|your|whose) fault|at fault|culprit|guilty"
        r"|(?!nobody|no one|noone)\w+['’]s? (?:fault|mistake|oversight|negligence)\b",
        _PERSON,
        "contributing factor",
    ),
    (
        r"careless(?:ly|ness)?|negligen(?:t|ce|tly)|sloppy|lazy|incompeten(?:t|ce)|reckless(?:ly)?|stupid(?:ly)?",
        _PERSON,
        "say what the situation looked like to them",
    ),
    (
        r"forgot to|neglected to|failed to (?:follow|notice|check|test|tell|read|realise|realize|remember)|did ?n[o']t bother",
        _PERSON,
        "say which step was not covered by a check",
    ),
    (
        r"(?:mistake|oversight|negligence) (?:by|of|on the part of)"
        r"|error (?:by|on the part of)|(?:her|his|their) (?:mistake|oversight)",
        _PERSON,
        "say what happened, and what let it happen",
    ),
    (
        r"should(?:n't| not)? have (?:been )?\w+|could have (?:known|noticed|prevented)|ought to have",
        _HINDSIGHT,
        "say what was known at the time",
    ),
    (r"obvious(?:ly)?|of course|clearly should", _EASY, "leave it out"),
    (r"\b(?:simply|just) (?:had|needed|have|need) to", _EASY, "leave it out"),
    (
        r"never again|zero tolerance|disciplin(?:e|ary)|reprimand(?:ed)?"
        r"|retrain(?:ed|ing)? (?:the )?(?:staff|employee|engineer|operator)s?",
        "promises what no control holds, or punishes",
        "name the control, its owner and its date",
    ),
)
_COMPILED = tuple((re.compile(rf"(?i)(?<!\w)(?:{pattern})"), reason, instead) for pattern, reason, instead in _RULES)


def find_blame(text: str) -> tuple[Blame, ...]:
    """Find wordings that put blame on people.

    Parameters
    ----------
    text : str
        Any text: an update, a 5 Whys answer, a post-mortem.

    Returns
    -------
    tuple of Blame
        In the order of the text; empty when there is none.

    Examples
    --------
    >>> find_blame("The outage was human error.")[0].instead
    'say what the system allowed and what did not catch it'
    >>> find_blame("The key format changed and no contract test covered it.")
    ()
    """
    found: list[Blame] = []
    for pattern, reason, instead in _COMPILED:
        found += [Blame(m.group(), m.start(), reason, instead) for m in pattern.finditer(text)]
    return tuple(sorted(found, key=lambda b: (b.start, b.words)))
