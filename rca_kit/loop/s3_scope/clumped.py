"""Rows that come in clumps and share a value: the results of one search share its latency, so eight rows tell as much as one."""

from __future__ import annotations

from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from rca_kit.findings.base import Window
from rca_kit.loop.reading.picture import Picture
from rca_kit.sources.collect import collect

MOST_ROWS = 200_000  # the last of the before window: enough to see how rows hang together
LEAST_ROWS = 1_000  # fewer show no correlation of the size that matters
CALM = 0.8  # part of the before window in which no fault is at work yet
MOST_LAGS = 64  # longest clump looked for; what is left at twice that lag is trend, season or load, no clump
LEAST_CORRELATION, SURE_Z, END_Z = 0.05, 5.0, 2.0  # of neighbours, to be a clump at all; standard errors at which it is, and ends


def design_effect(values: NDArray[np.float64]) -> float:
    """Estimate how many rows tell as much as one independent row, from rows in the order of their time.

    Parameters
    ----------
    values : (n,) array

    Returns
    -------
    float
        1 for independent rows, m for clumps of m equal values: ``1 + 2 * sum of autocorrelations`` (Kish 1965; as the time of
        a series: Geyer 1992, doi 10.1214/ss/1177011137), over the lags until they reach what correlation lasts beyond any clump.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=4000)
    >>> design_effect(x), round(design_effect(np.repeat(x, 8)))
    (1.0, 8)
    """
    n = len(values)
    if n < LEAST_ROWS:
        return 1.0
    x = values - values.mean()
    variance = float(x @ x) / n
    if not variance > 0:
        return 1.0
    turned = np.fft.rfft(x, 1 << (2 * n - 1).bit_length())
    shared = np.fft.irfft(turned * turned.conj())[1 : 2 * MOST_LAGS + 1] / n / variance
    near, error = shared[:MOST_LAGS] - shared[MOST_LAGS:].mean(), 1.0 / np.sqrt(n)
    if near[0] < max(LEAST_CORRELATION, SURE_Z * error):
        return 1.0
    ended = np.flatnonzero(near < END_Z * error)
    return 1.0 + 2.0 * float(near[: ended[0] if ended.size else MOST_LAGS].sum())


def clumps_of(frame: nw.LazyFrame[Any], picture: Picture, row: nw.Expr) -> float:
    """Design effect of a badness per row, from rows before: a fault comes in bursts that are no clumps.

    The last part of before is left out, since a fault may have begun there unseen.
    """
    time, before, grid = nw.col(picture.aggregates.plan.columns.time), picture.windows[0], picture.grid
    end = before.start + CALM * (before.end - before.start)
    counts = picture.aggregates.cubes["time"].dense("n", grid.n) * grid.inside(Window(before.start, end))
    held = np.flatnonzero(counts)
    if not held.size:
        return 1.0
    since = min(int(np.count_nonzero(np.cumsum(counts[::-1]) > MOST_ROWS)), int(held[-1]))  # earlier buckets are not asked
    own = frame.filter((time >= max(before.start, grid.time(since))) & (time < end))
    rows = collect(own.select(time.alias("t"), row.cast(nw.Float64).alias("x")))
    values = rows.sort("t", maintain_order=True)["x"].drop_nulls().to_numpy()
    return design_effect(values[np.isfinite(values)])
