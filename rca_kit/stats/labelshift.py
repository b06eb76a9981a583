"""Whether labels moved because the world did, or because some of them are wrong: by which scores have how many positives."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

STEPS = 200  # values tried of the one parameter that each explanation has
WIDEST = 4.0  # log odds by which a world may move
EDGE = 1e-4  # rates are kept that far from 0 and 1


def world_or_labels(rate: Floats, positives: Floats, rows: Floats) -> float:
    """Log of how much better moved odds explain the labels after than lost, added or exchanged ones.

    A world in which positives are more frequent multiplies their odds alike, whatever the score was (a shift of the prior:
    Saerens, Latinne and Decaestecker 2002, doi:10.1162/089976602753284446). Positives that were lost shrink each rate by one
    factor; labels set by default raise all from below; turned or shuffled ones pull all rates together. Each explanation has one
    parameter, and its best likelihood is taken.

    Parameters
    ----------
    rate : array of float, shape (groups,)
        Share of positive labels before, in groups of like scores.
    positives, rows : array of float, shape (groups,)
        Positive and all labels after.

    Returns
    -------
    float
        In nats; above zero for the world.

    Examples
    --------
    >>> rate, rows = np.array([0.1, 0.3, 0.6]), np.full(3, 1000.0)
    >>> odds = 3 * rate / (1 - rate)
    >>> round(world_or_labels(rate, rows * odds / (1 + odds), rows)), round(world_or_labels(rate, rows * rate / 2, rows))
    (63, -8)
    """
    p = np.clip(rate, EDGE, 1 - EDGE)
    step = np.linspace(-WIDEST, WIDEST, STEPS + 1)[:, None]
    part = np.linspace(0.0, 1.0, STEPS + 1)[:, None]
    mean = float((p * rows).sum() / max(rows.sum(), 1e-300))
    world = 1 / (1 + (1 - p) / p * np.exp(-step))
    wrong = ((1 - part) * p, part + (1 - part) * p, part * (1 - p) + (1 - part) * p, part * mean + (1 - part) * p)
    return _best(world, positives, rows) - max(_best(q, positives, rows) for q in wrong)


def _best(q: Floats, positives: Floats, rows: Floats) -> float:
    q = np.clip(q, EDGE, 1 - EDGE)
    return float((positives * np.log(q) + (rows - positives) * np.log(1 - q)).sum(1).max())
