"""In words: what a suspect is, the test that separates it best from its rival per minute of effort, what would refute it."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import shorten

from rca_kit.loop.s4_suspects.clue import Outcome
from rca_kit.loop.s4_suspects.explained import explained_away
from rca_kit.loop.s4_suspects.hypotheses import Hypothesis
from rca_kit.loop.s4_suspects.signatures import GROUP


@dataclass(frozen=True)
class Test:
    """A discriminating test: what to do, minutes it takes, and how likely each category is to show a positive result."""

    __test__ = False

    text: str
    minutes: float
    positive: dict[str, float]


TESTS: tuple[Test, ...] = (
    Test(
        "replay the golden set through the current and the previous version: only a changed model differs",
        10,
        {"model": 0.95, "code": 0.4, "config": 0.15},
    ),
    Test(
        "compare served features with the offline store for the same request ids: a broken path differs, a moved world does not",
        15,
        {"data": 0.85, "code": 0.85, "config": 0.6, "upstream": 0.7, "infra": 0.4},
    ),
    Test(
        "read the raw answers of the supplier for a few bad requests, next to those of last week",
        10,
        {"upstream": 0.95, "code": 0.05},
    ),
    Test("set the configuration back for one per cent of traffic and look at the metric of that slice", 10, {"config": 0.95}),
    Test("re-run the failed or late job on one partition and see whether its columns recover", 20, {"data": 0.9, "infra": 0.3}),
    Test(
        "roll the deployment back for one instance and compare it with its neighbours",
        10,
        {"code": 0.95, "model": 0.6, "infra": 0.1},
    ),
    Test("look at saturation, restarts and time-outs of the component host by host", 5, {"infra": 0.95, "code": 0.3}),
    Test(
        "score last week's labelled requests with today's model: steady quality there means the world moved",
        15,
        {"external": 0.9, "model": 0.1},
    ),
    Test(
        "ask who ran a campaign or what the calendar says, and cut the metric by new against known customers",
        5,
        {"external": 0.8},
    ),
)
DESCRIPTION = 80  # characters of a change's description in a title
NOT_OURS = ("external", "upstream")  # nobody here can undo what a supplier or the world did
ELSEWHERE = 0.05  # chance of a positive result for a cause the test is not made for


def next_test(h: Hypothesis, rival: Hypothesis | None) -> str:
    """Pick the test with the largest difference in expected result between two hypotheses per root minute."""
    other = rival.category if rival is not None and rival.category != h.category else None

    def value(t: Test) -> float:
        mine = t.positive.get(h.category, ELSEWHERE)
        theirs = t.positive.get(other, ELSEWHERE) if other else ELSEWHERE
        return float(abs(mine - theirs) / t.minutes**0.5)

    best = max(TESTS, key=lambda t: (value(t), -t.minutes))
    if rival is not None and rival.category == h.category and h.change_id != rival.change_id:
        return _which_change(h, rival)
    return f"{best.text} (about {best.minutes:.0f} min)"


def _which_change(h: Hypothesis, rival: Hypothesis) -> str:
    """Tell two hypotheses of one category apart by the changes they blame; one of them may blame none."""
    change = h.change_id or rival.change_id
    if h.category in NOT_OURS:
        other = f"look at {rival.change_id}" if h.change_id and rival.change_id else f"it was not {change}"
        return f"look at requests that {change} could not reach: if they show the symptom as well, {other}"
    tail = f"; if not, look at {rival.change_id}" if h.change_id and rival.change_id else ""
    return f"undo {change} alone for a small slice and see whether the metric returns{tail}"


def title(h: Hypothesis, perhaps: Hypothesis | None = None) -> str:
    """Name a hypothesis in one line; `perhaps` has the change that may have brought it, where none is accused."""
    lead = max(h.clues, key=lambda c: c.strength)
    verbs = {
        "missing": "values are missing or defaulted",
        "broken": "values arrive changed",
        "stale": "values are stale",
        "version": "a new version behaves differently",
        "scorer": "scores changed for the same inputs",
        "cut": "decisions are cut elsewhere",
        "concept": "the world behaves differently",
        "answers": "answers otherwise than it did",
        "downstream": "what follows the answers changed",
        "slow": "became slow",
        "errors": "fails more often",
        "cache": "cache misses",
        "resources": "is short of resources",
        "timeouts": "times out",
        "surge": "more requests came",
        "lost": "rows were lost or doubled",
        "mix": "another mix of requests",
        "drift": "drifted",
        "labels": "labels are wrong or missing",
        "text": "texts changed",
        "requests": "more requests came",
    }
    blame = ", no logged change blamed"
    if perhaps is not None and perhaps.fit is not None:
        blame = f"; which change did it is open (perhaps {perhaps.fit.change.id})"
    if h.fit:
        blame = f", after {h.fit.change.id} ({shorten(h.fit.change.description, DESCRIPTION, placeholder=' …')})"
    return f"{h.subject}: {verbs[GROUP[lead.signature]]}{blame}"


def refuted_by(h: Hypothesis) -> str:
    """Say what would prove a hypothesis wrong."""
    if h.fit is not None and h.category in NOT_OURS:
        return f"the symptom shows where {h.fit.change.id} could not reach, or began before it"
    if h.fit is not None:
        return f"the symptom stays when {h.fit.change.id} is undone, or shows where {h.fit.change.id} never reached"
    return {
        "external": "the same shift shows on a segment the event could not reach",
        "model": "the previous version does as badly on the same rows",
        "infra": "hosts with calm metrics show the symptom as well",
        "upstream": "the supplier's raw answers are as they were",
    }.get(h.category, f"requests without the fault in {h.subject} show the symptom as well")


ORDER = ("cache", "resources", "timeouts", "stale", "missing", "broken", "scorer", "cut", "errors", "slow")


def chain(h: Hypothesis, metric: str, outcomes: tuple[Outcome, ...]) -> tuple[str, ...]:
    """Causal chain from the metric back to the cause, out of the clues that lie between them."""
    mine = {GROUP[c.signature] for c in h.clues}
    depth = min((ORDER.index(g) for g in mine if g in ORDER), default=0)
    between = sorted(
        (
            c
            for c in explained_away([c for o in outcomes for c in o.clues])
            if GROUP[c.signature] in ORDER and ORDER.index(GROUP[c.signature]) > depth and c.strength >= 0.5 and c not in h.clues
        ),
        key=lambda c: (-ORDER.index(GROUP[c.signature]), -c.strength),
    )
    lead = max(h.clues, key=lambda c: c.strength)
    out = [metric, *[c.says for c in between[:2]], lead.says]
    return (*out, f"{h.fit.change.id}: {h.fit.change.description}") if h.fit else tuple(out)
