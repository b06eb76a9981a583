"""How far rows of a log are from independent, seen from the order of its blocks, and p values that allow for it.

Neighbouring rows are alike: season, slow drift, sessions. The mean of n such rows is as uncertain as that of n / v independent
ones, v being the variance inflation. It is read from the low-frequency cosine transforms of the block sums (equal-weighted cosine
estimate, Lazarus, Lewis, Stock and Watson 2018, doi:10.1080/07350015.2018.1506926), standard normal under independence.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import chdtrc, digamma, fdtrc, ndtr, polygamma, stdtr

from rca_kit.stats.drift.types import Floats, Ints

BANDS = (1, 2, 4, 8, 16, 32, 64)  # cosine terms per side (of the shorter side); few see slow drift, many see fast correlation
# A column's blocks are taken as dependent below the first chance where other columns of the table are too, below the second
# alone: an independent column that is taken for dependent can hardly show any change.
GATE, GATE_ALONE = 0.01, 1e-4
MANY = 1e9  # stands for infinitely many degrees of freedom


class Contrast(NamedTuple):
    """Difference of two weighted means of scores, its variance with independent rows, and the blocks' energy per band.

    Energy above 1 times `gain` is what the variance is inflated by: see `band_energy`.
    """

    difference: float
    variance: float
    score_variance: float
    energy: Floats
    freedom: Floats
    gain: Floats


class Blocks(NamedTuple):
    """Rows per block and the weight of each block's rows, on one side.

    `phase` where the season is taken out; `span` is the length of time, None where rows stand for time.
    """

    rows: Floats
    weight: Floats
    phase: Ints | None = None
    span: float | None = None


def contrast(before: Blocks, after: Blocks, sums_before: Floats, sums_after: Floats, squares: float) -> Contrast:
    """Compare the mean score of two sides.

    Parameters
    ----------
    before, after : Blocks
        Rows and weights, (blocks,) each.
    sums_before, sums_after : array, shape (blocks,)
        Sum of the scores over the rows of each block.
    squares : float
        Sum of the squared scores over all rows of both sides, unweighted.
    """
    nb, na = before.rows.sum(), after.rows.sum()
    total = nb + na
    mean = (sums_before.sum() + sums_after.sum()) / total
    variance = max(squares / total - mean**2, 0.0) * total / max(total - 1, 1)
    theta_b = float(sums_before @ before.weight) / float(before.rows @ before.weight)
    theta_a = float(sums_after @ after.weight) / float(after.rows @ after.weight)
    spread = _design(before) + _design(after)
    bands = flat_bands()
    if variance > 0:
        left, right, loss = residuals(before, after, sums_before, sums_after)
        bands = band_energy(_unit(left, before.rows, variance), _unit(right, after.rows, variance), before, after, loss)
    return Contrast(theta_a - theta_b, variance * spread, variance, *bands)


def flat_bands() -> tuple[Floats, Floats, Floats]:
    """Energy, freedom and gain of blocks that say nothing."""
    return np.ones(len(BANDS)), np.zeros(len(BANDS)), np.ones(len(BANDS))


def _levelled(sums: Floats, rows: Floats) -> Floats:
    """Each block's sum less what its rows hold of the whole; as they are where no block holds a row."""
    total = float(rows.sum())
    return sums - rows * (sums.sum() / total) if total > 0 else sums


def residuals(before: Blocks, after: Blocks, sums_before: Floats, sums_after: Floats) -> tuple[Floats, Floats, float]:
    """Take its side's level (and the phase's, if any) from each block's sum; also give the share of freedom that this costs."""
    if before.phase is None or after.phase is None:
        return _levelled(sums_before, before.rows), _levelled(sums_after, after.rows), 0.0
    rows = np.concatenate([before.rows, after.rows])
    side = np.concatenate([np.zeros(len(before.rows), int), np.ones(len(after.rows), int)])
    phase = np.concatenate([before.phase, after.phase])
    sums = np.concatenate([sums_before, sums_after])
    fitted, loss = additive_fit(sums, rows, side, phase)
    left_over = sums - rows * fitted
    return left_over[: len(before.rows)], left_over[len(before.rows) :], loss


def additive_fit(sums: Floats, rows: Floats, side: Ints, phase: Ints) -> tuple[Floats, float]:
    """Fit level of side + effect of phase by weighted least squares; give the fit per block and the share of freedom spent."""
    _, code = np.unique(phase, return_inverse=True)
    phases = int(code.max()) + 1
    design = np.zeros((len(rows), phases + 1))
    design[np.arange(len(rows)), code] = 1.0
    design[:, phases] = side
    normal = design.T @ (design * rows[:, None])
    beta = np.linalg.lstsq(normal, design.T @ sums, rcond=None)[0]
    # each stay in a phase (an hour of one day) is one observation, however many blocks it has
    stays = 1 + int(np.count_nonzero(np.diff((side * phases + code)[rows > 0])))
    return design @ beta, min((phases - 1) / max(stays - 2, 1), 0.9)


def band_energy(
    left: Floats, right: Floats, before: Blocks, after: Blocks, loss: float = 0.0
) -> tuple[Floats, Floats, Floats]:
    """Give the mean squared cosine terms below each band's frequency, their degrees of freedom, and the gain to inflation.

    `left` and `right` are standardised block residuals. The side that is longer in time gives more terms, up to the same
    frequency. `loss` is the share of freedom spent on the season. What varies slowly adds the same to a mean over the same time,
    however many rows there are: where rows are denser on one side, energy above 1 weighs by `gain` in the variance.
    """
    rows = float(before.rows.sum()), float(after.rows.sum())
    spans = (before.span, after.span) if before.span and after.span else rows
    energy, freedom, gain = flat_bands()
    terms = [_cumulated(x) for x in (left, right)]
    longer = max(spans[0] / spans[1], 1.0), max(spans[1] / spans[0], 1.0)
    together = (1 / spans[0] + 1 / spans[1]) / (1 / rows[0] + 1 / rows[1])
    gains = [span / n * together for span, n in zip(spans, rows, strict=True)]
    for i, band in enumerate(BANDS):
        total = count = gained = 0.0
        for cumulated, factor, g in zip(terms, longer, gains, strict=True):
            j = min(round(band * factor), len(cumulated))
            if j > 0:
                total, count, gained = total + float(cumulated[j - 1]), count + j, gained + j * g
        if count > 0:
            energy[i], freedom[i], gain[i] = total / count / (1 - loss), count * (1 - loss), gained / count
    return energy, freedom, gain


def inflated(energy: Floats, gain: Floats) -> Floats:
    """Inflation of the variance per band, at least 1."""
    return np.asarray(np.maximum(1.0, 1.0 + (energy - 1.0) * gain), float)


def gate(energy: Floats, freedom: Floats) -> float:
    """Chance of this much low-frequency energy under independence, corrected for the number of bands; shape (bands,) each."""
    used = freedom > 0
    if not used.any():
        return 1.0
    return float(min(1.0, np.min(chdtrc(freedom[used], energy[used] * freedom[used])) * used.sum()))


def z_to_p(z: float, inflation: Floats, freedom: Floats) -> float:
    """Two-sided p of a z value whose variance is inflated: the largest over the bands (t distribution)."""
    scaled = abs(z) / np.sqrt(np.maximum(inflation, 1.0))
    p = np.where(freedom >= MANY, 2 * ndtr(-scaled), 2 * stdtr(np.maximum(freedom, 1.0), -scaled))
    return float(np.max(p, initial=0.0)) if len(p) else 1.0


def chi_to_p(statistic: float, dof: float, inflation: Floats, freedom: Floats) -> float:
    """P of a chi-square whose variance is inflated: the largest over the bands (F; Rao and Scott 1981, first order)."""
    scaled = statistic / np.maximum(inflation, 1.0)
    p = np.where(freedom >= MANY, chdtrc(dof, scaled), fdtrc(dof, np.maximum(freedom, 1.0), scaled / dof))
    return float(np.max(p, initial=0.0)) if len(p) else 1.0


def moderate(energy: Floats, freedom: Floats) -> tuple[Floats, Floats]:
    """Borrow strength over columns: shrink each column's inflation to their common one, as far as they agree.

    Empirical Bayes of variances (Smyth 2004, doi:10.2202/1544-6115.1027).

    Parameters
    ----------
    energy, freedom : array, shape (columns, bands)
        Inflation and degrees of freedom of each column.

    Returns
    -------
    tuple of array, shape (columns, bands)
        Moderated inflation and its degrees of freedom, at least the column's own.
    """
    out_energy, out_freedom = energy.copy(), freedom.copy()
    for band in range(energy.shape[1]):
        used = (freedom[:, band] > 0) & (energy[:, band] > 0)
        if used.sum() < 3:
            continue
        e, d = energy[used, band], freedom[used, band]
        centred = np.log(e) - digamma(d / 2) + np.log(d / 2)
        excess = float(np.var(centred, ddof=1) - np.mean(polygamma(1, d / 2)))
        if excess <= 0:
            prior, scale = MANY, float(np.sum(e * d) / np.sum(d))
        else:
            prior = 2 * _trigamma_inverse(excess)
            scale = float(np.exp(np.mean(centred) + digamma(prior / 2) - np.log(prior / 2)))
        out_energy[used, band] = (d * e + prior * scale) / (d + prior)
        out_freedom[used, band] = np.minimum(d + prior, MANY)
    return out_energy, out_freedom


def _trigamma_inverse(x: float) -> float:
    """Solve trigamma(y) = x by Newton steps (Smyth 2004, appendix)."""
    if x > 1e7:
        return float(1 / np.sqrt(x))
    if x < 1e-6:
        return 1 / x
    y = 0.5 + 1 / x
    for _ in range(50):
        slope = float(polygamma(1, y))
        step = slope * (1 - slope / x) / float(polygamma(2, y))
        y += step
        if -step / y < 1e-8:
            break
    return y


def _cumulated(rest: Floats) -> Floats:
    if len(rest) < 2:
        return np.zeros(0)
    from scipy.fft import dct

    squared = np.asarray(dct(rest, axis=0, norm="ortho"), float)[1:] ** 2
    return np.asarray(np.cumsum(squared if squared.ndim == 1 else squared.mean(1)), float)


def _unit(residual: Floats, rows: Floats, variance: float) -> Floats:
    used = rows > 0
    return np.asarray(residual[used] / np.sqrt(rows[used] * variance), float)


def _design(side: Blocks) -> float:
    return float(side.rows @ side.weight**2) / float(side.rows @ side.weight) ** 2
