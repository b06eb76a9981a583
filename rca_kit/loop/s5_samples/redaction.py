"""Redaction: what names a person or opens a door is masked before a sampled row is shown anywhere."""

from __future__ import annotations

import ipaddress
import itertools
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

REDACTED = "[redacted]"
KINDS = ("e-mail", "token", "IBAN", "card", "IP", "phone")

MIN_TOKEN = 20  # the shortest API keys in wide use have 20 characters (AWS access key ids)
MIN_HEX = 32  # 128 bits written in hex: session ids and digests
TOKEN_ENTROPY = 3.3  # bits per character; English words of this length stay below 3.3 once digits must be mixed in
TOKEN_CHANGES = 4  # changes between letters and digits: random text of 20 has about 8, `version2026build17` has 3
PHONE_DIGITS = (8, 15)  # E.164 allows 15; below 8 it is as likely a count
CARD_DIGITS = (13, 19)  # ISO/IEC 7812
NAMED_SHARE = 0.5  # a column is masked whole when at least this share of its non-null values is personal
MIN_ECHO = 4  # shorter values of a redacted column would mask ordinary words when looked for inside other texts

_EMAIL = re.compile(r"[\w.+%'-]+@(?:[\w-]+\.)+[^\W\d_]{2,}", re.UNICODE)
_SECRET = re.compile(
    r"(?i)\b((?:api|access|auth|private|secret)[ _-]?(?:key|token)|password|passwd|pwd|secret|token|bearer)"
    r"(\s*[:=]\s*|\s+is\s+|(?<=bearer)\s+)"
    r"([\"']?)([^\s\"',;]{6,})"
)
_KNOWN_TOKEN = re.compile(
    r"(?<![A-Za-z0-9])(?:sk-[\w-]{16,}|gh[pousr]_\w{20,}|glpat-[\w-]{16,}|xox[abprs]-[\w-]{10,}|A[KS]IA[0-9A-Z]{16}|AIza[\w-]{30,}"
    r"|eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?)"
)
_LONG = re.compile(rf"[A-Za-z0-9][A-Za-z0-9_+/=~-]{{{MIN_TOKEN - 1},}}")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?:[ ]?[A-Za-z0-9]){11,30}(?![A-Za-z0-9])")
_DIGITS = re.compile(r"(?<![\w.])\d(?:[ -]?\d){12,18}(?![\w]|\.\d)")
_IP4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w]|\.\d)")
_IP6 = re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![\w:])")
_PHONE = re.compile(
    r"(?<![\w.,:/-])(?:\+\d[\d ()./-]{6,20}\d"  # +49 30 1234567
    r"|\(\d{2,5}\) ?\d[\d ./-]{4,12}\d"  # (555) 123-4567
    r"|\d{3}[-. ]\d{3}[-. ]\d{4}"  # 555-123-4567
    r"|0\d{1,4}[ /-]\d[\d -]{4,10}\d"  # 030 1234567, 06 12 34 56 78
    r"|0\d{9,11})(?![\w]|[.,:]\d)"
)
_PHONE_NAMED = re.compile(
    r"(?i)\b(tel(?:efon|ephone)?|phone|call(?: me)?(?: at| on)?|mobile|mobil|fax|whatsapp)"
    r"(\W{1,3})(\d[\d ./-]{5,16}\d)"
)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}|\d{2}[./-]\d{2}[./-]\d{4}")
_NAMES = re.compile(
    r"(?i)(?:^|[^a-z])(e-?mail|phone|telephone|mobile_?(?:no|number)|iban|ssn|password|passwd|secret|api_?key|access_?token|auth_?token|"
    r"credit_?card|card_?number|passport|ip_?addr(?:ess)?|first_?name|last_?name|full_?name|surname|street|birth_?date|date_of_birth)"
    r"(?:$|[^a-z])"
)


@dataclass(frozen=True)
class Leak:
    """A stretch of text that is personal or secret: `kind` is one of `KINDS`, half-open ``[start, end)`` in characters."""

    kind: str
    start: int
    end: int


def luhn(digits: str) -> bool:
    """Check digit of card numbers (ISO/IEC 7812-1, annex B).

    Examples
    --------
    >>> luhn("4111111111111111"), luhn("4111111111111112")
    (True, False)
    """
    total = 0
    for place, char in enumerate(reversed(digits)):
        value = int(char)
        if place % 2:
            value = value * 2 - 9 if value > 4 else value * 2
        total += value
    return total % 10 == 0


def iban_valid(text: str) -> bool:
    """Check sum of an IBAN (ISO 13616: the number modulo 97 is 1).

    Examples
    --------
    >>> iban_valid("DE89 3704 0044 0532 0130 00"), iban_valid("DE88 3704 0044 0532 0130 00")
    (True, False)
    """
    bare = text.replace(" ", "").upper()
    if not 15 <= len(bare) <= 34 or not bare.isalnum() or not bare.isascii():
        return False
    return int("".join(str(int(c, 36)) for c in bare[4:] + bare[:4])) % 97 == 1


def entropy(text: str) -> float:
    """Shannon entropy of the characters, bits per character.

    Examples
    --------
    >>> entropy("aaaa"), entropy("abcd")
    (0.0, 2.0)
    """
    n = len(text)
    return -sum(k / n * math.log2(k / n) for k in Counter(text).values()) + 0.0 if n else 0.0


def find_leaks(text: str) -> tuple[Leak, ...]:
    """Find e-mail addresses, tokens, IBANs, card and phone numbers and IP addresses, in order, none overlapping.

    Examples
    --------
    >>> find_leaks("write to ann@example.org")
    (Leak(kind='e-mail', start=9, end=24),)
    >>> find_leaks("order 1234567 on 2026-03-02 14:05")
    ()
    """
    found: list[Leak] = []
    if not any(c.isdigit() or c in "@:=" for c in text) and "bearer" not in text.lower() and " is " not in text:
        return ()
    for kind, search in _SEARCHES:
        for start, end in search(text):
            if all(end <= f.start or start >= f.end for f in found):
                found.append(Leak(kind, start, end))
    return tuple(sorted(found, key=lambda f: f.start))


def redact_text(text: str) -> str:
    """Replace each leak by its kind in square brackets.

    Examples
    --------
    >>> redact_text("card 4111 1111 1111 1111, from 10.0.0.7")
    'card [card], from [IP]'
    """
    out, at = [], 0
    for leak in find_leaks(text):
        out.append(text[at : leak.start] + f"[{leak.kind}]")
        at = leak.end
    return "".join(out) + text[at:]


def personal_columns(columns: Mapping[str, Iterable[Any]], exempt: Iterable[str] = ()) -> tuple[str, ...]:
    """Find the columns that are personal as a whole: by name, or since most of their values are one leak from end to end.

    Parameters
    ----------
    columns : mapping of name to values
        Any sample of values; numbers are looked at as text, only for card numbers.
    exempt : iterable of str
        Columns never masked by guess, like the request id.

    Examples
    --------
    >>> personal_columns({"mail": ["a@b.org", None], "amount": [4111111111111111.0, 2.5], "customer_email": [None]})
    ('mail', 'customer_email')
    """
    spared = set(exempt)
    held = {n: [v for v in values if v is not None and v == v] for n, values in columns.items() if n not in spared}
    return tuple(n for n, values in held.items() if (_NAMES.search(n) and not _flags(values)) or _mostly_personal(values))


def redact_row(row: Mapping[str, Any], hidden: Iterable[str], spared: Iterable[str] = ()) -> dict[str, str | None]:
    """Write a row as text with hidden columns masked, and what they hold masked inside the other texts too.

    Parameters
    ----------
    row : mapping
        Column to value; missing values stay None, also in hidden columns: that a value is missing gives nothing away.
    hidden : iterable of str
        Columns masked whole.
    spared : iterable of str
        Columns whose text is not searched for patterns (request ids, version numbers).

    Examples
    --------
    >>> redact_row({"user": "Ann Lee", "note": "Ann Lee called from 10.0.0.7"}, hidden=["user"])
    {'user': '[redacted]', 'note': '[redacted] called from [IP]'}
    """
    masked, free = set(hidden), set(spared)
    held = {str(row[c]) for c in masked if row.get(c) is not None}
    echoes = sorted((h for h in held if len(h) >= MIN_ECHO), key=lambda h: (-len(h), h))
    out: dict[str, str | None] = {}
    for name, value in row.items():
        if value is None:
            out[name] = None
        elif name in masked:
            out[name] = REDACTED
        else:
            text = display(value)
            for echo in echoes:
                text = text.replace(echo, REDACTED)
            out[name] = redact_text(text) if isinstance(value, str) and name not in free else text
    return out


def display(value: Any) -> str:
    """Write a value for people: numbers with six significant digits, times in ISO form.

    Examples
    --------
    >>> display(0.123456789), display(True), display("x")
    ('0.123457', 'true', 'x')
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.6g}"
    if hasattr(value, "isoformat"):
        return str(value.isoformat()).replace("+00:00", "Z")
    return str(value)


def _flags(values: list[Any]) -> bool:
    """Whether a column only says yes or no, as `email_sent` does."""
    return bool(values) and all(v in (0, 1) for v in values)


def _mostly_personal(present: list[Any]) -> bool:
    if not present or isinstance(present[0], bool):
        return False
    hits = 0
    for value in present:
        if isinstance(value, str):
            text = value.strip()
            leaks = find_leaks(text)
            hits += len(leaks) == 1 and leaks[0].start == 0 and leaks[0].end == len(text)
        elif isinstance(value, int):
            text = str(value)
            hits += CARD_DIGITS[0] <= len(text) <= CARD_DIGITS[1] and luhn(text) and text[0] in "23456"
        else:
            return False
    return hits >= NAMED_SHARE * len(present)


Spans = Iterable[tuple[int, int]]


def _emails(text: str) -> Spans:
    return [m.span() for m in _EMAIL.finditer(text)] if "@" in text else ()


def _tokens(text: str) -> Spans:
    spans = [m.span() for m in _KNOWN_TOKEN.finditer(text)]
    # "the token is invalid" names no secret: after a mere "is" a digit must be there
    spans += [m.span(4) for m in _SECRET.finditer(text) if "is" not in m.group(2) or any(c.isdigit() for c in m.group(4))]
    uuids = [m.span() for m in _UUID.finditer(text)]
    for m in _LONG.finditer(text):
        inside_uuid = any(a <= m.start() and m.end() <= b for a, b in uuids)
        if not inside_uuid and _random_looking(m.group()):
            spans.append(m.span())
    return spans


def _random_looking(text: str) -> bool:
    bare = re.sub(r"[^A-Za-z0-9]", "", text)
    if len(bare) >= MIN_HEX and re.fullmatch(r"[0-9a-fA-F]+", bare) and not bare.isdigit() and len(set(bare)) > 6:
        return True
    # words joined by - or _ are a slug, not a key: look at the longest piece
    piece = max(re.split(r"[_/=~+-]", text), key=len)
    if len(piece) < MIN_TOKEN - 4:
        return False
    kinds = ["d" if c.isdigit() else "u" if c.isupper() else "l" for c in piece]
    changes = sum(a != b for a, b in itertools.pairwise(kinds))
    return "d" in kinds and len(set(kinds)) > 1 and changes >= TOKEN_CHANGES and entropy(piece) >= TOKEN_ENTROPY


def _ibans(text: str) -> Spans:
    for m in _IBAN.finditer(text):
        words = m.group().split(" ")
        # the next word can look like one more group: drop words from the end until the check sum fits
        for k in range(len(words), 0, -1):
            candidate = " ".join(words[:k])
            if iban_valid(candidate):
                yield m.start(), m.start() + len(candidate)
                break


def _cards(text: str) -> Spans:
    for m in _DIGITS.finditer(text):
        digits = re.sub(r"\D", "", m.group())
        if digits[0] in "23456" and len(set(digits)) > 1 and luhn(digits):
            yield m.span()


def _ips(text: str) -> Spans:
    for pattern in (_IP4, _IP6):
        for m in pattern.finditer(text):
            try:
                ipaddress.ip_address(m.group())
            except ValueError:
                continue
            yield m.span()


def _phones(text: str) -> Spans:
    for m in _PHONE_NAMED.finditer(text):
        if PHONE_DIGITS[0] - 2 <= sum(c.isdigit() for c in m.group(3)):
            yield m.span(3)
    for m in _PHONE.finditer(text):
        n = sum(c.isdigit() for c in m.group())
        if PHONE_DIGITS[0] <= n <= PHONE_DIGITS[1] and not _DATE.search(m.group()):
            yield m.span()


_SEARCHES: tuple[tuple[str, Callable[[str], Spans]], ...] = (
    ("e-mail", _emails),
    ("token", _tokens),
    ("IBAN", _ibans),
    ("card", _cards),
    ("IP", _ips),
    ("phone", _phones),
)
