"""Put a feature's values of one window into the rows of another: repair (healthy into bad) and injection (bad into healthy).

Only what differs is touched. Missing values, categories and repeated numbers are atoms: rows on atoms that are too frequent are
released and fill those that are too rare. The rest of a number moves by its rank, so that a change of unit or a shift is undone
row by row. All of this within segment and, where the label is known, within label, so that what the feature says about the
outcome comes back with it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from rca_kit.loop.tables import numbers

Codes = NDArray[np.intp]

ATOM_SHARE = 0.02  # a number this frequent is a value of its own (a default, a cap), not a point on a scale
ATOMS = 60  # most frequent categories; the rest is taken together
MIN_CELL = 25  # rows of a cell on both sides, or the wider cell is used
ATOM_TOLERANCE = 0.02  # total variation that is left alone
SHIFT_TOLERANCE = 0.08  # Kolmogorov-Smirnov distance that is left alone


def from_store(target: pl.DataFrame, store: pl.DataFrame, id: str, column: str) -> tuple[pl.Series, int]:
    """Put a feature's values of an offline store into rows, matched by request id; give the column and how many matched."""
    side = store.select(pl.col(id).cast(pl.String).alias("_id"), pl.col(column).alias("_v")).unique(
        "_id", keep="first", maintain_order=True
    )
    joined = target.select(pl.col(id).cast(pl.String).alias("_id")).join(
        side.with_columns(pl.lit(True).alias("_there")), on="_id", how="left", maintain_order="left"
    )
    there = joined["_there"].fill_null(False)
    value = joined["_v"].cast(target[column].dtype, strict=False)
    merged = pl.DataFrame({"t": target[column], "v": value, "h": there}).select(
        pl.when(pl.col("h")).then(pl.col("v")).otherwise(pl.col("t")).alias(column)
    )[column]
    return merged, int(there.sum())


def transplant(
    target: pl.DataFrame,
    donor: pl.DataFrame,
    column: str,
    target_cells: Codes,
    donor_cells: Codes,
    target_wide: Codes,
    donor_wide: Codes,
    seed: int = 0,
) -> pl.Series:
    """Give the target's column with the donor's distribution.

    Parameters
    ----------
    target, donor : polars.DataFrame
        Rows to change and rows to take the distribution from.
    column : str
        Feature.
    target_cells, donor_cells : ndarray of int
        Narrow cell of each row (segment and label).
    target_wide, donor_wide : ndarray of int
        Wide cell of each row (segment), used where the narrow one is too small, and to tell whether anything differs.
    seed : int
        For which rows are released and what they are given.

    Returns
    -------
    polars.Series
        The new column; the old one where nothing differs.

    Examples
    --------
    >>> bad = pl.DataFrame({"x": [1000.0 * i for i in range(1, 101)]})
    >>> good = pl.DataFrame({"x": [float(i) for i in range(1, 101)]})
    >>> zero = np.zeros(100, dtype=np.intp)
    >>> transplant(bad, good, "x", zero, zero, zero, zero).to_list()[:3]
    [1.0, 2.0, 3.0]
    """
    rng = np.random.default_rng(seed)
    old, new = target[column], donor[column]
    numeric = old.dtype.is_numeric() and new.dtype.is_numeric()
    atoms_t, atoms_d, kinds = _atoms(old, new, numeric)
    values = numbers(old) if numeric else np.asarray(old.to_list(), dtype=object)
    donors = numbers(new) if numeric else np.asarray(new.cast(old.dtype, strict=False).to_list(), dtype=object)
    out = values.copy()
    touched = False
    for wide in np.unique(target_wide):
        t_wide, d_wide = np.flatnonzero(target_wide == wide), np.flatnonzero(donor_wide == wide)
        if min(len(t_wide), len(d_wide)) < MIN_CELL:
            continue
        chance = np.sqrt(kinds / min(len(t_wide), len(d_wide))) / 2
        swap = _variation(atoms_t[t_wide], atoms_d[d_wide], kinds) > ATOM_TOLERANCE + chance
        scale_t, scale_d = t_wide[atoms_t[t_wide] == 0], d_wide[atoms_d[d_wide] == 0]
        shift = numeric and _distance(values[scale_t], donors[scale_d]) > SHIFT_TOLERANCE
        if not swap and not shift:
            continue
        touched = True
        for narrow in np.unique(target_cells[t_wide]):
            t, d = t_wide[target_cells[t_wide] == narrow], d_wide[donor_cells[d_wide] == narrow]
            d = d if len(d) >= MIN_CELL else d_wide
            if shift:
                rest = t[atoms_t[t] == 0]
                source = donors[d][atoms_d[d] == 0]
                if len(rest) and len(source) >= MIN_CELL:
                    ranks = (np.argsort(np.argsort(values[rest], kind="stable"), kind="stable") + 0.5) / len(rest)
                    out[rest] = np.quantile(source, ranks, method="inverted_cdf")
            if swap:
                _refill(out, t, atoms_t[t], donors, d, atoms_d[d], kinds, rng)
    if not touched:
        return old
    if numeric:
        made = pl.Series(column, out, dtype=pl.Float64, nan_to_null=True)
        return made.round().cast(old.dtype, strict=False) if old.dtype.is_integer() else made.cast(old.dtype)
    return pl.Series(column, out.tolist(), dtype=old.dtype, strict=False)


def _atoms(old: pl.Series, new: pl.Series, numeric: bool) -> tuple[Codes, Codes, int]:
    """Code each row by its atom: 1 missing, 2 and up a frequent value, 0 all the rest."""
    if numeric:
        t, d = numbers(old), numbers(new)
        frequent: set[float] = set()
        for side in (t, d):
            known = side[~np.isnan(side)]
            value, count = np.unique(known, return_counts=True)
            frequent |= set(value[count >= max(ATOM_SHARE * len(side), 3)].tolist())
        table = np.asarray(sorted(frequent)[: 4 * ATOMS])

        def code(x: Any) -> Codes:
            place = np.searchsorted(table, x)
            at = np.minimum(place, max(len(table) - 1, 0))
            hit = (place < len(table)) & (table[at] == x) if len(table) else np.zeros(len(x), dtype=bool)
            return np.where(np.isnan(x), 1, np.where(hit, place + 2, 0)).astype(np.intp)

        return code(t), code(d), len(table) + 2
    both = pl.concat([old.cast(pl.String), new.cast(pl.String)]).drop_nulls()
    counts = both.alias("v").to_frame().group_by("v").len().sort(["len", "v"], descending=[True, False])
    top = counts.head(ATOMS)["v"].to_list()
    place_of = {v: i + 2 for i, v in enumerate(top)}

    def named(s: pl.Series) -> Codes:
        return np.asarray([1 if v is None else place_of.get(v, 0) for v in s.cast(pl.String).to_list()], dtype=np.intp)

    return named(old), named(new), len(top) + 2


def _variation(t: Codes, d: Codes, kinds: int) -> float:
    p, q = (np.bincount(c, minlength=kinds) / max(len(c), 1) for c in (t, d))
    return float(np.abs(p - q).sum() / 2)


def _distance(x: Any, y: Any) -> float:
    """Kolmogorov-Smirnov distance less what chance gives at the 1 % level."""
    if min(len(x), len(y)) < MIN_CELL:
        return 0.0
    grid = np.concatenate([x, y])
    a, b = (np.searchsorted(np.sort(v), grid, side="right") / len(v) for v in (x, y))
    return float(np.abs(a - b).max() - 1.63 * np.sqrt(1 / len(x) + 1 / len(y)))


def _refill(
    out: Any, t: Codes, t_atoms: Codes, donors: Any, d: Codes, d_atoms: Codes, kinds: int, rng: np.random.Generator
) -> None:
    """Release rows of atoms that are too frequent and give them values of those that are too rare."""
    p, q = (np.bincount(c, minlength=kinds) / len(c) for c in (t_atoms, d_atoms))
    too_rare = np.maximum(q - p, 0)
    if too_rare.sum() <= 0:
        return
    release = np.where(p > 0, np.maximum(p - q, 0) / np.where(p > 0, p, 1), 0)
    free = t[rng.random(len(t)) < release[t_atoms]]
    wanted = rng.choice(kinds, len(free), p=too_rare / too_rare.sum())
    for atom in np.unique(wanted):
        rows, pool = free[wanted == atom], d[d_atoms == atom]
        out[rows] = donors[pool[rng.integers(0, len(pool), len(rows))]]
