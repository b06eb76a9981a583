"""Outcomes that got worse while all that the service is given and gives stayed: what happens after the answer changed."""

from __future__ import annotations

from rca_kit.loop.s4_suspects.clue import Clue, Outcome
from rca_kit.loop.s4_suspects.room import Room
from rca_kit.loop.s4_suspects.verdict import got_worse

# series that show what is given and what is answered; had one of them moved, the cause would lie here
OURS = ("quality", "service", "stage", "output", "output_nulls", "nulls", "input", "version", "component")


def downstream(room: Room) -> Outcome:
    """Business outcomes alone moved: the world behaves otherwise, or what shows the answers (a client, a page) does."""
    title = "Outcomes after the answer"
    worse = got_worse(room)
    names = [n for n in worse if n.removeprefix("segment:").startswith("kpi:")]
    if not names or len(names) < len(worse):
        return Outcome("downstream", title, "external", "free", clear="no business outcome fell alone")
    also = room.moved(*OURS)
    if also:
        return Outcome("downstream", title, "external", "free", clear=f"{also[0]} moved as well")
    name = names[0]
    here = name.startswith("segment:")
    r = room.readings[name]
    said = name.removeprefix("segment:").replace("|", " in ")
    text = f"{said} {r.before:.3g} -> {r.after:.3g}, while inputs and answers stayed"
    signature = "downstream_here" if here else "downstream"
    clue = Clue("downstream", "population", signature, text, room.strength(name), room.onset(name))
    return Outcome("downstream", title, "external", "free", (clue,))
