"""Whose a stage or feature is, by its name: the component it is akin to, and whether that is somebody else's."""

from __future__ import annotations

import re
from collections.abc import Iterable

from rca_kit.case.names import tokens
from rca_kit.loop.s4_suspects.changes import Fit

STEM = 4  # letters that two names must share for them to be about one thing: rates_ms, ratehub
OUTSIDERS = ("partner", "vendor", "provider", "supplier", "thirdparty", "third", "external", "bureau", "extern")
# what is bought rather than measured by oneself, in words of features and of those who sell them; * stands for more letters
THEMES = (
    "meteo* weather* wetter* clima* wx temperat* temperatur* rain* regen* lluvia* pluie* pioggia* wind* vent viento* humid* "
    "humed* feucht* radiac* radiat* solar* snow* schnee* neige* nieve*",
    "map maps geo* rout* gps navi* karte* distan* avstand* odleg* dystans* entfern* strecke* traffic* trafik* verkehr* congest*",
    "bureau* biro* schufa* auskunft* credit* kredit* bonit*",
    "fx forex currenc* exchange* kurs wahrung*",
)
_THEMES = tuple(re.compile("|".join(w.replace("*", r"\w*") for w in theme.split())) for theme in THEMES)
MADE_OF = {"scor", "rank", "rati", "inde", "rate"}  # what many features are
COMMON_STEMS = {  # say nothing of whose it is
    "feat", "serv", "data", "mode", "stag", "time", "mean", "coun", "valu", "late", "api", "svc", "srv", "app", "web", "sum",
    "avg", "max", "min", "num", "new", "old", "the", "und", "req", "top", "per", "day", "std", "val",
}  # fmt: skip


def akin(name: str, component: str) -> bool:
    """Whether two names share the stem of a word, a short word, or what they are about.

    Examples
    --------
    >>> akin("rates_ms", "ratehub-partner"), akin("rates_ms", "inventory-db"), akin("netMs", "layoutNet")
    (True, False, True)
    >>> akin("rain_mm", "meteo-feed"), akin("rain_mm", "maps-api")
    (True, False)
    """
    words = [{t.strip("0123456789") for t in tokens(n)} for n in (name, component)]
    stems = [{w[:STEM] for w in ws if len(w) >= STEM - 1} - COMMON_STEMS for ws in words]
    return bool(stems[0] & stems[1]) or bool(_themes(words[0]) & _themes(words[1]))


def _themes(words: set[str]) -> set[int]:
    """Numbers of the themes that one of the words is about."""
    return {i for i, theme in enumerate(_THEMES) if any(theme.fullmatch(w) for w in words)}


def telling(subject: str) -> str:
    """The words of a subject's name that tell whose it is: many a feature is a score, and not the scorer's."""
    kind, _, name = subject.partition(":")
    return name if kind != "feature" else " ".join(t for t in tokens(name) if t[:STEM] not in MADE_OF)


def suppliers(fits: Iterable[Fit]) -> frozenset[str]:
    """Components that notices of suppliers are about: theirs, or the part of ours that talks with them."""
    return frozenset({f.change.component for f in fits if f.change.kind == "upstream_notice"} - {""})


def foreign(subject: str, components: tuple[str, ...], known: frozenset[str] = frozenset()) -> bool:
    """Whether the component itself, or one whose name is akin to the subject's, is somebody else's: `known` or by its name."""
    owners = owners_of(subject, tuple(dict.fromkeys((*components, *sorted(known)))))
    return any(o in known or any(w in o.casefold() for w in OUTSIDERS) for o in owners)


def owners_of(subject: str, components: tuple[str, ...]) -> tuple[str, ...]:
    """Components that a subject belongs to by its name: itself, or those akin to a stage or feature.

    Examples
    --------
    >>> owners_of("stage:rates_ms", ("ratehub-partner", "inventory-db"))
    ('ratehub-partner',)
    """
    kind, _, name = subject.partition(":")
    if kind == "component":
        return (name,)
    return tuple(c for c in components if akin(telling(subject), c)) if kind in ("stage", "feature") else ()
