"""Clues that another clue explains: evidence is counted once, with its cause."""

from __future__ import annotations

from rca_kit.loop.s4_suspects.clue import Clue
from rca_kit.loop.s4_suspects.signatures import DRIFTS, FAULTS

FAULT_LEAST = 0.4  # strength from which a fault explains its column's drift
RELABELLED, FLOWED = ("permuted", "renamed"), ("segment_lost", "segment_surge", "mix")  # signatures
OPEN = 1.5  # log odds up to which an entry of the change log decides whether the world changed or values are wrong


def explained_away(clues: list[Clue]) -> list[Clue]:
    """Leave out what another clue explains: a broken feature has of course drifted, doubled rows are of course more rows."""
    faulty = {c.subject for c in clues if c.signature in FAULTS and c.strength >= FAULT_LEAST}
    routed = any(c.signature == "rerouted" and c.facts.get("stand_in") and c.strength >= FAULT_LEAST for c in clues)
    spoilt = {c.subject for c in clues if c.signature in FAULTS and c.signature != "stale" and c.strength >= FAULT_LEAST}
    doubled = any(c.signature == "duplicates" for c in clues)
    # other answers to the same requests are wrong more often, whatever the truth did
    answered = any(c.signature == "score_function" and "answers" in c.facts and c.strength >= FAULT_LEAST for c in clues)
    # labels stopped following it alone, and it was not the world that changed its mind about it
    aged = any(c.signature == "stale" and c.facts.get("labels") and c.facts.get("world_odds", 0.0) <= -OPEN for c in clues)
    # what the others at the same time do not show is no changed world
    one_version = any(c.signature == "score_function" and c.where and c.strength >= FAULT_LEAST for c in clues)
    other_names = {c.subject.partition(":")[2] for c in clues if c.signature in RELABELLED and c.strength >= FAULT_LEAST}
    return [
        c
        for c in clues
        if not (c.subject in faulty and c.signature in DRIFTS)
        and not (c.signature in FLOWED and c.where and c.where.get("column") in other_names)  # they came under another name
        and not (c.subject in spoilt and c.signature == "stale")
        and not (routed and c.signature in ("version", "score_function"))
        and not (aged and c.signature == "concept")
        and not (one_version and c.signature == "concept")
        and not (answered and c.signature in ("concept", "labels_moved"))
        and not (doubled and c.signature in ("surge", "metric:requests"))
    ]
