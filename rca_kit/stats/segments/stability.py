"""Would the same segments be found on another day? A bootstrap over leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rca_kit.stats.segments.cells import Cells
from rca_kit.stats.segments.evidence import Evidence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rca_kit.stats.segments.search import Pick

RIVALS = 30  # only the leading segments can win a resample


def stability(cells: Cells, evidence: Evidence, picks: Sequence[Pick], resamples: int, seed: int) -> list[float]:
    """Give, per segment found, the share of resamples in which it still beats its rivals.

    Every leaf gets an exponential weight (Bayesian bootstrap, Rubin 1981, doi 10.1214/aos/1176345338), so no leaf vanishes.

    Parameters
    ----------
    cells, evidence
        Of the search, after it.
    picks : sequence of Pick
        In the order they were found.
    resamples : int
    seed : int
    """
    rng = np.random.default_rng(seed)
    out = []
    gone = np.zeros(len(evidence.gains), dtype=bool)
    for pick in picks:
        leaves = np.flatnonzero(~gone)
        rivals = [m & ~gone for m in pick.rivals[:RIVALS]]
        own = pick.inside & ~gone
        wins = 0
        columns = np.stack([own, *rivals])[:, leaves].astype(np.float64)
        gains = evidence.gains[leaves]
        for _ in range(resamples):
            weights = rng.exponential(size=len(leaves))
            scores = ((columns * weights) @ gains).max(axis=1)
            wins += bool(scores[0] >= scores.max() - 1e-9 * abs(scores.max()))
        out.append(wins / resamples)
        gone |= pick.inside
    return out
