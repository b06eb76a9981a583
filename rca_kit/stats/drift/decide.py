"""From the tests of all columns to verdicts: autocorrelation, multiplicity, and whether a change is large enough to matter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.special import bdtrc

from rca_kit.stats.drift.dependence import GATE, GATE_ALONE, MANY, chi_to_p, gate, inflated, moderate, z_to_p
from rca_kit.stats.drift.multiplicity import combine, step_down
from rca_kit.stats.drift.types import ColumnChange, Floats, Test

LEVEL = 0.008  # chance that a quiet table raises any flag, and share of false among raised ones: a little under the 1 % asked for
APART = ("missing", "duplicates")  # tests that look at other things than the values
NEGLIGIBLE = 0.05  # sigma (or Cohen's h): half the smallest shift people ask to see; 50.0 -> 52.5 % of rows


def decide(changes: Sequence[ColumnChange], *, level: float = LEVEL, negligible: float = NEGLIGIBLE) -> list[ColumnChange]:
    """Judge the columns of one table together.

    A column has changed when its tests are beyond chance after correction (adaptive step-down, `level`) and the effect of those
    tests is at least `negligible`. What is certain without a test (a column gone, another type) stays changed.

    Parameters
    ----------
    changes : sequence of ColumnChange
        From `compare_column`.
    level : float
        False discovery rate, and chance of any flag on a table without change.
    negligible : float
        Smallest effect that counts, in standard deviations.
    """
    if not changes:
        return []
    judged = _with_p_values(changes)
    tested = [i for i, c in enumerate(judged) if c.tests]
    q_values = step_down([judged[i].p_value for i in tested])
    for i, q in zip(tested, q_values, strict=True):
        judged[i] = _judge(judged[i], float(q), level, negligible)
    return judged


def _with_p_values(changes: Sequence[ColumnChange]) -> list[ColumnChange]:
    """Give every test its p value, allowing for autocorrelation, with strength borrowed over tests and columns."""
    chances = [{t.name: gate(t.energy, t.freedom) for t in c.tests} for c in changes]
    # where many columns depend on time, the others will too, even if their few events do not show it
    tested = [min(p.values()) * len(p) for p in chances if p]
    seen = sum(p < GATE for p in tested)
    table_depends = seen >= 2 and bdtrc(seen - 1, len(tested), GATE) < GATE_ALONE
    bar = GATE if table_depends else GATE_ALONE
    gated = [{name for name, p in column.items() if p < bar} for column in chances]
    moderated = _moderated(changes)
    out = []
    for change, own in zip(changes, gated, strict=True):
        if not change.tests:
            out.append(change)
            continue
        widest = 1.0
        tests = []
        values = [t for t in change.tests if t.name in own and t.name not in APART]
        for test in change.tests:
            scales = [moderated[id(test)]] if id(test) in moderated else []
            if test.name in own or table_depends:
                scales.append((inflated(test.energy, test.gain), test.freedom))
            if test.name not in APART:  # tests of the same values share their slow movements
                scales += [(inflated(t.energy, t.gain), t.freedom) for t in values if t is not test]
            p = max([test.p_iid, *(_p(test, *scale) for scale in scales)])
            widest = max([widest, *(float(scale[0][scale[1] > 0].max(initial=1.0)) for scale in scales)])
            tests.append(replace(test, p_value=p))
        p_value = combine([t.p_value for t in tests], [t.share for t in tests])
        out.append(replace(change, tests=tuple(tests), p_value=p_value, inflation=widest))
    return out


def _moderated(changes: Sequence[ColumnChange]) -> dict[int, tuple[Floats, Floats]]:
    """Inflation and freedom of each test, shrunk to that of all columns, for the kinds of tests where these show dependence."""
    out: dict[int, tuple[Floats, Floats]] = {}
    for name in sorted({t.name for c in changes for t in c.tests}):
        tests = [t for c in changes for t in c.tests if t.name == name]
        if len(tests) < 3:
            continue
        energy, freedom = np.stack([t.energy for t in tests]), np.stack([t.freedom for t in tests])
        total = freedom.sum(0)
        pooled = np.where(total > 0, (energy * freedom).sum(0) / np.maximum(total, 1e-9), 1.0)
        if gate(pooled, total) >= GATE_ALONE:
            continue
        energy, freedom = moderate(energy, freedom)
        for row, test in enumerate(tests):
            out[id(test)] = inflated(energy[row], test.gain), freedom[row]
    return out


def _p(test: Test, inflation: Floats, freedom: Floats) -> float:
    used = freedom > 0
    if not used.any():
        return test.p_iid
    if test.dof:
        return chi_to_p(test.statistic, test.dof, inflation[used], np.minimum(freedom[used], MANY))
    return z_to_p(test.statistic, inflation[used], np.minimum(freedom[used], MANY))


def _judge(change: ColumnChange, q: float, level: float, negligible: float) -> ColumnChange:
    certain = change.changed  # found without a test: type, presence
    if q > level:
        reason = change.reason if certain else _quiet(change)
        return replace(change, q_value=0.0 if certain else q, reason=reason)
    total = sum(t.share for t in change.tests)
    # the tests that alone would carry the column at its own corrected level
    bar = max(level * change.p_value / max(q, 1e-300), change.p_value)
    found = sorted((t for t in change.tests if t.p_value * total / t.share <= bar), key=lambda t: -t.effect)
    effect = max((t.effect for t in found), default=0.0)
    if effect < negligible and not certain:
        says = "; ".join(t.says for t in found[:2])
        return replace(change, changed=False, negligible=True, effect=effect, q_value=q,
                       reason=f"negligible: {says} (effect {effect:.3f} sigma, below {negligible:g}; real, q = {q:.2g})")
    material = [t for t in found if t.effect >= negligible] or found
    material.sort(key=lambda t: t.p_value)
    named = {t.name for t in material}
    if "location" in named or "spread" in named:  # these say it better
        material = [t for t in material if t.name not in ("shape", "value")]
    if "largest" in named:
        material = [t for t in material if t.name != "shares"]
    reason = "; ".join(dict.fromkeys(x for x in (change.reason, _kind_of_change(change), *(t.says for t in material[:3])) if x))
    return replace(change, changed=True, effect=effect, q_value=q, reason=reason)


def _kind_of_change(change: ColumnChange) -> str:
    """Say what kind of change it is, where that was recognised."""
    words = []
    if change.factor:
        words.append(f"looks like another unit: {change.factor}")
    if change.renamed:
        verb = "values swapped" if "permuted" in change.flags else "values renamed"
        words.append(f"{verb}: " + ", ".join(f"{a!r} -> {b!r}" for a, b in change.renamed[:5]))
    else:
        words += [f"new values {', '.join(map(repr, change.new_values[:3]))}"] if change.new_values else []
        words += [f"vanished values {', '.join(map(repr, change.vanished_values[:3]))}"] if change.vanished_values else []
    words += [f"the column is now {f}" for f in change.flags if f in ("constant", "frozen")]
    return "; ".join(words)


def _quiet(change: ColumnChange) -> str:
    if change.mean_change_low is not None and change.mean_change_high is not None:
        most = max(abs(change.mean_change_low), abs(change.mean_change_high))
        return f"no change beyond chance (a mean shift above {most:.2g} sigma is ruled out)"
    return "no change beyond chance"
