"""Outcomes that got worse while all that the service is given and gives stayed: what happens after the answer changed."""

from __future__ import annotations

from rca_kit.loop.reading.series import QUALITY
from rca_kit.loop.s4_suspects.clue import Clue, Outcome
from rca_kit.loop.s4_suspects.room import Room
from rca_kit.loop.s4_suspects.verdict import got_worse

# series that show what is given and what is answered; had one of them moved, the cause would lie here
OURS = ("quality", "service", "stage", "output", "output_nulls", "version", "component")
LEFT_OVER = 0.5  # strength of what is told by nothing else
GIVEN = ("nulls", "input")  # without effect on the answers where the scores stayed


def downstream(room: Room) -> Outcome:
    """Business outcomes alone moved: the world behaves otherwise, or what shows the answers (a client, a page) does."""
    title = "Outcomes after the answer"
    worse = got_worse(room)
    names = [n for n in worse if n.removeprefix("segment:").startswith("kpi:")]
    if not names or len(names) < len(worse):
        return Outcome("downstream", title, "external", "free", clear="no business outcome fell alone")
    also = room.moved(*OURS) or (room.moved(*GIVEN) if room.columns.score is None else [])
    if also:
        return Outcome("downstream", title, "external", "free", clear=f"{also[0]} moved as well")
    name = names[0]
    here = name.startswith("segment:")
    r = room.readings[name]
    said = name.removeprefix("segment:").replace("|", " in ")
    text = f"{said} {r.before:.3g} -> {r.after:.3g}, while the answers stayed"
    signature = "downstream_here" if here else "downstream"
    clue = Clue("downstream", "population", signature, text, room.strength(name), room.onset(name))
    return Outcome("downstream", title, "external", "free", (clue,))


def unexplained(room: Room, outcomes: tuple[Outcome, ...]) -> tuple[Clue, ...]:
    """What is left when quality fell and no check found anything: labels mean something else, or the world does."""
    if any(o.clues for o in outcomes) or room.columns.label is None or room.moved("output", "output_nulls", "input", "nulls"):
        return ()
    fell = [n for n in got_worse(room) if n.removeprefix("segment:").partition("|")[0] in QUALITY]
    if not fell:
        return ()
    text = f"{fell[0].removeprefix('segment:').replace('|', ' in ')} got worse while inputs and scores stayed"
    world = Clue("concept", "population", "concept", text, LEFT_OVER)
    felt = (*got_worse(room), room.main)
    if any(n.removeprefix("segment:").startswith("kpi:") for n in felt):  # the business felt it: no mere mislabelling
        return (world,)
    return Clue("concept", "label", "labels_moved", text, LEFT_OVER), world
