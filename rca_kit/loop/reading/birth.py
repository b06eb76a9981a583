"""Since when something is there that was not: the first rows of a mark that hardly any row bore before.

Cumulative sums of log-likelihood ratios (Page, "Continuous inspection schemes", Biometrika 1954), for several rates at once: a
fault that is rolled out begins with few rows. Where nearly no row bore the mark before, the very first that do tell the moment.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

RARE = 0.01  # share of rows up to which a mark is rare; one that is common tells its beginning by its step
GAINS, MOST = (0.01, 0.03, 0.1, 0.3, 0.9), 0.99  # shares of rows by which the mark may begin; no rate is 1
# nats from which a sum is no chance: e^9 is beyond 5 rates times a log of 2,000 buckets
SURE, ENOUGH, MEMORY = 9.0, 25.0, 30.0  # ... and nats that are remembered: what is gone for long has gone away


@dataclass(frozen=True)
class Birth:
    """Bucket of the first rows, and a 90 % interval of buckets, both ends included."""

    index: int
    low: int
    high: int


def birth(marked: Floats, rows: Floats, calm: int, phi: float = 1.0) -> Birth | None:
    """The bucket since which marked rows come and do not stop, where they were rare before.

    Parameters
    ----------
    marked, rows : array of shape (buckets,)
        Rows that bear the mark, and all rows, in order of time.
    calm : int
        Buckets at the start of the log that tell how common the mark was; it may be born inside them.
    phi : float
        Overdispersion: standard deviations of the counts for each that chance gives.

    Returns
    -------
    Birth or None
        None where the mark was common before, never became common, or went away again.

    Examples
    --------
    >>> rows, marked = np.full(100, 20.0), np.zeros(100)
    >>> marked[60:] = 4.0
    >>> birth(marked, rows, 50)
    Birth(index=60, low=60, high=60)
    """
    early = slice(0, max(calm, 1))
    # half a row of benefit of the doubt: a mark never seen in a thousand rows may be one in two thousand
    usual = (float(marked[early].sum()) + 0.5) / (float(rows[early].sum()) + 1.0)
    if usual > RARE or marked.sum() == 0:
        return None
    steps = [_gain(marked, rows, usual, min(usual + gain, MOST)) / max(phi, 1.0) ** 2 for gain in GAINS]
    born = [b for step in steps if (b := _excursion(step)) is not None]
    if not born:
        return None
    start, end = min(born)
    span = slice(max(start - (end - start + 1), 0), end + 1)
    # evidence of a beginning in each bucket, by the rows from it on; each rate as likely as the next
    told = np.logaddexp.reduce([np.cumsum(step[span][::-1])[::-1] for step in steps])
    weight = np.exp(told - told.max())
    reached = np.cumsum(weight / weight.sum())
    low, middle, high = (int(np.searchsorted(reached, q)) for q in (0.05, 0.5, 0.95))
    return Birth(span.start + middle, span.start + low, span.start + min(high, reached.size - 1))


def _gain(marked: Floats, rows: Floats, usual: float, later: float) -> Floats:
    """Evidence of each bucket, in nats, that its rows bear the mark at the later rate rather than at the usual one."""
    return np.asarray(marked * np.log(later / usual) + (rows - marked) * np.log((1 - later) / (1 - usual)))


def _excursion(step: Floats) -> tuple[int, int] | None:
    """Start of the last excursion of the cumulative sum, which nothing undid, and the bucket that tells enough of its start."""
    total, start, end, sure = 0.0, 0, -1, False
    for i, x in enumerate(step.tolist()):
        told, total = total, min(total + x, MEMORY)
        if total <= 0:
            total, start, end, sure = 0.0, i + 1, -1, False
        elif told < ENOUGH:
            sure, end = sure or total >= SURE, i
    return (start, end) if sure else None
