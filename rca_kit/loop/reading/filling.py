"""Since when something fills up: a level that held, and rises from some moment on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LEAST = 12  # buckets that are needed
HELD = 6  # buckets before the rise, and of it
FULL = 0.05  # part of its rise below its highest from which a level counts as full
RISE, NOISE = 0.1, 4.0  # part of itself, and times its wandering before, by which it must have risen
CROOKED = 0.2  # part of the level's variance that the line may leave: what wanders for hours rises too
CLEAR = 30.0  # nats by which the rise must be likelier than none
DROP = 1.35  # nats below its best up to which a start is within the 90 % interval


def rising_since(level: Floats) -> tuple[int, int, int] | None:
    """Bucket from which a level rises evenly until the end, with a 90 % interval: (low, best, high).

    Least squares of a constant that becomes a line (segmented regression, Muggeo 2003), the start by profile likelihood.

    Parameters
    ----------
    level : array of shape (n,)
        The level by bucket, NaN where it was not measured; it ends when it was full.

    Returns
    -------
    tuple of int or None
        None where no rise stands out, or where it began before the first `HELD` buckets.

    Examples
    --------
    >>> level = 50 + np.random.default_rng(0).normal(size=60) + np.clip(np.arange(60) - 40, 0, None) * 2.0
    >>> rising_since(level)
    (39, 39, 40)
    """
    at = np.flatnonzero(np.isfinite(level))
    if at.size < LEAST:
        return None
    top, usual = float(level[at].max()), float(np.median(level[at]))
    at = at[: int(np.argmax(level[at] >= top - FULL * (top - usual))) + 1]  # what is full rises no more
    if at.size < LEAST:
        return None
    y, t = level[at], at.astype(float)
    flat = float(((y - y.mean()) ** 2).sum())
    tried, left = [], []
    for start in range(HELD, at.size - HELD // 2):
        x = np.clip(t - t[start], 0.0, None)
        centred = x - x.mean()
        slope = float(centred @ y) / float(centred @ centred)
        if slope > 0:
            tried.append(start)
            left.append(float(((y - y.mean() - slope * centred) ** 2).sum()))
    if not tried or flat <= 0:
        return None
    fit = -at.size / 2 * np.log(np.maximum(np.array(left), 1e-12 * flat))
    best = int(np.argmax(fit))
    before = y[: tried[best]]
    rose = float(y[-1] - before.mean())
    least = max(RISE * abs(float(before.mean())), NOISE * float(before.std()))
    if fit[best] + at.size / 2 * np.log(flat) < CLEAR or rose < least or left[best] > CROOKED * flat:
        return None
    inside = np.flatnonzero(fit >= fit[best] - DROP)
    return tuple(int(at[tried[i]]) for i in (inside[0], best, inside[-1]))  # type: ignore[return-value]
