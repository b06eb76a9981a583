"""Words in column names, in several languages and styles of writing."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_LETTERS = str.maketrans({"ß": "ss", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "ı": "i", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE",
                          "đ": "d", "Đ": "D", "ð": "d", "þ": "th"})
"""Letters that have no mark to take off."""
EXACT_POINTS = 6.0  # the whole name is one that people give this role
STRONG_POINTS = 4.0  # a word of the name says so
WEAK_POINTS = 2.0  # a word hints at it
AGAINST_POINTS = -4.0  # a word says it is something else


@lru_cache(maxsize=4096)
def tokens(name: str) -> tuple[str, ...]:
    """Split a column name into lower-case words without accents.

    Examples
    --------
    >>> tokens("Région d'origine"), tokens("modelVersion"), tokens("p_hat"), tokens("user.Device-Type2")
    (('region', 'd', 'origine'), ('model', 'version'), ('p', 'hat'), ('user', 'device', 'type2'))
    """
    plain = without_accents(name)
    # upper and lower case tell words apart only where both occur
    spaced = _CAMEL.sub(" ", plain) if not plain.isupper() else plain
    return tuple(w for w in re.split(r"[^\w]+|_+", spaced.lower()) if w)


def without_accents(text: str) -> str:
    """Write letters with marks as the plain letters that people type in their stead; case stays.

    Examples
    --------
    >>> without_accents("Żółć, sınıf, İptal, Straße, Ørsted, cœur")
    'Zolc, sinif, Iptal, Strasse, Orsted, coeur'
    """
    folded = unicodedata.normalize("NFKD", text.translate(_LETTERS))
    return "".join(c for c in folded if not unicodedata.combining(c))


def joined(name: str) -> str:
    """Write a name as words with underscores.

    Examples
    --------
    >>> joined("Event Time")
    'event_time'
    """
    return "_".join(tokens(name))


def words(text: str) -> frozenset[str]:
    """Make a set of the words of a text; a helper for word lists.

    Examples
    --------
    >>> sorted(words("a b"))
    ['a', 'b']
    """
    return frozenset(text.split())


@dataclass(frozen=True)
class Vocabulary:
    """Words that speak for and against a role; `stems` are beginnings of strong words, for languages that inflect or compound."""

    exact: frozenset[str]
    strong: frozenset[str]
    weak: frozenset[str] = frozenset()
    against: frozenset[str] = frozenset()
    stems: tuple[str, ...] = ()

    def points(self, name: str) -> float:
        """Weigh a name.

        Examples
        --------
        >>> Vocabulary(words("score"), words("prob"), against=words("credit")).points("credit prob")
        0.0
        """
        parts = tokens(name)
        if "_".join(parts) in self.exact or "".join(parts) in self.exact:
            return EXACT_POINTS
        found = set(parts)
        clear = found & self.strong or any(p.startswith(self.stems) for p in parts if p not in self.against)
        points = STRONG_POINTS if clear else WEAK_POINTS if found & self.weak else 0.0
        return points + (AGAINST_POINTS if found & self.against else 0.0)


ID_WORDS = words("id uid uuid guid ids key hash email phone iban nr kennung trace token")
