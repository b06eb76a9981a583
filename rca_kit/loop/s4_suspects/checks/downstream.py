"""Outcomes that got worse while all that the service is given and gives stayed: what happens after the answer changed."""

from __future__ import annotations

from collections.abc import Iterable

from rca_kit.case.names import tokens
from rca_kit.loop.reading.series import QUALITY
from rca_kit.loop.s4_suspects.clue import Clue, Outcome
from rca_kit.loop.s4_suspects.owners import OUTSIDERS
from rca_kit.loop.s4_suspects.room import Room
from rca_kit.loop.s4_suspects.verdict import got_worse

# series that show what is given and what is answered; had one of them moved, the cause would lie here
OURS = ("quality", "service", "stage", "output", "output_nulls", "version", "component")
LEFT_OVER = 0.5  # strength of what is told by nothing else
LANGUAGE_MODELS = frozenset({"llm", "gpt", "genai", "ai", "chat", "completion", "completions", "model", "inference"})
UNLIKE_LABELS = ("concept", "labels_moved")  # signatures of what labels say of the same requests having changed
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


def unexplained(room: Room, outcomes: tuple[Outcome, ...], hurt: tuple[str, ...] = ()) -> tuple[Clue, ...]:
    """What is left when quality fell and no check found anything: labels mean something else, or the world does.

    `hurt` has the metrics that got worse in one segment only.
    """
    if any(o.clues for o in outcomes) or room.columns.label is None or room.moved("output", "output_nulls", "input", "nulls"):
        return ()
    fell = [n for n in (*got_worse(room), *hurt) if n.removeprefix("segment:").partition("|")[0] in QUALITY]
    if not fell:
        return ()
    text = f"{fell[0].removeprefix('segment:').replace('|', ' in ')} got worse while inputs and scores stayed"
    world = Clue("concept", "population", "concept", text, LEFT_OVER)
    felt = (*got_worse(room), room.main)
    if any(n.removeprefix("segment:").startswith("kpi:") for n in felt):  # the business felt it: no mere mislabelling
        return (world,)
    return Clue("concept", "label", "labels_moved", text, LEFT_OVER), world


def hosted_model(room: Room, outcomes: tuple[Outcome, ...]) -> tuple[Clue, ...]:
    """Texts that are liked less while requests stayed: what answers them is a model that somebody else hosts, and may exchange.

    Of a text, the log holds the score and not what it says: that labels differ from what the same features meant before tells as
    much of the answers as of the world.
    """
    if room.columns.task != "text":
        return ()
    unlike = [c for o in outcomes for c in o.clues if c.signature in UNLIKE_LABELS]
    measured = [s.column or "" for s in room.picture.series.values() if s.family == "component"]
    hosts = _hosts([*measured, *(c.component for c in room.changes)])
    if not unlike or not hosts:
        return ()
    lead = max(unlike, key=lambda c: c.strength)
    says = f"{hosts[0]} answers for us, and its answers are judged otherwise than they were"
    return (Clue("concept", f"component:{hosts[0]}", "hosted", says, lead.strength, lead.onset),)


def _hosts(components: Iterable[str]) -> list[str]:
    """Components that are, by their names, somebody else's language model.

    Examples
    --------
    >>> _hosts(["llm-gateway", "llm-vendor", "geo-provider"])
    ['llm-vendor']
    """
    words = {c: set(tokens(c)) for c in sorted(set(components))}
    return [c for c, w in words.items() if w & LANGUAGE_MODELS and any(o in c.casefold() for o in OUTSIDERS)]
