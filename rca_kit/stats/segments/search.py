"""The search: best segment first, what it explains taken out, again until nothing stands out."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rca_kit.errors import BadInput
from rca_kit.stats.segments.blocks import blocks
from rca_kit.stats.segments.cells import Cells, Cuboid, build
from rca_kit.stats.segments.evidence import (
    DIRECTIONS,
    Columns,
    Contrast,
    Evidence,
    Floats,
    Mask,
    Measure,
    group_columns,
    sum_columns,
)
from rca_kit.stats.segments.found import Conditions, Found, SearchResult, members
from rca_kit.stats.segments.runs import LEFT_OUT, Joins, best_run, run_narrowed

# Of two segments with the same evidence the shorter one is the answer; longer ones pay this per condition, nats.
PER_CONDITION = 0.01
# How many leading segments may fail the test against the rest before the search gives up.
KIN_EFFECT, KIN_GATE = 0.5, 0.3  # of the first's effect per row, either way; part of the gate that such a sibling must pass
PATIENCE = 5
MAX_SEGMENTS = 20
MOST_SINGLES = 50  # per dimension
# A segment that moved more than twice as much as the rest stands out; less than that only when the difference itself is
# beyond chance.
MOST_DRIFT = 0.5


@dataclass(frozen=True)
class Pick:
    """A segment on the board: where it stands, its leaves, and the leaves of those that came next."""

    cuboid: Cuboid
    row: int
    score: float
    inside: Mask
    rivals: tuple[Mask, ...] = ()


def search(
    codes: NDArray[np.integer],
    cardinalities: tuple[int, ...],
    measure: Measure,
    *,
    max_depth: int = 3,
    direction: str = "either",
    alpha: float = 0.005,
    max_segments: int = MAX_SEGMENTS,
    ordered: tuple[bool, ...] = (),
    merge: bool = False,
    resamples: int = 0,
    seed: int = 0,
) -> SearchResult:
    """Find the segments that carry a change.

    Parameters
    ----------
    codes : (n, d) array of int
        One row per leaf; code of its value in every dimension, ``0 <= code < cardinality``.
    cardinalities : tuple of int
        Number of codes per dimension.
    measure : Counts, Totals or Means
        What moved, one entry per leaf.
    max_depth : int
        Most conditions a segment may have.
    direction : {"increase", "decrease", "either"}
        Which way the measure is bad.
    alpha : float
        Chance of reporting anything at all when nothing moved.
    max_segments : int
        Most segments to return.
    ordered : tuple of bool
        Dimensions whose neighbouring codes are neighbouring ranges; affected neighbours are joined to one range.
    merge : bool
        Join any values of one dimension that share the effect.
    resamples : int
        Bootstrap resamples of the leaves for `stability`; 0 leaves it out.
    seed : int
        Of the resamples.

    Returns
    -------
    SearchResult

    Raises
    ------
    BadInput
        When the shapes do not fit or the direction is unknown.

    Notes
    -----
    The gain of a segment is the maximum over one shared effect of the sum of its leaves' log-likelihood gains; significance is
    a separate test of the segment against the rest, Bonferroni-corrected for every segment looked at.

    Examples
    --------
    >>> from rca_kit.stats.segments.counts import Counts
    >>> codes = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    >>> n, k = np.full(4, 1000.0), np.full(4, 20.0)
    >>> result = search(codes, (2, 2), Counts(k, n, np.array([21.0, 19.0, 80.0, 85.0]), n), max_depth=2)
    >>> [f.conditions for f in result.found]
    [((0, (1,)),)]
    """
    if codes.ndim != 2 or codes.shape[1] != len(cardinalities):
        raise BadInput("codes and cardinalities do not fit", found=f"{codes.shape} and {len(cardinalities)}",
                       expected="(leaves, dimensions) and one cardinality per dimension")
    if direction not in DIRECTIONS:
        raise BadInput("unknown direction", found=direction, expected=", ".join(DIRECTIONS))
    measure = measure.fitted(codes, cardinalities)
    parts = measure.parts()
    whole = sum_columns(parts)
    everything = np.ones(len(codes), dtype=bool)
    total = measure.contrast(whole, np.zeros_like(whole), measure.unrest(everything) if len(codes) else 0.0)
    if not len(codes) or not len(cardinalities):
        return SearchResult((), False, "there is nothing to slice by", (), 0, total.before, total.after, 1.0)
    evidence, weight = measure.evidence(direction), measure.weight()
    cells = build(codes, cardinalities, evidence, weight, min(max_depth, len(cardinalities)), measure.least_gain,
                  measure.relative_gate)
    joins = Joins(ordered or (False,) * len(cardinalities), cardinalities, merge)
    picks = _greedy(codes, cells, evidence, measure, parts, alpha, max_segments, resamples > 0, joins, max_depth)
    found = tuple(f for f, _ in picks)
    if resamples:
        from rca_kit.stats.segments.stability import stability

        shares = stability(cells, evidence, [p for _, p in picks], resamples, seed)
        found = tuple(replace(f, stability=s) for f, s in zip(found, shares, strict=True))
    moved = total.log_p <= np.log(alpha)
    because = ""
    if not found:
        because = "the change is spread over all segments alike" if moved else "nothing moved beyond chance"
    singles = _singles(codes, cardinalities, evidence, measure, parts, cells.looked_at)
    return SearchResult(found, bool(moved and not found), because, singles, cells.looked_at, total.before, total.after,
                        float(np.exp(total.log_p)))


def _greedy(codes: NDArray[np.integer], cells: Cells, evidence: Evidence, measure: Measure, parts: Columns, alpha: float,
            most: int, keep_rivals: bool, joins: Joins, depth: int) -> list[tuple[Found, Pick]]:
    active = np.ones(len(codes), dtype=bool)
    whole = float(evidence.impact.sum())
    weight, looked = measure.weight(), float(np.log(max(cells.looked_at + joins.runs, 1)))
    at_rest = sum_columns(parts)
    picks: list[tuple[Found, Pick]] = []
    tried: set[Conditions] = set()
    failures = 0
    while len(picks) < most and failures < PATIENCE:
        pick = _best(codes, cells, evidence, measure.least_gain)
        if pick is None:
            break
        pick = _narrowed(codes, pick, cells, active, weight)
        conditions = pick.cuboid.conditions(pick.row)
        wider = joins.apply(codes, conditions, evidence, weight, active)
        if wider != conditions:
            inside = members(codes, wider)
            pick = replace(pick, inside=inside, score=float(evidence.total(inside & active).max()))
        run = best_run(codes, evidence, weight, active, joins, tried)
        if run is not None and run[0] > pick.score:
            tried.add(run[1])
            score, wider = run_narrowed(codes, run, evidence, weight, active, joins, looked, depth)
            tried.add(wider)
            conditions, pick = wider, replace(pick, inside=members(codes, wider), score=score)
        inside = pick.inside & active
        own = sum_columns(parts, inside)
        contrast = measure.contrast(own, at_rest - own, measure.unrest(active & ~inside))
        q_value = float(np.exp(min(contrast.log_p + looked, 0.0)))
        impact = float(evidence.impact[inside].sum())
        alike = contrast.drift > MOST_DRIFT and contrast.log_p_apart + looked > np.log(alpha)
        gate = measure.relative_gate * (KIN_GATE if _kin(picks, wider, contrast) else 1.0)
        if q_value > alpha or alike or not _matters(picks, pick.score, impact, evidence, gate):
            if wider not in tried:
                pick.cuboid.banned[pick.row] = True
            failures += 1
            continue
        aliases = _aliases(codes, cells, pick, conditions) if wider == conditions else ()
        if keep_rivals:
            pick = replace(pick, rivals=_rivals(codes, cells, pick))
        picks.append((_describe(wider, pick.score, q_value, contrast, impact, whole, weight, inside, aliases), pick))
        leaves = np.flatnonzero(inside)
        for cuboid in cells.cuboids:
            cuboid.take_out(codes, leaves, evidence)
        active &= ~inside
        at_rest = at_rest - own
    return picks


def _best(codes: NDArray[np.integer], cells: Cells, evidence: Evidence, least: float) -> Pick | None:
    """Take the segment with most evidence; ties go to the shorter, then to the earlier dimensions and codes."""
    best: tuple[float, Cuboid, int, float] | None = None
    for cuboid in cells.cuboids:
        gain = cuboid.sums.max(axis=1)
        effect = evidence.effects[cuboid.sums.argmax(axis=1)]
        usable = (gain >= least) & ~cuboid.banned & (np.sign(effect) == np.sign(cuboid.impact))
        if not usable.any():
            continue
        value = np.where(usable, gain - PER_CONDITION * len(cuboid.dims), -np.inf)
        row = int(np.argmax(value >= value.max() - 1e-9 * abs(value.max())))
        if best is None or value[row] > best[0] * (1 + 1e-9):
            best = (float(value[row]), cuboid, row, float(gain[row]))
    if best is None:
        return None
    _, cuboid, row, gain_ = best
    return Pick(cuboid, row, gain_, cuboid.inside(codes, row))


def _narrowed(codes: NDArray[np.integer], pick: Pick, cells: Cells, active: Mask, weight: Floats) -> Pick:
    """Go down to the strongest child while some children explain more by themselves and the others did not move.

    A parent can gather more evidence than any one of several affected children. Children that all moved stay together.
    """
    cost = float(np.log(max(cells.looked_at, 1)))
    by_dims = {c.dims: c for c in cells.cuboids}
    while True:
        leaves = np.flatnonzero(pick.inside & active)
        effect = int(pick.cuboid.sums[pick.row].argmax())
        best: tuple[float, Pick] | None = None
        for cuboid in (c for d, c in by_dims.items() if len(d) == len(pick.cuboid.dims) + 1 and set(pick.cuboid.dims) < set(d)):
            rows, at = np.unique(cuboid.rows(codes, leaves), return_inverse=True)
            share = np.bincount(at, weight[leaves]) / max(float(weight[leaves].sum()), 1e-300)
            known = rows >= 0
            sums = np.where(known[:, None], cuboid.sums[np.where(known, rows, 0)], 0.0)
            gains = sums.max(axis=1)
            moved = known & (gains > cost) & ~cuboid.banned[np.where(known, rows, 0)]
            against = ~moved & (sums[:, effect] <= -cost)
            total = float((gains[moved] - cost).sum())
            if share[against].sum() >= LEFT_OUT and total > pick.score and (best is None or total > best[0]):
                row = int(rows[moved][np.argmax(gains[moved])])
                best = (total, Pick(cuboid, row, float(cuboid.sums[row].max()), cuboid.inside(codes, row)))
        if best is None:
            return pick
        pick = best[1]


def _rivals(codes: NDArray[np.integer], cells: Cells, pick: Pick, most: int = 30) -> tuple[Mask, ...]:
    """Mark the leaves of the segments with most evidence that are not the pick and do not cover the same leaves."""
    ranked = sorted(((float(c.sums[r].max()), i, int(r)) for i, c in enumerate(cells.cuboids)
                     for r in np.argsort(-c.sums.max(axis=1), kind="stable")[:most]), key=lambda t: (-t[0], t[1], t[2]))
    masks = [cells.cuboids[i].inside(codes, r) for gain, i, r in ranked[: 2 * most] if gain > 0.2 * pick.score]
    return tuple(m for m in masks if not np.array_equal(m, pick.inside))[:most]


def _kin(picks: list[tuple[Found, Pick]], conditions: Conditions, contrast: Contrast) -> bool:
    """Whether a segment is another value of the first one's dimensions that changed about as much per row: a smaller sibling."""
    if not picks:
        return False
    first = picks[0][0]
    if first.before is None or first.after is None or contrast.before is None or contrast.after is None:
        return False
    own, other = contrast.after - contrast.before, first.after - first.before
    same = [d for d, _ in conditions] == [d for d, _ in first.conditions]
    return bool(same and own * other > 0 and KIN_EFFECT <= own / other <= 1 / KIN_EFFECT)


def _matters(picks: list[tuple[Found, Pick]], score: float, impact: float, evidence: Evidence, gate: float) -> bool:
    if not picks or gate <= 0:
        return True
    first, pick = picks[0]
    return score >= gate * first.score and abs(impact) >= gate * abs(float(evidence.impact[pick.inside].sum()))


def _aliases(codes: NDArray[np.integer], cells: Cells, pick: Pick, conditions: Conditions) -> tuple[Conditions, ...]:
    """Name other cells with exactly the same leaves that do not merely add conditions to this one."""
    size = int(pick.inside.sum())
    leaves = np.flatnonzero(pick.inside)
    own = set(conditions)
    out: list[Conditions] = []
    for cuboid in cells.cuboids:
        row = int(cuboid.rows(codes, leaves[:1])[0])
        if row < 0 or (cuboid is pick.cuboid) or len(out) >= 5:
            continue
        if int(cuboid.leaves[row]) == size and (cuboid.rows(codes, leaves) == row).all():
            other = cuboid.conditions(row)
            if not own <= set(other) and not any(set(known) <= set(other) for known in out):
                out.append(other)
    return tuple(sorted(out, key=lambda c: (len(c), c)))


def _describe(conditions: Conditions, score: float, q_value: float, contrast: Contrast, impact: float, whole: float,
              weight: NDArray[np.float64], inside: Mask, aliases: tuple[Conditions, ...] = ()) -> Found:
    total = float(weight.sum())
    return Found(
        conditions, score, float(weight[inside].sum()) / total if total > 0 else 0.0,
        impact / whole if whole else 0.0, contrast.before, contrast.after, contrast.interval, q_value,
        contrast.n_before, contrast.n_after, None, aliases)


def _singles(codes: NDArray[np.integer], cardinalities: tuple[int, ...], evidence: Evidence, measure: Measure, parts: Columns,
             looked_at: int) -> tuple[Found, ...]:
    """Describe every single value, largest evidence first; at most 50 per dimension."""
    net, whole, weight = float(evidence.impact.sum()), sum_columns(parts), measure.weight()
    unrest = measure.unrest(np.ones(len(codes), dtype=bool))
    out: list[Found] = []
    columns = [evidence.impact, weight, *parts]
    # of millions of leaves: rolled up to small tables first
    tables = blocks(codes, cardinalities, columns, [(d,) for d in range(len(cardinalities))])
    for dim, table in sorted(((dims[0], t) for t in tables for dims in t.covers), key=lambda pair: pair[0]):
        size = cardinalities[dim]
        grouped = group_columns(table.codes[:, dim], table.columns, size)
        impact, traffic, own = grouped[:, 0], grouped[:, 1] / max(float(weight.sum()), 1e-300), grouped[:, 2:]
        gains = np.maximum(evidence.by_group(codes[:, dim], None, size).max(axis=1), 0.0)
        for code in np.argsort(-np.abs(impact), kind="stable")[:MOST_SINGLES]:
            contrast = measure.contrast(own[code], whole - own[code], unrest)
            q_value = float(np.exp(min(contrast.log_p + np.log(max(looked_at, 1)), 0.0)))
            out.append(Found(
                ((dim, (int(code),)),), float(gains[code]), float(traffic[code]), float(impact[code]) / net if net else 0.0,
                contrast.before, contrast.after, contrast.interval, q_value, contrast.n_before, contrast.n_after))
    return tuple(sorted(out, key=lambda f: (-f.score, f.conditions)))
