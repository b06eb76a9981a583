"""All columns together: a classifier that tells before from after, and pairs of columns whose relation broke."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rca_kit.findings.comparison import DomainClassifier, RelationBreak
from rca_kit.loop.compare.deep import blocks_of
from rca_kit.stats.drift import holm
from rca_kit.stats.matrix import without_empty

TREES = 40
FOLDS = 8  # contiguous stretches of each side: a model must not meet the same minutes in training and test
CLEARLY = 0.02  # above 0.5: an AUC that matters
LEVEL = 0.01
CODES = 200  # category codes the classifier tells apart; rarer values are one
PARTS = 16  # contiguous parts from whose scatter the noise of a correlation is taken
LEAST_CHANGE = 0.1  # of a correlation, to be called broken
LEAST_ROWS = 200

Floats = NDArray[np.float64]


def classify(before: Any, after: Any, columns: list[str]) -> DomainClassifier | None:
    """Train boosted trees to tell before from after, tested on contiguous folds; None where rows or columns are too few.

    The AUC is the mean over folds with a t interval; columns are ranked by how much the AUC falls when they are shuffled
    (Rabanser, Guennemann and Lipton 2019, "Failing loudly").
    """
    if not columns or before.height < LEAST_ROWS or after.height < LEAST_ROWS:
        return None
    from scipy.special import stdtr, stdtrit
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.metrics import roc_auc_score
    from threadpoolctl import threadpool_limits

    left, right = _encoded(before, after, columns)
    rows = np.vstack([left, right])
    label = np.repeat([0, 1], [len(left), len(right)])
    fold = np.concatenate([blocks_of(len(left), FOLDS), blocks_of(len(right), FOLDS)])
    weight = np.where(label == 1, 1 / len(right), 1 / len(left)) * len(rows) / 2
    rng = np.random.default_rng(0)
    scores, falls = [], np.zeros((FOLDS, len(columns)))
    with threadpool_limits(1):  # threads that wait for each other cost more than these small trees, and change the sums
        for k in range(FOLDS):
            test = fold == k
            model = HistGradientBoostingClassifier(
                max_iter=TREES, max_leaf_nodes=15, min_samples_leaf=40, early_stopping=False, random_state=0
            )
            model.fit(without_empty(rows[~test]), label[~test], sample_weight=weight[~test])
            held, truth = rows[test], label[test]
            auc = float(roc_auc_score(truth, model.predict_proba(held)[:, 1]))
            scores.append(auc)
            if k % 3 == 0:  # some of the folds rank the columns well enough
                for j in range(len(columns)):
                    mixed = held.copy()
                    mixed[:, j] = rng.permutation(mixed[:, j])
                    falls[k, j] = auc - float(roc_auc_score(truth, model.predict_proba(mixed)[:, 1]))
    mean, error = float(np.mean(scores)), float(np.std(scores, ddof=1) / np.sqrt(FOLDS))
    half = float(stdtrit(FOLDS - 1, 0.975)) * error
    p = float(stdtr(FOLDS - 1, -(mean - 0.5) / error)) if error > 0 else 1.0
    fall = falls[::3].mean(0)
    top = tuple((columns[j], float(fall[j])) for j in np.argsort(-fall, kind="stable")[:5] if fall[j] > 0)
    return DomainClassifier(mean, (max(0.0, mean - half), min(1.0, mean + half)), p, p < LEVEL and mean > 0.5 + CLEARLY, top)


def relation_breaks(before: Any, after: Any, columns: list[str]) -> tuple[RelationBreak, ...]:
    """Find pairs of numeric columns whose rank correlation changed beyond chance (Holm) and by at least 0.1."""
    if len(columns) < 2 or before.height < LEAST_ROWS or after.height < LEAST_ROWS:
        return ()
    from scipy.special import stdtr

    sides = [_scores(frame, columns) for frame in (before, after)]
    means, errors = [], []
    for scores in sides:
        part = blocks_of(len(scores), PARTS)
        per_part = np.stack([scores[part == k].T @ scores[part == k] / max(int((part == k).sum()), 1) for k in range(PARTS)])
        means.append(per_part.mean(0))
        independent = np.sqrt(1.0 / len(scores))
        errors.append(np.maximum(per_part.std(0, ddof=1) / np.sqrt(PARTS), independent))
    change = means[1] - means[0]
    p = 2 * stdtr(PARTS - 1, -np.abs(change) / np.hypot(*errors))
    i, j = np.triu_indices(len(columns), 1)
    adjusted = holm(p[i, j])
    found = [
        RelationBreak(columns[a], columns[b], float(means[0][a, b]), float(means[1][a, b]), float(q))
        for a, b, q in zip(i, j, adjusted, strict=True)
        if q < LEVEL and abs(change[a, b]) >= LEAST_CHANGE
    ]
    return tuple(sorted(found, key=lambda r: (r.q_value, -abs(r.after - r.before))))


def _scores(frame: Any, columns: list[str]) -> Floats:
    """Ranks of each column within its side, standardised; missing values sit at the middle."""
    import polars as pl

    out = np.zeros((frame.height, len(columns)))
    for j, name in enumerate(columns):
        column = frame[name].cast(pl.Float64, strict=False).fill_nan(None)
        rank = column.rank("average").to_numpy().astype(float)
        spread = np.nanstd(rank) if column.null_count() < len(column) else 0.0
        if spread > 0:
            out[:, j] = np.nan_to_num((rank - np.nanmean(rank)) / spread)
    return out


def _encoded(before: Any, after: Any, columns: list[str]) -> tuple[Floats, Floats]:
    """Numbers as they are, categories by rank of frequency, missing as NaN."""
    import polars as pl

    sides: tuple[list[Floats], list[Floats]] = ([], [])
    for name in columns:
        left, right = before[name], after[name]
        if left.dtype.is_numeric() and right.dtype.is_numeric():
            for side, column in zip(sides, (left, right), strict=True):
                values = column.cast(pl.Float64, strict=False).to_numpy()
                side.append(np.where(np.isfinite(values), values, np.nan))
            continue
        text = [s.cast(pl.String) for s in (left, right)]
        counted = pl.concat(text).drop_nulls().alias("value").value_counts(name="rows")
        common = counted.sort(["rows", "value"], descending=[True, False]).head(CODES)
        known = common.filter(pl.col("rows") > 1)["value"].to_list()
        for side, column in zip(sides, text, strict=True):
            codes = list(range(len(known)))
            code = column.is_not_null().cast(pl.Float64)
            if known:
                code = column.replace_strict(known, codes, default=len(known), return_dtype=pl.Float64)
            side.append(np.where(column.is_null().to_numpy(), np.nan, code.to_numpy()))
    return np.column_stack(sides[0]), np.column_stack(sides[1])
