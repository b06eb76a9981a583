"""Cubes: sums by key. Adding two cubes row by row is the merge law that everything else rests on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

BUCKET = "rk_bucket"
VALUE = "rk_value"
BIN = "rk_bin"
LABEL = "rk_label"


@dataclass(frozen=True)
class Cube:
    """Sums (every column that is not a key) by `keys`; rows sorted by key, no key twice.

    Examples
    --------
    >>> a = Cube(("k",), pl.DataFrame({"k": [1, 2], "n": [3, 4]}))
    >>> a.merge(a).frame["n"].to_list()
    [6, 8]
    """

    keys: tuple[str, ...]
    frame: pl.DataFrame

    @classmethod
    def of(cls, keys: tuple[str, ...], frame: pl.DataFrame) -> Cube:
        """Sort, and bring sums to one type per kind, so that equal data give equal cubes on every engine."""
        casts = [
            (pl.col(c).cast(pl.Float64) if t.is_float() else pl.col(c).cast(pl.Int64)).fill_null(0)
            for c, t in frame.schema.items() if c not in keys
        ]
        keyed = [pl.col(k).cast(pl.Int64) if frame.schema[k].is_numeric() else pl.col(k).cast(pl.String) for k in keys]
        return cls(keys, frame.select(*keyed, *casts).sort(list(keys), nulls_last=True))

    def merge(self, other: Cube) -> Cube:
        """Add two cubes over different rows of the same log."""
        return Cube.total([self, other])

    @classmethod
    def total(cls, cubes: Sequence[Cube]) -> Cube:
        """Add up one or more cubes over different rows of the same log."""
        keys = cubes[0].keys
        if len(cubes) == 1:
            return cubes[0]
        return cls.of(keys, pl.concat([c.frame for c in cubes]).group_by(list(keys), maintain_order=True).agg(pl.all().sum()))

    def dense(self, column: str, n: int) -> NDArray[np.float64]:
        """One sum as an array by bucket, shape (n,), zero where no row fell."""
        out = np.zeros(n)
        out[self.frame[BUCKET].to_numpy()] = self.frame[column].to_numpy()
        return out

    def by_value(self, column: str, n: int) -> dict[str | None, NDArray[np.float64]]:
        """One sum by value of `rk_value`, each an array by bucket of shape (n,)."""
        out: dict[str | None, NDArray[np.float64]] = {}
        for (value,), part in self.frame.group_by(VALUE, maintain_order=True):
            row = np.zeros(n)
            row[part[BUCKET].to_numpy()] = part[column].to_numpy()
            out[value] = row
        return out
