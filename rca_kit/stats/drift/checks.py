"""The tests of one column. Each spends a share of the column's error rate: most goes where small changes matter."""

from __future__ import annotations

import numpy as np
from scipy.special import chdtrc, ndtr

from rca_kit.stats.drift.dependence import Contrast, flat_bands
from rca_kit.stats.drift.distances import chi_square
from rca_kit.stats.drift.pair import Pair, normal_scores, quantile_groups, rare_together
from rca_kit.stats.drift.shares import cell_p, cell_z, cohen_h
from rca_kit.stats.drift.types import OTHER, ColumnStats, Floats, Ints, Test

# Shares of a column's error rate. A shift of the mean is the smallest change people ask to see (0.1 sigma at 2000 rows); nulls,
# new ranges and single values are far beyond chance when they matter, and need little.
SHARES_NUMBER = {"location": 0.90, "spread": 0.03, "shape": 0.03, "missing": 0.02, "range": 0.01, "value": 0.01}
SHARES_CATEGORY = {"shares": 0.37, "largest": 0.60, "missing": 0.03}
BINS = 16  # groups of cells in the shape test; more would dilute it
EVENTS = 200.0  # rows of one value from which its order in time says something
KEY = 0.02  # largest share of repeated values in a column that is taken for a key
LEAST = 10.0  # pooled rows below which a category is tested together with the other rare ones (Cochran: 5 expected per side)


def number_tests(pair: Pair, before: ColumnStats, after: ColumnStats) -> list[Test]:
    """Run the tests of a numeric column: location and spread by normal scores, shape, range, single values, missing."""
    tests = missing_test(pair, SHARES_NUMBER["missing"])
    left, right = pair.cells
    pooled = pair.before.sum(0) + pair.after.sum(0)
    if left.sum() <= 0 or right.sum() <= 0 or np.count_nonzero(pooled) < 2:
        return tests
    scores = normal_scores(pooled)
    location = pair.score(scores)
    tests.append(_z_test("location", SHARES_NUMBER["location"], location, "values moved {way} by {size:.2f} sigma"))
    if np.count_nonzero(pooled) == 2:
        return tests
    spread = pair.score(scores**2)
    tests.append(_z_test("spread", SHARES_NUMBER["spread"], spread, "spread went {way}"))
    group = quantile_groups(pooled, BINS)
    tests.append(_chi_test("shape", SHARES_NUMBER["shape"], pair, group, "the shape of the distribution changed"))
    tests += _value_test(pair, left, right, location)
    tests += _range_test(left, right, location, before, after)
    return tests


def category_tests(pair: Pair) -> list[Test]:
    """Run the tests of a categorical column: all shares together, the cell that moved most, missing."""
    tests = missing_test(pair, SHARES_CATEGORY["missing"])
    left, right = pair.cells
    pooled = pair.before.sum(0) + pair.after.sum(0)
    if left.sum() <= 0 or right.sum() <= 0 or np.count_nonzero(pooled) < 2:
        return tests
    group = rare_together(pooled, LEAST, pair.labels)
    two = np.count_nonzero(pooled) == 2
    share = 1.0 - SHARES_CATEGORY["missing"] if two else SHARES_CATEGORY["largest"]
    largest = _largest_test(pair, left, right, share, pair.score_direction(group)[3:])
    tests.append(largest)
    if not two and group.max() > 0:
        tests.append(_chi_test("shares", SHARES_CATEGORY["shares"], pair, group, "the shares of the values changed"))
    return tests


def missing_test(pair: Pair, share: float) -> list[Test]:
    """Compare the null rate; nothing to test where nothing is missing."""
    (k, n), (h, m) = pair.missing
    if k + h <= 0 or n <= 0 or m <= 0:
        return []
    found = pair.score_missing()
    p = float(cell_p(k, n, h, m))
    z = float(cell_z(k, n, h, m))
    says = f"nulls {k / n:.2%} -> {h / m:.2%}"
    return [Test("missing", share, z, 0.0, p, float(abs(cohen_h(k / n, h / m))), says, *found[3:])]


def duplicates_test(before: ColumnStats, after: ColumnStats) -> list[Test]:
    """Compare how many rows repeat a key, in a column where nearly every row had its own value before."""
    if before.duplicates is None or after.duplicates is None:
        return []
    (k, n), (h, m) = before.duplicates, after.duplicates
    if n <= 0 or m <= 0 or k > KEY * n or k + h <= 0:
        return []
    # of values drawn at random more repeat the more rows there are; three rows are allowed for bad luck before
    expected = (k + 3) / n * max(1.0, after.rows / max(before.rows, 1))
    if h / m <= 3 * expected:
        return []
    says = f"repeated keys {k / n:.2%} -> {h / m:.2%} of rows"
    return [Test("duplicates", 0.05, float(cell_z(k, n, h, m)), 0.0, float(cell_p(k, n, h, m)), float(abs(cohen_h(k / n, h / m))),
                 says, *flat_bands())]


def _z_test(name: str, share: float, found: Contrast, says: str) -> Test:
    size = found.difference / np.sqrt(found.score_variance) if found.score_variance > 0 else 0.0
    z = found.difference / np.sqrt(found.variance) if found.variance > 0 else 0.0
    words = says.format(way="up" if size > 0 else "down", size=abs(size))
    return Test(name, share, float(z), 0.0, float(2 * ndtr(-abs(z))), float(abs(size)), words, *found[3:])


def _chi_test(name: str, share: float, pair: Pair, group: Ints, says: str) -> Test:
    left, right = pair.cells
    statistic, dof = chi_square(np.bincount(group, left), np.bincount(group, right))
    found = pair.score_direction(group)
    worth = left.sum() * right.sum() / (left.sum() + right.sum())
    effect = float(np.sqrt(max(0.0, statistic - dof) / worth))
    p = float(chdtrc(dof, statistic)) if dof else 1.0
    return Test(name, share, statistic, float(dof), p, effect, says, *found[3:])


def _largest_test(pair: Pair, left: Floats, right: Floats, share: float, instead: tuple[Floats, Floats, Floats]) -> Test:
    """Take the value whose share moved most beyond chance, corrected for having looked at all values."""
    p = cell_p(left, float(left.sum()), right, float(right.sum()))
    at = int(np.argmin(np.where(left + right > 0, p, 2.0)))
    looks = max(np.count_nonzero(left + right), 1)
    looks = 1 if looks == 2 else looks
    z = float(cell_z(left, float(left.sum()), right, float(right.sum()))[at])
    b, a = left[at] / left.sum(), right[at] / right.sum()
    # the block sums of a few rows are far from normal, and say nothing of time: the values as a whole do
    own = pair.score(np.eye(len(left))[at])[3:] if pair.before[:, at].sum() + pair.after[:, at].sum() >= EVENTS else instead
    label = "" if pair.labels is None else pair.labels[at]
    says = f"{'other values' if label == OTHER else repr(label)} {b:.1%} -> {a:.1%} of rows"
    return Test("largest", share, z, 0.0, float(min(1.0, p[at] * looks)), float(abs(cohen_h(b, a))), says, *own)


def _value_test(pair: Pair, left: Floats, right: Floats, location: Contrast) -> list[Test]:
    """Look for one value (a default, a sentinel) that many rows took on: the fine cell that moved most."""
    test = _largest_test(pair, left, right, SHARES_NUMBER["value"], location[3:])
    at = int(np.argmax(np.abs(cell_z(left, float(left.sum()), right, float(right.sum())))))
    b, a = left[at] / left.sum(), right[at] / right.sum()
    says = f"one narrow range of values {b:.1%} -> {a:.1%} of rows"
    return [Test("value", test.share, test.statistic, 0.0, test.p_iid, test.effect, says, test.energy, test.freedom, test.gain)]


def _range_test(left: Floats, right: Floats, location: Contrast, before: ColumnStats, after: ColumnStats) -> list[Test]:
    """Count rows after that lie beyond all rows before: were both alike, each extreme row is as likely on either side."""
    seen = np.flatnonzero(left > 0)
    low, high = float(right[: seen[0]].sum()), float(right[seen[-1] + 1 :].sum())
    outside = max(low, high)
    if outside <= 0:
        return []
    split = float(right.sum() / (left.sum() + right.sum()))
    p = min(1.0, 2 * split**outside)
    bound = f"above {before.maximum:.4g}" if high >= low and before.maximum is not None else (
        f"below {before.minimum:.4g}" if before.minimum is not None else "outside the range before")
    says = f"{outside / right.sum():.2%} of rows {bound}, the extreme before"
    # the z of this p, so that autocorrelation (extremes come in runs) can be allowed for like elsewhere
    z = float(np.sqrt(max(0.0, -2 * np.log(max(p, 1e-300)))))
    return [Test("range", SHARES_NUMBER["range"], z, 0.0, p, float(cohen_h(0.0, outside / right.sum())), says, *location[3:])]
