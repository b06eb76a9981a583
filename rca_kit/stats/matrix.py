"""Matrices that are handed to tree models."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def without_empty(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Columns (rows, features) that hold no value at all as zeros: trees cannot bin them, and nothing is lost.

    Examples
    --------
    >>> without_empty(np.array([[1.0, np.nan], [np.nan, np.nan]])).tolist()
    [[1.0, 0.0], [nan, 0.0]]
    """
    return np.where(np.isnan(x).all(axis=0), 0.0, x)
