"""5 Whys, drafted from the chain of evidence and ending at a process or control; and the check that they do."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from rca_kit.findings.settlement import Why
from rca_kit.findings.suspects import Suspect
from rca_kit.loop.s7_settle.facts import Facts, number, span

MOST = 5
FEWEST = 3

# What was missing when such a cause reached users: (what let it in, what let it stay unseen).
CONTROLS: dict[str, tuple[str, str]] = {
    "data": (
        "no check on row counts, nulls and age stands between the job and the feature store",
        "no alert watches the inputs, only the outcome",
    ),
    "model": (
        "the release gate does not replay a golden set by segment before a version takes traffic",
        "the canary has no automatic rollback on quality",
    ),
    "code": (
        "no parity test compares features as trained with features as served before a release",
        "the release goes to all traffic at once, without a canary",
    ),
    "infra": (
        "no load test at peak traffic with the real payload is part of a release",
        "no alert on saturation fires before requests slow down",
    ),
    "config": (
        "no contract test and no review by impact covers settings, keys and flags",
        "settings reach all traffic at once, without a canary",
    ),
    "upstream": (
        "no contract test checks the supplier's schema and null rates at the boundary",
        "no circuit breaker falls back when the supplier's answers degrade",
    ),
    "external": (
        "no calendar of campaigns and seasons, and no abuse limits, feed the alerts and the model's training",
        "quality is not watched by segment, so a new population hides in the average",
    ),
}
LABEL_CONTROL = (
    "no check on the share and the rate of labels stands between the label job and evaluation",
    "quality dashboards do not say on how many labels they rest",
)
PEOPLE = re.compile(
    r"(?i)\b(human error|operator error|careless\w*|negligen\w*|incompeten\w*|sloppy|lazy|stupid|fault of|to blame|blame\w*|"
    r"should have known|should have been more careful|someone forgot|(?:he|she|they|engineer|developer|analyst|operator|"
    r"intern|on-?call|dev|admin|colleague|team)\s+(?:\w+\s+)?"
    r"(?:forgot|failed to|did(?:n't| not) (?:check|test|notice|read|follow)|ignored|"
    r"made an? (?:mistake|error)|messed up|broke|overlooked|was careless))\b"
)
_LACK = (
    r"(?:no|missing|lack(?:s|ing)?|without|absent|never|does not|do not|nothing|not (?:tested|covered|checked|"
    r"monitored|reviewed|watched|part of))"
)
_CONTROL = (
    r"(?:test|check|alert|monitor|review|gate|canary|contract|control|process|policy|runbook|limit|calendar|breaker|"
    r"validation|guardrail|approval|checklist|watch|owner|training|step|rollback|dashboard)(?!-out)"
)
PROCESS = re.compile(
    rf"(?i)\b{_LACK}\b.*\b{_CONTROL}|\b{_CONTROL}\w*\b.*\b{_LACK}\b|"
    r"\bnot (?:tested|covered|checked|monitored|reviewed|watched)\b"
)
MIN_WORDS = 4
SLOW_CODE = (
    "no load test with the real payload is part of a release",
    "the release goes to all traffic at once, without a canary on latency",
)


@dataclass(frozen=True)
class WhyProblem:
    """What is wrong with one link, and how to mend it. `code` is person, symptom, repeat, short, few or evidence."""

    code: str
    index: int
    says: str


def draft_whys(facts: Facts) -> tuple[Why, ...]:
    """Draft the whys from the first suspect's chain of evidence; empty when nothing happened or no one is suspected.

    The last two links name the control that was missing: the cause of a cause is always a process.
    """
    suspect = facts.first
    if facts.verdict != "incident" or suspect is None:
        return ()
    links = _chain(facts, suspect)
    controls = controls_for(facts, suspect)
    change = facts.change_of(suspect)
    out = []
    for effect, cause in itertools.pairwise(links):
        out.append(Why(_question(effect), cause, _evidence(suspect, cause)))
    if len(out) > MOST - 2:  # the first links and the last one carry the story
        out = [*out[: MOST - 3], Why(_question(out[MOST - 4].answer), out[-1].answer, out[-1].evidence)]
    what = f"change {change.id}" if change else "it"
    out.append(Why(f"Why could {what} reach {facts.where}?", _sentence(controls[0]), "to be confirmed with its owners"))
    out.append(Why("Why was it not seen before users were hit?", _unseen(facts, controls[1]), _detection(facts)))
    return tuple(out[:MOST])


def _question(effect: str) -> str:
    name, went, rest = effect.partition(" went from ")
    return f"Why did {name} go from {rest}?" if went else f"Why: {effect}?"


def controls_for(facts: Facts, suspect: Suspect) -> tuple[str, str]:
    """Name the two controls that were missing: what let the cause in, what let it stay unseen."""
    if suspect.subject == "label":
        return LABEL_CONTROL
    if suspect.category == "code" and facts.family in ("latency", "errors"):
        return SLOW_CODE
    return CONTROLS[suspect.category]


def check_whys(whys: Sequence[Why]) -> tuple[WhyProblem, ...]:
    """Check whys that a person wrote or edited.

    Finds: a cause that is a person, a chain that stops at a symptom, an answer that repeats its question, answers too short to
    act on, fewer than three links, and a first cause without evidence.

    Examples
    --------
    >>> found = check_whys([Why("Why did AUC fall?", "An engineer forgot to run the tests", "")])
    >>> [p.code for p in found]
    ['person', 'symptom', 'few', 'evidence']
    """
    if not whys:
        return (WhyProblem("few", 0, "there are no whys yet"),)
    out = []
    for i, w in enumerate(whys):
        if PEOPLE.search(w.answer):
            out.append(WhyProblem("person", i, "the cause is a person; ask what made it possible, and what did not catch it"))
        if len(w.answer.split()) < MIN_WORDS:
            out.append(WhyProblem("short", i, "too short to act on; say what, where and since when"))
        if _alike(w.question, w.answer) or any(_alike(w.answer, earlier.answer) for earlier in whys[:i]):
            out.append(WhyProblem("repeat", i, "the answer repeats what was said; go one link further back"))
    if not PROCESS.search(whys[-1].answer):
        out.append(WhyProblem("symptom", len(whys) - 1, "stops at a symptom; end at the process or control that was missing"))
    if len(whys) < FEWEST:
        out.append(WhyProblem("few", len(whys) - 1, "fewer than three links rarely reach a control"))
    if not any(w.evidence for w in whys):
        out.append(WhyProblem("evidence", 0, "no link names its evidence; a story that fits is not yet a cause"))
    return tuple(out)


def _chain(facts: Facts, suspect: Suspect) -> list[str]:
    s = facts.symptom
    head = f"{facts.metric} went from {number(facts.metric, s.before)} to {number(facts.metric, s.after)}"
    links = [link.strip().rstrip(".") for link in suspect.chain if link.strip()]
    if not links:
        strongest = sorted((e for e in suspect.evidence if e.supports), key=lambda e: -e.weight)
        links = [e.says.rstrip(".") for e in strongest[:1]]
        change = facts.change_of(suspect)
        if change is not None:
            links.append(f"{change.kind.replace('_', ' ')} {change.id} on {change.component}: {change.description}".rstrip(": "))
    if not links or not links[0].lower().startswith(facts.metric.lower()):
        links = [head, *links]
    if len(links) == 1:
        told = [e.says.rstrip(".") for e in sorted(suspect.evidence, key=lambda e: -e.weight) if e.supports]
        links.append(told[0] if told else f"{suspect.title or suspect.subject}, on the side of {suspect.category}")
    return list(dict.fromkeys(_spelt_out(link, facts) for link in links))


def _spelt_out(link: str, facts: Facts) -> str:
    """Write a link that is only a metric's name or a change's id as a sentence."""
    change = next((c for c in facts.case.changes if c.id == link), None)
    if change is not None:
        return f"{change.kind.replace('_', ' ')} {change.id} on {change.component}: {change.description}".rstrip(": ")
    reading = facts.readings().get(link)
    if reading is not None and reading.before is not None and reading.after is not None:
        return f"{link} went from {number(link, reading.before)} to {number(link, reading.after)}"
    return link


def _evidence(suspect: Suspect, cause: str) -> str:
    words = set(re.findall(r"\w{4,}", cause.lower()))
    scored = [(len(words & set(re.findall(r"\w{4,}", e.says.lower()))), e.weight, e) for e in suspect.evidence if e.supports]
    best = max(scored, key=lambda x: (x[0], x[1]), default=None)
    if best is None or not best[0]:
        return ""
    return f"check {best[2].check}" if best[2].says.rstrip(".") == cause else f"{best[2].check}: {best[2].says}"


def _unseen(facts: Facts, control: str) -> str:
    onset = facts.symptom.onset
    if onset is None:
        return _sentence(control)
    minutes = (facts.case.detected_at - onset).total_seconds() / 60
    late = f"; {span(minutes)} passed between onset and alert" if minutes >= 1 else ""
    return _sentence(control) + late


def _detection(facts: Facts) -> str:
    onset = facts.symptom.onset
    return f"onset {onset:%Y-%m-%d %H:%M}, alert {facts.case.detected_at:%Y-%m-%d %H:%M} UTC" if onset else ""


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _alike(a: str, b: str) -> bool:
    stop = {"why", "did", "does", "was", "were", "the", "and", "that", "because", "could", "with", "from", "went"}
    x, y = ({w for w in re.findall(r"\w{3,}", t.lower()) if w not in stop} for t in (a, b))
    return bool(x and y) and len(x & y) / len(x | y) > 0.8
