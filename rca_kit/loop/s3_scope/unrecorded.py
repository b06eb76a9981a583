"""Since when labels or business outcomes are missing in one segment more than elsewhere: late ones are late everywhere."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from rca_kit.loop.reading.picture import Picture
from rca_kit.loop.reading.series import LABELLED

Floats = NDArray[np.float64]

RIPE = 0.98  # part of their usual share at which labels have come; where fewer have, a segment may only be a slower one
LEAST_MORE = 0.1  # share that must be missing beyond what the segment lacks at other times
Z_LEAST = 7.0  # some dozens of segment values times hundreds of starts, and a segment's habits wander
LOST_ROWS = 20  # rows that must lack it: a handful in the last hour that is known may be on their way
COMMON = 0.01  # share of the requests from which a value is looked at
EDGE_BUCKETS = 6  # before the first start, for a segment's habits must be known; and those in which records must have come


def missing_since(picture: Picture, name: str) -> int | None:
    """Coarse bucket since when a segment value lacks more of what is recorded than the others; None where none does.

    Each value's missing share is compared with that of all other rows of the same bucket, and that difference after a start
    with the one before it, over the buckets in which the others' records have come.
    """
    a = picture.aggregates
    measure = LABELLED.get(a.plan.label_kind, "") if name == "label_share" else f"kpi:{name.partition(':')[2]}_n"
    buckets = picture.grid.n_coarse
    best: tuple[float, int] | None = None
    for plan in a.plan.segments:
        cube = a.cubes.get(f"segment:{plan.column}")
        if cube is None or measure not in cube.frame.columns:
            continue
        rows, seen = cube.by_value("n", buckets), cube.by_value(measure, buckets)
        total, known = (np.sum(list(x.values()), axis=0) for x in (rows, seen))
        for value, n in rows.items():
            if value is None or n.sum() < COMMON * total.sum():
                continue
            found = _since(n - seen[value], n, total - known - (n - seen[value]), total - n)
            if found is not None and (best is None or found[0] > best[0]):
                best = found
    return best[1] if best else None


def _since(missing: Floats, n: Floats, others_missing: Floats, others: Floats) -> tuple[float, int] | None:
    """Evidence (z) and bucket of the start from which a value lacks more than the others do, all arrays of shape (buckets,)."""
    share = np.divide(others_missing, others, out=np.ones_like(others), where=others > 0)
    usual = 1.0 - float(np.median(share[others > 0])) if (others > 0).any() else 0.0
    here, kept = (np.convolve(x, np.ones(EDGE_BUCKETS))[EDGE_BUCKETS - 1 :] for x in (others, others - others_missing))
    ripe = (others > 0) & (n > 0) & (kept >= RIPE * usual * here)  # with the buckets that follow: one may be whole by chance
    if ripe.sum() < 2 * EDGE_BUCKETS:
        return None
    excess = np.where(ripe, missing - n * share, 0.0)
    own = float(missing[ripe].sum() / n[ripe].sum())
    unit = max(own * (1.0 - own), 1.0 / float(n[ripe].sum()))
    weight = np.where(ripe, n, 0.0)
    noise = np.where(ripe, n * np.maximum(unit, share * (1.0 - share)) * (1.0 + n / np.maximum(others, 1.0)), 0.0)
    after, rows_after, noise_after = (np.cumsum(x[::-1])[::-1] for x in (excess, weight, noise))
    before, rows_before, noise_before = (x.sum() - y for x, y in ((excess, after), (weight, rows_after), (noise, noise_after)))
    lost_after = np.cumsum(np.where(ripe, missing, 0.0)[::-1])[::-1]
    able = (lost_after >= LOST_ROWS) & (rows_before > 0) & (np.cumsum(ripe) > EDGE_BUCKETS)
    if not able.any():
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        more = after / rows_after - before / rows_before
        z = more / np.sqrt(noise_after / rows_after**2 + noise_before / rows_before**2)
    z = np.where(able & (more >= LEAST_MORE), z, -math.inf)
    at = int(np.argmax(z))
    return (float(z[at]), at) if z[at] >= Z_LEAST else None
