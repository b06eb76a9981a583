"""Equivalence by two one-sided tests: "no difference found" and "shown to be alike" are two answers, not one."""

from __future__ import annotations

import math
from dataclasses import dataclass

from rca_kit.errors import BadInput

ALPHA = 0.05
POWER = 0.8  # the usual planning value


@dataclass(frozen=True)
class Equivalence:
    """Result of two one-sided tests of a difference (after - before) against a margin.

    Attributes
    ----------
    estimate, error : float
        The difference and its standard error.
    margin : tuple of float
        Lower and upper bound of what counts as alike.
    interval : tuple of float
        Confidence interval at level 1 - 2 alpha: inside the margin exactly when both tests reject.
    p_value : float
        The larger of the two one-sided p-values.
    verdict : str
        `equivalent`, `higher` or `lower` (the interval lies outside the margin), or `inconclusive`.
    """

    estimate: float
    error: float
    margin: tuple[float, float]
    interval: tuple[float, float]
    p_value: float
    verdict: str

    @property
    def equivalent(self) -> bool:
        """Whether the two are shown to be alike within the margin."""
        return self.verdict == "equivalent"


def tost(estimate: float, error: float, margin: float | tuple[float, float], alpha: float = ALPHA,
         freedom: float = math.inf) -> Equivalence:
    """Test whether a difference lies inside a margin (Schuirmann 1987, doi:10.1007/BF01068419).

    Parameters
    ----------
    estimate, error : float
        Difference and its standard error, in the metric's units.
    margin : float or pair
        ``m`` means ``(-m, m)``. The lower bound is below, the upper above the other.
    alpha : float
        Level of each one-sided test, 0 to 0.5; also the risk of calling a difference at the margin equivalent.
    freedom : float
        Degrees of freedom of the error; infinite for large samples.

    Returns
    -------
    Equivalence

    Raises
    ------
    BadInput
        When the margin is empty, or alpha is out of range.

    Examples
    --------
    >>> tost(0.001, 0.002, 0.01).verdict, tost(0.001, 0.02, 0.01).verdict, tost(-0.08, 0.01, 0.01).verdict
    ('equivalent', 'inconclusive', 'lower')
    """
    low, high = (-margin, margin) if isinstance(margin, (int, float)) else margin
    if not low < high:
        raise BadInput("the margin is empty", found=f"{low} to {high}", expected="a lower bound below the upper one")
    if not 0 < alpha < 0.5:
        raise BadInput("alpha is out of range", found=str(alpha), expected="0 < alpha < 0.5")
    if not (math.isfinite(estimate) and math.isfinite(error)) or error < 0:
        return Equivalence(estimate, error, (low, high), (-math.inf, math.inf), 1.0, "inconclusive")
    if error == 0:
        p = 0.0 if low < estimate < high else 1.0
    else:
        p = max(_upper_tail((estimate - low) / error, freedom), _upper_tail((high - estimate) / error, freedom))
    half = _quantile(1 - alpha, freedom) * error
    interval = (estimate - half, estimate + half)
    if p < alpha:
        verdict = "equivalent"
    elif interval[0] > high or (error == 0 and estimate >= high):
        verdict = "higher"
    elif interval[1] < low or (error == 0 and estimate <= low):
        verdict = "lower"
    else:
        verdict = "inconclusive"
    return Equivalence(estimate, error, (low, high), interval, p, verdict)


def tost_rates(k_before: float, n_before: float, k_after: float, n_after: float, margin: float,
               alpha: float = ALPHA) -> Equivalence:
    """Test whether two proportions differ by less than a margin.

    The error is Newcombe's square-and-add of the two Wilson intervals (1998,
    doi:10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I), which holds near 0 and 1 where the plain one is zero.

    Examples
    --------
    >>> tost_rates(0, 5000, 0, 5000, 0.005).verdict, tost_rates(0, 50, 0, 50, 0.005).verdict
    ('equivalent', 'inconclusive')
    """
    if n_before <= 0 or n_after <= 0:
        return tost(math.nan, math.nan, margin, alpha)
    z = _quantile(1 - alpha, math.inf)
    (p, low_p, high_p), (q, low_q, high_q) = _wilson(k_before, n_before, z), _wilson(k_after, n_after, z)
    difference = q - p
    low = difference - math.hypot(q - low_q, high_p - p)
    high = difference + math.hypot(high_q - q, p - low_p)
    inside = -margin < low and high < margin
    verdict = "equivalent" if inside else "higher" if low > margin else "lower" if high < -margin else "inconclusive"
    error = (high - low) / (2 * z)
    return Equivalence(difference, error, (-margin, margin), (low, high), tost(difference, error, margin, alpha).p_value, verdict)


def needed_n(error_before: float, error_after: float, n_after: float, margin: float, estimate: float = 0.0, alpha: float = ALPHA,
             power: float = POWER) -> int | None:
    """Give observations needed after, for the test to succeed with the given power if the true difference is `estimate`.

    The error after shrinks with the root of the count; the error before stays as it is.

    Returns
    -------
    int or None
        None when no number is enough: the error before alone is too large, or the difference is not inside the margin.

    Examples
    --------
    >>> needed_n(0.001, 0.01, 100, margin=0.01)
    937
    """
    room = margin - abs(estimate)
    if room <= 0 or n_after <= 0 or not math.isfinite(error_after):
        return None
    # with no true difference both tests must succeed: each has half of the risk of missing it
    beta = (1 - power) / 2 if estimate == 0 else 1 - power
    allowed = (room / (_quantile(1 - alpha, math.inf) + _quantile(1 - beta, math.inf))) ** 2 - error_before**2
    if allowed <= 0:
        return None
    return math.ceil(error_after**2 * n_after / allowed)


def _wilson(k: float, n: float, z: float) -> tuple[float, float, float]:
    p = k / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return p, max(0.0, centre - half), min(1.0, centre + half)


def _quantile(level: float, freedom: float) -> float:
    from scipy.special import ndtri, stdtrit

    return float(ndtri(level) if math.isinf(freedom) else stdtrit(freedom, level))


def _upper_tail(t: float, freedom: float) -> float:
    from scipy.special import ndtr, stdtr

    return float(ndtr(-t) if math.isinf(freedom) else stdtr(freedom, -t))
