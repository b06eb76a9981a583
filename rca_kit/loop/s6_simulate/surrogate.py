"""Stand-ins when the model cannot be run: a fitted copy of its scores, and reweighting of the rows that are there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from rca_kit.loop.tables import encode, numbers
from rca_kit.stats.distances import logit
from rca_kit.stats.trees import Boosted, boost

Floats = NDArray[np.float64]

MIN_FIDELITY = 0.5  # share of the scores' variance the copy explains on rows it has not seen; below, its word is worth nothing
FIT_ROWS = 6_000  # rows fitted: more take seconds and gain little
ROUNDS, RATE, DEPTH = 40, 0.22, 4  # of the copy: 16 leaves a tree hold the joint effects of a few features
MIN_ROWS = 300
SEEN_NULLS = 0.01  # share of missing values from which the copy knows what they do
MAX_WEIGHT = 20.0  # rows counting for more than this many others make a guess of a handful
MIN_EFFECTIVE = 200.0  # effective rows after weighting (Kish 1965)


@dataclass(frozen=True)
class Surrogate:
    """A gradient-boosted copy of the score; `fidelity` is R squared on rows left out.

    `support` holds what it has seen of each feature: the range of a number, and whether missing values were among them.
    """

    model: Boosted
    features: tuple[str, ...]
    categories: dict[str, dict[str, int]]
    probability: bool
    fidelity: float
    support: dict[str, tuple[float, float, bool]]

    def moved(self, score: Floats, served: pl.DataFrame, changed: pl.DataFrame) -> Floats:
        """Give the served scores moved by what the change of features does to the copy's.

        Rows without a change keep their score. Where the served values are like nothing the copy has seen, it cannot tell the
        step, and its own score of the changed row stands.
        """
        x, z = (_matrix(f, self.features, self.categories) for f in (served, changed))
        touched = ~np.all((x == z) | (np.isnan(x) & np.isnan(z)), axis=1)
        if not touched.any():
            return score
        goal, start = self.model.predict(z[touched]), self.model.predict(x[touched])
        scale = logit(score[touched]) if self.probability else score[touched]
        value = np.where(self._knows(served.filter(pl.Series(touched)), x[touched]), scale + goal - start, goal)
        out = score.copy()
        out[touched] = np.where(np.isnan(scale), np.nan, 1 / (1 + np.exp(-value)) if self.probability else value)
        return out

    def _knows(self, frame: pl.DataFrame, matrix: Floats) -> Any:
        known = np.ones(frame.height, dtype=bool)
        for i, f in enumerate(self.features):
            low, high, nulls = self.support[f]
            missing = frame[f].is_null().to_numpy() if f in self.categories else np.isnan(matrix[:, i])
            unseen = np.isnan(matrix[:, i]) & ~missing
            with np.errstate(invalid="ignore"):
                inside = (matrix[:, i] >= low) & (matrix[:, i] <= high)
            known &= np.where(missing, nulls, ~unseen & inside)
        return known


def fit_surrogate(frame: pl.DataFrame, score: Floats, features: Sequence[str], seed: int = 0) -> Surrogate | None:
    """Fit a copy of the score; None when there are too few rows."""
    known = np.flatnonzero(~np.isnan(score))
    if len(known) < MIN_ROWS or not features:
        return None
    rng = np.random.default_rng(seed)
    known = np.sort(rng.permutation(known)[:FIT_ROWS])
    rows, y = frame[known], score[known]
    probability = bool(y.min() >= 0 and y.max() <= 1)
    target = logit(y) if probability else y
    categories = {
        f: {v: i for i, v in enumerate(sorted(rows[f].cast(pl.String).drop_nulls().unique().to_list()))}
        for f in features
        if not (frame[f].dtype.is_numeric() or frame[f].dtype == pl.Boolean)
    }
    x = _matrix(rows, features, categories)
    held = rng.random(len(y)) < 0.25
    made = boost(x[~held], target[~held], rounds=ROUNDS, rate=RATE, depth=DEPTH)
    rest = target[held] - made.predict(x[held])
    spread = float(np.var(target[held]))
    fidelity = 1 - float(np.mean(rest**2)) / spread if spread > 0 else 0.0
    return Surrogate(made, tuple(features), categories, probability, fidelity, _support(rows, x, features, categories))


def _support(
    rows: pl.DataFrame, x: Floats, features: Sequence[str], categories: dict[str, dict[str, int]]
) -> dict[str, tuple[float, float, bool]]:
    out = {}
    for i, f in enumerate(features):
        missing = float(rows[f].is_null().mean() if f in categories else np.isnan(x[:, i]).mean())  # type: ignore[arg-type]
        known = x[~np.isnan(x[:, i]), i]
        low, high = (float(v) for v in np.quantile(known, [0.001, 0.999])) if len(known) else (0.0, 0.0)
        if f in categories:
            low, high = -np.inf, np.inf
        out[f] = (low, high, missing >= SEEN_NULLS)
    return out


def _matrix(frame: pl.DataFrame, features: Sequence[str], categories: dict[str, dict[str, int]]) -> Floats:
    columns = []
    for f in features:
        if f in categories:
            codes = categories[f]
            texts = frame[f].cast(pl.String).to_list()
            columns.append(np.asarray([codes.get(t, np.nan) if t is not None else np.nan for t in texts], dtype=np.float64))
        else:
            columns.append(numbers(frame[f]))
    return np.column_stack(columns)


def weights_like(before: pl.DataFrame, after: pl.DataFrame, columns: Sequence[str]) -> Floats | None:
    """Weights of the `after` rows under which the columns are distributed as in `before`; None when nothing overlaps enough.

    Cells of values and equal-count ranges; the ratio of their shares is the weight.

    Examples
    --------
    >>> b, a = pl.DataFrame({"c": ["x"] * 500 + ["y"] * 500}), pl.DataFrame({"c": ["x"] * 800 + ["y"] * 200})
    >>> weights_like(b, a, ["c"])[[0, -1]].tolist()
    [0.625, 2.5]
    """
    used = [c for c in columns if c in before.columns and c in after.columns]
    if not used or min(before.height, after.height) < MIN_ROWS:
        return None
    both = pl.concat([before.select(used), after.select(used)], how="vertical_relaxed")
    code = np.zeros(both.height, dtype=np.intp)
    for d in encode(both, used):
        code = code * (len(d.conditions) + 1) + d.codes + 1
    _, code = np.unique(code, return_inverse=True)
    cells = int(code.max()) + 1
    p = np.bincount(code[: before.height], minlength=cells) / before.height
    q = np.bincount(code[before.height :], minlength=cells) / after.height
    ratio = np.minimum(np.where(q > 0, p / np.where(q > 0, q, 1), 0), MAX_WEIGHT)
    weight = ratio[code[before.height :]]
    if weight.sum() <= 0 or weight.sum() ** 2 / np.sum(weight**2) < MIN_EFFECTIVE:
        return None
    out: Floats = weight
    return out
