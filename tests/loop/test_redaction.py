from __future__ import annotations

import itertools
import random
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rca_kit.loop.s5_samples.redaction import (
    REDACTED,
    entropy,
    find_leaks,
    iban_valid,
    luhn,
    personal_columns,
    redact_row,
    redact_text,
)


@pytest.mark.parametrize(("text", "secret"), [
    ("write ann.lee+x@mail.example.org now", "ann.lee+x@mail.example.org"),
    ("jörg@exämple.de schrieb", "jörg@exämple.de"),
    ("card 4111 1111 1111 1111.", "4111 1111 1111 1111"),
    ("card 5500-0000-0000-0004", "5500-0000-0000-0004"),
    ("iban de89 3704 0044 0532 0130 00 please", "de89 3704 0044 0532 0130 00"),
    ("GB82WEST12345698765432", "GB82WEST12345698765432"),
    ("from 192.168.10.7, port 80", "192.168.10.7"),
    ("from 2001:db8::8a2e:370:7334", "2001:db8::8a2e:370:7334"),
    ("call +49 (0)30 1234567", "+49 (0)30 1234567"),
    ("call (555) 123-4567", "(555) 123-4567"),
    ("call 555-123-4567", "555-123-4567"),
    ("tel. 5551234567 today", "5551234567"),
    ("06 12 34 56 78", "06 12 34 56 78"),
    ("key AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE"),
    ("Authorization: Bearer abc123def456", "abc123def456"),
    ("password: hunter22!", "hunter22!"),
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N", "dozjgNryP4J3jVmNHl0w5N"),
    ("9f86d081884c7d659a2feaa0c55ad015", "9f86d081884c7d659a2feaa0c55ad015"),
])
def test_leaks_are_masked(text, secret):
    masked = redact_text(text)
    assert secret not in masked
    assert "[" in masked


@pytest.mark.parametrize("text", [
    "2026-03-02T14:05:00Z", "order 1234567 shipped", "550e8400-e29b-41d4-a716-446655440000", "0.123456789", "1740000000",
    "price 1,234.50 of 12 000 000", "version 1.2.3", "at 12:30:45", "the token is invalid", "my-very-long-slug-of-words-2026",
    "req-000123456789", "internationalization-of-everything", "", "a@b", "02.03.2026 um 14:05",
])
def test_ordinary_text_is_left_alone(text):
    assert redact_text(text) == text


@given(st.text(max_size=200))
@settings(max_examples=150, deadline=None)
def test_any_text_masks_without_error_and_leaks_do_not_overlap(text):
    leaks = find_leaks(text)
    assert all(a.end <= b.start for a, b in itertools.pairwise(leaks))
    assert all(0 <= x.start < x.end <= len(text) for x in leaks)
    assert isinstance(redact_text(text), str)


@given(st.integers(10**11, 10**15 - 1), st.sampled_from("3456"))
@settings(max_examples=100, deadline=None)
def test_every_luhn_number_is_a_card_and_one_wrong_digit_is_none(body, first):
    digits = first + str(body)
    check = next(c for c in string.digits if luhn(digits + c))
    assert redact_text(f"x {digits + check} y") == "x [card] y"
    wrong = digits + str((int(check) + 1) % 10)
    assert not luhn(wrong)


def test_random_tokens_are_found_and_words_are_not():
    rng = random.Random(0)
    alphabet = string.ascii_letters + string.digits
    tokens = ["".join(rng.choice(alphabet) for _ in range(32)) for _ in range(300)]
    assert sum(bool(find_leaks(t)) for t in tokens) >= 295
    words = ["feature", "store", "client", "android", "checkout", "payment", "session"]
    slugs = ["_".join(rng.choice(words) for _ in range(5)) for _ in range(300)]
    assert not any(find_leaks(s) for s in slugs)


def test_iban_checks_the_country_sum():
    assert iban_valid("FR14 2004 1010 0505 0001 3M02 606")
    assert not iban_valid("FR14 2004 1010 0505 0001 3M02 607")
    assert not iban_valid("short")


def test_columns_by_name_and_by_content():
    found = personal_columns({
        "contact": ["a@b.org", "c@d.org", None], "Customer E-Mail": [None], "amount": [12.5, 3.0], "ids": [1, 2],
        "cards": [4111111111111111, 5500000000000004], "note": ["hello there", "mail a@b.org"], "email_sent": [1, 0],
    }, exempt=["ids"])
    assert found == ("contact", "Customer E-Mail", "cards")


def test_hidden_values_are_masked_inside_other_columns():
    row = redact_row({"user": "u-48121", "note": "u-48121 says hi", "n": 3, "gone": None}, hidden=["user", "gone"])
    assert row == {"user": REDACTED, "note": f"{REDACTED} says hi", "n": "3", "gone": None}


def test_spared_columns_keep_what_looks_random():
    key = "9f86d081884c7d659a2feaa0c55ad015"
    assert redact_row({"id": key}, hidden=[], spared=["id"]) == {"id": key}


def test_entropy_bounds():
    assert entropy("") == 0.0
    assert entropy("ab" * 10) == pytest.approx(1.0)
