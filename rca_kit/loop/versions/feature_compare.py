"""The same features as two sides saw them: nulls, PSI, rows that differ, and what relates one to the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from rca_kit.errors import BadInput
from rca_kit.findings.replay import FeatureDifference
from rca_kit.findings.shadow import NamedRows
from rca_kit.loop.tables import numbers, to_polars

Floats = NDArray[np.float64]

PSI_BINS = 10  # the usual number (Siddiqi 2006)
PSI_MOVED = 0.1  # the usual "small change" limit; the chance level for small samples is added
PSI_FLOOR = 1e-4  # share given to an empty bin
SAME = 1e-6  # relative difference of numbers that are the same value, after a trip through float32
RULE_SHARE = 0.98  # share of rows that a relation must hold for
MIN_ROWS = 20  # rows before a relation is believed
DIFFERENT_SHARE = 0.001  # share of matched rows that may differ before a feature counts as changed
MAX_CODES = 1000  # distinct values of a categorical feature looked at for permutations


def compare_features(
    previous: Any,
    current: Any,
    names: Sequence[str] | None = None,
    matched: bool = True,
    words: tuple[str, str] = ("previous", "current"),
) -> NamedRows[FeatureDifference]:
    """Compare features column by column.

    Parameters
    ----------
    previous, current : table
        Features of both sides; when `matched`, row i of one belongs to row i of the other.
    names : sequence of str, optional
        Features; all columns of either side when absent.
    matched : bool
        Whether rows can be compared with each other.
    words : tuple of str
        What the sides are called in `relation`.

    Returns
    -------
    NamedRows of FeatureDifference
        Changed ones first.

    Examples
    --------
    >>> a = pl.DataFrame({"amount": [float(i) for i in range(1, 51)]})
    >>> compare_features(a, a * 1000)["amount"].relation
    'current = 1000 x previous'
    """
    left, right = as_frame(previous), as_frame(current)
    wanted = list(names) if names is not None else list(dict.fromkeys([*left.columns, *right.columns]))
    rows = [_one(n, left, right, matched and left.height == right.height, words) for n in wanted]
    return NamedRows(sorted(rows, key=lambda r: not r.changed))


def feature_parity(offline: Any, online: Any, id: str, features: Sequence[str] | None = None) -> NamedRows[FeatureDifference]:
    """Compare offline features (golden set, feature store) with those served online for the same requests.

    Parameters
    ----------
    offline, online : table
        Each with the `id` column; rows are matched by it, the first one counting where an id comes twice.
    id : str
        Name of the id in both.
    features : sequence of str, optional
        Features compared; the columns of both tables when absent.

    Returns
    -------
    NamedRows of FeatureDifference
        With relations like "online = 1000 x offline"; `previous` fields are offline, `current` fields online.

    Examples
    --------
    >>> off = pl.DataFrame({"id": range(40), "amount": [float(i) for i in range(40)]})
    >>> on = off.with_columns(amount=pl.col("amount") * 0.01)
    >>> feature_parity(off, on, "id")["amount"].relation
    'online = 0.01 x offline'
    """
    left, right = to_polars(offline, name="offline"), to_polars(online, name="online")
    for frame, side in ((left, "offline"), (right, "online")):
        if id not in frame.columns:
            raise BadInput(f"the {side} table has no such column", column=id, found=", ".join(frame.columns))
    wanted = list(features) if features is not None else [c for c in left.columns if c in right.columns and c != id]
    left, right = (
        f.filter(pl.col(id).is_not_null()).unique(id, keep="first", maintain_order=True).with_columns(pl.col(id).cast(pl.String))
        for f in (left, right)
    )
    keys = left.select(id).join(right.select(id), on=id, maintain_order="left")
    a, b = (keys.join(f, on=id, how="left", maintain_order="left") for f in (left, right))
    return compare_features(a, b, wanted, matched=True, words=("offline", "online"))


def as_frame(table: Any) -> pl.DataFrame:
    """Hold features as a frame; the columns of a plain matrix are called f0, f1 and so on."""
    if isinstance(table, np.ndarray):
        matrix = table.reshape(len(table), -1)
        return pl.DataFrame({f"f{i}": matrix[:, i] for i in range(matrix.shape[1])})
    return to_polars(table, name="the features")


def _one(name: str, left: pl.DataFrame, right: pl.DataFrame, matched: bool, words: tuple[str, str]) -> FeatureDifference:
    if name not in left.columns or name not in right.columns:
        side = words[1] if name in left.columns else words[0]
        there = left if name in left.columns else right
        nulls = float(_nulls(there[name]).mean()) if there.height else 0.0  # type: ignore[arg-type]
        missing_left = name not in left.columns
        return FeatureDifference(
            name,
            None if missing_left else nulls,
            nulls if missing_left else None,
            None,
            None,
            "" if missing_left else str(left.schema[name]),
            str(right.schema[name]) if missing_left else "",
            f"not given to {side}",
            True,
        )
    a, b = left[name], right[name]
    null_a, null_b = _nulls(a).to_numpy(), _nulls(b).to_numpy()
    share, relation = None, ""
    if matched and len(a):
        differs = _differs(a, b, null_a, null_b)
        share = float(differs.mean())
        relation = _relation(a, b, null_a, null_b, words) if share > 0 else ""
    index, chance = psi(a, b)
    rate_a, rate_b = (float(x.mean()) if len(x) else 0.0 for x in (null_a, null_b))
    changed = (
        bool(relation)
        or (share is not None and share > DIFFERENT_SHARE)
        or (share is None and index is not None and index > PSI_MOVED + chance)
    )
    if not relation and _family(a) != _family(b):
        relation, changed = f"{words[0]} is {_family(a)}, {words[1]} is {_family(b)}", True
    return FeatureDifference(name, rate_a, rate_b, index, share, str(a.dtype), str(b.dtype), relation, changed)


def psi(a: pl.Series, b: pl.Series) -> tuple[float | None, float]:
    """Give the population stability index of two columns, missing values as a bin, and its level by chance alone.

    Under equal distributions its mean is (bins - 1)(1/n + 1/m) (Yurdakul 2018); three times that is the allowance given.

    Examples
    --------
    >>> psi(pl.Series([1.0, 2.0, 3.0]), pl.Series([1.0, 2.0, 3.0]))[0]
    0.0
    """
    if not len(a) or not len(b):
        return None, 0.0
    if all(s.dtype.is_numeric() or s.dtype == pl.Boolean for s in (a, b)):
        x, y = numbers(a), numbers(b)
        known = x[~np.isnan(x)]
        edges = np.unique(np.quantile(known, np.linspace(0, 1, PSI_BINS + 1)[1:-1])) if len(known) else np.zeros(0)
        counts = [
            np.append(
                np.bincount(np.searchsorted(edges, v[~np.isnan(v)], side="right"), minlength=len(edges) + 1), np.isnan(v).sum()
            )
            for v in (x, y)
        ]
    else:
        if a.dtype.is_nested() or b.dtype.is_nested():
            return None, 0.0
        left, right = (s.cast(pl.String).alias("v").to_frame().group_by("v").len() for s in (a, b))
        both = left.join(right, on="v", how="full", coalesce=True, nulls_equal=True).fill_null(0)
        counts = [both["len"].to_numpy(), both["len_right"].to_numpy()]
    p, q = (np.maximum(c / c.sum(), PSI_FLOOR) for c in counts)
    bins = int(((counts[0] + counts[1]) > 0).sum())
    return float(np.sum((q - p) * np.log(q / p))), 3 * (bins - 1) * (1 / len(a) + 1 / len(b))


def _nulls(s: pl.Series) -> pl.Series:
    return s.is_null() | s.is_nan().fill_null(False) if s.dtype.is_float() else s.is_null()


def _family(s: pl.Series) -> str:
    if s.dtype.is_numeric():
        return "number"
    if s.dtype in (pl.String, pl.Categorical) or isinstance(s.dtype, pl.Enum):
        return "text"
    return {pl.Boolean: "boolean", pl.Null: "number"}.get(s.dtype.base_type(), str(s.dtype))


def _differs(a: pl.Series, b: pl.Series, null_a: Any, null_b: Any) -> Any:
    if a.dtype.is_numeric() and b.dtype.is_numeric():
        x, y = numbers(a), numbers(b)
        with np.errstate(invalid="ignore"):
            same = np.abs(x - y) <= SAME * np.maximum(np.abs(x), np.abs(y)) + 1e-12
        return np.where(null_a | null_b, null_a != null_b, ~same)
    if a.dtype.is_nested() or b.dtype.is_nested():
        return np.asarray([p != q for p, q in zip(a.to_list(), b.to_list(), strict=True)])
    same = (_text(a) == _text(b)).fill_null(False).to_numpy()
    return np.where(null_a | null_b, null_a != null_b, ~same)


def _text(s: pl.Series) -> pl.Series:
    return s.cast(pl.String)


def _relation(a: pl.Series, b: pl.Series, null_a: Any, null_b: Any, words: tuple[str, str]) -> str:
    """Name what turns one side into the other, empty when no simple rule holds."""
    first, second = words
    both = ~null_a & ~null_b
    found = []
    if both.sum() >= MIN_ROWS:
        found.append(
            _numeric(numbers(a)[both], numbers(b)[both], words)
            if a.dtype.is_numeric() and b.dtype.is_numeric()
            else _codes(a.filter(pl.Series(both)), b.filter(pl.Series(both)), words)
        )
    filled = null_a & ~null_b
    if filled.sum() >= max(3, 0.5 * null_a.sum()):
        value, share = _most_common(b.filter(pl.Series(filled)))
        if share >= RULE_SHARE:
            found.append(f"missing in {first} is {value} in {second}")
    emptied = null_b & ~null_a
    if emptied.sum() >= 3:
        value, share = _most_common(a.filter(pl.Series(emptied)))
        of = f"{value} in {first}" if share >= RULE_SHARE else f"{emptied.mean():.1%} of values"
        found.append(f"{of} is missing in {second}" if share >= RULE_SHARE else f"{of} are missing in {second}")
    return "; ".join(f for f in found if f)


def _numeric(x: Floats, y: Floats, words: tuple[str, str]) -> str:
    first, second = words

    def holds(z: Floats) -> bool:
        return float(np.mean(np.abs(z - y) <= 1e-4 * np.maximum(np.abs(y), np.abs(z)) + 1e-12)) >= RULE_SHARE

    if holds(x):
        return ""
    if np.unique(y).size == 1:
        return f"{second} is always {y[0]:g}"
    used = x != 0
    if used.sum() >= MIN_ROWS:
        factor = float(np.median(y[used] / x[used]))
        if factor != 0 and holds(x * factor):
            return f"{second} = {factor:.6g} x {first}"
    shift = float(np.median(y - x))
    if holds(x + shift):
        return f"{second} = {first} {'+' if shift > 0 else '-'} {abs(shift):.6g}"
    spread = x - np.median(x)
    if np.ptp(x) > 0:
        slope, intercept = np.polyfit(x, y, 1) if np.ptp(spread) > 0 else (0.0, 0.0)
        if slope != 0 and holds(slope * x + intercept):
            return f"{second} = {slope:.6g} x {first} {'+' if intercept > 0 else '-'} {abs(intercept):.6g}"
    for name, change in (("round", np.round), ("floor", np.floor), ("absolute value", np.abs)):
        if holds(change(x)):
            return f"{second} = {name} of {first}"
    if (x > -1).all() and holds(np.log1p(x)):
        return f"{second} = log(1 + {first})"
    if (x > 0).all() and holds(np.log(x)):
        return f"{second} = log of {first}"
    if np.unique(x).size <= MAX_CODES and np.unique(x).size < len(x) / 5:
        return _codes(pl.Series(x), pl.Series(y), words)
    return ""


def _codes(a: pl.Series, b: pl.Series, words: tuple[str, str]) -> str:
    """Name a one-to-one change of codes: permuted, renamed, or only written differently."""
    table = pl.DataFrame({"a": _text(a), "b": _text(b)})
    if (table["a"] == table["b"]).mean() >= RULE_SHARE or table["a"].n_unique() > MAX_CODES:  # type: ignore[operator]
        return ""
    top = table.group_by("a", "b").len().sort(["len", "a", "b"], descending=[True, False, False])
    best = top.unique("a", keep="first", maintain_order=True)
    if best["len"].sum() < RULE_SHARE * table.height:
        return ""
    if best["b"].n_unique() == 1 and best.height > 1:
        return f"{words[1]} is always {best['b'][0]}"
    moved = best.filter(pl.col("a") != pl.col("b")).sort("a")
    some = [f"{x} -> {y}" for x, y in moved.select("a", "b").head(4).iter_rows()]
    shown = ", ".join(some) + (", ..." if moved.height > 4 else "")
    if best["b"].n_unique() < best.height:
        return f"values merged: {shown}"
    if (best["a"].str.strip_chars().str.to_lowercase() == best["b"].str.strip_chars().str.to_lowercase()).all():
        return f"written differently: {shown}"
    kind = "codes permuted" if set(best["a"]) == set(best["b"]) else "codes renamed"
    return f"{kind}: {shown}"


def _most_common(s: pl.Series) -> tuple[Any, float]:
    counts = s.alias("v").to_frame().group_by("v").len().sort(["len", "v"], descending=[True, False])
    value = counts["v"][0]
    return (f"{value:g}" if isinstance(value, float) else value), counts["len"][0] / len(s)
