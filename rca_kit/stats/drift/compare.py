"""One column, before against after: all distances, all tests, and what kind of change it is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from rca_kit.stats.drift import distances
from rca_kit.stats.drift.checks import category_tests, duplicates_test, missing_test, number_tests
from rca_kit.stats.drift.decide import decide
from rca_kit.stats.drift.dependence import GATE_ALONE, gate, inflated
from rca_kit.stats.drift.pair import Pair, make_pair, quantile_groups
from rca_kit.stats.drift.patterns import new_and_vanished, permuted, renamed, stuck, unit_factor
from rca_kit.stats.drift.shares import Z95, cell_z, share_change
from rca_kit.stats.drift.types import OTHER, ColumnChange, ColumnStats, Test

PSI_BINS = 10  # deciles, the custom behind PSI's usual thresholds
NUMERIC = ("number", "sequence")


def compare_column(before: ColumnStats, after: ColumnStats, *, season: bool | str = True, judge: bool = True) -> ColumnChange:
    """Compare one column.

    Parameters
    ----------
    before, after : ColumnStats
        Over the same edges if numeric. Several blocks in order of time let autocorrelation be seen; phases let the season be
        taken out.
    season : bool or "always"
        Whether before may be weighted to after's mix of phases: if the column shows a season, never, or "always" (where the
        other columns have one).
    judge : bool
        Decide about this column alone. Use False, and `decide` on all columns, when several are compared.

    Raises
    ------
    BadInput
        When numeric columns were counted over different edges.

    Examples
    --------
    >>> b = ColumnStats.category("device", ("ios", "android"), [700, 300])
    >>> a = ColumnStats.category("device", ("ios", "android"), [500, 450], missing=50)
    >>> change = compare_column(b, a)
    >>> change.changed, round(change.null_rate_after, 3)
    (True, 0.05)
    """
    missing_side = _one_side_empty(before, after)
    if missing_side is not None:
        return missing_side
    families = {_family(before), _family(after)} - {"any"}  # a side without a value has no type of its own
    if len(families) > 1:
        reason = f"type changed from {before.dtype or before.kind} to {after.dtype or after.kind}"
        return _basic(before, after, changed=True, reason=reason, effect=1.0, flags=("type",))
    comparable = before.kind in ("number", "category", "text") and after.kind == before.kind
    if not comparable:
        change = _nulls_only(before, after, season)
    else:
        pair = make_pair(before, after, season=season)
        change = _numbers(pair, before, after) if before.edges is not None else _categories(pair, before, after)
    if not change.tests and not change.reason:
        change = replace(change, reason="nothing to test: one value, or nearly every row has its own")
    return decide([change])[0] if judge else change


def lone_column(stats: ColumnStats, *, is_new: bool) -> ColumnChange:
    """Report a column that only one side has."""
    empty = ColumnStats(stats.name, stats.kind, stats.counts[:0], stats.missing[:0], stats.edges, stats.labels)
    reason, flag = ("column is new", "new column") if is_new else ("column is gone", "lost column")
    sides = (empty, stats) if is_new else (stats, empty)
    return _basic(*sides, changed=True, reason=reason, effect=1.0, flags=(flag,))


def _numbers(pair: Pair, before: ColumnStats, after: ColumnStats) -> ColumnChange:
    tests = (*number_tests(pair, before, after), *duplicates_test(before, after))
    left, right = pair.cells
    pooled = left + right
    group = quantile_groups(left if left.sum() > 0 else pooled, PSI_BINS)
    coarse = np.bincount(group, left), np.bincount(group, right)
    low = min((x for x in (before.minimum, after.minimum) if x is not None), default=None)
    high = max((x for x in (before.maximum, after.maximum) if x is not None), default=None)
    assert before.edges is not None
    from_type = ColumnStats(before.name, "number", before.counts, before.missing, before.edges, minimum=low, maximum=high)
    seen = np.flatnonzero(left > 0)
    outside = float(right[: seen[0]].sum() + right[seen[-1] + 1 :].sum()) / right.sum() if len(seen) and right.sum() else 0.0
    factor = unit_factor(before, after)
    flags = [*stuck(before, after)]
    if factor:
        flags.append(f"unit {factor}")
    return _basic(before, after, tests=tests, flags=tuple(flags), factor=factor, seasonal=pair.seasonal, out_of_range=outside,
                  ks=distances.ks(left, right), wasserstein=distances.wasserstein(left, right, from_type.middles()),
                  **_mean_change(pair, before, after, tests), **_distances(pair, *coarse), **_largest(pair))


def _categories(pair: Pair, before: ColumnStats, after: ColumnStats) -> ColumnChange:
    tests = (*category_tests(pair), *duplicates_test(before, after))
    left, right = pair.cells
    labels = pair.labels or tuple(str(i) for i in range(len(left)))
    pairs = renamed(labels, left, right)
    swapped = () if pairs else permuted(labels, left, right)
    new, vanished = new_and_vanished(labels, left, right)
    at = labels.index(OTHER) if OTHER in labels else None
    unseen = float(right[at] / right.sum()) if at is not None and right.sum() and left[at] == 0 else None
    outside = float(sum(right[labels.index(x)] for x in new)) / right.sum() if right.sum() else None
    flags = [*stuck(before, after)]
    flags += ["renamed"] if pairs else ["permuted"] if swapped else []
    return _basic(before, after, tests=tests, flags=tuple(flags), seasonal=pair.seasonal, new_values=new,
                  vanished_values=vanished, renamed=pairs or swapped, out_of_range=(outside or 0.0) + (unseen or 0.0),
                  **_distances(pair, left, right), **_largest(pair))


def _nulls_only(before: ColumnStats, after: ColumnStats, season: bool | str) -> ColumnChange:
    def bare(side: ColumnStats) -> ColumnStats:
        return ColumnStats(side.name, "other", side.counts.sum(1, keepdims=True), side.missing, phase=side.phase, span=side.span)

    pair = make_pair(bare(before), bare(after), season=season)
    tests = tuple(missing_test(pair, 1.0))
    note = "ever-growing values: only nulls are compared" if "sequence" in (before.kind, after.kind) else ""
    tests += tuple(duplicates_test(before, after))
    change = _basic(before, after, tests=tests, flags=stuck(before, after), seasonal=pair.seasonal)
    return change if tests else replace(change, reason=note or "nothing is missing on either side")


def _distances(pair: Pair, left: Any, right: Any) -> dict[str, Any]:
    """Distances over the cells with missing as a cell of its own: nulls are drift too."""
    (k, _), (h, _) = pair.missing
    b, a = np.append(left, k), np.append(right, h)
    statistic, dof = distances.chi_square(b, a)
    return {"psi": distances.psi(b, a), "js": distances.js(b, a), "kl": distances.kl(b, a),
            "chi_square": statistic if dof else 0.0, "g_statistic": distances.g_test(b, a)[0]}


def _largest(pair: Pair) -> dict[str, Any]:
    left, right = pair.cells
    if pair.labels is None or left.sum() <= 0 or right.sum() <= 0:
        return {}
    at = int(np.argmax(np.abs(cell_z(left, float(left.sum()), right, float(right.sum())))))
    name = "(other)" if pair.labels[at] == OTHER else pair.labels[at]
    return {"largest_cell": name, "largest_cell_before": float(left[at] / left.sum()),
            "largest_cell_after": float(right[at] / right.sum())}


def _mean_change(pair: Pair, before: ColumnStats, after: ColumnStats, tests: tuple[Test, ...]) -> dict[str, Any]:
    """Change of the mean in before's standard deviations, with Welch's 95 % interval widened for autocorrelation."""
    m, s, n, t = before.mean, before.spread, after.mean, after.spread
    if m is None or n is None or not s or t is None:
        return {}
    score = next((x for x in tests if x.name == "location"), None)
    widen = 1.0
    if score is not None and gate(score.energy, score.freedom) < GATE_ALONE:
        widen = float(inflated(score.energy, score.gain)[score.freedom > 0].max(initial=1.0))
    change = (n - m) / s
    rows = [max(float(b.rows @ b.weight) ** 2 / float(b.rows @ b.weight**2), 1e-12) for b in pair.valid]
    half = Z95 * float(np.sqrt(max(widen, 1.0) * (1 / rows[0] + (t / s) ** 2 / rows[1])))
    return {"mean_before": m, "mean_after": n, "mean_change_sigma": change, "mean_change_low": change - half,
            "mean_change_high": change + half, "spread_before": s, "spread_after": t, "spread_ratio": t / s}


def _basic(before: ColumnStats, after: ColumnStats, **more: Any) -> ColumnChange:
    nulls = share_change(float(before.missing.sum()), before.rows, float(after.missing.sum()), after.rows)
    has = before.rows > 0 and after.rows > 0
    given: dict[str, Any] = {
        "changed": False, "reason": "", "effect": 0.0, "p_value": 1.0, "q_value": 1.0, "null_rate_before": before.null_rate,
        "null_rate_after": after.null_rate, "null_change_low": nulls.low if has else None,
        "null_change_high": nulls.high if has else None, "distinct_before": before.distinct, "distinct_after": after.distinct,
        "dtype_before": before.dtype, "dtype_after": after.dtype,
    } | more
    if given["changed"]:
        given |= {"p_value": 0.0, "q_value": 0.0}
    return ColumnChange(column=before.name, kind=after.kind if before.rows == 0 else before.kind, rows_before=before.rows,
                        rows_after=after.rows, **given)


def _one_side_empty(before: ColumnStats, after: ColumnStats) -> ColumnChange | None:
    if before.rows and after.rows:
        return None
    side = "before" if not before.rows else "after"
    return _basic(before, after, reason=f"not compared: no rows {side}")


def _family(side: ColumnStats) -> str:
    if side.valid == 0:
        return "any"
    return "number" if side.kind in NUMERIC else "words" if side.kind in ("category", "text") else side.kind
