"""How one column's values change: scaled, renamed, hashed, scrambled, shifted in time; never in a way that moves a statistic.

Numbers are multiplied by a positive factor of their own. That keeps order (AUC, rank tests), quantile bins (PSI), nulls, zeros,
signs and ratios (a unit that changed, a latency that doubled). Whole numbers get a whole factor, so that a column that lost its
decimals can still be told. What has two values, 0 and 1, and probabilities stay as they are: they name nobody, and calibration
and thresholds live in them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from rca_kit.loop.s5_samples.text_detectors import INJECTION, REFUSAL, STOP_WORDS, TOXIC_WORDS

WHOLE_FACTORS = (2, 3, 5, 6, 7, 9, 11)
FACTOR_RANGE = (1.3, 8.0)  # far enough from 1 that no value is still itself
WHOLE_SHARE = 0.5  # from here on a column counts as one of whole numbers, in any part of the log
_WORD = re.compile(r"[^\W\d_]+|\d")
_KEEP = frozenset(w for p in (*INJECTION, *REFUSAL) for w in re.findall(r"[^\W\d_]{2,}", p.casefold()))
KEPT_WORDS = _KEEP | TOXIC_WORDS | frozenset(w for listed in STOP_WORDS.values() for w in listed)
"""Words of the kit's own text detectors and stop words: they are in everybody's texts."""


@dataclass(frozen=True)
class Secret:
    """What the change rests on: a generator and a salt. Neither is written anywhere."""

    rng: np.random.Generator
    salt: bytes

    def factor(self, whole: bool) -> float:
        """Draw a factor."""
        if whole:
            return float(self.rng.choice(WHOLE_FACTORS))
        low, high = np.log(FACTOR_RANGE)
        return float(np.round(np.exp(self.rng.uniform(low, high)), 4))

    def hashed(self, text: str, length: int = 12) -> str:
        """Hash a value with the salt; equal values stay equal."""
        return hashlib.blake2b(text.encode(), key=self.salt, digest_size=16).hexdigest()[:length]

    def scrambled(self, text: str) -> str:
        """Replace every word by another of the same length and every digit by another, the same one each time."""
        return _WORD.sub(lambda m: self._word(m.group()), text)

    def _word(self, word: str) -> str:
        low = word.casefold()
        if low in KEPT_WORDS:
            return word
        digest = hashlib.blake2b(low.encode(), key=self.salt, digest_size=64).digest()
        if word.isdigit():
            return str(digest[0] % 10)
        made = "".join(("aeiou" if i % 2 else "bdfgklmnprstv")[digest[i % 64] % (5 if i % 2 else 13)] for i in range(len(word)))
        return made.upper() if word.isupper() else made.title() if word[:1].isupper() else made


def is_flag(values: pl.Series) -> bool:
    """Whether a column holds only true and false, or 0 and 1."""
    if values.dtype == pl.Boolean:
        return True
    return values.dtype.is_numeric() and set(values.drop_nulls().unique().head(3).to_list()) <= {0, 1}


def is_probability(values: pl.Series) -> bool:
    """Whether a numeric column stays between 0 and 1."""
    if not values.dtype.is_numeric() or not len(values.drop_nulls()):
        return False
    low, high = values.drop_nulls().min(), values.drop_nulls().max()
    return bool(low >= 0 and high <= 1)  # type: ignore[operator]


def is_whole(values: pl.Series) -> bool:
    """Whether a column, or a part of it, holds whole numbers: one that lost its decimals half-way counts."""
    if values.dtype.is_integer():
        return True
    parts = [values.head(len(values) // 4), values.tail(max(len(values) // 10, 1))]
    known = [p.drop_nulls() for p in parts]
    return any(len(p) and (p % 1 == 0).sum() >= WHOLE_SHARE * len(p) for p in known)


def scaled(values: pl.Series, factor: float) -> pl.Series:
    """Multiply, and keep whole numbers whole; beyond six digits there is nothing but the factor to see."""
    if values.dtype.is_integer() and factor == int(factor):
        return values.cast(pl.Int64) * int(factor)
    out = values.cast(pl.Float64) * factor
    return out if factor == int(factor) else out.round_sig_figs(7)


def mapped(values: pl.Series, name: Callable[[str], str]) -> pl.Series:
    """Rename every distinct value."""
    distinct = sorted(str(v) for v in values.drop_nulls().unique().to_list())
    table = {v: name(v) for v in distinct}
    return values.cast(pl.String).replace_strict(table, default=None, return_dtype=pl.String)
