"""Conditional logit: one of several alternatives is right; each is a sum of named evidence times weights.

McFadden 1974 (Conditional logit analysis of qualitative choice behavior); ridge towards prior weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Choice:
    """One case: evidence of each alternative, shape (alternatives, names), and which alternatives are right."""

    x: Floats
    right: NDArray[np.bool_]


def softmax(scores: Floats) -> Floats:
    """Probabilities from scores.

    Examples
    --------
    >>> softmax(np.array([0.0, 0.0])).tolist()
    [0.5, 0.5]
    """
    e = np.exp(scores - scores.max())
    return np.asarray(e / e.sum())


def log_likelihood(weights: Floats, choices: Sequence[Choice]) -> tuple[float, Floats]:
    """Sum over cases of log P(one of the right alternatives), and its gradient."""
    total, gradient = 0.0, np.zeros_like(weights)
    for c in choices:
        s = c.x @ weights
        p = softmax(s)
        good = float(p[c.right].sum())
        total += np.log(max(good, 1e-300))
        q = np.where(c.right, p, 0.0) / max(good, 1e-300)
        gradient += c.x.T @ (q - p)
    return total, gradient


def fit(choices: Sequence[Choice], prior: Floats, ridge: float | Floats) -> Floats:
    """Maximum a posteriori weights: normal prior around `prior` with precision `ridge`.

    Examples
    --------
    >>> c = Choice(np.array([[1.0], [0.0]]), np.array([True, False]))
    >>> w = fit([c] * 50, np.zeros(1), 1.0)
    >>> bool(w[0] > 1)
    True
    """
    from scipy.optimize import minimize

    def objective(w: Floats) -> tuple[float, Floats]:
        value, gradient = log_likelihood(w, choices)
        d = w - prior
        return -value + 0.5 * float((ridge * d * d).sum()), -gradient + ridge * d

    return np.asarray(minimize(objective, prior.copy(), jac=True, method="L-BFGS-B", options={"maxiter": 500}).x)
