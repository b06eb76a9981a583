"""Whether two values are spellings of one: case, accents, prefixes, text that was decoded wrongly."""

from __future__ import annotations

import html
import re
import unicodedata
from contextlib import suppress
from urllib.parse import unquote


def same_under_mapping(old: tuple[str, ...], new: tuple[str, ...]) -> list[tuple[str, str]]:
    """Pairs of an old and a new spelling of one value: case, accents, blanks, punctuation, prefixes, text decoded wrongly.

    Examples
    --------
    >>> same_under_mapping(("iOS", "Android"), ("ios", "web"))
    [('iOS', 'ios')]
    >>> same_under_mapping(("Süd", "Nord"), ("SÃ¼d",))
    [('Süd', 'SÃ¼d')]
    """
    known = {plain_form(v): v for v in old}
    pairs = [(known[key], n) for n in new for key in map(plain_form, readings(n)) if key in known]
    pairs += [(o, n) for n in new for o in old if blotted(o, n)]
    return list(dict.fromkeys(pairs)) or [(o, n) for n in new for o in old if part_of_name(o, n)]


def part_of_name(old: str, new: str) -> bool:
    """Whether a new value is an old one with something before or after it; the next version of something is not."""
    o, n = plain_form(old), plain_form(new)
    return len(o) >= 2 and o != n and (n.endswith(o) or n.startswith(o)) and not n.replace(o, "", 1).isdigit()


def plain_form(label: str) -> str:
    """Reduce a category to what it means: no case, accents, spaces, punctuation or quotes.

    Examples
    --------
    >>> plain_form(" São-Paulo ") == plain_form("SAO_PAULO")
    True
    """
    bare = "".join(c for c in unicodedata.normalize("NFKD", label) if not unicodedata.combining(c))
    return re.sub(r"[\W_]+", "", bare.casefold()) or label


def readings(value: str) -> list[str]:
    """A value, and what it reads as if it was decoded wrongly: UTF-8 taken for Latin text, escapes of addresses or of pages."""
    out = [value, unquote(value), html.unescape(value)]
    for encoding in ("cp1252", "latin-1"):
        with suppress(UnicodeError):
            out.append(value.encode(encoding).decode("utf-8"))
    return list(dict.fromkeys(out))


def blotted(old: str, new: str) -> bool:
    """Whether a value is another with marks for every letter that could not be written, one for each of its bytes at most."""
    marked = "".join(re.escape(ch) if ch.isascii() else "[?\ufffd]{1,4}" for ch in old)
    return not old.isascii() and re.fullmatch(marked, new) is not None
