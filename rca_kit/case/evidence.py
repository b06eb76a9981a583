"""What the rows say about which column is what: facts of one column and of pairs, on a sample."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rca_kit.case.columns import ColumnSummary
from rca_kit.case.vocabulary import NEGATIVE_VALUES, POSITIVE_VALUES

Array = NDArray[np.float64]
MAX_ROWS = 40_000  # rows that pairwise facts are computed on
CUT_PARTS = 20  # of the rows, in the order of the table, in most of which a threshold holds still
MIN_PAIRS = 50  # rows from which a correlation says something
NEWEST_ROWS, NOT_YET = 10, 0.5  # of at least these newest rows, the part that lacks a value which arrives later
LIKE_SCORES = 20  # groups of like score
BEYOND_CHANCE = 5.0  # standard errors: as many columns as a log has are looked at
LASTING = 0.3  # autocorrelation from one request to the next that only the calendar, a queue or a rollout has
MIN_PARTS = 2  # one part alone is told by correlation, which any feature that slows the service has too
NEAR_ONE, SUMS_UP = 0.25, 0.8  # distance of a part's weight from 1; part of the variance of a sum that its parts explain
MANY_GROUPS, GROUP_SPAN = 200, 0.01  # values, and part of the log's time, in which each of a searches' or sessions' ids is seen
DETERMINED = 0.97  # rank separation from which one column is a threshold on the other


class Evidence:
    """Facts about columns, computed from a sample when asked for and kept.

    Parameters
    ----------
    columns : sequence of ColumnSummary
    sample : narwhals DataFrame
        Rows in the order of the table; time columns as UTC datetimes.

    Examples
    --------
    >>> import narwhals as nw, polars as pl
    >>> rows = nw.from_native(pl.DataFrame({"p": [0.1, 0.2, 0.8, 0.9], "y": [0, 0, 1, 1]}))
    >>> p = ColumnSummary("p", "numeric", "Float64", 4, 0, 0.1, 0.9)
    >>> y = ColumnSummary("y", "numeric", "Int64", 2, 0, 0, 1, (0, 1))
    >>> Evidence([p, y], rows).separation("p", "y")
    1.0
    """

    def __init__(self, columns: Sequence[ColumnSummary], sample: Any) -> None:
        self.columns = {c.name: c for c in columns}
        step = max(1, len(sample) // MAX_ROWS)
        self._rows = sample.gather_every(step) if step > 1 else sample
        self._numbers: dict[str, Array] = {}
        self._codes: dict[str, Array] = {}
        self._texts: dict[str, NDArray[Any]] = {}
        self._values: dict[str, frozenset[str]] = {}
        self._pairs: dict[tuple[str, str, str], float] = {}

    def numbers(self, name: str) -> Array:
        """Values as floats, shape (n,); NaN where missing. Times become seconds; two-valued text becomes 0 and 1."""
        if name not in self._numbers:
            self._numbers[name] = self._read(name)
        return self._numbers[name]

    def _read(self, name: str) -> Array:
        import narwhals as nw

        column, summary = self._rows[name], self.columns[name]
        if summary.kind == "time" and column.dtype in (nw.Datetime, nw.Date):
            # numpy has no time zones; NaT becomes NaN
            raw = np.asarray(column.to_numpy()).astype("datetime64[us]")
            out = raw.astype(np.float64) / 1e6
            out[np.isnat(raw)] = np.nan
            return out
        if column.dtype.is_numeric() or column.dtype == nw.Boolean:
            values = np.asarray(column.cast(nw.Float64).to_numpy(), dtype=float)
            return np.where(np.isfinite(values), values, np.nan)
        return self.codes(name)

    def codes(self, name: str) -> Array:
        """Values as numbers of their sorted order, shape (n,); NaN where missing."""
        if name not in self._codes:
            order: dict[str | None, float] = {v: float(i) for i, v in enumerate(sorted(self.values(name)))}
            order[None] = np.nan
            self._codes[name] = np.array([order[v] for v in self.texts(name)], dtype=float)
        return self._codes[name]

    def texts(self, name: str) -> NDArray[Any]:
        """Values as text, shape (n,); None where missing."""
        if name not in self._texts:
            values = [None if v is None or v != v else str(v) for v in self._rows[name].to_list()]
            self._texts[name] = np.asarray(values, dtype=object)
        return self._texts[name]

    def values(self, name: str) -> frozenset[str]:
        """Distinct values as text."""
        if name not in self._values:
            self._values[name] = frozenset(v for v in self.texts(name) if v is not None)
        return self._values[name]

    def missing(self, name: str) -> NDArray[np.bool_]:
        """Which rows lack a value, shape (n,)."""
        column = self._rows[name]
        absent = column.is_null()
        return np.asarray((absent | column.is_nan().fill_null(True) if column.dtype.is_float() else absent).to_numpy(), bool)

    def separation(self, by: str, two_valued: str) -> float:
        """Area under the ROC curve of one column for the higher of another's two values; 0.5 when it cannot be told.

        Ties count half (Mann-Whitney U by mid-ranks).
        """
        key = ("separation", by, two_valued)
        if key not in self._pairs:
            self._pairs[key] = self._separation(by, two_valued)
        return self._pairs[key]

    def _separation(self, by: str, two_valued: str) -> float:
        side = self.numbers(two_valued)
        return _auc(self.numbers(by), np.where(np.isnan(side), np.nan, side == np.nanmax(side, initial=-np.inf)))

    def cut(self, by: str, two_valued: str) -> float:
        """Separation in the middle one of parts that follow each other: a threshold that was moved is a threshold in each."""
        key = ("cut", by, two_valued)
        if key not in self._pairs:
            score, side = self.numbers(by), self.numbers(two_valued)
            known = np.flatnonzero(~(np.isnan(score) | np.isnan(side)))
            parts = np.array_split(known, CUT_PARTS) if known.size >= CUT_PARTS * MIN_PAIRS else []
            told = [_auc(score[p], (side[p] == side[known].max()).astype(float)) for p in parts if np.ptp(side[p]) > 0]
            self._pairs[key] = float(np.median(told)) if len(told) > CUT_PARTS / 2 else self.separation(by, two_valued)
        return self._pairs[key]

    def right_when_high(self, score: str, label: str, decision: str) -> float:
        """Area under the ROC curve of a score for the rows whose decided class was the true one; 0.5 when it cannot be told."""
        key = ("right", score, f"{label}\n{decision}")
        if key not in self._pairs:
            pairs = zip(self.texts(label), self.texts(decision), strict=True)
            right = np.array([np.nan if x is None or y is None else float(x == y) for x, y in pairs])
            self._pairs[key] = _auc(self.numbers(score), right)
        return self._pairs[key]

    def correlation(self, a: str, b: str) -> float:
        """Rank correlation of two columns, 0 when it cannot be told."""
        key = ("correlation", min(a, b), max(a, b))
        if key not in self._pairs:
            self._pairs[key] = self._correlation(a, b)
        return self._pairs[key]

    def _correlation(self, a: str, b: str) -> float:
        x, y = self.numbers(a), self.numbers(b)
        known = ~(np.isnan(x) | np.isnan(y))
        if known.sum() < 10:
            return 0.0
        rx, ry = (np.argsort(np.argsort(v[known], kind="stable")).astype(float) for v in (x, y))
        if x[known].std() == 0 or y[known].std() == 0:
            return 0.0
        return float(np.corrcoef(rx, ry)[0, 1])

    def adds_to(self, part: str, whole: str) -> float:
        """Rank correlation of a part with a whole; 1 when there are too few rows to tell."""
        known = ~(np.isnan(self.numbers(part)) | np.isnan(self.numbers(whole)))
        return self.correlation(part, whole) if known.sum() >= MIN_PAIRS else 1.0

    def parts_of(self, whole: str, candidates: Sequence[str]) -> tuple[str, ...]:
        """Columns that the whole is the sum of: least squares gives each of them a weight near 1; empty when there are none."""
        left = list(candidates)
        while len(left) >= MIN_PARTS:
            columns = np.column_stack([self.numbers(n) for n in left])
            total = self.numbers(whole)
            known = ~(np.isnan(columns).any(axis=1) | np.isnan(total))
            if known.sum() < MIN_PAIRS:
                return ()
            x, y = columns[known] - columns[known].mean(axis=0), total[known] - total[known].mean()
            weights = np.linalg.lstsq(x, y, rcond=None)[0]
            worst = int(np.argmax(np.abs(weights - 1)))
            if abs(weights[worst] - 1) <= NEAR_ONE:
                told = 1 - float(((y - x @ weights) ** 2).sum()) / max(float((y**2).sum()), 1e-12)
                return tuple(left) if told >= SUMS_UP else ()
            del left[worst]
        return ()

    def lasting(self, name: str, time: str) -> bool:
        """Whether a two-valued column keeps its value from one request to the next, as a weekend does and a click does not."""
        order = np.argsort(self.numbers(time), kind="stable")
        values = self.numbers(name)[order]
        values = values[~np.isnan(values)]
        if len(values) < MIN_PAIRS:
            return False
        share = (values == values.max()).mean()
        same = (values[1:] == values[:-1]).mean()
        return bool(same - (share**2 + (1 - share) ** 2) > LASTING * 2 * share * (1 - share))

    def passes_by(self, name: str, time: str) -> bool:
        """Whether each of many values is seen in one short stretch of time only, as ids of searches and sessions are."""
        c = self.columns[name]
        if c.kind != "category" or c.n_unique < MANY_GROUPS:
            return False
        when, codes = self.numbers(time), self.codes(name)
        known = ~np.isnan(when) & (codes >= 0)
        if not known.any():
            return False
        when, group = when[known], codes[known].astype(np.intp)
        first, last = np.full(group.max() + 1, np.inf), np.full(group.max() + 1, -np.inf)
        np.minimum.at(first, group, when)
        np.maximum.at(last, group, when)
        again = np.bincount(group) >= 2
        spans = (last - first)[again] / max(float(when.max() - when.min()), 1e-9)
        return bool(again.sum() >= MANY_GROUPS // 2 and np.quantile(spans, 0.95) <= GROUP_SPAN)

    def with_mistakes(self, name: str, score: str, label: str, decision: str | None, time: str) -> float:
        """Correlation of a column with the model's mistakes among requests of like score, in the older half of the rows.

        The newer half may hold the incident, in which any segment that was hit goes with the mistakes.

        A column the model knows tells nothing of its mistakes beyond the score, if the model is calibrated; what users do
        after a wrong answer does. 0 when it cannot be told from chance. The mistake is label != decision for classes, else
        ``|label - score|`` (its logarithm when the label goes beyond 0 and 1).
        """
        score_values, column = self.numbers(score), self.numbers(name)
        if self.columns[label].n_unique > 2 and self.columns[label].kind == "category":
            if decision is None:
                return 0.0
            truth, answer = self.texts(label), self.texts(decision)
            mistake = np.array([np.nan if a is None or b is None else float(a != b) for a, b in zip(truth, answer, strict=True)])
        else:
            mistake = np.abs(self.numbers(label) - score_values)
            mistake = np.log1p(mistake) if self.columns[label].n_unique > 2 else mistake
        known = ~(np.isnan(mistake) | np.isnan(score_values) | np.isnan(column))
        when = self.numbers(time)
        known &= when <= np.nanmedian(when)
        if known.sum() < MIN_PAIRS * LIKE_SCORES:
            return 0.0
        edges = np.quantile(score_values[known], np.linspace(0, 1, LIKE_SCORES + 1)[1:-1])
        group = np.digitize(score_values[known], edges)
        size = np.maximum(1, np.bincount(group, minlength=LIKE_SCORES))
        rest = [v[known] - (np.bincount(group, v[known], minlength=LIKE_SCORES) / size)[group] for v in (mistake, column)]
        spread = float(np.sqrt((rest[0] ** 2).sum() * (rest[1] ** 2).sum()))
        r = float((rest[0] * rest[1]).sum()) / spread if spread > 0 else 0.0
        return r if abs(r) * np.sqrt(known.sum()) >= BEYOND_CHANCE else 0.0

    def same_scale(self, a: str, b: str) -> bool:
        """Whether two columns are of the same size, within a factor of three at the median."""
        x, y = (np.nanmedian(np.abs(v)) if not np.isnan(v).all() else 0.0 for v in (self.numbers(a), self.numbers(b)))
        return bool(x > 0 and y > 0 and 1 / 3 <= x / y <= 3)

    def same_values(self, a: str, b: str) -> float:
        """Share of the values of two columns that both have, 0..1."""
        x, y = self.values(a), self.values(b)
        return len(x & y) / max(1, min(len(x), len(y))) if x and y else 0.0

    def null_together(self, a: str, b: str) -> float:
        """Agreement of two columns on which rows are null, 0..1; 0 when the first has no nulls."""
        x, y = self.missing(a), self.missing(b)
        return float((x == y).mean()) if x.any() else 0.0

    def null_instead(self, a: str, b: str) -> float:
        """How much the rows in which one column is known are those in which the other is not (Jaccard), 0..1."""
        known, absent = ~self.missing(a), self.missing(b)
        return float((known & absent).sum() / max(int((known | absent).sum()), 1))

    def late_nulls(self, name: str, time: str) -> bool:
        """Whether a column's nulls gather in the newest rows, as ground truth that arrives later does."""
        when = self.numbers(time)
        missing = self.missing(name)
        known = ~np.isnan(when)
        if not missing[known].any() or missing[known].all():
            return False
        order = np.argsort(when[known], kind="stable")
        tail, newest = max(1, len(order) // 100), max(NEWEST_ROWS, len(order) // 400)
        gone = missing[known][order]
        # what is lost in an incident is lost in part; of truth that has yet to arrive next to nothing is there in the end
        return bool(gone[-tail:].mean() > gone[:-tail].mean() + 0.1 and gone[-newest:].mean() >= NOT_YET)

    def agreement(self, a: str, b: str) -> float:
        """Cohen's kappa of two columns of classes, 0 when it cannot be told (doi:10.1177/001316446002000104)."""
        pairs = [(str(x), str(y)) for x, y in zip(self.texts(a), self.texts(b), strict=True) if x is not None and y is not None]
        if len(pairs) < MIN_PAIRS:
            return 0.0
        observed = sum(x == y for x, y in pairs) / len(pairs)
        left, right = (Counter(p[i] for p in pairs) for i in (0, 1))
        expected = sum(n * right[v] for v, n in left.items()) / len(pairs) ** 2
        return (observed - expected) / (1 - expected) if expected < 1 else 0.0

    def not_before(self, later: str, earlier: str) -> float:
        """Share of rows, where both are known, in which one column is at or after another; 0 when never both."""
        x, y = self.numbers(later), self.numbers(earlier)
        known = ~(np.isnan(x) | np.isnan(y))
        return float((x[known] >= y[known]).mean()) if known.any() else 0.0

    def at_most(self, part: str, whole: str) -> float:
        """Share of rows in which one column is no larger than another, with 1 % for rounding."""
        x, y = self.numbers(part), self.numbers(whole)
        known = ~(np.isnan(x) | np.isnan(y))
        return float((x[known] <= y[known] * 1.01 + 1).mean()) if known.any() else 0.0


def positive_value(column: ColumnSummary, evidence: Evidence, score: str | None) -> tuple[Any, str] | None:
    """Which of a column's values counts as positive, and why; None when it is not two-valued.

    Examples
    --------
    >>> c = ColumnSummary("verdict", "category", "String", 2, 0.0, None, None, ("fraud", "legit"))
    >>> positive_value(c, Evidence([c], []), None)
    ('fraud', 'the word')
    """
    if column.kind == "bool":
        return True, "true"
    values = column.values
    if not 1 <= len(values) <= 2:
        return None
    numeric = all(isinstance(v, (int, float)) for v in values)
    if numeric:
        if len(values) == 2:
            return max(values), "the higher value"
        return (type(values[0])(1), "1") if values[0] in (0, 1) else None
    plain = [str(v).strip().lower().replace(" ", "_") for v in values]
    positive = [v for v, p in zip(values, plain, strict=True) if p in POSITIVE_VALUES and p not in NEGATIVE_VALUES]
    denies = ("not_", "non_", "no_", "un")
    negative = [v for v, p in zip(values, plain, strict=True) if p in NEGATIVE_VALUES or p.startswith(denies)]
    if len(positive) == 1 and len(values) == 2:
        return positive[0], "the word"
    if len(negative) == 1 and len(values) == 2:
        return next(v for v in values if v != negative[0]), "the other one is a negative word"
    if len(values) == 1:
        return (positive[0], "the word") if positive else None
    if score is not None:
        high = evidence.separation(score, column.name)
        return (values[1], "higher scores") if high >= 0.5 else (values[0], "higher scores")
    return values[1], "the later in the alphabet, nothing else tells"


def _auc(score: Array, high: Array) -> float:
    """Area under the ROC curve by mid-ranks over rows where both are known; 0.5 when one side has none."""
    known = ~(np.isnan(score) | np.isnan(high))
    score, top = score[known], high[known] > 0
    n_high, n_low = int(top.sum()), int((~top).sum())
    if len(score) < 4 or not n_high or not n_low:
        return 0.5
    _, place, counts = np.unique(score, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    return float((ranks[top].sum() - n_high * (n_high + 1) / 2) / (n_high * n_low))
