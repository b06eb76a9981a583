"""Many tests at once: within a column by shares of the error rate, over columns by step-down control of false discoveries."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from rca_kit.stats.drift.types import Floats


def benjamini_hochberg(p_values: ArrayLike) -> Floats:
    """Adjust p values as Benjamini and Hochberg (1995), doi:10.1111/j.2517-6161.1995.tb02031.x, in the order given.

    Parameters
    ----------
    p_values : array_like, shape (n,)
        Each in [0, 1].

    Examples
    --------
    >>> benjamini_hochberg([0.01, 0.04, 0.03]).round(3).tolist()
    [0.03, 0.04, 0.04]
    """
    p = np.asarray(p_values, float)
    order = np.argsort(p)
    scaled = p[order] * len(p) / np.arange(1, len(p) + 1)
    out: Floats = np.empty_like(p)
    out[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return out


def holm(p_values: ArrayLike) -> Floats:
    """Adjust p values by the method of Holm (1979), which control the chance of any false alarm, in the order given.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, float)
    order = np.argsort(p)
    scaled = p[order] * (len(p) - np.arange(len(p)))
    out: Floats = np.empty_like(p)
    out[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return out


def step_down(p_values: ArrayLike) -> Floats:
    """Adjust p values by the adaptive step-down procedure of Gavrilov, Benjamini and Sarkar (2009).

    doi:10.1214/07-AOS586. It controls the false discovery rate like Benjamini-Hochberg, is as strict as Sidak on the smallest
    p value (so a quiet table raises any flag with chance q at most), and becomes more powerful the more columns have changed.

    Examples
    --------
    >>> step_down([0.001, 0.002, 0.9]).round(4).tolist()
    [0.003, 0.003, 1.0]
    """
    p = np.clip(np.asarray(p_values, float), 0.0, 1.0)
    m, order = len(p), np.argsort(p)
    rank = np.arange(1, m + 1)
    with np.errstate(divide="ignore"):
        # the smallest q at which p <= i q / (m + 1 - i (1 - q))
        needed = p[order] * (m + 1 - rank) / (rank * (1 - p[order]))
    out: Floats = np.empty_like(p)
    out[order] = np.minimum(np.maximum.accumulate(np.minimum(needed, 1.0)), 1.0)
    return out


def combine(p_values: ArrayLike, shares: ArrayLike) -> float:
    """One p value from several tests of one column: weighted Bonferroni, valid under any dependence (Rosenthal and Rubin 1983).

    `shares` are scaled to sum to 1: tests that do not apply give their share to the others.

    Examples
    --------
    >>> round(combine([0.007, 0.5], [0.7, 0.3]), 4)
    0.01
    """
    share = np.asarray(shares, float)
    if not len(share) or share.sum() <= 0:
        return 1.0
    return min(1.0, float(np.min(np.asarray(p_values, float) * share.sum() / share)))
