"""Short rules that separate bad rows from good ones: a small decision tree, read out and checked on rows it has not seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from rca_kit.findings.samples import Rule
from rca_kit.stats.trees import Bins, Tree, grow

MAX_DEPTH = 3  # a rule of more than three conditions is not one a tired person keeps in mind
MAX_LEAVES = 6
CUTS = 255  # places where a number can be cut
MIN_LEAF = 10
MIN_COVERAGE = 0.05
MIN_GAIN = 1.5  # a rule's precision over the share of bad rows anywhere; below this it separates nothing
MAX_VALUES = 30  # values of a column that get their own condition
MAX_DISTINCT = 500  # texts with more distinct values are ids or free text
MAX_RULES = 3


@dataclass(frozen=True)
class Feature:
    """One 0/1 or numeric input of the tree: `value` is the category it tests, None for a number; `missing` tests for null.

    `other` is what the column holds when it is not `value`, where only one value is left.
    """

    column: str
    value: Any = None
    other: Any = None
    missing: bool = False
    numeric: bool = False
    two_valued: bool = False


def find_rules(
    rows: pl.DataFrame, bad: NDArray[np.bool_], weights: NDArray[np.float64], columns: list[str], seed: int = 0
) -> tuple[Rule, ...]:
    """Find rules on half of the rows, measure coverage and precision on the other half.

    Parameters
    ----------
    rows : Polars frame, n rows
        Bad and good rows alike.
    bad : array of bool, shape (n,)
    weights : array, shape (n,)
        How many rows of the population each row stands for.
    columns : list of str
        Columns the rules may speak of.

    Returns
    -------
    tuple of Rule
        Best first; empty when nothing separates them.

    Examples
    --------
    >>> rows = pl.DataFrame({"device": ["android", "ios"] * 100, "x": [1.0, 2.0, 3.0, 4.0] * 50})
    >>> find_rules(rows, (rows["device"] == "android").to_numpy(), np.ones(200), ["device", "x"])
    (Rule(text='device = android', coverage=1.0, precision=1.0),)
    """
    order = np.random.default_rng(seed).permutation(rows.height)
    train, test = order[::2], order[1::2]
    if min(bad[train].sum(), bad[test].sum(), (~bad[train]).sum(), (~bad[test]).sum()) < MIN_LEAF:
        return ()
    features = _features(rows, columns)
    if not features:
        return ()
    X = np.column_stack([_values(rows, f) for f in features])
    leaf = max(MIN_LEAF, int(0.005 * len(train)))
    w, y = weights[train], bad[train]
    # bad and good count alike, else a tree on 2 % bad rows stops at its root
    balanced = w * np.where(y, 1 / w[y].sum(), 1 / w[~y].sum()) * len(train)
    bins = Bins.fit(X[train], most=CUTS)
    tree = grow(bins, bins.codes(X[train]), y.astype(float), balanced, depth=MAX_DEPTH, leaves=MAX_LEAVES, least=leaf)
    share = weights[test][bad[test]].sum() / weights[test].sum()
    rules: list[Rule] = []
    for path in _bad_paths(tree, bins):
        path = _pruned(path, X[train], y, w)
        hit = _matches(path, X[test])
        covered = weights[test][hit & bad[test]].sum()
        coverage, precision = covered / weights[test][bad[test]].sum(), covered / max(weights[test][hit].sum(), 1e-12)
        text = _text(path, features)
        telling = coverage >= MIN_COVERAGE and precision >= min(MIN_GAIN * share, 0.5 + share / 2)
        if telling and all(r.text != text for r in rules):
            rules.append(Rule(text, float(coverage), float(precision)))
    return tuple(sorted(rules, key=lambda r: (-r.coverage * r.precision, r.text))[:MAX_RULES])


Condition = tuple[int, float, float]  # feature, low, high: low < x <= high


def _features(rows: pl.DataFrame, columns: list[str]) -> list[Feature]:
    out: list[Feature] = []
    for name in columns:
        column = rows[name]
        distinct = column.n_unique()
        if distinct < 2:
            continue
        if column.null_count():
            out.append(Feature(name, missing=True))
        if column.dtype.is_numeric():
            out.append(Feature(name, numeric=True, two_valued=set(column.drop_nulls().unique().to_list()) <= {0, 1}))
        elif distinct <= MAX_DISTINCT:
            counts = column.drop_nulls().cast(pl.String).value_counts(name="rk_n").sort(["rk_n", name], descending=[True, False])
            values = sorted(counts[name].head(MAX_VALUES).to_list())
            if len(values) == distinct == 2:
                out.append(Feature(name, value=values[0], other=values[1]))
            else:
                out.extend(Feature(name, value=v) for v in values)
    return out


def _values(rows: pl.DataFrame, f: Feature) -> NDArray[np.float64]:
    column = rows[f.column]
    if f.missing:
        return column.is_null().to_numpy().astype(float)
    if f.numeric:
        values = column.cast(pl.Float64)
        middle = values.drop_nulls().drop_nans().median()
        return np.nan_to_num(values.fill_null(float("nan")).to_numpy().astype(float), nan=float(middle or 0.0))  # type: ignore[arg-type]
    return (column.cast(pl.String) == str(f.value)).fill_null(value=False).to_numpy().astype(float)


def _bad_paths(tree: Tree, bins: Bins) -> list[list[Condition]]:
    """Paths from the root to leaves where bad rows outweigh good ones, after balancing."""
    out: list[list[Condition]] = []

    def walk(node: int, bounds: dict[int, tuple[float, float]]) -> None:
        f = int(tree.feature[node])
        if f < 0:
            if tree.value[node] > 0.5 and bounds:
                out.append([(g, low, high) for g, (low, high) in bounds.items()])
            return
        cut = float(bins.edges[f][int(tree.left[node, :-1].sum()) - 1])
        low, high = bounds.get(f, (-np.inf, np.inf))
        walk(2 * node + 1, {**bounds, f: (low, min(high, cut))})
        walk(2 * node + 2, {**bounds, f: (max(low, cut), high)})

    walk(0, {})
    return out


def _pruned(
    path: list[Condition], X: NDArray[np.float64], bad: NDArray[np.bool_], weights: NDArray[np.float64]
) -> list[Condition]:
    """Drop conditions that do not help: a shorter rule with nearly the precision covers more."""
    current = list(path)
    for condition in list(path)[::-1]:
        shorter = [c for c in current if c != condition]
        if shorter and _precision(shorter, X, bad, weights) >= 0.9 * _precision(current, X, bad, weights):
            current = shorter
    return current


def _precision(path: list[Condition], X: NDArray[np.float64], bad: NDArray[np.bool_], weights: NDArray[np.float64]) -> float:
    hit = _matches(path, X)
    return float(weights[hit & bad].sum() / max(weights[hit].sum(), 1e-12))


def _matches(path: list[Condition], X: NDArray[np.float64]) -> NDArray[np.bool_]:
    hit = np.ones(len(X), dtype=bool)
    for f, low, high in path:
        hit &= (X[:, f] > low) & (X[:, f] <= high)
    return hit


def _text(path: list[Condition], features: list[Feature]) -> str:
    parts = []
    for f, low, high in sorted(path, key=lambda c: (features[c[0]].column, c[0])):
        feature = features[f]
        yes = low > 0  # flags are cut at 0.5
        if feature.missing:
            parts.append(f"{feature.column} is {'' if yes else 'not '}missing")
        elif feature.other is not None:
            parts.append(f"{feature.column} = {feature.value if yes else feature.other}")
        elif not feature.numeric:
            parts.append(f"{feature.column} {'=' if yes else '!='} {feature.value}")
        elif feature.two_valued:
            parts.append(f"{feature.column} = {1 if yes else 0}")
        elif np.isinf(low):
            parts.append(f"{feature.column} <= {high:.4g}")
        elif np.isinf(high):
            parts.append(f"{feature.column} > {low:.4g}")
        else:
            parts.append(f"{low:.4g} < {feature.column} <= {high:.4g}")
    return " and ".join(parts)
