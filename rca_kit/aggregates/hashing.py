"""A hash of a row from its own values, by arithmetic that every engine does alike and that no version changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import narwhals as nw

from rca_kit.aggregates.rows import as_number

HASH_PRIME = 2_147_483_647  # 2^31 - 1: products of two residues stay inside 64-bit integers on every engine
MULTIPLIERS = (48_271, 69_621, 39_373)  # full-period multipliers for this prime (Fishman and Moore 1986, doi:10.1137/0907002)
HASHED_NUMBERS = 4


def row_hash(since: nw.Expr, others: Iterable[str | None], seed: int, schema: Mapping[str, Any]) -> nw.Expr:
    """Hash a row's time and its first numeric columns to 0..HASH_PRIME-1.

    Rows that agree in all of these share a hash.

    Parameters
    ----------
    since : narwhals expression
        Microseconds since a fixed time.
    others : iterable of str
        Columns to take numbers from, best those that differ most; what is no number is passed over.
    seed : int
        Another seed gives an independent hash.
    schema : mapping of str to narwhals dtype
    """
    mixed = (since.abs() % HASH_PRIME) * MULTIPLIERS[0] + 1_000_003 * (seed + 1)
    numeric = [c for c in others if c and c in schema and schema[c].is_numeric()]
    for name in list(dict.fromkeys(numeric))[:HASHED_NUMBERS]:
        number = as_number(name, schema[name]).clip(-1e9, 1e9)
        part = nw.when(~number.is_null()).then((number * 1e6).floor()).otherwise(nw.lit(0.0)).cast(nw.Int64).abs()
        mixed = (mixed % HASH_PRIME) * MULTIPLIERS[1] + part % HASH_PRIME
    first = (mixed % HASH_PRIME) * MULTIPLIERS[2] % HASH_PRIME
    # one product keeps neighbours in step; squaring once breaks the lattice
    return ((first * first + 17 * first + 13) % HASH_PRIME * MULTIPLIERS[0] % HASH_PRIME).cast(nw.Int64)
