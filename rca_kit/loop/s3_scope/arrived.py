"""Values that came in numbers and do badly: the change is theirs, though no rate inside any value moved."""

from __future__ import annotations

import math
from typing import Any

import narwhals as nw
import numpy as np

from rca_kit.loop.reading.picture import Picture
from rca_kit.loop.s3_scope.search import MARK, WINDOWS, Badness, leaves, usual_requests

LEFT_MOST = 0.3  # part of the change that may be left when the value's rows are left out
BESIDE_Z = 5.0  # standard errors by which its rows must do worse than the others at the same time
OTHERS_LEAST = 0.9  # of the others' usual requests: where they became fewer, they turned into these, as an outcome does
LEAST_ROWS = 30


def brings_change(picture: Picture, frame: nw.LazyFrame[Any], bad: Badness, column: str, value: str) -> bool:
    """Whether a value that became frequent brought a metric's change with it.

    Its rows do worse than the others at the same time, without them the metric is what it was before, and they came on top.
    How they did before does not matter: there may have been too few to know.
    """
    table = leaves(frame, picture, [column], bad)
    if table is None:
        return False
    own = [i for i, v in enumerate(table.values[0]) if str(v) == value]
    inside = np.isin(table.codes[:, 0], own)
    n0, n1 = (table.sums[f"{MARK}_n_{w}"] for w in WINDOWS)
    s0, s1 = (table.sums[f"{MARK}_{w}"] for w in WINDOWS)
    squares = table.sums[f"{MARK}_sq_after"]
    if n1[inside].sum() < LEAST_ROWS or min(n0[~inside].sum(), n1[~inside].sum()) < LEAST_ROWS:
        return False
    change = float(s1.sum() / n1.sum() - s0.sum() / n0.sum())
    left = float(s1[~inside].sum() / n1[~inside].sum() - s0[~inside].sum() / n0[~inside].sum())
    sign = {"increase": 1.0, "decrease": -1.0}.get(bad.direction, math.copysign(1.0, change))
    (m, v), (rest, rest_v) = (_mean(s1[k].sum(), squares[k].sum(), n1[k].sum()) for k in (inside, ~inside))
    beside = sign * (m - rest) / math.sqrt(max(v + rest_v, 1e-300))
    if not (sign * change > 0 and sign * left <= LEFT_MOST * abs(change) and beside >= BESIDE_Z):
        return False
    rows = leaves(frame, picture, [column], None)
    if rows is None:
        return False
    others = ~np.isin(rows.codes[:, 0], [i for i, v in enumerate(rows.values[0]) if str(v) == value])
    before, after = (float(rows.sums[f"{MARK}_{w}"][others].sum()) for w in WINDOWS)
    return after >= OTHERS_LEAST * before * usual_requests(picture)


def _mean(total: float, squares: float, n: float) -> tuple[float, float]:
    """Mean, and its variance."""
    mean = float(total / n)
    return mean, max(float(squares / n) - mean**2, 0.0) / float(n)
