"""Ratios k/n before and after: errors, nulls, positive decisions, clicks; anything counted out of requests."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc

from rca_kit.errors import BadInput
from rca_kit.stats.segments.evidence import Z95, Contrast, Evidence, Floats, Mask, log_p_of

# Leaves of one affected segment do not all move by the same factor: their own factor varies by about sqrt(0.05) = 22 %.
# Without it a table of a million requests is explained to the last leaf and no short segment ever wins.
DISPERSION = 0.05
# A leaf's own rate before is shrunk towards the overall rate as if this many more requests had been seen.
PRIOR_REQUESTS = 50.0
# A segment with less than this share of its expected traffic before is new: it has no past of its own to compare with.
NEW_SHARE = 0.05
# A leaf seen less often than this before takes its prior rate from its values one by one, others from all traffic.
HARDLY_SEEN = 5.0
FITTING_ROUNDS = 2
# Beyond this many leaves the thin ones, with fewer events expected and seen, are summed before they are scored.
MANY_LEAVES = 100_000
THIN_EXPECTED, THIN_EVENTS = 0.25, 2.0
RATIOS_UP = np.exp(np.linspace(0.05, np.log(100.0), 32))
RATIOS_DOWN = np.exp(np.linspace(-0.05, np.log(0.02), 20))


@dataclass(frozen=True, eq=False)
class Counts:
    """k events out of n requests per leaf, before and after.

    The likelihood is negative binomial: Poisson counts around the leaf's expected count times the segment's factor, the
    factor itself spread by `dispersion` between leaves.

    Parameters
    ----------
    k_before, n_before, k_after, n_after : (n,) array
        Events and requests; may be fractional (averages over several windows); zero where a leaf was not seen.
    dispersion : float
        Squared coefficient of variation of the factor between leaves of one segment.

    Examples
    --------
    >>> c = Counts(np.array([10., 10.]), np.array([1000., 1000.]), np.array([10., 60.]), np.array([1000., 1000.]))
    >>> c.evidence("increase").impact.round(1)
    array([ 0., 50.])
    """

    k_before: Floats
    n_before: Floats
    k_after: Floats
    n_after: Floats
    dispersion: float = DISPERSION
    prior: Floats | None = None  # rate a leaf would have by its values one by one; filled in by `fitted`
    between: float = 0.0  # how far the log rates of leaves lie apart; filled in by `fitted`
    least_gain: float = 4.0  # a Bayes factor of about 50
    relative_gate: float = 0.3  # further segments need this share of the first one's evidence and of its impact

    def __post_init__(self) -> None:
        for name in ("k_before", "n_before", "k_after", "n_after"):
            values = np.nan_to_num(np.asarray(getattr(self, name), dtype=np.float64), nan=0.0)
            if values.size and values.min() < 0:
                raise BadInput("counts cannot be negative", column=name, found=f"{values.min():g}", expected="0 or more")
            object.__setattr__(self, name, values)

    def rate_before(self) -> float:
        """Give the overall rate before; that of both windows when nothing was seen before."""
        n = self.n_before.sum()
        if n > 0:
            return float(self.k_before.sum() / n)
        return float(self.k_after.sum() / max(self.n_after.sum(), 1.0))

    def fitted(self, codes: NDArray[np.integer], cardinalities: tuple[int, ...]) -> Counts:
        """Fit a rate before to every value of every dimension (iterative proportional fitting), for leaves hardly seen."""
        rate = self.rate_before()
        pull = max(PRIOR_REQUESTS * rate, 1e-300)
        seen = np.flatnonzero(self.n_before > 0)
        columns = [codes[seen, dim] for dim in range(len(cardinalities))]
        events = [np.bincount(c, self.k_before[seen], minlength=size) for c, size in zip(columns, cardinalities, strict=True)]
        factors = [np.ones(size) for size in cardinalities]
        fitted = self.n_before[seen] * rate
        for _ in range(FITTING_ROUNDS):
            for dim, column in enumerate(columns):
                step = (events[dim] + pull) / (np.bincount(column, fitted, minlength=cardinalities[dim]) + pull)
                factors[dim] *= step
                fitted *= step[column]
        prior = np.full(len(codes), rate)
        for dim, factor in enumerate(factors):
            prior *= factor[codes[:, dim]]
        return replace(self, prior=np.clip(prior, 1e-9, 1.0), between=self._log_rate_spread())

    def expected(self) -> Floats:
        """Estimate the events each leaf would have had after, at its own rate before."""
        rate = max(self.rate_before(), 0.5 / max(self.n_before.sum(), self.n_after.sum(), 1.0))
        towards: float | Floats = rate
        if self.prior is not None:
            known = self.n_before / (self.n_before + HARDLY_SEEN)
            towards = rate**known * self.prior ** (1.0 - known)
        own: Floats = (self.k_before + PRIOR_REQUESTS * towards) / (self.n_before + PRIOR_REQUESTS)
        return self.n_after * own

    def impact(self) -> Floats:
        """Give what each leaf adds to the change of the total: events beyond those expected."""
        return np.asarray(self.k_after - np.maximum(self.expected(), 1e-9))

    def evidence(self, direction: str) -> Evidence:
        """Give gains per leaf over a grid of factors on the event rate."""
        expected = np.maximum(self.expected(), 1e-9)
        ratios = {"increase": RATIOS_UP, "decrease": RATIOS_DOWN}.get(direction, np.concatenate([RATIOS_UP, RATIOS_DOWN]))
        impact = self.impact()
        if len(expected) <= MANY_LEAVES:
            return Evidence(self._gains(expected, self.k_after, ratios), np.log(ratios), impact)
        # a leaf with few events is as good as Poisson, and Poisson leaves add up
        heavy = np.flatnonzero((expected > THIN_EXPECTED) | (self.k_after > THIN_EVENTS))
        linear = (self.k_after.copy(), expected.copy())
        for column in linear:
            column[heavy] = 0.0
        slopes = np.stack([np.log(ratios), 1.0 - ratios])
        return Evidence(self._gains(expected[heavy], self.k_after[heavy], ratios), np.log(ratios), impact, heavy, linear, slopes)

    def _gains(self, expected: Floats, events: Floats, ratios: Floats) -> Floats:
        size = 1.0 / self.dispersion
        gains: Floats = events[:, None] * np.log(ratios) - (events[:, None] + size) * (
            np.log1p(expected[:, None] * ratios / size) - np.log1p(expected[:, None] / size))
        return gains

    def weight(self) -> Floats:
        """Give the requests after."""
        return self.n_after

    def parts(self) -> list[Floats]:
        """Give events and requests, the events squared, and each leaf's part in a stratified (Mantel-Haenszel) comparison."""
        n = self.n_before + self.n_after
        both = (self.n_before > 0) & (self.n_after > 0)
        safe = np.where(both, n, 1.0)
        k = self.k_before + self.k_after
        after = np.where(both, self.k_after * self.n_before / safe, 0.0)
        before = np.where(both, self.k_before * self.n_after / safe, 0.0)
        variance = np.where(both, self.n_before * self.n_after * k / safe**2, 0.0)
        shared = np.where(both, self.n_after, 0.0)
        return [self.k_before, self.n_before, self.k_after, self.n_after, self.k_after**2, before, after, variance, shared]

    def contrast(self, inside: Floats, rest: Floats, unrest: float) -> Contrast:
        """Test the change of the segment's log rate, alone, leaf by leaf, and against the rest."""
        k0, n0, k1, n1, squares, mh_before, mh_after, variance, shared = (float(v) for v in inside)
        r0, m0, r1, m1 = (float(v) for v in rest[:4])
        before, after = (k0 / n0 if n0 > 0 else None), (k1 / n1 if n1 > 0 else None)
        if n1 <= 0:
            return Contrast(before, after, None, 0.0, n0, n1)
        interval = _difference_interval(k0, n0, k1, n1)
        comparable = shared + float(rest[8]) >= 0.5 * (n1 + m1)
        if n0 < NEW_SHARE * n1 * (m0 / m1 if m1 > 0 else 1.0) or (comparable and shared < 0.5 * n1):
            # no past of its own, or a past of other leaves: where does its rate lie among the rates of the others?
            if r1 <= 0 or m1 <= 0:
                return Contrast(before, after, interval, 0.0, n0, n1)
            noise = _log_variance(k1, n1) + _log_variance(r1, m1) + self.between
            log_p = log_p_of((_log_rate(k1, n1) - _log_rate(r1, m1)) / np.sqrt(noise))
            return Contrast(before, after, interval, max(log_p, _log_binomial(k1, n1, r1 / m1)), n0, n1)
        moved = _log_rate(k1, n1) - _log_rate(k0, n0)
        own = _log_variance(k1, n1) + _log_variance(k0, n0)
        spread = unrest * squares / max(k1, 1e-9) ** 2
        log_p = log_p_of(moved / np.sqrt(own + spread))
        if comparable and mh_before + mh_after > 0:
            # a change of the mix inside the segment moves its rate and no leaf's: leaf by leaf it must hold as well
            # (Mantel-Haenszel rate ratio, variance after Greenland and Robins 1985, doi 10.2307/2530643)
            ratio = np.log((mh_after + 0.25) / (mh_before + 0.25))
            noise = variance / ((mh_after + 0.25) * (mh_before + 0.25))
            log_p = max(log_p, log_p_of(ratio / np.sqrt(noise + spread)))
        if m0 <= 0 or m1 <= 0:
            return Contrast(before, after, interval, log_p, n0, n1)
        drift = _log_rate(r1, m1) - _log_rate(r0, m0)
        apart = (moved - drift) / np.sqrt(own + _log_variance(r1, m1) + _log_variance(r0, m0))
        return Contrast(before, after, interval, log_p, n0, n1, log_p_of(apart), drift / moved if moved else 1.0)

    def unrest(self, rest: Mask) -> float:
        """Estimate the robust variance of the leaves' log-rate changes beyond counting noise."""
        seen = rest & (self.k_before >= 5) & (self.k_after >= 5)
        if seen.sum() < 8:
            return 0.0
        k0, n0, k1, n1 = self.k_before[seen], self.n_before[seen], self.k_after[seen], self.n_after[seen]
        change = np.log(k1 / n1) - np.log(k0 / n0)
        noise = 1 / k0 + 1 / k1 - 1 / n0 - 1 / n1
        scaled = 1.4826 * float(np.median(np.abs(change - np.median(change))))
        # a spread learnt from few leaves is uncertain, and the uncertainty counts against the segment
        return max(0.0, scaled**2 * (1.0 + 2.5 / float(np.sqrt(seen.sum()))) - float(np.median(noise)))

    def _log_rate_spread(self) -> float:
        """Estimate how far the log rates of well-seen leaves lie apart (robust variance)."""
        large = self.k_after >= 5
        if large.sum() < 5:
            return 0.0
        logs = np.log(self.k_after[large] / self.n_after[large])
        return (1.4826 * float(np.median(np.abs(logs - np.median(logs))))) ** 2


def _log_rate(k: float, n: float) -> float:
    """Log rate with half an event added: finite at zero (Haldane-Anscombe)."""
    return float(np.log(k + 0.5) - np.log(n + 1.0))


def _log_binomial(k: float, n: float, p: float) -> float:
    """Log chance of as many events, or as few, as k out of n at rate p; two-sided by doubling.

    The binomial tails as incomplete beta functions, which take fractional counts as well.
    """
    upper = float(betainc(k, n - k + 1, p)) if k > 0 else 1.0
    lower = float(betainc(n - k, k + 1, 1 - p)) if k < n else 1.0
    return float(np.log(min(max(2.0 * min(upper, lower), 1e-300), 1.0)))


def _log_variance(k: float, n: float) -> float:
    return max(1.0 / (k + 0.5) - 1.0 / (n + 1.0), 0.0)


def _difference_interval(k0: float, n0: float, k1: float, n1: float) -> tuple[float, float] | None:
    """Newcombe's hybrid score interval (method 10) for a difference of proportions, doi 10.1002/(SICI)1097-0258(19980430)17:8."""
    if n0 <= 0 or n1 <= 0 or k0 > n0 or k1 > n1:
        return None
    p0, p1 = k0 / n0, k1 / n1
    low0, high0 = _wilson(k0, n0)
    low1, high1 = _wilson(k1, n1)
    d = p1 - p0
    return float(d - np.hypot(p1 - low1, high0 - p0)), float(d + np.hypot(high1 - p1, p0 - low0))


def _wilson(k: float, n: float) -> tuple[float, float]:
    p, z2 = k / n, Z95**2
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 * np.sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return float(centre - half), float(centre + half)
