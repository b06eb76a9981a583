"""Differences between two answers to the same request: means, flips, and how many pairs a verdict needs.

Pairing is what gives these tests power: whatever makes a request hard makes it hard for both versions and cancels out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]

MIN_PAIRS = 8  # below this a t interval rests on the normal shape of the data, which nobody has checked
BOOTSTRAP_CLUSTERS = 200  # with fewer clusters the sandwich interval is too short (Cameron, Gelbach and Miller 2008)
ROUNDING = 1e-9  # of the mean: a spread above is no residue of rounding, which is near 1e-16 a value
POWER = 0.8  # the usual power when planning a sample (Cohen 1988)


@dataclass(frozen=True)
class PairedMean:
    """A mean of paired differences with its interval; `df` are the degrees of freedom of its t distribution."""

    estimate: float
    se: float
    interval: tuple[float, float]
    p_value: float
    n: int
    df: float

    def at(self, level: float) -> tuple[float, float]:
        """Give the interval at another level, like 0.99."""
        half = t_quantile(0.5 + level / 2, self.df) * self.se
        return (self.estimate - half, self.estimate + half)

    def p_greater(self) -> float:
        """Give the one-sided p-value of a mean above zero."""
        return self.p_value / 2 if self.estimate > 0 else 1 - self.p_value / 2


def t_quantile(q: float, df: float) -> float:
    """Quantile of Student's t, the normal one when `df` is infinite."""
    return float(special.ndtri(q) if not np.isfinite(df) else special.stdtrit(df, q))


def two_sided(estimate: float, se: float, df: float) -> float:
    """Two-sided p-value of `estimate` against zero; exact differences (se = 0) are certain either way."""
    if not se > 0:
        return 1.0 if estimate == 0 else 0.0
    z = -abs(estimate / se)
    return float(2 * (special.ndtr(z) if not np.isfinite(df) else special.stdtr(df, z)))


def paired_mean(values: Any, clusters: Any = None, level: float = 0.95) -> PairedMean:
    """Mean of paired differences, robust to clusters of requests that move together.

    Parameters
    ----------
    values : array_like, shape (n,)
        One difference per pair; NaN are left out.
    clusters : array_like of int, shape (n,), optional
        Which rows belong together (a user, a session); the sandwich estimate of variance is used, with the number of
        clusters less one as degrees of freedom.
    level : float
        Level of the interval, in (0, 1).

    Returns
    -------
    PairedMean
        NaN throughout, with an infinite interval and p = 1, when fewer than two values are there.

    References
    ----------
    Liang and Zeger (1986), doi:10.1093/biomet/73.1.13.

    Examples
    --------
    >>> got = paired_mean([0.1, 0.2, 0.15, 0.05])
    >>> round(got.estimate, 3), round(got.interval[0], 3), round(got.interval[1], 3)
    (0.125, 0.022, 0.228)
    """
    x = np.asarray(values, dtype=np.float64)
    together = None if clusters is None else np.asarray(clusters)
    if np.isnan(x.sum()):  # one pass tells whether any value is missing
        keep = ~np.isnan(x)
        x, together = x[keep], None if together is None else together[keep]
    n = len(x)
    if n < 2:
        estimate = float(x[0]) if n else float("nan")
        return PairedMean(estimate, float("nan"), (-np.inf, np.inf), 1.0, n, 1.0)
    mean = float(x.mean())
    around = x - mean
    if together is None:
        spread = float(np.sqrt(np.multiply(around, around, out=around).sum() / (n - 1)))
        if spread <= ROUNDING * abs(mean) and x.min() == x.max():
            spread = 0.0  # the residue of a constant is rounding, not noise
        se, df = spread / np.sqrt(n), float(n - 1)
    else:
        _, code = np.unique(together, return_inverse=True)
        sums = np.bincount(code, weights=around)
        groups = len(sums)
        if groups < 2:
            return PairedMean(mean, float("nan"), (-np.inf, np.inf), 1.0, n, 1.0)
        se, df = float(np.sqrt(groups / (groups - 1) * np.sum(sums**2))) / n, float(groups - 1)
    half = t_quantile(0.5 + level / 2, df) * se
    return PairedMean(mean, float(se), (float(mean - half), float(mean + half)), two_sided(mean, se, df), n, df)


def cluster_bootstrap(values: Any, clusters: Any = None, level: float = 0.95, draws: int = 999,
                      seed: int = 0) -> tuple[float, float]:
    """Bootstrap-t interval of a mean, resampling whole clusters.

    Parameters
    ----------
    values : array_like, shape (n,)
        One difference per pair, no NaN.
    clusters : array_like of int, shape (n,), optional
        Rows that are drawn together; each row is its own cluster when absent.
    level, draws, seed
        Level of the interval, number of resamples, seed.

    Returns
    -------
    tuple of float
        Lower and upper end.

    References
    ----------
    Cameron, Gelbach and Miller (2008), doi:10.1162/rest.90.3.414.

    Examples
    --------
    >>> low, high = cluster_bootstrap([0.0, 1.0, 2.0, 3.0, 4.0, 5.0], draws=199)
    >>> low < 2.5 < high
    True
    """
    x = np.asarray(values, dtype=np.float64)
    code = np.arange(len(x)) if clusters is None else np.unique(np.asarray(clusters), return_inverse=True)[1]
    sums: Any = np.bincount(code, weights=x)
    sizes: Any = np.asarray(np.bincount(code), dtype=np.float64)
    groups = len(sums)
    mean = x.mean()
    if groups < 2:
        return (-np.inf, np.inf)
    se = _ratio_se(sums[None, :], sizes[None, :])[0]
    if not se > 0:
        return (float(mean), float(mean))
    pick = np.random.default_rng(seed).integers(0, groups, (draws, groups))
    s, m = sums[pick], sizes[pick]
    means, errors = s.sum(axis=1) / m.sum(axis=1), _ratio_se(s, m)
    ok = errors > 0
    t = np.where(ok, (means - mean) / np.where(ok, errors, 1.0), 0.0)
    low, high = np.quantile(t, [0.5 - level / 2, 0.5 + level / 2])
    return (float(mean - high * se), float(mean - low * se))


def _ratio_se(sums: Any, sizes: Any) -> Floats:
    """Sandwich standard error of sum(sums) / sum(sizes), per row of the two (draws, clusters) arrays."""
    groups = sums.shape[1]
    total = sizes.sum(axis=1)
    residual = sums - (sums.sum(axis=1) / total)[:, None] * sizes
    out: Floats = np.sqrt(groups / (groups - 1) * np.sum(residual**2, axis=1)) / total
    return out


def mean_interval(values: Any, clusters: Any = None, level: float = 0.95, seed: int = 0) -> PairedMean:
    """`paired_mean`, with a cluster bootstrap interval where clusters are too few for the sandwich one.

    Examples
    --------
    >>> mean_interval([1.0, 2.0, 3.0]).estimate
    2.0
    """
    basic = paired_mean(values, clusters, level)
    if clusters is None or basic.df + 1 >= BOOTSTRAP_CLUSTERS or not basic.se > 0:
        return basic
    x = np.asarray(values, dtype=np.float64)
    keep = ~np.isnan(x)
    interval = cluster_bootstrap(x[keep], np.asarray(clusters)[keep], level, seed=seed)
    return PairedMean(basic.estimate, basic.se, interval, basic.p_value, basic.n, basic.df)


def mcnemar(lost: int, gained: int) -> float:
    """Two-sided mid-p value that flips go one way more than the other.

    Parameters
    ----------
    lost, gained : int
        Discordant pairs: right before and wrong now, wrong before and right now.

    Returns
    -------
    float
        Mid-p of the binomial test with share one half; less conservative than the exact test and still below its level
        (Fagerland, Lydersen and Laake 2013, doi:10.1186/1471-2288-13-91).

    Examples
    --------
    >>> round(mcnemar(10, 2), 4)
    0.0225
    """
    n, k = lost + gained, min(lost, gained)
    if n == 0:
        return 1.0
    if lost == gained:
        return 1.0
    at_most = float(special.bdtr(k, n, 0.5))
    below = float(special.bdtr(k - 1, n, 0.5)) if k else 0.0
    return float(min(1.0, at_most + below))


def needed_pairs(se: float, n: int, margin: float, estimate: float = 0.0, level: float = 0.95) -> int | None:
    """How many pairs would decide: the smaller of what shows a difference and what shows equivalence.

    Parameters
    ----------
    se : float
        Standard error now, with `n` pairs; it shrinks with the square root of the pairs.
    n : int
        Pairs now.
    margin : float
        Differences within plus or minus this are as good as none.
    estimate : float
        The difference seen now. Near zero it counts as none when planning for equivalence.
    level : float
        Level of the interval.

    Returns
    -------
    int or None
        None when nothing can be said (no pairs, no noise known).

    Examples
    --------
    >>> needed_pairs(se=0.01, n=100, margin=0.01)
    1051
    """
    if n < 2 or not np.isfinite(se) or se <= 0 or margin <= 0:
        return None
    z, z_power = special.ndtri(0.5 + level / 2), special.ndtri(POWER)
    z_both = special.ndtri((1 + POWER) / 2)
    sd = se * np.sqrt(n)
    inside = margin - abs(estimate)
    same = ((z + z_both) * sd / inside) ** 2 if inside > margin / 10 else np.inf
    other = ((z + z_power) * sd / abs(estimate)) ** 2 if abs(estimate) > margin / 2 else np.inf
    best = min(same, other)
    if not np.isfinite(best):
        best = ((z + z_both) * sd / margin) ** 2
    return int(np.ceil(max(best, n + 1)))


def detectable(se: float, level: float = 0.95) -> float:
    """Smallest difference that such a comparison finds with 80 % power (Bloom 1995, doi:10.1177/0193841X9501900504).

    Examples
    --------
    >>> round(detectable(0.01), 4)
    0.028
    """
    return float((special.ndtri(0.5 + level / 2) + special.ndtri(POWER)) * se)


def holm(p_values: Any) -> Floats:
    """Holm's adjusted p-values: the chance of even one false alarm stays below the level (Holm 1979).

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, dtype=np.float64)
    if not len(p):
        return p
    order = np.argsort(p, kind="stable")
    stepped = np.minimum(1.0, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    out = np.empty_like(p)
    out[order] = stepped
    return out
