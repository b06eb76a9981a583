"""What a check hands to the ledger: clues. A clue names a subject, how it went wrong, and how strongly that shows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rca_kit.loop.s4_suspects.signatures import UNSURE


@dataclass(frozen=True)
class Clue:
    """One observation about one subject.

    Attributes
    ----------
    check : str
        Code of the check that saw it.
    subject : str
        `feature:<column>`, `label`, `model:<version>`, `stage:<name>`, `component:<name>`, `threshold`, `routing`, `population`
        or `traffic`.
    signature : str
        How it went wrong; a row of the table that turns signatures into categories.
    says : str
        The observation in words, with numbers.
    strength : float
        0 (hardly) to 1 (unmistakable), from the size of the effect in its own noise.
    onset : int or None
        Fine bucket where it began, when the check can tell.
    share : float or None
        Share of requests after the onset that show it.
    where : dict or None
        Rows that show it, as a condition on one column, for scope: ``{"column": ..., "op": ...}``.
    harm : float or None
        Share of the main metric's change found in the rows that show it.
    """

    check: str
    subject: str
    signature: str
    says: str
    strength: float
    onset: int | None = None
    share: float | None = None
    harm: float | None = None
    where: dict[str, Any] | None = None
    facts: dict[str, float] = field(default_factory=dict)

    @property
    def unsure(self) -> bool:
        """Whether it accuses an input whose values may be right all the same, of a world that changed.

        Examples
        --------
        >>> Clue("drift", "feature:age", "drift", "age moved up", 0.6).unsure
        True
        >>> Clue("nulls", "feature:age", "nulls", "age is missing", 0.6).unsure
        False
        """
        followed_less = self.signature == "stale" and bool(self.facts.get("labels"))
        return self.subject.startswith("feature:") and (self.signature in UNSURE or followed_less)


@dataclass(frozen=True)
class Outcome:
    """A check's result: clues, or none with the reason why it is clear or could not be applied."""

    code: str
    title: str
    category: str
    cost: str
    clues: tuple[Clue, ...] = ()
    clear: str = ""
    not_applicable: str = ""

    @property
    def status(self) -> str:
        """found, clear or not_applicable."""
        if self.not_applicable:
            return "not_applicable"
        return "found" if self.clues else "clear"
