"""The services incidents happen in."""

from __future__ import annotations

from rca_kit.errors import BadInput, did_you_mean
from rca_kit.training.world import World
from rca_kit.training.worlds.commerce import CREDIT, FRAUD
from rca_kit.training.worlds.language import CHAT, MODERATION
from rca_kit.training.worlds.logistics import DEMAND, ETA
from rca_kit.training.worlds.media import ADS, FEED
from rca_kit.training.worlds.vision import GRADER

WORLDS: dict[str, World] = {w.name: w for w in (FRAUD, CREDIT, ADS, FEED, ETA, DEMAND, CHAT, MODERATION, GRADER)}


def get_world(name: str) -> World:
    """Find a world by name.

    Examples
    --------
    >>> get_world("fraud").task
    'binary'
    """
    if name not in WORLDS:
        raise BadInput(f"no world `{name}`", expected=", ".join(WORLDS), hint=did_you_mean(name, WORLDS))
    return WORLDS[name]
