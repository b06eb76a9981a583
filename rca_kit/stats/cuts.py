"""The cut of a score that two-valued decisions follow best."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class ScoreCut(NamedTuple):
    """Decisions are positive at or above `at` (`up`), or below it; `clean` is the part of the rows that follow this."""

    at: float
    up: bool
    clean: float

    def implied(self, score: Floats) -> NDArray[np.bool_]:
        """Whether the cut makes each decision positive."""
        return score >= self.at if self.up else score < self.at


def best_cut(score: Floats, decision: Floats) -> ScoreCut:
    """Find the cut that agrees with most decisions, midway between two scores.

    Parameters
    ----------
    score, decision : arrays of shape (rows,)
        Finite scores; decisions 0 or 1.

    Examples
    --------
    >>> best_cut(np.array([0.1, 0.2, 0.6, 0.8]), np.array([0.0, 0.0, 1.0, 1.0]))
    ScoreCut(at=0.4, up=True, clean=1.0)
    """
    order = np.argsort(score, kind="stable")
    s, d = score[order], decision[order]
    ones = np.concatenate([[0.0], np.cumsum(d)])
    zeros = np.concatenate([[0.0], np.cumsum(1 - d)])
    right = zeros + (ones[-1] - ones)  # zeros below the cut, ones at or above
    valid = np.concatenate([[True], np.diff(s) > 0, [True]])
    right_up = np.where(valid, right, -1)
    right_down = np.where(valid, s.size - right, -1)
    up = bool(right_up.max() >= right_down.max())
    scores = right_up if up else right_down
    i = int(np.argmax(scores))
    ends = {0: float(s[0]), s.size: float(np.nextafter(s[-1], np.inf))}
    return ScoreCut(ends[i] if i in ends else float((s[i - 1] + s[i]) / 2), up, float(scores[i] / s.size))
