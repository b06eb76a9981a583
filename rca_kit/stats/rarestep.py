"""Scan a count of rare events for a step by its binomial likelihood, which needs no events before it.

The likelihood-ratio scan for a change of a Bernoulli rate (Worsley 1983, doi:10.1093/biomet/70.2.455), corrected for all starts.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, xlog1py, xlogy

from rca_kit.stats.stepscan import Fit, StepScan

Floats = NDArray[np.float64]


def rare_step(k: Floats, n: Floats, *, first: int = 1, last: int | None = None) -> StepScan:
    """Scan for the step that explains best when k of n rows became more or fewer.

    Parameters
    ----------
    k, n : arrays of shape (buckets,)
        Events and rows of each bucket.
    first, last : int
        Starts are looked for in ``[first, last]``.

    Returns
    -------
    StepScan
        `profile` is twice the log of the likelihood ratio at each start, divided by the overdispersion before and after the step.

    Examples
    --------
    >>> k = np.repeat([0.0, 2.0], [30, 10])
    >>> found = rare_step(k, np.full(40, 100.0))
    >>> found.step.start, round(found.step.height, 3), found.log_p < -10
    (30, 0.02, True)
    """
    size = k.size
    last = size - 1 if last is None else min(last, size - 1)
    starts = np.arange(size)
    before_k, before_n = np.cumsum(k) - k, np.cumsum(n) - n
    after_k, after_n = k.sum() - before_k, n.sum() - before_n
    able = (starts >= first) & (starts <= last) & (before_n > 0) & (after_n > 0)
    if not able.any() or not 0 < k.sum() < n.sum():
        return StepScan(None, None, None, "step", 0.0, np.zeros(size), 0.0, 1.0, np.zeros(size))
    whole = _likelihood(k.sum(keepdims=True), n.sum(keepdims=True))[0]
    gain = np.where(able, 2 * (_likelihood(before_k, before_n) + _likelihood(after_k, after_n) - whole), 0.0).clip(0)
    at = int(gain.argmax())
    phi = max(_clumped(k[part], n[part]) for part in (slice(None, at), slice(at, None)))
    profile = gain / phi**2
    p, q = before_k[at] / before_n[at], after_k[at] / after_n[at]
    z = math.copysign(math.sqrt(profile[at]), q - p)
    error = abs(q - p) / max(abs(z), 1e-9)
    log_p = min(math.log(2) + max(float(log_ndtr(-abs(z))), -700.0) + math.log(int(able.sum())), 0.0)
    step = Fit(at, size, float(q - p), float(error), z)
    return StepScan(step, None, None, "step", log_p, profile, 0.0, phi, np.zeros(size))


def _likelihood(k: Floats, n: Floats) -> Floats:
    """Maximal binomial log-likelihood of k of n; 0 where n is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        p = np.where(n > 0, k / n, 0.0)
    return np.asarray(xlogy(k, p) + xlog1py(n - k, -p))


def _clumped(k: Floats, n: Floats) -> float:
    """Overdispersion, the root of Pearson's chi-square over its degrees of freedom; at least 1."""
    seen = n > 0
    total = float(k[seen].sum())
    if seen.sum() < 2 or total == 0:
        return 1.0
    p = total / float(n[seen].sum())
    expected = n[seen] * p
    return math.sqrt(max(float(((k[seen] - expected) ** 2 / (expected * max(1 - p, 1e-9))).sum()) / (int(seen.sum()) - 1), 1.0))
