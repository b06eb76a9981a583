"""Those who do worse than the others at the same time: new versions, arms of an experiment, requests with a new value."""

from __future__ import annotations

from collections.abc import Container, Iterable

from rca_kit.loop.s4_suspects.clue import Clue
from rca_kit.loop.s4_suspects.spread import ARM_Z

BESIDE_Z = 6.0  # standard errors by which a new version does worse than the others at the same time; whom it serves may differ
ODD_BESIDE_Z = 3.0  # ... where it also gives other scores for the same features
AMISS = 0.25  # standard deviations by which scores must be off in the requests with a new value; segments differ by less anyway
# standard errors, part of the usual loss, and times what segments differ by, by which new values get worse answers
MISFIT_Z, MISFIT, MISFIT_TIMES = 5.0, 0.1, 3.0


def worse_arms(clues: Iterable[Clue]) -> list[Clue]:
    """Clues of new arms of an experiment whose answers are worse than those in the others at the same time."""
    return [c for c in clues if c.facts.get("beside_z", 0.0) >= ARM_Z]


def worse_beside(clues: Iterable[Clue], odd: Container[str] = ()) -> list[Clue]:
    """Clues of new versions whose answers are worse than those of the others at the same time; of which some score otherwise."""
    new = [(c, c.facts.get("side_by_side_z", 0.0)) for c in clues if c.signature == "version"]
    return [
        c for c, z in new
        if z >= (ARM_Z if c.facts.get("by_lot") else BESIDE_Z) or (z >= ODD_BESIDE_Z and c.subject in odd)
    ]


def scored_amiss(clues: Iterable[Clue]) -> list[Clue]:
    """Clues of new values in whose requests the scores are off, while those of all others are not."""
    return [c for c in clues if c.facts.get("amiss_z", 0.0) >= BESIDE_Z and c.facts.get("amiss", 0.0) >= AMISS]


def misfits(clues: Iterable[Clue]) -> list[Clue]:
    """Clues of new values whose requests are answered worse than those of others, by more than segments ever differed."""

    def misfit(clue: Clue) -> bool:
        part, most = clue.facts.get("misfit", 0.0), clue.facts.get("misfit_most", 0.0)
        return clue.facts.get("misfit_z", 0.0) >= MISFIT_Z and part >= max(MISFIT, MISFIT_TIMES * most)

    return [c for c in clues if misfit(c)]
