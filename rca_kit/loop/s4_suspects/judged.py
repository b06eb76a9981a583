"""What people said about suspects, weighed into the ledger: excluded, confirmed, own evidence, own suspects."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rca_kit.case.decisions import NOTHING, Decisions, OwnSuspect, suspect_key
from rca_kit.findings.suspects import Evidence
from rca_kit.loop.s4_suspects.hypotheses import Hypothesis
from rca_kit.loop.s4_suspects.ledger import Charge, charges

CONFIRMED = 8.0  # log-odds of "confirmed": three thousand to one, so that it leads from 0.2 % up; yet a person can err too
STILL_RIGHT = 0.65  # of lists whose first suspect is innocent, two in three name the guilty one further down (docs/suspects.md)
OWN_SHARE = 0.5  # part of "not logged or measured" that own suspects are given: what they name was inside it until now
OWN_LEAST = 0.05  # ... but at least this each: who works on the incident knows what no log holds


@dataclass(frozen=True)
class Judged:
    """One suspect after people had their say; `charge` is the kit's case against it, `own` the person's who added it."""

    key: str
    probability: float
    charge: Charge | None
    own: OwnSuspect | None
    excluded: bool

    @property
    def best(self) -> Hypothesis | None:
        """The likeliest hypothesis behind it, where the kit has one."""
        return self.charge.best if self.charge else None


def judge(found: Sequence[Hypothesis], decisions: Decisions = NOTHING) -> tuple[list[Judged], float]:
    """Weigh hypotheses with the decisions of people; suspects likeliest first, and what is left for none of them.

    An excluded suspect gets nothing, and the ledger is weighed again without it; how much of that is believed is `STILL_RIGHT`
    for each one. Evidence of a person adds its weight to the log-odds as it was said: the ledger's sharpening makes up for what
    fitting took from the weights of checks, and nobody shrank what a person says.
    """
    accused = charges(found)
    marked = {k for k, m in decisions.marks.items() if m.mark == "excluded"}
    out = [c for c in accused if charge_key(c) in marked]
    if out:
        believed = STILL_RIGHT ** len(out)
        left = charges([h for h in found if not any(_within(h, c) for c in out)])
        accused = [replace(c, probability=c.probability * believed) for c in left]
    other = max(1.0 - sum(c.probability for c in accused), 0.0)
    if not (decisions.marks or decisions.suspects or decisions.evidence):
        return [Judged(charge_key(c), c.probability, c, None, False) for c in accused], other
    known = {charge_key(c) for c in (*accused, *out)}
    named = [s for s in decisions.suspects.values() if s.key not in known]
    start: list[tuple[str, float, Charge | None, OwnSuspect | None]] = [(charge_key(c), c.probability, c, None) for c in accused]
    start += [(charge_key(c), 0.0, c, None) for c in out]
    if named:
        each = max(other * OWN_SHARE / len(named), OWN_LEAST)
        start += [(s.key, each, None, s) for s in named]
        other *= 1 - OWN_SHARE
    factors = [math.exp(shift(key, decisions)) for key, *_ in start]
    total = other + sum(p * f for (_, p, *_), f in zip(start, factors, strict=True))
    total = total or 1.0
    judged = [
        Judged(key, p * f / total, charge, own, f == 0.0)
        for (key, p, charge, own), f in zip(start, factors, strict=True)
    ]
    return sorted(judged, key=lambda j: (-j.probability, j.key)), other / total


def _within(h: Hypothesis, charge: Charge) -> bool:
    """Whether a hypothesis is part of a charge: the same change, or the same subject where no change is accused."""
    best = charge.best
    return h.change_id == best.change_id and (best.change_id is not None or h.subject == best.subject)


def charge_key(charge: Charge) -> str:
    """Name a charge as decisions do."""
    return suspect_key(charge.best.subject, charge.best.change_id)


def shift(key: str, decisions: Decisions) -> float:
    """Log-odds that people add to a suspect; minus infinity when it is excluded."""
    mark = decisions.marks.get(key)
    if mark is not None and mark.mark == "excluded":
        return -math.inf
    said = sum(e.weight for e in decisions.evidence if e.key == key)
    return said + (CONFIRMED if mark is not None and mark.mark == "confirmed" else 0.0)


def said(key: str, decisions: Decisions) -> tuple[Evidence, ...]:
    """What people said about a suspect, as evidence."""
    out = [
        Evidence("person", f"{e.says}{f' ({e.author})' if e.author else ''}", round(e.weight, 3), e.weight >= 0)
        for e in decisions.evidence
        if e.key == key
    ]
    mark = decisions.marks.get(key)
    if mark is not None and mark.mark == "confirmed":
        by = f" by {mark.author}" if mark.author else ""
        out.append(Evidence("person", f"confirmed{by}{f': {mark.reason}' if mark.reason else ''}", CONFIRMED, True))
    return tuple(out)
