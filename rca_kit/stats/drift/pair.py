"""Two sides of a column over the same cells, with the season taken out of the baseline where it shows."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import chdtrc, ndtri

from rca_kit.errors import BadInput
from rca_kit.stats.drift.dependence import Blocks, Contrast, contrast, residuals
from rca_kit.stats.drift.types import OTHER, ColumnStats, Floats, Ints

SEASON_LEVEL = 1e-3  # the phases must differ beyond this chance before the baseline is narrowed to the same hours
COVERED = 0.98  # share of after's rows whose phase the baseline must know
THIN = 0.01  # a phase counts as known when the baseline has at least this many rows per row after


@dataclass(frozen=True)
class Pair:
    """Counts of both sides over the same cells, shape (blocks, cells) each, and the blocks that weigh them.

    `labels` names the cells of categories. `seasonal` is true when before's blocks are weighted to after's mix of phases.
    """

    before: Floats
    after: Floats
    missing_before: Floats
    missing_after: Floats
    valid: tuple[Blocks, Blocks]
    every: tuple[Blocks, Blocks]
    labels: tuple[str, ...] | None
    ordered: bool
    seasonal: bool = False

    @property
    def cells(self) -> tuple[Floats, Floats]:
        """Rows per cell on each side; before's are weighted and scaled to its effective number of rows; shape (cells,) each."""
        return _effective(self.before, self.valid[0]), _effective(self.after, self.valid[1])

    @property
    def missing(self) -> tuple[Floats, Floats]:
        """(missing, all) rows of before and after, effective; shape (2,) each."""
        both = []
        for rows, block in ((self.missing_before, self.every[0]), (self.missing_after, self.every[1])):
            both.append(_effective(np.stack([rows, block.rows], 1), block, total=1))
        return both[0], both[1]

    def score(self, scores: Floats) -> Contrast:
        """Compare the mean of scores given per cell, shape (cells,)."""
        squares = float((self.before.sum(0) + self.after.sum(0)) @ scores**2)
        return contrast(*self.valid, self.before @ scores, self.after @ scores, squares)

    def score_missing(self) -> Contrast:
        """Compare the share of missing rows."""
        hits = float(self.missing_before.sum() + self.missing_after.sum())
        return contrast(*self.every, self.missing_before, self.missing_after, hits)

    def score_direction(self, group: Ints) -> Contrast:
        """Compare along the direction in which the groups' shares moved: look for noise where the difference is."""
        left, right = self.cells
        p, q = np.bincount(group, left), np.bincount(group, right)
        pooled = p + q
        with np.errstate(invalid="ignore", divide="ignore"):
            slope = np.where(pooled > 0, (q / max(q.sum(), 1.0) - p / max(p.sum(), 1.0)) / pooled, 0.0)
        return self.score(slope[group] * float(pooled.sum()))


def normal_scores(pooled: Floats) -> Floats:
    """Score of each ordered cell: normal quantile of its middle rank (van der Waerden), shape (cells,).

    Examples
    --------
    >>> normal_scores(np.array([10.0, 20.0, 10.0])).round(2).tolist()
    [-1.15, 0.0, 1.15]
    """
    rank = np.cumsum(pooled) - pooled / 2
    total = max(float(pooled.sum()), 1.0)
    return np.asarray(ndtri(np.clip(rank / total, 0.5 / total, 1 - 0.5 / total)), float)


def make_pair(before: ColumnStats, after: ColumnStats, *, season: bool | str = True) -> Pair:
    """Bring both sides onto the same cells; weigh before by phase if the column has a season (True) or in any case ("always").

    Raises
    ------
    BadInput
        When numeric columns were counted over different edges.
    """
    left, right, labels = _aligned(before, after)
    ordered = before.edges is not None
    plain = Pair(left, right, before.missing.astype(float), after.missing.astype(float),
                 (_blocks(left.sum(1), before.span), _blocks(right.sum(1), after.span)),
                 (_blocks(left.sum(1) + before.missing, before.span), _blocks(right.sum(1) + after.missing, after.span)), labels,
                 ordered)
    if not season or before.phase is None or after.phase is None:
        return plain
    weights = season_weights(before.phase, after.phase, plain.every[0].rows, plain.every[1].rows)
    if weights is None or not (season == "always" or _has_season(plain, before.phase, after.phase)):
        return plain
    phases = (before.phase, after.phase)

    def weigh(pair: tuple[Blocks, Blocks]) -> tuple[Blocks, Blocks]:
        left, right = (b._replace(weight=w, phase=p) for b, w, p in zip(pair, weights, phases, strict=True))
        return left, right

    weighted = replace(plain, valid=weigh(plain.valid), every=weigh(plain.every), seasonal=True)
    usable = all(float(b.rows @ b.weight) > 0 for b in (*weighted.valid, *weighted.every))
    return weighted if usable else plain


def season_weights(
    phase_before: Ints, phase_after: Ints, rows_before: Floats, rows_after: Floats
) -> tuple[Floats, Floats] | None:
    """Weights that give before the mix of phases of after; None when before does not know after's phases.

    Examples
    --------
    >>> b, a = season_weights(np.array([0, 1]), np.array([1]), np.array([50.0, 50.0]), np.array([10.0]))
    >>> b.tolist(), a.tolist()
    ([0.0, 0.2], [1.0])
    """
    size = int(max(phase_before.max(initial=0), phase_after.max(initial=0))) + 1
    known = np.bincount(phase_before, rows_before, size)
    wanted = np.bincount(phase_after, rows_after, size)
    usable = known >= np.maximum(THIN * wanted, 1.0)
    if wanted[usable].sum() < COVERED * wanted.sum() or wanted.sum() <= 0:
        return None
    ratio = np.where(usable, wanted / np.where(known > 0, known, 1.0), 0.0)
    return ratio[phase_before], usable[phase_after].astype(float)


def quantile_groups(pooled: Floats, groups: int) -> Ints:
    """Put the ordered cells into at most `groups` groups of like count, shape (cells,)."""
    rank = (np.cumsum(pooled) - pooled / 2) / max(float(pooled.sum()), 1.0)
    raw = np.minimum((rank * groups).astype(np.int64), groups - 1)
    return np.asarray(np.unique(raw, return_inverse=True)[1], np.int64)


def rare_together(pooled: Floats, least: float, labels: tuple[str, ...] | None) -> Ints:
    """Give each unordered cell a group, all with fewer than `least` pooled rows as one group, shape (cells,)."""
    rare = pooled < least
    if labels is not None and OTHER in labels and pooled[labels.index(OTHER)] > 0:
        rare |= np.array([x == OTHER for x in labels])
    code = np.where(rare, 0, np.cumsum(~rare))
    return np.asarray(np.unique(code, return_inverse=True)[1], np.int64)


def _has_season(pair: Pair, phase_before: Ints, phase_after: Ints) -> bool:
    """Test whether phases differ, on normal scores or on the shares of the frequent cells (chi-square of phase means)."""
    pooled = pair.before.sum(0) + pair.after.sum(0)
    if pair.ordered:
        functions = [normal_scores(pooled)]
    else:
        functions = [np.eye(len(pooled))[i] for i in np.argsort(-pooled, kind="stable")[:4]]
    p_values = [1.0]
    both_phases = np.concatenate([phase_before, phase_after])
    tasks = [(pair.before @ f, pair.after @ f, pair.valid, float(pooled @ f**2)) for f in functions]
    missing = pair.missing_before.sum() + pair.missing_after.sum()
    tasks.append((pair.missing_before, pair.missing_after, pair.every, float(missing)))
    for left, right, blocks, squares in tasks:
        rest = np.concatenate(residuals(*blocks, left, right)[:2])
        rows = np.concatenate([b.rows for b in blocks])
        mean = (left.sum() + right.sum()) / rows.sum()
        variance = squares / rows.sum() - mean**2
        if variance <= 0:
            continue
        per_phase, phase_rows = np.bincount(both_phases, rest), np.bincount(both_phases, rows)
        used = phase_rows > 0
        if used.sum() < 2:
            continue
        p_values.append(float(chdtrc(used.sum() - 1, np.sum(per_phase[used] ** 2 / phase_rows[used]) / variance)) * len(tasks))
    return min(p_values) < SEASON_LEVEL


def _aligned(before: ColumnStats, after: ColumnStats) -> tuple[Floats, Floats, tuple[str, ...] | None]:
    if before.edges is not None and after.edges is not None:
        if not np.array_equal(before.edges, after.edges):
            raise BadInput("both sides must be counted over the same edges", column=before.name,
                           hint="profile the second table with `like=` the first")
        return before.counts.astype(float), after.counts.astype(float), None
    if before.labels is None or after.labels is None:
        return before.counts.astype(float), after.counts.astype(float), None
    if before.labels == after.labels:
        return before.counts.astype(float), after.counts.astype(float), before.labels
    labels = tuple(dict.fromkeys((*before.labels, *after.labels)))
    # a value counted by name on one side only may hide in the other side's rest: fold it there when that side has a rest
    hidden = {x for x in labels if (x not in before.labels and OTHER in before.labels)
              or (x not in after.labels and OTHER in after.labels)}
    labels = tuple(x for x in labels if x not in hidden or x == OTHER)
    return _relabel(before, labels), _relabel(after, labels), labels


def _relabel(side: ColumnStats, labels: tuple[str, ...]) -> Floats:
    assert side.labels is not None
    place = {x: i for i, x in enumerate(labels)}
    out = np.zeros((len(side.counts), len(labels)))
    target = np.array([place.get(x, place.get(OTHER, -1)) for x in side.labels], np.int64)
    np.add.at(out.T, target, side.counts.T)
    return out


def _effective(counts: Floats, block: Blocks, total: int | None = None) -> Floats:
    """Weighted counts scaled so that they sum (or their column `total` does) to the rows they are worth."""
    mass = float(block.rows @ block.weight)
    if mass <= 0:
        return np.asarray(counts.sum(0), float)
    worth = mass**2 / float(block.rows @ block.weight**2)
    return np.asarray(block.weight @ counts * (worth / mass), float)


def _blocks(rows: Floats, span: float | None) -> Blocks:
    return Blocks(np.asarray(rows, float), np.ones(len(rows)), None, span)
