"""What steps 1 to 4 leave: first what one moment of the log shows, then all of it told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rca_kit.findings.investigation import ChangeRecord
from rca_kit.findings.scope import MixRate, Scope
from rca_kit.findings.signal import Signal
from rca_kit.findings.suspects import Suspects
from rca_kit.findings.symptom import Symptom
from rca_kit.loop.reading.picture import Picture
from rca_kit.loop.reading.prepare import Prepared
from rca_kit.loop.s3_scope.drifted import Drifted
from rca_kit.loop.s3_scope.hurt import Hurt
from rca_kit.loop.s4_suspects import Outcome, Room
from rca_kit.loop.s4_suspects.verdict import Verdict


@dataclass(frozen=True)
class Moment:
    """What all four steps rest on: the picture at one moment of the log, what the checks say of it, signal and symptom."""

    prepared: Prepared
    picture: Picture
    room: Room
    outcomes: tuple[Outcome, ...]
    changes: tuple[ChangeRecord, ...]
    signal: Signal
    symptom: Symptom


@dataclass(frozen=True)
class Worked(Moment):
    """Steps 1 to 4 of one case, with the clues they rest on."""

    scope: Scope
    suspects: Suspects


@dataclass(frozen=True)
class Seen(Moment):
    """What one moment of the log shows: the signal, the symptom and the verdict, before it is told who is hit and why.

    Attributes
    ----------
    named : Hurt, optional
        The segment of which the alert itself says that it got worse, where it did.
    lost : tuple of Hurt
        Segments that alone lost the records asked for.
    hurt : tuple of Hurt
        Segments that alone got worse, on which the verdict rests where the whole did not.
    drifted : Drifted, optional
        The segment in which alone an alerted feature moved, where the picture is laid at that moment.
    fixed : bool
        A person said when it began.
    doubts : int
        How often another moment may still be tried in place of this one.
    again : callable
        Does steps 1 to 4 anew: the picture laid elsewhere, doubts left, the segment that drifted, words that name a segment.
    """

    verdict: Verdict
    mix: tuple[MixRate, ...]
    named: Hurt | None
    lost: tuple[Hurt, ...]
    hurt: tuple[Hurt, ...]
    drifted: Drifted | None
    fixed: bool
    doubts: int
    again: Callable[..., Worked]
